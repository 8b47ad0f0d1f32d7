# SPDX-License-Identifier: Apache-2.0
"""Proves a journal and its sealed archives, also while a daemon writes to the journal."""

import itertools
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from offrecord.audit import archive
from offrecord.audit.archive import ArchiveError
from offrecord.audit.chain_walk import Anchor, Break, Range, Walk, nothing
from offrecord.journal.hash_chain import COLUMNS, Link
from offrecord.journal.reader import reading
from offrecord.journal.schema import GUARDS


@dataclass(frozen=True, slots=True)
class Proof:
    """The result of a verification.

    records: how many records are proven to be in their place in the chain.
    head: the last record. Its hash, noted elsewhere, can be passed as `expected` later.
    broken: the first break, None if there is none.
    archived: how many of the records lie in archives.
    archives: the names of the archives that the journal mentions.
    without_archives: whether the archives were left out.
    """

    path: Path
    records: int
    head: Anchor
    broken: Break | None = None
    archived: int = 0
    archives: tuple[str, ...] = ()
    without_archives: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the proof as `--json` prints it."""
        return {
            "journal": str(self.path),
            "whole": self.broken is None,
            "records": self.records,
            "archived": self.archived,
            "archives": list(self.archives),
            "without_archives": self.without_archives,
            "last": self.head.seq,
            "head": self.head.hash,
            "broken": self.broken.as_json() if self.broken else None,
        }


@dataclass(frozen=True, slots=True)
class Sealed:
    """One `sealed` record: which records were moved into which file."""

    name: str
    sha256: str
    ranges: tuple[Range, ...]


@dataclass(slots=True)
class _Gaps:
    """Fills gaps of the journal's numbers from the archives that its `sealed` records name."""

    sealed: list[Sealed]
    folder: Path
    without: bool
    _open: dict[str, list[Link]] = field(default_factory=dict)

    def __call__(self, first: int, last: int) -> Iterator[Link | Range | Break]:
        while first <= last:
            found = self._of(first)
            if found is None or found[1].last > last:
                yield from nothing(first, last)
                return
            seal, span = found
            if self.without:
                yield span
            else:
                yield from self._fetch(seal, span)
            first = span.last + 1

    def _of(self, seq: int) -> tuple[Sealed, Range] | None:
        for seal in self.sealed:
            for span in seal.ranges:
                if span.first == seq:
                    return seal, span
        return None

    def _fetch(self, seal: Sealed, span: Range) -> Iterator[Link | Break]:
        if seal.name not in self._open:
            path = self.folder / Path(seal.name).name
            try:
                if archive.fingerprint(path) != seal.sha256:
                    yield self._inside(seal, path)
                    return
                self._open = {seal.name: list(archive.links(path))}
            except ArchiveError as problem:
                yield Break(span.first, "missing", f"it was sealed, but {problem}")
                return
        yield from (link for link in self._open[seal.name] if span.first <= link.seq <= span.last)

    @staticmethod
    def _inside(seal: Sealed, path: Path) -> Break:
        """Return the first place where an archive differs from what was sealed."""
        try:
            _, broken = archive.check(path)
        except ArchiveError as problem:
            return Break(seal.ranges[0].first, "unreadable", str(problem))
        where = f"in the archive {seal.name}"
        if broken is None:
            return Break(seal.ranges[0].first, "edited", f"{where}: not the file that was sealed")
        return Break(
            broken.seq, broken.what, f"{where}: {broken.detail}",
            broken.press, broken.at, broken.kind,
        )  # fmt: skip


def verify(
    path: Path,
    *,
    archives: Path | None = None,
    without_archives: bool = False,
    expected: str | None = None,
) -> Proof:
    """Prove the present state of the journal at `path`, and its archives.

    archives: the folder of the archives; by default `archives` in the journal's folder.
    without_archives: prove only that the chain leads over the archives.
    expected: the hash of a record, noted earlier, that must still exist.

    Raises `JournalError` if the journal cannot be read at all.
    """
    with reading(path) as db:
        db.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        db.execute("BEGIN")  # a snapshot of the file, whatever is written meanwhile
        try:
            sealed = _seals(db)
        except sqlite3.DatabaseError as error:
            at_all = Break(None, "unreadable", f"SQLite says: {error}")
            return Proof(path, 0, Anchor(0, ""), at_all)
        gaps = _Gaps(sealed, archives or folder_of(path), without_archives)
        walk = Walk(gap=gaps, expected=expected)
        try:
            row = db.execute("SELECT seq, hash FROM head").fetchone()
            rows = db.execute(f"SELECT {COLUMNS} FROM records ORDER BY seq")  # noqa: S608
            walk.along(itertools.starmap(Link, rows), Anchor(*row) if row else None)
        except sqlite3.DatabaseError as error:
            walk.broken = Break(walk.last.seq + 1, "unreadable", f"SQLite says: {error}")
        broken = walk.broken or _unguarded(db)
    return Proof(
        path, walk.count, walk.last, broken, walk.elsewhere,
        tuple(dict.fromkeys(seal.name for seal in sealed)), without_archives,
    )  # fmt: skip


def folder_of(journal: Path) -> Path:
    """Return the default folder of a journal's archives."""
    return journal.with_name("archives")


def _seals(db: sqlite3.Connection) -> list[Sealed]:
    """Read the `sealed` records whose numbers were deleted; skip those that make no sense."""
    sealed: list[Sealed] = []
    rows = db.execute("SELECT body FROM records WHERE kind = 'sealed' ORDER BY seq")
    for (text,) in rows:
        try:
            body = json.loads(text)
            if not body["kept"]:
                ranges = tuple(Range(*one) for one in body["ranges"])
                sealed.append(Sealed(str(body["archive"]), str(body["sha256"]), ranges))
        except (ValueError, KeyError, TypeError):
            continue  # tampered with: the walk finds it
    return sealed


def _unguarded(db: sqlite3.Connection) -> Break | None:
    """Check the triggers, and the indexes that readers use."""
    there = dict(_schema(db))
    for name, statement in GUARDS.items():
        if there.get(name) != statement:
            return Break(None, "unguarded", f"the file's trigger {name} is not what it was")
    try:
        found = str(db.execute("PRAGMA integrity_check(1)").fetchone()[0])
    except sqlite3.DatabaseError as error:
        found = str(error)
    return None if found == "ok" else Break(None, "unreadable", f"SQLite says: {found}")


def _schema(db: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    yield from db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
