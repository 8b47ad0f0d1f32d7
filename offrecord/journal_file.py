# SPDX-License-Identifier: Apache-2.0
"""The journal's file: its schema, and how it is opened for writing and for reading.

SQLite in WAL mode with `synchronous=FULL`: a commit returns once the disk has it. The one table
is append-only; triggers refuse every change to a row that is there.
"""

import os
import sqlite3
from pathlib import Path
from typing import Final
from urllib.parse import quote

from offrecord.exits import Exit, UserError

SCHEMA_VERSION: Final = 1
APPLICATION_ID: Final = 0x0FFEC04D
"""Marks the file as ours in its header, so that no other database is taken for a journal."""

FILE_MODE: Final = 0o640
FOLDER_MODE: Final = 0o750

_SCHEMA: Final = f"""
BEGIN IMMEDIATE;
CREATE TABLE records (
    seq   INTEGER PRIMARY KEY,
    press TEXT NOT NULL CHECK (typeof(press) = 'text'),
    at    INTEGER NOT NULL CHECK (typeof(at) = 'integer'),
    kind  TEXT NOT NULL CHECK (typeof(kind) = 'text'),
    body  TEXT NOT NULL CHECK (typeof(body) = 'text')
);
CREATE INDEX records_of_press ON records (press, seq);
CREATE INDEX presses_by_time ON records (at) WHERE kind = 'pressed';
CREATE TRIGGER records_stay BEFORE UPDATE ON records
    BEGIN SELECT raise(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER records_remain BEFORE DELETE ON records
    BEGIN SELECT raise(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER records_follow BEFORE INSERT ON records
    WHEN new.seq <= (SELECT coalesce(max(seq), 0) FROM records)
    BEGIN SELECT raise(ABORT, 'the journal is append-only'); END;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""  # noqa: S608 - both numbers are constants above


class JournalError(UserError):
    """The journal cannot be read or written; says why and what to do."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message, fix, Exit.JOURNAL)


def unusable(path: Path, error: Exception) -> JournalError:
    """Turn what SQLite or the system said into an error for the administrator."""
    why = error.strerror if isinstance(error, OSError) else str(error)
    name = getattr(error, "sqlite_errorname", "")
    fix = "check the disk and who may write there"
    if name.startswith("SQLITE_BUSY"):
        fix = "another program keeps it locked: end that"
    elif name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        fix = "move it aside for inspection; a new one is then begun"
    elif name == "SQLITE_FULL":
        fix = "make room on the disk"
    return JournalError(f"the journal {path} cannot be used: {why}", fix)


def open_writer(path: Path, *, busy: float) -> sqlite3.Connection:
    """Open the journal for appending and create it first if need be.

    `busy` is how many seconds another writer's lock is waited for. Raises `JournalError`.
    """
    try:
        path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        # SQLite gives -wal and -shm the mode of the file itself, so this settles all three.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE))
        db = sqlite3.connect(path, timeout=busy, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise unusable(path, error) from error
    try:
        _prepare(db, path)
    except sqlite3.Error as error:
        db.close()
        raise unusable(path, error) from error
    except JournalError:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    fresh = not _is_ours(db, path)
    mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise JournalError(
            f"the journal {path} lies where SQLite's WAL does not work", "put it on a local disk"
        )
    db.execute("PRAGMA synchronous = FULL")
    if fresh:
        db.executescript(_SCHEMA)


def open_reader(path: Path) -> sqlite3.Connection:
    """Open the journal for reading alone, with or without a daemon. Raises `JournalError`."""
    if not path.exists():
        raise JournalError(f"there is no journal at {path}", "name another, or start the daemon")
    address = f"file:{quote(str(path.absolute()))}"
    # Without a -wal beside it nobody writes, and a reader that may not create one can still read.
    lone = not Path(f"{path}-wal").exists()
    attempts = [f"{address}?mode=ro", *([f"{address}?mode=ro&immutable=1"] if lone else [])]
    failure = sqlite3.OperationalError("unable to open database file")
    for attempt in attempts:
        db = sqlite3.connect(attempt, uri=True, timeout=2.0, isolation_level=None)
        try:
            _expect_ours(db, path)
        except sqlite3.OperationalError as error:
            failure = error
            db.close()
        except sqlite3.Error as error:
            db.close()
            raise unusable(path, error) from error
        except JournalError:
            db.close()
            raise
        else:
            return db
    raise unusable(path, failure)


def _expect_ours(db: sqlite3.Connection, path: Path) -> None:
    if not _is_ours(db, path):
        raise JournalError(f"{path} is an empty file, not a journal", "name another")


def _is_ours(db: sqlite3.Connection, path: Path) -> bool:
    """Say whether this is a journal; False for an empty file. Raises `JournalError`."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    application = db.execute("PRAGMA application_id").fetchone()[0]
    tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if not tables and not application:
        return False
    if application != APPLICATION_ID:
        raise JournalError(f"{path} is a database, but no journal", "set journal.path to another")
    if version > SCHEMA_VERSION:
        raise JournalError(
            f"the journal {path} was written by a newer offrecord (schema {version})",
            "install that version again",
        )
    return True
