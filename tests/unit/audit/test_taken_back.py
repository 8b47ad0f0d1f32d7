# SPDX-License-Identifier: Apache-2.0
"""A verdict that was taken back is the end of its press, wherever presses are listed."""

from pathlib import Path

from offrecord.audit.press_history import by_press, records, silent
from offrecord.journal import presses
from tests.kits.audit_kit import BEGAN, press, row, write

TEXT = "Recording was NOT stopped: /spool/x.wav still grows"


def journal(folder: Path) -> Path:
    path = folder / "journal.sqlite3"
    back = row("p1", "taken_back", BEGAN + 2300, outcome="failed", evidence="L3", text=TEXT,
               reason="/spool/x.wav still grows", files=["/spool/x.wav"])  # fmt: skip
    write(path, [*press(1, BEGAN), back, *press(2, BEGAN + 5000)])
    return path


def test_a_press_ends_as_failed_once_its_verdict_was_taken_back(tmp_path: Path) -> None:
    newest, oldest = presses(journal(tmp_path))
    assert (oldest.press, oldest.outcome, oldest.text) == ("p1", "failed", TEXT)
    assert newest.outcome == "confirmed"


def test_the_history_shows_the_last_word_and_no_silence(tmp_path: Path) -> None:
    one, other = by_press(records(journal(tmp_path)))
    assert (one.outcome, one.evidence, one.said) == ("failed", "L3", TEXT)
    assert one.verdict["outcome"] == "confirmed"  # it stays in the journal
    assert silent([one], BEGAN + 4000) == []
    assert silent([other], BEGAN + 9000) != []


def test_one_that_was_solved_after_all_ends_as_that_and_proves_no_silence(tmp_path: Path) -> None:
    path = journal(tmp_path)
    solved = row("p1", "closed", BEGAN + 4000, outcome="confirmed", evidence="L4", why="solved",
                 exposed_ms={"local": 4000}, reason="")  # fmt: skip
    write(path, [solved])
    one, _ = by_press(records(path))
    assert (one.outcome, one.evidence) == ("confirmed", "L4")
    assert silent([one], BEGAN + 9000) == []
