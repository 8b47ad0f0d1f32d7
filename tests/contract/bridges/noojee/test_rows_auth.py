# SPDX-License-Identifier: Apache-2.0
"""Points the vendor leaves open, by number: authentication (A16 to A23)."""

import asyncio

import pytest

from noojee import (
    ApiKey,
    ExpiredError,
    ForbiddenError,
    Kind,
    NoAnswerError,
    NoojeeError,
    RefusedError,
    Signed,
    UniqueId,
    sign,
)
from tests.kits.noojee_kit import CALL, KEY, PHONE, USER_KEY, fixture, plain, stop
from tests.kits.waiting import eventually


@pytest.mark.parametrize("hour_from", ["first_use", "timestamp", "sliding"])
async def test_a16_renewal_at_55_minutes_is_safe_however_the_hour_counts(hour_from: str) -> None:
    async with fixture(hour_from=hour_from) as made:
        client = made.client()
        for minutes in (0, 30, 24.9, 0.2, 54.8, 0.3):
            made.clock.now += minutes * 60
            await client.start(CALL)
        assert len(made.asked("Time")) == 3
        assert all(e.status == 200 and '"Code": 0' in e.answer for e in made.asked("start"))


async def test_a16_a_pair_that_is_good_once_costs_one_refresh_a_call() -> None:
    async with fixture(hour_from="single_use") as made:
        client = made.client()
        for _ in range(3):
            made.clock.now += 0.01  # the next stamp is another one
            await client.start(CALL)
        assert [e.facts["effect"] for e in made.asked("start")].count("refused") == 2
        assert len(made.asked("Time")) == 3


async def test_a16_the_server_itself_forgets_a_pair_after_61_minutes() -> None:
    async with fixture() as made:
        client = made.client(clock=lambda: 0.0)  # a client that never renews
        await client.start(CALL)
        made.clock.now += 59 * 60
        await client.start(CALL)
        made.clock.now += 2 * 60
        await client.start(CALL)
        answers = ["Expired" in e.answer for e in made.asked("start")]
        assert answers == [False, False, True, False]


@pytest.mark.parametrize(("age", "expired"), [(9.9, False), (10.1, True)])
async def test_a16_the_server_takes_a_first_use_up_to_ten_seconds(
    age: float, expired: bool
) -> None:
    async with fixture() as made:
        stamp = await made.client().time()
        made.clock.now += age
        query = {"extenOrUniqueId": str(CALL), "timeStamp": stamp, "hash": sign(KEY, stamp)}
        path = "/servicemanager/rest/CallManagementAPI/start"
        answer = await plain(made, "POST", path, **query)
        assert ("Expired TimeStamp" in answer.text) is expired


async def test_a17_a_pair_refused_for_another_reason_counts_as_used_at_the_server() -> None:
    async with fixture() as made:
        client = made.client(clock=lambda: 0.0)
        with pytest.raises(RefusedError):
            await client.stop(UniqueId("1.1"), agent_login_name="Fred")
        assert made.asked("stop")[0].facts["first_use"] is True
        await client.stop(CALL, agent_login_name="Fred")
        assert len(made.asked("Time")) == 2, "the client cannot know that, so it takes a new pair"


@pytest.mark.parametrize("counting", ["first_uses", "unused_pairs"])
async def test_a18_fifty_at_once_from_cold_stay_under_the_servers_limit(counting: str) -> None:
    async with fixture(concurrency=counting, latency=0.002) as made:
        client = made.client()
        answers = await asyncio.gather(*(client.start(CALL) for _ in range(50)))
        assert {answer.kind for answer in answers} == {Kind.DONE}
        assert len(made.asked("Time")) == 1
        assert max(e.facts["in_flight"] for e in made.asked("start")) <= 8


async def test_a18_the_sixth_first_use_at_a_time_is_refused_by_the_server() -> None:
    path = "/servicemanager/rest/CallManagementAPI/start"
    stamps = [str(1_392_356_108_888 - number) for number in range(6)]
    queries = [
        {"extenOrUniqueId": "410", "timeStamp": stamp, "hash": sign(KEY, stamp)} for stamp in stamps
    ]
    async with fixture(latency=0.05) as made:
        five = await asyncio.gather(*(plain(made, "POST", path, **q) for q in queries[:5]))
        assert [answer.json()["Code"] for answer in five] == [0] * 5
    async with fixture(latency=0.05) as made:
        six = await asyncio.gather(*(plain(made, "POST", path, **q) for q in queries))
        assert sorted(answer.json()["Code"] for answer in six) == [-1, 0, 0, 0, 0, 0]


async def test_a18_a_refusal_for_too_many_at_a_time_is_not_tried_again() -> None:
    async with fixture(concurrency_limit=0) as made:
        with pytest.raises(RefusedError, match="SIM: too many"):
            await made.client().start(CALL)
        assert len(made.asked("start")) == 1


async def test_a18_long_polls_leave_lanes_for_a_stop() -> None:
    async with fixture() as made:
        client = made.client()
        await client.start(CALL)
        made.sim.faults.add("stall@subscribe")
        polls = [asyncio.create_task(client.subscribe([PHONE])) for _ in range(12)]
        await eventually(lambda: client.in_flight == 4)
        assert (await client.stop(CALL, agent_login_name="Fred", within=1.0)).kind is Kind.DONE
        for poll in polls:
            poll.cancel()
        await asyncio.gather(*polls, return_exceptions=True)


async def test_a19_only_the_documented_text_is_an_expiry() -> None:
    async with fixture() as made:
        other = "00000000-0000-0000-0000-000000000000"
        with pytest.raises(RefusedError, match="SIM: wrong hash") as refusal:
            await made.client(auth=Signed(other)).stop(CALL, agent_login_name="Fred")
        assert not isinstance(refusal.value, ExpiredError)
        assert len(made.asked("stop")) == 1


async def test_a19_a_server_that_calls_every_pair_expired_is_asked_twice_and_no_more() -> None:
    async with fixture() as made:
        made.sim.faults.add("expired@stop")
        with pytest.raises(ExpiredError):
            await stop(made)
        assert (len(made.asked("Time")), len(made.asked("stop"))) == (2, 2)


async def test_a20_exactly_one_scheme_is_sent() -> None:
    async with fixture() as made:
        await stop(made)
        made.sim.pbx.start(made.call, "Fred", "")
        await stop(made, auth=ApiKey(KEY))
        assert [e.facts["scheme"] for e in made.asked("stop")] == ["signed", "api_key"]
        assert [e.facts.get("hash_ok", e.facts.get("key_ok")) for e in made.asked("stop")] == [
            True
        ] * 2


@pytest.mark.parametrize(("lax", "code"), [("refuse", -1), ("api_key", 0)])
async def test_a20_the_server_refuses_or_prefers_the_key_when_both_come(
    lax: str, code: int
) -> None:
    async with fixture(both_schemes=lax) as made:
        path = "/servicemanager/rest/CallManagementAPI/start"
        query = {"extenOrUniqueId": "410", "apiKey": KEY, "timeStamp": "1", "hash": "x"}
        assert (await plain(made, "POST", path, **query)).json()["Code"] == code


async def test_a21_a_403_a_reset_and_silence_name_whitelisting_as_a_cause() -> None:
    async with fixture() as made:
        for fault, error_class in (("forbidden", ForbiddenError), ("reset", NoAnswerError)):
            made.sim.faults.clear()
            made.sim.faults.add(fault)
            with pytest.raises(error_class, match="whitelisted"):
                await stop(made, auth=ApiKey(KEY))
        await made.server.silence()
        with pytest.raises(NoojeeError, match="whitelisted") as error:
            await made.client(auth=ApiKey(KEY), timeout=0.2).stop(CALL, agent_login_name="Fred")
        assert not error.value.maybe_done


@pytest.mark.parametrize("scheme", ["signed", "key"])
async def test_a22_a_users_key_is_refused_and_a_403_names_the_kind_of_key(scheme: str) -> None:
    async with fixture() as made:
        auth = Signed(USER_KEY) if scheme == "signed" else ApiKey(USER_KEY)
        with pytest.raises(RefusedError, match="user's key"):
            await stop(made, auth=auth)
        made.sim.faults.add("forbidden@stop")
        with pytest.raises(ForbiddenError, match="global API key"):
            await stop(made, auth=auth)


@pytest.mark.parametrize("suffix", ["none", "crlf"])
async def test_a23_time_is_a_bare_post_and_its_line_end_is_not_signed(suffix: str) -> None:
    async with fixture(time_suffix=suffix) as made:
        assert await made.client().time() == "1392356108888"
        assert await stop(made) is Kind.DONE
        assert [(e.method, e.raw_query) for e in made.asked("Time")] == [("POST", "")] * 2
        assert made.asked("stop")[0].facts["hash_ok"] is True
        assert (await plain(made, "GET", "/servicemanager/rest/Time")).status_code == 405
