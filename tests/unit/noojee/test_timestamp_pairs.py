# SPDX-License-Identifier: Apache-2.0
"""The pair's life: one handshake for all, used in time, renewed before its hour."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

import pytest

from noojee import Kind, NoAnswerError
from noojee.timestamp_pairs import Pair, Pairs

KEY = "f863246a-973e-11e6-8784-08002718f5b5"


class Bench:
    """A `Pairs` with a clock moved by hand and a server whose Time can be held back."""

    def __init__(self, *, handshakes: int = 3) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self.asked = 0
        self.answering = asyncio.Event()
        self.answering.set()
        self.failing = False
        self.time_takes = 0.0
        self.pairs = Pairs(
            KEY, clock=lambda: self.now, sleep=self._sleep, draw=lambda: 1.0, handshakes=handshakes
        )

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def fetch(self) -> str:
        self.asked += 1
        number = self.asked
        await self.answering.wait()
        self.now += self.time_takes
        if self.failing:
            raise NoAnswerError("Time: no answer", operation="Time", maybe_done=False)
        return str(1_392_356_108_887 + number)

    @asynccontextmanager
    async def use(self) -> AsyncIterator[Pair]:
        async with self.pairs.use(self.fetch) as pair:
            yield pair

    async def once(self, kind: Kind = Kind.DONE) -> Pair:
        async with self.use() as pair:
            self.pairs.judged(pair, kind)
        return pair


async def gather(*calls: Awaitable[Pair]) -> list[Pair]:
    return list(await asyncio.gather(*calls))


async def test_the_pair_is_signed_with_the_very_text_of_the_server() -> None:
    pair = await Bench().once()
    assert pair.stamp == "1392356108888"
    assert pair.hash == "bc71b78c3e1914667fbaf65cabb9f2090c7f2231eb6df90562ada7678065dc76"


async def test_neither_hash_nor_key_is_in_a_repr() -> None:
    bench = Bench()
    pair = await bench.once()
    for text in (repr(pair), repr(bench.pairs)):
        assert pair.hash not in text
        assert KEY not in text


async def test_a_burst_of_callers_costs_one_request_for_the_time() -> None:
    bench = Bench()
    pairs = await gather(*(bench.once() for _ in range(50)))
    assert bench.asked == 1
    assert len({id(pair) for pair in pairs}) == 1


@pytest.mark.parametrize(("age", "asked"), [(7.9, 1), (8.1, 2)])
async def test_a_pair_is_first_used_before_it_is_eight_seconds_old(age: float, asked: int) -> None:
    bench = Bench()
    async with bench.use():
        pass  # taken, never answered: not proven
    bench.now += age
    await bench.once()
    assert bench.asked == asked


async def test_the_age_counts_from_when_time_was_sent_not_from_its_answer() -> None:
    bench = Bench()
    bench.time_takes = 7.0
    async with bench.use() as pair:
        assert bench.pairs.usable(pair)
        bench.now += 1.1
        assert not bench.pairs.usable(pair)


async def test_a_time_that_took_too_long_is_asked_again() -> None:
    bench = Bench()
    bench.time_takes = 9.0

    async def quick_the_second_time() -> str:
        stamp = await bench.fetch()
        bench.time_takes = 0.0
        return stamp

    async with bench.pairs.use(quick_the_second_time) as pair:
        assert pair.stamp.endswith("889")
    assert bench.asked == 2


@pytest.mark.parametrize(("minutes", "asked"), [(54.9, 1), (55.1, 2)])
async def test_a_proven_pair_is_renewed_after_55_minutes(minutes: float, asked: int) -> None:
    bench = Bench()
    await bench.once()
    bench.now += minutes * 60
    await bench.once()
    assert bench.asked == asked


async def test_many_expiries_of_one_pair_cost_one_refresh() -> None:
    bench = Bench()
    old = await bench.once()
    for _ in range(20):
        bench.pairs.judged(old, Kind.EXPIRED)
    new = await bench.once()
    bench.pairs.judged(old, Kind.EXPIRED)  # a straggler of the old generation
    assert await bench.once() is new
    assert bench.asked == 2


@pytest.mark.parametrize("kind", [Kind.DONE, Kind.WARNING, Kind.UNCONFIRMED])
async def test_a17_a_good_answer_proves_the_pair(kind: Kind) -> None:
    bench = Bench()
    await bench.once(kind)
    bench.now += 600
    await bench.once()
    assert bench.asked == 1


@pytest.mark.parametrize("kind", [Kind.REFUSED, Kind.FORBIDDEN, Kind.EXPIRED])
async def test_a17_a_refusal_that_may_be_about_the_pair_drops_an_unproven_one(kind: Kind) -> None:
    bench = Bench()
    await bench.once(kind)
    await bench.once()
    assert bench.asked == 2


@pytest.mark.parametrize("kind", [Kind.JUNK, Kind.SERVER_ERROR, Kind.CLIENT_ERROR, Kind.REDIRECT])
async def test_a17_an_answer_of_someone_else_neither_proves_nor_drops(kind: Kind) -> None:
    bench = Bench()
    await bench.once(kind)
    bench.now += 7
    await bench.once(kind)
    assert bench.asked == 1
    bench.now += 2
    await bench.once(kind)
    assert bench.asked == 2


async def test_a_proven_pair_outlives_a_refusal_of_the_request_itself() -> None:
    bench = Bench()
    await bench.once()
    await bench.once(Kind.REFUSED)
    await bench.once()
    assert bench.asked == 1


@pytest.mark.parametrize("most", [1, 3, 5])
async def test_few_unproven_uses_are_in_flight_and_all_go_on_once_it_is_proven(most: int) -> None:
    bench = Bench(handshakes=most)
    inside, peak, release = 0, 0, asyncio.Event()

    async def use() -> None:
        nonlocal inside, peak
        async with bench.use() as pair:
            inside += 1
            peak = max(peak, inside)
            await release.wait()
            bench.pairs.judged(pair, Kind.DONE)
            inside -= 1

    tasks = [asyncio.create_task(use()) for _ in range(20)]
    for _ in range(50):
        await asyncio.sleep(0)
    assert (inside, peak) == (most, most)
    release.set()
    await asyncio.gather(*tasks)
    assert bench.asked == 1


@pytest.mark.parametrize("number", [0, 6])
def test_more_handshakes_than_the_server_takes_are_refused(number: int) -> None:
    with pytest.raises(ValueError, match="1 to 5"):
        Bench(handshakes=number)


async def test_those_who_wait_for_a_time_share_its_error_without_asking_again() -> None:
    bench = Bench()
    bench.failing = True
    bench.answering.clear()
    tasks = [asyncio.create_task(bench.once()) for _ in range(10)]
    await asyncio.sleep(0)
    bench.answering.set()
    errors = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(error, NoAnswerError) for error in errors)
    assert len({id(error) for error in errors}) == 10
    assert bench.asked == 1


async def test_a_cancelled_leader_leaves_the_handshake_to_the_next() -> None:
    bench = Bench()
    bench.answering.clear()
    leader = asyncio.create_task(bench.once())
    follower = asyncio.create_task(bench.once())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    leader.cancel()
    bench.answering.set()
    assert (await follower).proven
    assert bench.asked == 2
    with pytest.raises(asyncio.CancelledError):
        await leader


async def test_a18_handshakes_after_refusals_back_off_with_jitter() -> None:
    bench = Bench()
    for _ in range(6):
        await bench.once(Kind.FORBIDDEN)
    assert bench.slept == [0.1, 0.2, 0.4, 0.5, 0.5]
    await bench.once()
    bench.now += 3600
    await bench.once()
    assert len(bench.slept) == 6, "once proven, the next handshake goes at once"


async def test_an_expiry_is_refreshed_without_delay() -> None:
    bench = Bench()
    old = await bench.once()
    bench.pairs.judged(old, Kind.EXPIRED)
    await bench.once()
    assert bench.slept == []
