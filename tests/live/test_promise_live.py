# SPDX-License-Identifier: Apache-2.0
"""What a press holds for the rest of the call, on real Asterisks: transfers, parking, time."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from bridges.model import Outcome
from lab.pbx.audio import heard
from lab.pbx_with_phones import TONES, is_event
from lab.site import LabSite
from offrecord.journal import StoredRecord, show
from tests.kits.live_kit import SiteMaker, press_by_socket
from tests.kits.pace import in_time
from tests.kits.waiting import eventually

LOCAL: dict[str, Any] = {"routes": {"default": ["local"]}}
CALLER = TONES["410"]


async def records(here: LabSite, press: str, kind: str) -> list[StoredRecord]:
    found = await asyncio.to_thread(show, here.daemon.journal, press)
    return [one for one in found if one.kind == kind]


async def within(here: LabSite, since: int, uniqueid: str | None = None) -> float:
    """Return the seconds from a recording's start to its stop, by the AMI stream's own times."""
    more = {"Uniqueid": uniqueid} if uniqueid else {}
    began, start = await here.pbx.wait_for(is_event("MixMonitorStart", **more), since=since)
    ended, _ = await here.pbx.wait_for(
        is_event("MixMonitorStop", Uniqueid=start["Uniqueid"]), since=since
    )
    return ended - began


def wav(here: LabSite, name: str) -> Path:
    return here.asterisks.pbx.monitor / name


def seconds_of(path: Path, hertz: float) -> float:
    """Return for how long a tone is in a recording."""
    return sum(heard(path, hertz)) / 10 if path.is_file() else 0.0


# the same code again


@pytest.mark.parametrize("release", ["22", "16"])
async def test_a_code_pressed_twice_and_ten_times_is_one_request(
    site: SiteMaker, release: str
) -> None:
    async with site(release) as here:
        twice = await here.talk()
        await here.people.press(twice.caller, "*1", length=0.08, gap=0.07)
        await here.people.press(twice.caller, "*1", length=0.08, gap=0.07)
        await here.daemon.verdicts()
        often = await here.talk("413", caller="412", callee="413")
        for _ in range(10):
            await here.people.press(often.caller, "*1", length=0.06, gap=0.05)
        await here.daemon.verdicts(2)
        await asyncio.sleep(1.5)

        presses = await here.daemon.verdicts(2)
        assert [one.verb for one in presses] == ["stop", "stop"]
        asked = [stop.query["extenOrUniqueId"] for stop in here.stops()]
        assert asked == [twice.calling["Uniqueid"], often.calling["Uniqueid"]]
        assert not here.noojee.log.of("start")
        assert len(here.pbx.named("MixMonitorStart")) == len(here.pbx.named("MixMonitorStop")) == 2


# transfers


@pytest.mark.parametrize("release", ["22", "16"])
async def test_a_blind_transfer_that_records_anew_is_silenced(
    site: SiteMaker, release: str
) -> None:
    async with site(release) as here:
        talk = await here.talk("811")
        await here.people.press(talk.callee, "*1")
        [press] = await here.daemon.verdicts()
        await asyncio.sleep(1.0)  # until the tone has ended: digits pressed into it are lost
        mark, farm = len(here.pbx.events), here.people.now
        await here.people.press(talk.callee, "##412")
        await here.people.answered(farm)
        took = await within(here, mark, talk.calling["Uniqueid"])
        await asyncio.sleep(2.5)  # Asterisk writes a recording in blocks of two seconds

        assert press.outcome == Outcome.ACCEPTED
        assert took <= in_time(0.5)
        # The transferred call records into the same name again: the file is the new one.
        assert seconds_of(wav(here, f"{talk.calling['Uniqueid']}.wav"), CALLER) <= in_time(0.5)
        again = [r.body for r in await records(here, press.press, "reapplied")]
        local = [b for b in again if b["why"] == "MixMonitorStart"]
        assert [b["uniqueid"] for b in local] == [talk.calling["Uniqueid"]]
        assert local[0]["took_ms"] < in_time(500)
        assert local[0]["results"][0]["outcome"] == "confirmed"
        # Noojee was asked again too, because the call is with somebody else now.
        assert len(here.stops()) >= 2


async def test_noojee_that_records_no_more_leaves_a_stop_accepted_when_the_call_is_sent_on(
    site: SiteMaker,
) -> None:
    async with site("22") as here:
        talk = await here.talk("811")
        await here.people.press(talk.caller, "*1")
        [press] = await here.daemon.verdicts()
        await asyncio.sleep(1.0)  # until the tone has ended: digits pressed into it are lost
        farm = here.people.now
        await here.people.press(talk.callee, "##412")
        await here.people.answered(farm)
        await eventually(lambda: len(here.stops()) >= 2)
        await asyncio.sleep(0.5)

        assert press.outcome == Outcome.ACCEPTED
        assert {stop.query["extenOrUniqueId"] for stop in here.stops()} == {
            talk.calling["Uniqueid"]
        }
        assert here.stops()[-1].facts["effect"] == "refused"
        again = [r.body for r in await records(here, press.press, "reapplied")]
        [noojee] = [one for b in again for one in b["results"] if one["recorder"] == "noojee"]
        assert (noojee["outcome"], noojee["evidence"]) == ("accepted", "L1")
        assert not await records(here, press.press, "alarm")


async def test_control_without_a_press_the_transferred_call_is_recorded(site: SiteMaker) -> None:
    async with site("22") as here:
        talk = await here.talk("811")
        farm = here.people.now
        await here.people.press(talk.callee, "##412")
        await here.people.answered(farm)
        await asyncio.sleep(4.5)

        assert seconds_of(wav(here, f"{talk.calling['Uniqueid']}.wav"), CALLER) > 1.5


@pytest.mark.parametrize("release", ["22", "16"])
async def test_an_objection_survives_an_attended_transfer_and_no_key_undoes_it(
    site: SiteMaker, release: str
) -> None:
    async with site(release, more=LOCAL) as here:
        talk = await here.talk("811")
        told = await press_by_socket(here, "objection", talk.answering["Uniqueid"])
        mark, farm = len(here.pbx.events), here.people.now
        await here.people.press(talk.callee, "#2")
        await asyncio.sleep(0.6)
        await here.people.press(talk.callee, "412")
        third = await here.people.answered(farm)
        await asyncio.sleep(0.8)
        await here.people.press(talk.callee, "#7")
        await here.pbx.wait_for(is_event("AttendedTransfer", Result="Success"), since=mark)
        await asyncio.sleep(1.0)
        starts = here.pbx.named("MixMonitorStart")[1:]
        stops = here.pbx.named("MixMonitorStop")
        channels = await here.pbx.channels()
        [mine] = [c for c in channels if "/412-" in c["Channel"]]
        await here.people.press(third, "*3")
        resumed = await press_by_socket(here, "resume", mine["Uniqueid"], "agi")
        body = await here.ask({"op": "explain", "target": mine["Uniqueid"], "verb": "resume"})

        assert told["outcome"] == Outcome.CONFIRMED
        assert starts  # the consultation was recorded by the dialplan
        assert {p["Uniqueid"] for p in starts} <= {p["Uniqueid"] for p in stops}
        assert len(stops) == len(starts) + 1
        assert resumed["outcome"] == Outcome.DENIED
        assert "objected" in resumed["reason"]
        assert [one["verb"] for one in body["intents"]] == ["objection"]
        # What starts on whom the call is with now is silenced as well.
        mark = len(here.pbx.events)
        await here.pbx.action("MixMonitor", Channel=mine["Uniqueid"], File="late.wav", Options="")
        assert await within(here, mark, mine["Uniqueid"]) <= in_time(0.5)


# parked, and picked up by somebody else


@pytest.mark.parametrize("release", ["22", "16"])
async def test_a_pause_holds_while_parked_and_whoever_fetches_the_call_can_resume(
    site: SiteMaker, release: str
) -> None:
    async with site(release, more=LOCAL) as here:
        talk = await here.talk()
        uniqueid = talk.calling["Uniqueid"]
        told = await press_by_socket(here, "pause", talk.answering["Uniqueid"])
        await here.pbx.action(
            "Park", Channel=talk.calling["Channel"], AnnounceChannel=talk.answering["Channel"],
            Timeout="30000",
        )  # fmt: skip
        await here.pbx.wait_for(is_event("ParkedCall"))
        await here.people.hang_up(talk.callee)
        await here.people.call("413", "904")
        await asyncio.sleep(0.5)
        [mine] = [c for c in await here.pbx.channels() if "/413-" in c["Channel"]]
        mark = len(here.pbx.events)
        await here.pbx.action("MixMonitor", Channel=mine["Uniqueid"], File="mine.wav", Options="")
        began, _ = await here.pbx.wait_for(is_event("MixMonitorStart"), since=mark)
        muted, _ = await here.pbx.wait_for(
            is_event("MixMonitorMute", Uniqueid=mine["Uniqueid"], State="1"), since=mark
        )
        await asyncio.sleep(2.5)
        silent = seconds_of(wav(here, "mine.wav"), CALLER)
        resumed = await press_by_socket(here, "resume", mine["Uniqueid"])
        await asyncio.sleep(3.0)

        assert told["outcome"] == Outcome.CONFIRMED
        assert muted - began <= in_time(0.5)
        assert silent <= in_time(0.5)
        assert resumed["outcome"] == Outcome.CONFIRMED
        unmuted = {p["Uniqueid"] for p in here.pbx.named("MixMonitorMute", State="0")}
        assert unmuted == {uniqueid, mine["Uniqueid"]}
        assert seconds_of(wav(here, "mine.wav"), CALLER) > 1.0


# conferences


@pytest.mark.parametrize("release", ["22", "16"])
async def test_in_a_conference_every_partys_recording_and_the_mix_are_stopped(
    site: SiteMaker, release: str
) -> None:
    async with site(release, more=LOCAL) as here:
        up = await _conference(here)
        told = await press_by_socket(here, "stop", up["410"]["Uniqueid"])
        mark = len(here.pbx.events)
        other = up["412"]["Uniqueid"]
        await here.pbx.action("MixMonitor", Channel=other, File="again.wav", Options="")

        assert told["outcome"] == Outcome.CONFIRMED
        assert "1 conference mix stopped" in told["reason"]
        stopped = {p["Uniqueid"] for p in here.pbx.named("MixMonitorStop")}
        assert stopped >= {up[phone]["Uniqueid"] for phone in ("410", "411", "412")}
        assert await within(here, mark, other) <= in_time(0.5)
        assert not [c for c in await here.pbx.channels() if c["Channel"].startswith("CBRec")]


async def _conference(here: LabSite) -> dict[str, dict[str, str]]:
    """Let three phones meet in a conference that records its mix; return their channels."""
    for phone in ("410", "411", "412"):
        await here.people.call(phone, "901")
    await asyncio.sleep(0.5)
    return {c["Channel"].split("/")[1][:3]: c for c in await here.pbx.channels()}


# pauses that end


@pytest.mark.parametrize("release", ["22", "16"])
async def test_a_pause_ends_by_itself_to_the_second(site: SiteMaker, release: str) -> None:
    more = {**LOCAL, "pause": {"ttl": 4, "reminder": 2}}
    async with site(release, more=more) as here:
        talk = await here.talk()
        await here.people.press(talk.caller, "*2")
        began, _ = await here.pbx.wait_for(is_event("MixMonitorMute", State="1"))
        ended, _ = await here.pbx.wait_for(is_event("MixMonitorMute", State="0"))
        [press] = await here.daemon.verdicts()
        await asyncio.sleep(0.3)

        assert press.outcome == Outcome.CONFIRMED
        assert 3.5 <= ended - began <= 4.0 + in_time(1.0)
        assert len(await records(here, press.press, "reminded")) == 1
        [over] = await records(here, press.press, "intent_ended")
        assert over.body["why"] == "expired"


async def test_a_pause_ends_in_time_although_the_daemon_was_killed(site: SiteMaker) -> None:
    async with site("22", more={**LOCAL, "pause": {"ttl": 6, "reminder": 0}}) as here:
        talk = await here.talk()
        await here.people.press(talk.caller, "*2")
        began, _ = await here.pbx.wait_for(is_event("MixMonitorMute", State="1"))
        await here.daemon.verdicts()
        await here.daemon.stop(signal.SIGKILL)
        await here.daemon.start()
        ended, _ = await here.pbx.wait_for(is_event("MixMonitorMute", State="0"))

        assert 5.0 <= ended - began <= 6.0 + in_time(1.5)
