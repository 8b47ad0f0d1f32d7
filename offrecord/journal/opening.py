# SPDX-License-Identifier: Apache-2.0
"""Opening the journal's file for appending: it is created if missing, upgraded if older."""

import os
import sqlite3
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from offrecord.journal.hash_chain import GENESIS
from offrecord.journal.schema import (
    APPLICATION_ID,
    FILE_MODE,
    SCHEMA,
    SCHEMA_VERSION,
    JournalError,
    schema_of,
    unusable,
)
from offrecord.journal.upgrade import STEPS, Step, upgrade

FOLDER_MODE: Final = 0o750

_NEW: Final = ";\n".join(
    (
        "BEGIN IMMEDIATE",
        *SCHEMA,
        f"INSERT INTO head (id, seq, hash) VALUES (1, 0, '{GENESIS}')",  # noqa: S608 - zeros
        f"PRAGMA application_id = {APPLICATION_ID}",
        f"PRAGMA user_version = {SCHEMA_VERSION}",
        "COMMIT;",
    )
)


def open_writer(path: Path, *, busy: float, steps: Sequence[Step] = STEPS) -> sqlite3.Connection:
    """Open the journal for appending; create it if it is missing, upgrade it if it is older.

    busy: how many seconds to wait for another writer's lock.
    steps: the upgrades there are; only tests pass others.

    Raises `JournalError`.
    """
    try:
        path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        # SQLite gives -wal and -shm the mode of the file itself.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE))
        db = sqlite3.connect(path, timeout=busy, isolation_level=None, check_same_thread=False)
        with ExitStack() as failed:
            failed.callback(db.close)
            _prepare(db, path, steps)
            failed.pop_all()
    except (OSError, sqlite3.Error) as error:
        raise unusable(path, error) from error
    return db


def _prepare(db: sqlite3.Connection, path: Path, steps: Sequence[Step]) -> None:
    version = schema_of(db, path)
    mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise JournalError(
            f"the journal {path} lies where SQLite's WAL does not work", "put it on a local disk"
        )
    db.execute("PRAGMA synchronous = FULL")
    if version:
        upgrade(db, path, steps)
    else:
        db.executescript(_NEW)
