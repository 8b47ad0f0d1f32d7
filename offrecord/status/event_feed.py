# SPDX-License-Identifier: Apache-2.0
"""Publish every record of the journal, once it is on its way to the disk, as it happens.

Parts of the daemon subscribe a callback: the live view, metrics, health, the watch over calls.
Clients (`top`, the page, server-sent events) listen: each gets the events in order from a queue of
its own. A client that does not keep up loses the oldest events and is told how many; neither a
client nor a subscriber ever slows or fails a press.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import structlog

from offrecord.journal.journal import Record
from offrecord.status.view_types import DESCRIBED

Subscriber = Callable[[Record], object]
"""Called with each record. It must not wait."""

_log = structlog.stdlib.get_logger(__name__)

BEHIND: Final = 1000
"""Events that one listener may be behind before it loses the oldest."""

KEPT: Final = 500
"""Events kept for listeners that come back after a lost connection."""

CALLS: Final = "calls"
"""The kind of an event that says that the live calls, or their recorders, have changed."""

MISSED: Final = "missed"
"""The kind of an event that says how many others were lost: read everything again."""


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
    """The events for one reader, in order, without end. One task at a time may iterate."""

    def __init__(self, behind: int) -> None:
        self._behind = behind
        self._waiting: deque[FeedEvent] = deque()
        self._lost = 0
        self._more = asyncio.Event()

    def put(self, news: FeedEvent) -> None:
        """Queue an event for this listener. Consecutive `calls` events are merged."""
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
        """Iterate over the events."""
        return self

    async def __anext__(self) -> FeedEvent:
        """Return the next event; wait for it."""
        while not self._waiting:
            self._more.clear()
            await self._more.wait()
        if self._lost:
            first, lost = self._waiting[0], self._lost
            self._lost = 0
            return FeedEvent(first.number - 1, MISSED, first.at, None, {"count": lost})
        return self._waiting.popleft()


class EventFeed:
    """Publishes events to subscribers and listeners.

    `behind` is how many events a listener may be behind, `kept` how many stay for listeners that
    come back.
    """

    def __init__(self, behind: int = BEHIND, kept: int = KEPT) -> None:
        self._behind = behind
        self._kept: deque[FeedEvent] = deque(maxlen=kept)
        self._listeners: set[Listener] = set()
        self._subscribers: tuple[Subscriber, ...] = ()
        self._number = 0

    @property
    def listeners(self) -> int:
        """The number of open listeners."""
        return len(self._listeners)

    @property
    def number(self) -> int:
        """The number of the latest event, 0 before the first."""
        return self._number

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Call `callback(record)` for every record; return a function that unsubscribes.

        Subscribers are called in the order they subscribed, before listeners wake up.
        """
        self._subscribers = (*self._subscribers, callback)

        def unsubscribe() -> None:
            self._subscribers = tuple(one for one in self._subscribers if one is not callback)

        return unsubscribe

    def publish(self, record: Record) -> None:
        """Publish one record of the journal. Raises nothing that a subscriber raises."""
        for callback in self._subscribers:
            try:
                callback(record)
            except Exception:  # noqa: BLE001 - a view or a figure that is wrong must fail no press
                name = getattr(callback, "__qualname__", repr(callback))
                _log.exception("subscriber_broke", kind=record.kind, subscriber=name)
        event = self._event(record.kind, record.at, record.press, record.body)
        self._kept.append(event)
        self._put(event)

    def calls_changed(self, at: int) -> None:
        """Tell the listeners that the live calls changed, `at` milliseconds since the epoch."""
        self._put(self._event(CALLS, at))

    def _event(
        self, kind: str, at: int, press: str | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> FeedEvent:  # fmt: skip
        self._number += 1
        return FeedEvent(self._number, kind, at, press, body or {})

    def _put(self, event: FeedEvent) -> None:
        for listener in self._listeners:
            listener.put(event)

    @contextmanager
    def listen(self, after: int | None = None) -> Iterator[Listener]:
        """Listen from now on, or from the event after number `after` as far as they are kept.

        What is no longer kept is reported as missed; so is everything when `after` is a number of
        an earlier daemon process.
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
