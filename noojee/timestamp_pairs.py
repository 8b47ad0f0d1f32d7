# SPDX-License-Identifier: Apache-2.0
"""The pair of timestamp and hash: fetched once for all, used in time, renewed before its hour.

The vendor's rules: a pair must be used within 10 s of the server's `Time`; once used it is good
for an hour; no more than 5 authentications may run at the same time. When the hour starts, and
what counts as one authentication, is not documented; this side keeps to the narrowest reading:

* the age counts from the moment `Time` was sent, by a clock that never jumps;
* a pair is first used before it is 8 s old, else a new one is fetched;
* it is renewed after 55 minutes;
* one `Time` is asked at a time, however many callers wait for it;
* until a pair is proven by a good answer, few requests at a time go out with it.
"""

import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import anyio

from noojee.answers import Kind
from noojee.errors import NoojeeError
from noojee.signing import sign

FIRST_USE: Final = 8.0
"""Seconds after which a pair is too old for its first use; the server allows 10."""
RENEW: Final = 55 * 60.0
"""Seconds after which a proven pair is given up; the server allows an hour."""
HANDSHAKES: Final = 3
"""Unproven uses in flight by default: the server takes 5, and others may share them."""
MAX_HANDSHAKES: Final = 5

_BACK_OFF_FIRST: Final = 0.05
_BACK_OFF_MOST: Final = 0.5
"""Seconds. Kept short, as a press waits for it; the jitter is what matters."""

_PROOF: Final = frozenset({Kind.DONE, Kind.WARNING, Kind.UNCONFIRMED})
_SURELY_AUTH: Final = frozenset({Kind.EXPIRED, Kind.FORBIDDEN})
_MAYBE_AUTH: Final = _SURELY_AUTH | {Kind.REFUSED}
"""Refusals that may be about the pair: their texts are not documented."""


@dataclass(slots=True, eq=False)
class Pair:
    """A timestamp of the server's and its hash. `asked` is when `Time` was sent, monotonic."""

    stamp: str
    hash: str = field(repr=False)
    asked: float
    proven: bool = False


@dataclass(slots=True, eq=False)
class _Handshake:
    """One `Time` under way; all that wait for it share its error."""

    done: anyio.Event
    error: NoojeeError | None = None


class Pairs:
    """The pair that every request of one client shares.

    `clock` is monotonic, in seconds; `sleep` and `draw` (0 to 1) serve the back-off.
    """

    def __init__(
        self,
        api_key: str,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        draw: Callable[[], float],
        handshakes: int = HANDSHAKES,
    ) -> None:
        if not 1 <= handshakes <= MAX_HANDSHAKES:
            raise ValueError(f"handshakes: 1 to {MAX_HANDSHAKES}, the most that the server takes")
        self._api_key = api_key
        self._clock = clock
        self._sleep = sleep
        self._draw = draw
        self._pair: Pair | None = None
        self._handshake: _Handshake | None = None
        self._unproven = anyio.Semaphore(handshakes, fast_acquire=True)
        self._refusals = 0

    def __repr__(self) -> str:
        """Return a text without key or hash."""
        return f"Pairs({self._pair!r})"

    def usable(self, pair: Pair) -> bool:
        """Return whether a request may still go out with this pair."""
        age = self._clock() - pair.asked
        return pair is self._pair and age < (RENEW if pair.proven else FIRST_USE)

    @asynccontextmanager
    async def use(self, fetch: Callable[[], Awaitable[str]]) -> AsyncIterator[Pair]:
        """Yield a pair that is good right now; hold one of the few slots while it is unproven.

        `fetch` asks the server for its time. Raises what `fetch` raises, in every caller that
        waited for that request too.
        """
        while True:
            pair = await self._current(fetch)
            if pair.proven:
                yield pair
                return
            async with self._unproven:
                if self.usable(pair) and not pair.proven:
                    yield pair
                    return
            # Meanwhile someone proved it, or it grew too old, or it was refused.

    def judged(self, pair: Pair, kind: Kind) -> None:
        """Note the answer to a request that went out with this pair."""
        if kind in _PROOF:
            pair.proven = True
            self._refusals = 0
        elif pair is self._pair and self._doubted(pair, kind):
            # Identity is the generation: many requests failing on one pair cost one refresh.
            self._pair = None
            self._refusals += kind is not Kind.EXPIRED

    @staticmethod
    def _doubted(pair: Pair, kind: Kind) -> bool:
        """Return whether a refusal is about the pair; for a proven pair only if it says that."""
        return kind in (_SURELY_AUTH if pair.proven else _MAYBE_AUTH)

    async def _current(self, fetch: Callable[[], Awaitable[str]]) -> Pair:
        while True:
            if self._pair is not None and self.usable(self._pair):
                return self._pair
            running = self._handshake
            if running is None:
                return await self._shake(fetch)
            await running.done.wait()
            if running.error is not None:
                raise running.error.again()

    async def _shake(self, fetch: Callable[[], Awaitable[str]]) -> Pair:
        """Fetch a new pair while others wait. A cancelled leader leaves the lead to the next."""
        shake = self._handshake = _Handshake(anyio.Event())
        try:
            if self._refusals:
                most = _BACK_OFF_FIRST * math.exp2(min(self._refusals, 10))
                await self._sleep(self._draw() * min(most, _BACK_OFF_MOST))
            asked = self._clock()
            stamp = await fetch()
            self._pair = Pair(stamp, sign(self._api_key, stamp), asked)
        except NoojeeError as error:
            shake.error = error
            self._refusals += 1
            raise
        else:
            return self._pair
        finally:
            self._handshake = None
            shake.done.set()
