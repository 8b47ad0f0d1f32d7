# SPDX-License-Identifier: Apache-2.0
"""Ask VoipNow within a deadline: with a token, one renewal of it and one repetition."""

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
import httpx

from bridges.model import Step
from bridges.shared.answer_table import Row
from bridges.shared.http_line import Exchange, HttpLine
from bridges.voipnow.access_token import Grant, Tokens
from bridges.voipnow.answers import ACTIONS, TABLE, Case, Next, Reading, Request, read
from bridges.voipnow.messages import some_call
from bridges.voipnow.settings import VoipNowSettings

PAUSE: Final = 0.2
"""Seconds before a repetition, where the server does not say."""
LEAST: Final = 0.05
"""Seconds that must be left for a request to be worth a try."""

Reader = Callable[[Any], Any]

_SPENT: Final = "the time for this order is used up"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one request. `value` is what the reader made of a `USE`."""

    request: Request
    reading: Reading
    said: str = ""
    value: Any = field(default=None, repr=False)

    @property
    def row(self) -> Row[Next]:
        """The row of the answer table for this answer."""
        return TABLE[self.request, self.reading.case]

    @property
    def detail(self) -> str:
        """The answer in words, as a sentence without its end, for people."""
        what = f" ({self.said})" if self.said else ""
        whose = "VoipNow's token server" if self.request == "token" else "VoipNow"
        hint = f"; {self.row.hint}" if self.row.hint else ""
        return f"{whose} {self.row.said}{what}{hint}"


class Client:
    """The line to one VoipNow server with its token. `clock`, `sleep`, `transport` are seams."""

    def __init__(
        self,
        settings: VoipNowSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.sleep = sleep
        self.line = HttpLine(
            settings.url,
            ca_file=settings.ca_file,
            plain_http=settings.allow_plain_http,
            transport=transport,
            clock=clock,
            now=now,
        )
        if settings.hook_token is not None:
            self.line.hide(settings.hook_token.reveal())
        self.tokens = Tokens(
            self.line, settings.client_id, settings.client_secret.reveal(), self.clock
        )

    def requests(self, budget: float) -> "OrderRequests":
        """Return the requests of one order, which has `budget` seconds."""
        return OrderRequests(self, budget)


class OrderRequests:
    """The requests of one order. `steps` are those made so far, for the journal."""

    def __init__(self, client: Client, budget: float) -> None:
        self._client = client
        self._ends = client.clock() + budget
        self.steps: list[Step] = []

    @property
    def left(self) -> float:
        """The seconds that are left."""
        return self._ends - self._client.clock()

    async def wait(self, seconds: float) -> bool:
        """Wait, but not past the point where a request is no more worth it. False when spent."""
        room = self.left - LEAST
        if room <= 0:
            return False
        await self._client.sleep(min(seconds, room))
        return self.left >= LEAST

    async def list(self, target: str, reader: Reader) -> Answer:
        """Ask for live calls; `reader` makes the value of the document, or raises `ValueError`."""
        return await self._ask(_Asked("list", "GET", target, reader=reader), 2)

    async def look(self, target: str, reader: Reader) -> Answer:
        """Ask for one call, once: a caller that waits for its state asks again anyway."""
        return await self._ask(_Asked("look", "GET", target, reader=reader), 1)

    async def command(self, request: Request, target: str, view_id: str) -> Answer:
        """Ask for an action on one view of the call at `target`."""
        return await self._ask(_Asked(request, "PUT", target, body(request, view_id), some_call), 2)

    async def _ask(self, asked: "_Asked", tries: int) -> Answer:
        refused: str | None = None
        while True:
            answer, used, pause = await self._once(asked, refused)
            follow = answer.row.next
            if follow is Next.RENEW and used is not None and refused is None:
                refused = used
            elif follow is Next.AGAIN and tries > 1 and pause <= self.left - LEAST:
                tries -= 1
                if not await self.wait(pause):
                    return answer
            else:
                return answer

    async def _once(self, asked: "_Asked", refused: str | None) -> tuple[Answer, str | None, float]:
        """Return the answer, the token that was used, and how long to wait before another try."""
        client, request = self._client, asked.request
        if self.left < LEAST:
            return Answer(request, Reading(Case.NOT_CONNECTED), _SPENT), None, PAUSE
        grant = await client.tokens.get(self._within(), refused=refused)
        if grant.exchange is not None:
            self._note("token", grant.reading, grant.exchange)
        if grant.token is None:
            return self._no_token(grant), None, PAUSE
        headers = {"Authorization": f"Bearer {grant.token}", "Accept": "application/json"}
        if asked.content:
            headers["Content-Type"] = "application/json"
        exchange = await client.line.ask(
            asked.method, asked.target, headers, asked.content, within=max(0.001, self._within())
        )
        reading, value = read(exchange), None
        if asked.reader is not None and reading.case in {Case.OK, Case.ACCEPTED}:
            try:
                value = asked.reader(reading.document)
            except ValueError:
                reading = Reading(Case.JUNK)
        self._note(request, reading, exchange)
        pause = PAUSE if exchange.retry_after is None else exchange.retry_after
        return Answer(request, reading, exchange.said, value), grant.token, pause

    def _within(self) -> float:
        return min(self._client.settings.timeout, self.left)

    def _note(self, request: Request, reading: Reading | None, exchange: Exchange) -> None:
        case = reading.case if reading else Case.JUNK
        self.steps.append(exchange.step(TABLE[request, case].evidence))

    def _no_token(self, grant: Grant) -> Answer:
        reading = grant.reading or Reading(Case.JUNK)
        said = grant.exchange.said if grant.exchange else "no turn came to ask for a token"
        if reading.code:  # the code alone: the rest of the body may repeat what was sent
            said = f"{said} {self._client.line.mask(reading.code)}"
        return Answer("token", reading, said)


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request before it is made."""

    request: Request
    method: str
    target: str
    content: bytes = b""
    reader: Reader | None = None


def body(request: Request, view_id: str) -> bytes:
    """Return the body of an action."""
    return json.dumps({"action": ACTIONS[request], "phoneCallViewId": view_id}).encode()
