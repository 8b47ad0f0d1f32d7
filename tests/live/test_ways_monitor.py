# SPDX-License-Identifier: Apache-2.0
"""Monitor beside MixMonitor and alone, on a real Asterisk 16, judged by the files."""

import asyncio

import pytest

from bridges.model import Outcome
from lab.pbx.audio import length
from lab.pbx.cuttable_link import CuttableLink
from lab.pbx_with_phones import TONES, is_event
from lab.site import LabSite
from tests.kits.live_kit import SiteMaker
from tests.kits.ways_live import LOCAL, by_socket, detail, evidence, grown, last_heard, wav

CALLER = TONES["410"]


async def monitored(here: LabSite, uniqueid: str) -> str:
    """Begin a Monitor on a channel, as its dialplan would; return the beginning of its files."""
    name = f"mon-{uniqueid}"
    mark = len(here.pbx.events)
    told = await here.pbx.action("Monitor", Channel=uniqueid, File=name, Format="wav")
    assert told["Response"] == "Success"
    await here.pbx.wait_for(is_event("MonitorStart", Uniqueid=uniqueid), since=mark)
    return name


async def still(here: LabSite, name: str) -> bool:
    """Return whether both files of a Monitor have taken voice, and grow no more."""
    files = [wav(here, f"{name}-{way}.wav") for way in ("in", "out")]
    return await grown(*files) == [0, 0] and all(length(file) > 1 for file in files)


@pytest.mark.parametrize("forgotten", ["", "restart", "cut"])
async def test_a_monitor_beside_a_mixmonitor_is_stopped_too(
    site: SiteMaker, forgotten: str
) -> None:
    here = site("16", more=LOCAL)
    async with CuttableLink(here.asterisks.pbx.ami_port) as link:
        here.ami_port = link.port
        async with here:
            talk = await here.talk()
            uniqueid = talk.calling["Uniqueid"]
            name = await monitored(here, uniqueid)
            await asyncio.sleep(2.5)
            await _forget(here, link, forgotten)
            told = await by_socket(here, "stop", talk.answering["Uniqueid"])

            assert (told["outcome"], evidence(told)) == (Outcome.CONFIRMED, "L4")
            assert detail(told) == "1 MixMonitor and 1 Monitor stopped, none left on 2 channels"
            assert await still(here, name)
            again = await by_socket(here, "stop", uniqueid)
            assert (again["outcome"], evidence(again)) == (Outcome.NOTHING_TO_STOP, "L4")


async def _forget(here: LabSite, link: CuttableLink, how: str) -> None:
    """Have the daemon know nothing of the call but what it can ask."""
    if how == "restart":
        await here.daemon.stop()
        await here.daemon.start()
        await here.known()
    elif how == "cut":
        await link.cut()
        await asyncio.sleep(0.3)
        await link.mend()
        await here.known()


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("leg", ["calling", "answering"])
async def test_a_monitor_alone_is_found_on_either_leg(
    site: SiteMaker, leg: str, *, restarted: bool
) -> None:
    async with site("16", more=LOCAL) as here:
        talk = await here.talk("211")
        name = await monitored(here, getattr(talk, leg)["Uniqueid"])
        if restarted:
            await here.daemon.stop()
            await here.daemon.start()
            await here.known()
        await asyncio.sleep(2.5)
        told = await by_socket(here, "stop", talk.calling["Uniqueid"])

        assert (told["outcome"], evidence(told)) == (Outcome.CONFIRMED, "L4")
        assert detail(told) == "1 Monitor stopped, none left on 2 channels"
        assert await still(here, name)


async def test_a_monitor_that_starts_under_a_stop_is_stopped_again(site: SiteMaker) -> None:
    async with site("16", more=LOCAL) as here:
        talk = await here.talk()
        uniqueid = talk.calling["Uniqueid"]
        await by_socket(here, "stop", uniqueid)
        name = await monitored(here, uniqueid)
        await here.pbx.wait_for(is_event("MonitorStop", Uniqueid=uniqueid))

        assert await grown(wav(here, f"{name}-in.wav"), wav(here, f"{name}-out.wav")) == [0, 0]


async def test_a_paused_monitor_holds_silence_and_is_not_called_proven(site: SiteMaker) -> None:
    async with site("16", more=LOCAL) as here:
        talk = await here.talk("211")
        uniqueid = talk.calling["Uniqueid"]
        name = await monitored(here, uniqueid)
        await asyncio.sleep(2.5)
        paused = await by_socket(here, "pause", uniqueid)
        grew = await grown(wav(here, f"{name}-in.wav"), seconds=6)
        resumed = await by_socket(here, "resume", uniqueid)
        await asyncio.sleep(3)
        stopped = await by_socket(here, "stop", uniqueid)
        await asyncio.sleep(0.5)

        assert paused["outcome"] == Outcome.ACCEPTED
        assert "Asterisk does not show whether it does" in detail(paused)
        assert grew == [0]
        assert resumed["outcome"] == Outcome.ACCEPTED
        assert stopped["outcome"] == Outcome.CONFIRMED
        files = [wav(here, f"{name}-{way}.wav") for way in ("in", "out")]
        assert 4 < max(last_heard(file, CALLER) for file in files) < 8
