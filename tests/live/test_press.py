# SPDX-License-Identifier: Apache-2.0
"""A press on a real Asterisk, by RFC 4733 digits of a real SIP phone, and what it brings about."""

import asyncio
from typing import Any

import pytest

from bridges.model import Outcome
from lab.pbx_with_phones import is_event
from offrecord import journal
from tests.kits.live_kit import SiteMaker


def sizes(here: object) -> dict[str, int]:
    monitor = here.asterisks.pbx.monitor  # type: ignore[attr-defined]
    return {path.name: path.stat().st_size for path in monitor.iterdir()}


@pytest.mark.parametrize("release", ["22", "16"])
async def test_a_caller_stops_every_recording_of_the_call(site: SiteMaker, release: str) -> None:
    async with site(release) as here:
        talk = await here.talk()
        await asyncio.sleep(0.5)
        await here.people.press(talk.caller, "*1")
        [press] = await here.daemon.verdicts()

        assert press.outcome == Outcome.ACCEPTED
        assert press.way == "fastagi"
        assert press.agent == "fred"
        [stop] = here.stops()
        assert stop.method == "POST"
        assert stop.facts["hash_ok"] is True
        assert stop.query["extenOrUniqueId"] == talk.calling["Uniqueid"]
        assert stop.query["agentLoginName"] == "fred"
        [proof] = here.pbx.named("MixMonitorStop")
        assert proof["Uniqueid"] == talk.calling["Uniqueid"]
        await asyncio.sleep(0.3)
        frozen = sizes(here)
        await asyncio.sleep(0.5)
        assert sizes(here) == frozen
        up = {row["Uniqueid"] for row in await here.pbx.channels()}
        assert up == {talk.calling["Uniqueid"], talk.answering["Uniqueid"]}
        records = journal.show(here.daemon.journal, press.press)
        answers = {r.body["recorder"]: r.body for r in records if r.kind == "answered"}
        assert answers["local"]["outcome"] == Outcome.CONFIRMED
        assert answers["local"]["evidence"] == "L4"
        assert answers["noojee"]["evidence"] == "L1"


@pytest.mark.parametrize("release", ["22", "16"])
async def test_the_callee_stops_the_recording_on_the_callers_leg(
    site: SiteMaker, release: str
) -> None:
    async with site(release) as here:
        talk = await here.talk()
        await here.people.press(talk.callee, "*1")
        [press] = await here.daemon.verdicts()

        assert press.outcome == Outcome.ACCEPTED
        assert press.agent == "wilma"
        [proof] = here.pbx.named("MixMonitorStop")
        assert proof["Uniqueid"] == talk.calling["Uniqueid"]
        assert here.stops()[0].query["extenOrUniqueId"] == talk.answering["Uniqueid"]
        assert not here.pbx.named("MixMonitorStart", Uniqueid=talk.answering["Uniqueid"])


@pytest.mark.parametrize(
    ("release", "features", "more", "way"),
    [
        pytest.param("22", "features.conf", {}, "fastagi", id="22-fastagi"),
        pytest.param("16", "features.conf", {}, "fastagi", id="16-fastagi"),
        pytest.param("22", "features-userevent.conf", {}, "userevent", id="22-userevent"),
        pytest.param(
            "22", "features-userevent.conf", {"keypad": {"enabled": True},
            "user_event": {"enabled": False}}, "keypad", id="22-keypad",
        ),
    ],
)  # fmt: skip
async def test_the_shipped_code_objects_and_no_code_undoes_it(
    site: SiteMaker, release: str, features: str, more: dict[str, Any], way: str
) -> None:
    local = {"routes": {"default": ["local"]}, **more}
    async with site(release, features, more=local) as here:
        talk = await here.talk()
        await asyncio.sleep(0.5)
        await here.people.press(talk.caller, "*9")
        [objected] = await here.daemon.verdicts()
        await asyncio.sleep(2.0)  # digits that are pressed while the tone plays are lost
        await here.people.press(talk.callee, "*3")
        _, resumed = await here.daemon.verdicts(2)

        assert (objected.verb, objected.way) == ("objection", way)
        assert objected.outcome == Outcome.CONFIRMED
        [proof] = here.pbx.named("MixMonitorStop")
        assert proof["Uniqueid"] == talk.calling["Uniqueid"]
        assert (resumed.verb, resumed.way) == ("resume", way)
        assert resumed.outcome == Outcome.DENIED
        verdict = journal.show(here.daemon.journal, resumed.press)[-1]
        assert "objected" in verdict.body["reason"]
        assert len(here.pbx.named("MixMonitorStart")) == 1


async def test_control_the_stock_way_runs_on_the_callees_leg_and_stops_nothing(
    site: SiteMaker,
) -> None:
    async with site("22", "features-control.conf") as here:
        talk = await here.talk()
        await here.people.press(talk.callee, "*9")
        _, ran = await here.pbx.wait_for(is_event("UserEvent", UserEvent="lab-stock"))
        before = sizes(here)[f"{talk.calling['Uniqueid']}.wav"]
        await asyncio.sleep(2.5)  # Asterisk writes a recording in blocks of two seconds

        assert ran["Channel"] == talk.answering["Channel"]
        assert not here.pbx.named("MixMonitorStop")
        assert sizes(here)[f"{talk.calling['Uniqueid']}.wav"] > before


async def test_nothing_recorded_is_said_and_nothing_muted(site: SiteMaker) -> None:
    async with site("22", more={"routes": {"default": ["local"]}}) as here:
        talk = await here.talk("211")
        await here.people.press(talk.caller, "*1")
        [press] = await here.daemon.verdicts()

        assert press.outcome == Outcome.NOTHING_TO_STOP
        assert not here.pbx.named("MixMonitorMute")


async def test_a_caller_from_the_trunk_is_refused(site: SiteMaker) -> None:
    async with site("22") as here:
        await here.talk(caller="my-trunk")
        start = here.pbx.named("MixMonitorStart")[0]
        reply = await here.ask(
            {
                "op": "press", "way": "agi", "verb": "stop", "wait": 5.0,
                "uniqueid": start["Uniqueid"], "channel": start["Channel"],
            }
        )  # fmt: skip

        assert reply["outcome"] == Outcome.DENIED
        assert not here.pbx.named("MixMonitorStop")
        assert not here.stops()


async def test_the_presser_hears_a_tone_and_the_other_party_does_not(site: SiteMaker) -> None:
    async with site("22", more={"routes": {"default": ["local"]}}) as here:
        talk = await here.talk()
        await here.people.press(talk.caller, "*1")
        await here.daemon.verdicts()
        await here.pbx.wait_for(is_event("MixMonitorStop"))
        await asyncio.sleep(0.5)
        log = here.asterisks.pbx.log.read_text()

        assert "<PJSIP/410-" in log
        assert "Playing 'beep" in log
