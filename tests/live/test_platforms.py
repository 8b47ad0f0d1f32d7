# SPDX-License-Identifier: Apache-2.0
"""A call over a trunk to another platform: one press here stops the recording there.

The witness of each test is the other platform's own log and state, never ours alone.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bridges.model import Outcome
from bridges.simulators import certificates
from bridges.simulators.imagicle.app import DEMO_PASSWORD
from bridges.simulators.voipnow.app import DEMO_SECRET
from lab.pbx.ports import free_tcp
from lab.site import OUTSIDE, LabSite
from offrecord import journal
from offrecord.journal import PressSummary
from tests.kits.live_kit import SiteMaker
from tests.kits.pace import in_time
from tests.kits.platforms import GENESYS_PASSWORD, KINDS, UUID, Platforms
from tests.kits.waiting import eventually

ALL = ("local", *KINDS)


@pytest.fixture
async def platforms(tmp_path: Path) -> AsyncIterator[Platforms]:
    async with Platforms(tmp_path, certificates.issue(tmp_path)) as made:
        yield made


async def press(here: LabSite, channel: str, code: str = "*1", count: int = 1) -> PressSummary:
    await here.people.press(channel, code)
    return (await here.daemon.verdicts(count))[count - 1]


def answers(here: LabSite, one: PressSummary) -> dict[str, dict[str, Any]]:
    """Return what each recorder answered to a press, by its name."""
    records = journal.show(here.daemon.journal, one.press)
    return {r.body["recorder"]: r.body for r in records if r.kind == "answered"}


def outcomes(here: LabSite, one: PressSummary) -> dict[str, str]:
    return {name: str(body["outcome"]) for name, body in answers(here, one).items()}


@pytest.mark.parametrize("release", ["22", "16"])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_press_stops_the_recording_here_and_on_the_platform_that_holds_the_call(
    site: SiteMaker, platforms: Platforms, kind: str, release: str
) -> None:
    async with site(release, more=platforms.more("local", kind)) as here:
        platforms.record()
        talk = await here.talk_out(uuid=UUID)
        done = await press(here, talk.caller)

        assert (done.outcome, done.agent) == (Outcome.CONFIRMED, "fred")
        assert outcomes(here, done) == {"local": "confirmed", kind: "confirmed"}
        assert platforms.recorded() == set(KINDS) - {kind}
        assert len(platforms.commands(kind)) == 1
        for other in set(KINDS) - {kind}:
            assert platforms.commands(other) == []
        [proof] = here.pbx.named("MixMonitorStop")
        assert proof["Uniqueid"] == talk.calling["Uniqueid"]
        up = {row["Uniqueid"] for row in await here.pbx.channels()}
        assert up == {talk.calling["Uniqueid"], talk.answering["Uniqueid"]}


@pytest.mark.parametrize("release", ["22", "16"])
async def test_a_press_stops_the_recordings_of_three_platforms_and_of_the_pbx_at_once(
    site: SiteMaker, platforms: Platforms, release: str
) -> None:
    async with site(release, more=platforms.more(*ALL)) as here:
        platforms.record()
        talk = await here.talk_out(uuid=UUID)
        done = await press(here, talk.caller)

        assert outcomes(here, done) == dict.fromkeys(ALL, "confirmed")
        assert done.outcome == Outcome.CONFIRMED
        assert platforms.recorded() == set()
        assert [len(platforms.commands(kind)) for kind in KINDS] == [1, 1, 1]
        for secret in (DEMO_PASSWORD, DEMO_SECRET, GENESYS_PASSWORD):
            assert secret not in here.daemon.log.read_text()
            assert secret.encode() not in here.daemon.journal.read_bytes()


async def test_a_call_that_comes_in_is_found_by_its_id_and_its_numbers(
    site: SiteMaker, platforms: Platforms
) -> None:
    options = {"voipnow": {"client_prefix": "0003"}}
    async with site("22", more=platforms.more(*ALL, **options)) as here:
        platforms.record()
        # A second call of the same agent over there, held, with another person: not this one.
        other = platforms.genesys.centre.add_call(
            platforms.fred, "0477999", uuid=UUID[:-1] + "W", state="Held"
        )
        talk = await here.talk_in("410", uuid=UUID, callee="410")
        done = await press(here, talk.callee)

        assert outcomes(here, done) == dict.fromkeys(ALL, "confirmed")
        assert platforms.recorded() == set()
        assert other.recording == "Recording"


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        # The answer says yes and the event says stopped; the call goes on being recorded.
        ("genesys", "contradiction@stop"),
        ("genesys", "swallow@stop"),
        ("voipnow", "swallow@stop"),
        ("imagicle", "swallow@stop"),
    ],
)
async def test_a_stop_that_was_accepted_and_did_nothing_is_never_confirmed(
    site: SiteMaker, platforms: Platforms, kind: str, fault: str
) -> None:
    async with site("22", more=platforms.more("local", kind)) as here:
        platforms.of(kind).faults.add(fault)
        platforms.record()
        talk = await here.talk_out(uuid=UUID)
        done = await press(here, talk.caller)

        assert done.outcome == Outcome.FAILED
        assert outcomes(here, done) == {"local": "confirmed", kind: "failed"}
        assert platforms.recorded() == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "trouble", ["refuse", "silence", "status=500", "status=504", "half", "expired certificate"]
)
async def test_a_platform_in_trouble_is_told_in_time_and_the_call_goes_on(
    site: SiteMaker, tmp_path: Path, kind: str, trouble: str
) -> None:
    certificate = certificates.issue(tmp_path, days=-1 if "certificate" in trouble else 1)
    async with Platforms(tmp_path, certificate) as platforms:
        more = platforms.more("local", kind)
        more |= {"agi": {"wait": 5.0}, "press": {"budget": 3.0}}
        async with site("22", more=more) as here:
            platforms.record()
            talk = await here.talk_out(uuid=UUID)
            if trouble == "refuse":
                await platforms.servers[kind].refuse()
            elif trouble == "silence":
                await platforms.servers[kind].silence()
            elif "certificate" not in trouble:
                platforms.of(kind).faults.add(trouble)
            before = len(here.asterisks.pbx.log.read_text())
            pressed = time.monotonic()
            done = await press(here, talk.caller)

            assert done.outcome == Outcome.FAILED
            told = answers(here, done)
            assert (told["local"]["outcome"], told[kind]["outcome"]) == ("confirmed", "failed")
            assert told[kind]["detail"]
            assert kind in platforms.recorded()
            await eventually(
                lambda: "Playing 'beeperr" in here.asterisks.pbx.log.read_text()[before:]
            )
            assert time.monotonic() - pressed < in_time(5.0)
            # The recording that can be stopped does not wait for the one that cannot.
            [stopped] = [at for at, p in here.pbx.events if p.get("Event") == "MixMonitorStop"]
            assert stopped - pressed < in_time(1.0)
            up = {row["Uniqueid"] for row in await here.pbx.channels()}
            assert up == {talk.calling["Uniqueid"], talk.answering["Uniqueid"]}


async def test_a_line_that_records_by_itself_is_paused_and_said_to_be(
    site: SiteMaker, platforms: Platforms
) -> None:
    options = {"imagicle": {"pause_when_unstoppable": True}}
    async with site("22", more=platforms.more("local", "imagicle", **options)) as here:
        platforms.imagicle.state.lines[0].automatic = True
        platforms.record()
        talk = await here.talk_out()
        done = await press(here, talk.caller)

        assert (done.outcome, outcomes(here, done)["imagicle"]) == (Outcome.CONTAINED, "contained")
        assert platforms.on_imagicle.paused
        assert platforms.on_imagicle.stopped is None
        await asyncio.sleep(3.0)  # a second press within 3 s would be the same one
        again = await press(here, talk.caller, count=2)
        assert (again.outcome, platforms.on_imagicle.paused) == (Outcome.CONTAINED, True)


async def test_nothing_live_over_there_is_nothing_to_stop_there(
    site: SiteMaker, platforms: Platforms
) -> None:
    async with site("22", more=platforms.more("imagicle")) as here:
        platforms.record()
        platforms.imagicle.state.stop(platforms.on_imagicle)
        talk = await here.talk_out()
        done = await press(here, talk.caller)
        assert answers(here, done)["imagicle"]["outcome"] == Outcome.NOTHING_TO_STOP
        # The PBX records the call itself, and the route has no recorder for that.
        assert done.outcome == Outcome.FAILED


async def test_two_calls_that_fit_are_named_and_neither_is_touched(
    site: SiteMaker, platforms: Platforms
) -> None:
    async with site("22", more=platforms.more("local", "voipnow")) as here:
        platforms.record()
        twin = platforms.voipnow.site.add_call("0003*410", remote=OUTSIDE)
        talk = await here.talk_out()
        done = await press(here, talk.caller)

        assert done.outcome == Outcome.FAILED
        detail = answers(here, done)["voipnow"]["detail"]
        assert detail.startswith("ambiguous: ")
        assert twin.id in detail
        assert platforms.on_voipnow.id in detail
        assert platforms.commands("voipnow") == []


async def test_the_reports_of_voipnow_name_the_call_where_its_list_could_not(
    site: SiteMaker, platforms: Platforms
) -> None:
    token, port = "a-token-of-the-reports", free_tcp()
    more = platforms.more("local", "voipnow")
    more["recorders"]["voipnow"]["hook_token"] = platforms.secret("hook", token)
    more["http"] = {"enabled": True, "port": port}
    async with site("22", more=more) as here:
        url = f"http://127.0.0.1:{port}/hooks/voipnow/{token}"
        for kind in ("0", "2"):
            platforms.voipnow.events.add("0003*410", {"type": kind, "method": "1", "url": url})
        platforms.record()
        assert await platforms.voipnow.events.send(platforms.on_voipnow, 0) == [204]
        platforms.voipnow.faults.add("status=500@list*1")
        talk = await here.talk_out()
        done = await press(here, talk.caller)

        assert outcomes(here, done) == {"local": "confirmed", "voipnow": "confirmed"}
        assert platforms.on_voipnow.id in platforms.commands("voipnow")[0].path


async def test_resume_goes_to_every_platform_that_was_paused(
    site: SiteMaker, platforms: Platforms
) -> None:
    async with site("22", more=platforms.more(*ALL)) as here:
        platforms.record()
        talk = await here.talk_out(uuid=UUID)
        paused = await press(here, talk.caller, "*2")
        assert outcomes(here, paused) == dict.fromkeys(ALL, "confirmed")
        assert platforms.recorded() == set()
        assert "VoipNow has no pause" in answers(here, paused)["voipnow"]["detail"]
        await asyncio.sleep(3.2)  # right after a pause a resume would be refused
        resumed = await press(here, talk.caller, "*3", count=2)
        assert outcomes(here, resumed) == dict.fromkeys(ALL, "confirmed")
        assert platforms.recorded() == set(KINDS)


async def test_explain_shows_the_whole_decision_and_masks_every_secret(
    site: SiteMaker, platforms: Platforms
) -> None:
    async with site("22", more=platforms.more(*ALL)) as here:
        platforms.record()
        talk = await here.talk_out(uuid=UUID)
        before = {kind: len(platforms.commands(kind)) for kind in KINDS}
        told = await here.ask({"op": "explain", "target": "410"})

        assert (told["agent"], told["facts"]) == ("fred", {"GENESYS_CALL_UUID": [UUID]})
        assert [route["matched"] for route in told["routes"]] == [False, True]
        assert [one["recorder"] for one in told["recorders"]] == list(ALL)
        text = str(told)
        assert f"/me/calls/{UUID}" in text
        assert "0003*410" in text
        assert f"directoryNumber={OUTSIDE}" in text
        assert talk.calling["Uniqueid"] in text
        for secret in (DEMO_PASSWORD, DEMO_SECRET, GENESYS_PASSWORD):
            assert secret not in text
        assert {kind: len(platforms.commands(kind)) for kind in KINDS} == before
