# SPDX-License-Identifier: Apache-2.0
"""An event loop that runs in the time of a capture.

Time stands still while there is work, then jumps to the next timer: an hour is replayed in seconds,
and all timeouts and pauses happen in the same order as in the capture. With `real_time` it sleeps
instead of jumping.
"""

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class _JumpingSelector(selectors.DefaultSelector):
    """A selector that moves a clock forward instead of waiting."""

    def __init__(self, *, real_time: bool) -> None:
        super().__init__()
        self.now = 0.0
        self._real_time = real_time

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; otherwise move the clock on by `timeout` seconds."""
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise RuntimeError("the replay waits for something that can never come")
        if self._real_time:
            time.sleep(timeout)
        self.now += timeout
        return []


class ReplayLoop(asyncio.SelectorEventLoop):
    """The event loop of a replay; `time` begins at 0."""

    def __init__(self, *, real_time: bool = False) -> None:
        self._selector = _JumpingSelector(real_time=real_time)
        super().__init__(self._selector)

    def time(self) -> float:
        """Return the seconds since the capture began."""
        return self._selector.now


def run(job: Coroutine[Any, Any, Result], *, real_time: bool = False) -> Result:
    """Run a coroutine on a new `ReplayLoop` and return its result."""
    with asyncio.Runner(loop_factory=lambda: ReplayLoop(real_time=real_time)) as runner:
        return runner.run(job)
