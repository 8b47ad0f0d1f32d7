# SPDX-License-Identifier: Apache-2.0
"""Base class of the recorders that are reached over HTTP: construction, open, close, result.

A recorder need not be made of it: `bridges.model.Recorder` is the contract.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from typing import ClassVar, Generic, Self, TypeVar

import anyio
import httpx

from ami.calls.snapshots import Call
from ami.ports import HasGraph
from bridges.model import Outcome, RecorderResult, Step
from bridges.shared.answer_table import OrderEnd
from bridges.shared.keep_warm import Warmer
from bridges.shared.pbx_view import LiveOn, is_live, live_on
from bridges.shared.settings import HasUrl

Options = TypeVar("Options", bound=HasUrl)


class RecorderBase(ABC, Generic[Options]):
    """The base of a recorder that asks a server of its vendor.

    `live_on` returns the live channels of an extension, `is_live` whether a call is still up; both
    return None while the PBX's calls are not known. `clock` is monotonic and `now` the time of
    day, both in seconds; they, `sleep` and `transport` are seams.
    """

    kind: ClassVar[str]

    def __init__(
        self,
        name: str,
        settings: Options,
        *,
        live_on: LiveOn,
        is_live: Callable[[Call], bool | None] = lambda _call: None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.name = name
        self._settings = settings
        self._live_on = live_on
        self._is_live = is_live
        self._clock = clock
        self._now = now
        self._sleep = sleep
        self._transport = transport
        self._prepare()
        self._warmer = Warmer(f"{self.kind} {name}", self._away, self._warm_every(), sleep)

    @classmethod
    def build(cls, name: str, settings: Options, pbx: HasGraph) -> Self:
        """Return the recorder called `name` for the calls of one PBX."""
        return cls(name, settings, live_on=live_on(pbx), is_live=is_live(pbx))

    def __repr__(self) -> str:
        """Return name and server, never a secret."""
        return f"{type(self).__name__}({self.name!r}, {self._settings.url!r})"

    async def open(self) -> None:
        """Connect ahead of the first press where the settings ask for it, and stay connected."""
        self._warmer.start()

    async def close(self) -> None:
        """Close the connections. Closing twice does no harm."""
        await self._warmer.stop()
        await self._disconnect()

    @abstractmethod
    def _prepare(self) -> None:
        """Make what the recorder needs. Called once, when settings and seams are set."""

    @abstractmethod
    async def _disconnect(self) -> None:
        """Close every connection."""

    def _warm_every(self) -> float:
        """Return the seconds between requests that keep a connection ready; 0 for none."""
        return 0.0

    async def _away(self) -> str | None:
        """Make the request that keeps the connection ready; return why it failed, or None."""
        return None

    def _result(self, end: OrderEnd, steps: Iterable[Step]) -> RecorderResult:
        """Return the result of an order that ended so."""
        return RecorderResult(
            self.name, self.kind, end.outcome, end.evidence, end.detail, tuple(steps),
            retryable=end.retryable and end.outcome is Outcome.FAILED,
        )  # fmt: skip
