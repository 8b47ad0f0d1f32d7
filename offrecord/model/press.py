# SPDX-License-Identifier: Apache-2.0
"""A press: one trigger by one person, before anything is known about the call."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, get_args

from bridges.model import Verb

Way = Literal["fastagi", "agi", "keypad", "userevent", "cli", "http"]
"""The way by which a press came in."""

WAYS: frozenset[str] = frozenset(get_args(Way))

END_OBJECTION = "end_objection"
"""The option by which a terminal's `resume` or `start` ends an objection; its value is `yes`."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32, small letters: sorts as its numbers do, no i, l, o or u to misread."""

_TIME_CHARS = 9  # 45 bits of milliseconds: until the year 3084
_TAIL_CHARS = 5
_TAIL_BITS = 5 * _TAIL_CHARS


def now_ms() -> int:
    """Return the time in milliseconds since the epoch, UTC: the `at` of presses and records."""
    return time.time_ns() // 1_000_000


def _base32(number: int, chars: int) -> str:
    return "".join(_ALPHABET[(number >> (5 * place)) & 31] for place in reversed(range(chars)))


class PressIds:
    """Makes press ids: 14 characters, unique, sorted by time of making.

    `random_bits(n)` returns `n` random bits, as `random.getrandbits` does. Within one
    millisecond, or when the clock steps back, the previous id is counted up instead.
    """

    def __init__(self, random_bits: Callable[[int], int]) -> None:
        self._random_bits = random_bits
        self._last = 0

    def make(self, at: int) -> str:
        """Return the id of a press made `at` milliseconds since the epoch, UTC."""
        # The top bit of the tail starts at 0, so that counting up cannot run into the time.
        fresh = (at << _TAIL_BITS) | self._random_bits(_TAIL_BITS - 1)
        self._last = fresh if fresh >> _TAIL_BITS > self._last >> _TAIL_BITS else self._last + 1
        return _base32(self._last, _TIME_CHARS + _TAIL_CHARS)


@dataclass(frozen=True, slots=True)
class Press:
    """One trigger by one person.

    `target` is what the presser named: a uniqueid, a channel name, an extension or a linkedid;
    `uniqueid` and `channel` are filled when a channel pressed. `recorder` limits the press to
    one configured recorder. `at` is milliseconds since the epoch, UTC; `received` is seconds on
    the monotonic clock of this process, for measuring only.
    """

    id: str
    verb: Verb
    way: Way
    target: str
    at: int
    received: float
    uniqueid: str | None = None
    channel: str | None = None
    agent: str | None = None
    recorder: str | None = None
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def body(self) -> dict[str, object]:
        """Return the press as the body of its journal record."""
        return {
            "verb": self.verb.value,
            "way": self.way,
            "target": self.target,
            "uniqueid": self.uniqueid,
            "channel": self.channel,
            "agent": self.agent,
            "recorder": self.recorder,
            "options": dict(self.options),
        }
