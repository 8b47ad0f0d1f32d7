# SPDX-License-Identifier: Apache-2.0
"""Requests from recorders' vendors, handed to the recorder whose name is in the path.

A recorder that is `Hooked` is served under `/hooks/NAME/`. The recorders are looked up with each
request: a reload changes what is served and leaves the socket open.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from bridges.model import Recorder, hook_of

_PREFIX: Final = "/hooks/"
_PATIENCE: Final = 5.0
"""Seconds that one request may take, its body included."""


def hooks(
    recorders: Callable[[], Mapping[str, Recorder]],
    beside: Callable[[], ASGIApp | None] = lambda: None,
) -> ASGIApp:
    """Return the app that passes a request on to the hook of the recorder in its path.

    Requests outside `/hooks/` go to the app that `beside` returns, if there is one.
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
