# SPDX-License-Identifier: Apache-2.0
"""The journal's file: its schema, and how it is opened for writing and for reading.

SQLite in WAL mode with `synchronous=FULL`: a commit returns once the disk has it. The table of
records is append-only; triggers refuse every change to a row that is there. The table `head` has
one row, the anchor: number and hash of the last record, written in the same commit.
"""

import os
import sqlite3
from pathlib import Path
from typing import Final
from urllib.parse import quote

from offrecord.base.errors import Exit, UserError
from offrecord.journal.hash_chain import GENESIS

SCHEMA_VERSION: Final = 2
APPLICATION_ID: Final = 0x0FFEC04D
"""Marks the file as ours in its header, so that no other database is taken for a journal."""

FILE_MODE: Final = 0o640
FOLDER_MODE: Final = 0o750

GUARDS: Final = {
    "records_stay": """CREATE TRIGGER records_stay BEFORE UPDATE ON records
    BEGIN SELECT raise(ABORT, 'the journal is append-only'); END""",
    "records_remain": """CREATE TRIGGER records_remain BEFORE DELETE ON records
    BEGIN SELECT raise(ABORT, 'the journal is append-only'); END""",
    "records_follow": """CREATE TRIGGER records_follow BEFORE INSERT ON records
    WHEN new.seq <= (SELECT coalesce(max(seq), 0) FROM records)
    BEGIN SELECT raise(ABORT, 'the journal is append-only'); END""",
    "head_advances": """CREATE TRIGGER head_advances BEFORE UPDATE ON head
    WHEN new.seq <= old.seq
    BEGIN SELECT raise(ABORT, 'the journal is append-only'); END""",
    "head_remains": """CREATE TRIGGER head_remains BEFORE DELETE ON head
    BEGIN SELECT raise(ABORT, 'the journal is append-only'); END""",
    "head_is_one": """CREATE TRIGGER head_is_one BEFORE INSERT ON head
    WHEN (SELECT count(*) FROM head) > 0
    BEGIN SELECT raise(ABORT, 'the journal is append-only'); END""",
}
"""The triggers that keep the file append-only, by name."""

SCHEMA: Final = (
    """CREATE TABLE records (
    seq        INTEGER PRIMARY KEY,
    press      TEXT NOT NULL CHECK (typeof(press) = 'text'),
    at         INTEGER NOT NULL CHECK (typeof(at) = 'integer'),
    utc_offset INTEGER CHECK (typeof(utc_offset) IN ('integer', 'null')),
    kind       TEXT NOT NULL CHECK (typeof(kind) = 'text'),
    body       TEXT NOT NULL CHECK (typeof(body) = 'text'),
    prev       TEXT NOT NULL CHECK (typeof(prev) = 'text' AND length(prev) = 64),
    hash       TEXT NOT NULL CHECK (typeof(hash) = 'text' AND length(hash) = 64)
)""",
    "CREATE INDEX records_of_press ON records (press, seq)",
    "CREATE INDEX presses_by_time ON records (at) WHERE kind = 'pressed'",
    "CREATE INDEX records_of_the_chain ON records (seq) WHERE kind IN ('migrated', 'sealed')",
    """CREATE TABLE head (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    seq  INTEGER NOT NULL CHECK (typeof(seq) = 'integer'),
    hash TEXT NOT NULL CHECK (typeof(hash) = 'text' AND length(hash) = 64)
)""",
    *GUARDS.values(),
)
"""Schema 2. A file of schema 1 gets the same by `offrecord.journal.migrate`; a test compares."""

_NEW: Final = ";\n".join(
    (
        "BEGIN IMMEDIATE",
        *SCHEMA,
        f"INSERT INTO head (id, seq, hash) VALUES (1, 0, '{GENESIS}')",  # noqa: S608 - zeros
        # What alembic would have left, so that it knows which scripts have run.
        """CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,
        CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))""",
        "INSERT INTO alembic_version (version_num) VALUES ('0002')",
        f"PRAGMA application_id = {APPLICATION_ID}",
        f"PRAGMA user_version = {SCHEMA_VERSION}",
        "COMMIT;",
    )
)


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
        _prepare(db, path, busy)
    except sqlite3.Error as error:
        db.close()
        raise unusable(path, error) from error
    except JournalError:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, path: Path, busy: float) -> None:
    version = schema_of(db, path)
    mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise JournalError(
            f"the journal {path} lies where SQLite's WAL does not work", "put it on a local disk"
        )
    db.execute("PRAGMA synchronous = FULL")
    if not version:
        db.executescript(_NEW)
    elif version < SCHEMA_VERSION:
        from offrecord.journal.migrate import upgrade  # half a second, for old files alone

        upgrade(path, busy=busy)


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
    if not schema_of(db, path):
        raise JournalError(f"{path} is an empty file, not a journal", "name another")


def schema_of(db: sqlite3.Connection, path: Path) -> int:
    """Return the schema of a journal, 0 for an empty file.

    Raises `JournalError` for a database that is none, and for a newer one than this version knows.
    """
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    application = db.execute("PRAGMA application_id").fetchone()[0]
    tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if not tables and not application:
        return 0
    if application != APPLICATION_ID:
        raise JournalError(f"{path} is a database, but no journal", "set journal.path to another")
    if version > SCHEMA_VERSION:
        raise JournalError(
            f"the journal {path} was written by a newer offrecord (schema {version})",
            "install that version again",
        )
    return version
