# SPDX-License-Identifier: Apache-2.0
"""The feed of what happens: in order, bounded, and picked up again after a lost connection."""

import asyncio
from dataclasses import asdict

import structlog

from offrecord.journal.journal import Record
from offrecord.status.event_feed import CALLS, MISSED, EventFeed, FeedEvent, Listener
from tests.kits.waiting import safety_net


async def heard(listener: Listener, count: int) -> list[FeedEvent]:
    async with safety_net("so many events come"):
        return [await anext(listener) for _ in range(count)]


async def nothing_more(listener: Listener) -> bool:
    try:
        async with asyncio.timeout(0.01):
            await anext(listener)
    except TimeoutError:
        return True
    return False


def record(kind: str, at: int) -> Record:
    return Record("p1", kind, {}, at)


async def test_everybody_hears_the_same_in_order() -> None:
    feed = EventFeed()
    with feed.listen() as one, feed.listen() as other:
        for at, kind in enumerate(("pressed", "resolved", "verdict")):
            feed.publish(Record("p1", kind, {"at": at}, at))
        first, second = await heard(one, 3), await heard(other, 3)
    assert [news.kind for news in first] == ["pressed", "resolved", "verdict"]
    assert first == second
    assert [news.number for news in first] == [1, 2, 3]
    assert asdict(first[2]) == {
        "number": 3, "kind": "verdict", "at": 2, "press": "p1", "body": {"at": 2},
    }  # fmt: skip


async def test_who_waits_is_woken_and_who_left_is_not_told() -> None:
    feed = EventFeed()
    with feed.listen() as listener:
        waiting = asyncio.create_task(anext(listener))
        await asyncio.sleep(0)
        feed.publish(record("pressed", 1))
        assert (await waiting).kind == "pressed"
        assert feed.listeners == 1
    assert feed.listeners == 0
    feed.publish(record("verdict", 2))
    assert await nothing_more(listener)


async def test_a_slow_listener_loses_the_oldest_and_is_told_how_many() -> None:
    feed = EventFeed(behind=3)
    with feed.listen() as slow:
        for at in range(5):
            feed.publish(record("answered", at))
        told = await heard(slow, 4)
    assert [(one.kind, one.at) for one in told] == [
        (MISSED, 2), ("answered", 2), ("answered", 3), ("answered", 4),
    ]  # fmt: skip
    assert told[0].body == {"count": 2}


async def test_changes_of_the_calls_that_nobody_read_yet_count_once() -> None:
    feed = EventFeed()
    with feed.listen() as listener:
        feed.calls_changed(1)
        feed.calls_changed(2)
        feed.publish(record("pressed", 3))
        feed.calls_changed(4)
        told = await heard(listener, 3)
        assert await nothing_more(listener)
    assert [(one.kind, one.at) for one in told] == [(CALLS, 2), ("pressed", 3), (CALLS, 4)]


async def test_who_comes_back_gets_what_came_meanwhile() -> None:
    feed = EventFeed()
    for at in range(4):
        feed.publish(record("answered", at))
    with feed.listen(after=2) as back:
        told = await heard(back, 2)
        assert await nothing_more(back)
    assert [one.number for one in told] == [3, 4]


async def test_who_comes_back_too_late_is_told_so() -> None:
    feed = EventFeed(kept=2)
    for at in range(4):
        feed.publish(record("answered", at))
    with feed.listen(after=1) as back:
        told = await heard(back, 3)
    assert [one.kind for one in told] == [MISSED, "answered", "answered"]
    with feed.listen(after=2) as back:
        assert [one.number for one in await heard(back, 2)] == [3, 4]


async def test_a_number_of_an_earlier_life_means_that_everything_was_missed() -> None:
    feed = EventFeed()
    feed.publish(record("pressed", 1))
    with feed.listen(after=70) as back:
        told = await heard(back, 2)
    assert [one.kind for one in told] == [MISSED, "pressed"]


async def test_who_is_up_to_date_is_told_nothing() -> None:
    feed = EventFeed()
    feed.publish(record("pressed", 1))
    with feed.listen(after=1) as back:
        assert await nothing_more(back)


# subscribers


async def test_a_subscriber_is_called_with_each_record_until_it_unsubscribes() -> None:
    feed, seen = EventFeed(), list[Record]()
    unsubscribe = feed.subscribe(seen.append)
    feed.publish(record("pressed", 1))
    feed.calls_changed(2)
    unsubscribe()
    feed.publish(record("verdict", 3))

    assert seen == [record("pressed", 1)]


async def test_a_subscriber_that_raises_is_logged_and_keeps_nothing_from_the_others() -> None:
    feed, seen = EventFeed(), list[Record]()

    def broken(_record: Record) -> None:
        raise KeyError("outcome")

    feed.subscribe(broken)
    feed.subscribe(seen.append)
    with feed.listen() as listener, structlog.testing.capture_logs() as lines:
        feed.publish(record("pressed", 1))
        told = await heard(listener, 1)

    assert [one.kind for one in told] == ["pressed"]
    assert seen == [record("pressed", 1)]
    assert [(line["event"], line["kind"]) for line in lines] == [("subscriber_broke", "pressed")]
    assert "broken" in lines[0]["subscriber"]
