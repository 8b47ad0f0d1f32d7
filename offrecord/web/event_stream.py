# SPDX-License-Identifier: Apache-2.0
"""Server-sent events as the API and the page send them: a client that does not read is cut off.

What is sent is made in `api/events` and `page/live_stream`.
"""

from collections.abc import AsyncIterable, Mapping
from typing import Final

import structlog
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Receive, Scope, Send

ALIVE: Final = 15.0
"""Seconds between two comments that keep a quiet stream open."""

SEND: Final = 10.0
"""Seconds that a client may take to accept one event."""

_log = structlog.stdlib.get_logger(__name__)


class TimeoutEventStream(EventSourceResponse):
    """An event stream that ends when its client has not accepted an event within `timeout` seconds.

    Its place is then free for another. `extra` are additional headers.
    """

    def __init__(
        self,
        events: AsyncIterable[ServerSentEvent],
        timeout: float = SEND,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            events,
            headers=extra,
            ping=ALIVE,
            ping_message_factory=lambda: ServerSentEvent(comment="alive"),
            send_timeout=timeout,
            sep="\n",
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the stream ends or the client stops reading."""
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            _log.info("event_stream_not_read", address=(scope.get("client") or ("",))[0])
