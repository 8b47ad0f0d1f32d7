# SPDX-License-Identifier: Apache-2.0
"""The schema of the journal's file, and how the file is opened for reading.

SQLite in WAL mode with `synchronous=FULL`: a commit returns once the disk has it. The table
`records` is append-only; triggers refuse every change to an existing row. The table `head` has one
row, the anchor: number and hash of the last record, written in the same commit.

`PRAGMA user_version` holds the number of the schema; `offrecord.journal.upgrade` brings a file from
one number to the next.
"""

import sqlite3
from pathlib import Path
from typing import Final
from urllib.parse import quote

from offrecord.base.errors import Exit, UserError

SCHEMA_VERSION: Final = 3
"""The schema of this version. It rises with every change of the file."""
FIRST_SCHEMA: Final = 3
"""The oldest schema that can be upgraded; 1 and 2 were never released."""
APPLICATION_ID: Final = 0x0FFEC04D
"""Written into the file's header, to tell a journal from any other SQLite database."""

FILE_MODE: Final = 0o640
"""The mode of a journal and of its copies: its owner writes, its group reads."""

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
    "CREATE INDEX records_of_seals ON records (seq) WHERE kind = 'sealed'",
    """CREATE TABLE head (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    seq  INTEGER NOT NULL CHECK (typeof(seq) = 'integer'),
    hash TEXT NOT NULL CHECK (typeof(hash) = 'text' AND length(hash) = 64)
)""",
    *GUARDS.values(),
)
"""The statements that make the tables, indexes and triggers of a new file."""


class JournalError(UserError):
    """Raised when the journal cannot be read or written; holds the reason and the fix."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message, fix, Exit.JOURNAL)


def unusable(path: Path, error: Exception) -> JournalError:
    """Return the `JournalError` for an error of SQLite or of the operating system."""
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


def open_reader(path: Path) -> sqlite3.Connection:
    """Open the journal read-only, whether or not a daemon is running. Raises `JournalError`."""
    if not path.exists():
        raise JournalError(f"there is no journal at {path}", "name another, or start the daemon")
    address = f"file:{quote(str(path.absolute()))}"
    # Without a -wal file nobody writes, and `immutable` needs no right to create one.
    lone = not Path(f"{path}-wal").exists()
    attempts = [f"{address}?mode=ro", *([f"{address}?mode=ro&immutable=1"] if lone else [])]
    failure = sqlite3.OperationalError("unable to open database file")
    for attempt in attempts:
        db = sqlite3.connect(attempt, uri=True, timeout=2.0, isolation_level=None)
        try:
            _expect_current(db, path)
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


def _expect_current(db: sqlite3.Connection, path: Path) -> None:
    version = schema_of(db, path)
    if not version:
        raise JournalError(f"{path} is an empty file, not a journal", "name another")
    if version < SCHEMA_VERSION:
        raise JournalError(
            f"the journal {path} was written by an older offrecord (schema {version})",
            "start the daemon, which upgrades it",
        )


def schema_of(db: sqlite3.Connection, path: Path) -> int:
    """Return the schema of a journal that this version can use or upgrade, 0 for an empty file.

    Raises `JournalError` for another database, for a newer schema, and for schemas 1 and 2.
    """
    version = version_of(db, path)
    if version > SCHEMA_VERSION:
        raise JournalError(
            f"the journal {path} was written by a newer offrecord (schema {version})",
            "install that version again",
        )
    if 0 < version < FIRST_SCHEMA:
        raise JournalError(
            f"the journal {path} is of schema {version}, from before the first release, which"
            " cannot be upgraded",
            f"stop the daemon, move {path}* to another folder and keep them there; the daemon"
            " begins a new journal when it starts",
        )
    return version


def version_of(db: sqlite3.Connection, path: Path) -> int:
    """Return the number of a journal's schema, whichever it is; 0 for an empty file.

    Raises `JournalError` for a database that is not a journal.
    """
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    application = db.execute("PRAGMA application_id").fetchone()[0]
    tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if not tables and not application:
        return 0
    if application != APPLICATION_ID:
        raise JournalError(f"{path} is a database, but no journal", "set journal.path to another")
    return version
