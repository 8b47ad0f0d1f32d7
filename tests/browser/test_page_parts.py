# SPDX-License-Identifier: Apache-2.0
"""What the page is made of, by itself: words, sessions, the board's order, pictures."""

import re
from pathlib import Path
from typing import Any

import pytest

from bridges.model import Evidence, Outcome
from offrecord.audit.press_history import Pressed
from offrecord.journal.reader import StoredRecord
from offrecord.status.view_types import CallView, LiveCalls, RecorderState
from offrecord.web import page as package
from offrecord.web.page import labels, timeline
from offrecord.web.page.cards import SHOWN, Board, board
from offrecord.web.page.live_stream import event
from offrecord.web.page.sessions import MOST, Sessions
from offrecord.web.tokens import Tokens
from tests.kits.view_kit import call_view, channel_view, intent_view, recorder_status

ROOT = Path(package.__file__).parent
FAILED, IDLE = RecorderState.FAILED, RecorderState.IDLE
RECORDING, STOPPED = RecorderState.RECORDING, RecorderState.STOPPED


def test_every_state_and_outcome_has_a_word_and_a_shape_of_its_own() -> None:
    shapes = set(re.findall(r'id="m-(\w+)"', (ROOT / "templates" / "marks.svg").read_text()))
    states, outcomes = labels.STATES.values(), labels.OUTCOMES.values()

    assert set(labels.STATES) == set(RecorderState)
    assert set(labels.OUTCOMES) == set(Outcome)
    assert set(labels.EVIDENCE) == {one.label for one in Evidence}
    assert len({look.word for look in states}) == len({look.mark for look in states}) == len(states)
    assert len({look.word for look in outcomes}) == len(outcomes)
    used = [look.mark for look in (*states, *outcomes, labels.OPEN)]
    assert shapes.issuperset(used)
    assert labels.outcome("sideways") == labels.Look(
        "sideways", "question", "bad", "not known to this version"
    )


def test_every_tone_has_its_colours() -> None:
    style = (ROOT / "static" / "page.css").read_text()
    for look in (*labels.STATES.values(), *labels.OUTCOMES.values()):
        assert f".t-{look.tone} " in style
    for look in (*labels.OUTCOMES.values(), labels.OPEN):
        assert f".picture .s-{look.tone} " in style


def test_times_are_said_as_people_read_them() -> None:
    assert [labels.span(ms) for ms in (None, 0, 4.2, 250, 2400, 185_000, 7_500_000)] == [
        "", "0 ms", "4.2 ms", "250 ms", "2.4 s", "3 min 5 s", "2 h 5 min",
    ]  # fmt: skip
    assert labels.left(61_000, 0) == "1:01 left"
    assert labels.left(60_001, 0) == "1:01 left"
    assert labels.left(0, 5) == "0:00 left"
    assert labels.moment(1 << 62) == "1970-01-01 00:00:00Z"


def test_sessions_make_room_and_say_nothing_secret(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path / "tokens.json")
    tokens.add("desk", ["read"])
    [client] = tokens.clients()
    sessions = Sessions(tokens, lambda: 0.0)
    first = sessions.open(client)
    for _ in range(MOST):
        last = sessions.open(client)

    assert len(sessions) == MOST
    assert sessions.find(first.id) is None
    assert sessions.find(last.id) == (last, client)
    assert last.id not in repr(last)
    assert last.csrf not in repr(last)
    assert sessions.find("") is None


def call(name: str, *states: RecorderState, **more: Any) -> CallView:
    return call_view(name, *(recorder_status(one, state=one) for one in states), **more)


def shown(*calls: CallView, wanted: str = "") -> Board:
    return board(LiveCalls(known=True, calls=calls), wanted)


def test_what_failed_is_never_beyond_the_end_of_the_list() -> None:
    calls = [call(str(n), RECORDING) for n in range(SHOWN)]
    found = shown(*calls, call("late", STOPPED, FAILED))

    assert found.cards[0].view.call == "late"
    assert [card.view.call for card in found.cards[1:3]] == ["0", "1"]
    assert (len(found.cards), found.fit, found.total) == (SHOWN, SHOWN + 1, SHOWN + 1)
    assert [(look.word, count) for look, count in found.counts] == [
        ("failed", 1), ("recording", SHOWN),
    ]  # fmt: skip


def test_nothing_is_shown_of_calls_that_are_not_known() -> None:
    found = board(LiveCalls(known=False, calls=(call("1", RECORDING),)))

    assert (found.known, found.cards, found.total) == (False, (), 0)


def test_the_filter_looks_at_whatever_names_a_call() -> None:
    one = call(
        "7.1", IDLE, extensions=("410",), agents={"410": "Fred"},
        channels=(channel_view("PJSIP/410-0a", "410", uniqueid="7.2"),),
    )  # fmt: skip

    def found(wanted: str) -> bool:
        return shown(one, wanted=wanted).fit == 1

    assert all(map(found, ("", "410", " fred ", "pjsip/", "7.2", "7.1")))
    assert not found("411")


def test_an_objection_has_no_way_back() -> None:
    [card] = shown(call("1", STOPPED, intents=(intent_view("objection"),))).cards

    assert card.verbs == ("stop",)


def test_a_card_is_sent_again_when_anything_that_is_shown_changes() -> None:
    views = [
        shown(one).cards[0].view
        for one in (
            call("1", IDLE),
            call("1", IDLE),
            call("1", RECORDING),
            call("1", IDLE, agents={"410": "x"}),
        )
    ]

    assert views[0] == views[1]
    assert views[0] != views[2]
    assert views[0] != views[3]


@pytest.mark.parametrize(
    ("state", "outcome", "evidence", "says"),
    [
        (STOPPED, "confirmed", "L4", "confirmed L4"),
        (STOPPED, "nothing_to_stop", "-", "nothing to stop"),
        (FAILED, "failed", "L1", "L1"),
        (FAILED, None, "L1", ""),
        (RECORDING, "confirmed", "L4", ""),
    ],
)
def test_the_proof_of_a_state_that_a_press_brought_about_is_shown(
    state: RecorderState, outcome: str | None, evidence: str, says: str
) -> None:
    one = recorder_status("local", state=state, outcome=outcome, evidence=evidence)

    assert labels.proof(one) == says


def test_an_event_of_several_lines_is_one_event() -> None:
    sent = event("calls", "<li>\n\n</li>").encode()

    assert sent == b"event: calls\ndata: <li>\ndata: \ndata: </li>\n\n"


def pressed(*records: tuple[int, str, dict[str, Any]]) -> Pressed:
    return Pressed(
        [StoredRecord(n, "p", at, kind, body) for n, (at, kind, body) in enumerate(records)]
    )


STOP = (1000, "pressed", {"verb": "stop", "way": "fastagi"})


def test_a_quick_press_is_drawn_to_scale() -> None:
    step = {"at": 1002, "took_ms": 4.0, "sent": "POST /stop", "answer": "200", "evidence": "L1"}
    drawn = timeline.draw(
        pressed(
            STOP,
            (1008, "answered", {"recorder": "noojee", "outcome": "accepted", "evidence": "L1",
                                "steps": [step]}),
            (1010, "verdict", {"outcome": "accepted", "evidence": "L1", "took_ms": 10.0}),
        )
    )  # fmt: skip
    press, noojee = drawn.lanes
    first, last = press.marks
    [answer], [bar] = noojee.marks, noojee.bars

    assert not drawn.by_powers
    assert (first.x, first.mark, last.mark) == (timeline.LEFT, "disc", "tilde")
    assert abs((answer.x - first.x) / (last.x - first.x) - 0.8) < 0.01
    assert abs(bar.wide / (last.x - first.x) - 0.4) < 0.01
    assert noojee.end == "accepted L1, 8 ms"
    assert "noojee: accepted L1, 8 ms after the press. Verdict: accepted after 10 ms." in drawn.told


def test_a_long_story_is_drawn_by_powers_of_ten() -> None:
    intent = {"verb": "stop", "recorders": ["local"]}
    failed = {"recorder": "local", "outcome": "failed", "evidence": "L0"}
    solved = {"recorder": "local", "outcome": "confirmed", "evidence": "L4"}
    drawn = timeline.draw(
        pressed(
            STOP,
            (1001, "intent", intent),
            (1010, "answered", failed),
            (1010, "verdict", {"outcome": "failed", "evidence": "L0", "took_ms": 10}),
            (9000, "retried", solved),
            (601_000, "intent_ended", {"why": "call_ended"}),
        )
    )
    _, local, promise = drawn.lanes

    assert drawn.by_powers
    assert [mark.mark for mark in local.marks] == ["triangle", "check"]
    assert promise.end == "call_ended"
    assert [tick.label for tick in drawn.ticks] == [
        "press", "10 ms", "100 ms", "1.0 s", "10.0 s", "1 min 0 s", "10 min 0 s",
    ]  # fmt: skip
    places = [mark.x for lane in drawn.lanes for mark in lane.marks]
    assert max(places) < timeline.LEFT + timeline.WIDE
    assert "local: confirmed L4 after 2 tries" in drawn.told


def test_records_of_another_version_are_drawn_as_far_as_they_go() -> None:
    drawn = timeline.draw(
        pressed((5, "pressed", {}), (1, "odd", {}), (6, "answered", {"steps": [1]}))
    )

    assert len(drawn.lanes) == 2
    assert drawn.told.endswith("Verdict: open.")
