# SPDX-License-Identifier: Apache-2.0
"""The outermost layer of the app: limits how large and how slow a body may be, sets safe headers.

How often a client may ask is limited in `rate_limits`.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from offrecord.web.api.problems import Problem

BODY: Final = 65_536
"""Bytes that a body may have; beyond them the answer is 413."""

PATIENCE: Final = 5.0
"""Seconds that a body may take to arrive; then the answer is 408."""

Answered = Callable[[str, str, int], None]
"""Called with each answer: method, route (`other` for none of ours), status."""


class BodyLimits:
    """ASGI middleware. `answered` is called with every answer, also with those of this layer."""

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
    """A body has more than `BODY` bytes."""


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
