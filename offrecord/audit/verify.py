# SPDX-License-Identifier: Apache-2.0
"""Proving a journal, with the archives that were sealed out of it, while a daemon writes to it."""

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
from offrecord.journal.schema import GUARDS, JournalError, schema_of


@dataclass(frozen=True, slots=True)
class Proof:
    """What a look along the chain found.

    `records` are those whose place in the chain is proven, `archived` how many of them lie in
    `archives`, which were left out where `without_archives`. `head` is the hash of the last record:
    whoever keeps it elsewhere can ask for it later. `migrated` says how many records are older
    than the chain.
    """

    path: Path
    records: int
    head: Anchor
    broken: Break | None = None
    archived: int = 0
    archives: tuple[str, ...] = ()
    without_archives: bool = False
    migrated: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return the proof as `--json` prints it."""
        return {
            "journal": str(self.path),
            "whole": self.broken is None,
            "records": self.records,
            "archived": self.archived,
            "archives": list(self.archives),
            "without_archives": self.without_archives,
            "migrated": self.migrated,
            "last": self.head.seq,
            "head": self.head.hash,
            "broken": self.broken.as_json() if self.broken else None,
        }


@dataclass(frozen=True, slots=True)
class Sealed:
    """One `sealed` record: which records went into which file."""

    name: str
    sha256: str
    ranges: tuple[Range, ...]


@dataclass(slots=True)
class _Gaps:
    """Explains numbers that the journal does not hold, by what it says was sealed or migrated."""

    sealed: list[Sealed]
    folder: Path
    older: list[Range]
    without: bool
    _open: dict[str, list[Link]] = field(default_factory=dict)

    def __call__(self, first: int, last: int) -> Iterator[Link | Range | Break]:
        while first <= last:
            seal, span = self._of(first)
            if span is None or span.last > last:
                yield from nothing(first, last)
                return
            if seal is None or self.without:
                yield span
            else:
                yield from self._fetch(seal, span)
            first = span.last + 1

    def _of(self, seq: int) -> tuple[Sealed | None, Range | None]:
        for seal in self.sealed:
            for span in seal.ranges:
                if span.first == seq:
                    return seal, span
        return None, next((span for span in self.older if span.first == seq), None)

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
        """Name the place where an archive is not what was sealed."""
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
    """Prove the journal at `path`, as it stands at this moment, and its archives with it.

    Archives are looked for in `archives`, by default the folder of the journal's archives; with
    `without_archives` it is only proven that the chain leads over them. `expected` is the hash of
    a record that was noted earlier, and must still be there. Raises `JournalError` when the
    journal cannot be read at all or has no chain yet.
    """
    with reading(path) as db:
        if schema_of(db, path) < 2:
            raise JournalError(
                f"the journal {path} is of schema 1 and has no chain",
                "start the daemon: it chains the records that are there",
            )
        db.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        db.execute("BEGIN")  # one state of the file, whatever is written meanwhile
        try:
            sealed, older, migrated = _notes(db)
        except sqlite3.DatabaseError as error:
            at_all = Break(None, "unreadable", f"SQLite says: {error}")
            return Proof(path, 0, Anchor(0, ""), at_all)
        gaps = _Gaps(sealed, archives or folder_of(path), older, without_archives)
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
        tuple(dict.fromkeys(seal.name for seal in sealed)), without_archives, migrated,
    )  # fmt: skip


def folder_of(journal: Path) -> Path:
    """Return where the archives of a journal lie unless told otherwise."""
    return journal.with_name("archives")


def _notes(db: sqlite3.Connection) -> tuple[list[Sealed], list[Range], int]:
    """Read what the journal says about itself; what is no sense there explains nothing."""
    sealed: list[Sealed] = []
    older: list[Range] = []
    migrated = 0
    rows = db.execute(
        "SELECT seq, kind, body FROM records WHERE kind IN ('migrated', 'sealed') ORDER BY seq"
    )
    for seq, kind, text in rows:
        try:
            body = json.loads(text)
            if kind == "sealed" and not body["kept"]:
                ranges = tuple(Range(*one) for one in body["ranges"])
                sealed.append(Sealed(str(body["archive"]), str(body["sha256"]), ranges))
            elif seq == 0:
                older += [Range(int(first), int(last), "", "") for first, last in body["gaps"]]
                migrated = int(body["records"])
        except (ValueError, KeyError, TypeError):
            continue  # it was tampered with, and the walk will come to it
    return sealed, older, migrated


def _unguarded(db: sqlite3.Connection) -> Break | None:
    """Look at what is around the records: the triggers, and the indexes that readers go by."""
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
