# SPDX-License-Identifier: Apache-2.0
"""Presses from the journal, as the page shows them: rows of a list, and one press in full.

The picture of a press over time is made in `timeline`.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bridges.model import Outcome
from offrecord.audit.export import clean
from offrecord.audit.press_history import Asked, Pressed, by_press, text
from offrecord.journal.reader import PressSummary, StoredRecord, presses, reading, show
from offrecord.web.page import labels

HOUR: Final = 3_600_000
DAY: Final = 24 * HOUR
"""Milliseconds. A token without the scope `audit` sees one day of the past."""

LATELY: Final = 12
"""Presses listed on the board."""

FOUND: Final = 100
"""Presses of one search."""

SPANS: Final[Mapping[str, tuple[str, int | None]]] = {
    "1h": ("the last hour", HOUR),
    "24h": ("the last 24 hours", DAY),
    "7d": ("the last 7 days", 7 * DAY),
    "30d": ("the last 30 days", 30 * DAY),
    "365d": ("the last year", 365 * DAY),
    "all": ("all of the journal", None),
}
"""Spans of time that a search goes back, in words and in milliseconds."""

NARROW: Final = ("1h", "24h")
"""Keys of `SPANS` for a token without the scope `audit`."""

_PRESS: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Row:
    """One press in a list.

    `open`: a recorder has not obeyed and is still being retried, and the press can be acknowledged.
    """

    press: str
    at: int
    verb: str
    way: str
    who: str
    call: str
    outcome: str
    evidence: str
    text: str
    took: float | None
    asked: tuple[Asked, ...]
    open: bool

    @property
    def said(self) -> str:
        """The press in one sentence, to be read aloud."""
        proof = f", {self.evidence}" if self.evidence not in {"", "-"} else ""
        end = f"{labels.outcome(self.outcome).word}{proof}. {self.text}"
        return f"{labels.clock(self.at)} {self.verb} by {self.who}: {end}".strip()


@dataclass(frozen=True, slots=True)
class Search:
    """The filters of a search. `since` is a key of `SPANS`; an empty text is no filter."""

    since: str = "24h"
    call: str = ""
    agent: str = ""
    outcome: str = ""

    @classmethod
    def read(cls, query: Mapping[str, str], *, wide: bool) -> "Search":
        """Return the search of a query. `wide`: the token may see all of the journal."""
        since = query.get("since", "24h")
        allowed = SPANS if wide else NARROW
        outcome = query.get("outcome", "")
        return cls(
            since if since in allowed else "24h",
            query.get("call", "").strip()[:200],
            query.get("agent", "").strip()[:200],
            outcome if outcome in set(Outcome) else "",
        )


def lately(path: Path, now: int) -> list[Row]:
    """Return the presses of the last day, newest first. Raises `JournalError`."""
    return _rows(path, presses(path, since=now - DAY, limit=LATELY))


def search(path: Path, wanted: Search, now: int) -> list[Row]:
    """Return the presses that a search finds, newest first, `FOUND` and one more at most.

    Raises `JournalError`.
    """
    _, length = SPANS[wanted.since]
    found = presses(
        path,
        since=0 if length is None else now - length,
        call=wanted.call or None,
        agent=wanted.agent or None,
        outcome=Outcome(wanted.outcome) if wanted.outcome else None,
        limit=FOUND + 1,
    )
    return _rows(path, found)


def _rows(path: Path, found: Sequence[PressSummary]) -> list[Row]:
    names = [one.press for one in found]
    with reading(path) as db:
        stored = db.execute(
            "SELECT seq, press, at, kind, body FROM records"
            " WHERE press IN (SELECT value FROM json_each(?)) ORDER BY seq",
            (json.dumps(names),),
        ).fetchall()
    records = [
        StoredRecord(seq, press, at, kind, json.loads(b)) for seq, press, at, kind, b in stored
    ]
    made = {one.press: one for one in by_press(records)}
    return [_row(one, made[one.press]) for one in found if one.press in made]


def _row(summary: PressSummary, pressed: Pressed) -> Row:
    resolved = pressed.resolved
    legs = resolved.get("channels") or ()
    own = (leg.get("extension") for leg in legs if leg.get("channel") == summary.channel)
    line = text(next(own, None))
    options = pressed.first.body.get("options") or {}
    client = text(options.get("client") or options.get("user"))
    named = [part for part in (line, pressed.agent) if part] or [summary.channel or summary.target]
    who = client if client and not summary.channel else " ".join(named)
    ended = any(one.kind == "closed" for one in pressed.records)
    failed = pressed.verdict.get("outcome") == Outcome.FAILED.value
    return Row(
        summary.press, summary.at, summary.verb, summary.way, text(clean(who)), pressed.call,
        pressed.outcome, pressed.evidence, text(clean(pressed.said)), summary.took_ms,
        tuple(pressed.asked()), failed and pressed.silences and not ended,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One record of a press: `after` is milliseconds from the press."""

    seq: int
    at: int
    after: int
    kind: str
    said: str
    steps: tuple[Mapping[str, Any], ...]
    body: str
    hash: str


@dataclass(frozen=True, slots=True)
class Whole:
    """One press in full. `facts` are names and values."""

    row: Row
    facts: tuple[tuple[str, str], ...]
    lines: tuple[Line, ...]
    pressed: Pressed


def whole(path: Path, press: str) -> Whole | None:
    """Return all of one press, None when the journal has none of that id. Raises `JournalError`."""
    records = show(path, press) if _PRESS.fullmatch(press) else []
    found = list(by_press(records))
    if not found:
        return None
    pressed = found[0]
    first = pressed.first.body
    summary = PressSummary(
        press, pressed.at, pressed.verb, text(first.get("way")), text(first.get("target")),
        first.get("channel"), pressed.agent, pressed.call, pressed.outcome or None, pressed.said,
        pressed.verdict.get("took_ms"),
    )  # fmt: skip
    facts = {
        "Call": pressed.call,
        "Channel": text(first.get("channel")),
        "Target": text(first.get("target")),
        "Extensions": ", ".join(pressed.extensions),
        "Agent": f"{pressed.agent} ({pressed.agent_from})" if pressed.agent else "",
        "Way": text(first.get("way")),
        "Asked by": text((first.get("options") or {}).get("client")),
        "Policy": pressed.policy,
    }
    return Whole(
        _row(summary, pressed),
        tuple((name, text(clean(value))) for name, value in facts.items() if value),
        tuple(_line(one, pressed.at) for one in records),
        pressed,
    )


def _line(record: StoredRecord, began: int) -> Line:
    body = clean(record.body)
    steps = tuple(one for one in body.get("steps") or () if isinstance(one, Mapping))
    return Line(
        record.seq, record.at, record.at - began, record.kind, _said(record.kind, body),
        tuple({**one, "after": int(one.get("at", record.at)) - began} for one in steps),
        json.dumps(body, indent=1, ensure_ascii=False), record.hash or "",
    )  # fmt: skip


_TOLD: Final[Mapping[str, tuple[str, ...]]] = {
    "pressed": ("verb", "way", "channel", "target"),
    "joined": ("verb", "way", "of"),
    "resolved": ("call", "agent", "policy"),
    "answered": ("recorder", "outcome", "evidence", "detail"),
    "retried": ("recorder", "outcome", "evidence", "detail"),
    "verdict": ("outcome", "evidence", "text"),
    "reapplied": ("channel", "why"),
    "fallback": ("action", "outcome", "detail"),
    "closed": ("outcome", "evidence", "why"),
    "intent": ("verb", "recorders", "agent"),
    "file_closed": ("file", "evidence"),
    "taken_back": ("outcome", "evidence", "text"),
}
_ELSE: Final = ("recorder", "what", "why", "outcome", "detail", "file", "channel")


def _said(kind: str, body: Mapping[str, Any]) -> str:
    """Return one line for people of a record."""
    told = (body.get(key) for key in _TOLD.get(kind, _ELSE))
    return ", ".join(
        ", ".join(map(text, one)) if isinstance(one, list) else text(one) for one in told if one
    )
