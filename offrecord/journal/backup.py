# SPDX-License-Identifier: Apache-2.0
"""Copies of the journal's file: one is made before its schema changes, and one can be put back.

A copy lies beside the journal as `journal.sqlite3.schema-1`. It is made through SQLite, so that
what is in the log beside the file is in it, and it is a whole journal by itself.
"""

import os
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from offrecord.journal.schema import FILE_MODE, JournalError, schema_of, unusable

_BESIDE: Final = ("-wal", "-shm")


def keep(path: Path, version: int) -> Path:
    """Copy a journal of schema `version`, and return where the copy is once the disk has it.

    No copy that is there is touched: the next one gets a number. May run while another connection
    holds the journal's write lock. Raises `JournalError`.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.unlink(missing_ok=True)
        os.close(os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(fresh)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, and no other beside it
        return _settle(fresh, path, f"{path}.schema-{version}")
    except (OSError, sqlite3.Error) as error:
        raise unusable(path, error) from error
    finally:
        _drop(fresh)


def restore(path: Path, copy: Path, *, busy: float = 2.0) -> Path | None:
    """Put a copy in the place of the journal; return where the one that was there is now.

    The daemon must not be running: a journal that is in use is refused after `busy` seconds.
    Whatever schema the journal has, newer ones included, it is kept. Raises `JournalError`.
    """
    _expect_a_journal(copy)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.unlink(missing_ok=True)
        shutil.copyfile(copy, fresh)
        fresh.chmod(FILE_MODE)
        if not path.exists():
            _own_as(path.parent, fresh)
            fresh.replace(path)
            return None
        _release(path, busy)
        _own_as(path, fresh)
        _sync(fresh)
        aside = _free(f"{path}.replaced")
        aside.hardlink_to(path)  # there is a journal at every moment: no new one is begun
        for name in _BESIDE:
            if (log := Path(f"{path}{name}")).exists():
                log.rename(f"{aside}{name}")
        fresh.replace(path)
        _sync(path.parent)
    except (OSError, sqlite3.Error) as error:
        raise unusable(path, error) from error
    finally:
        _drop(fresh)
    return aside


def _expect_a_journal(copy: Path) -> None:
    if not copy.is_file():
        raise JournalError(f"there is no copy at {copy}", "name another")
    if Path(f"{copy}-wal").exists():
        raise JournalError(f"{copy} is in use, or was not closed", "name a copy, not a journal")
    try:
        with closing(sqlite3.connect(f"{copy.absolute().as_uri()}?mode=ro", uri=True)) as db:
            if not schema_of(db, copy):
                raise JournalError(f"{copy} is an empty file, not a journal", "name another")
    except sqlite3.Error as error:
        raise unusable(copy, error) from error


def _release(path: Path, busy: float) -> None:
    """Have SQLite put its log into the file, which only works when nobody else has it open."""
    with closing(sqlite3.connect(path, timeout=busy, isolation_level=None)) as db:
        try:
            db.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.OperationalError as error:
            raise unusable(path, error) from error
        except sqlite3.DatabaseError:
            return  # damaged: it is kept as it is, with its log beside it


def _settle(fresh: Path, like: Path, name: str) -> Path:
    _own_as(like, fresh)
    _sync(fresh)
    made = _free(name)
    made.hardlink_to(fresh)
    _sync(made.parent)
    return made


def _drop(fresh: Path) -> None:
    with suppress(OSError):  # what went wrong before this is what is said
        fresh.unlink(missing_ok=True)


def _free(name: str) -> Path:
    found, number = Path(name), 1
    while found.exists():
        number += 1
        found = Path(f"{name}.{number}")
    return found


def _own_as(model: Path, path: Path) -> None:
    """Have a file that root writes belong to whose the journal is."""
    if os.geteuid() == 0:
        stat = model.stat()
        os.chown(path, stat.st_uid, stat.st_gid)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
