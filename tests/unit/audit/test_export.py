# SPDX-License-Identifier: Apache-2.0
"""What leaves the journal: every hash, nothing secret, no formula, one page, one picture."""

import csv
import io
import json
import math
import os
import re
import struct
import wave
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from offrecord.audit import export, press_history, report, waveform
from offrecord.audit.chain_walk import Break
from offrecord.audit.press_history import by_press, records, silent
from offrecord.audit.verify import Proof, verify
from offrecord.journal.hash_chain import Row, digest
from tests.kits.audit_kit import BEGAN, DAY, press, row, write

CARD = "4111 1111 1111 1111"
CALL = "1700000001.1"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "journal.sqlite3"
    write(path, [record for n in range(1, 5) for record in press(n, BEGAN + n * DAY)])
    return path


def made(tmp_path: Path, *rows: Row) -> Path:
    path = tmp_path / "other.sqlite3"
    write(path, rows)
    return path


def cells(path: Path, **asked: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO("".join(export.table(records(path, **asked))))))


def lines(path: Path, **asked: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in export.jsonl(records(path, **asked))]


# which records


def test_a_call_is_exported_with_all_its_presses_and_their_sightings(path: Path) -> None:
    write(path, [row("s1", "joined", BEGAN + DAY, of="p1", verb="stop", way="userevent")])

    assert [one["press"] for one in lines(path, call=CALL)] == ["p1"] * 4 + ["s1"]
    assert lines(path, call="nobody") == []


def test_a_span_holds_the_presses_that_began_in_it_and_what_belongs_to_none(path: Path) -> None:
    write(path, [row("", "alarm", BEGAN + 2 * DAY, what="journal")])
    found = lines(path, since=BEGAN + 2 * DAY, until=BEGAN + 4 * DAY)

    assert {one["press"] for one in found} == {"p2", "p3", ""}


# JSON lines


def test_the_hash_of_a_line_can_be_made_anew_from_the_line(path: Path) -> None:
    for one in lines(path):
        body = json.dumps(one["body"], ensure_ascii=False, separators=(",", ":"))
        assert one["hash"] == digest(
            one["seq"], one["press"], one["at"], one["utc_offset"], one["kind"], body, one["prev"]
        )
        assert "redacted" not in one


def test_a_card_number_and_a_secret_leave_by_no_way(tmp_path: Path) -> None:
    first, resolved, answered, verdict = press(1)
    dirty = {**json.loads(answered.body), "detail": f"said {CARD}", "token": "s3cr3t-token"}
    told = {**json.loads(verdict.body), "text": f"no {CARD.replace(' ', '')}"}
    path = made(
        tmp_path, first, resolved, answered._replace(body=json.dumps(dirty)),
        verdict._replace(body=json.dumps(told)),
    )  # fmt: skip
    found = records(path)
    texts = [
        "".join(export.jsonl(found)), "".join(export.table(found)),
        report.page(CALL, found, verify(path)),
    ]  # fmt: skip

    for text in texts:
        assert "1111" not in text
        assert "s3cr3t" not in text
        assert "[digits]" in text
    assert [one.get("redacted", False) for one in lines(path)] == [False, False, True, True]


# the table


def test_a_row_tells_who_what_and_how_it_was_proven(path: Path) -> None:
    [one] = cells(path, call=CALL)

    assert one == {
        "press": "p1", "pressed_at": "2023-11-15T22:13:20.000Z", "utc_offset_s": "3600",
        "verb": "stop", "way": "fastagi", "target": CALL, "channel": "SIP/410-00000001",
        "agent": "fred", "agent_from": "agents.410", "call": CALL, "unique_ids": CALL,
        "extensions": "410", "policy": "extension 410", "recorder": "local",
        "recorder_kind": "asterisk", "outcome": "confirmed", "evidence": "L4",
        "detail": "1 stopped", "tries": "1", "press_to_answer_ms": "9", "press_to_proof_ms": "9",
        "exposed_ms": "9", "verdict": "confirmed", "verdict_evidence": "L4",
        "told": "The recording has stopped.",
    }  # fmt: skip


def answer(outcome: str, evidence: str, at: int, kind: str = "answered", **more: Any) -> Row:
    return row("p1", kind, BEGAN + at, recorder="local", kind="fake", outcome=outcome,
               evidence=evidence, detail="", **more)  # fmt: skip


@pytest.mark.parametrize(
    ("answers", "proof", "exposed", "tries"),
    [
        ([answer("confirmed", "L2", 30)], "30", "30", "1"),
        ([answer("contained", "L2", 30)], "30", "30", "1"),
        ([answer("nothing_to_stop", "L2", 30)], "30", "0", "1"),
        ([answer("accepted", "L1", 30)], "", "", "1"),
        ([answer("failed", "L0", 30)], "", "", "1"),
        ([answer("failed", "L0", 30), answer("confirmed", "L4", 900, "retried", exposed_ms=890)],
         "900", "890", "2"),
        ([answer("failed", "L0", 30), answer("failed", "L0", 900, "retried", exposed_ms=870),
          row("p1", "closed", BEGAN + 950, outcome="call_ended", exposed_ms={"local": 940})],
         "", "940", "2"),
    ],
)  # fmt: skip
def test_proof_and_exposure_are_counted_from_the_press(
    tmp_path: Path, answers: list[Row], proof: str, exposed: str, tries: str
) -> None:
    first, resolved, _, verdict = press(1)
    [one] = cells(made(tmp_path, first, resolved, *answers, verdict))

    assert (one["press_to_proof_ms"], one["exposed_ms"], one["tries"]) == (proof, exposed, tries)


def test_a_press_that_asked_nobody_has_a_row_too(tmp_path: Path) -> None:
    [one] = cells(made(tmp_path, press(1)[0]))

    assert (one["recorder"], one["verdict"]) == ("", "open")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_cell_is_a_formula(tmp_path: Path, start: str) -> None:
    first, *others = press(1)
    body = {**json.loads(first.body), "target": f"{start}1+1|cmd"}
    path = made(tmp_path, first._replace(body=json.dumps(body)), *others)
    [one] = cells(path)

    assert not one["target"].startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert "1+1" in one["target"]


def test_every_first_sign_of_a_formula_is_made_harmless() -> None:
    assert [export.safe(f"{sign}A1") for sign in "=+-@\t\r\n"] == [
        f"'{sign}A1" for sign in "=+-@\t\r\n"
    ]
    assert export.safe("A1=2") == "A1=2"


# when it was to be silent


def pressed(number: int, verb: str, at: int, outcome: str = "confirmed") -> list[Row]:
    first, *others = press(number, BEGAN + at, outcome)
    body = {**json.loads(first.body), "verb": verb}
    return [first._replace(body=json.dumps(body)), *others]


def windows(tmp_path: Path, *rows: Row, end: int = 100_000) -> list[tuple[int, int]]:
    found = list(by_press(records(made(tmp_path, *rows))))
    return [(begin - BEGAN, until - BEGAN) for begin, until in silent(found, BEGAN + end)]


def test_silence_lasts_from_the_proof_to_the_resume(tmp_path: Path) -> None:
    rows = [*pressed(1, "pause", 0), *pressed(2, "resume", 5000), *pressed(3, "stop", 9000)]
    assert windows(tmp_path, *rows) == [(9, 5000), (9009, 100_000)]


def test_silence_ends_with_the_intent_and_not_with_a_denied_resume(tmp_path: Path) -> None:
    rows = [
        *pressed(1, "pause", 0), *pressed(2, "resume", 500, "denied"),
        row("p1", "intent_ended", BEGAN + 7000, why="expired"),
    ]  # fmt: skip
    assert windows(tmp_path, *rows) == [(9, 7000)]


def test_silence_is_cut_while_a_recording_had_come_back(tmp_path: Path) -> None:
    again = row(
        "p1", "reapplied", BEGAN + 5000, intent="p1", took_ms=400.0,
        results=[{"recorder": "local", "outcome": "confirmed"}],
    )  # fmt: skip
    assert windows(tmp_path, *pressed(1, "stop", 0), again) == [(9, 4600), (5000, 100_000)]


def test_silence_ends_when_what_came_back_was_not_silenced(tmp_path: Path) -> None:
    again = row(
        "p1", "reapplied", BEGAN + 5000, intent="p1", took_ms=400.0,
        results=[{"recorder": "local", "outcome": "failed"}],
    )  # fmt: skip
    assert windows(tmp_path, *pressed(1, "stop", 0), again) == [(9, 4600)]


def test_it_is_silent_only_where_every_recorder_that_was_asked_is(tmp_path: Path) -> None:
    def second(outcome: str, at: int) -> Row:
        return row(
            "p1", "answered", BEGAN + at, recorder="noojee", kind="noojee", outcome=outcome,
            evidence="L2", detail="", steps=[],
        )  # fmt: skip

    one, two, three, four = pressed(1, "stop", 0)
    rest = pressed(2, "resume", 9000)
    assert windows(tmp_path, one, two, three, second("contained", 700), four, *rest) == [
        (700, 9000)
    ]
    (tmp_path / "other.sqlite3").unlink()
    assert windows(tmp_path, one, two, three, second("accepted", 700), four, *rest) == []


# a press that was found to be the same as an earlier one


def joined(tmp_path: Path) -> Path:
    """Return a journal in which p2 joined p1 late, p1 was failed at first and solved after."""
    told = {"outcome": "failed", "evidence": "L0", "recorders": [
        {"recorder": "local", "kind": "asterisk", "outcome": "failed", "evidence": "L0"},
    ]}  # fmt: skip
    first, resolved, answered, _ = press(1, BEGAN, "failed")
    again, also, *_ = press(2, BEGAN + 5)
    return made(
        tmp_path, first, resolved, answered, again,
        also._replace(body=resolved.body),
        row("p1", "verdict", BEGAN + 20, **told),
        row("p2", "joined", BEGAN + 21, of="p1", verb="stop", way="keypad"),
        row("p2", "verdict", BEGAN + 22, **told),
        row("p1", "retried", BEGAN + 1000, recorder="local", outcome="confirmed", evidence="L4"),
        row("p1", "closed", BEGAN + 1001, outcome="confirmed", evidence="L4", why="obeyed",
            exposed_ms={"local": 1000}),
        row("p1", "intent_ended", BEGAN + 4000, intent="p1", why="call_ended"),
    )  # fmt: skip


def test_a_joined_press_ends_as_the_one_it_was_joined_to(tmp_path: Path) -> None:
    path = joined(tmp_path)
    rows = {one["press"]: one for one in cells(path)}

    assert [rows[name]["verdict"] for name in ("p1", "p2")] == ["confirmed"] * 2
    assert rows["p2"]["verdict_evidence"] == "L4"


def test_the_press_that_was_joined_to_is_exported_with_the_one_that_joined(tmp_path: Path) -> None:
    path = joined(tmp_path)

    assert {one["press"] for one in lines(path, since=BEGAN + 5)} == {"p1", "p2"}
    assert {one["press"]: one["verdict"] for one in cells(path, since=BEGAN + 5)} == {
        "p1": "confirmed", "p2": "confirmed",
    }  # fmt: skip


def test_a_joined_press_promises_no_silence_of_its_own(tmp_path: Path) -> None:
    found = list(by_press(records(joined(tmp_path))))

    assert [(a - BEGAN, b - BEGAN) for a, b in silent(found, BEGAN + 9000)] == [(1000, 4000)]


def test_what_was_not_proven_is_no_silence(tmp_path: Path) -> None:
    assert windows(tmp_path, *pressed(1, "stop", 0, "failed")) == []


# the page


class Page(HTMLParser):
    """Collects what a page would fetch, and its rows."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [str(v) for name, v in attrs if name in {"src", "href", "action", "data"}]


def test_a_page_fetches_nothing_and_says_the_verdict_and_the_proof(path: Path) -> None:
    found = records(path, call=CALL)
    text = report.page(CALL, found, verify(path), now=BEGAN)
    page = Page(text)

    assert page.fetched == []
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text
    assert "size: A4" in text
    assert re.search(r"<b class='good'>confirmed L4</b>", text)
    assert "The journal is whole: 16 records form one unbroken chain." in text
    assert f"Hash of record 4, the last one above: {found[-1].hash}." in text
    assert verify(path).head.hash in text
    assert "fred" in text
    assert "agents.410 SIP/410-00000001" in text


def test_a_page_of_a_broken_journal_says_where(path: Path) -> None:
    proof = Proof(path, 3, verify(path).head, Break(4, "edited", "it was <changed>"))
    text = report.page(CALL, records(path, call=CALL), proof)

    assert "The journal is NOT whole: edited at record 4, it was &lt;changed&gt;." in text


def test_what_a_caller_is_called_is_no_markup(tmp_path: Path) -> None:
    first, *others = press(1)
    body = {**json.loads(first.body), "channel": "SIP/<script>alert(1)</script>-1"}
    path = made(tmp_path, first._replace(body=json.dumps(body)), *others)
    text = report.page("<i>", records(path), verify(path))

    assert "<script" not in text
    assert "<i>" not in text


def test_however_much_there_is_it_stays_one_page(tmp_path: Path) -> None:
    """Lines of 4 mm at most three deep: what A4 holds between its margins, counted by hand."""
    rows: list[Row] = []
    for number in range(30):
        first, resolved, answered, verdict = press(1, BEGAN + number)
        long = {**json.loads(verdict.body), "text": "long " * 200}
        rows += [
            one._replace(press=f"p{number}")
            for one in (first, resolved, answered, verdict._replace(body=json.dumps(long)))
        ]
    path = made(tmp_path, *rows)
    text = report.page(CALL, records(path), verify(path))

    assert text.count("<tr>") == 3 + report.PRESSES + report.ASKED + report.LINES
    assert f"{30 - report.PRESSES} more, see the JSON lines." in text
    assert f"{120 - report.LINES} more, see the JSON lines." in text
    assert max(len(cell) for cell in re.findall(r"<td>(.*?)</td>", text)) < 240


# the picture


def recording(path: Path, seconds: list[bool], ended: int = BEGAN + 10_000) -> Path:
    """Write a WAV file with a tone in the seconds that are true, ended at a time."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        for loud in seconds:
            tone = (int(9000 * math.sin(n / 3)) if loud else 0 for n in range(8000))
            file.writeframes(b"".join(struct.pack("<h", value) for value in tone))
    os.utime(path, (ended / 1000, ended / 1000))
    return path


def test_a_picture_marks_the_silent_window_where_it_was(tmp_path: Path) -> None:
    file = recording(tmp_path / "a.wav", [True] * 4 + [False] * 4 + [True] * 2)
    shown = waveform.draw(file, [(BEGAN + 4000, BEGAN + 8000)])
    [mark] = re.findall(r'class="silent" x="([\d.]+)" y="0" width="([\d.]+)"', shown.svg)

    assert [float(one) / waveform.WIDTH for one in mark] == [0.4, 0.4]
    bars = [float(x) for x in re.findall(r"M([\d.]+) ", shown.svg)]
    assert bars
    assert not [x for x in bars if 0.4 < x / waveform.WIDTH < 0.8]
    assert "10.0 s" in shown.caption
    assert "4.0 s to 8.0 s to be silent: no sound" in shown.caption


def test_sound_in_a_silent_window_is_said(tmp_path: Path) -> None:
    file = recording(tmp_path / "a.wav", [True] * 10)
    shown = waveform.draw(file, [(BEGAN + 4000, BEGAN + 8000)])

    assert "4.0 s to 8.0 s to be silent: 4.0 s of sound" in shown.caption


def test_a_window_beside_the_recording_is_not_drawn(tmp_path: Path) -> None:
    file = recording(tmp_path / "a.wav", [True] * 3)
    shown = waveform.draw(file, [(BEGAN + 20_000, BEGAN + 30_000)])

    assert "silent" not in shown.svg
    assert "no silent window lies within it" in shown.caption


@pytest.mark.parametrize("content", [None, b"", b"RIFF", b"no recording at all"])
def test_what_cannot_be_read_is_said_and_not_drawn(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "a.wav"
    if content is not None:
        file.write_bytes(content)
    shown = waveform.draw(file, [])

    assert shown.svg == ""
    assert shown.caption.startswith("not shown: ")


def test_a_picture_stands_in_the_page(path: Path, tmp_path: Path) -> None:
    file = recording(tmp_path / "a.wav", [True] * 3)
    found = records(path, call=CALL)
    text = report.page(CALL, found, verify(path), [waveform.draw(file, [])] * 3)

    assert text.count("<svg") == report.PICTURES
    assert "1 more recording(s) not shown." in text


def test_times_of_no_calendar_are_shown_as_numbers() -> None:
    assert press_history.iso(1_700_000_000_123) == "2023-11-14T22:13:20.123Z"
    assert press_history.iso(1 << 61) == str(1 << 61)
