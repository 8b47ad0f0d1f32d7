# SPDX-License-Identifier: Apache-2.0
"""From one version to another and back: what becomes of the journal, as docs/upgrading.md says."""

import shutil
import sqlite3
import subprocess
import sys
import tempfile
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
from offrecord.journal.hash_chain import append
from offrecord.journal.journal import Journal, Record
from offrecord.journal.opening import open_writer
from offrecord.journal.schema import SCHEMA_VERSION
from tests.kits.audit_kit import BEGAN, press, row, write
from tests.kits.journal_kit import NEXT, STEP, contents, schema_number, set_schema, statements
from tests.kits.lost_writes import disk_full

COPY = f"schema-{SCHEMA_VERSION}"


def offrecord(*words: str) -> Result:
    return CliRunner().invoke(cli, words, standalone_mode=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "journal.sqlite3"
    write(path, [*press(1), *press(2)])
    return path


# the disk, and the power


UPGRADE = """
import os, pathlib, sys
from offrecord.journal.opening import open_writer
from tests.kits.journal_kit import STEP
if sys.argv[2] == "nobody" and os.getuid() == 0:
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
try:
    open_writer(pathlib.Path(sys.argv[1]), busy=1, steps=(STEP,))
except Exception as problem:
    print(type(problem).__name__, problem)
"""

DIE = """
import os, pathlib, sqlite3, sys
from offrecord.journal.upgrade import Step, upgrade
from tests.kits.journal_kit import NEXT, STEP
path, place = pathlib.Path(sys.argv[1]), int(sys.argv[2])
db = sqlite3.connect(path, isolation_level=None)
db.create_function("die", 0, lambda: os.kill(os.getpid(), 9))
db.execute("PRAGMA cache_size = 1")  # pages of the open transaction go to the disk early
fill = "UPDATE records SET site = hex(randomblob(20000))"
work = [STEP.statements[0], STEP.statements[1], fill, *STEP.statements[2:]]
work.insert(place, "SELECT die()")
upgrade(db, path, (Step(NEXT, tuple(work)),))
"""


@pytest.mark.parametrize("place", range(6))
def test_a_power_cut_in_the_middle_leaves_the_old_file_and_the_copy(path: Path, place: int) -> None:
    before = statements(path), contents(path)
    died = subprocess.run([sys.executable, "-c", DIE, str(path), str(place)], check=False)
    assert died.returncode == -9

    copy = Path(f"{path}.{COPY}")
    for one in (path, copy):
        assert schema_number(one) == SCHEMA_VERSION
        assert (statements(one), contents(one)) == before
        assert verify(one).broken is None
    open_writer(path, busy=1, steps=(STEP,)).close()
    assert schema_number(path) == NEXT
    assert schema_number(Path(f"{copy}.2")) == SCHEMA_VERSION


@pytest.mark.parametrize("lost", [1, 100, 4000, 5000, 1 << 20])
def test_a_log_that_the_disk_has_only_in_part_leaves_the_old_file(
    path: Path, tmp_path: Path, lost: int
) -> None:
    """The upgrade is committed, but the last bytes of its log did not reach the disk."""
    before = statements(path), contents(path)
    cut = tmp_path / "cut" / path.name
    cut.parent.mkdir()
    with closing(open_writer(path, busy=1, steps=(STEP,))):
        shutil.copyfile(path, cut)
        log = Path(f"{path}-wal").read_bytes()
    Path(f"{cut}-wal").write_bytes(log[: max(0, len(log) - lost)])

    assert schema_number(cut) == SCHEMA_VERSION
    assert (statements(cut), contents(cut)) == before


def test_a_power_cut_while_the_copy_is_written_leaves_no_half_of_one(path: Path) -> None:
    part = path.with_name(f".{path.name}.copy")
    part.write_bytes(b"half of a copy")
    open_writer(path, busy=1, steps=(STEP,)).close()

    assert not part.exists()
    assert contents(Path(f"{path}.{COPY}"))


def test_a_full_disk_changes_nothing(path: Path) -> None:
    before = statements(path), contents(path)
    with disk_full(), pytest.raises(JournalError):
        open_writer(path, busy=1, steps=(STEP,))

    assert (statements(path), contents(path)) == before
    assert schema_number(path) == SCHEMA_VERSION
    assert not Path(f"{path}.{COPY}").exists()


@pytest.mark.parametrize(("file", "folder"), [(0o444, 0o555), (0o666, 0o555)])
def test_a_disk_that_may_only_be_read_changes_nothing(file: int, folder: int) -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are not for everybody
        path = Path(name) / "journal.sqlite3"
        write(path, press(1))
        before = path.read_bytes()
        path.chmod(file)
        path.parent.chmod(folder)
        ran = subprocess.run(
            [sys.executable, "-c", UPGRADE, str(path), "nobody"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        path.parent.chmod(0o755)

        assert ran.stdout.startswith(f"JournalError the journal {path} cannot be used: "), ran
        assert "check the disk and who may write there" in ran.stdout
        assert path.read_bytes() == before
        assert [one.name for one in path.parent.iterdir()] == [path.name]


# the way back


def test_no_copy_is_written_over(path: Path) -> None:
    assert [keep(path, SCHEMA_VERSION).name for _ in range(3)] == [
        f"{path.name}.{COPY}", f"{path.name}.{COPY}.2", f"{path.name}.{COPY}.3",
    ]  # fmt: skip


def test_a_version_refuses_a_newer_journal_and_says_what_to_do(path: Path) -> None:
    open_writer(path, busy=1, steps=(STEP,)).close()
    with pytest.raises(JournalError, match=rf"newer offrecord \(schema {NEXT}\)") as caught:
        open_writer(path, busy=1)

    assert "install that version again" in str(caught.value)
    assert caught.value.exit is Exit.JOURNAL
    assert schema_number(path) == NEXT


def test_a_reader_refuses_an_older_journal_and_says_what_to_do(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("offrecord.journal.schema.SCHEMA_VERSION", NEXT)
    with pytest.raises(JournalError, match=rf"older offrecord \(schema {NEXT - 1}\)") as caught:
        presses(path)

    assert "start the daemon" in caught.value.fix


def test_one_command_puts_the_copy_back_and_loses_nothing(path: Path) -> None:
    with closing(open_writer(path, busy=1, steps=(STEP,))) as db:
        db.execute("BEGIN IMMEDIATE")
        append(db, press(3))
        db.execute("COMMIT")
    copy = Path(f"{path}.{COPY}")
    done = offrecord("audit", "restore", str(copy), "--journal", str(path))

    assert done.exception is None
    aside = Path(f"{path}.replaced")
    assert str(aside) in done.output
    proof = verify(path)
    assert (proof.broken, proof.records) == (None, 8)
    assert schema_number(aside) == NEXT
    with closing(sqlite3.connect(aside)) as db:
        assert db.execute("SELECT count(*) FROM records").fetchone() == (12,)
    assert copy.exists()
    write(path, [row("p4", "pressed")])
    assert verify(path).broken is None


async def test_a_journal_from_before_the_first_release_is_moved_as_the_error_says(
    path: Path,
) -> None:
    set_schema(path, 2)
    with pytest.raises(JournalError, match="from before the first release") as caught:
        open_writer(path, busy=1)
    assert f"move {path}* to another folder" in caught.value.fix
    kept = path.parent / "before"
    kept.mkdir()
    for one in path.parent.glob(f"{path.name}*"):
        one.rename(kept / one.name)

    async with Journal(path) as journal:
        assert await journal.write(Record("p1", "pressed", {"verb": "stop"}, BEGAN)) == 1
    assert schema_number(path) == SCHEMA_VERSION
    assert schema_number(kept / path.name) == 2


def test_a_journal_in_use_is_not_replaced(path: Path) -> None:
    copy = keep(path, SCHEMA_VERSION)
    with closing(open_writer(path, busy=1)) as daemon:
        daemon.execute("SELECT count(*) FROM records").fetchone()
        with pytest.raises(JournalError, match="locked") as caught:
            restore(path, copy, busy=0.01)
    assert "end that" in str(caught.value)
    assert sorted(one.name for one in path.parent.iterdir()) == [path.name, copy.name]
    assert restore(path, copy) == Path(f"{path}.replaced")


def test_a_damaged_journal_is_kept_as_it_is(path: Path) -> None:
    copy = keep(path, SCHEMA_VERSION)
    path.write_bytes(b"x" * 5000)
    aside = restore(path, copy)

    assert aside is not None
    assert aside.read_bytes() == b"x" * 5000
    assert verify(path).broken is None


def test_where_no_journal_is_the_copy_becomes_one(path: Path) -> None:
    copy = keep(path, SCHEMA_VERSION)
    path.unlink()
    assert restore(path, copy) is None
    assert verify(path).broken is None


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda copy: None, "there is no copy"),
        (lambda copy: copy.touch(), "an empty file"),
        (lambda copy: copy.write_bytes(b"x" * 5000), "not a database"),
        (lambda copy: (write(copy, press(1)), set_schema(copy, NEXT)), f"of schema {NEXT}"),
        (lambda copy: (write(copy, press(1)), set_schema(copy, 2)), "of schema 2"),
        (lambda copy: sqlite3.connect(copy).execute("CREATE TABLE x (y)"), "no journal"),
        (lambda copy: (write(copy, press(1)), Path(f"{copy}-wal").touch()), "is in use"),
    ],
)
def test_what_is_no_copy_replaces_nothing(
    made: Callable[[Path], object], said: str, path: Path
) -> None:
    copy = path.with_name("copy")
    made(copy)
    with pytest.raises(JournalError, match=said):
        restore(path, copy)
    assert len(presses(path)) == 2
    assert not Path(f"{path}.replaced").exists()
