# SPDX-License-Identifier: Apache-2.0
"""The chain of the journal: each record holds the hash of the one before it, and its own.

A record's hash is SHA-256, in small hexadecimal letters, over these eight fields in this order,
each as UTF-8 and written as a netstring (its length in bytes, a colon, the bytes, a comma):

1. `offrecord-2`, the name of this form
2. `seq`, 3. `press`, 4. `at`, 5. `utc_offset`, 6. `kind`, 7. `body`, as the file holds them;
   numbers in decimal digits, an unknown offset as an empty text
8. `prev`, the hash of the record before; 64 zeros for the first one

Lengths come first, so no text can pass for two. Netstrings: D. J. Bernstein,
https://cr.yp.to/proto/netstrings.txt
"""

import sqlite3
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

GENESIS: Final = "0" * 64
"""What the first record of all names as the one before it."""

FORM: Final = b"11:offrecord-2,"


class Row(NamedTuple):
    """One record as it is handed in: `at` is milliseconds since the epoch, `body` is JSON.

    `utc_offset` is how many seconds the host's clock was ahead of UTC; None when nobody knows.
    """

    press: str
    at: int
    utc_offset: int | None
    kind: str
    body: str


class Link(NamedTuple):
    """One record as it stands in the file, in the order of the table's columns."""

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
    """Return the hash of a record. Bytes that are no UTF-8 may stand in a text as surrogates."""
    offset = "" if utc_offset is None else str(utc_offset)
    parts = [FORM]
    for field in (str(seq), press, str(at), offset, kind, body, prev):
        raw = field.encode("utf-8", "surrogateescape")
        parts.append(b"%d:%b," % (len(raw), raw))
    return sha256(b"".join(parts)).hexdigest()


def chained(rows: Iterable[Row], first: int, prev: str) -> list[Link]:
    """Return rows as records numbered from `first` on, the first of them following `prev`."""
    links: list[Link] = []
    for seq, row in enumerate(rows, first):
        links.append(Link(seq, *row, prev, digest(seq, *row, prev)))
        prev = links[-1].hash
    return links


def append(db: sqlite3.Connection, rows: Sequence[Row]) -> list[Link]:
    """Append rows within the transaction that is open, which must hold the lock for writing.

    The anchor says what comes next, not the last row that is there: if somebody removed that,
    the hole stays to be seen. Raises `sqlite3.Error`.
    """
    last, prev, highest = db.execute(_NEXT, (GENESIS,)).fetchone()
    links = chained(rows, max(int(last), int(highest)) + 1, prev)
    db.executemany(INSERT, links)
    anchor = (links[-1].seq, links[-1].hash)
    if not db.execute("UPDATE head SET seq = ?, hash = ?", anchor).rowcount:
        db.execute("INSERT INTO head (id, seq, hash) VALUES (1, ?, ?)", anchor)
    return links
