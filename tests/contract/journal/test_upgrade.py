# SPDX-License-Identifier: Apache-2.0
"""From one version to another and back: what becomes of the journal, as docs/upgrading.md says."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from offrecord.audit.verify import verify
from offrecord.base.errors import Exit
from offrecord.cli.main import cli
from offrecord.journal import JournalError, presses
from offrecord.journal.backup import keep, restore
from offrecord.journal.journal import Journal, Record
from offrecord.journal.migrate import upgrade
from offrecord.journal.opening import open_writer
from offrecord.journal.schema import SCHEMA_VERSION
from tests.kits.audit_kit import BEGAN, press, row, write, write_schema_1

SCHEMAS: dict[int, Callable[[Path], object]] = {
    1: lambda path: write_schema_1(path, [*press(1), *press(2)]),
    2: lambda path: write(path, [*press(1), *press(2)]),
}
"""A journal of each schema that an offrecord ever wrote."""


def number(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def newer(path: Path) -> None:
    """Turn a journal into one of a version that does not exist yet."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")


def offrecord(*words: str) -> Result:
    return CliRunner().invoke(cli, words, standalone_mode=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


def test_there_is_a_journal_of_every_schema_to_try() -> None:
    assert sorted(SCHEMAS) == list(range(1, SCHEMA_VERSION + 1))


@pytest.mark.parametrize("schema", SCHEMAS)
async def test_a_journal_of_an_earlier_version_goes_on_and_its_chain_is_whole(
    schema: int, path: Path
) -> None:
    SCHEMAS[schema](path)
    assert number(path) == schema
    async with Journal(path) as journal:
        await journal.write(Record("p3", "pressed", {"verb": "stop"}, BEGAN))

    assert number(path) == SCHEMA_VERSION
    assert {p.press for p in presses(path)} == {"p1", "p2", "p3"}
    assert verify(path).broken is None
    copy = Path(f"{path}.schema-{schema}")
    assert copy.exists() == (schema < SCHEMA_VERSION)


async def test_a_copy_of_what_was_there_is_kept_before_the_schema_changes(path: Path) -> None:
    SCHEMAS[1](path)
    with closing(sqlite3.connect(path)) as reader:  # holds the log: the copy must have it as well
        reader.execute("SELECT count(*) FROM records").fetchone()
        upgrade(path)
    copy = Path(f"{path}.schema-1")

    assert number(copy) == 1
    assert len(presses(copy)) == 2
    assert copy.stat().st_mode & 0o777 == 0o640
    assert sorted(one.name for one in path.parent.iterdir()) == [path.name, copy.name]


def test_no_copy_is_written_over(path: Path) -> None:
    SCHEMAS[2](path)
    assert [keep(path, 2).name for _ in range(3)] == [
        "journal.sqlite3.schema-2", "journal.sqlite3.schema-2.2", "journal.sqlite3.schema-2.3",
    ]  # fmt: skip


def test_without_a_copy_the_schema_does_not_change(path: Path) -> None:
    SCHEMAS[1](path)
    # Nothing can be laid where a folder is.
    (path.parent / f".{path.name}.{os.getpid()}").mkdir()
    with pytest.raises(JournalError, match="cannot be used"):
        upgrade(path)

    assert number(path) == 1
    assert len(presses(path)) == 2


def test_an_earlier_version_refuses_a_newer_journal_and_says_what_to_do(path: Path) -> None:
    SCHEMAS[2](path)
    newer(path)
    with pytest.raises(JournalError, match=r"newer offrecord \(schema 3\)") as caught:
        open_writer(path, busy=1)

    assert "install that version again" in str(caught.value)
    assert caught.value.exit is Exit.JOURNAL
    assert number(path) == SCHEMA_VERSION + 1


def test_one_command_puts_the_copy_back_and_loses_nothing(path: Path) -> None:
    SCHEMAS[2](path)
    copy = keep(path, 2)
    write(path, press(3))
    newer(path)
    done = offrecord("audit", "restore", str(copy), "--journal", str(path))

    assert done.exception is None
    aside = Path(f"{path}.replaced")
    assert str(aside) in done.output
    proof = verify(path)
    assert (proof.broken, proof.records) == (None, 8)
    assert number(aside) == SCHEMA_VERSION + 1
    with closing(sqlite3.connect(aside)) as db:
        assert db.execute("SELECT count(*) FROM records").fetchone() == (12,)
    assert copy.exists()
    write(path, [row("p4", "pressed")])
    assert verify(path).broken is None


def test_the_way_back_keeps_what_came_after_the_upgrade(path: Path) -> None:
    SCHEMAS[1](path)
    upgrade(path)
    write(path, press(3))
    done = offrecord("audit", "migrate", "--to", "1", "--journal", str(path))

    assert done.exception is None
    assert number(path) == 1
    assert {p.press for p in presses(path)} == {"p1", "p2", "p3"}
    assert verify(Path(f"{path}.schema-2")).broken is None  # the chain is in the copy


def test_a_journal_in_use_is_not_replaced(path: Path) -> None:
    SCHEMAS[2](path)
    copy = keep(path, 2)
    with closing(open_writer(path, busy=1)) as daemon:
        daemon.execute("SELECT count(*) FROM records").fetchone()
        with pytest.raises(JournalError, match="locked") as caught:
            restore(path, copy, busy=0.01)
    assert "end that" in str(caught.value)
    assert sorted(one.name for one in path.parent.iterdir()) == [path.name, copy.name]
    assert restore(path, copy) == Path(f"{path}.replaced")


def test_a_damaged_journal_is_kept_as_it_is(path: Path) -> None:
    SCHEMAS[2](path)
    copy = keep(path, 2)
    path.write_bytes(b"x" * 5000)
    aside = restore(path, copy)

    assert aside is not None
    assert aside.read_bytes() == b"x" * 5000
    assert verify(path).broken is None


def test_where_no_journal_is_the_copy_becomes_one(path: Path) -> None:
    SCHEMAS[2](path)
    copy = keep(path, 2)
    path.unlink()
    assert restore(path, copy) is None
    assert verify(path).broken is None


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda copy: None, "there is no copy"),
        (lambda copy: copy.touch(), "an empty file"),
        (lambda copy: copy.write_bytes(b"x" * 5000), "not a database"),
        (lambda copy: (write(copy, press(1)), newer(copy)), "newer offrecord"),
        (lambda copy: sqlite3.connect(copy).execute("CREATE TABLE x (y)"), "no journal"),
        (lambda copy: (write(copy, press(1)), Path(f"{copy}-wal").touch()), "is in use"),
    ],
)
def test_what_is_no_copy_replaces_nothing(
    made: Callable[[Path], object], said: str, path: Path
) -> None:
    SCHEMAS[2](path)
    copy = path.with_name("copy")
    made(copy)
    with pytest.raises(JournalError, match=said):
        restore(path, copy)
    assert len(presses(path)) == 2
    assert not Path(f"{path}.replaced").exists()
