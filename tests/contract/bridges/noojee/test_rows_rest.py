# SPDX-License-Identifier: Apache-2.0
"""Points the vendor leaves open, by number (A24 to A30), and what it does document."""

import asyncio
import datetime as dt

import httpx
import pytest

from noojee import (
    ApiKey,
    Extension,
    Kind,
    NoojeeError,
    NotConnectedError,
    NotUnderstoodError,
    RefusedError,
    ServerFaultError,
    TooSoonError,
)
from tests.kits.noojee_kit import CALL, KEY, PHONE, fixture, plain, stop
from tests.kits.waiting import eventually


async def test_a24_the_base_path_is_configurable_and_a_wrong_one_is_html_404() -> None:
    async with fixture() as made:
        with pytest.raises(RefusedError, match="address and path") as refusal:
            await stop(made, api_path="/rest", auth=ApiKey(KEY))
        assert refusal.value.status == 404
        made.switches.alias_rest = True
        assert await stop(made, api_path="/rest") is Kind.DONE


async def test_a25_no_tag_is_sent_with_a_stop_and_the_server_may_keep_one() -> None:
    async with fixture() as made:
        await stop(made)
        assert "tag" not in made.asked("stop")[0].query
        path = "/servicemanager/rest/CallManagementAPI/stop"
        query = {"extenOrUniqueId": "410", "agentLoginName": "Fred", "tag": "t", "apiKey": KEY}
        for keep in (False, True):
            made.switches.store_tag_on_stop = keep
            leg = made.sim.pbx.start(made.call, "Fred", "")
            await plain(made, "POST", path, **query)
            assert leg.tag == ("t" if keep else "")


async def test_a26_a_redirect_is_not_followed() -> None:
    async with fixture() as made:
        made.sim.faults.add("redirect@stop")
        with pytest.raises(NotUnderstoodError, match="redirect") as error:
            await stop(made)
        assert not error.value.maybe_done
        assert [e.path for e in made.sim.log.entries if "elsewhere" in e.path] == []


@pytest.mark.parametrize("skew", [-86_400.0, 0.0, 86_400.0])
async def test_a27_the_hosts_clock_does_not_matter(skew: float) -> None:
    async with fixture() as made:
        made.sim.clock.advance(skew)
        assert await stop(made) is Kind.DONE
        assert made.asked("stop")[0].facts["stamp_age"] == 0


async def test_a28_a_name_in_the_wrong_case_counts_as_missing() -> None:
    async with fixture() as made:
        path = "/servicemanager/rest/CallManagementAPI/start"
        answer = await plain(made, "POST", path, extenoruniqueid="410", apiKey=KEY)
        assert "extenOrUniqueId is missing" in answer.text
        await stop(made)
        names = [*made.asked("stop")[0].query]
        assert names == ["extenOrUniqueId", "agentLoginName", "timeStamp", "hash"]


async def test_a29_a_poll_returns_the_calls_and_the_sequence_to_ask_after() -> None:
    async with fixture() as made:
        client = made.client()
        first = await client.subscribe([PHONE, Extension("411")])
        assert [(c.extension, c.unique_id) for c in first.calls] == [("410", str(CALL))]
        waiting = asyncio.create_task(client.subscribe([PHONE], after=first.sequence, wait=5))
        await eventually(lambda: made.sim.gate.in_flight == 1)
        made.sim.pbx.add_call("PJSIP/410-00000099", "12347811.400")
        second = await waiting
        assert second.sequence > first.sequence
        assert len(second.calls) == 2


async def test_a30_a_stop_by_id_ends_the_open_leg_and_a_transition_may_begin_another() -> None:
    async with fixture(restart_after_transition=True) as made:
        await stop(made)
        legs = await made.client().recordings_by_unique_id(CALL)
        assert [(leg.leg, leg.call_end != "") for leg in legs] == [("1", True)]
        async with httpx.AsyncClient(trust_env=False) as client:
            await client.post(f"{made.server.url}/_sim/calls/{CALL}")
        legs = await made.client().recordings_by_unique_id(CALL)
        assert [(leg.leg, leg.call_end != "") for leg in legs] == [("1", True), ("2", False)]


async def test_metadata_by_tag_by_id_and_by_hour() -> None:
    async with fixture() as made:
        client = made.client()
        await client.start(CALL, agent_login_name="Fred", tag="22 b")
        await client.stop(CALL, agent_login_name="Fred")
        by_tag = await client.recordings_by_tag("22 b")
        assert [(leg.tag, leg.username, leg.source) for leg in by_tag] == [("22 b", "Fred", "410")]
        day = dt.datetime.fromtimestamp(made.clock.now, dt.UTC)
        by_hour = await client.recordings_by_hour(day.date(), day.hour)
        assert {leg.unique_id for leg in by_hour} == {str(CALL)}
        assert "date=2014%2F02%2F14&hour=5" in made.asked("recordings_by_hour")[0].raw_query
        assert await client.recordings_by_tag("nobody's") == ()


async def test_by_hour_is_asked_once_a_minute() -> None:
    day = dt.date(2014, 2, 14)
    slept: list[float] = []
    async with fixture() as made:

        async def sleep(seconds: float) -> None:
            slept.append(seconds)
            made.clock.now += seconds

        client = made.client(sleep=sleep)
        await client.recordings_by_hour(day, 5)
        made.clock.now += 20
        with pytest.raises(TooSoonError) as error:
            await client.recordings_by_hour(day, 5)
        assert error.value.retry_after == pytest.approx(40)
        assert len(made.asked("recordings_by_hour")) == 1
        await client.recordings_by_hour(day, 5, wait=True)
        assert slept == [pytest.approx(40)]
        with pytest.raises(ValueError, match="0 to 23"):
            await client.recordings_by_hour(day, 24)


@pytest.mark.parametrize(
    ("fault", "error_class"), [("status=503", ServerFaultError), ("empty_200", NotUnderstoodError)]
)
async def test_metadata_is_never_empty_by_mistake(
    fault: str, error_class: type[NoojeeError]
) -> None:
    async with fixture() as made:
        made.sim.faults.add(f"{fault}@recordings_by_tag")
        with pytest.raises(error_class):
            await made.client().recordings_by_tag("22")


async def test_a_hangup_is_done_in_the_vendors_own_words() -> None:
    async with fixture() as made:
        answer = await made.client().hangup(CALL)
        assert (answer.kind, answer.message) == (Kind.DONE, "Channel Hungup")
        assert made.sim.pbx.live == []


async def test_the_deprecated_recording_api_is_not_there() -> None:
    async with fixture() as made:
        for path in ("/servicemanager/rest/RecordingAPI/stop", "/servicemanager/services/x"):
            assert (await plain(made, "POST", path)).status_code == 404


async def test_a_refused_connection_sends_nothing() -> None:
    async with fixture() as made:
        await made.server.refuse()
        with pytest.raises(NotConnectedError) as error:
            await stop(made)
        assert not error.value.maybe_done
        await made.server.accept()
        assert await stop(made) is Kind.DONE
