# SPDX-License-Identifier: Apache-2.0
"""Rules for how long a pause lasts on which call, and how far it may be extended. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from bridges.model import Verb
from bridges.shared.patterns import match
from offrecord.model.intents import Intent
from offrecord.model.policy_terms import AtEnd


@dataclass(frozen=True, slots=True)
class TtlRule:
    """`ttl`: seconds that a pause lasts on calls that match all `patterns`, keyed as in a route."""

    patterns: Mapping[str, str]
    ttl: float


@dataclass(frozen=True, slots=True)
class PauseRules:
    """Rules for how long a pause lasts. All numbers are seconds, counted from the press.

    The first of these that matches the call decides: the rule of `routes` with the most patterns,
    the first of equals; the first pattern of `queues` that a queue of the call matches; the first
    of `trunks` that a trunk matches; `ttl`. `reminder` is how long before the end the presser is
    reminded, 0 for never. `extension` is added once by a second press, 0 for never. No pause
    lasts longer than `maximum`.
    """

    ttl: float = 180.0
    queues: tuple[tuple[str, float], ...] = ()
    reminder: float = 20.0
    extension: float = 180.0
    maximum: float = 600.0
    at_end: AtEnd = "resume"
    trunks: tuple[tuple[str, float], ...] = ()
    routes: tuple[TtlRule, ...] = ()

    def times(self, since: int, about: Mapping[str, Sequence[str]]) -> tuple[int, int]:
        """Return when a pause that began at `since` ends, and its latest possible end.

        All times are milliseconds since the epoch, UTC. `about`: the call's queues, trunks and
        other values, by the keys of a route's rule.
        """
        fitting = [one for one in self.routes if match(one.patterns, about).missed is None]
        fitting.sort(key=lambda one: len(one.patterns), reverse=True)
        said = (
            *(one.ttl for one in fitting),
            _first(self.queues, about["queue"]),
            _first(self.trunks, about["trunk"]),
        )
        lasts = next((ttl for ttl in said if ttl is not None), self.ttl)
        latest = since + round(self.maximum * 1000)
        return min(since + round(lasts * 1000), latest), latest

    def extend(self, intent: Intent) -> Intent | None:
        """Return the pause with its extension, None when it may not be extended."""
        may = intent.verb is Verb.PAUSE and not intent.extended and self.extension > 0
        if not may or intent.until is None:
            return None
        until = intent.until + round(self.extension * 1000)
        until = until if intent.maximum is None else min(until, intent.maximum)
        return replace(intent, until=until, extended=True) if until > intent.until else None


def _first(patterns: Iterable[tuple[str, float]], names: Sequence[str]) -> float | None:
    """Return the seconds of the first pattern that one of the names matches."""
    fits = (ttl for pattern, ttl in patterns if any(fnmatchcase(n, pattern) for n in names))
    return next(fits, None)
