# SPDX-License-Identifier: Apache-2.0
"""A recorder with a callback that answers with what it was asked."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send


class Hooked:
    """As much of a recorder as its vendor sees."""

    def __init__(self, says: str) -> None:
        self.says = says

    async def hook(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = (await request.body()).decode()
        said = f"{self.says} {request.method} {scope['path']} {request.url.query} {body}".strip()
        await PlainTextResponse(said)(scope, receive, send)
