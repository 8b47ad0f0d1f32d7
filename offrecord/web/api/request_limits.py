# SPDX-License-Identifier: Apache-2.0
"""What every request passes first: a limit to its body, a limit to its patience, safe headers."""

import asyncio
from collections.abc import Callable
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from offrecord.web.api.problems import Problem

BODY: Final = 65_536
"""Bytes of a body that are taken."""

PATIENCE: Final = 5.0
"""Seconds that a body may take to arrive."""

Answered = Callable[[str, str, int], None]
"""Hears of each answer: method, route (`other` for none of ours), status."""


class Guard:
    """An app around another that sees each request first and each answer last."""

    def __init__(self, app: ASGIApp, answered: Answered, patience: float = PATIENCE) -> None:
        self.app = app
        self._answered = answered
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Cache-Control", "no-store")
                headers.setdefault("X-Content-Type-Options", "nosniff")
                route = getattr(scope.get("route"), "path", "other")
                self._answered(scope["method"], route, message["status"])
            await send(message)

        try:
            async with asyncio.timeout(self._patience):
                body = await _body(receive)
        except TimeoutError:
            fix = f"send it within {self._patience:g} s"
            problem = Problem(408, "The request came too slowly", "its body did not arrive", fix)
            await problem.response()(scope, receive, sending)
            return
        except _TooLong:
            fix = f"send at most {BODY} bytes"
            problem = Problem(413, "The request is too long", "its body is too long", fix,
                              {"Connection": "close"})  # fmt: skip
            await problem.response()(scope, receive, sending)
            return
        first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receiving() -> Message:
            return first.pop() if first else await receive()

        await self.app(scope, receiving, sending)


class _TooLong(Exception):
    """A body has more bytes than are taken."""


async def _body(receive: Receive) -> bytes:
    """Return the whole body; empty when the client went away. Raises `_TooLong`."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b""
        body += message.get("body", b"")
        if len(body) > BODY:
            raise _TooLong
        if not message.get("more_body", False):
            return bytes(body)
