# SPDX-License-Identifier: Apache-2.0
"""One node of an Imagicle suite: requests with Basic credentials, and what is remembered of it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import httpx

from bridges.imagicle.answers import TABLE, Case, Row, case_of
from bridges.imagicle.messages import Ask, Key, Live, Op, read_id, read_list
from bridges.imagicle.settings import ImagicleSettings
from bridges.model import Step
from bridges.shared.http_line import Ending, Exchange, HttpLine, basic

HOLD: Final = 60.0
"""Seconds for which a node that refused the password is not asked: accounts get locked."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one request. `items` is there when it was a list that could be read."""

    node: "Node"
    ask: Ask
    case: Case
    exchange: Exchange = field(repr=False)
    items: tuple[Live, ...] | None = None

    @property
    def row(self) -> Row:
        """The row of the answer table for this answer."""
        return TABLE[self.ask.op, self.case]

    @property
    def step(self) -> Step:
        """The exchange as the journal keeps it."""
        return self.exchange.step(self.row.evidence)

    @property
    def id(self) -> str:
        """The id of a recording that was started."""
        return read_id(self.exchange.body)

    def __str__(self) -> str:
        """Return what happened, for people."""
        return f"{self.node.origin} {self.row.said} ({self.exchange.said})"


class Node:
    """One node. `line_key` is the spelling of the number's key that its stop takes, as far as seen.

    Raises `ValueError` for an unusable address.
    """

    def __init__(
        self,
        url: str,
        settings: ImagicleSettings,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        password = settings.password.reveal()
        credentials = basic(settings.username, password)
        self.line_key = Key.NUMBER
        self._headers = {"Authorization": credentials, "Accept": "application/json"}
        self._zone = settings.zone
        self._clock = clock
        self._now = now
        self._refused_at: float | None = None
        self._line = HttpLine(
            url,
            ca_file=settings.ca_file,
            plain_http=settings.allow_plain_http,
            secrets=(password, credentials.removeprefix("Basic ")),
            transport=transport,
            clock=clock,
            now=now,
        )
        self.origin = self._line.origin
        self.mask = self._line.mask

    def __repr__(self) -> str:
        """Return the address, never a secret."""
        return f"Node({self.origin!r})"

    async def close(self) -> None:
        """Close the connections."""
        await self._line.close()

    def shown(self, ask: Ask) -> str:
        """Return a request as it may be shown."""
        return self._line.shown(ask.method, ask.target, ask.content)

    async def ask(self, ask: Ask, within: float) -> Answer:
        """Make one request within `within` seconds and return its answer."""
        if self._held_back:
            said = "not asked again so soon after it refused the password"
            exchange = Exchange(self._now(), 0.0, self.shown(ask), said, Ending.NOT_CONNECTED)
            return Answer(self, ask, Case.HELD_BACK, exchange)
        headers = dict(self._headers)
        if ask.content:
            headers["Content-Type"] = "application/json"
        exchange = await self._line.ask(ask.method, ask.target, headers, ask.content, within=within)
        case = case_of(ask.op, exchange)
        if case is Case.UNAUTHORIZED:
            self._refused_at = self._clock()
        if ask.op is not Op.LIST or case is not Case.DONE:
            return Answer(self, ask, case, exchange)
        try:
            items = read_list(exchange.body, now=self._now(), zone=self._zone)
        except ValueError:
            return Answer(self, ask, Case.UNKNOWN, exchange)
        return Answer(self, ask, case, exchange, items)

    @property
    def _held_back(self) -> bool:
        return self._refused_at is not None and self._clock() - self._refused_at < HOLD
