# SPDX-License-Identifier: Apache-2.0
"""Run an ASGI app on a port, in the loop that is there, and break the network on purpose.

It uses uvicorn's protocol without uvicorn's main loop, which would take over the signals of
the program around it.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, cast

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from bridges.simulators.harness import ABORT

_KEEP_ALIVE = 65
"""Seconds an idle connection stays open: longer than clients keep theirs."""


NETWORK_FAULTS = {
    "refuse": "refuse connections",
    "silence": "let packets vanish, as a firewall does",
}
"""The faults that a server has before any app is asked."""


class SimServer:
    """One listening port with an app behind it; an asynchronous context manager.

    Port 0 takes a free one. `refuse`, `silence` and `accept` change how new connections are met.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._app = app
        self._host = host
        self._tls = tls
        self._state = ServerState()
        self._config = uvicorn.Config(
            self._with_abort,
            interface="asgi3",
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE,
        )
        self._config.load()
        self._server: asyncio.Server | None = None
        self._socket: socket.socket | None = None
        self._fillers: list[socket.socket] = []
        self.port = port

    @property
    def url(self) -> str:
        """The address, such as `https://127.0.0.1:8443`."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    async def __aenter__(self) -> Self:
        """Listen. Raises `OSError` when the port is taken."""
        self._bind()
        await self.accept()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening and cut every connection."""
        self._stop_listening()
        await self.cut()

    async def accept(self) -> None:
        """Accept new connections again."""
        if self._server is not None:
            return
        if self._fillers:
            self._stop_listening()
        sock = self._socket or self._bind()
        self._server = await asyncio.get_running_loop().create_server(
            self._protocol, sock=sock, ssl=self._tls, backlog=1024
        )
        self._socket = None

    async def refuse(self) -> None:
        """Refuse new connections and cut the old ones."""
        self._stop_listening()
        self._bind()
        await self.cut()

    async def silence(self) -> None:
        """Drop packets, as a firewall does: no connection is taken, none is answered."""
        self._stop_listening()
        sock = self._bind()
        sock.listen(0)
        for _ in range(2):  # the queue of a backlog of 0 holds one; then SYNs are dropped
            filler = socket.socket(sock.family, socket.SOCK_STREAM)
            filler.setblocking(False)
            filler.connect_ex(sock.getsockname())
            self._fillers.append(filler)
        for protocol in self._protocols():
            protocol.transport.pause_reading()

    async def cut(self) -> None:
        """Cut every connection and wait until nothing of them runs."""
        for protocol in self._protocols():
            protocol.transport.abort()
        tasks = list(self._state.tasks)
        await asyncio.sleep(0)  # let the aborted connections learn of it first
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _protocols(self) -> list[H11Protocol]:
        return [cast("H11Protocol", protocol) for protocol in self._state.connections]

    def _protocol(self) -> asyncio.Protocol:
        return H11Protocol(config=self._config, server_state=self._state, app_state={})

    def _bind(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        # asyncio turns Nagle's delay off only where the socket names its protocol.
        sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((self._host, self.port))
        except OSError:
            sock.close()
            raise
        self.port = sock.getsockname()[1]
        self._socket = sock
        return sock

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()

    async def _with_abort(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the app a function that cuts the connection of its request."""
        extensions = {**scope.get("extensions", {}), ABORT: self._abort_of(scope)}
        try:
            await self._app({**scope, "extensions": extensions}, receive, send)
        except asyncio.CancelledError:
            # Only `cut` cancels; the peer is gone, and uvicorn would log it as a crash.
            return

    def _abort_of(self, scope: Scope) -> Callable[[], Any]:
        for protocol in self._protocols():
            if protocol.client == scope.get("client"):
                return protocol.transport.abort
        return lambda: None
