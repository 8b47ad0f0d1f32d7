# SPDX-License-Identifier: Apache-2.0
"""Recognise a press that was seen several ways, or again, as one press. Pure."""

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

from bridges.model import Verb

Handle = TypeVar("Handle")

_STARTS = frozenset({Verb.RESUME, Verb.START})


@dataclass(frozen=True, slots=True)
class Ruling(Generic[Handle]):
    """Decision about a new press.

    `join` is the press it is the same as, `overruled` a press that silences and refuses the new
    one, `supersedes` those that the new one ends because it turns their recording off again.
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
    only: str | None
    last: float
    running: bool = True
    counts: bool = True


class Deduplicator(Generic[Handle]):
    """Remembers the presses of the last `window` seconds, and those still running.

    Times are seconds on one monotonic clock, given by the caller.
    """

    def __init__(self, window: float) -> None:
        self.window = window
        self._seen: deque[_Seen[Handle]] = deque()

    def rule(
        self,
        lineage: frozenset[str],
        verb: Verb,
        at: float,
        *,
        only: str | None = None,
        itself: Handle | None = None,
    ) -> Ruling[Handle]:
        """Return how a press of `verb` at `at` on the call of `lineage` relates to the others.

        The same verb within the window of its last sighting, or while the first still runs, is
        the same press, if both are limited to the same recorder (`only`) or both to none. Of
        opposite verbs within the window the silencing one wins, in either order.

        A press that is remembered already is ruled on again as `itself`, once its call is known
        for certain: it can then be the same as an earlier one that was allowed, never as a later.
        """
        self._forget(at)
        near = [seen for seen in self._seen if seen.lineage & lineage]
        earlier = near
        if itself is not None:
            place = next((n for n, seen in enumerate(near) if seen.handle is itself), len(near))
            earlier = [seen for seen in near[:place] if seen.counts]
            near = [seen for seen in near if seen.handle is not itself]
        same = [s.handle for s in earlier if s.verb is verb and s.only == only]
        join = same[-1] if same else None
        if verb in _STARTS:
            silencing = [
                s for s in near if s.verb.silences and s.counts and self._close(s.last, at)
            ]
            return Ruling(join, overruled=silencing[-1].handle if silencing else None)
        starts = (s.handle for s in near if s.running and s.verb in _STARTS)
        return Ruling(join, supersedes=tuple(starts))

    def add(
        self,
        lineage: frozenset[str],
        verb: Verb,
        at: float,
        handle: Handle,
        *,
        only: str | None = None,
    ) -> None:
        """Remember a press that joins no other."""
        self._seen.append(_Seen(lineage, verb, at, handle, only, at))

    def again(self, handle: Handle, at: float) -> None:
        """Start the window of a press again, because it was seen once more."""
        for seen in self._of(handle):
            seen.last = max(seen.last, at)

    def widen(self, handle: Handle, lineage: frozenset[str]) -> None:
        """Add ids of the call that were not known when the press came."""
        for seen in self._of(handle):
            seen.lineage |= lineage

    def denied(self, handle: Handle) -> None:
        """Mark a press as not allowed: it must not prevent one that is."""
        for seen in self._of(handle):
            seen.counts = False

    def ended(self, handle: Handle) -> None:
        """Mark a press as ended."""
        for seen in self._of(handle):
            seen.running = False

    def _of(self, handle: Handle) -> list[_Seen[Handle]]:
        return [seen for seen in self._seen if seen.handle is handle]

    def _close(self, one: float, other: float) -> bool:
        return abs(other - one) < self.window

    def _forget(self, now: float) -> None:
        self._seen = deque(
            seen for seen in self._seen if seen.running or now - seen.last < self.window
        )
