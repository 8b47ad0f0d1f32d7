# SPDX-License-Identifier: Apache-2.0
"""Sealing: moves closed presses out of the journal into archives, to keep the journal small.

An archive is written, synced and read back first. Then one transaction appends a `sealed` record
that names the file, its SHA-256 and the numbers, drops the trigger against deletion, deletes those
records and creates the trigger again. If anything fails in between, the journal is unchanged.

A press is sealed as a whole, once it is over (a verdict, and no intent in force) and its last
record is old enough. For records that belong to no press their own age counts. `sealed` records
stay in the journal.
"""

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from offrecord.audit import archive
from offrecord.audit.archive import ArchiveError, Manifest
from offrecord.audit.chain_walk import runs
from offrecord.audit.verify import folder_of, verify
from offrecord.base.errors import Exit, UserError
from offrecord.journal.hash_chain import COLUMNS, Link, Row, append
from offrecord.journal.journal import utc_ms, utc_offset
from offrecord.journal.opening import open_writer
from offrecord.journal.schema import GUARDS, JournalError, unusable

AT_ONCE: Final = 10_000
"""Records of one archive. Bounds the memory, and how long the daemon's writer must wait."""

_OPEN: Final = """
SELECT DISTINCT press FROM records AS p WHERE kind = 'pressed' AND (
    NOT EXISTS (SELECT 1 FROM records r WHERE r.press = p.press AND r.kind IN ('verdict', 'closed'))
    OR EXISTS (SELECT 1 FROM records r WHERE r.press = p.press AND r.at >= :before)
    OR EXISTS (SELECT 1 FROM records i WHERE i.press = p.press AND i.kind = 'intent'
               AND NOT EXISTS (SELECT 1 FROM records e WHERE e.press = p.press
                               AND e.kind = 'intent_ended' AND e.seq > i.seq))
)
"""

_DUE: Final = f"""
SELECT {COLUMNS} FROM records WHERE at < :before AND kind != 'sealed'
AND press NOT IN (SELECT press FROM temp.open) AND seq > :after ORDER BY seq LIMIT :limit
"""  # noqa: S608 - the columns are a constant


class NotWhole(UserError):
    """Raised instead of sealing a journal that has a break."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"the journal {path} is not whole, so nothing of it is sealed",
            "see offrecord audit verify",
            Exit.TAMPERED,
        )


@dataclass(frozen=True, slots=True)
class Sealing:
    """One archive that was made; `kept` is whether its records are still in the journal too."""

    path: Path
    sha256: str
    manifest: Manifest
    kept: bool

    def as_json(self) -> dict[str, Any]:
        """Return the sealing as `--json` prints it."""
        return {
            "archive": str(self.path),
            "sha256": self.sha256,
            "records": self.manifest.records,
            "presses": self.manifest.presses,
            "head": self.manifest.ranges[-1].hash,
            "kept": self.kept,
        }


def seal(
    path: Path, before: int, *, folder: Path | None = None, keep: bool = False, busy: float = 5.0
) -> list[Sealing]:
    """Seal every press of the journal at `path` that was over before `before`; return the archives.

    before: milliseconds since the epoch, UTC.
    folder: of the archives; by default `archives` in the journal's folder.
    keep: keep the records in the journal too.
    busy: how many seconds to wait for the daemon's lock.

    Works while the daemon runs, which waits at most for the deletion of one archive's records.
    Raises `JournalError` and `ArchiveError`; archives made until then stay.
    """
    if not path.exists():
        raise JournalError(f"there is no journal at {path}", "name another, or start the daemon")
    target = folder or folder_of(path)
    done: list[Sealing] = []
    with closing(open_writer(path, busy=busy)) as db:
        try:
            _find_open(db, before)
            after = 0
            while links := _due(db, before, after):
                done.append(_seal(db, path, target, links, keep=keep))
                after = links[-1].seq
        except sqlite3.Error as error:
            raise unusable(path, error) from error
    return done


def seal_daily(
    path: Path, keep_days: int, *, folder: Path | None = None, now: int | None = None
) -> list[Sealing]:
    """Seal what is older than `keep_days` days, after the journal was verified.

    Blocking: the daemon calls it once a day in a thread. `now` is milliseconds since the epoch,
    UTC. Raises `NotWhole`, `JournalError` and `ArchiveError`.
    """
    # Records in older archives were proven when they were sealed.
    if verify(path, without_archives=True).broken is not None:
        raise NotWhole(path)
    return seal(path, (utc_ms() if now is None else now) - keep_days * 86_400_000, folder=folder)


def _find_open(db: sqlite3.Connection, before: int) -> None:
    """Collect the presses that stay in a temporary table of this connection."""
    db.execute("PRAGMA temp_store = MEMORY")
    db.execute(f"CREATE TEMP TABLE open AS {_OPEN}", {"before": before})
    db.execute("CREATE INDEX temp.open_presses ON open (press)")


def _due(db: sqlite3.Connection, before: int, after: int) -> list[Link]:
    """Return the next records to be sealed. A press may be split over two successive archives."""
    rows = db.execute(_DUE, {"before": before, "after": after, "limit": AT_ONCE})
    return [Link(*row) for row in rows]


def _seal(
    db: sqlite3.Connection, path: Path, folder: Path, links: Sequence[Link], *, keep: bool
) -> Sealing:
    made = time.time_ns() // 1_000_000
    stamp = datetime.fromtimestamp(made / 1000, UTC).strftime("%Y%m%dT%H%M%S")
    name = f"{path.stem}-{links[0].seq}-{links[-1].seq}-{stamp}{made % 1000:03}Z.jsonl.gz"
    target = folder / name
    last = [run[-1].seq for run in runs(links)]
    after = [_hash_after(db, seq) for seq in last]
    told = archive.describe(links, after, made)
    sha256 = archive.write(target, told, links, like=path)
    try:
        count, broken = archive.check(target)
        if broken is not None or count != len(links):
            raise NotWhole(path)
        with _unguarded(db, lift=not keep):
            append(db, [_note(name, sha256, told, keep=keep)])
            if not keep:
                for one in told.ranges:
                    db.execute(
                        "DELETE FROM records WHERE seq BETWEEN ? AND ? AND kind != 'sealed'",
                        (one.first, one.last),
                    )
    except (sqlite3.Error, UserError):
        target.unlink(missing_ok=True)  # no record names it
        raise
    return Sealing(target, sha256, told, keep)


def _hash_after(db: sqlite3.Connection, seq: int) -> str | None:
    row = db.execute("SELECT hash FROM records WHERE seq = ?", (seq + 1,)).fetchone()
    return None if row is None else str(row[0])


def _note(name: str, sha256: str, told: Manifest, *, keep: bool) -> Row:
    body = {
        "archive": name,
        "sha256": sha256,
        "records": told.records,
        "presses": told.presses,
        "ranges": [list(one) for one in told.ranges],
        "kept": keep,
    }
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Row("", told.made, utc_offset(), "sealed", text)


@contextmanager
def _unguarded(db: sqlite3.Connection, *, lift: bool) -> Iterator[None]:
    """Hold a transaction without the trigger against deletion; no other connection sees that."""
    db.execute("PRAGMA secure_delete = ON")  # zeros over what was deleted
    db.execute("BEGIN IMMEDIATE")
    try:
        if lift:
            db.execute("DROP TRIGGER records_remain")
        yield
        if lift:
            db.execute(GUARDS["records_remain"])
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


__all__ = ["AT_ONCE", "ArchiveError", "NotWhole", "Sealing", "seal", "seal_daily"]
