# SPDX-License-Identifier: Apache-2.0
"""Summarizes the records of a press for people: which recorder was asked, when, with what proof.

Missing kinds and keys of records are left empty, never guessed.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bridges.model import Outcome, Verb
from offrecord.journal.reader import STORED, StoredRecord, presses, reading, stored
from offrecord.reconcile.silent_windows import windows

PROVEN: Final = frozenset(
    {Outcome.CONFIRMED.value, Outcome.CONTAINED.value, Outcome.NOTHING_TO_STOP.value}
)
_SILENCING: Final = frozenset(verb.value for verb in Verb if verb.silences)
_SURE: Final = frozenset({"L2", "L3", "L4"})
_ANSWERS: Final = frozenset({"answered", "retried"})

_Span = tuple[int, int]
"""Begin and end in milliseconds since the epoch, UTC."""

_JOINED_TO: Final = """
WITH RECURSIVE others (press) AS (
    SELECT value FROM json_each(:ids)
    UNION SELECT json_extract(r.body, '$.of') FROM records r JOIN others USING (press)
    WHERE r.kind = 'joined'
) SELECT press FROM others WHERE press NOT IN (SELECT value FROM json_each(:ids))
"""

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
    """Return every record of the presses on a call, or of those that began in a span of time.

    call: a linkedid, or the uniqueid or name of a channel. If it is None, the records of the span
        that belong to no press are included.
    since, until: the first millisecond, and the one after the last, since the epoch, UTC.

    Raises `JournalError`.
    """
    end = 1 << 62 if until is None else until
    found = presses(path, since=since, call=call, limit=-1)
    ids = [one.press for one in found if one.at < end]
    with reading(path) as db:
        # The end of a press that was joined to an earlier one is recorded with the earlier one.
        ids += [name for (name,) in db.execute(_JOINED_TO, {"ids": json.dumps(ids)})]
        asked = {"ids": json.dumps(ids), "all": call is None, "since": since, "until": end}
        rows = db.execute(f"SELECT {STORED} FROM records {_CHOSEN}", asked).fetchall()  # noqa: S608
    return [stored(row) for row in rows]


def iso(at: int) -> str:
    """Return milliseconds since the epoch as ISO 8601 in UTC; as a number beyond the year 9999."""
    try:
        moment = datetime.fromtimestamp(at // 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return str(at)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at % 1000:03d}Z"


@dataclass(frozen=True, slots=True)
class Asked:
    """One recorder of one press.

    tries: how many answers it gave.
    answered, proven: milliseconds from the press to the first answer and to the proof.
    exposed: milliseconds that were recorded after the press.

    None stands for what did not happen.
    """

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
    """One press with its results, from its records in order.

    A press that turned out to repeat an earlier one only when its call was known is `joined` to it
    after its own `pressed`. Only the earlier press is retried, and its `closed` ends both. `other`
    is that earlier press, None if there is none among the records.
    """

    def __init__(self, found: Sequence[StoredRecord], other: "Pressed | None" = None) -> None:
        self.records = found
        self.first = next((one for one in found if one.kind == "pressed"), found[0])
        self.press, self.at = self.first.press, self.first.at
        self.resolved = self._last("resolved")
        self.verdict = self._last("verdict")
        self.taken_back = self._last("taken_back")
        others: dict[str, Any] = {} if other is None else other.closed
        self.closed: dict[str, Any] = self._last("closed") or others
        # A press whose verdict was taken back may have been solved after all.
        self._end = self._last("taken_back", "closed") or self.closed
        legs = self.resolved.get("channels") or ()
        self.unique_ids = tuple(str(leg.get("uniqueid")) for leg in legs)
        self.extensions = tuple(str(leg["extension"]) for leg in legs if leg.get("extension"))

    def _last(self, *kinds: str) -> dict[str, Any]:
        return next((one.body for one in reversed(self.records) if one.kind in kinds), {})

    @property
    def verb(self) -> str:
        """The verb of the press."""
        return text(self.first.body.get("verb"))

    @property
    def silences(self) -> bool:
        """True when the press was to stop or pause recordings."""
        return self.verb in _SILENCING

    @property
    def outcome(self) -> str:
        """The final outcome, or that of the verdict; empty if there is none yet."""
        return text(self._end.get("outcome") or self.verdict.get("outcome"))

    @property
    def evidence(self) -> str:
        """The evidence of the outcome."""
        return text((self._end or self.verdict).get("evidence"))

    @property
    def said(self) -> str:
        """The sentence that the presser was told last."""
        return text((self.taken_back or self.verdict).get("text"))

    @property
    def agent(self) -> str:
        """The recorders' name for the presser."""
        return text(self.resolved.get("agent") or self.first.body.get("agent"))

    @property
    def agent_from(self) -> str:
        """The way in which the agent was derived."""
        return text(self.resolved.get("agent_from"))

    @property
    def call(self) -> str:
        """The linkedid of the call."""
        return text(self.resolved.get("call") or self.verdict.get("call"))

    @property
    def policy(self) -> str:
        """The ruling of the policy, with its reason."""
        return text(self.resolved.get("policy"))

    def asked(self) -> list[Asked]:
        """Return each recorder that was asked, in the order of their answers."""
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

    def recorders(self) -> frozenset[str]:
        """Return the names of the recorders that the answers and the verdict mention."""
        told = [one.body for one in self.records if one.kind in _ANSWERS]
        listed = self.verdict.get("recorders")
        told += [one for one in listed or () if isinstance(one, dict)]
        return frozenset(text(one.get("recorder")) for one in told)


def by_press(found: Iterable[StoredRecord]) -> Iterator[Pressed]:
    """Yield the presses among records, in the order in which they began."""
    groups: dict[str, list[StoredRecord]] = {}
    for one in found:
        groups.setdefault(one.press, []).append(one)
    made: dict[str, Pressed] = {}
    for name, group in groups.items():
        if any(one.kind == "pressed" for one in group):
            # The press that this one is joined to was journalled earlier.
            other = next((text(one.body.get("of")) for one in group if one.kind == "joined"), "")
            made[name] = Pressed(group, made.get(other))
            yield made[name]


def silent(found: Sequence[Pressed], end: int) -> list[_Span]:
    """Return when the recordings of one call were to be silent, in milliseconds UTC.

    These are the times in which every recorder that a press asked was proven to be silent. They
    end at the next press that does not silence, at the end of the intent, or at `end`; times in
    which a recording had started again, and those of a verdict that was taken back, are left out.
    See `offrecord.reconcile.silent_windows`.
    """
    records = sorted((one for press in found for one in press.records), key=lambda one: one.seq)
    proven = [one for one in windows(records, end) if one.outcome in PROVEN]
    spans: list[_Span] = []
    for press in found:
        if press.taken_back:
            continue  # a file went on growing: nothing of it is proven
        own: list[_Span] | None = None
        for name in press.recorders():
            of = [(w.begin, w.end) for w in proven if (w.press, w.recorder) == (press.press, name)]
            own = of if own is None else _common(own, of)
        spans += own or ()
    return _united(spans)


def _common(some: Sequence[_Span], others: Sequence[_Span]) -> list[_Span]:
    """Return the times that are in both."""
    both = ((max(a, c), min(b, d)) for a, b in some for c, d in others)
    return [(begin, until) for begin, until in both if begin < until]


def _united(spans: Iterable[_Span]) -> list[_Span]:
    """Return the union of the times, oldest first, overlapping and adjacent ones merged."""
    joined: list[_Span] = []
    for begin, until in sorted(spans):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], until))
        else:
            joined.append((begin, until))
    return joined


def text(value: object) -> str:
    """Return a value of a body as text: None as an empty text, anything but a text as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
