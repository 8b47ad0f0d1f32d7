# SPDX-License-Identifier: Apache-2.0
"""The daemon's HTTP address: where vendors report what they know of a call, and the API beside it.

A recorder that is `Hooked` is served under `/hooks/NAME/`, whichever configuration made it: the
recorders are looked up with each request, so a reload changes what is served and not the socket.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import uvicorn
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from bridges.model import Hooked, Recorder

_PREFIX: Final = "/hooks/"
_CONNECTIONS: Final = 100
"""Open at the same time; more are answered with 503."""
_PATIENCE: Final = 5.0
"""Seconds that one request may take, its body included."""
_GRACE: Final = 2


def hooks(
    recorders: Callable[[], Mapping[str, Recorder]],
    beside: Callable[[], ASGIApp | None] = lambda: None,
) -> ASGIApp:
    """Return the app that hands a request on to the hook of the recorder its path names.

    What is not under `/hooks/` is for the app that `beside` returns, if there is one.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        other = None if path.startswith(_PREFIX) else beside()
        if other is not None:
            await other(scope, receive, send)
            return
        name, _, rest = path.removeprefix(_PREFIX).partition("/")
        hook = hook_of(recorders().get(name)) if path.startswith(_PREFIX) else None
        if hook is None:
            await JSONResponse({"error": "nothing is here"}, 404)(scope, receive, send)
            return
        inner = {**scope, "path": f"/{rest}", "root_path": f"{_PREFIX}{name}"}
        try:
            async with asyncio.timeout(_PATIENCE):
                await hook(inner, receive, send)
        except TimeoutError:
            await JSONResponse({"error": "too slow"}, 408)(scope, receive, send)

    return app


def hook_of(recorder: object) -> ASGIApp | None:
    """Return what answers the vendor of a recorder, None when nothing does."""
    return recorder.hook if isinstance(recorder, Hooked) else None


class _QuietServer(uvicorn.Server):
    """A uvicorn that leaves the signals to the daemon around it, and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen. Raises `OSError`."""
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signal."""
        yield


class HttpServer:
    """One listening address with an app behind it."""

    def __init__(
        self, app: ASGIApp, host: str, port: int, tls: ssl.SSLContext | None = None
    ) -> None:
        self._host = host
        self._port = port
        self._socket: socket.socket | None = None
        self._serving: asyncio.Task[None] | None = None
        config = uvicorn.Config(
            app,
            interface="asgi3",
            lifespan="off",
            ws="none",
            http="h11",
            log_config=None,
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=_CONNECTIONS,
            timeout_graceful_shutdown=_GRACE,
        )
        config.load()
        config.ssl = tls
        self._server = _QuietServer(config)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that are listened on, once started."""
        return self._host, self._port

    async def start(self) -> None:
        """Listen. Raises `OSError` when the address cannot be had."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        # asyncio turns Nagle's delay off only where the socket names its protocol.
        self._socket = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((self._host, self._port))
        except OSError:
            self._socket.close()
            raise
        self._port = self._socket.getsockname()[1]
        self._serving = asyncio.create_task(self._server.serve([self._socket]), name="http")
        listening = asyncio.create_task(self._server.listening.wait())
        await asyncio.wait({self._serving, listening}, return_when=asyncio.FIRST_COMPLETED)
        if not listening.done():
            listening.cancel()
            self._serving.result()

    async def close(self) -> None:
        """Stop listening, and let the requests under way end for a moment."""
        if self._serving is None:
            return
        self._server.should_exit = True
        await asyncio.gather(self._serving, return_exceptions=True)
        self._serving = None


def server_tls(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return what serves HTTPS. Raises `ValueError` naming the file that cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        why = error.strerror or "they do not fit"
        raise ValueError(f"no certificate with its key in {certificate} and {key}: {why}") from None
    return context
