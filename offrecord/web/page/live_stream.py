# SPDX-License-Identifier: Apache-2.0
"""What an open page is told: fragments of itself, rendered anew, as server-sent events.

A stream begins with all of it, so that one that broke off and came back shows the truth. After
that only what changed is sent. The fields are those of the WHATWG's HTML standard, section
"Server-sent events" (https://html.spec.whatwg.org/multipage/server-sent-events.html).
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from offrecord.assembly.service import DaemonService
from offrecord.journal.schema import JournalError
from offrecord.status.event_feed import FeedEvent, Listener
from offrecord.web.page import history, responses
from offrecord.web.page.cards import Board, Card, board
from offrecord.web.page.history import Row

SETTLE: Final = 0.2
"""Seconds over which what happens is told as one."""

TICK: Final = 1.0
"""Seconds between two looks whether the session and the daemon still are."""

MOST: Final = 50
"""Open streams of all sessions: the vendors' reports need connections too."""

OF_ONE: Final = 8
"""Open streams of one session."""


@dataclass(frozen=True, slots=True)
class Presses:
    """The presses of late, or why they cannot be read; as of a number of the feed."""

    number: int
    rows: tuple[Row, ...]
    problem: str


class Render:
    """Renders the parts of the board; what many streams show is made once."""

    def __init__(self, inside: DaemonService) -> None:
        self._inside = inside
        self._calls: tuple[float, dict[str, object]] | None = None
        self._cards: dict[tuple[str, bool], tuple[str, str]] = {}
        self._presses: Presses | None = None
        self._reading = asyncio.Lock()

    def board(self, wanted: str) -> Board:
        """Return the board as it is now, to within the time that streams wait anyway."""
        now = time.monotonic()
        if self._calls is None or now - self._calls[0] >= SETTLE / 2:
            self._calls = (now, self._inside.calls())
        return board(self._calls[1], wanted)

    def card(self, card: Card, *, may_press: bool) -> str:
        """Return one call. Its countdown is of when it was made; the script mends it."""
        name = (card.call, may_press)
        known = self._cards.get(name)
        if known is None or known[0] != card.key:
            if len(self._cards) > 4000:
                self._cards.clear()
            text = responses.text("card.html", card=card, may_press=may_press, now=now())
            known = self._cards[name] = (card.key, text)
        return known[1]

    def same(self, card: Card) -> str:
        """Return what stands for a call that has not changed."""
        return responses.text("same.html", card=card)

    def status(self, shown: Board) -> str:
        """Return the line above the calls: whether they are known, how many, what is wrong."""
        return responses.text("status.html", board=shown, status=self._inside.status())

    async def presses(self) -> Presses:
        """Return the presses of late, read anew after anything has happened."""
        async with self._reading:
            number = self._inside.feed.number
            if self._presses is None or self._presses.number != number:
                try:
                    rows = await asyncio.to_thread(history.lately, self._inside.journal, now())
                    self._presses = Presses(number, tuple(rows), "")
                except JournalError as problem:
                    self._presses = Presses(number, (), str(problem))
            return self._presses

    def rows(self, shown: Presses, *, may_press: bool) -> str:
        """Return the list of the presses of late."""
        return responses.text("rows.html", presses=shown, may_press=may_press)


@dataclass(slots=True)
class _Sent:
    """What a page shows already."""

    keys: list[tuple[str, str]] | None = None
    status: str = ""
    rows: str = ""


class Streams:
    """The open streams. `beat` is seconds between signs of life; `ending` ends them all."""

    def __init__(
        self, inside: DaemonService, render: Render, beat: float, ending: Callable[[], bool]
    ) -> None:
        self._inside = inside
        self._render = render
        self._beat = beat
        self._ending = ending
        self._open: Counter[str] = Counter()

    def full(self, session: str) -> bool:
        """Say whether one more would be too many."""
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
    ) -> AsyncIterator[str]:
        """Yield events while `alive`, then one that has the page load itself anew."""
        sent, beaten = _Sent(), time.monotonic()
        with self._counted(session), self._inside.feed.listen() as listener:
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
    ) -> AsyncIterator[str]:
        yield event("beat", str(now()))
        shown = self._render.board(wanted)
        status = self._render.status(shown)
        if status != sent.status:
            sent.status = status
            yield event("status", status)
        keys = [(card.call, card.key) for card in shown.cards]
        if keys != sent.keys:
            had, sent.keys = dict(sent.keys or ()), keys
            yield event("calls", self._cards(shown.cards, had, may_press=may_press))
        if past_too:
            rows = self._render.rows(await self._render.presses(), may_press=may_press)
            if rows != sent.rows:
                sent.rows = rows
                yield event("presses", rows)

    def _cards(self, cards: tuple[Card, ...], had: Mapping[str, str], *, may_press: bool) -> str:
        return "".join(
            self._render.card(card, may_press=may_press)
            if had.get(card.call) != card.key
            else self._render.same(card)
            for card in cards
        )

    async def _spoken(self, news: list[FeedEvent]) -> AsyncIterator[str]:
        """Yield what is to be read aloud: the verdicts."""
        ended = [one.press for one in news if one.kind == "verdict"]
        if ended:
            rows = {row.press: row for row in (await self._render.presses()).rows}
            for press in ended:
                if press in rows:
                    yield event("said", rows[press].said)


async def _settled(listener: Listener) -> list[FeedEvent]:
    """Return the news of a moment; none when there is none within a tick."""
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


def event(name: str, data: str) -> str:
    """Return one event as it is sent."""
    lines = "".join(f"data: {line}\n" for line in data.split("\n"))
    return f"event: {name}\n{lines}\n"


def now() -> int:
    """Return milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000
