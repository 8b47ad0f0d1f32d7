# SPDX-License-Identifier: Apache-2.0
"""What becomes of what a daemon left open: decided from records and live ids alone."""

from collections.abc import Mapping
from typing import Any

import pytest

from ami.calls.snapshots import Call, Channel
from bridges.model import Capabilities, Evidence, Order, Outcome, Plan, RecorderResult, Verb
from offrecord.recovery.no_repeat import NoRepeatRecorder
from offrecord.recovery.resolutions import Resolution, decide, retarget
from offrecord.recovery.unfinished import (
    OpenPress,
    OpenWork,
    mark_overridden,
    open_intents,
    open_presses,
)

NOW = 1_000_000
LIVE = frozenset({"1.1", "1.2"})
Rows = list[tuple[str, int, Mapping[str, Any]]]


def pressed(verb: str = "stop", uniqueid: str | None = "1.1", **more: Any) -> Any:
    body = {"verb": verb, "way": "agi", "target": "1.1", "uniqueid": uniqueid, **more}
    return ("pressed", NOW - 2000, body)


RESOLVED = ("resolved", NOW - 1990, {"call": "1.1", "lineage": ["1.1"], "channels": [
    {"channel": "SIP/410-1", "uniqueid": "1.1"}, {"channel": "SIP/411-2", "uniqueid": "1.2"},
]})  # fmt: skip


def answered(recorder: str, outcome: str, **more: Any) -> Any:
    return ("answered", NOW - 1980, {"recorder": recorder, "outcome": outcome, **more})


def verdict(outcome: str, *recorders: str) -> Any:
    told = [{"recorder": name, "outcome": outcome} for name in recorders]
    return ("verdict", NOW - 1970, {"outcome": outcome, "recorders": told})


def found(*rows: Any) -> tuple[OpenPress, ...]:
    return open_presses({"p1": [*rows]}, NOW, monotonic=50.0)


def fate(*rows: Any, live: frozenset[str] | None = LIVE) -> tuple[Resolution, str]:
    decisions = decide(OpenWork(found(*rows)), live, "the PBX was away")
    [one] = decisions.presses
    return one.resolution, one.why


# which are open


@pytest.mark.parametrize(
    "rows",
    [
        [pressed(), RESOLVED, verdict("confirmed", "local")],
        [pressed(), RESOLVED, verdict("accepted", "noojee")],
        [pressed(), verdict("failed")],  # nobody was asked
        [pressed(), RESOLVED, verdict("failed", "local"), ("closed", NOW, {})],
        [pressed("resume"), RESOLVED, verdict("failed", "local")],
        [RESOLVED],
        [pressed(), ("joined", NOW, {"of": "p0"}), verdict("failed", "local")],
    ],
    ids=[
        "confirmed",
        "accepted",
        "unresolved",
        "closed",
        "failed resume",
        "not pressed",
        "joined",
    ],
)
def test_a_press_that_has_ended_is_not_open(rows: Rows) -> None:
    assert found(*rows) == ()


@pytest.mark.parametrize(
    "rows", [[pressed()], [pressed(), RESOLVED, answered("local", "confirmed")]]
)
def test_a_press_without_a_verdict_is_open(rows: Rows) -> None:
    [one] = found(*rows)

    assert one.press.id == "p1"
    assert one.press.verb is Verb.STOP
    assert one.press.received == 48.0
    assert one.verdict is None


def test_a_later_try_counts_more_than_the_first_answer() -> None:
    [one] = found(
        pressed(), RESOLVED, answered("local", "failed"), verdict("failed", "local"),
        ("retried", NOW, {"recorder": "local", "outcome": "confirmed"}),
    )  # fmt: skip

    assert one.verdict is Outcome.FAILED
    assert one.answered["local"]["outcome"] == "confirmed"


# what becomes of them


@pytest.mark.parametrize("verb", ["stop", "pause", "objection"])
def test_what_silences_is_finished_while_its_call_is_up(verb: str) -> None:
    assert fate(pressed(verb), RESOLVED)[0] is Resolution.FINISH
    assert fate(pressed(verb))[0] is Resolution.FINISH


def test_the_call_is_up_while_any_of_its_channels_is() -> None:
    assert fate(pressed(), RESOLVED, live=frozenset({"1.2"}))[0] is Resolution.FINISH


def test_a_call_that_has_gone_ends_the_press() -> None:
    for rows in ([pressed()], [pressed("start"), RESOLVED]):
        assert fate(*rows, live=frozenset({"9.9"}))[0] is Resolution.CALL_ENDED


@pytest.mark.parametrize("verb", ["resume", "start"])
def test_what_turns_recording_on_is_not_repeated(verb: str) -> None:
    what, why = fate(pressed(verb), RESOLVED)

    assert what is Resolution.FAIL
    assert why.startswith("interrupted")


def test_a_pbx_that_stays_away_fails_the_press_and_keeps_the_intent() -> None:
    intent = ("intent", NOW, {"intent": "p1", "call": "1.1", "lineage": ["1.1"]})
    left = OpenWork(found(pressed()), open_intents({"p1": [pressed(), intent]}))
    decisions = decide(left, None, "the PBX was away")

    assert [one.resolution for one in decisions.presses] == [Resolution.FAIL]
    assert decisions.presses[0].why.endswith("the PBX was away")
    assert (decisions.restore, decisions.end) == ((), ())


def test_a_press_on_a_number_that_was_never_resolved_means_nobody_knows_which_call() -> None:
    what, why = fate(pressed(uniqueid=None, target="410"))

    assert what is Resolution.FAIL
    assert "nobody knows which call 410 was" in why


def test_what_had_failed_is_tried_again_while_the_call_is_up() -> None:
    rows = [pressed(), RESOLVED, verdict("failed", "local")]

    assert fate(*rows)[0] is Resolution.RETRY
    assert fate(*rows, live=frozenset())[0] is Resolution.CALL_ENDED


def test_a_record_of_another_version_is_closed_and_not_carried_out() -> None:
    assert fate(pressed("mute"), RESOLVED)[0] is Resolution.FAIL


@pytest.mark.parametrize(
    ("later", "outcome", "expected"),
    [
        ("p2", "confirmed", Resolution.FAIL),
        ("p2", "failed", Resolution.FINISH),
        ("p2", "denied", Resolution.FINISH),
        ("p0", "confirmed", Resolution.FINISH),  # it was pressed before
    ],
)
def test_a_stop_that_was_overtaken_by_a_resume_is_not_carried_out(
    later: str, outcome: str, expected: Resolution
) -> None:
    others = {later: [pressed("resume"), RESOLVED, verdict(outcome, "local")]}
    marked = mark_overridden(found(pressed(), RESOLVED), others)

    assert decide(OpenWork(marked), LIVE).presses[0].resolution is expected


# which call is meant


def test_a_press_by_number_is_pinned_to_the_call_it_meant() -> None:
    [one] = found(pressed(uniqueid=None, target="410"), RESOLVED)

    assert retarget(one, LIVE).target == "1.1"
    assert retarget(one, frozenset({"1.2"})).target == "1.2"


def test_a_channel_that_has_left_its_call_does_not_end_an_allowed_press() -> None:
    [asked] = found(pressed(), RESOLVED, answered("noojee", "failed"))
    [not_asked] = found(pressed(), RESOLVED)

    assert retarget(asked, frozenset({"1.2"})).uniqueid is None
    assert retarget(asked, frozenset({"1.2"})).target == "1.2"
    assert retarget(not_asked, frozenset({"1.2"})).uniqueid == "1.1"


# intents


def test_intents_are_restored_or_ended_and_keep_their_time() -> None:
    def intent(name: str, call: str) -> Any:
        return ("intent", NOW, {"intent": name, "call": call, "lineage": [call], "until": 5})

    left = open_intents(
        {
            "p1": [intent("p1", "1.1"), ("extended", NOW, {"intent": "p1", "until": 9})],
            "p2": [intent("p2", "2.1")],
            "p3": [intent("p3", "1.1"), ("intent_ended", NOW, {"intent": "p3"})],
        }
    )
    decisions = decide(OpenWork((), left), LIVE)

    assert [(one.press, one.body["until"]) for one in decisions.restore] == [("p1", 9)]
    assert [one.press for one in decisions.end] == ["p2"]


# nothing twice


class Asked:
    """A recorder that notes each order; `target` is what its plan names."""

    name = kind = "r"

    def __init__(self, best: Evidence, target: str) -> None:
        self.capabilities = Capabilities(frozenset(Verb), best)
        self.target = target
        self.orders = 0

    async def open(self) -> None:
        """Nothing."""

    async def close(self) -> None:
        """Nothing."""

    async def probe(self) -> str:
        return "here"

    def plan(self, order: Order) -> Plan:
        return Plan("r", "r", f"{self.target} (why)", ())

    async def act(self, order: Order) -> RecorderResult:
        self.orders += 1
        return RecorderResult("r", "r", Outcome.ACCEPTED, Evidence.ACCEPTED, "anew")


CALL = Call("1.1", frozenset({"1.1"}), (Channel("SIP/410-1", "1.1", "1.1"),))


@pytest.mark.parametrize(
    ("best", "target", "before", "asked", "outcome"),
    [
        (Evidence.READ_BACK, "410", None, 1, Outcome.ACCEPTED),
        (Evidence.READ_BACK, "410", {"outcome": "confirmed"}, 1, Outcome.ACCEPTED),
        (Evidence.ACCEPTED, "1.1", None, 1, Outcome.ACCEPTED),
        (Evidence.ACCEPTED, "410", None, 0, Outcome.FAILED),
        (Evidence.ACCEPTED, "1.1", {"outcome": "accepted"}, 0, Outcome.ACCEPTED),
        (Evidence.ACCEPTED, "410", {"outcome": "failed", "retryable": True}, 1, Outcome.ACCEPTED),
        (Evidence.ACCEPTED, "1.1", {"outcome": "failed", "retryable": False}, 0, Outcome.FAILED),
    ],
    ids=[
        "readable", "readable and answered", "by id", "by extension", "accepted before",
        "failed before, harmless", "failed before, not harmless",
    ],
)  # fmt: skip
async def test_no_recorder_is_asked_twice_for_what_it_may_have_done(
    best: Evidence, target: str, before: dict[str, Any] | None, asked: int, outcome: Outcome
) -> None:
    recorder = Asked(best, target)
    result = await NoRepeatRecorder(recorder, before).act(Order("p1", Verb.STOP, CALL))

    assert recorder.orders == asked
    assert result.outcome is outcome
