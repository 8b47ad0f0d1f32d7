# SPDX-License-Identifier: Apache-2.0
"""Reading the journal's file, with or without a daemon, never changing it."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bridges.model import Outcome
from offrecord.journal.schema import open_reader, schema_of, unusable


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """One record as it stands in the file. `at` is milliseconds since the epoch, UTC.

    `utc_offset` is how many seconds the host's clock was ahead of UTC; it and the hashes are None
    in a file of schema 1.
    """

    seq: int
    press: str
    at: int
    kind: str
    body: dict[str, Any]
    utc_offset: int | None = None
    prev: str | None = None
    hash: str | None = None


@dataclass(frozen=True, slots=True)
class PressSummary:
    """One press in a list.

    `call` is its linkedid once resolved. `outcome` is that of the last verdict; None while there
    is none, or when the daemon died before it.
    """

    press: str
    at: int
    verb: str
    way: str
    target: str
    channel: str | None
    agent: str | None
    call: str | None
    outcome: str | None
    text: str | None
    took_ms: float | None

    def as_json(self) -> dict[str, Any]:
        """Return the summary as `--json` prints it."""
        return {name: getattr(self, name) for name in self.__slots__}


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
           {_last("verdict", "outcome")} AS outcome,
           {_last("verdict", "text")} AS text,
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
    """Return the presses in the journal at `path`, newest first.

    `since` is milliseconds since the epoch. `call` is any linkedid that the call went by, the
    uniqueid or name of any of its channels, or the target of the press. Raises `JournalError`.
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
    """Return all records of a press, oldest first; empty when there is none of that id.

    Raises `JournalError`.
    """
    with reading(path) as db:
        chain = "utc_offset, prev, hash" if schema_of(db, path) > 1 else "NULL, NULL, NULL"
        rows = db.execute(
            f"SELECT seq, press, at, kind, body, {chain}"  # noqa: S608 - one of the texts above
            " FROM records WHERE press = ? ORDER BY seq",
            (press,),
        ).fetchall()
    return [
        StoredRecord(seq, press, at, kind, json.loads(body), offset, prev, own)
        for seq, press, at, kind, body, offset, prev, own in rows
    ]


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the journal for reading alone. Raises `JournalError`, also for what SQLite says then."""
    db = open_reader(path)
    try:
        yield db
    except sqlite3.Error as error:
        raise unusable(path, error) from error
    finally:
        db.close()
