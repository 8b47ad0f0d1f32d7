# SPDX-License-Identifier: Apache-2.0
"""The steps that bring a journal's file from one schema to the next.

All due steps run in one transaction: the file has the old schema or the new one, never a mixture.
Before that a copy of the file is kept, see `offrecord.journal.backup`.

To change the file: change `SCHEMA` and raise `SCHEMA_VERSION` in `offrecord.journal.schema`, and
append a step here whose statements bring an existing file to the same schema. A step never changes
once it was released, and shares no constant with the rest of the code, which does. Statements that
touch existing rows drop the triggers first and create them again.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from offrecord.journal.backup import keep
from offrecord.journal.schema import schema_of, unusable


class Step(NamedTuple):
    """One upgrade: the schema it leads to, and the SQL statements that do it, in their order."""

    to: int
    statements: tuple[str, ...]


STEPS: Final[tuple[Step, ...]] = ()
"""Every step in order, from `FIRST_SCHEMA` to `SCHEMA_VERSION`; none, as long as they are equal."""


def upgrade(db: sqlite3.Connection, path: Path, steps: Sequence[Step] = STEPS) -> None:
    """Run the steps that lead beyond the schema of the open journal `db`, which lies at `path`.

    `db` must be in autocommit mode. Does nothing if no step is due. Raises `JournalError`; the
    file is then as it was.
    """
    if not _due(db, path, steps):
        return
    try:
        db.execute("BEGIN IMMEDIATE")
        version = schema_of(db, path)
        due = _due(db, path, steps)  # another process may have been faster
        if due:
            keep(path, version)  # under the lock: no record can come after the copy
        for step in due:
            for statement in step.statements:
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {step.to}")
        db.execute("COMMIT")
    except sqlite3.Error as error:
        raise unusable(path, error) from error
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def _due(db: sqlite3.Connection, path: Path, steps: Sequence[Step]) -> list[Step]:
    version = schema_of(db, path)
    return [step for step in steps if step.to > version]
