# SPDX-License-Identifier: Apache-2.0
"""The feed of what happens: in order, bounded, and picked up again after a lost connection."""

import asyncio
from dataclasses import asdict

from offrecord.status.event_feed import CALLS, MISSED, EventFeed, FeedEvent, Listener


async def heard(listener: Listener, count: int) -> list[FeedEvent]:
    async with asyncio.timeout(1):
        return [await anext(listener) for _ in range(count)]


async def nothing_more(listener: Listener) -> bool:
    try:
        async with asyncio.timeout(0.01):
            await anext(listener)
    except TimeoutError:
        return True
    return False


async def test_everybody_hears_the_same_in_order() -> None:
    feed = EventFeed()
    with feed.listen() as one, feed.listen() as other:
        for at, kind in enumerate(("pressed", "resolved", "verdict")):
            feed.tell(kind, at, "p1", {"at": at})
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
        feed.tell("pressed", 1)
        assert (await waiting).kind == "pressed"
        assert feed.listeners == 1
    assert feed.listeners == 0
    feed.tell("verdict", 2)
    assert await nothing_more(listener)


async def test_a_slow_listener_loses_the_oldest_and_is_told_how_many() -> None:
    feed = EventFeed(behind=3)
    with feed.listen() as slow:
        for at in range(5):
            feed.tell("answered", at)
        told = await heard(slow, 4)
    assert [(one.kind, one.at) for one in told] == [
        (MISSED, 2), ("answered", 2), ("answered", 3), ("answered", 4),
    ]  # fmt: skip
    assert told[0].body == {"count": 2}


async def test_changes_of_the_calls_that_nobody_read_yet_count_once() -> None:
    feed = EventFeed()
    with feed.listen() as listener:
        feed.tell(CALLS, 1)
        feed.tell(CALLS, 2)
        feed.tell("pressed", 3)
        feed.tell(CALLS, 4)
        told = await heard(listener, 3)
        assert await nothing_more(listener)
    assert [(one.kind, one.at) for one in told] == [(CALLS, 2), ("pressed", 3), (CALLS, 4)]


async def test_who_comes_back_gets_what_came_meanwhile() -> None:
    feed = EventFeed()
    for at in range(4):
        feed.tell("answered", at)
    with feed.listen(after=2) as back:
        told = await heard(back, 2)
        assert await nothing_more(back)
    assert [one.number for one in told] == [3, 4]


async def test_who_comes_back_too_late_is_told_so() -> None:
    feed = EventFeed(kept=2)
    for at in range(4):
        feed.tell("answered", at)
    with feed.listen(after=1) as back:
        told = await heard(back, 3)
    assert [one.kind for one in told] == [MISSED, "answered", "answered"]
    with feed.listen(after=2) as back:
        assert [one.number for one in await heard(back, 2)] == [3, 4]


async def test_a_number_of_an_earlier_life_means_that_everything_was_missed() -> None:
    feed = EventFeed()
    feed.tell("pressed", 1)
    with feed.listen(after=70) as back:
        told = await heard(back, 2)
    assert [one.kind for one in told] == [MISSED, "pressed"]


async def test_who_is_up_to_date_is_told_nothing() -> None:
    feed = EventFeed()
    feed.tell("pressed", 1)
    with feed.listen(after=1) as back:
        assert await nothing_more(back)
