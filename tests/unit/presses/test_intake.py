# SPDX-License-Identifier: Apache-2.0
"""Every way in makes the same kind of press, and what is no press makes none."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog

from agi.press_message import AgiPress
from agi.verdict_message import AgiVerdict
from ami.events.types import DTMFEnd, Event, UserEvent
from ami.keypad import Keypad
from bridges.model import Evidence, Outcome, Verb
from offrecord.model.outcome_codes import SOUNDS
from offrecord.model.press import Press
from offrecord.model.verdict import Verdict
from offrecord.presses.intake import Intake, told
from offrecord.presses.lifecycle import PressHandle
from tests.kits.call_kit import TWO_PHONES, enter, graph, hangup, new

CODES = {"*1": "stop", "*2": "pause"}


@dataclass
class FakeEngine:
    """Takes presses and leaves their fate to the test."""

    handles: list[PressHandle] = field(default_factory=list)

    def press(self, press: Press) -> PressHandle:
        loop = asyncio.get_running_loop()
        self.handles.append(PressHandle(press, 0.0, loop.create_future(), loop.create_future()))
        return self.handles[-1]

    @property
    def presses(self) -> list[Press]:
        return [handle.press for handle in self.handles]


def triggers(engine: FakeEngine, **more: Any) -> Intake:
    given: dict[str, Any] = {"user_event": "offrecord", "keypad": None} | more
    return Intake(engine, SOUNDS, **given)  # type: ignore[arg-type]


def verdict(outcome: Outcome = Outcome.CONFIRMED) -> Verdict:
    return Verdict("p1", Verb.STOP, outcome, Evidence.NOTHING_ELSE, "because", 0.25)


def facts(press: Press) -> tuple[Any, ...]:
    return (press.verb, press.way, press.target, press.uniqueid, press.channel, press.agent)


# FastAGI


async def test_a_fastagi_press_carries_the_channel_and_the_words_of_the_dialplan() -> None:
    engine = FakeEngine()
    options = {"agent": "fred", "recorder": "noojee", "note": "x"}
    made = triggers(engine)
    accepted = made.agi(AgiPress("stop", "SIP/410-1", "1.1", 0.0, options=options))
    (press,) = engine.presses

    assert facts(press) == (Verb.STOP, "fastagi", "1.1", "1.1", "SIP/410-1", "fred")
    assert press.recorder == "noojee"
    assert press.options == {"note": "x"}
    assert accepted.press_id == press.id


async def test_words_without_a_value_name_nobody() -> None:
    engine = FakeEngine()
    options = {"agent": "", "recorder": ""}
    triggers(engine).agi(AgiPress("pause", "SIP/410-1", "1.1", 0.0, options=options))

    assert engine.presses[0].agent is None
    assert engine.presses[0].recorder is None


async def test_the_presser_hears_the_sounds_and_the_sentence_of_the_verdict() -> None:
    engine = FakeEngine()
    sounds = {**SOUNDS, Outcome.FAILED: ("beep", "sorry")}
    made = Intake(engine, sounds)  # type: ignore[arg-type]
    accepted = made.agi(AgiPress("stop", "SIP/410-1", "1.1", 0.0))
    engine.handles[0].verdict.set_result(verdict(Outcome.FAILED))
    heard = await accepted.verdict

    assert heard == AgiVerdict("failed", ("beep", "sorry"), verdict(Outcome.FAILED).text)


async def test_a_session_that_gave_up_waiting_does_not_break_the_press() -> None:
    engine = FakeEngine()
    made = triggers(engine)
    faults: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, fault: faults.append(fault))
    one = made.agi(AgiPress("stop", "SIP/410-1", "1.1", 0.0))
    other = made.heard(engine.handles[0])
    one.verdict.cancel()
    engine.handles[0].verdict.set_result(verdict())

    assert (await other).outcome == "confirmed"
    assert not faults


# user events


def user_event(name: str = "offrecord", uniqueid: str = "1.1", **fields: str) -> UserEvent:
    return UserEvent(name, "SIP/410-1", uniqueid, uniqueid, fields)


async def test_a_user_event_is_a_press_of_its_channel() -> None:
    engine = FakeEngine()
    triggers(engine).event(user_event(Verb="stop", Agent="fred", Recorder="noojee"), graph())
    (press,) = engine.presses

    assert facts(press) == (Verb.STOP, "userevent", "1.1", "1.1", "SIP/410-1", "fred")
    assert press.recorder == "noojee"


@pytest.mark.parametrize("event", [
    user_event("OffRecord", verb=" Pause "),
    user_event("offrecord", VERB="pause"),
])  # fmt: skip
async def test_the_case_of_names_and_verbs_does_not_matter(event: UserEvent) -> None:
    engine = FakeEngine()
    triggers(engine).event(event, graph())

    assert engine.presses[0].verb is Verb.PAUSE
    assert engine.presses[0].agent is None


@pytest.mark.parametrize(
    "event",
    [
        user_event(),
        user_event(Verb=""),
        user_event(Verb="halt"),
        user_event(uniqueid="", Verb="stop"),
    ],
)
async def test_a_user_event_that_is_no_press_is_said_with_the_way_to_write_it(
    event: UserEvent,
) -> None:
    engine = FakeEngine()
    with structlog.testing.capture_logs() as lines:
        triggers(engine).event(event, graph())

    assert not engine.handles
    assert [line["event"] for line in lines] == ["user_event_ignored"]
    assert "UserEvent(offrecord,Verb: stop)" in lines[0]["fix"]


@pytest.mark.parametrize("listening", ["another", None])
async def test_user_events_of_others_are_passed_over_without_a_word(listening: str | None) -> None:
    engine = FakeEngine()
    with structlog.testing.capture_logs() as lines:
        triggers(engine, user_event=listening).event(user_event(Verb="stop"), graph())

    assert not engine.handles
    assert not lines


# keypad digits


def digits(text: str, uniqueid: str = "1.1") -> list[Event]:
    return [DTMFEnd("SIP/410-1", uniqueid, uniqueid, digit) for digit in text]


async def test_a_code_in_a_call_of_two_is_a_press() -> None:
    engine = FakeEngine()
    made = triggers(engine, keypad=Keypad(CODES))
    for event in digits("*2"):
        made.event(event, graph(*TWO_PHONES))

    assert [facts(press) for press in engine.presses] == [
        (Verb.PAUSE, "keypad", "1.1", "1.1", "SIP/410-1", None)
    ]


@pytest.mark.parametrize(
    "events",
    [
        (new("1.1", "SIP/410-1"),),
        (*TWO_PHONES, new("1.3", "SIP/412-3"), enter("b", "1.3", "1.1")),
        (
            *(new("1.1", "SIP/410-1"), new("1.2", "SIP/411-2")),
            *(enter("c", "1.1", kind="base"), enter("c", "1.2", kind="base")),
        ),
        (),
    ],
    ids=["alone, as in an IVR", "three in a bridge", "a conference", "a channel nobody knows"],
)
async def test_digits_elsewhere_are_nobodys_press(events: tuple[Event, ...]) -> None:
    engine = FakeEngine()
    made = triggers(engine, keypad=Keypad(CODES))
    for event in digits("*1"):
        made.event(event, graph(*events))

    assert not engine.handles


async def test_without_a_keypad_digits_mean_nothing() -> None:
    engine = FakeEngine()
    for event in digits("*1"):
        triggers(engine).event(event, graph(*TWO_PHONES))

    assert not engine.handles


async def test_digits_too_far_apart_are_no_code() -> None:
    engine = FakeEngine()
    clock = iter([0.0, 10.0, 10.1, 10.2, 10.3, 10.4])
    made = triggers(engine, keypad=Keypad(CODES, 2.0), monotonic=lambda: next(clock))
    for event in digits("*1"):
        made.event(event, graph(*TWO_PHONES))
    assert not engine.handles
    for event in digits("*1"):
        made.event(event, graph(*TWO_PHONES))
    assert len(engine.handles) == 1


async def test_half_a_code_ends_with_its_channel() -> None:
    keypad = Keypad(CODES)
    made = triggers(FakeEngine(), keypad=keypad)
    made.event(digits("*")[0], graph(*TWO_PHONES))
    assert keypad.pending == 1
    made.event(hangup("1.1"), graph())

    assert keypad.pending == 0


async def test_each_press_has_an_id_of_its_own_and_the_time_it_came() -> None:
    engine = FakeEngine()
    made = triggers(engine, now=lambda: 77, monotonic=lambda: 5.5)
    for _ in range(3):
        made.event(user_event(Verb="stop"), graph())

    assert len({press.id for press in engine.presses}) == 3
    assert {(press.at, press.received) for press in engine.presses} == {(77, 5.5)}


# what the control socket says


async def replies(handle: PressHandle, wait: float) -> list[dict[str, object]]:
    return [dict(reply) async for reply in told(handle, wait)]


@pytest.mark.parametrize("safe", [True, False])
async def test_a_press_is_told_when_it_is_safe_or_not_and_again_when_it_has_ended(
    safe: bool,
) -> None:
    engine = FakeEngine()
    made = triggers(engine)
    handle = engine.press(made.make(Verb.STOP, "cli", "410"))
    telling = asyncio.create_task(replies(handle, 5.0))
    await asyncio.sleep(0)
    assert not telling.done()
    handle.journalled.set_result(safe)
    handle.verdict.set_result(verdict())

    first = {"press": handle.press.id, "journalled": safe}
    assert await telling == [first, verdict().body()]


@pytest.mark.parametrize("wait", [0.0, 0.01, -1.0])
async def test_a_verdict_that_is_not_there_in_time_is_pending(wait: float) -> None:
    engine = FakeEngine()
    handle = engine.press(triggers(engine).make(Verb.STOP, "cli", "410"))
    handle.journalled.set_result(True)

    assert (await replies(handle, wait))[-1] == {"outcome": "pending", "press": handle.press.id}
    assert not handle.verdict.cancelled()


async def test_who_leaves_before_the_press_is_safe_cancels_nothing() -> None:
    engine = FakeEngine()
    handle = engine.press(triggers(engine).make(Verb.STOP, "cli", "410"))
    telling = asyncio.create_task(replies(handle, 5.0))
    await asyncio.sleep(0)
    telling.cancel()
    await asyncio.wait({telling})

    assert not handle.journalled.cancelled()
    assert not handle.verdict.cancelled()


# while the PBX cannot be asked


@dataclass
class FakeTeller:
    """Keeps what it was to tell beside the tone in line."""

    told: list[tuple[Outcome, bool]] = field(default_factory=list)

    def verdict(
        self,
        press: Press,
        verdict: Verdict,
        channel_name: str | None,
        heard_in_line: bool,
        agent: str | None = None,
    ) -> None:
        assert (press.uniqueid, channel_name, agent) == ("1.1", "SIP/410-1", None)
        self.told.append((verdict.outcome, heard_in_line))

    def repeat(self, press: Press, verdict: Verdict, channel_name: str | None) -> None:
        raise AssertionError(f"{press.id} {verdict.outcome} {channel_name}")


@pytest.mark.parametrize(("outcome", "right"), [(Outcome.FAILED, True), (Outcome.CONFIRMED, False)])
async def test_while_the_pbx_is_away_the_presser_hears_in_line_that_nothing_is_stopped_so_far(
    outcome: Outcome, right: bool
) -> None:
    engine, teller = FakeEngine(), FakeTeller()
    made = triggers(engine, teller=teller, away=lambda: True, unseen=0.0)
    accepted = made.agi(AgiPress("stop", "SIP/410-1", "1.1", 0.0))
    said = await accepted.verdict
    assert accepted.on_left is not None
    accepted.on_left(True)
    engine.handles[0].verdict.set_result(verdict(outcome))
    await asyncio.sleep(0)

    assert said.outcome == "failed"
    assert said.sounds == SOUNDS[Outcome.FAILED]
    assert "take it that the call is being recorded" in said.text
    # What turned out otherwise is told once more.
    assert teller.told == [(outcome, right)]


async def test_a_pbx_that_is_back_in_time_is_no_failure() -> None:
    engine, away = FakeEngine(), iter([True, False])
    accepted = triggers(engine, away=lambda: next(away), unseen=0.0).agi(
        AgiPress("stop", "SIP/410-1", "1.1", 0.0)
    )
    await asyncio.sleep(0.01)
    assert not accepted.verdict.done()
    engine.handles[0].verdict.set_result(verdict())

    assert (await accepted.verdict).outcome == "confirmed"
