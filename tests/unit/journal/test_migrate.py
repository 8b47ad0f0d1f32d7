# SPDX-License-Identifier: Apache-2.0
"""Files of schema 1 are chained when they are opened, whole or not at all, and can go back."""

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from offrecord.audit.verify import verify
from offrecord.base.errors import Exit
from offrecord.journal import JournalError, presses, show
from offrecord.journal.journal import Journal, Record
from offrecord.journal.migrate import downgrade, upgrade
from offrecord.journal.opening import open_writer
from offrecord.journal.schema import SCHEMA_VERSION
from tests.kits.audit_kit import BEGAN, links, press, tamper, write, write_schema_1


def schema(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return {name: " ".join(re.sub(r"([(),])", r" \1 ", sql).split()) for name, sql in rows}


def number(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "journal.sqlite3"
    write_schema_1(path, [*press(1), *press(2)])
    return path


async def test_a_file_of_schema_1_is_chained_when_the_daemon_opens_it(old: Path) -> None:
    async with Journal(old) as journal:
        assert await journal.write(Record("p3", "pressed", {"verb": "stop"}, BEGAN)) == 9

    proof = verify(old)
    assert (proof.broken, proof.records, proof.migrated) == (None, 10, 8)
    note, *others = links(old)
    assert (note.seq, note.kind, note.press) == (0, "migrated", "")
    assert [link.utc_offset is None for link in others] == [True] * 8 + [False]
    assert [record.kind for record in show(old, "p1")] == [
        "pressed", "resolved", "answered", "verdict",
    ]  # fmt: skip


def test_what_a_record_said_is_not_touched(old: Path) -> None:
    before = [(p.press, p.at, p.outcome, p.call) for p in presses(old)]
    bodies = [record.body for record in show(old, "p2")]
    upgrade(old)

    assert [(p.press, p.at, p.outcome, p.call) for p in presses(old)] == before
    assert [record.body for record in show(old, "p2")] == bodies


def test_a_file_that_was_moved_up_is_built_as_a_new_one(old: Path, tmp_path: Path) -> None:
    upgrade(old)
    open_writer(tmp_path / "new", busy=1).close()

    assert schema(old) == schema(tmp_path / "new")
    assert number(old) == number(tmp_path / "new") == SCHEMA_VERSION


def test_down_and_up_again_keeps_every_record(old: Path, tmp_path: Path) -> None:
    before = schema(old)
    upgrade(old)
    write(old, press(3))
    downgrade(old, 1)

    assert number(old) == 1
    assert {name: sql for name, sql in schema(old).items() if name != "alembic_version"} == before
    assert [record.seq for record in show(old, "p3")] == [9, 10, 11, 12]
    assert show(old, "p3")[0].hash is None
    upgrade(old)
    proof = verify(old)
    assert (proof.broken, proof.records, proof.migrated) == (None, 13, 12)


def test_a_hole_from_before_the_chain_is_known_and_no_other_is(old: Path) -> None:
    tamper(old, ("DELETE FROM records WHERE seq IN (1, 2, 5)", ()))
    upgrade(old)
    assert verify(old).broken is None

    tamper(old, ("DELETE FROM records WHERE seq = 6", ()))
    broken = verify(old).broken
    assert broken is not None
    assert (broken.seq, broken.what) == (6, "missing")


def test_a_migration_that_breaks_off_leaves_the_file_as_it_was(old: Path) -> None:
    with closing(sqlite3.connect(old)) as db:
        db.execute("CREATE TABLE head (x)")  # the script cannot make its own
        db.commit()
    before = schema(old)
    with pytest.raises(JournalError, match="already exists"):
        open_writer(old, busy=1)

    assert (schema(old), number(old)) == (before, 1)
    assert len(presses(old)) == 2


def test_a_file_that_is_locked_is_told_so_and_moved_later(old: Path) -> None:
    with closing(sqlite3.connect(old, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match="locked"):
            upgrade(old, busy=0.01)
        other.execute("ROLLBACK")
    upgrade(old)
    assert number(old) == SCHEMA_VERSION


def test_reading_moves_nothing(old: Path) -> None:
    assert len(presses(old)) == 2
    assert number(old) == 1
    with pytest.raises(JournalError, match="no chain") as caught:
        verify(old)
    assert caught.value.exit is Exit.JOURNAL


@pytest.mark.parametrize(("to", "said"), [(0, "no schema 0"), (3, "no schema 3")])
def test_there_is_no_way_to_a_schema_that_nobody_knows(old: Path, to: int, said: str) -> None:
    with pytest.raises(JournalError, match=said):
        downgrade(old, to)


def test_going_down_where_nothing_is_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="there is no journal"):
        downgrade(tmp_path / "none", 1)
    assert list(tmp_path.iterdir()) == []


LOADS = """
import sys, pathlib
from offrecord.cli import main
from offrecord.journal.opening import open_writer
import offrecord.cli.commands.prove.audit, offrecord.audit.verify
import offrecord.audit.seal, offrecord.audit.report
open_writer(pathlib.Path(sys.argv[1]), busy=1)
print(sorted({name.partition(".")[0] for name in sys.modules} & {"alembic", "sqlalchemy", "mako"}))
"""


def test_nothing_of_alembic_is_loaded_until_an_old_file_is_opened(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LOADS, str(tmp_path / "new")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert ran.stdout == "[]\n"
