# SPDX-License-Identifier: Apache-2.0
"""Recordings under a stop or pause that only a recorder on the PBX hears of, as those of ARI."""

from pathlib import Path

import pytest

from ami.calls.snapshots import Call, Channel
from bridges.model import Evidence, Outcome, Verb
from offrecord.enforcement.context import RUNAWAY
from tests.kits.call_kit import new
from tests.kits.enforcement_kit import Kept, Local, keeping, settle
from tests.kits.lifecycle_kit import CALL, result


def channel(here: Kept, uniqueid: str = "1.1") -> Channel:
    found = here.bench.pbx.graph.channel(uniqueid)
    assert found is not None
    return found


def know(here: Kept, monkeypatch: pytest.MonkeyPatch, uniqueid: str) -> list[Verb]:
    """Have the PBX's recorder know of a recording until it is asked to end it."""
    asked: list[Verb] = []
    before = len(here.local.orders)

    def recorded(_self: Local, call: Call, verb: Verb) -> tuple[Channel, ...]:
        asked.append(verb)
        ended = len(here.local.orders) > before
        found = call.channel(uniqueid)
        return () if ended or found is None else (found,)

    monkeypatch.setattr(Local, "recorded", recorded, raising=False)
    return asked


@pytest.mark.parametrize("verb", [Verb.STOP, Verb.PAUSE, Verb.OBJECTION])
async def test_one_that_starts_has_the_order_sent_again(tmp_path: Path, verb: Verb) -> None:
    async with keeping(tmp_path) as here:
        await here.pressed(verb)
        asked = len(here.local.orders)

        async def stops(_order: object) -> object:
            return result("local", Outcome.CONFIRMED, Evidence.NOTHING_ELSE, "1 stopped")

        here.local.script = stops  # type: ignore[assignment]
        here.enforcer.recording_started([channel(here), channel(here, "1.2")], "RecordingStarted")
        await settle()

        assert here.local.verbs[asked:] == [Verb.STOP if verb is Verb.OBJECTION else verb]
        [again] = await here.bodies("reapplied")
        assert again["why"] == "RecordingStarted"
        assert again["uniqueid"] == "1.1"


async def test_one_of_another_call_or_without_an_intent_is_left_alone(tmp_path: Path) -> None:
    async with keeping(tmp_path, events=(*CALL, new("2.1", "SIP/412-3"))) as here:
        here.enforcer.recording_started([channel(here)], "RecordingStarted")
        await settle()
        assert here.local.orders == []
        await here.pressed()
        asked = len(here.local.orders)
        here.enforcer.recording_started([channel(here, "2.1")], "RecordingStarted")
        here.enforcer.recording_started([], "RecordingStarted")
        await settle()
        assert len(here.local.orders) == asked


@pytest.mark.parametrize("verb", [Verb.STOP, Verb.PAUSE])
async def test_one_that_nobody_told_of_is_found_by_the_periodic_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: Verb
) -> None:
    async with keeping(tmp_path) as here:
        await here.pressed(verb)
        await here.pass_(2)
        asked = know(here, monkeypatch, "1.2")
        before = len(here.local.orders)
        await here.pass_(2)
        assert len(here.local.orders) == before + 1
        assert set(asked) == {verb}


async def test_those_that_start_without_end_are_an_alarm_and_go_on_slower(tmp_path: Path) -> None:
    async with keeping(tmp_path) as here:
        await here.pressed()
        for _ in range(RUNAWAY + 1):
            here.enforcer.recording_started([channel(here)], "RecordingStarted")
            await settle()
        [alarm] = await here.bodies("alarm")
        assert alarm["what"] == "runaway"
