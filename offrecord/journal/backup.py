# SPDX-License-Identifier: Apache-2.0
"""Copies of the journal's file: one is made before each upgrade, and one can be put back.

A copy lies in the journal's folder as `journal.sqlite3.schema-3`, where 3 is its schema. It is made
through SQLite, which includes what is still in the write-ahead log, and is a complete journal.
"""

import os
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from offrecord.journal.schema import (
    FILE_MODE,
    FIRST_SCHEMA,
    SCHEMA_VERSION,
    JournalError,
    unusable,
    version_of,
)

_LOGS: Final = ("-wal", "-shm")


def keep(path: Path, version: int) -> Path:
    """Copy a journal of schema `version`; return the path of the copy, synced to the disk.

    An existing copy is never overwritten: the next one gets a number. Works while another
    connection holds the journal's write lock. Raises `JournalError`.
    """
    fresh = path.with_name(f".{path.name}.copy")
    try:
        fresh.unlink(missing_ok=True)
        os.close(os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(fresh)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # a single file, no -wal or -shm
        return _settle(fresh, path, f"{path}.schema-{version}")
    except (OSError, sqlite3.Error) as error:
        raise unusable(path, error) from error
    finally:
        _drop(fresh)


def restore(path: Path, copy: Path, *, busy: float = 2.0) -> Path | None:
    """Replace the journal by a copy; return the path where the previous journal is kept.

    Returns None if there was no journal. The daemon must not be running: a journal in use is
    refused after `busy` seconds. The previous journal may be of any schema, or damaged. Raises
    `JournalError`.
    """
    _expect_a_journal(copy)
    fresh = path.with_name(f".{path.name}.restore")
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
        aside.hardlink_to(path)  # the path is never empty: no daemon begins a new journal
        for name in _LOGS:
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
            version = version_of(db, copy)
    except sqlite3.Error as error:
        raise unusable(copy, error) from error
    if not version:
        raise JournalError(f"{copy} is an empty file, not a journal", "name another")
    if not FIRST_SCHEMA <= version <= SCHEMA_VERSION:
        raise JournalError(
            f"{copy} is of schema {version}, which this offrecord does not read",
            "name another, or install the version that wrote it",
        )


def _release(path: Path, busy: float) -> None:
    """Move SQLite's write-ahead log into the file; fails while another process has it open."""
    with closing(sqlite3.connect(path, timeout=busy, isolation_level=None)) as db:
        try:
            db.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.OperationalError as error:
            raise unusable(path, error) from error
        except sqlite3.DatabaseError:
            return  # damaged: it is kept unchanged, together with its log


def _settle(fresh: Path, like: Path, name: str) -> Path:
    _own_as(like, fresh)
    _sync(fresh)
    made = _free(name)
    made.hardlink_to(fresh)
    _sync(made.parent)
    return made


def _drop(fresh: Path) -> None:
    with suppress(OSError):  # the error that came before this one is the one to report
        fresh.unlink(missing_ok=True)


def _free(name: str) -> Path:
    found, number = Path(name), 1
    while found.exists():
        number += 1
        found = Path(f"{name}.{number}")
    return found


def _own_as(model: Path, path: Path) -> None:
    """Give `path` the owner and group of `model`; only root can, and only root needs to."""
    if os.geteuid() == 0:
        stat = model.stat()
        os.chown(path, stat.st_uid, stat.st_gid)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
