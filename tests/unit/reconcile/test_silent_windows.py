# SPDX-License-Identifier: Apache-2.0
"""From journal records to the times in which a call was promised to be silent."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from offrecord.journal import StoredRecord
from offrecord.reconcile.silent_windows import Silent, of_call, windows

END = 60_000


def record(press: str, kind: str, at: int, /, **body: Any) -> StoredRecord:
    return StoredRecord(0, press, at, kind, body)


def answered(
    press: str, at: int, outcome: str = "confirmed", recorder: str = "local", **more: Any
) -> StoredRecord:
    kind = "asterisk" if recorder == "local" else recorder
    return record(press, "answered", at, recorder=recorder, kind=kind, outcome=outcome, **more)


def pressed(press: str, at: int, verb: str = "stop", only: str | None = None) -> StoredRecord:
    return record(press, "pressed", at, verb=verb, recorder=only)


def verdict(press: str, at: int, outcome: str = "confirmed", **more: Any) -> StoredRecord:
    return record(press, "verdict", at, outcome=outcome, **more)


def spans(found: Sequence[Silent]) -> list[tuple[str, str, int, int]]:
    return [(one.press, one.recorder, one.begin, one.end) for one in found]


def test_a_stop_opens_a_window_of_each_recorder_until_the_call_ends() -> None:
    records = [
        pressed("a", 10_000),
        answered("a", 10_050),
        answered("a", 10_200, "accepted", "noojee"),
        verdict("a", 10_201, "accepted"),
    ]

    found = windows(records, END)

    assert spans(found) == [("a", "local", 10_050, END), ("a", "noojee", 10_200, END)]
    assert [(one.verb, one.kind, one.outcome) for one in found] == [
        ("stop", "asterisk", "confirmed"),
        ("stop", "noojee", "accepted"),
    ]
    assert [one.ended_recording for one in found] == [True, False]


def test_a_press_that_was_joined_to_another_leaves_the_promise_to_that_one() -> None:
    told = [{"recorder": "local", "kind": "asterisk", "outcome": "confirmed"}]
    records = [
        pressed("a", 10_000),
        answered("a", 10_050),
        verdict("a", 10_051, recorders=told),
        pressed("b", 10_020),
        record("b", "joined", 10_052, of="a"),
        verdict("b", 10_053, recorders=told),
        record("a", "intent_ended", 30_000, intent="a", why="expired"),
    ]

    assert spans(windows(records, END)) == [("a", "local", 10_050, 30_000)]


def test_nothing_is_promised_by_a_recorder_that_did_not_obey() -> None:
    records = [
        pressed("a", 10_000),
        answered("a", 10_050, "failed"),
        verdict("a", 10_060, "failed"),
    ]

    assert windows(records, END) == []


def test_a_later_try_that_succeeds_opens_the_window() -> None:
    records = [
        pressed("a", 10_000),
        answered("a", 10_050, "failed"),
        record("a", "retried", 14_000, recorder="local", outcome="failed"),
        record("a", "retried", 20_000, recorder="local", outcome="confirmed"),
        record("a", "retried", 21_000, recorder="local", outcome="confirmed"),
    ]

    assert spans(windows(records, END)) == [("a", "local", 20_000, END)]


def test_a_denied_press_promises_nothing() -> None:
    records = [pressed("a", 10_000), answered("a", 10_010), verdict("a", 10_050, "denied")]

    assert windows(records, END) == []


def test_recorders_that_only_the_verdict_names_count_from_it() -> None:
    results = [{"recorder": "local", "kind": "asterisk", "outcome": "confirmed"}]
    records = [pressed("a", 10_000), verdict("a", 10_100, recorders=results)]

    assert spans(windows(records, END)) == [("a", "local", 10_100, END)]


def test_a_resume_ends_the_window_when_it_is_pressed() -> None:
    records = [
        pressed("a", 10_000, "pause"),
        answered("a", 10_050),
        pressed("b", 30_000, "resume"),
        answered("b", 30_050),
        verdict("b", 30_060),
        record("a", "intent_ended", 30_070, intent="a", why="resumed"),
    ]

    [window] = windows(records, END)

    assert (window.begin, window.end, window.verb) == (10_050, 30_000, "pause")
    assert not window.ended_recording


def test_a_resume_that_was_refused_ends_nothing() -> None:
    records = [
        pressed("a", 10_000, "objection"),
        answered("a", 10_050),
        pressed("b", 30_000, "resume"),
        verdict("b", 30_001, "denied"),
    ]

    [window] = windows(records, END)

    assert (window.end, window.ended_recording) == (END, True)


def test_a_resume_of_one_recorder_leaves_the_others_silent() -> None:
    records = [
        pressed("a", 10_000),
        answered("a", 10_050),
        answered("a", 10_050, "accepted", "noojee"),
        pressed("b", 30_000, "resume", only="noojee"),
    ]

    assert spans(windows(records, END)) == [
        ("a", "local", 10_050, END),
        ("a", "noojee", 10_050, 30_000),
    ]


def test_a_pause_that_ran_out_ends_at_its_time_and_an_extended_one_later() -> None:
    begin = [
        pressed("a", 10_000, "pause"),
        record("a", "intent", 10_001, intent="a", verb="pause", call="1.1", until=20_000),
        answered("a", 10_050),
    ]
    over = [record("a", "intent_ended", 20_400, intent="a", why="expired")]
    extended = [
        record("a", "extended", 15_000, intent="a", until=40_000),
        record("a", "intent_ended", 40_300, intent="a", why="expired"),
    ]

    assert spans(windows(begin + over, END)) == [("a", "local", 10_050, 20_000)]
    assert spans(windows(begin + extended, END)) == [("a", "local", 10_050, 40_000)]


def test_a_press_in_the_place_of_another_goes_on_with_the_silence() -> None:
    records = [
        pressed("a", 10_000, "pause"),
        answered("a", 10_050),
        pressed("b", 20_000, "stop"),
        record("a", "intent_ended", 20_001, intent="a", why="superseded"),
        answered("b", 20_050),
    ]

    found = windows(records, END)

    assert spans(found) == [("a", "local", 10_050, 20_050), ("b", "local", 20_050, END)]
    assert [one.verb for one in found] == ["pause", "stop"]


def test_nothing_is_promised_while_a_recording_that_came_back_is_silenced() -> None:
    result = {"recorder": "local", "kind": "asterisk", "outcome": "confirmed"}
    again = {"channel": "SIP/412-3", "uniqueid": "1.3", "why": "transfer", "took_ms": 40.4}
    records = [
        pressed("a", 10_000),
        answered("a", 10_050),
        answered("a", 10_050, "accepted", "noojee"),
        record("a", "reapplied", 30_000, intent="a", results=[result], **again),
    ]

    assert spans(windows(records, END)) == [
        ("a", "local", 10_050, 29_960),
        ("a", "noojee", 10_050, END),
        ("a", "local", 30_000, END),
    ]


def test_a_recording_that_came_back_and_stayed_is_promised_no_more() -> None:
    result = {"recorder": "local", "outcome": "failed"}
    records = [
        pressed("a", 10_000),
        answered("a", 10_050),
        record("a", "reapplied", 30_000, intent="a", took_ms=0, results=[result]),
    ]

    assert spans(windows(records, END)) == [("a", "local", 10_050, 30_000)]


def test_a_call_is_known_by_every_id_that_its_presses_name() -> None:
    channels = [{"channel": "SIP/410-1", "uniqueid": "1.1"}, {"channel": "x", "uniqueid": None}]
    records = [
        record("a", "pressed", 1, verb="stop", uniqueid="1.2"),
        record("a", "resolved", 2, call="1.1", lineage=["1.0", "1.1"], channels=channels),
        record("a", "intent", 3, call="1.1", lineage=["0.9"]),
        record("a", "reapplied", 4, uniqueid="1.7"),
    ]

    assert of_call(records, ["1.1"]) == (
        {"0.9", "1.0", "1.1"},
        {"0.9", "1.0", "1.1", "1.2", "1.7"},
    )


RECORDS = st.lists(
    st.builds(
        StoredRecord,
        st.just(0),
        st.sampled_from("ab"),
        st.integers(0, 2 * END),
        st.sampled_from(
            ["pressed", "answered", "verdict", "retried", "intent", "intent_ended", "reapplied",
             "closed", "what nobody knows"]
        ),
        st.fixed_dictionaries(
            {},
            optional={
                "verb": st.sampled_from(["stop", "pause", "resume", "objection", "start"]),
                "recorder": st.sampled_from(["local", "noojee", None]),
                "outcome": st.sampled_from(["confirmed", "accepted", "failed", "denied"]),
                "intent": st.sampled_from("abc"),
                "why": st.sampled_from(["expired", "resumed", "superseded", "call_ended"]),
                "until": st.one_of(st.none(), st.integers(0, END)),
                "took_ms": st.one_of(st.none(), st.integers(0, 5000)),
                "recorders": st.just([{"recorder": "local", "outcome": "confirmed"}]),
                "results": st.just([{"recorder": "noojee", "outcome": "failed"}]),
            },
        ),
    ),
    max_size=12,
)  # fmt: skip


@given(RECORDS)
def test_windows_of_one_recorder_never_overlap_and_end_with_the_call(
    records: list[StoredRecord],
) -> None:
    found = windows(records, END)
    answers = {
        (one.press, one.at) for one in records if one.kind in {"answered", "retried", "verdict"}
    }
    again = {one.at for one in records if one.kind == "reapplied"}  # of whichever press

    for name in {one.recorder for one in found}:
        times = [(one.begin, one.end) for one in found if one.recorder == name]
        assert all(begin < end <= END for begin, end in times)
        assert all(one[1] <= other[0] for one, other in pairwise(times))
    assert all((one.press, one.begin) in answers or one.begin in again for one in found)


@given(RECORDS, st.integers(0, END))
def test_a_shorter_call_has_the_same_windows_only_cut(
    records: list[StoredRecord], ended: int
) -> None:
    whole, cut = windows(records, END), windows(records, ended)

    expected = [(one.recorder, one.begin, min(one.end, ended)) for one in whole]
    assert [(one.recorder, one.begin, one.end) for one in cut] == [
        one for one in expected if one[1] < one[2]
    ]
