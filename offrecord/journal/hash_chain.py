# SPDX-License-Identifier: Apache-2.0
"""The hash chain of the journal: each record holds its own hash and that of the previous record.

A record's hash is SHA-256, in lower-case hexadecimal, over these eight fields in this order, each
as UTF-8 and written as a netstring (its length in bytes, a colon, the bytes, a comma):

1. `offrecord-2`, the name of this form
2. `seq`, 3. `press`, 4. `at`, 5. `utc_offset`, 6. `kind`, 7. `body`, as the file holds them;
   numbers in decimal digits, an unknown offset as an empty text
8. `prev`, the hash of the previous record; 64 zeros for the first record

The lengths make the form unambiguous: no two records have the same bytes. Netstrings:
D. J. Bernstein, https://cr.yp.to/proto/netstrings.txt
"""

import sqlite3
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

GENESIS: Final = "0" * 64
"""The `prev` of the first record."""

FORM: Final = b"11:offrecord-2,"


class Row(NamedTuple):
    """One record to be appended: `at` is milliseconds since the epoch, UTC, `body` is JSON.

    `utc_offset` is how many seconds the host's local time was ahead of UTC; None if unknown.
    """

    press: str
    at: int
    utc_offset: int | None
    kind: str
    body: str


class Link(NamedTuple):
    """One record of the file, in the order of the table's columns."""

    seq: int
    press: str
    at: int
    utc_offset: int | None
    kind: str
    body: str
    prev: str
    hash: str


COLUMNS: Final = ", ".join(Link._fields)

INSERT: Final = f"INSERT INTO records ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608

_NEXT: Final = (
    "SELECT coalesce((SELECT seq FROM head), 0), coalesce((SELECT hash FROM head), ?),"
    " (SELECT coalesce(max(seq), 0) FROM records)"
)


def digest(  # noqa: PLR0917 - the fields of the form, in its order
    seq: int, press: str, at: int, utc_offset: int | None, kind: str, body: str, prev: str
) -> str:
    """Return the hash of a record. Texts may hold bytes that are no UTF-8 as surrogate escapes."""
    offset = "" if utc_offset is None else str(utc_offset)
    parts = [FORM]
    for field in (str(seq), press, str(at), offset, kind, body, prev):
        raw = field.encode("utf-8", "surrogateescape")
        parts.append(b"%d:%b," % (len(raw), raw))
    return sha256(b"".join(parts)).hexdigest()


def chained(rows: Iterable[Row], first: int, prev: str) -> list[Link]:
    """Return rows as records numbered from `first`, chained to the record with the hash `prev`."""
    links: list[Link] = []
    for seq, row in enumerate(rows, first):
        links.append(Link(seq, *row, prev, digest(seq, *row, prev)))
        prev = links[-1].hash
    return links


def append(db: sqlite3.Connection, rows: Sequence[Row]) -> list[Link]:
    """Append rows in the open transaction, which must hold the write lock; return the records.

    The anchor determines the next number and hash, not the last existing row: if somebody deleted
    that row, the gap stays visible. Raises `sqlite3.Error`.
    """
    last, prev, highest = db.execute(_NEXT, (GENESIS,)).fetchone()
    links = chained(rows, max(int(last), int(highest)) + 1, prev)
    db.executemany(INSERT, links)
    anchor = (links[-1].seq, links[-1].hash)
    if not db.execute("UPDATE head SET seq = ?, hash = ?", anchor).rowcount:
        db.execute("INSERT INTO head (id, seq, hash) VALUES (1, ?, ?)", anchor)
    return links
