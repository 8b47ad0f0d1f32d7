# SPDX-License-Identifier: Apache-2.0
"""Stream of server-sent events to an open page: rendered fragments of that page.

A stream begins with all of them, as one that broke off and came back must show the present. After
that only what changed is sent. A client that does not read is cut off in
`offrecord.web.event_stream`.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from sse_starlette import ServerSentEvent

from offrecord.assembly.service import DaemonService
from offrecord.journal.schema import JournalError
from offrecord.status.event_feed import FeedEvent, Listener
from offrecord.status.view_types import CallView, LiveCalls
from offrecord.web.page import history, responses
from offrecord.web.page.cards import Board, Card, board
from offrecord.web.page.history import Row

SETTLE: Final = 0.2
"""Seconds over which events are collected and shown as one change."""

TICK: Final = 1.0
"""Seconds between two checks whether the session and the daemon go on."""

MOST: Final = 50
"""Open streams of all sessions: the vendors' reports need connections, too."""

DISK: Final = 1.0
"""Seconds to wait for records that are not on the disk yet, before the presses are read from it."""

OF_ONE: Final = 8
"""Open streams of one session."""


@dataclass(frozen=True, slots=True)
class Presses:
    """The latest presses as of event `number` of the feed; `problem` is why they cannot be read.

    `whole` is False when records of them were not on the disk yet.
    """

    number: int
    whole: bool
    rows: tuple[Row, ...]
    problem: str


class Render:
    """Renders the parts of the board, once for all streams that show the same."""

    def __init__(self, service: DaemonService) -> None:
        self._service = service
        self._calls: tuple[float, LiveCalls] | None = None
        self._cards: dict[tuple[str, bool], tuple[CallView, str]] = {}
        self._presses: Presses | None = None
        self._reading = asyncio.Lock()

    def board(self, wanted: str) -> Board:
        """Return the board as it is now, or was within half of `SETTLE`."""
        now = time.monotonic()
        if self._calls is None or now - self._calls[0] >= SETTLE / 2:
            self._calls = (now, self._service.calls())
        return board(self._calls[1], wanted)

    def card(self, card: Card, *, may_press: bool) -> str:
        """Return the HTML of one call. The page's script goes on with its countdown."""
        name = (card.view.call, may_press)
        known = self._cards.get(name)
        if known is None or known[0] != card.view:
            if len(self._cards) > 4000:
                self._cards.clear()
            text = responses.text("card.html", card=card, may_press=may_press, now=now())
            known = self._cards[name] = (card.view, text)
        return known[1]

    def same(self, card: Card) -> str:
        """Return the placeholder of a call that has not changed."""
        return responses.text("same.html", card=card)

    def status(self, shown: Board) -> str:
        """Return the line above the calls: whether they are known, how many, what is wrong."""
        return responses.text("status.html", board=shown, status=self._service.status())

    async def presses(self) -> Presses:
        """Return the latest presses, read again after each event of the feed."""
        async with self._reading:
            number, known = self._service.feed.number, self._presses
            if known is None or known.number != number or not known.whole:
                whole = await self._on_disk()
                try:
                    rows = await asyncio.to_thread(history.lately, self._service.journal, now())
                    known = Presses(number, whole, tuple(rows), "")
                except JournalError as problem:
                    known = Presses(number, whole, (), str(problem))
                self._presses = known
            return known

    async def _on_disk(self) -> bool:
        """Wait until every record is on the disk; return whether it is. Does not wait in trouble.

        The feed tells of a record before it is written.
        """
        journal, late = self._service.components.journal, time.monotonic() + DISK
        while journal.waiting and journal.trouble is None and time.monotonic() < late:  # noqa: ASYNC110 - the writer is a thread
            await asyncio.sleep(0.01)
        return not journal.waiting

    def rows(self, shown: Presses, *, may_press: bool) -> str:
        """Return the HTML of the latest presses."""
        return responses.text("rows.html", presses=shown, may_press=may_press)


@dataclass(slots=True)
class _Sent:
    """State that a page shows already. `views` are its calls in order."""

    views: tuple[CallView, ...] | None = None
    status: str = ""
    rows: str = ""


class Streams:
    """The open streams. They send a sign of life every `beat` seconds.

    All end when `ending` returns True: the daemon is about to end.
    """

    def __init__(
        self, service: DaemonService, render: Render, beat: float, ending: Callable[[], bool]
    ) -> None:
        self._service = service
        self._render = render
        self._beat = beat
        self._ending = ending
        self._open: Counter[str] = Counter()

    def full(self, session: str) -> bool:
        """Return whether one more stream of a session would be too many."""
        return self._open.total() >= MOST or self._open[session] >= OF_ONE

    @contextmanager
    def _counted(self, session: str) -> Iterator[None]:
        self._open[session] += 1
        try:
            yield
        finally:
            self._open[session] -= 1
            if not self._open[session]:
                del self._open[session]

    async def follow(
        self, session: str, alive: Callable[[], bool], wanted: str, *, may_press: bool
    ) -> AsyncIterator[ServerSentEvent]:
        """Yield events while `alive()`, then one after which the page loads itself again."""
        sent, beaten = _Sent(), time.monotonic()
        with self._counted(session), self._service.feed.listen() as listener:
            async for part in self._changes(sent, wanted, may_press, past_too=True):
                yield part
            while not self._ending():  # a stream must not hold up the daemon's end
                news = await _settled(listener)
                if not alive():
                    yield event("bye", "")
                    return
                happened = [one for one in news if one.press is not None or one.body]
                if news:
                    changes = self._changes(sent, wanted, may_press, past_too=bool(happened))
                    async for part in changes:
                        yield part
                async for part in self._spoken(news):
                    yield part
                if time.monotonic() - beaten >= self._beat:
                    beaten = time.monotonic()
                    yield event("beat", str(now()))

    async def _changes(
        self, sent: _Sent, wanted: str, may_press: bool, *, past_too: bool
    ) -> AsyncIterator[ServerSentEvent]:
        yield event("beat", str(now()))
        shown = self._render.board(wanted)
        status = self._render.status(shown)
        if status != sent.status:
            sent.status = status
            yield event("status", status)
        views = tuple(card.view for card in shown.cards)
        if views != sent.views:
            had = {view.call: view for view in sent.views or ()}
            sent.views = views
            yield event("calls", self._cards(shown.cards, had, may_press=may_press))
        if past_too:
            rows = self._render.rows(await self._render.presses(), may_press=may_press)
            if rows != sent.rows:
                sent.rows = rows
                yield event("presses", rows)

    def _cards(
        self, cards: tuple[Card, ...], had: Mapping[str, CallView], *, may_press: bool
    ) -> str:
        return "".join(
            self._render.card(card, may_press=may_press)
            if had.get(card.view.call) != card.view
            else self._render.same(card)
            for card in cards
        )

    async def _spoken(self, news: list[FeedEvent]) -> AsyncIterator[ServerSentEvent]:
        """Yield the verdicts among `news`, for screen readers."""
        ended = [one.press for one in news if one.kind in {"verdict", "taken_back"}]
        if ended:
            rows = {row.press: row for row in (await self._render.presses()).rows}
            for press in ended:
                if press in rows:
                    yield event("said", rows[press].said)


async def _settled(listener: Listener) -> list[FeedEvent]:
    """Return the events within `SETTLE` of the first one; none when there is none within a tick."""
    first = await _next(listener, TICK)
    if first is None:
        return []
    await asyncio.sleep(SETTLE)
    news = [first]
    while (one := await _next(listener, 0.0)) is not None:
        news.append(one)
    return news


async def _next(listener: Listener, patience: float) -> FeedEvent | None:
    try:
        async with asyncio.timeout(patience):
            return await anext(listener)
    except TimeoutError:
        return None


def event(name: str, data: str) -> ServerSentEvent:
    """Return one event."""
    return ServerSentEvent(data, event=name, sep="\n")


def now() -> int:
    """Return milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000
