# SPDX-License-Identifier: Apache-2.0
"""Journals made in one go, and what somebody with the file and a will can do to them."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from offrecord.journal.hash_chain import COLUMNS, INSERT, Link, Row, append, digest
from offrecord.journal.opening import open_writer

DAY = 86_400_000
BEGAN = 1_700_000_000_000


def row(press: str, kind: str, at: int = BEGAN, /, **body: Any) -> Row:
    return Row(press, at, 3600, kind, json.dumps(body, ensure_ascii=False, separators=(",", ":")))


def write(path: Path, rows: Sequence[Row]) -> list[Link]:
    """Append rows to a journal as its writer does."""
    with closing(open_writer(path, busy=1)) as db:
        db.execute("BEGIN IMMEDIATE")
        links = append(db, rows)
        db.execute("COMMIT")
    return links


def links(path: Path) -> list[Link]:
    with closing(sqlite3.connect(path)) as db:
        return [Link(*r) for r in db.execute(f"SELECT {COLUMNS} FROM records ORDER BY seq")]


def whole(link: Link) -> Link:
    """Return a record with the hash of what it says now."""
    return link._replace(hash=digest(*link[:7]))


def tamper(path: Path, *statements: tuple[str, Sequence[Any]]) -> None:
    """Change a journal with its triggers away, and put them back."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        guards = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in guards:
            db.execute(f"DROP TRIGGER {name}")
        db.execute("PRAGMA ignore_check_constraints = ON")
        for statement, values in statements:
            db.execute(statement, values)
        for _, sql in guards:
            db.execute(sql)


def replace(path: Path, made: Iterable[Link]) -> None:
    """Have a journal hold these records, with the anchor as it is."""
    tamper(path, ("DELETE FROM records", ()), *((INSERT, link) for link in made))


def press(number: int, at: int = BEGAN, outcome: str = "confirmed") -> list[Row]:
    """Return the records of one press on a call of its own, from the first to the verdict."""
    name, call = f"p{number}", f"17000{number:05}.1"
    legs = [{"channel": f"SIP/410-{number:08x}", "uniqueid": call, "extension": "410"}]
    return [
        row(name, "pressed", at, verb="stop", way="fastagi", target=call, uniqueid=call,
            channel=f"SIP/410-{number:08x}", agent=None, recorder=None, options={}),
        row(name, "resolved", at + 1, call=call, lineage=[call], agent="fred",
            agent_from="agents.410", channels=legs, policy="extension 410", recorders=["local"]),
        row(name, "answered", at + 9, recorder="local", kind="asterisk", outcome=outcome,
            evidence="L4", detail="1 stopped", steps=[]),
        row(name, "verdict", at + 10, verb="stop", outcome=outcome, evidence="L4", reason="",
            text="The recording has stopped.", took_ms=10.0, call=call, recorders=[]),
    ]  # fmt: skip
