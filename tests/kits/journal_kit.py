# SPDX-License-Identifier: Apache-2.0
"""The schema of a journal's file as tests look at it, and a step to a schema that was made up."""

import sqlite3
from contextlib import closing
from pathlib import Path

from offrecord.journal.schema import GUARDS, SCHEMA_VERSION
from offrecord.journal.upgrade import Step

NEXT = SCHEMA_VERSION + 1

STEP = Step(
    NEXT,
    (
        "DROP TRIGGER records_stay",
        "ALTER TABLE records ADD COLUMN site TEXT NOT NULL DEFAULT 'one'",
        "UPDATE records SET site = 'first' WHERE seq = 1",
        GUARDS["records_stay"],
    ),
)
"""Adds a column, fills it in one row, and puts the guard against changes back."""


def schema_number(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def set_schema(path: Path, number: int) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(f"PRAGMA user_version = {number}")


def statements(path: Path) -> dict[str, str]:
    """Return the statements that made the file's tables, indexes and triggers, by name."""
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return dict(rows)


def contents(path: Path) -> list[tuple[object, ...]]:
    """Return every row of the file, whatever its columns are."""
    with closing(sqlite3.connect(path)) as db:
        return [
            *db.execute("SELECT * FROM records ORDER BY seq"),
            *db.execute("SELECT * FROM head"),
        ]
