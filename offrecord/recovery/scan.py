# SPDX-License-Identifier: Apache-2.0
"""Read from the journal what the previous daemon process left unfinished."""

import asyncio
import json
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import structlog

from offrecord.journal.schema import JournalError, open_reader, unusable
from offrecord.model.press import now_ms
from offrecord.recovery.unfinished import OpenWork, mark_overridden, open_intents, open_presses

_OPEN: Final = """
SELECT press FROM records AS p WHERE kind = 'pressed' AND NOT EXISTS (
    SELECT 1 FROM records AS v WHERE v.press = p.press AND v.kind IN ('verdict', 'closed'))
UNION
SELECT press FROM records AS i WHERE kind = 'intent' AND NOT EXISTS (
    SELECT 1 FROM records AS e WHERE e.press = i.press AND e.kind = 'intent_ended')
UNION
SELECT press FROM records AS v WHERE kind = 'verdict'
    AND seq > (SELECT min(seq) FROM records WHERE kind = 'intent')
    AND json_extract(body, '$.outcome') IN ('failed', 'denied') AND NOT EXISTS (
        SELECT 1 FROM records AS c WHERE c.press = v.press AND c.kind = 'closed')
"""
"""The presses that may be unfinished; their records decide. A journal without any intent was
written by a version that retried nothing."""

_TURNED_ON: Final = """
SELECT press FROM records WHERE kind = 'pressed' AND at >= ?
AND json_extract(body, '$.verb') IN ('resume', 'start')
"""

_RECORDS: Final = "SELECT kind, at, body FROM records WHERE press = ? ORDER BY seq"


def read(path: Path, *, now: int | None = None) -> OpenWork:
    """Return what the previous daemon process left unfinished in the journal at `path`.

    `now` is milliseconds since the epoch, UTC. Raises `JournalError`. Blocking.
    """
    at = now_ms() if now is None else now
    db = open_reader(path)
    try:
        ids = [str(row[0]) for row in db.execute(_OPEN)]
        records = {id_: _records(db, id_) for id_ in ids}
        presses = open_presses(records, at, time.monotonic())
        first = min((one.press.at for one in presses), default=at)
        later = {id_: _records(db, id_) for (id_,) in db.execute(_TURNED_ON, (first,))}
    except sqlite3.Error as error:
        raise unusable(path, error) from error
    finally:
        db.close()
    return OpenWork(mark_overridden(presses, later), open_intents(records))


def _records(db: sqlite3.Connection, press: str) -> list[tuple[str, int, Mapping[str, Any]]]:
    rows = db.execute(_RECORDS, (press,)).fetchall()
    return [(kind, at, json.loads(body)) for kind, at, body in rows]


async def read_or_nothing(path: Path) -> OpenWork:
    """Read it in a thread; log a journal that cannot be read, and return nothing."""
    try:
        return await asyncio.to_thread(read, path)
    except JournalError as problem:
        structlog.get_logger().critical("journal_not_recovered", problem=str(problem))
        return OpenWork()
