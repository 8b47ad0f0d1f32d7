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
from offrecord.base.errors import Exit, UserError
from offrecord.model.outcome_codes import SOUNDS
from offrecord.model.press import Press, Way
from offrecord.model.verdict import Verdict
from offrecord.presses.intake import Intake, Presser, PressHandle, replies
from offrecord.presses.lifecycle import PressRun
from tests.kits.call_kit import TWO_PHONES, enter, graph, hangup, new

CODES = {"*1": "stop", "*2": "pause"}


@dataclass
class FakeEngine:
    """Takes presses and leaves their end to the test."""

    runs: list[PressRun] = field(default_factory=list)
    first: PressRun | None = None

    def press(self, press: Press) -> PressRun:
        loop = asyncio.get_running_loop()
        run = self.first
        if run is None:
            run = PressRun(press, 0.0, loop.create_future(), loop.create_future())
            self.runs.append(run)
        run.sightings.append(press)
        return run

    @property
    def presses(self) -> list[Press]:
        return [run.press for run in self.runs]


@dataclass
class FakeNotifier:
    """Keeps what it was to notify of: verdicts with whether they were heard, and repeats."""

    verdicts: list[tuple[Outcome, bool]] = field(default_factory=list)
    repeats: list[Outcome] = field(default_factory=list)

    def verdict(
        self,
        press: Press,
        verdict: Verdict,
        channel_name: str | None,
        heard_in_line: bool,
        agent: str | None = None,
    ) -> None:
        assert (channel_name, agent) == (press.channel, None)
        self.verdicts.append((verdict.outcome, heard_in_line))

    def repeat(self, press: Press, verdict: Verdict, channel_name: str | None) -> None:
        assert channel_name == press.channel
        self.repeats.append(verdict.outcome)


def intake(engine: FakeEngine, **more: Any) -> Intake:
    given: dict[str, Any] = {"user_event": "offrecord", "notifier": FakeNotifier()} | more
    return Intake(engine, given.pop("sounds", SOUNDS), **given)  # type: ignore[arg-type]


def verdict(outcome: Outcome = Outcome.CONFIRMED) -> Verdict:
    return Verdict("p1", Verb.STOP, outcome, Evidence.NOTHING_ELSE, "because", 0.25)


def facts(press: Press) -> tuple[Any, ...]:
    return (press.verb, press.way, press.target, press.uniqueid, press.channel, press.agent)


# FastAGI


async def test_a_fastagi_press_carries_the_channel_and_the_words_of_the_dialplan() -> None:
    engine = FakeEngine()
    options = {"agent": "fred", "recorder": "noojee", "note": "x"}
    made = intake(engine)
    accepted = made.agi(AgiPress("stop", "SIP/410-1", "1.1", 0.0, options=options))
    (press,) = engine.presses

    assert facts(press) == (Verb.STOP, "fastagi", "1.1", "1.1", "SIP/410-1", "fred")
    assert press.recorder == "noojee"
    assert press.options == {"note": "x"}
    assert accepted.press_id == press.id


async def test_words_without_a_value_name_nobody() -> None:
    engine = FakeEngine()
    options = {"agent": "", "recorder": ""}
    intake(engine).agi(AgiPress("pause", "SIP/410-1", "1.1", 0.0, options=options))

    assert engine.presses[0].agent is None
    assert engine.presses[0].recorder is None


async def test_the_presser_hears_the_sounds_and_the_sentence_of_the_verdict() -> None:
    engine = FakeEngine()
    sounds = {**SOUNDS, Outcome.FAILED: ("beep", "sorry")}
    made = intake(engine, sounds=sounds)
    accepted = made.agi(AgiPress("stop", "SIP/410-1", "1.1", 0.0))
    engine.runs[0].verdict.set_result(verdict(Outcome.FAILED))
    heard = await accepted.verdict

    assert heard == AgiVerdict("failed", ("beep", "sorry"), verdict(Outcome.FAILED).text)


async def test_a_session_that_gave_up_waiting_does_not_break_the_press() -> None:
    engine = FakeEngine()
    made = intake(engine)
    faults: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, fault: faults.append(fault))
    one = made.agi(AgiPress("stop", "SIP/410-1", "1.1", 0.0))
    handle = PressHandle(engine.runs[0], engine.presses[0], FakeNotifier())
    other = made.agi_verdict(handle)
    one.verdict.cancel()
    engine.runs[0].verdict.set_result(verdict())

    assert (await other).outcome == "confirmed"
    assert not faults


# user events


def user_event(name: str = "offrecord", uniqueid: str = "1.1", **fields: str) -> UserEvent:
    return UserEvent(name, "SIP/410-1", uniqueid, uniqueid, fields)


async def test_a_user_event_is_a_press_of_its_channel() -> None:
    engine = FakeEngine()
    intake(engine).event(user_event(Verb="stop", Agent="fred", Recorder="noojee"), graph())
    (press,) = engine.presses

    assert facts(press) == (Verb.STOP, "userevent", "1.1", "1.1", "SIP/410-1", "fred")
    assert press.recorder == "noojee"


@pytest.mark.parametrize("event", [
    user_event("OffRecord", verb=" Pause "),
    user_event("offrecord", VERB="pause"),
])  # fmt: skip
async def test_the_case_of_names_and_verbs_does_not_matter(event: UserEvent) -> None:
    engine = FakeEngine()
    intake(engine).event(event, graph())

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
        intake(engine).event(event, graph())

    assert not engine.runs
    assert [line["event"] for line in lines] == ["user_event_ignored"]
    assert "UserEvent(offrecord,Verb: stop)" in lines[0]["fix"]


@pytest.mark.parametrize("listening", ["another", None])
async def test_user_events_of_others_are_passed_over_without_a_word(listening: str | None) -> None:
    engine = FakeEngine()
    with structlog.testing.capture_logs() as lines:
        intake(engine, user_event=listening).event(user_event(Verb="stop"), graph())

    assert not engine.runs
    assert not lines


# keypad digits


def digits(text: str, uniqueid: str = "1.1") -> list[Event]:
    return [DTMFEnd("SIP/410-1", uniqueid, uniqueid, digit) for digit in text]


async def test_a_code_in_a_call_of_two_is_a_press() -> None:
    engine = FakeEngine()
    made = intake(engine, keypad=Keypad(CODES))
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
    made = intake(engine, keypad=Keypad(CODES))
    for event in digits("*1"):
        made.event(event, graph(*events))

    assert not engine.runs


async def test_without_a_keypad_digits_mean_nothing() -> None:
    engine = FakeEngine()
    for event in digits("*1"):
        intake(engine).event(event, graph(*TWO_PHONES))

    assert not engine.runs


async def test_digits_too_far_apart_are_no_code() -> None:
    engine = FakeEngine()
    clock = iter([0.0, 10.0, 10.1, 10.2, 10.3, 10.4])
    made = intake(engine, keypad=Keypad(CODES, 2.0), monotonic=lambda: next(clock))
    for event in digits("*1"):
        made.event(event, graph(*TWO_PHONES))
    assert not engine.runs
    for event in digits("*1"):
        made.event(event, graph(*TWO_PHONES))
    assert len(engine.runs) == 1


async def test_half_a_code_ends_with_its_channel() -> None:
    keypad = Keypad(CODES)
    made = intake(FakeEngine(), keypad=keypad)
    made.event(digits("*")[0], graph(*TWO_PHONES))
    assert keypad.pending == 1
    made.event(hangup("1.1"), graph())

    assert keypad.pending == 0


async def test_each_press_has_an_id_of_its_own_and_the_time_it_came() -> None:
    engine = FakeEngine()
    made = intake(engine, now=lambda: 77, monotonic=lambda: 5.5)
    for _ in range(3):
        made.event(user_event(Verb="stop"), graph())

    assert len({press.id for press in engine.presses}) == 3
    assert {(press.at, press.received) for press in engine.presses} == {(77, 5.5)}


# what the control socket says


async def said(handle: PressHandle, wait: float) -> list[dict[str, object]]:
    return [dict(reply) async for reply in replies(handle, wait)]


@pytest.mark.parametrize("safe", [True, False])
async def test_a_press_is_told_when_it_is_safe_or_not_and_again_when_it_has_ended(
    safe: bool,
) -> None:
    engine = FakeEngine()
    handle = intake(engine).press(Verb.STOP, "cli", "410")
    telling = asyncio.create_task(said(handle, 5.0))
    await asyncio.sleep(0)
    assert not telling.done()
    handle.journalled.set_result(safe)
    handle.verdict.set_result(verdict())

    first = {"press": handle.press.id, "journalled": safe}
    assert await telling == [first, verdict().body()]


@pytest.mark.parametrize("wait", [0.0, 0.01, -1.0])
async def test_a_verdict_that_is_not_there_in_time_is_pending(wait: float) -> None:
    engine = FakeEngine()
    handle = intake(engine).press(Verb.STOP, "cli", "410")
    handle.journalled.set_result(True)

    assert (await said(handle, wait))[-1] == {"outcome": "pending", "press": handle.press.id}
    assert not handle.verdict.cancelled()


async def test_who_leaves_before_the_press_is_safe_cancels_nothing() -> None:
    engine = FakeEngine()
    handle = intake(engine).press(Verb.STOP, "cli", "410")
    telling = asyncio.create_task(said(handle, 5.0))
    await asyncio.sleep(0)
    telling.cancel()
    await asyncio.wait({telling})

    assert not handle.journalled.cancelled()
    assert not handle.verdict.cancelled()


# while the PBX cannot be asked


@pytest.mark.parametrize(("outcome", "right"), [(Outcome.FAILED, True), (Outcome.CONFIRMED, False)])
async def test_while_the_pbx_is_away_the_presser_hears_in_line_that_nothing_is_stopped_so_far(
    outcome: Outcome, right: bool
) -> None:
    engine, notifier = FakeEngine(), FakeNotifier()
    made = intake(engine, notifier=notifier, pbx_away=lambda: True, unseen=0.0)
    accepted = made.agi(AgiPress("stop", "SIP/410-1", "1.1", 0.0))
    said = await accepted.verdict
    assert accepted.on_left is not None
    accepted.on_left(True)
    engine.runs[0].verdict.set_result(verdict(outcome))
    await asyncio.sleep(0)

    assert said.outcome == "failed"
    assert said.sounds == SOUNDS[Outcome.FAILED]
    assert "take it that the call is being recorded" in said.text
    # What turned out otherwise is told once more.
    assert notifier.verdicts == [(outcome, right)]
    assert not notifier.repeats


async def test_a_pbx_that_is_back_in_time_is_no_failure() -> None:
    engine, away = FakeEngine(), iter([True, False])
    accepted = intake(engine, pbx_away=lambda: next(away), unseen=0.0).agi(
        AgiPress("stop", "SIP/410-1", "1.1", 0.0)
    )
    await asyncio.sleep(0.01)
    assert not accepted.verdict.done()
    engine.runs[0].verdict.set_result(verdict())

    assert (await accepted.verdict).outcome == "confirmed"


# whom the verdict reaches


async def pressed(way: Way, *, joined: bool = False) -> tuple[FakeEngine, FakeNotifier]:
    """Submit a press by a way without a session, and have it end."""
    engine, notifier = FakeEngine(), FakeNotifier()
    made = intake(engine, notifier=notifier)
    presser = Presser("1.1", "SIP/410-1")
    if joined:
        made.press(Verb.STOP, "fastagi", "1.1", presser=presser, in_line=True)
        engine.first = engine.runs[0]
    made.press(Verb.STOP, way, "1.1", presser=presser)
    engine.runs[0].verdict.set_result(verdict())
    for _ in range(3):
        await asyncio.sleep(0)
    return engine, notifier


@pytest.mark.parametrize("way", ["cli", "http", "userevent", "keypad"])
async def test_a_verdict_that_nobody_waits_for_in_line_is_notified(way: Way) -> None:
    _, notifier = await pressed(way)

    assert notifier.verdicts == [(Outcome.CONFIRMED, False)]


@pytest.mark.parametrize(("way", "repeats"), [("cli", 1), ("http", 1), ("userevent", 0)])
async def test_of_a_press_that_joined_another_the_tone_alone_is_repeated(
    way: Way, repeats: int
) -> None:
    # What is seen on AMI is the same press of the same person: the session plays its tone.
    _, notifier = await pressed(way, joined=True)

    assert not notifier.verdicts
    assert len(notifier.repeats) == repeats


async def test_digits_that_a_session_of_the_same_press_follows_are_left_to_the_session() -> None:
    engine, notifier = FakeEngine(), FakeNotifier()
    made = intake(engine, notifier=notifier)
    made.press(Verb.STOP, "keypad", "1.1", presser=Presser("1.1", "SIP/410-1"))
    engine.first = engine.runs[0]
    accepted = made.agi(AgiPress("stop", "SIP/410-1", "1.1", 0.0))
    engine.runs[0].verdict.set_result(verdict())
    await asyncio.sleep(0)
    assert not notifier.verdicts
    assert accepted.on_left is not None
    accepted.on_left(False)
    await asyncio.sleep(0)

    assert notifier.repeats == [Outcome.CONFIRMED]


# what is refused at the door


@pytest.mark.parametrize("way", ["cli", "http", "agi"])
async def test_a_daemon_that_ends_takes_no_press_from_somebody_who_can_be_told(way: Way) -> None:
    engine = FakeEngine()
    with pytest.raises(UserError, match="about to end") as caught:
        intake(engine, ending=lambda: True).press(Verb.STOP, way, "410")

    assert caught.value.exit is Exit.DAEMON_DOWN
    assert not engine.runs


async def test_a_session_hears_at_once_that_a_daemon_that_ends_takes_no_press() -> None:
    engine = FakeEngine()
    accepted = intake(engine, ending=lambda: True).agi(AgiPress("stop", "SIP/410-1", "1.1", 0.0))

    assert accepted.press_id == ""
    assert accepted.verdict.result().outcome == "failed"
    assert accepted.verdict.result().sounds == SOUNDS[Outcome.FAILED]
    assert not engine.runs


async def test_a_press_seen_on_ami_is_taken_to_the_end() -> None:
    engine = FakeEngine()
    intake(engine, ending=lambda: True).event(user_event(Verb="stop"), graph())

    assert len(engine.runs) == 1


@pytest.mark.parametrize("way", ["cli", "http"])
async def test_a_person_who_names_no_recorder_of_ours_is_told_those_there_are(way: Way) -> None:
    engine = FakeEngine()
    with pytest.raises(UserError, match="no recorder is called 'noojee'") as caught:
        intake(engine, recorders=lambda: ["local", "cloud"]).press(
            Verb.STOP, way, "410", recorder="noojee"
        )

    assert caught.value.fix == "known: cloud, local"
    assert not engine.runs
