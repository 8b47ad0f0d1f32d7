# SPDX-License-Identifier: Apache-2.0
"""Reads the journal's file, whether or not a daemon is running, and never changes it."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from bridges.model import Outcome
from offrecord.journal.schema import open_reader, unusable


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """One record as it is stored. `at` is milliseconds since the epoch, UTC.

    `utc_offset` is how many seconds the host's local time was ahead of UTC, None if unknown. It and
    the hashes are also None where the caller did not read these columns.
    """

    seq: int
    press: str
    at: int
    kind: str
    body: dict[str, Any]
    utc_offset: int | None = None
    prev: str | None = None
    hash: str | None = None


STORED: Final = "seq, press, at, kind, body, utc_offset, prev, hash"
"""The columns of `records` from which `stored` makes a `StoredRecord`."""


def stored(row: tuple[Any, ...]) -> StoredRecord:
    """Return a row of the columns `STORED` as a record. Raises ValueError if `body` is not JSON."""
    seq, press, at, kind, body, *rest = row
    return StoredRecord(seq, press, at, kind, json.loads(body), *rest)


@dataclass(frozen=True, slots=True)
class PressSummary:
    """One press in a list, as `offrecord presses --json` prints it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"use_attribute_docstrings": True}

    press: str
    at: int
    """milliseconds since the epoch, UTC"""
    verb: str
    way: str
    target: str
    channel: str | None
    agent: str | None
    call: str | None
    """its linkedid; null when no call was found"""
    outcome: str | None
    """of the last verdict, `failed` when it was taken back; null while there is none, or when the
    daemon died before it"""
    text: str | None
    took_ms: float | None


def _last(kind: str, key: str) -> str:
    return (
        f"(SELECT json_extract(r.body, '$.{key}') FROM records r WHERE r.press = p.press "  # noqa: S608
        f"AND r.kind = '{kind}' ORDER BY r.seq DESC LIMIT 1)"
    )


_PRESSES: Final = f"""
SELECT * FROM (
    SELECT p.press, p.at,
           json_extract(p.body, '$.verb') AS verb,
           json_extract(p.body, '$.way') AS way,
           json_extract(p.body, '$.target') AS target, json_extract(p.body, '$.channel') AS channel,
           coalesce({_last("resolved", "agent")}, json_extract(p.body, '$.agent')) AS agent,
           {_last("resolved", "call")} AS call,
           coalesce({_last("taken_back", "outcome")}, {_last("verdict", "outcome")}) AS outcome,
           coalesce({_last("taken_back", "text")}, {_last("verdict", "text")}) AS text,
           {_last("verdict", "took_ms")} AS took_ms,
           json_extract(p.body, '$.uniqueid') AS uniqueid,
           p.seq AS seq
    FROM records p WHERE p.kind = 'pressed' AND p.at >= :since
) AS s
WHERE (:agent IS NULL OR agent = :agent)
  AND (:outcome IS NULL OR outcome = :outcome)
  AND (:call IS NULL OR :call IN (call, uniqueid, channel, target)
       OR EXISTS (SELECT 1 FROM records r, json_each(r.body, '$.lineage') AS one
                  WHERE r.press = s.press AND r.kind = 'resolved' AND one.value = :call)
       OR EXISTS (SELECT 1 FROM records r, json_tree(r.body, '$.channels') AS one
                  WHERE r.press = s.press AND r.kind = 'resolved' AND one.atom = :call
                    AND one.key IN ('channel', 'uniqueid')))
ORDER BY at DESC, seq DESC LIMIT :limit
"""  # noqa: S608 - the only texts put in are the literals above


def presses(
    path: Path,
    *,
    since: int = 0,
    call: str | None = None,
    agent: str | None = None,
    outcome: Outcome | None = None,
    limit: int = 1000,
) -> list[PressSummary]:
    """Return the presses in the journal at `path`, newest first, at most `limit` of them.

    since: milliseconds since the epoch, UTC.
    call: any linkedid that the call has had, the uniqueid or name of any of its channels, or the
        target of the press.

    A `limit` below zero means no limit. Raises `JournalError`.
    """
    asked = {
        "since": since,
        "call": call,
        "agent": agent,
        "outcome": outcome.value if outcome else None,
        "limit": limit,
    }
    with reading(path) as db:
        rows = db.execute(_PRESSES, asked).fetchall()
    return [PressSummary(*row[:11]) for row in rows]


def show(path: Path, press: str) -> list[StoredRecord]:
    """Return all records of a press, oldest first; empty if there is no press of that id.

    Raises `JournalError`.
    """
    with reading(path) as db:
        rows = db.execute(
            f"SELECT {STORED} FROM records WHERE press = ? ORDER BY seq",  # noqa: S608 - constant
            (press,),
        ).fetchall()
    return [stored(row) for row in rows]


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the journal read-only. Raises `JournalError`, also for SQLite errors in the block."""
    db = open_reader(path)
    try:
        yield db
    except sqlite3.Error as error:
        raise unusable(path, error) from error
    finally:
        db.close()
