# SPDX-License-Identifier: Apache-2.0
"""Sealed archives: records moved out of the journal, as JSON lines in a gzip file.

The first line is the manifest, each other line one record with all fields of its hash; `body` is
the text as stored in the journal. An archive can be proven without the journal.
"""

import contextlib
import gzip
import json
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from offrecord.audit.chain_walk import Anchor, Break, Range, Walk, runs
from offrecord.base.errors import Exit, UserError
from offrecord.journal.hash_chain import Link

FORMAT: Final = "offrecord-archive-1"
MODE: Final = 0o440
"""The mode of an archive, which is never written again."""

_TROUBLE: Final = (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError)


class ArchiveError(UserError):
    """Raised when an archive cannot be read or written; holds the reason and the fix."""

    def __init__(self, path: Path, why: str, fix: str = "fetch it from its copy") -> None:
        super().__init__(f"the archive {path}: {why}", fix, Exit.JOURNAL)


@dataclass(frozen=True, slots=True)
class Manifest:
    """The first line: what an archive contains, and its neighbours in the journal.

    `after` is for each range the hash of the record that followed it, None at the end of the
    journal. `made` is milliseconds since the epoch, UTC.
    """

    records: int
    presses: int
    made: int
    ranges: tuple[Range, ...]
    after: tuple[str | None, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the manifest as it is written."""
        return {
            "format": FORMAT,
            "records": self.records,
            "presses": self.presses,
            "made": self.made,
            "head": self.ranges[-1].hash,
            "ranges": [list(one) for one in self.ranges],
            "after": list(self.after),
        }


def describe(links: Sequence[Link], after: Sequence[str | None], made: int) -> Manifest:
    """Return the manifest of records; `after` is the hash of the record after each run."""
    ranges = tuple(Range(run[0].seq, run[-1].seq, run[0].prev, run[-1].hash) for run in runs(links))
    presses = len({link.press for link in links if link.press})
    return Manifest(len(links), presses, made, ranges, tuple(after))


def write(path: Path, manifest: Manifest, links: Iterable[Link], *, like: Path) -> str:
    """Write an archive completely or not at all; return the SHA-256 of the file.

    If root writes it, it gets the owner of the file `like`: the daemon must be able to read what
    an administrator sealed. Raises `ArchiveError`, also if there is a file of that name.
    """
    part = path.with_name(f".{path.name}.part")
    lines = [manifest.as_json(), *(link._asdict() for link in links)]
    texts = (json.dumps(line, ensure_ascii=False, separators=(",", ":")) for line in lines)
    # Without a time in the header of gzip, the same records give the same file.
    raw = gzip.compress("".join(f"{text}\n" for text in texts).encode(), mtime=0)
    try:
        owner = like.stat()
        if not path.parent.exists():
            path.parent.mkdir(mode=0o750, parents=True)
            _give(path.parent, owner)
        number = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
        with open(number, "wb") as file:  # noqa: PTH123 - it is open already
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        _give(part, owner)
        os.link(part, path)
        part.unlink()
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise ArchiveError(path, error.strerror or str(error), "look at its folder") from error
    return sha256(raw).hexdigest()


def _give(path: Path, owner: os.stat_result) -> None:
    if os.geteuid() == 0:
        os.chown(path, owner.st_uid, owner.st_gid)


def fingerprint(path: Path) -> str:
    """Return the SHA-256 of the file. Raises `ArchiveError`."""
    try:
        with path.open("rb") as file:
            made = sha256()
            while piece := file.read(1 << 20):
                made.update(piece)
    except OSError as error:
        raise ArchiveError(path, error.strerror or str(error)) from error
    return made.hexdigest()


def manifest(path: Path) -> Manifest:
    """Return the manifest of an archive. Raises `ArchiveError`."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            first = json.loads(file.readline())
        if first["format"] != FORMAT:
            raise ArchiveError(path, f"its form {first['format']!r} is not known")
        ranges = tuple(Range(*one) for one in first["ranges"])
        if not ranges:
            raise ArchiveError(path, "it holds nothing")
        return Manifest(
            first["records"], first["presses"], first["made"], ranges, tuple(first["after"])
        )
    except _TROUBLE as error:
        raise ArchiveError(path, f"it cannot be read: {error}") from error


def links(path: Path) -> Iterator[Link]:
    """Yield the records of an archive. Raises `ArchiveError`."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            next(file, None)
            for line in file:
                yield Link(**json.loads(line))
    except _TROUBLE as error:
        raise ArchiveError(path, f"it cannot be read: {error}") from error


def check(path: Path) -> tuple[int, Break | None]:
    """Prove an archive by itself; return how many records are intact, and the first break.

    Its neighbours in the journal are not checked. Raises `ArchiveError`.
    """
    told = manifest(path)
    found = {run[0].seq: run for run in runs(links(path))}
    count = 0
    for one in told.ranges:
        walk = Walk(first=one.first, start=one.prev)
        broken = walk.along(found.pop(one.first, []), Anchor(one.last, one.hash))
        count += walk.count
        if broken is not None:
            return count, broken
    for run in found.values():
        stray = run[0]
        detail = "the manifest does not know it"
        return count, Break(stray.seq, "inserted", detail, stray.press, stray.at, stray.kind)
    return count, None
