# SPDX-License-Identifier: Apache-2.0
"""A pause with time left, and then an outage: cut link, reload, dead daemon, restarted Asterisk."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest

from bridges.model import Outcome
from lab.pbx.cuttable_link import CuttableLink
from lab.pbx_with_phones import is_event
from lab.site import LabSite, Talk
from offrecord.journal import StoredRecord, show
from offrecord.recovery import scan
from tests.kits.daemon_kit import offrecord
from tests.kits.live_kit import SiteMaker
from tests.kits.pace import in_time
from tests.kits.waiting import eventually

LOCAL: dict[str, Any] = {"routes": {"default": ["local"]}}
SHORT = 10
"""Seconds: a pause up to this length is one that ends within its test."""
BOTH = pytest.mark.parametrize("release", ["22", "16"])


class Paused(NamedTuple):
    """A paused call, the id of its press, and when its recording was muted."""

    talk: Talk
    press: str
    began: float


def pausing(ttl: int) -> dict[str, Any]:
    return {**LOCAL, "pause": {"ttl": ttl, "reminder": 0}}


@asynccontextmanager
async def cut_off(
    site: SiteMaker, release: str, ttl: int
) -> AsyncIterator[tuple[LabSite, CuttableLink, Paused]]:
    """Pause a call, then cut the AMI link and wait until the daemon has noticed."""
    here = site(release, more=pausing(ttl))
    async with CuttableLink(here.asterisks.pbx.ami_port) as link:
        here.ami_port = link.port
        async with here:
            pause = await paused(here)
            if ttl > SHORT:
                await asyncio.sleep(1.5)  # its tone: digits pressed into it are lost
            await link.cut()
            await unknown(here)
            yield here, link, pause


async def paused(here: LabSite) -> Paused:
    """Have a call paused by its agent."""
    talk = await here.talk()
    await here.people.press(talk.caller, "*2")
    began, _ = await here.pbx.wait_for(is_event("MixMonitorMute", State="1"))
    [press] = await here.daemon.verdicts()
    assert press.outcome == Outcome.CONFIRMED
    return Paused(talk, press.press, began)


async def unmuted(here: LabSite) -> float:
    """Return when the recording could be heard again."""
    at, _ = await here.pbx.wait_for(is_event("MixMonitorMute", State="0"))
    return at


async def ended_in_time(here: LabSite, pause: Paused, ttl: int) -> None:
    """Check that the recording can be heard again when the pause's time is over."""
    lasted = await unmuted(here) - pause.began
    assert ttl - 1.0 <= lasted <= ttl + in_time(1.0)


async def expired(here: LabSite, press: str) -> None:
    """Check that the pause has ended because its time was over."""
    ends = await eventually(lambda: records(here, press, "intent_ended"))
    assert [over.body["why"] for over in ends] == ["expired"]


async def records(here: LabSite, press: str, kind: str) -> list[StoredRecord]:
    found = await asyncio.to_thread(show, here.daemon.journal, press)
    return [one for one in found if one.kind == kind]


async def unknown(here: LabSite) -> None:
    """Wait until the daemon has noticed that the PBX is away."""

    async def away() -> bool:
        return not (await here.ask({"op": "status"}))["known"]

    await eventually(away, "the daemon notices", every=0.02)


async def tone(here: LabSite, log: int) -> float:
    """Return when the failure tone began; `log` is how much Asterisk had logged before."""
    await eventually(lambda: "Playing 'beeperr" in here.asterisks.pbx.log.read_text()[log:])
    return time.monotonic()


async def nothing_is_open(here: LabSite) -> bool:
    """Say whether a daemon that started now would find anything to finish."""
    return not await asyncio.to_thread(scan.read, here.daemon.journal)


@BOTH
async def test_a_pause_that_ends_while_the_ami_link_is_cut_is_resumed_once_it_is_back(
    site: SiteMaker, release: str
) -> None:
    async with cut_off(site, release, 5) as (here, link, pause):
        await asyncio.sleep(pause.began + 6.5 - time.monotonic())
        assert not here.pbx.named("MixMonitorMute", State="0")
        assert not await records(here, pause.press, "intent_ended")
        await link.mend()
        await here.known()  # the link is tried again after a pause that has grown meanwhile
        back = time.monotonic()

        assert await unmuted(here) - back < in_time(1.0)
        await expired(here, pause.press)


@BOTH
async def test_a_pause_keeps_its_time_over_a_cut_of_the_ami_link(
    site: SiteMaker, release: str
) -> None:
    async with cut_off(site, release, 6) as (here, link, pause):
        await asyncio.sleep(1.0)
        await link.mend()

        await ended_in_time(here, pause, 6)


@BOTH
async def test_a_press_while_the_link_is_cut_is_answered_in_time_and_then_carried_out(
    site: SiteMaker, release: str
) -> None:
    async with cut_off(site, release, 60) as (here, link, pause):
        mark = len(here.pbx.events)
        log = len(here.asterisks.pbx.log.read_text())
        await here.people.press(pause.talk.caller, "*1")
        pressed, _ = await here.pbx.wait_for(is_event("DTMFEnd", Digit="1"), since=mark)
        heard = await tone(here, log)
        [_, press] = await here.daemon.verdicts(2)

        assert heard - pressed <= in_time(3.0)
        assert press.outcome == Outcome.FAILED
        await link.mend()
        # The ladder goes on: the stop is carried out once the PBX can be asked again.
        await here.pbx.wait_for(
            is_event("MixMonitorStop", Uniqueid=pause.talk.calling["Uniqueid"]), since=mark
        )


@BOTH
async def test_a_reload_of_the_manager_changes_nothing_for_a_pause(
    site: SiteMaker, release: str
) -> None:
    async with site(release, more=pausing(6)) as here:
        pause = await paused(here)
        await asyncio.to_thread(here.asterisks.pbx.console, "manager reload")
        await ended_in_time(here, pause, 6)
        await here.known()
        await here.people.press(pause.talk.caller, "*1")
        [_, stop] = await here.daemon.verdicts(2)

        await expired(here, pause.press)
        assert stop.outcome == Outcome.CONFIRMED


@BOTH
async def test_a_press_right_after_a_reload_of_the_manager_is_carried_out(
    site: SiteMaker, release: str
) -> None:
    async with site(release, more=pausing(60)) as here:
        talk, _, _ = await paused(here)
        await asyncio.to_thread(here.asterisks.pbx.console, "manager reload")
        told = await here.ask({
            "op": "press", "way": "cli", "verb": "stop", "wait": 5.0,
            "uniqueid": talk.answering["Uniqueid"],
        })  # fmt: skip

        assert told["outcome"] == Outcome.CONFIRMED
        await here.pbx.wait_for(is_event("MixMonitorStop", Uniqueid=talk.calling["Uniqueid"]))


@BOTH
async def test_a_pause_that_ended_while_the_daemon_was_dead_ends_when_it_is_back(
    site: SiteMaker, release: str
) -> None:
    async with site(release, more=pausing(4)) as here:
        _, press, began = await paused(here)
        await here.daemon.stop(signal.SIGKILL)
        await asyncio.sleep(began + 5.5 - time.monotonic())
        assert not here.pbx.named("MixMonitorMute", State="0")
        await here.daemon.start()
        await here.known()
        back = time.monotonic()

        assert await unmuted(here) - back < in_time(1.0)
        await expired(here, press)
        assert await nothing_is_open(here)


@pytest.mark.parametrize("pressed", [False, True], ids=["quiet", "pressed meanwhile"])
@BOTH
async def test_a_restart_of_asterisk_ends_what_was_promised_and_leaves_no_ghost(
    site: SiteMaker, release: str, pressed: bool
) -> None:
    async with site(release, more=pausing(60)) as here:
        talk, press, _ = await paused(here)
        await asyncio.to_thread(here.asterisks.pbx.halt, kill=True)
        if pressed:
            begun = time.monotonic()
            told = await here.ask({
                "op": "press", "way": "cli", "verb": "stop", "wait": 10.0,
                "uniqueid": talk.answering["Uniqueid"],
            })  # fmt: skip
            took = time.monotonic() - begun
            assert told["outcome"] == Outcome.FAILED
            assert took <= in_time(3.5)
            press = told["press"]  # its intent has taken the pause's place
        await asyncio.to_thread(here.asterisks.restart_pbx)
        await here.people.hang_up_all()
        await here.known()
        await asyncio.sleep(1.0)

        assert (await here.ask({"op": "calls"}))["calls"] == []
        listed = await offrecord("calls", "--socket", here.daemon.socket, "--json")
        assert listed.json["calls"] == []
        [over] = await records(here, press, "intent_ended")
        assert over.body["why"] == "call_ended"
        assert await nothing_is_open(here)
        await here.reopen_tap()
        again = await here.talk()
        mark = len(here.pbx.events)
        await here.people.press(again.caller, "*1")
        await here.pbx.wait_for(
            is_event("MixMonitorStop", Uniqueid=again.calling["Uniqueid"]), since=mark
        )
