# SPDX-License-Identifier: Apache-2.0
"""What was pressed is on the disk before `write` returns, in order, once, and stays there."""

import asyncio
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from offrecord.base.errors import Exit
from offrecord.journal import JournalError, presses, show
from offrecord.journal.journal import Journal, Record
from tests.kits.lost_writes import WRITE_AND_DIE, disk_full
from tests.kits.waiting import eventually


def record(number: int = 0, *, press: str = "p1", kind: str = "asked", **body: Any) -> Record:
    return Record(press, kind, {"number": number, **body}, at=1_700_000_000_000 + number)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "journal.sqlite3"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[Journal]:
    async with Journal(path, retry=0.01) as opened:
        yield opened


async def until_written(journal: Journal) -> None:
    await eventually(lambda: not journal.waiting and journal.trouble is None)


def numbers(path: Path, press: str = "p1") -> list[int]:
    return [stored.body["number"] for stored in show(path, press)]


def move_away(path: Path, target: Path) -> None:
    path.rename(target)
    for side in ("-wal", "-shm"):
        Path(f"{path}{side}").unlink(missing_ok=True)


async def test_a_written_record_is_read_back_by_another_connection_at_once(
    journal: Journal,
) -> None:
    assert await journal.write(record(7, kind="pressed", verb="stop", caller="Ünïcode")) == 1
    (stored,) = show(journal.path, "p1")
    assert (stored.seq, stored.kind, stored.at) == (1, "pressed", 1_700_000_000_007)
    assert stored.body == {"number": 7, "verb": "stop", "caller": "Ünïcode"}


async def test_a_record_that_was_returned_from_survives_the_daemon_s_sudden_death(
    path: Path,
) -> None:
    ended = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", WRITE_AND_DIE, str(path)], check=False
    )
    assert ended.returncode == -9
    assert numbers(path) == [1]
    async with Journal(path) as journal:
        assert await journal.write(record(2)) == 2
    assert numbers(path) == [1, 2]


async def test_many_at_once_keep_the_order_of_the_calls(journal: Journal) -> None:
    got = await asyncio.gather(*(journal.write(record(n)) for n in range(600)))
    assert got == list(range(1, 601))
    assert numbers(journal.path) == list(range(600))


async def test_the_event_loop_runs_on_while_the_disk_is_slow(journal: Journal) -> None:
    with closing(sqlite3.connect(journal.path)) as other:
        other.execute("BEGIN IMMEDIATE")
        writing = asyncio.ensure_future(journal.write(record(1)))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not writing.done()
        other.execute("ROLLBACK")
        assert await writing == 1


async def test_no_row_can_be_changed_deleted_replaced_or_slipped_in_before(
    journal: Journal,
) -> None:
    for number in range(3):
        await journal.write(record(number))
    with closing(sqlite3.connect(journal.path, isolation_level=None)) as db:
        for statement in (
            "UPDATE records SET body = '{}'",
            "DELETE FROM records",
            f"INSERT INTO records VALUES (1, 'p', 1, 0, 'k', '{{}}', '{'0' * 64}', '{'0' * 64}')",
            f"REPLACE INTO records VALUES (2, 'p', 1, 0, 'k', '{{}}', '{'0' * 64}', '{'0' * 64}')",
            f"INSERT INTO records VALUES (-4, 'p', 1, 0, 'k', '{{}}', '{'0' * 64}', '{'0' * 64}')",
            "UPDATE head SET seq = 2",
            "UPDATE head SET seq = seq",
            "DELETE FROM head",
            f"REPLACE INTO head VALUES (1, 9, '{'0' * 64}')",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                db.execute(statement)
    assert numbers(journal.path) == [0, 1, 2]


async def test_the_file_and_its_log_are_closed_to_strangers(journal: Journal) -> None:
    await journal.write(record())
    files = [journal.path, Path(f"{journal.path}-wal"), Path(f"{journal.path}-shm")]
    for file in files:
        assert stat.S_IMODE(file.stat().st_mode) & 0o137 == 0
    assert stat.S_IMODE(journal.path.parent.stat().st_mode) & 0o027 == 0


async def test_a_full_disk_is_told_fast_and_made_up_for_in_order_when_there_is_room(
    journal: Journal,
) -> None:
    await journal.write(record(1))
    loop = asyncio.get_running_loop()
    with disk_full():
        begun = loop.time()
        for number in (2, 3):
            with pytest.raises(JournalError) as caught:
                await journal.write(record(number))
            assert caught.value.exit is Exit.JOURNAL
        assert loop.time() - begun < 2
        assert journal.trouble is not None
        assert journal.waiting == 2
    await journal.write(record(4))
    assert journal.waiting == 0
    assert numbers(journal.path) == [1, 2, 3, 4]


async def test_what_waits_is_written_without_a_further_press_once_the_disk_is_back(
    journal: Journal,
) -> None:
    with disk_full(), pytest.raises(JournalError):
        await journal.write(record(1))
    await until_written(journal)
    assert numbers(journal.path) == [1]


async def test_a_lock_is_waited_for_no_longer_than_allowed(path: Path) -> None:
    async with Journal(path, timeout=0.1, retry=0.01) as journal:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(JournalError, match=r"locked; another program|did not take"):
                await journal.write(record(1))
            other.execute("ROLLBACK")
        await until_written(journal)
        assert numbers(path) == [1]


async def test_a_record_whose_writer_left_is_still_written(journal: Journal) -> None:
    with closing(sqlite3.connect(journal.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        writing = asyncio.ensure_future(journal.write(record(1)))
        await asyncio.sleep(0)
        writing.cancel()
        other.execute("ROLLBACK")
    await until_written(journal)
    assert numbers(journal.path) == [1]


async def test_a_file_moved_away_under_the_daemon_is_begun_anew(
    journal: Journal, tmp_path: Path
) -> None:
    await journal.write(record(1))
    move_away(journal.path, tmp_path / "moved.sqlite3")
    await journal.write(record(2))
    assert numbers(journal.path) == [2]


class FailsAfterCommit:
    """A connection whose commit reaches the disk and is then reported as failed."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.executemany, self.close, self.db = db.executemany, db.close, db

    def execute(self, statement: str, values: tuple[int, ...] = ()) -> sqlite3.Cursor:
        cursor = self.db.execute(statement, values)
        if statement == "COMMIT":
            raise sqlite3.OperationalError("disk I/O error")
        return cursor


async def test_a_commit_that_failed_and_arrived_all_the_same_is_not_written_twice(
    journal: Journal,
) -> None:
    await journal.write(record(1))
    journal._worker._db = FailsAfterCommit(journal._worker._db)  # type: ignore[assignment,arg-type]
    with pytest.raises(JournalError, match="disk I/O error"):
        await journal.write(record(2))
    assert await journal.write(record(3)) == 3
    assert numbers(journal.path) == [1, 2, 3]


async def test_what_is_queued_is_written_before_the_journal_closes(path: Path) -> None:
    journal = Journal(path, timeout=30.0)
    await journal.open()
    tasks = [asyncio.ensure_future(journal.write(record(n))) for n in range(600)]
    await asyncio.sleep(0)
    assert await journal.close() == 0
    await asyncio.gather(*tasks)
    assert len(numbers(path)) == 600
    with pytest.raises(JournalError, match="closed"):
        await journal.write(record(99))


async def test_closing_with_the_disk_away_says_how_much_is_lost(path: Path) -> None:
    journal = Journal(path)
    await journal.open()
    with disk_full():
        with pytest.raises(JournalError):
            await journal.write(record(1))
        assert await journal.close() == 1


@pytest.mark.parametrize("text", ["no database at all, but long enough to look at" * 30, None])
async def test_a_file_that_is_no_journal_is_refused_and_left_alone(
    tmp_path: Path, text: str | None
) -> None:
    path = tmp_path / "other"
    if text:
        path.write_text(text)
    else:
        with closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE t (x)")
            db.commit()
    before = path.read_bytes()
    journal = Journal(path)
    with pytest.raises(JournalError, match=r"not a database|no journal"):
        await journal.open()
    with pytest.raises(JournalError):
        presses(path)
    await journal.close()
    assert path.read_bytes() == before


async def test_a_journal_of_a_newer_version_is_refused(journal: Journal) -> None:
    with closing(sqlite3.connect(journal.path)) as db:
        db.execute("PRAGMA user_version = 4")
    with pytest.raises(JournalError, match="newer offrecord"):
        presses(journal.path)


async def test_a_folder_that_cannot_be_made_is_told_on_opening(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    journal = Journal(tmp_path / "file" / "journal.sqlite3")
    with pytest.raises(JournalError, match=r"cannot be used: (Not a directory|File exists)"):
        await journal.open()
    await journal.close()


def test_reading_where_no_journal_is_makes_none(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="there is no journal"):
        presses(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


READ_AS_NOBODY = """
import os, sys
from pathlib import Path
from offrecord.journal import show
if os.getuid() == 0:
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
print(len(show(Path(sys.argv[1]), "p1")))
"""


@pytest.mark.parametrize("killed", [False, True])
def test_a_reader_that_may_write_nothing_reads_what_a_daemon_left(*, killed: bool) -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are not for everybody
        folder = Path(name)
        path = folder / "journal.sqlite3"
        subprocess.run([sys.executable, "-c", WRITE_AND_DIE, str(path)], check=False)
        if not killed:
            with closing(sqlite3.connect(path)) as db:
                db.execute("SELECT * FROM records").fetchall()
        assert Path(f"{path}-wal").exists() is killed
        for file in folder.iterdir():
            file.chmod(0o444)
        folder.chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", READ_AS_NOBODY, str(path)], check=False, capture_output=True
        )
        folder.chmod(0o755)
    assert (done.stdout.strip(), done.stderr) == (b"1", b"")
