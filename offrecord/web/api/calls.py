# SPDX-License-Identifier: Apache-2.0
"""The live calls over HTTP, what a press on one would do, and what happens as it happens."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, Depends, Header, Query
from fastapi.security import HTTPAuthorizationCredentials
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bridges.model import Verb
from offrecord.assembly.service import DaemonService
from offrecord.base.errors import UserError
from offrecord.status.event_feed import CALLS, Listener
from offrecord.status.event_feed import FeedEvent as Told
from offrecord.web.api.auth import Given, TokenAuth
from offrecord.web.api.presses import CLOSED
from offrecord.web.api.problems import Json, Problem, answers, plain_query
from offrecord.web.api.schemas import Calls, FeedEvent, Line, Status
from offrecord.web.tokens import Client
from offrecord.web.tokens import Scope as Right

ALIVE: Final = 15.0
"""Seconds between two comments that keep a quiet stream open."""

LOOK: Final = 1.0
"""Seconds between two looks whether a stream must end: the daemon ends, or the token does."""

SEND: Final = 10.0
"""Seconds that a listener may take to accept one event."""

_log = structlog.stdlib.get_logger(__name__)

_FORBIDDEN: Final = answers(_403="the token is not good for it")


def router(
    inside: DaemonService, door: TokenAuth, streams: int, ending: Callable[[], bool]
) -> APIRouter:
    """Return what shows the live calls. `streams` is how many event streams there may be.

    They end once `ending` says that the daemon does.
    """
    made = APIRouter(prefix="/v1", tags=["looking in"], dependencies=[Depends(plain_query)])
    reader = Annotated[Client, Depends(door.needs(Right.READ))]
    events = Streams(inside, door, streams, ending)

    @made.get(
        "/calls",
        summary="The live calls, with a badge per recorder",
        responses={200: {"model": Calls}, **CLOSED, **_FORBIDDEN},
        response_model=None,
    )
    async def calls(
        _client: reader,
        target: Annotated[
            Line | None,
            Query(description="only calls with this extension, uniqueid, linkedid or channel"),
        ] = None,
    ) -> Response:
        """Show the live calls as `offrecord calls` and the page do. The scope `read` is needed."""
        body = inside.calls()
        found = body["calls"]
        assert isinstance(found, list)
        if target is not None:
            body = {**body, "calls": [one for one in found if target in _names(one)]}
        return Json(body)

    @made.get(
        "/explain",
        summary="What a press would do",
        responses={
            200: {"model": dict[str, Any]},
            **CLOSED,
            **_FORBIDDEN,
            **answers(_404="no live call is meant"),
        },
        response_model=None,
    )
    async def explain(
        _client: reader,
        target: Annotated[Line, Query(description="an extension, uniqueid, linkedid or channel")],
        verb: Annotated[Verb, Query(description="what would be pressed")] = Verb.STOP,
        agent: Annotated[
            Line | None, Query(description="the recorders' name for the person")
        ] = None,
    ) -> Response:
        """Show the whole decision: legs, policy, routes, exact requests. Nothing is sent.

        The scope `read` is needed.
        """
        return Json(await inside.explain(target, verb, "http", agent))

    @made.get(
        "/status",
        summary="How things are",
        responses={200: {"model": Status}, **CLOSED, **_FORBIDDEN},
        response_model=None,
    )
    async def status(_client: reader) -> Response:
        """Show the link to the PBX, the journal and the recorders. The scope `read` is needed."""
        return Json(inside.status())

    @made.get(
        "/events",
        summary="What happens, as it happens",
        response_class=EventSourceResponse,
        responses={
            200: {
                "description": "server-sent events; the data of each is JSON",
                "content": {"text/event-stream": {"schema": FeedEvent.model_json_schema()}},
            },
            **CLOSED,
            **_FORBIDDEN,
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
        `GET /v1/calls` shows. After `missed` something was lost: look at everything anew. A
        comment comes every 15 seconds. A stream ends when its token does.
        """
        return events.open(client, given, last_event_id)

    return made


def _names(call: dict[str, Any]) -> set[str]:
    """Return everything that means a call."""
    legs = [leg[key] for leg in call["channels"] for key in ("channel", "uniqueid", "extension")]
    return {call["call"], *call["extensions"], *filter(None, legs)}


class TimeoutEventStream(EventSourceResponse):
    """An event stream that is cut, without a fault of ours, when its client does not read it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the stream ends, or the client does not take an event in time."""
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            _log.info("api_stream_not_read", address=(scope.get("client") or ("",))[0])


class Streams:
    """The event streams that are open.

    An event's id is `LIFE.NUMBER`: the numbers begin anew with each life of the daemon, and an id
    of another one must not be taken for one of this.
    """

    def __init__(
        self, inside: DaemonService, door: TokenAuth, most: int, ending: Callable[[], bool]
    ) -> None:
        self._inside = inside
        self._ending = ending
        self._door = door
        self._most = most
        self._open = 0
        self._life = f"{time.time_ns() // 1_000_000:x}"

    def open(
        self, client: Client, given: HTTPAuthorizationCredentials | None, last: str | None
    ) -> Response:
        """Open one more. Raises `Problem` when there are too many."""
        if self._open >= self._most:
            raise Problem(
                503, "Too many event streams", f"{self._most} are open already",
                "close one, or raise `streams` in [api]", {"Retry-After": "10"},
            )  # fmt: skip
        return TimeoutEventStream(
            self._events(client, given, last),
            ping=ALIVE,
            ping_message_factory=lambda: ServerSentEvent(comment="alive"),
            send_timeout=SEND,
            sep="\n",
        )

    def after(self, last: str | None) -> int | None:
        """Return the number after which a listener wants the news; None for from now on."""
        if last is None:
            return None
        life, _, number = last.partition(".")
        known = life == self._life and number.isascii() and number.isdecimal()
        # One that is ahead of us is told that something was missed, and all that is kept.
        return int(number) if known else self._inside.feed.number + 1

    async def _events(
        self, client: Client, given: HTTPAuthorizationCredentials | None, last: str | None
    ) -> AsyncIterator[ServerSentEvent]:
        self._open += 1
        try:
            feed = self._inside.feed
            with feed.listen(self.after(last)) as listener:
                if last is None:
                    body = {"number": feed.number, **self._inside.calls()}
                    yield self._event(feed.number, "open", body)
                while True:
                    news = await _next(listener)
                    if not self._welcome(client, given):
                        return
                    if news is not None:
                        more = self._inside.calls() if news.kind == CALLS else {}
                        yield self._event(news.number, news.kind, {**news.as_json(), **more})
        finally:
            self._open -= 1

    def _event(self, number: int, kind: str, body: dict[str, object]) -> ServerSentEvent:
        # Escaped, as names from a PBX may be no UTF-8.
        return ServerSentEvent(json.dumps(body), event=kind, id=f"{self._life}.{number}")

    def _welcome(self, client: Client, given: HTTPAuthorizationCredentials | None) -> bool:
        """Say whether a listener may stay."""
        try:
            now = self._door.known(given)
        except UserError:
            return False
        return (
            not self._ending()
            and now is not None
            and now.name == client.name
            and now.may(Right.READ)
        )


async def _next(listener: Listener) -> Told | None:
    """Return the next piece of news, None when it is time to look around."""
    try:
        async with asyncio.timeout(LOOK):
            return await anext(listener)
    except TimeoutError:
        return None
