# SPDX-License-Identifier: Apache-2.0
"""A scripted ARI: recordings in a dict, answers as a real Asterisk gives them, events by hand."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import httpx
from starlette.types import Receive, Scope, Send
from websockets.asyncio.server import Request, Response, ServerConnection, serve

from bridges.asterisk.ari import AriClient, AriRecordings, AriSettings
from bridges.shared.http_line import basic

PASSWORD = "a-secret-of-ari"
LIVE = "/recordings/live/"


@dataclass
class ScriptedAri:
    """ARI below `prefix`. `live` maps names to target and state; `stored` are other names.

    `script` answers a request in its place, by method and path. `refuse` is an HTTP status for new
    connections of events.
    """

    prefix: str = "/ari"
    live: dict[str, tuple[str, str]] = field(default_factory=dict)
    stored: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    script: Callable[[str, str], httpx.Response | None] = lambda _method, _path: None
    refuse: int | None = None
    port: int = 1
    filters: list[Any] = field(default_factory=list)
    sockets: list[ServerConnection] = field(default_factory=list)
    opened: int = 0

    def client(self, path: str = "") -> AriClient:
        settings = AriSettings(f"http://127.0.0.1:{self.port}{path}", "offrecord", PASSWORD)
        return AriClient(settings, transport=httpx.MockTransport(self.answer))

    def recordings(self) -> AriRecordings:
        return AriRecordings(self.client(), sleep=_soon)

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode().removeprefix(self.prefix)
        self.asked.append(f"{request.method} {path}")
        if request.headers.get("Authorization") != basic("offrecord", PASSWORD):
            return httpx.Response(401)
        scripted = self.script(request.method, path)
        if scripted is not None:
            return scripted
        if path.startswith("/asterisk/info"):
            return httpx.Response(200, json={"system": {"version": "22.10.1"}})
        if path == "/recordings/stored":
            names = [*self.stored, *self.live]
            return httpx.Response(200, json=[{"name": one, "format": "wav"} for one in names])
        if path.endswith("/eventFilter"):
            self.filters.append(json.loads(request.content))
            return httpx.Response(200, json={})
        name, _, verb = path.removeprefix(LIVE).partition("/")
        return self._live(request.method, unquote(name), verb)

    def _live(self, method: str, name: str, verb: str) -> httpx.Response:
        if name not in self.live:
            return httpx.Response(404, json={"message": "Recording not found"})
        target, state = self.live[name]
        if not verb:
            return httpx.Response(200, json=told(name, target, state))
        if verb == "stop":
            del self.live[name]
        else:
            self.live[name] = (target, "paused" if method == "POST" else "recording")
        return httpx.Response(204)

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer over HTTP; for a `SimServer`."""
        body = (await receive()).get("body", b"")
        headers = [(name.decode(), value.decode()) for name, value in scope["headers"]]
        query = scope["query_string"].decode()
        url = "http://ari" + scope["raw_path"].decode() + (f"?{query}" if query else "")
        answer = self.answer(httpx.Request(scope["method"], url, headers=headers, content=body))
        head = [(name, value) for name, value in answer.headers.raw if name != b"Content-Length"]
        await send({"type": "http.response.start", "status": answer.status_code, "headers": head})
        await send({"type": "http.response.body", "body": answer.content})

    # events

    @asynccontextmanager
    async def events(self) -> AsyncIterator["ScriptedAri"]:
        """Serve events on a port of its own."""
        quiet = logging.getLogger("scripted-ari")
        quiet.setLevel(logging.ERROR)  # only what the client itself logs is looked at
        async with serve(
            self._serve, "127.0.0.1", 0, process_request=self._admit, logger=quiet
        ) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            yield self

    def _admit(self, socket: ServerConnection, request: Request) -> Response | None:
        if request.headers.get("Authorization") != basic("offrecord", PASSWORD):
            return socket.respond(HTTPStatus.UNAUTHORIZED, "")
        assert PASSWORD not in request.path
        return socket.respond(HTTPStatus(self.refuse), "") if self.refuse else None

    async def _serve(self, socket: ServerConnection) -> None:
        self.opened += 1
        self.sockets.append(socket)
        await socket.wait_closed()
        self.sockets.remove(socket)

    async def tell(self, kind: str, name: str = "", target: str = "") -> None:
        """Send an event twice, as Asterisk does."""
        event = {"type": kind, "recording": told(name, target, "recording")}
        for _ in range(2):
            for socket in self.sockets:
                await socket.send(json.dumps(event))

    async def begin(self, name: str, target: str) -> None:
        self.live[name] = (target, "recording")
        await self.tell("RecordingStarted", name, target)

    async def cut(self) -> None:
        for socket in [*self.sockets]:
            socket.transport.abort()


def told(name: str, target: str, state: str) -> dict[str, str]:
    return {"name": name, "format": "wav", "state": state, "target_uri": target}


async def _soon(_seconds: float) -> None:
    await asyncio.sleep(0.01)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)
