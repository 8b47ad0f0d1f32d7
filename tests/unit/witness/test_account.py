# SPDX-License-Identifier: Apache-2.0
"""Which growing files other calls explain, and which are left over."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offrecord.witness.account import Grown, Held, Names, Row, Writer, left_over
from offrecord.witness.folders import ANY, MONITOR, RECORDING, TMP, VOICEMAIL

HELD = Held(frozenset({"100.1", "100.2"}), began=100.0)
OURS = (
    Row("100.1", "100.1", "SIP/410-00000001", "Dial"),
    Row("100.2", "100.1", "SIP/411-00000002", "AppDial"),
)


def grown(name: str, use: str = MONITOR, seen: float = 101.0) -> Grown:
    return Grown(Path("/spool", use, name), use, seen)


def left(
    growing: Sequence[Grown],
    *rows: Row,
    held: Held = HELD,
    names: dict[str, set[str]] | None = None,
    others: Sequence[str] = (),
    more: Sequence[Writer] = (),
) -> list[str]:
    known = {
        uniqueid: frozenset(Path("/spool", MONITOR, one) for one in files)
        for uniqueid, files in (names or {}).items()
    }
    found = left_over(growing, held, [*OURS, *rows], Names(known), others=others, more=more)
    return [one.path.name for one in found]


def test_a_file_of_nobody_is_left_over() -> None:
    assert left([grown("what.wav")]) == ["what.wav"]


def test_a_file_that_another_calls_mixmonitor_is_known_to_write_is_explained() -> None:
    other = Row("200.1", "200.1", "SIP/412-00000003", "Dial")
    assert left([grown("q.wav")], other, names={"200.1": {"q.wav"}}) == []


def test_a_file_that_the_calls_own_mixmonitor_writes_is_left_over() -> None:
    assert left([grown("q.wav")], names={"100.1": {"q.wav"}}) == ["q.wav"]


def test_under_a_pause_the_calls_own_files_go_on_with_silence() -> None:
    paused = Held(HELD.ids, HELD.began, silent=True)
    names = {"100.1": {"q.wav"}}
    assert left([grown("q.wav"), grown("x.wav")], held=paused, names=names) == ["x.wav"]


def test_a_name_with_an_id_of_another_live_call_is_explained_and_one_of_ours_is_not() -> None:
    other = Row("200.1", "200.1", "SIP/412-00000003", "Dial")
    names = ["out-200.1.wav", "out-100.1-in.wav", "200.12.wav", "1200.1.wav"]
    assert left([grown(name) for name in names], other) == [
        "out-100.1-in.wav", "200.12.wav", "1200.1.wav"
    ]  # fmt: skip


def test_a_pattern_of_the_site_explains_by_name_and_by_path() -> None:
    growing = [grown("dictation-7.wav"), grown("x.wav", RECORDING)]
    assert left(growing, others=["dictation-*", "/spool/recording/*"]) == []


def test_voicemail_of_another_call_explains_one_recording_in_all_its_formats() -> None:
    caller = Row("300.1", "300.1", "SIP/413-00000004", "VoiceMail")
    growing = [grown("AbC.wav", VOICEMAIL), grown("AbC.gsm", VOICEMAIL), grown("x.wav")]
    assert left(growing, caller) == ["x.wav"]
    assert left([*growing, grown("second.wav", VOICEMAIL)], caller) == ["x.wav", "second.wav"]


def test_the_application_of_the_call_itself_explains_nothing() -> None:
    held = Held(frozenset({"500.1"}))
    rows = (Row("500.1", "500.1", "SIP/414-00000009", "Stasis"),)
    assert left([grown("bridge.wav", RECORDING)], *rows, held=held) == ["bridge.wav"]
    assert left([grown("bridge.wav", RECORDING)], rows[0]) == []


def test_a_snoop_on_our_channel_is_ours_and_one_on_another_is_not() -> None:
    ours = Row("snoop", "snoop", "Snoop/100.1-00000000", "Stasis")
    theirs = Row("snoop", "snoop", "Snoop/200.1-00000000", "Stasis")
    assert left([grown("s.wav", RECORDING)], ours) == ["s.wav"]
    assert left([grown("s.wav", RECORDING)], theirs) == []


@pytest.mark.parametrize(
    ("application", "data", "explained"),
    [
        ("ChanSpy", "SIP/412,qr(spy)", True),
        ("ChanSpy", "SIP/410,qr(spy)", False),
        ("ChanSpy", ",qr(spy)", False),
        ("ChanSpy", "SIP/412,q", False),
        ("ExtenSpy", "412@phones,r(spy)", False),
    ],
)
def test_a_listener_explains_a_file_only_where_it_cannot_listen_to_us(
    application: str, data: str, *, explained: bool
) -> None:
    spy = Row("600.1", "600.1", "SIP/490-00000008", application, data)
    assert left([grown("spy.1.raw")], spy) == ([] if explained else ["spy.1.raw"])


def test_a_mixmonitor_of_a_leg_that_listens_to_us_records_us() -> None:
    spy = Row("600.1", "600.1", "SIP/490-00000008", "ChanSpy", "SIP/410,q")
    assert left([grown("m.wav")], spy, names={"600.1": {"m.wav"}}) == ["m.wav"]


def test_a_listener_is_taken_for_what_its_events_told() -> None:
    ours = Row("6.1", "6.1", "SIP/490-8", "ChanSpy", "SIP/4,r(spy)", listens_to="100.2")
    theirs = Row("6.1", "6.1", "SIP/490-8", "ExtenSpy", "x@phones,r(spy)", listens_to="200.1")
    assert left([grown("spy.1.raw")], ours) == ["spy.1.raw"]
    assert left([grown("spy.1.raw")], theirs) == []


def test_a_monitor_of_another_call_explains_both_of_its_files() -> None:
    other = Row("200.1", "200.1", "SIP/412-00000003", "Dial", monitor=True)
    growing = [grown(name) for name in ("a-in.wav", "a-out.wav", "b.wav")]
    assert left(growing, other) == ["b.wav"]
    own = Row("100.1", "100.1", "SIP/410-00000001", "Dial", monitor=True)
    assert left([grown("a-in.wav")], own) == ["a-in.wav"]


def test_record_explains_the_file_that_it_names() -> None:
    other = Row("700.1", "700.1", "SIP/415-00000007", "Record", "/spool/any/memo-%d.wav,0,600")
    assert left([grown("memo-3.wav", ANY), grown("note.wav", ANY)], other) == ["note.wav"]


def test_a_conference_of_others_explains_one_mix() -> None:
    members = [
        Row(f"80{n}.1", f"80{n}.1", f"SIP/42{n}-0000000{n}", "ConfBridge", bridge="b") for n in "12"
    ]
    growing = [grown("mix.wav", seen=90.0), grown("other.wav", seen=120.0)]
    conference = Held(frozenset({"100.1"}))
    assert left(growing, *members, held=conference) == ["other.wav"]


def test_a_file_from_before_a_plain_call_is_not_of_it() -> None:
    growing = [grown("long.wav", seen=50.0)]
    assert left(growing) == []
    stasis = Row("100.3", "100.1", "SIP/416-00000006", "Stasis")
    assert left(growing, stasis) == ["long.wav"]


def test_what_is_known_besides_explains_by_count() -> None:
    writer = Writer(frozenset({MONITOR}), files=2)
    growing = [grown(name) for name in ("a-in.wav", "a-out.wav", "b.wav")]
    assert left(growing, more=[writer]) == ["b.wav"]


@given(
    others=st.integers(0, 12),
    voicemails=st.integers(0, 6),
    own=st.integers(0, 4),
    order=st.randoms(use_true_random=False),
)
def test_only_what_no_other_call_accounts_for_is_left_over(
    others: int, voicemails: int, own: int, order: Random
) -> None:
    rows, growing, names = [], [], {}
    for n in range(others):
        rows.append(Row(f"20{n}.7", f"20{n}.7", f"SIP/5{n:02}-0000000a", "Dial"))
        names[f"20{n}.7"] = {f"named-{n}.wav"}
        growing.append(grown(f"named-{n}.wav"))
    for n in range(voicemails):
        rows.append(Row(f"30{n}.7", f"30{n}.7", f"SIP/6{n:02}-0000000a", "VoiceMail"))
        growing.append(grown(f"vm{n}.wav", order.choice([VOICEMAIL, TMP])))
    unexplained = [grown(f"unknown-{n}.wav") for n in range(own)]
    growing += unexplained
    order.shuffle(growing)
    order.shuffle(rows)

    found = left(growing, *rows, names=names)
    assert sorted(found) == sorted(one.path.name for one in unexplained)
