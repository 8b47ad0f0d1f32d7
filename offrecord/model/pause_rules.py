# SPDX-License-Identifier: Apache-2.0
"""How long a pause lasts on which call, and how far it may be extended. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from bridges.model import Verb
from bridges.shared.patterns import match
from offrecord.model.intents import Intent
from offrecord.model.policy_terms import AtEnd


@dataclass(frozen=True, slots=True)
class TtlRule:
    """How many seconds pauses last on calls that fit all of the `patterns`, by their keys."""

    patterns: Mapping[str, str]
    ttl: float


@dataclass(frozen=True, slots=True)
class PauseRules:
    """How long a pause lasts, all in seconds.

    `ttl` from the press on, unless something more specific is said: by the rule of `routes` that
    fits with the most patterns, the first of equals; else by the first pattern of `queues` that a
    queue of the call matches; else by that of `trunks` for its trunks. `reminder` before the end,
    0 for none; `extension` more for a second press, once, 0 for none; never beyond
    `maximum` from the press on.
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
        """Return when a pause of `since` ends, and when at the latest; in milliseconds.

        `about` holds what is known of the call by the keys of a rule about routes.
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
        """Return a pause made longer, None when it may not be."""
        may = intent.verb is Verb.PAUSE and not intent.extended and self.extension > 0
        if not may or intent.until is None:
            return None
        until = intent.until + round(self.extension * 1000)
        until = until if intent.maximum is None else min(until, intent.maximum)
        return replace(intent, until=until, extended=True) if until > intent.until else None


def _first(patterns: Iterable[tuple[str, float]], names: Sequence[str]) -> float | None:
    """Return what belongs to the first pattern that one of the names matches."""
    fits = (ttl for pattern, ttl in patterns if any(fnmatchcase(n, pattern) for n in names))
    return next(fits, None)
