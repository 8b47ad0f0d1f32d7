# SPDX-License-Identifier: Apache-2.0
"""What the records of a press say, put together for people: which recorder, when, how proven.

Kinds and keys that a journal of another version lacks are left empty, never guessed.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bridges.model import Outcome, Verb
from offrecord.journal_file import schema_of
from offrecord.journal_read import StoredRecord, presses, reading

PROVEN: Final = frozenset(
    {Outcome.CONFIRMED.value, Outcome.CONTAINED.value, Outcome.NOTHING_TO_STOP.value}
)
_SILENCING: Final = frozenset(verb.value for verb in Verb if verb.silences)
_SURE: Final = frozenset({"L2", "L3", "L4"})
_ANSWERS: Final = frozenset({"answered", "retried"})

_CHOSEN: Final = """
WHERE press IN (SELECT value FROM json_each(:ids))
   OR (kind = 'joined' AND json_extract(body, '$.of') IN (SELECT value FROM json_each(:ids)))
   OR (:all AND at >= :since AND at < :until
       AND press NOT IN (SELECT press FROM records WHERE kind = 'pressed'))
ORDER BY seq
"""


def records(
    path: Path, *, call: str | None = None, since: int = 0, until: int | None = None
) -> list[StoredRecord]:
    """Return every record of the presses on a call, or of those that began from `since` on.

    Without a call, what belongs to no press is there too, if it was written in that time. `since`
    and `until`, before which they began, are milliseconds since the epoch, UTC. Raises
    `JournalError`.
    """
    end = 1 << 62 if until is None else until
    found = presses(path, since=since, call=call, limit=-1)
    ids = [one.press for one in found if one.at < end]
    asked = {"ids": json.dumps(ids), "all": call is None, "since": since, "until": end}
    with reading(path) as db:
        chain = "utc_offset, prev, hash" if schema_of(db, path) > 1 else "NULL, NULL, NULL"
        rows = db.execute(
            f"SELECT seq, press, at, kind, body, {chain} FROM records {_CHOSEN}",  # noqa: S608
            asked,
        ).fetchall()
    return [
        StoredRecord(seq, press, at, kind, json.loads(body), offset, prev, own)
        for seq, press, at, kind, body, offset, prev, own in rows
    ]


def iso(at: int) -> str:
    """Return milliseconds since the epoch as a time in UTC; as a number if no calendar has it."""
    try:
        moment = datetime.fromtimestamp(at // 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return str(at)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at % 1000:03d}Z"


@dataclass(frozen=True, slots=True)
class Asked:
    """One recorder of one press. Milliseconds from the press, None where it was not so."""

    recorder: str
    kind: str
    outcome: str
    evidence: str
    detail: str
    tries: int
    answered: int | None
    proven: int | None
    exposed: int | None


class Pressed:
    """One press and all that became of it, from its records in order."""

    def __init__(self, found: Sequence[StoredRecord]) -> None:
        self.records = found
        self.first = next((one for one in found if one.kind == "pressed"), found[0])
        self.press, self.at = self.first.press, self.first.at
        self.resolved = self._last("resolved")
        self.verdict = self._last("verdict")
        self.closed = self._last("closed")
        legs = self.resolved.get("channels") or ()
        self.unique_ids = tuple(str(leg.get("uniqueid")) for leg in legs)
        self.extensions = tuple(str(leg["extension"]) for leg in legs if leg.get("extension"))

    def _last(self, kind: str) -> dict[str, Any]:
        return next((one.body for one in reversed(self.records) if one.kind == kind), {})

    @property
    def verb(self) -> str:
        """What was asked for."""
        return text(self.first.body.get("verb"))

    @property
    def silences(self) -> bool:
        """Whether the press was to stop or pause recordings."""
        return self.verb in _SILENCING

    @property
    def outcome(self) -> str:
        """The last word on the press; empty while there is none."""
        return text(self.closed.get("outcome") or self.verdict.get("outcome"))

    @property
    def evidence(self) -> str:
        """The evidence of that word."""
        return text((self.closed or self.verdict).get("evidence"))

    @property
    def said(self) -> str:
        """The sentence that the person was told."""
        return text(self.verdict.get("text"))

    @property
    def agent(self) -> str:
        """Who it was to the recorders."""
        return text(self.resolved.get("agent") or self.first.body.get("agent"))

    @property
    def agent_from(self) -> str:
        """How that was derived."""
        return text(self.resolved.get("agent_from"))

    @property
    def call(self) -> str:
        """The linkedid of the call."""
        return text(self.resolved.get("call") or self.verdict.get("call"))

    @property
    def policy(self) -> str:
        """How the policy ruled, and why."""
        return text(self.resolved.get("policy"))

    def asked(self) -> list[Asked]:
        """Return what each recorder that was asked made of it, in the order they answered."""
        answers = [one for one in self.records if one.kind in _ANSWERS]
        names = dict.fromkeys(text(one.body.get("recorder")) for one in answers)
        return [self._asked(name, answers) for name in names]

    def _asked(self, name: str, answers: Iterable[StoredRecord]) -> Asked:
        own = [one for one in answers if text(one.body.get("recorder")) == name]
        last = own[-1].body
        good = next(
            (one for one in own if one.body.get("outcome") in PROVEN
             and (one.body.get("evidence") in _SURE or one.body["outcome"] == "nothing_to_stop")),
            None,
        )  # fmt: skip
        proven = good.at - self.at if good else None
        exposed = (self.closed.get("exposed_ms") or {}).get(name, last.get("exposed_ms"))
        if exposed is None and good is not None and self.silences:
            exposed = 0 if good.body["outcome"] == "nothing_to_stop" else proven
        return Asked(
            name, text(own[0].body.get("kind")), text(last.get("outcome")),
            text(last.get("evidence")), text(last.get("detail")), len(own),
            own[0].at - self.at, proven, None if exposed is None else round(exposed),
        )  # fmt: skip

    def proven_at(self) -> int | None:
        """Return when the last of the recorders was proven to be silent; None if one was not."""
        asked = self.asked()
        times = [one.proven for one in asked if one.proven is not None]
        return self.at + max(times) if asked and len(times) == len(asked) else None


def by_press(found: Iterable[StoredRecord]) -> Iterator[Pressed]:
    """Yield the presses among records, in the order in which they began."""
    groups: dict[str, list[StoredRecord]] = {}
    for one in found:
        groups.setdefault(one.press, []).append(one)
    for group in groups.values():
        if any(one.kind == "pressed" for one in group):
            yield Pressed(group)


def silent(found: Sequence[Pressed], end: int) -> list[tuple[int, int]]:
    """Return when the recordings of one call were to be silent, in milliseconds UTC.

    From the proof of a press that silences to that of the next one which does not, to the end of
    its intent, or to `end`.
    """
    windows: list[tuple[int, int]] = []
    for place, one in enumerate(found):
        begin = one.proven_at()
        if not one.silences or begin is None:
            continue
        ends = [r.at for r in one.records if r.kind == "intent_ended"]
        ends += [p.at for p in found[place + 1 :] if not p.silences and p.outcome != "denied"]
        windows.append((begin, min([*ends, end])))
    joined: list[tuple[int, int]] = []
    for begin, until in sorted(windows):
        if until <= begin:
            continue
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], until))
        else:
            joined.append((begin, until))
    return joined


def text(value: object) -> str:
    """Return a value of a body as text; tables and lists as JSON, nothing as an empty text."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
