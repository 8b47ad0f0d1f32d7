# SPDX-License-Identifier: Apache-2.0
"""Schema 2: each record holds the hash of the one before it; one row anchors the last.

The records of schema 1 are chained as they stand, after a note numbered 0 that says so: what was
done to them before can not be proven. Their clock's offset is not known.

What this script does is never changed, so it shares no text with the code of the day.
"""

import json
import time
from collections.abc import Iterator
from hashlib import sha256
from itertools import chain
from typing import Any

from alembic import op

revision = "0002"
down_revision = "0001"

_TABLE = """CREATE TABLE records (
    seq        INTEGER PRIMARY KEY,
    press      TEXT NOT NULL CHECK (typeof(press) = 'text'),
    at         INTEGER NOT NULL CHECK (typeof(at) = 'integer'),
    utc_offset INTEGER CHECK (typeof(utc_offset) IN ('integer', 'null')),
    kind       TEXT NOT NULL CHECK (typeof(kind) = 'text'),
    body       TEXT NOT NULL CHECK (typeof(body) = 'text'),
    prev       TEXT NOT NULL CHECK (typeof(prev) = 'text' AND length(prev) = 64),
    hash       TEXT NOT NULL CHECK (typeof(hash) = 'text' AND length(hash) = 64)
)"""
_OLD_TABLE = """CREATE TABLE records (
    seq   INTEGER PRIMARY KEY,
    press TEXT NOT NULL CHECK (typeof(press) = 'text'),
    at    INTEGER NOT NULL CHECK (typeof(at) = 'integer'),
    kind  TEXT NOT NULL CHECK (typeof(kind) = 'text'),
    body  TEXT NOT NULL CHECK (typeof(body) = 'text')
)"""
_HEAD = """CREATE TABLE head (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    seq  INTEGER NOT NULL CHECK (typeof(seq) = 'integer'),
    hash TEXT NOT NULL CHECK (typeof(hash) = 'text' AND length(hash) = 64)
)"""
_INDEXES = (
    "CREATE INDEX records_of_press ON records (press, seq)",
    "CREATE INDEX presses_by_time ON records (at) WHERE kind = 'pressed'",
)
_CHAIN_INDEX = (
    "CREATE INDEX records_of_the_chain ON records (seq) WHERE kind IN ('migrated', 'sealed')"
)
_REFUSE = "BEGIN SELECT raise(ABORT, 'the journal is append-only'); END"
_GUARDS = (
    f"""CREATE TRIGGER records_stay BEFORE UPDATE ON records
    {_REFUSE}""",
    f"""CREATE TRIGGER records_remain BEFORE DELETE ON records
    {_REFUSE}""",
    f"""CREATE TRIGGER records_follow BEFORE INSERT ON records
    WHEN new.seq <= (SELECT coalesce(max(seq), 0) FROM records)
    {_REFUSE}""",  # noqa: S608 - the text above
)
_HEAD_GUARDS = (
    f"""CREATE TRIGGER head_advances BEFORE UPDATE ON head
    WHEN new.seq <= old.seq
    {_REFUSE}""",
    f"""CREATE TRIGGER head_remains BEFORE DELETE ON head
    {_REFUSE}""",
    f"""CREATE TRIGGER head_is_one BEFORE INSERT ON head
    WHEN (SELECT count(*) FROM head) > 0
    {_REFUSE}""",  # noqa: S608 - the text above
)
_INSERT = "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_BATCH = 1000


def upgrade() -> None:
    """Chain what is there. Takes about a second for 100,000 records."""
    db = op.get_bind()
    _old_aside()
    op.execute(_TABLE)
    old = "SELECT seq, press, at, NULL, kind, body FROM records_1 ORDER BY seq"
    prev, last = "0" * 64, 0
    batch: list[tuple[Any, ...]] = []
    rows = chain([_note()], map(tuple, db.exec_driver_sql(old)))
    for row in rows:
        prev, link = _hash(row, prev), (*row, prev)
        last = max(last, row[0])
        batch.append((*link, prev))
        if len(batch) == _BATCH:
            db.exec_driver_sql(_INSERT, batch)
            batch = []
    if batch:
        db.exec_driver_sql(_INSERT, batch)
    op.execute(_HEAD)
    db.exec_driver_sql("INSERT INTO head (id, seq, hash) VALUES (1, ?, ?)", (last, prev))
    op.execute("DROP TABLE records_1")
    for statement in (*_INDEXES, _CHAIN_INDEX, *_GUARDS, *_HEAD_GUARDS):
        op.execute(statement)


def downgrade() -> None:
    """Leave the hashes, the anchor and the note away. Numbers and bodies stay as they are."""
    _old_aside()
    op.execute("DROP INDEX records_of_the_chain")
    op.execute(_OLD_TABLE)
    op.execute(
        "INSERT INTO records SELECT seq, press, at, kind, body FROM records_1"
        " WHERE kind != 'migrated' ORDER BY seq"
    )
    op.execute("DROP TABLE records_1")
    op.execute("DROP TABLE head")
    for statement in (*_INDEXES, *_GUARDS):
        op.execute(statement)


def _old_aside() -> None:
    for name in ("records_stay", "records_remain", "records_follow"):
        op.execute(f"DROP TRIGGER {name}")
    for name in ("records_of_press", "presses_by_time"):
        op.execute(f"DROP INDEX {name}")
    op.execute("ALTER TABLE records RENAME TO records_1")


def _note() -> tuple[Any, ...]:
    """Return the record that stands before all others, and says that they were chained later."""
    db = op.get_bind()
    count, last = db.exec_driver_sql("SELECT count(*), max(seq) FROM records_1").one()
    now = time.time_ns() // 1_000_000
    body = {
        "from": 1,
        "to": 2,
        "records": count,
        "last": last or 0,
        "gaps": list(_gaps()),
        "note": "these records were written before there was a chain; it proves them from now on",
    }
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return (0, "", now, time.localtime().tm_gmtoff, "migrated", text)


def _gaps() -> Iterator[list[int]]:
    """Return the numbers that are missing, as pairs of first and last."""
    found = op.get_bind().exec_driver_sql(
        "SELECT before + 1, seq - 1 FROM (SELECT seq, lag(seq, 1, 0) OVER (ORDER BY seq) AS before"
        " FROM records_1) WHERE seq > before + 1 ORDER BY seq"
    )
    for first, last in found:
        yield [first, last]


def _hash(row: tuple[Any, ...], prev: str) -> str:
    parts = ["offrecord-2", *("" if field is None else str(field) for field in row), prev]
    raw = [part.encode() for part in parts]
    return sha256(b"".join(b"%d:%b," % (len(part), part) for part in raw)).hexdigest()
