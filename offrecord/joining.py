# SPDX-License-Identifier: Apache-2.0
"""One press seen several ways is one press: which running press a new one belongs to. Pure."""

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

from bridges.model import Verb

Handle = TypeVar("Handle")

_STARTS = frozenset({Verb.RESUME, Verb.START})


@dataclass(frozen=True, slots=True)
class Ruling(Generic[Handle]):
    """What to do with a new press.

    `join` is the press it is the same as; `overruled` one that silences and came before, so that
    the new one is refused; `supersedes` those whose recording it turns off again.
    """

    join: Handle | None = None
    overruled: Handle | None = None
    supersedes: tuple[Handle, ...] = ()


@dataclass(slots=True)
class _Seen(Generic[Handle]):
    lineage: frozenset[str]
    verb: Verb
    at: float
    handle: Handle
    running: bool = True


class Joining(Generic[Handle]):
    """Remembers the presses of the last `window` seconds, and those still running.

    Times are seconds on one monotonic clock, given by the caller.
    """

    def __init__(self, window: float) -> None:
        self._window = window
        self._seen: deque[_Seen[Handle]] = deque()

    def rule(self, lineage: frozenset[str], verb: Verb, now: float) -> Ruling[Handle]:
        """Say what a press of `verb` on the call of `lineage` is to the ones before it.

        The same verb within the window, or while the first still runs, is the same press. Of
        opposite verbs within the window the silencing one wins, whichever came first.
        """
        self._forget(now)
        near = [seen for seen in self._seen if seen.lineage & lineage]
        for seen in reversed(near):
            if seen.verb is verb:
                return Ruling(join=seen.handle)
        if verb in _STARTS:
            silencing = [s for s in near if s.verb.silences and now - s.at < self._window]
            return Ruling(overruled=silencing[-1].handle) if silencing else Ruling()
        return Ruling(supersedes=tuple(s.handle for s in near if s.running and s.verb in _STARTS))

    def add(self, lineage: frozenset[str], verb: Verb, now: float, handle: Handle) -> None:
        """Remember a press that goes its own way."""
        self._seen.append(_Seen(lineage, verb, now, handle))

    def ended(self, handle: Handle) -> None:
        """Note that a press runs no more."""
        for seen in self._seen:
            if seen.handle is handle:
                seen.running = False

    def _forget(self, now: float) -> None:
        self._seen = deque(
            seen for seen in self._seen if seen.running or now - seen.at < self._window
        )
