# SPDX-License-Identifier: Apache-2.0
"""Derives from journal records when each recorder of a call had to be silent. Pure.

A window of one recorder opens with the answer that confirms, or proves, that it no longer records.
It closes with a resume or start that was not denied, with the end of the pause, or with the end of
the call. A window is interrupted while the daemon silenced a recording that had started again
(`reapplied`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

SILENCING: Final = frozenset({"stop", "pause", "objection"})
"""Verbs after which nothing of the call may be recorded."""

_GOOD: Final = frozenset({"confirmed", "accepted", "contained", "nothing_to_stop"})
"""Outcomes after which a recorder is taken to record no sound of the call."""


class Noted(Protocol):
    """A journal record, such as `offrecord.journal.StoredRecord`. `at` is milliseconds UTC."""

    @property
    def press(self) -> str:
        """The press it belongs to."""

    @property
    def at(self) -> int:
        """The time when it was written, in milliseconds UTC."""

    @property
    def kind(self) -> str:
        """The kind of record."""

    @property
    def body(self) -> Mapping[str, Any]:
        """The body of the record."""


@dataclass(frozen=True, slots=True)
class Silent:
    """A time in which one recorder had to record no sound of the call.

    press, verb: the press that silenced it.
    recorder, kind: the recorder's name and its kind.
    outcome: the recorder's outcome.
    begin, end: milliseconds UTC.
    """

    press: str
    verb: str
    recorder: str
    kind: str
    outcome: str
    begin: int
    end: int

    @property
    def ended_recording(self) -> bool:
        """True when not even silence may be recorded: the recording was proven to have ended."""
        return self.verb != "pause" and self.outcome in {"confirmed", "nothing_to_stop"}


@dataclass(slots=True)
class _Pressed:
    """Facts about one press, collected before the records are read in order."""

    verb: str = ""
    only: str | None = None
    denied: bool = False
    joined: bool = False
    until: int | None = None
    answered: set[str] = field(default_factory=set)


def windows(records: Iterable[Noted], ended: int) -> list[Silent]:
    """Return the silent windows of one call that ended at `ended`, oldest first.

    `records` are those of all presses of the call, in the order they were written.
    """
    ordered = sorted(records, key=lambda record: record.at)  # stable: equal times keep their order
    reader = _Reader(_presses(ordered), ended)
    for record in ordered:
        reader.take(record)
    reader.close_all()
    return sorted(reader.done, key=lambda window: (window.begin, window.recorder))


def of_call(records: Iterable[Noted], lineage: Iterable[str]) -> tuple[set[str], set[str]]:
    """Return the linkedids of a call and the uniqueids of its channels, as journalled."""
    linkedids = set(lineage)
    uniqueids: set[str] = set()
    for record in records:
        if record.kind in {"resolved", "intent"}:
            body = record.body
            linkedids.update(str(one) for one in [body.get("call"), *_list(body, "lineage")] if one)
            uniqueids.update(
                str(one["uniqueid"]) for one in _list(body, "channels")
                if isinstance(one, Mapping) and one.get("uniqueid")
            )  # fmt: skip
        if record.kind in {"pressed", "reapplied"} and record.body.get("uniqueid"):
            uniqueids.add(str(record.body["uniqueid"]))
    return linkedids, uniqueids | linkedids


def _presses(records: Sequence[Noted]) -> dict[str, _Pressed]:
    found: dict[str, _Pressed] = {}
    for record in records:
        press, body = found.setdefault(record.press, _Pressed()), record.body
        if record.kind == "pressed":
            press.verb, press.only = str(body.get("verb", "")), body.get("recorder")
        elif record.kind == "answered":
            press.answered.add(str(body.get("recorder")))
        elif record.kind == "verdict":
            press.denied = body.get("outcome") == "denied"
        elif record.kind == "joined":
            press.joined = True
        elif record.kind in {"intent", "extended"} and isinstance(body.get("until"), int):
            press.until = body["until"]
    return found


class _Reader:
    """Reads the records in order; `open` holds the present window of each recorder."""

    def __init__(self, presses: Mapping[str, _Pressed], ended: int) -> None:
        self._presses = presses
        self._ended = ended
        self.open: dict[str, Silent] = {}
        self.done: list[Silent] = []

    def take(self, record: Noted) -> None:
        """Take one record."""
        press, body = self._presses[record.press], record.body
        match record.kind:
            case "answered" | "retried":
                self._answer(record, press, body)
            case "verdict" if not press.joined:  # the window belongs to the other press
                for result in _list(body, "recorders"):
                    if result.get("recorder") not in press.answered:
                        self._answer(record, press, result)
            case "pressed" if press.verb not in SILENCING and not press.denied:
                for name in [*self.open]:
                    if press.only in {None, name}:
                        self._close(name, record.at)
            case "intent_ended" if body.get("why") != "superseded":
                self._end_intent(str(body.get("intent", record.press)), record.at, body)
            case "reapplied":
                self._cut(record.at, body)
            case _:
                pass

    def close_all(self) -> None:
        """Close every window at the end of the call."""
        for name in [*self.open]:
            self._close(name, self._ended)

    def _answer(self, record: Noted, press: _Pressed, body: Mapping[str, Any]) -> None:
        name, outcome = str(body.get("recorder", "")), str(body.get("outcome", ""))
        if press.verb not in SILENCING or press.denied or outcome not in _GOOD:
            return
        before = self.open.get(name)
        if before is not None and before.press == record.press:
            return
        self._close(name, record.at)
        kind = str(body.get("kind") or (before.kind if before else ""))
        self.open[name] = Silent(record.press, press.verb, name, kind, outcome, record.at, 0)

    def _end_intent(self, intent: str, at: int, body: Mapping[str, Any]) -> None:
        until = self._presses[intent].until if intent in self._presses else None
        if body.get("why") == "expired" and until is not None:
            at = min(at, until)  # recording resumes before the record of that is written
        for name, window in [*self.open.items()]:
            if window.press == intent:
                self._close(name, at)

    def _cut(self, at: int, body: Mapping[str, Any]) -> None:
        """Interrupt the windows: a recording had started again and was silenced by `at`."""
        results = {str(one.get("recorder")): one for one in _list(body, "results")}
        took = body.get("took_ms")
        since = at - (round(took) if isinstance(took, int | float) else 0)
        for name in [one for one in self.open if not results or one in results]:
            window = self.open[name]
            self._close(name, since)
            outcome = str(results.get(name, {}).get("outcome", window.outcome))
            if outcome in _GOOD:
                self.open[name] = replace(window, begin=at, outcome=outcome)

    def _close(self, name: str, at: int) -> None:
        window, end = self.open.pop(name, None), min(at, self._ended)
        if window is not None and end > window.begin:
            self.done.append(replace(window, end=end))


def _list(body: Mapping[str, Any], key: str) -> list[Any]:
    found = body.get(key)
    return found if isinstance(found, list) else []
