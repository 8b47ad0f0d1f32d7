# SPDX-License-Identifier: Apache-2.0
"""Cut links, restarted Asterisks, dead daemons: the press after it works, the call goes on."""

import asyncio
import signal

import pytest

from bridges.model import Outcome
from lab.pbx.cuttable_link import CuttableLink
from lab.pbx_with_phones import is_event
from tests.kits.live_kit import SiteMaker


async def test_after_a_cut_of_the_ami_link_the_press_works(site: SiteMaker) -> None:
    here = site("22")
    async with CuttableLink(here.asterisks.pbx.ami_port) as link:
        here.ami_port = link.port
        async with here:
            talk = await here.talk()
            await link.cut()
            while (await here.ask({"op": "status"}))["known"]:
                await asyncio.sleep(0.02)
            mending = asyncio.create_task(_mend_after(link, 1.0))
            await here.people.press(talk.caller, "*1")
            [press] = await here.daemon.verdicts()
            await mending

            assert press.outcome == Outcome.ACCEPTED
            [proof] = here.pbx.named("MixMonitorStop")
            assert proof["Uniqueid"] == talk.calling["Uniqueid"]
            assert len(here.stops()) == 1


async def _mend_after(link: CuttableLink, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await link.mend()


async def test_a_call_that_ended_during_the_cut_is_no_ghost(site: SiteMaker) -> None:
    here = site("22")
    async with CuttableLink(here.asterisks.pbx.ami_port) as link:
        here.ami_port = link.port
        async with here:
            talk = await here.talk()
            await link.cut()
            await here.people.hang_up(talk.caller)
            await here.talk("413", caller="412", callee="413")
            await link.mend()
            await here.known()
            body = await here.ask({"op": "calls"})

            assert [call["extensions"] for call in body["calls"]] == [["412", "413"]]


async def test_while_the_pbx_cannot_be_asked_noojee_is_still_stopped_and_the_rest_said(
    site: SiteMaker,
) -> None:
    here = site("22", more={"press": {"wait_known": 0.5}})
    async with CuttableLink(here.asterisks.pbx.ami_port) as link:
        here.ami_port = link.port
        async with here:
            talk = await here.talk()
            await link.cut()
            await here.people.press(talk.caller, "*1")
            [press] = await here.daemon.verdicts()

            assert press.outcome == Outcome.FAILED
            assert press.text is not None
            assert press.text.startswith("Recording was NOT stopped")
            assert [s.query["extenOrUniqueId"] for s in here.stops()] == [talk.calling["Uniqueid"]]


@pytest.mark.parametrize("release", ["22", "16"])
async def test_after_a_restart_of_asterisk_no_ghost_and_the_next_press_works(
    site: SiteMaker, release: str
) -> None:
    async with site(release) as here:
        await here.talk()
        await asyncio.to_thread(here.asterisks.restart_pbx)
        await here.people.hang_up_all()
        await here.known()

        assert (await here.ask({"op": "calls"}))["calls"] == []
        await here.reopen_tap()
        talk = await here.talk()
        await here.people.press(talk.caller, "*1")
        [press] = await here.daemon.verdicts()
        assert press.outcome == Outcome.ACCEPTED
        assert here.pbx.named("MixMonitorStop", Uniqueid=talk.calling["Uniqueid"])


@pytest.mark.parametrize("release", ["22", "16"])
async def test_with_the_daemon_killed_the_call_goes_on(site: SiteMaker, release: str) -> None:
    async with site(release) as here:
        talk = await here.talk()
        await here.daemon.stop(signal.SIGKILL)
        await here.people.press(talk.caller, "*1")
        await here.pbx.wait_for(is_event("DTMFEnd", Digit="1"))
        await asyncio.sleep(0.5)

        rows = {row["Uniqueid"]: row for row in await here.pbx.channels()}
        assert set(rows) == {talk.calling["Uniqueid"], talk.answering["Uniqueid"]}
        assert len({row["BridgeId"] for row in rows.values()}) == 1
        assert "FastAGI failed" in here.asterisks.pbx.log.read_text()
        assert not here.pbx.named("MixMonitorStop")


async def test_a_daemon_killed_in_the_call_and_started_again_takes_the_next_press(
    site: SiteMaker,
) -> None:
    async with site("22") as here:
        talk = await here.talk()
        await here.daemon.stop(signal.SIGKILL)
        await here.daemon.start()
        await here.known()
        await here.people.press(talk.caller, "*1")
        [press] = await here.daemon.verdicts()

        assert press.outcome == Outcome.ACCEPTED
        assert here.pbx.named("MixMonitorStop", Uniqueid=talk.calling["Uniqueid"])


async def test_told_to_end_the_daemon_finishes_the_press_under_way(site: SiteMaker) -> None:
    here = site("22")
    async with here:
        here.noojee.switches.latency = 1.0
        talk = await here.talk()
        await here.people.press(talk.caller, "*1")
        await here.pbx.wait_for(is_event("MixMonitorStop"))
        code = await here.daemon.stop()
        [press] = await here.daemon.verdicts()

        assert code == 0
        assert press.outcome == Outcome.ACCEPTED
        assert len(here.stops()) == 1
