# SPDX-License-Identifier: Apache-2.0
"""`GET /v1/events`: what happens as it happens, as server-sent events.

How events reach a slow client is in `offrecord.web.event_stream`; the page's own stream of rendered
cards is in `offrecord.web.page.live_stream`.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header
from fastapi.security import HTTPAuthorizationCredentials
from pydantic import TypeAdapter
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from offrecord.assembly.service import DaemonService
from offrecord.base.errors import UserError
from offrecord.status.event_feed import CALLS, FeedEvent, Listener
from offrecord.status.view_types import to_json
from offrecord.web.api.auth import Given, TokenAuth
from offrecord.web.api.problems import CLOSED, FORBIDDEN, Problem, plain_query
from offrecord.web.event_stream import TimeoutEventStream
from offrecord.web.tokens import Client, Scope

LOOK: Final = 1.0
"""Seconds between two checks whether a stream must end: the daemon ends, or the token does."""


def router(
    service: DaemonService, auth: TokenAuth, most: int, ending: Callable[[], bool]
) -> APIRouter:
    """Return the route of the event streams, of which `most` may be open at the same time.

    Open streams end when `ending` returns True: the daemon is about to end.
    """
    made = APIRouter(prefix="/v1", tags=["looking in"], dependencies=[Depends(plain_query)])
    reader = Annotated[Client, Depends(auth.needs(Scope.READ))]
    streams = Streams(service, auth, most, ending)

    @made.get(
        "/events",
        summary="What happens, as it happens",
        response_class=EventSourceResponse,
        responses={
            200: {
                "description": "server-sent events; the data of each is JSON",
                "content": {"text/event-stream": {"schema": TypeAdapter(FeedEvent).json_schema()}},
            },
            **CLOSED,
            **FORBIDDEN,
        },
        response_model=None,
    )
    async def stream(
        client: reader,
        given: Given,
        last_event_id: Annotated[
            str | None, Header(max_length=64, description="the id of the last event you have")
        ] = None,
    ) -> Response:
        """Follow every record of the journal, and `calls` when the live calls changed.

        The scope `read` is needed. The first event is `open`; it and `calls` hold what
        `GET /v1/calls` shows. After `missed` something was lost: look at everything again. A
        comment comes every 15 seconds. A stream ends when its token does.
        """
        return streams.open(client, given, last_event_id)

    return made


class Streams:
    """The open event streams, `most` of them at the same time.

    An event's id is `LIFE.NUMBER`, as the numbers begin at 1 with each daemon process: an id from
    before a restart is told apart by its `LIFE`.
    """

    def __init__(
        self, service: DaemonService, auth: TokenAuth, most: int, ending: Callable[[], bool]
    ) -> None:
        self._service = service
        self._ending = ending
        self._auth = auth
        self._most = most
        self._open = 0
        self._life = f"{time.time_ns() // 1_000_000:x}"

    def open(
        self, client: Client, given: HTTPAuthorizationCredentials | None, last: str | None
    ) -> Response:
        """Open one more. `last` is the id of the last event received. Raises `Problem`: 503."""
        if self._open >= self._most:
            raise Problem(
                503, "Too many event streams", f"{self._most} are open already",
                "close one, or raise `streams` in [api]", {"Retry-After": "10"},
            )  # fmt: skip
        return TimeoutEventStream(self._events(client, given, last))

    def after(self, last: str | None) -> int | None:
        """Return the number of the last event that a listener has; None for one without any."""
        if last is None:
            return None
        life, _, number = last.partition(".")
        known = life == self._life and number.isascii() and number.isdecimal()
        # A number ahead of ours is answered by `missed` and every event that is kept.
        return int(number) if known else self._service.feed.number + 1

    async def _events(
        self, client: Client, given: HTTPAuthorizationCredentials | None, last: str | None
    ) -> AsyncIterator[ServerSentEvent]:
        self._open += 1
        try:
            feed = self._service.feed
            with feed.listen(self.after(last)) as listener:
                if last is None:
                    body = {"number": feed.number, **to_json(self._service.calls())}
                    yield self._event(feed.number, "open", body)
                while True:
                    event = await _next(listener)
                    if not self._may_stay(client, given):
                        return
                    if event is not None:
                        more = to_json(self._service.calls()) if event.kind == CALLS else {}
                        yield self._event(event.number, event.kind, {**to_json(event), **more})
        finally:
            self._open -= 1

    def _event(self, number: int, kind: str, body: Mapping[str, Any]) -> ServerSentEvent:
        # `json.dumps` escapes: names from a PBX may hold lone surrogates, which UTF-8 has not.
        return ServerSentEvent(json.dumps(body), event=kind, id=f"{self._life}.{number}")

    def _may_stay(self, client: Client, given: HTTPAuthorizationCredentials | None) -> bool:
        """Return whether a stream goes on: its token still holds, and the daemon does not end."""
        try:
            now = self._auth.known(given)
        except UserError:
            return False
        return (
            not self._ending()
            and now is not None
            and now.name == client.name
            and now.may(Scope.READ)
        )


async def _next(listener: Listener) -> FeedEvent | None:
    """Return the next event, None when there is none within `LOOK` seconds."""
    try:
        async with asyncio.timeout(LOOK):
            return await anext(listener)
    except TimeoutError:
        return None
