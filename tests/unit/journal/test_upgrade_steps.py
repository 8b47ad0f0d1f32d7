# SPDX-License-Identifier: Apache-2.0
"""A step brings a file to the next schema whole or not at all, and a copy is kept before."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from offrecord.base.errors import Exit
from offrecord.journal import JournalError, presses
from offrecord.journal.hash_chain import append
from offrecord.journal.opening import open_writer
from offrecord.journal.schema import FIRST_SCHEMA, SCHEMA_VERSION
from offrecord.journal.upgrade import STEPS, Step, upgrade
from tests.kits.audit_kit import press, row, write
from tests.kits.journal_kit import NEXT, STEP, contents, schema_number, set_schema, statements


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "journal.sqlite3"
    write(path, [*press(1), *press(2)])
    return path


def test_the_steps_lead_from_the_first_schema_to_the_present_one() -> None:
    assert [step.to for step in STEPS] == list(range(FIRST_SCHEMA + 1, SCHEMA_VERSION + 1))


def test_a_new_file_is_of_the_present_schema(path: Path) -> None:
    assert schema_number(path) == SCHEMA_VERSION


# success


def test_a_file_that_is_opened_for_writing_is_upgraded(path: Path) -> None:
    before = contents(path)
    open_writer(path, busy=1, steps=(STEP,)).close()

    assert schema_number(path) == NEXT
    rows = contents(path)
    assert [one[:8] for one in rows] == before
    assert [one[8] for one in rows[:-1]] == ["first"] + ["one"] * 7


def test_the_connection_that_upgraded_can_append_and_change_nothing(path: Path) -> None:
    with closing(open_writer(path, busy=1, steps=(STEP,))) as db:
        db.execute("BEGIN IMMEDIATE")
        [link] = append(db, [row("p3", "pressed")])
        db.execute("COMMIT")
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            db.execute("UPDATE records SET site = 'x'")

    assert (link.seq, link.prev) == (9, contents(path)[7][7])


def test_several_steps_are_one_upgrade_with_one_copy(path: Path) -> None:
    after = Step(NEXT + 1, ("CREATE TABLE sites (name TEXT)",))
    open_writer(path, busy=1, steps=(STEP, after)).close()

    assert schema_number(path) == NEXT + 1
    assert "sites" in statements(path)
    assert sorted(one.name for one in path.parent.iterdir()) == [
        path.name, f"{path.name}.schema-{SCHEMA_VERSION}",
    ]  # fmt: skip


def test_steps_that_were_done_are_not_done_again(path: Path) -> None:
    done = Step(SCHEMA_VERSION, ("CREATE TABLE wrong (x)",))
    open_writer(path, busy=1, steps=(done, STEP)).close()

    assert schema_number(path) == NEXT
    assert "wrong" not in statements(path)


def test_nothing_is_copied_where_nothing_is_due(path: Path) -> None:
    open_writer(path, busy=1).close()
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_the_copy_is_the_file_as_it_was(path: Path) -> None:
    before = statements(path), contents(path)
    with closing(sqlite3.connect(path)) as reader:  # keeps the log, whose records must be copied
        reader.execute("SELECT count(*) FROM records").fetchone()
        open_writer(path, busy=1, steps=(STEP,)).close()
    copy = Path(f"{path}.schema-{SCHEMA_VERSION}")

    assert schema_number(copy) == SCHEMA_VERSION
    assert (statements(copy), contents(copy)) == before
    assert copy.stat().st_mode & 0o777 == 0o640
    assert {p.press for p in presses(copy)} == {"p1", "p2"}


# failure


@pytest.mark.parametrize(
    "wrong", ["CREATE TABLE head (x)", "no SQL", "UPDATE records SET seq = 1", "SELECT * FROM none"]
)
def test_a_step_that_fails_leaves_the_file_as_it_was(path: Path, wrong: str) -> None:
    before = statements(path), contents(path)
    step = Step(NEXT, (*STEP.statements, wrong))
    with pytest.raises(JournalError, match="cannot be used") as caught:
        open_writer(path, busy=1, steps=(step,))

    assert caught.value.exit is Exit.JOURNAL
    assert (statements(path), contents(path)) == before
    assert schema_number(path) == SCHEMA_VERSION
    write(path, press(3))


def test_a_second_step_that_fails_takes_the_first_one_back(path: Path) -> None:
    before = statements(path), contents(path)
    with pytest.raises(JournalError, match="cannot be used"):
        open_writer(path, busy=1, steps=(STEP, Step(NEXT + 1, ("no SQL",))))

    assert (statements(path), contents(path)) == before
    assert schema_number(path) == SCHEMA_VERSION


def test_after_a_failure_the_connection_holds_no_lock(path: Path) -> None:
    with closing(open_writer(path, busy=1)) as db:
        with pytest.raises(JournalError):
            upgrade(db, path, (Step(NEXT, ("no SQL",)),))
        assert not db.in_transaction
        write(path, press(3))


def test_without_a_copy_the_schema_does_not_change(path: Path) -> None:
    (path.parent / f".{path.name}.copy").mkdir()  # in the place where the copy is written
    with pytest.raises(JournalError, match="cannot be used"):
        open_writer(path, busy=1, steps=(STEP,))

    assert schema_number(path) == SCHEMA_VERSION
    assert len(presses(path)) == 2


def test_a_file_that_is_locked_is_said_to_be_and_upgraded_later(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match="locked") as caught:
            open_writer(path, busy=0.01, steps=(STEP,))
        other.execute("ROLLBACK")
    assert "end that" in str(caught.value)
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    open_writer(path, busy=1, steps=(STEP,)).close()
    assert schema_number(path) == NEXT


# what is loaded


LOADS = """
import sys
import offrecord.journal.reader
ours = {"agi", "ami", "bridges", "noojee", "offrecord"}
print(*sorted(name for name in sys.modules if name.partition(".")[0] in ours), sep="\\n")
"""


def test_a_reader_loads_neither_the_writer_nor_the_upgrades() -> None:
    ran = subprocess.run([sys.executable, "-c", LOADS], capture_output=True, text=True, check=True)
    loaded = ran.stdout.split()

    assert "offrecord.journal.reader" in loaded
    assert {name for name in loaded if name.startswith("offrecord.journal.")} == {
        "offrecord.journal.reader", "offrecord.journal.schema",
    }  # fmt: skip
    assert len(loaded) <= 12, loaded


@pytest.mark.parametrize("schema", range(1, FIRST_SCHEMA))
def test_a_file_from_before_the_first_release_is_refused_unchanged(path: Path, schema: int) -> None:
    set_schema(path, schema)
    before = path.read_bytes()
    for opened in (lambda: presses(path), lambda: open_writer(path, busy=1, steps=(STEP,))):
        with pytest.raises(JournalError, match=f"of schema {schema}, from before") as caught:
            opened()
        assert f"move {path}* to another folder" in caught.value.fix
    assert path.read_bytes() == before
