# SPDX-License-Identifier: Apache-2.0
"""Limits on presses by call and by person. Pure: the caller passes the time.

Counts are kept in memory only: a restart of the daemon resets them.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

HOUR: Final = 3600.0
"""Seconds over which the presses of one person are counted."""

DAY: Final = 24 * HOUR
"""Seconds over which the presses on one call are counted: longer than calls last."""


@dataclass(frozen=True, slots=True, eq=False)
class _Thing:
    """A call or a person: its names, and the times of its presses, oldest first."""

    names: frozenset[str]
    presses: tuple[float, ...]


@dataclass(slots=True)
class _Tally:
    """The presses of each call or person within the last `window` seconds.

    One may have several names. When two turn out to be the same, their presses are added up.
    """

    window: float
    _by_name: "OrderedDict[str, _Thing]" = field(default_factory=OrderedDict)

    def count(self, names: Iterable[str], at: float) -> int:
        return len(self._presses(self._things(names), at))

    def add(self, names: Iterable[str], at: float) -> None:
        known = frozenset(names)
        things = self._things(known)
        thing = _Thing(
            known.union(*(one.names for one in things)),
            tuple(sorted([*self._presses(things, at), at])),
        )
        for name in thing.names:
            self._by_name[name] = thing
            self._by_name.move_to_end(name)
        self._forget(at)

    def __len__(self) -> int:
        return len(self._by_name)

    def _things(self, names: Iterable[str]) -> set[_Thing]:
        return {thing for name in names if (thing := self._by_name.get(name)) is not None}

    def _presses(self, things: Iterable[_Thing], at: float) -> list[float]:
        return [one for thing in things for one in thing.presses if at - one < self.window]

    def _forget(self, at: float) -> None:
        """Drop names without a press for `window` seconds; the most recent ones are at the end."""
        while at - next(iter(self._by_name.values())).presses[-1] >= self.window:
            self._by_name.popitem(last=False)


@dataclass(slots=True)
class Limits:
    """Counts presses and finds those that exceed a limit.

    `per_call` is the number of presses on one call (within `DAY`), `per_agent_hour` that of one
    person within `HOUR`; 0 is no limit. Times are seconds on one monotonic clock. The two numbers
    may be changed at any time; the counts are kept.
    """

    per_call: int = 0
    per_agent_hour: int = 0
    _calls: _Tally = field(default_factory=lambda: _Tally(DAY))
    _people: _Tally = field(default_factory=lambda: _Tally(HOUR))

    def over(self, call: frozenset[str], person: str | None, at: float) -> tuple[str, ...]:
        """Return a sentence for each limit that one more press would exceed. Counts nothing.

        `call`: the ids of the call. `person`: a login or an extension.
        """
        told = []
        if self.per_call and self._calls.count(call, at) >= self.per_call:
            told.append(f"this call had its {_presses(self.per_call)} (policy.max_per_call)")
        hour = self.per_agent_hour
        if hour and person is not None and self._people.count([person], at) >= hour:
            told.append(f"{person} had {_presses(hour)} within an hour (policy.max_per_agent_hour)")
        return tuple(told)

    def count(self, call: frozenset[str], person: str | None, at: float) -> None:
        """Count an allowed press at `at`, in seconds."""
        self._calls.add(call, at)
        if person is not None:
            self._people.add([person], at)

    @property
    def size(self) -> int:
        """The number of names in memory."""
        return len(self._calls) + len(self._people)


def _presses(number: int) -> str:
    return f"{number} press" if number == 1 else f"{number} presses"
