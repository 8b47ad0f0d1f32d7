# SPDX-License-Identifier: Apache-2.0
"""What the page is made of, by itself: words, sessions, the brake, the board's order, pictures."""

import re
from pathlib import Path
from typing import Any

from bridges.model import Evidence, Outcome
from offrecord.audit.press_history import Pressed
from offrecord.journal.reader import StoredRecord
from offrecord.status.live_view import RecorderState
from offrecord.web import page as package
from offrecord.web.page import labels, timeline
from offrecord.web.page.cards import SHOWN, board
from offrecord.web.page.live_stream import event
from offrecord.web.page.sessions import ADDRESSES, LONGEST, MOST, LoginBackoff, Sessions
from offrecord.web.tokens import Tokens

ROOT = Path(package.__file__).parent


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


def test_failing_to_log_in_costs_more_each_time_and_never_too_much() -> None:
    now = [0.0]
    brake = LoginBackoff(lambda: now[0])
    waits = []
    for _ in range(10):
        waits.append(brake.wait("a"))
        now[0] += brake.wait("a")
        brake.failed("a")

    assert waits == [0, 0, 0, 1, 2, 4, 8, 16, LONGEST, LONGEST]
    assert brake.wait("b") == 0
    brake.passed("a")
    assert brake.wait("a") == 0
    for n in range(2 * ADDRESSES):
        brake.failed(str(n))
    assert len(brake._failed) == ADDRESSES


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


def call(name: str, *states: str, **more: Any) -> dict[str, Any]:
    badges = [
        {
            "recorder": state, "kind": "fake", "state": state, "press": None, "verb": None,
            "outcome": None, "evidence": None, "since": None, "until": None, "detail": "",
        }
        for state in states
    ]  # fmt: skip
    given = {"extensions": [name], "agents": {}, "channels": [], "intents": [], **more}
    return {"call": name, "recorders": badges, **given}


def test_what_failed_is_never_beyond_the_end_of_the_list() -> None:
    calls = [call(str(n), "recording") for n in range(SHOWN)]
    calls += [call("late", "stopped", "failed")]
    shown = board({"known": True, "calls": calls})

    assert shown.cards[0].call == "late"
    assert [card.call for card in shown.cards[1:3]] == ["0", "1"]
    assert (len(shown.cards), shown.fit, shown.total) == (SHOWN, SHOWN + 1, SHOWN + 1)
    assert [(look.word, count) for look, count in shown.counts] == [
        ("failed", 1), ("recording", SHOWN),
    ]  # fmt: skip


def test_nothing_is_shown_of_calls_that_are_not_known() -> None:
    shown = board({"known": False, "calls": [call("1", "recording")]})

    assert (shown.known, shown.cards, shown.total) == (False, (), 0)


def test_the_filter_looks_at_whatever_names_a_call() -> None:
    one = call(
        "7.1", "idle", extensions=["410"], agents={"410": "Fred"},
        channels=[{"channel": "PJSIP/410-0a", "uniqueid": "7.2"}],
    )  # fmt: skip

    def found(wanted: str) -> bool:
        return board({"known": True, "calls": [one]}, wanted).fit == 1

    assert all(map(found, ("", "410", " fred ", "pjsip/", "7.2", "7.1")))
    assert not found("411")


def test_an_objection_has_no_way_back() -> None:
    hold = {"verb": "objection", "intent": "p", "agent": None, "since": 1, "until": None}
    [card] = board({"known": True, "calls": [call("1", "stopped", intents=[hold])]}).cards

    assert card.verbs == ("stop",)


def test_a_card_changes_its_key_with_anything_that_is_shown() -> None:
    keys = {
        board({"known": True, "calls": [view]}).cards[0].key
        for view in (
            call("1", "idle"),
            call("1", "recording"),
            call("1", "idle", agents={"1": "x"}),
        )
    }

    assert len(keys) == 3


def test_an_event_of_several_lines_is_one_event() -> None:
    assert event("calls", "<li>\n\n</li>") == "event: calls\ndata: <li>\ndata: \ndata: </li>\n\n"


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
