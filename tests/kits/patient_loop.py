# SPDX-License-Identifier: Apache-2.0
"""An event loop whose clock stands still while there is work to do.

Deadlines of the product and of the tests run on the loop's clock. Under a busy machine a request
over loopback may take a second, and a deadline of 0.2 s would strike although nobody is late. On
this loop time passes only while every task waits and no socket is ready: computing, and waiting
for a turn on the processor, take no time at all. A peer that keeps silent on purpose still runs
into the deadline, after as long as it says.
"""

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any

_WOKEN = 0.00025
"""Seconds that pass at most while the loop waited and something came. Without it a peer that
sends every few milliseconds would stop the clock for good."""


class _IdleClock(selectors.DefaultSelector):
    """A selector that counts the seconds in which nothing came."""

    def __init__(self) -> None:
        super().__init__()
        self.now = time.monotonic()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        began = time.monotonic()
        ready = super().select(timeout)
        if ready:
            self.now += min(time.monotonic() - began, timeout, _WOKEN)
        else:
            self.now += timeout
        return ready


class PatientLoop(asyncio.SelectorEventLoop):
    """The loop of the unit, contract and property tests."""

    def __init__(self) -> None:
        self._idle_clock = _IdleClock()
        super().__init__(self._idle_clock)

    def time(self) -> float:
        """Return the seconds that were waited; comparable with `time.monotonic` at the start."""
        return self._idle_clock.now


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end on a loop of this kind, as `asyncio.run` does."""
    with asyncio.Runner(loop_factory=PatientLoop) as runner:
        return runner.run(main)


def loop_time() -> float:
    """Return the time of the running loop: a clock to hand to what measures its own budget."""
    return asyncio.get_running_loop().time()
