# SPDX-License-Identifier: Apache-2.0
"""What happens, as it happens: every record of the journal, told to whoever listens.

One feed serves the live views (`top`, the page, server-sent events), so that all of them show the
same. A listener that does not keep up loses the oldest news and is told how many; it never slows
a press.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from offrecord.status.view_types import DESCRIBED

BEHIND: Final = 1000
"""FeedEvent that one listener may be behind before it loses the oldest."""

KEPT: Final = 500
"""FeedEvent kept for listeners that come back after a lost connection."""

CALLS: Final = "calls"
"""The kind of news that says that the live calls, or who records them, have changed."""

MISSED: Final = "missed"
"""The kind of news that says how many others were lost: look at everything anew."""


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """One thing that happened: the data of a server-sent event."""

    __pydantic_config__: ClassVar = DESCRIBED

    number: int
    """counts the events of one daemon process, from 1"""
    kind: str
    """kind of the journal's record, or `calls` or `missed`"""
    at: int
    """milliseconds since the epoch, UTC"""
    press: str | None
    body: Mapping[str, Any]


class Listener:
    """Gives the news to one reader, in order, without end. One task at a time may iterate."""

    def __init__(self, behind: int) -> None:
        self._behind = behind
        self._waiting: deque[FeedEvent] = deque()
        self._lost = 0
        self._more = asyncio.Event()

    def put(self, news: FeedEvent) -> None:
        """Have the reader told of something. Calls-changed news counts once however often."""
        if news.kind == CALLS and self._waiting and self._waiting[-1].kind == CALLS:
            self._waiting[-1] = news
        elif len(self._waiting) >= self._behind:
            self._waiting.popleft()
            self._lost += 1
            self._waiting.append(news)
        else:
            self._waiting.append(news)
        self._more.set()

    def __aiter__(self) -> AsyncIterator[FeedEvent]:
        """Iterate over what comes."""
        return self

    async def __anext__(self) -> FeedEvent:
        """Return the next piece of news, waiting for it."""
        while not self._waiting:
            self._more.clear()
            await self._more.wait()
        if self._lost:
            first, lost = self._waiting[0], self._lost
            self._lost = 0
            return FeedEvent(first.number - 1, MISSED, first.at, None, {"count": lost})
        return self._waiting.popleft()


class EventFeed:
    """Tells what happens to all listeners.

    `behind` is how many news a listener may be behind, `kept` how many stay for those who come
    back.
    """

    def __init__(self, behind: int = BEHIND, kept: int = KEPT) -> None:
        self._behind = behind
        self._kept: deque[FeedEvent] = deque(maxlen=kept)
        self._listeners: set[Listener] = set()
        self._number = 0

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return len(self._listeners)

    @property
    def number(self) -> int:
        """The number of the latest news, 0 before the first."""
        return self._number

    def tell(
        self, kind: str, at: int, press: str | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> FeedEvent:  # fmt: skip
        """Tell everyone of something that happened `at` milliseconds since the epoch."""
        self._number += 1
        news = FeedEvent(self._number, kind, at, press, body or {})
        if kind != CALLS:
            self._kept.append(news)
        for listener in self._listeners:
            listener.put(news)
        return news

    @contextmanager
    def listen(self, after: int | None = None) -> Iterator[Listener]:
        """Listen from now on, or from the news after number `after` as far as they are kept.

        What is no longer kept is told as missed; so is everything when `after` is of an earlier
        life of the daemon.
        """
        listener = Listener(self._behind)
        if after is not None and after != self._number:
            oldest = self._kept[0].number if self._kept else self._number + 1
            if after > self._number or after + 1 < oldest:
                at = self._kept[0].at if self._kept else 0
                listener.put(FeedEvent(oldest - 1, MISSED, at, None, {}))
            for news in self._kept:
                if news.number > after or after > self._number:
                    listener.put(news)
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
