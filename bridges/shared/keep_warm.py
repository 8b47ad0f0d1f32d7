# SPDX-License-Identifier: Apache-2.0
"""Keep connection and token to a server ready: no press then pays for a handshake."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)


class Warmer:
    """Asks a server every `every` seconds; logs once when it is away and once when it is back.

    `ask` returns why the server is away, None when it is not; `who` names kind and recorder in
    the log. 0 seconds ask nothing. `sleep` is a seam.
    """

    def __init__(
        self,
        who: str,
        ask: Callable[[], Awaitable[str | None]],
        every: float,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._who = who
        self._ask = ask
        self._every = every
        self._sleep = sleep
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, unless begun already."""
        if self._every and self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"warm {self._who}")

    async def stop(self) -> None:
        """End, and wait until nothing is asked any more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        away = False
        while True:
            reason = await self._ask()
            if reason is not None and not away:
                log.warning("recorder away, %s reason=%s", self._who, reason)
            elif reason is None and away:
                log.info("recorder back, %s", self._who)
            away = reason is not None
            await self._sleep(self._every)
