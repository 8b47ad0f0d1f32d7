# SPDX-License-Identifier: Apache-2.0
"""Moving the journal's file between schemas, up when it is opened and down when asked.

The scripts in `migrations` are run by alembic, all within one transaction: a file is of the old
schema or of the new one, never between. Before that a copy of the file is laid beside it, see
`offrecord.journal.backup`. Alembic is imported here and nowhere else, since it
takes half a second and is needed once in the life of a file.
"""

import sqlite3
from pathlib import Path
from typing import Any, Final

from offrecord.journal.backup import keep
from offrecord.journal.schema import SCHEMA_VERSION, JournalError, schema_of, unusable

SCRIPTS: Final = Path(__file__).parent / "migrations"


def upgrade(path: Path, *, busy: float = 5.0) -> None:
    """Bring a journal to the present schema. Does nothing where that is so already.

    `busy` is how many seconds a lock is waited for. Raises `JournalError`.
    """
    _move(path, SCHEMA_VERSION, busy)


def downgrade(path: Path, to: int, *, busy: float = 5.0) -> None:
    """Take a journal back to schema `to`, for an older offrecord; the chain is then gone.

    The daemon must not be running: it would bring the file up again. Raises `JournalError`.
    """
    if not 1 <= to <= SCHEMA_VERSION:
        raise JournalError(f"there is no schema {to}", f"name one from 1 to {SCHEMA_VERSION}")
    if not path.exists():
        raise JournalError(f"there is no journal at {path}", "name another")
    _move(path, to, busy)


def _move(path: Path, to: int, busy: float) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError
    from sqlalchemy import create_engine, event, pool
    from sqlalchemy.exc import SQLAlchemyError

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(path, timeout=busy, isolation_level=None)

    engine = create_engine("sqlite://", creator=connect, poolclass=pool.NullPool)

    # Python's driver begins no transaction for what changes a schema, so it is told to stay out
    # of it, and this begins one: SQLite itself can take all of that back.
    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    try:
        with engine.begin() as connection:
            raw: Any = connection.connection.dbapi_connection
            version = schema_of(raw, path)
            if version in {0, to}:
                return  # somebody else was faster, or there is nothing to move
            keep(path, version)  # the lock is ours, so nothing comes after it
            config = Config()
            config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
            config.attributes["connection"] = connection
            # Files of schema 1 were made before there were scripts.
            command.stamp(config, f"{version:04}")
            (command.upgrade if to > version else command.downgrade)(config, f"{to:04}")
            connection.exec_driver_sql(f"PRAGMA user_version = {int(to)}")
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None)
        raise unusable(path, cause if isinstance(cause, sqlite3.Error) else error) from error
    except (sqlite3.Error, CommandError) as error:
        raise unusable(path, error) from error
    finally:
        engine.dispose()
