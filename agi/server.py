# SPDX-License-Identifier: Apache-2.0
"""The FastAGI server: `agi://host:4573/VERB`, on asyncio streams.

Listens, limits the number of connections and ends them in time; what happens on one connection is
in `agi.session`. Why not a library's server: docs/decisions/0003.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Self

from agi.errors import AgiBind
from agi.press_message import Handler
from agi.session import FastAgiCounters, FastAgiSettings, Session

log = logging.getLogger("agi.fastagi")

_BACKLOG = 1024  # Asterisk gives up on a connect after 2 s; a storm must not fill the queue


class FastAgiServer:
    """Accepts presses from Asterisk and passes each to `handler` at once.

    A connection that never names a channel holds one slot until `read_timeout`, and is closed for a
    new one when all slots are used. A press is never refused for lack of slots: it is passed on,
    and the session ends without telling a verdict.

    Use as an async context manager, or `start` and `close`. Must run inside an event loop.
    """

    def __init__(
        self,
        handler: Handler,
        settings: FastAgiSettings | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings if settings is not None else FastAgiSettings()
        self.counters = FastAgiCounters()
        self._handler = handler
        self._clock = clock
        self._server: asyncio.Server | None = None
        self._sessions: dict[Session, asyncio.Task[None]] = {}
        self._silent: dict[Session, None] = {}  # oldest first: they have named no channel yet

    async def start(self) -> None:
        """Listen. Raises AgiBind when the address cannot be used."""
        host, port = self.settings.host, self.settings.port
        try:
            self._server = await asyncio.start_server(self._connected, host, port, backlog=_BACKLOG)
        except OSError as error:
            raise AgiBind(host, port, error.strerror or str(error)) from error
        log.info("fastagi_listening host=%r port=%d", *self.address)

    @property
    def listening(self) -> bool:
        """True while the dialplan can connect."""
        return self._server is not None and self._server.is_serving()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port it listens on; the actual port if 0 was configured."""
        if self._server is None or not self._server.sockets:
            return self.settings.host, self.settings.port
        host, port = self._server.sockets[0].getsockname()[:2]
        return host, port

    @property
    def connections(self) -> int:
        """Number of open connections."""
        return len(self._sessions)

    async def close(self, grace: float = 2.0) -> None:
        """Stop listening, give sessions with a press `grace` seconds to finish, and cut the rest.

        Presses already accepted are not affected. Idempotent.
        """
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for session in list(self._silent):
            session.abort()
        if self._sessions:
            await asyncio.wait(self._sessions.values(), timeout=grace)
        late = dict(self._sessions)
        for session, task in late.items():
            session.abort()
            task.cancel()
        if late:
            log.warning("fastagi_sessions_cut count=%d grace=%g", len(late), grace)
            await asyncio.wait(late.values())
        if server is not None:
            await server.wait_closed()

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close with the default grace."""
        await self.close()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.counters.connections += 1
        if len(self._sessions) >= self.settings.max_connections:
            self._make_room()
        session = Session(
            reader,
            writer,
            handler=self._handler,
            settings=self.settings,
            counters=self.counters,
            clock=self._clock,
            on_press=self._named,
        )
        task = asyncio.get_running_loop().create_task(session.run(), name="fastagi-session")
        self._sessions[session] = task
        self._silent[session] = None
        task.add_done_callback(lambda done: self._ended(session, done))

    def _make_room(self) -> None:
        oldest = next(iter(self._silent), None)
        if oldest is not None:
            del self._silent[oldest]
            oldest.abort()
            self.counters.evicted += 1

    def _named(self, session: Session) -> bool:
        """Note that a session has a press; return False when there are too many for it to stay."""
        self._silent.pop(session, None)
        holding = len(self._sessions) - len(self._silent)
        return holding <= self.settings.max_connections

    def _ended(self, session: Session, task: asyncio.Task[None]) -> None:
        self._sessions.pop(session, None)
        self._silent.pop(session, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("fastagi_session_failed", exc_info=error)
