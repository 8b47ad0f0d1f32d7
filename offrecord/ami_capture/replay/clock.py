# SPDX-License-Identifier: Apache-2.0
"""An event loop whose time is that of a capture.

Time stands still while anything is left to do, and then leaps to the next thing that is due: an
hour is played in seconds, and every timeout and pause comes in the same order as it did. In real
time it sleeps instead of leaping.
"""

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class _Leaping(selectors.DefaultSelector):
    """A selector that moves a clock forward where another would wait."""

    def __init__(self, *, real_time: bool) -> None:
        super().__init__()
        self.now = 0.0
        self._real_time = real_time

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; else let the time pass."""
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise RuntimeError("the replay waits for something that can never come")
        if self._real_time:
            time.sleep(timeout)
        self.now += timeout
        return []


class CaptureLoop(asyncio.SelectorEventLoop):
    """The event loop of a replay; `time` begins at 0."""

    def __init__(self, *, real_time: bool = False) -> None:
        self._leaping = _Leaping(real_time=real_time)
        super().__init__(self._leaping)

    def time(self) -> float:
        """Return the seconds since the capture began."""
        return self._leaping.now


def run(job: Coroutine[Any, Any, Result], *, real_time: bool = False) -> Result:
    """Run a coroutine on a loop of its own and return what it does."""
    with asyncio.Runner(loop_factory=lambda: CaptureLoop(real_time=real_time)) as runner:
        return runner.run(job)
