# SPDX-License-Identifier: Apache-2.0
"""The rule about the journal: it can be read and continued, and its disk has room."""

import os
import pwd
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from offrecord.base.errors import Exit
from offrecord.checks.finding import Finding, failure, ok, warning
from offrecord.checks.inputs import CheckInputs
from offrecord.journal import JournalError
from offrecord.journal.hash_chain import COLUMNS, GENESIS, Link, digest
from offrecord.journal.reader import reading

TIGHT: Final = 500_000_000
FULL: Final = 20_000_000
"""Bytes free on the journal's disk below which the rule warns, and fails."""

LAST: Final = 200
"""Records at the journal's end whose chain is checked; `audit verify` checks all."""

USER: Final = "offrecord"
"""The user that the unit of the package runs the daemon as."""


async def journal(inputs: CheckInputs) -> list[Finding]:
    """Check that the journal can be continued, or a new one begun. Creates nothing."""
    path = inputs.loaded.config.journal.path
    found = _file(path) if path.exists() else _folder(path)
    folder = next(parent for parent in path.absolute().parents if parent.is_dir())
    free = shutil.disk_usage(folder).free
    room = f"{free // 1_000_000} MB are free on its disk"
    if free < FULL:
        found.append(failure("journal", room, "make room", Exit.JOURNAL))
    elif free < TIGHT:
        found.append(warning("journal", room, "make room, or seal old records: offrecord audit"))
    return found


def _file(path: Path) -> list[Finding]:
    try:
        with reading(path) as db:
            broken_at = _torn(db)
    except JournalError as problem:
        return [failure("journal", problem.message, problem.fix, problem.exit)]
    except sqlite3.DatabaseError as error:
        text = f"the journal {path} cannot be read: {error}"
        return [failure("journal", text, "move it aside for inspection", Exit.JOURNAL)]
    if broken_at is not None:
        text = f"{path} is not as it was written, at record {broken_at}"
        fix = "offrecord audit verify says what and where"
        return [failure("journal", text, fix, Exit.TAMPERED)]
    return [*_access(path)] or [ok("journal", f"{path} can be read")]


def _access(path: Path) -> Iterator[Finding]:
    mode = path.stat().st_mode
    if mode & stat.S_IROTH:
        text = f"{path} ({stat.filemode(mode)}) can be read by everyone on this machine"
        yield warning("journal", text, f"chmod o-rwx {path}")
    for place in (path.parent, path):
        if who := _shut_out(place):
            yield failure("journal", *who, Exit.JOURNAL)
            return


def _torn(db: sqlite3.Connection) -> int | None:
    """Return the number of the first of the last records that breaks the chain, or None."""
    rows = db.execute(f"SELECT {COLUMNS} FROM records ORDER BY seq DESC LIMIT {LAST + 1}")  # noqa: S608
    links = [Link(*row) for row in rows][::-1]
    head = db.execute("SELECT seq, hash FROM head").fetchone()
    last = (links[-1].seq, links[-1].hash) if links else (0, GENESIS)
    if head != last and links:
        return last[0]
    before: Link | None = None
    for link in links:
        # Records that were sealed into an archive leave a gap, over which the numbers jump.
        follows = before is None or link.seq != before.seq + 1 or link.prev == before.hash
        if not follows:
            return link.seq
        if link.hash != digest(*link[:6], link.prev):
            return link.seq
        before = link
    return None


def _folder(path: Path) -> list[Finding]:
    nearest = next(parent for parent in path.absolute().parents if parent.exists())
    if not nearest.is_dir():
        text = f"{path} cannot be begun: {nearest} is no folder"
        fix = f"take {nearest} away, or set `path` in [journal] to another"
        return [failure("journal", text, fix, Exit.JOURNAL)]
    if not os.access(nearest, os.W_OK | os.X_OK):
        text = f"{path} cannot be begun: no right to write in {nearest}"
        return [failure("journal", text, "make its folder writable", Exit.JOURNAL)]
    if nearest == path.absolute().parent and (who := _shut_out(nearest)):
        return [failure("journal", *who, Exit.JOURNAL)]
    return [ok("journal", f"{path} will be begun")]


def _shut_out(path: Path) -> tuple[str, str] | None:
    """Return text and fix when the daemon's user may not write to `path`, else None.

    Checked only as root, whose own rights tell nothing, on a machine that has the user.
    """
    try:
        user = pwd.getpwnam(USER)
    except KeyError:
        return None
    if os.geteuid() != 0 or may_write(path.stat(), user.pw_uid, os.getgrouplist(USER, user.pw_gid)):
        return None
    return f"the user {USER} may not write {path}", f"chown {USER}:{USER} {path}"


def may_write(now: os.stat_result, uid: int, groups: list[int]) -> bool:
    """Return whether a user may write a file or folder, by its mode alone."""
    if now.st_uid == uid:
        return bool(now.st_mode & stat.S_IWUSR)
    if now.st_gid in groups:
        return bool(now.st_mode & stat.S_IWGRP)
    return bool(now.st_mode & stat.S_IWOTH)
