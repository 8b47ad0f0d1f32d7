# SPDX-License-Identifier: Apache-2.0
"""Base of every simulator: its clock, its request log and its ASGI app.

A vendor's simulator is a `Simulator` with an `answer` of its own. Its faults and switches are in
`bridges.simulators.faults`. It runs under any ASGI server; `bridges.simulators.server` runs it on
a port and can also refuse and drop connections.
"""

import asyncio
import dataclasses
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send

from bridges.simulators.faults import COMMON_FAULTS, Fault, Faults, set_switch

ABORT = "offrecord.abort"
"""The key of the scope's extensions under which the server puts how to cut the connection."""


class SimClock:
    """The simulated server's own clock, in seconds since the epoch; `advance` moves it on."""

    def __init__(self, *, skew: float = 0.0, source: Callable[[], float] = time.time) -> None:
        self._source = source
        self._offset = skew

    def now(self) -> float:
        """Return the simulated time of day."""
        return self._source() + self._offset

    def millis(self) -> int:
        """Return the simulated time of day in milliseconds."""
        return int(self.now() * 1000)

    def advance(self, seconds: float) -> None:
        """Move the clock by so many seconds, back with a negative number."""
        self._offset += seconds


@dataclass(frozen=True, slots=True)
class Entry:
    """One request as the simulator saw it. Secrets in `query` are masked already.

    `at` is seconds since the epoch by the host's clock. `status` is None when nothing was
    answered. `facts` is what the vendor's simulator found out, such as `hash_ok`.
    """

    number: int
    at: float
    operation: str
    method: str
    path: str
    query: Mapping[str, str]
    raw_query: str
    body: str
    status: int | None
    answer: str
    fault: str | None
    facts: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return the entry flat, for JSON."""
        flat = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        return {**flat, "query": dict(self.query), "facts": dict(self.facts)}


class RequestLog:
    """Every request in the order of arrival; `listen` adds a callback for each answered one."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._listeners: list[Callable[[Entry], None]] = []

    def listen(self, listener: Callable[[Entry], None]) -> None:
        """Call `listener` with each new entry from now on."""
        self._listeners.append(listener)

    def add(self, entry: Entry) -> None:
        """Note one request."""
        self.entries.append(entry)
        for listener in self._listeners:
            listener(entry)

    def of(self, operation: str) -> list[Entry]:
        """Return the entries of one operation."""
        return [entry for entry in self.entries if entry.operation == operation]


@dataclass(slots=True)
class Seen:
    """A request on its way to a vendor's `answer`, which may add `facts` for the log."""

    method: str
    path: str
    raw_query: str
    query: Mapping[str, str]
    body: bytes
    fault: Fault | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """With names in lower case; they are not logged."""

    def hit_by(self, kind: str) -> bool:
        """Return whether the fault of that kind hits this request."""
        return self.fault is not None and self.fault.kind == kind


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer of a vendor's simulator; a `content_type` of None sends no such header."""

    status: int
    body: bytes
    content_type: str | None = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def html(status: int, title: str) -> Reply:
    """Return a page as a web server or proxy sends it."""
    page = f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{title}</body></html>"
    return Reply(status, page.encode(), "text/html; charset=utf-8")


class Simulator(ABC):
    """An ASGI app that plays one vendor, with a control surface under `/_sim/`."""

    kind = ""
    faults_known: Mapping[str, str] = COMMON_FAULTS

    def __init__(self, switches: Any, clock: SimClock | None = None) -> None:
        self.switches = switches
        self.clock = clock or SimClock()
        self.log = RequestLog()
        self.faults = Faults(self.faults_known)
        control = [
            Route("/log", self._log, methods=["GET", "DELETE"]),
            Route("/faults", self._faults, methods=["GET", "POST", "DELETE"]),
            Route("/switches", self._switches, methods=["GET", "POST"]),
            Route("/clock", self._clock, methods=["POST"]),
            *self.controls(),
        ]
        self._app = Starlette(routes=[Mount("/_sim", routes=control), Mount("/", app=self._vendor)])

    @classmethod
    @abstractmethod
    def ready(cls, secret: str | None) -> "Simulator":
        """Return a simulator to try by hand; `secret` replaces its own key or password."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self._app(scope, receive, send)

    def controls(self) -> list[BaseRoute]:
        """Return the vendor's own control endpoints."""
        return []

    @abstractmethod
    def operation(self, seen: Seen) -> str:
        """Return the short name of what is asked, as faults and log call it."""

    @abstractmethod
    async def answer(self, seen: Seen) -> Reply:
        """Do what is asked, and return what the vendor would answer."""

    @abstractmethod
    def masked(self, seen: Seen) -> tuple[Mapping[str, str], str]:
        """Return query and raw query as the log may hold them."""

    def shown_body(self, seen: Seen) -> str:
        """Return the body of a request as the log may hold it; override where it has secrets."""
        return seen.body[:2000].decode("utf-8", "replace")

    def shown_answer(self, seen: Seen, reply: Reply) -> str:  # noqa: ARG002
        """Return the body of an answer as the log may hold it; override where it has secrets."""
        return reply.body[:2000].decode("utf-8", "replace")

    async def _vendor(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        seen = Seen(
            request.method,
            request.url.path,
            request.url.query,
            dict(request.query_params),
            await request.body(),
            headers=dict(request.headers),
        )
        operation = self.operation(seen)
        fault = seen.fault = self.faults.take(operation)
        kind = fault.kind if fault else None
        if kind == "reset":
            self._note(seen, operation, None)
            await _cut(scope, receive)
            return
        if kind == "stall" and not await self._stall(seen, operation, receive):
            return
        reply = _instead(fault) or await self.answer(seen)
        if kind == "drop_after_effect":
            self._note(seen, operation, None)
            await _cut(scope, receive)
            return
        self._note(seen, operation, reply)
        if kind == "slow_answer" and not await _pause(fault, receive):
            return
        if kind == "half":
            await _half(reply, send)
            await _cut(scope, receive)
            return
        response = Response(reply.body, reply.status, dict(reply.headers), reply.content_type)
        await response(scope, receive, send)

    async def _stall(self, seen: Seen, operation: str, receive: Receive) -> bool:
        """Wait as the fault says. False when the peer went away; then nothing is done."""
        for_ever = seen.fault is None or seen.fault.value is None
        if for_ever:  # noted at once, for callers that watch the log
            self._note(seen, operation, None)
        stayed = await _pause(seen.fault, receive)
        if not stayed and not for_ever:
            self._note(seen, operation, None)
        return stayed

    def _note(self, seen: Seen, operation: str, reply: Reply | None) -> None:
        query, raw_query = self.masked(seen)
        self.log.add(
            Entry(
                number=len(self.log.entries) + 1,
                at=time.time(),
                operation=operation,
                method=seen.method,
                path=seen.path,
                query=query,
                raw_query=raw_query,
                body=self.shown_body(seen),
                status=reply.status if reply else None,
                answer=self.shown_answer(seen, reply) if reply else "",
                fault=str(seen.fault) if seen.fault else None,
                facts=seen.facts,
            )
        )

    async def _log(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.log.entries.clear()
        return JSONResponse([entry.as_dict() for entry in self.log.entries])

    async def _faults(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.faults.clear()
        elif request.method == "POST":
            try:
                self.faults.add((await request.body()).decode())
            except ValueError as error:
                return JSONResponse({"error": str(error)}, 400)
        return JSONResponse([str(fault) for fault in self.faults.active])

    async def _switches(self, request: Request) -> Response:
        if request.method == "POST":
            try:
                for name, value in (await request.json()).items():
                    set_switch(self.switches, name, str(value))
            except ValueError as error:
                return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(dataclasses.asdict(self.switches))

    async def _clock(self, request: Request) -> Response:
        self.clock.advance(float((await request.json())["advance"]))
        return JSONResponse({"now": self.clock.now()})


def _instead(fault: Fault | None) -> Reply | None:
    """Return what a fault answers in place of the vendor."""
    match fault.kind if fault else None:
        case "html_200":
            return html(200, "Down for maintenance")
        case "redirect":
            headers = {"Location": "/elsewhere"}
            return dataclasses.replace(html(302, "Found"), headers=headers)
        case "status":
            status = int(fault.value or 500) if fault else 500
            return html(status, f"Error {status}")
    return None


async def _pause(fault: Fault | None, receive: Receive) -> bool:
    """Wait as long as the fault says. False when the peer went away meanwhile."""
    seconds = fault.value if fault else None
    try:
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return True
    return False


async def _half(reply: Reply, send: Send) -> None:
    """Announce a whole body and send half of it."""
    length = (b"content-length", str(len(reply.body)).encode())
    head = [(b"content-type", (reply.content_type or "text/plain").encode()), length]
    await send({"type": "http.response.start", "status": reply.status, "headers": head})
    body = reply.body[: len(reply.body) // 2]
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _cut(scope: Scope, receive: Receive) -> None:
    """Cut the connection; under a server that cannot, end as a crashed app would."""
    abort = scope.get("extensions", {}).get(ABORT)
    if abort is None:
        raise ConnectionAbortedError("the simulator cuts the connection here")
    abort()
    while (await receive())["type"] != "http.disconnect":
        pass
