# SPDX-License-Identifier: Apache-2.0
"""The events of all ARI applications over a WebSocket, connected again whenever it is lost."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException

from bridges.asterisk.ari.client import REPLACED_EVENT, AriClient, AriError

PAUSES: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds before each new attempt; the last one goes on for ever."""

REPLACED: Final = 30.0
"""Seconds before the application is taken back from another client that took its name."""

PING: Final = 5.0
"""Seconds between two pings, and for the answer to one."""

OPEN: Final = 5.0
"""Seconds to connect."""

LARGEST: Final = 1024 * 1024
"""Bytes of one event."""

log = logging.getLogger(__name__)
_quiet = logging.getLogger("offrecord.websockets")
_quiet.setLevel(logging.ERROR)  # below that it writes headers, which hold the secret


class Replaced(Exception):
    """Another client has connected with the name of our application."""


class AriEvents:
    """Takes events from one Asterisk until `run` is cancelled.

    `connected` is awaited on each new connection, once only the events of recordings come, beside
    the taking of events; `event` is called with each event; `lost` when a connection has ended.
    `sleep` takes seconds and is a seam.
    """

    def __init__(
        self,
        client: AriClient,
        *,
        connected: Callable[[], Awaitable[None]],
        event: Callable[[dict[str, Any]], None],
        lost: Callable[[], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._connected = connected
        self._event = event
        self._lost = lost
        self._sleep = sleep
        self._failures = 0
        self.problem = "it was not connected yet"

    async def run(self) -> None:
        """Connect and take events; after each failure again, later and later."""
        while True:
            try:
                await self._once()
            except Replaced:
                self._say("another client uses the name of our application: see `app` in [ari]")
                await self._sleep(REPLACED)
            except AriError as problem:
                self._say(problem.message)
            except (WebSocketException, OSError, TimeoutError) as problem:
                self._say(_words(problem))
            await self._sleep(PAUSES[min(self._failures, len(PAUSES)) - 1])

    def _say(self, problem: str) -> None:
        """Log the first of several failures in a row."""
        self.problem = problem
        if self._failures == 0:
            log.warning("ari events lost, url=%s problem=%s", self._client.url, problem)
        self._failures += 1

    async def _once(self) -> None:
        """Take events over one connection until it ends."""
        async with self._open() as socket:
            try:
                await self._take(socket)
            finally:
                self._lost()

    async def _take(self, socket: ClientConnection) -> None:
        # Events must be taken while `connected` asks: what it is told may be over meanwhile.
        reading = asyncio.create_task(self._read(socket), name="ari-read")
        ready = asyncio.create_task(self._ready(), name="ari-ready")
        try:
            await asyncio.wait({reading, ready}, return_when=asyncio.FIRST_EXCEPTION)
            for task in (ready, reading):
                if task.done():
                    task.result()
        finally:
            reading.cancel()
            ready.cancel()
            await asyncio.gather(reading, ready, return_exceptions=True)

    async def _read(self, socket: ClientConnection) -> None:
        """Take events until the connection ends, and raise then."""
        async for event in _events(socket):
            if event.get("type") == REPLACED_EVENT:
                raise Replaced
            self._event(event)
        raise AriError("the connection was closed", "see Asterisk's log")

    async def _ready(self) -> None:
        await self._client.filter_events()
        await self._connected()
        if self._failures:
            log.warning("ari events back, url=%s", self._client.url)
        self._failures, self.problem = 0, ""

    def _open(self) -> connect:
        return connect(
            self._client.events_url,
            additional_headers=self._client.headers,
            ssl=self._client.tls(),
            proxy=None,
            compression=None,
            open_timeout=OPEN,
            ping_interval=PING,
            ping_timeout=PING,
            close_timeout=1.0,
            max_size=LARGEST,
            logger=_quiet,
        )


async def _events(socket: ClientConnection) -> AsyncIterator[dict[str, Any]]:
    async for text in socket:
        try:
            told = json.loads(text)
        except ValueError:
            continue
        if isinstance(told, dict):
            yield told


def _words(problem: Exception) -> str:
    """Return what went wrong, without an address or a header."""
    if isinstance(problem, InvalidStatus):
        status = problem.response.status_code
        return "the account is refused" if status == 401 else f"HTTP {status} instead of events"
    if isinstance(problem, InvalidHandshake):
        return "what answers is no WebSocket"
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    return "the connection was lost" if isinstance(problem, WebSocketException) else "no answer"
