# SPDX-License-Identifier: Apache-2.0
"""Points the vendor leaves open, by number: requests, answers, who and what (A1 to A15)."""

import contextlib

import httpx
import pytest

from noojee import (
    WITHOUT_AGENT,
    Kind,
    NoAnswerError,
    NotUnderstoodError,
    RefusedError,
    UniqueId,
    UnprovenError,
)
from tests.kits.noojee_kit import CALL, KEY, PHONE, fixture, plain, stop


async def test_a1_every_request_is_a_post_with_an_empty_body() -> None:
    async with fixture() as made:
        client = made.client()
        await client.stop(CALL, agent_login_name="Fred")
        await client.start(CALL)
        await client.recordings_by_unique_id(CALL)
        assert {(e.method, e.body) for e in made.sim.log.entries} == {("POST", "")}


async def test_a1_a_get_is_refused_with_html_unless_switched() -> None:
    path = "/servicemanager/rest/CallManagementAPI/stop"
    query = {"extenOrUniqueId": str(CALL), "agentLoginName": "Fred", "apiKey": KEY}
    async with fixture() as made:
        refused = await plain(made, "GET", path, **query)
        assert (refused.status_code, refused.text[:9]) == (405, "<!DOCTYPE")
        made.switches.allow_get = True
        assert (await plain(made, "GET", path, **query)).json()["Code"] == 0


async def test_a2_parameters_are_in_the_query_with_spaces_as_percent_twenty() -> None:
    async with fixture() as made:
        made.sim.pbx.add_user("Fred Bloggs & Söhne", extension="410")
        await made.client().start(CALL, agent_login_name="Fred Bloggs & Söhne", tag="a+b")
        entry = made.asked("start")[0]
        assert entry.query["agentLoginName"] == "Fred Bloggs & Söhne"
        assert entry.query["tag"] == "a+b"
        assert "Fred%20Bloggs%20%26%20S%C3%B6hne&tag=a%2Bb" in entry.raw_query


async def test_a2_a_form_body_is_not_read_unless_switched() -> None:
    form = {"extenOrUniqueId": str(CALL), "agentLoginName": "Fred", "apiKey": KEY}
    async with fixture() as made, httpx.AsyncClient(trust_env=False) as client:
        url = f"{made.server.url}/servicemanager/rest/CallManagementAPI/stop"
        assert (await client.post(url, data=form)).json()["Code"] == -1
        made.switches.accept_form = True
        assert (await client.post(url, data=form)).json()["Code"] == 0


@pytest.mark.parametrize("status", [200, 400, 500])
async def test_a3_an_error_is_known_by_its_code_under_any_status(status: int) -> None:
    async with fixture(error_status=status) as made:
        with pytest.raises(RefusedError) as refusal:
            await made.client().stop(UniqueId("1.1"), agent_login_name="Fred")
        assert (refusal.value.status, refusal.value.code) == (status, -1)
        assert "SIM: no such call" in refusal.value.message
        assert not refusal.value.maybe_done


@pytest.mark.parametrize("status", [200, 400, 500])
async def test_a3_an_expired_pair_is_refreshed_under_any_status(status: int) -> None:
    async with fixture(error_status=status) as made:
        client = made.client()
        await client.start(CALL)
        made.sim.clock.advance(3601)  # the server's clock alone: ours thinks the pair is good
        assert (await client.stop(CALL, agent_login_name="Fred")).kind is Kind.DONE
        assert [e.status for e in made.asked("stop")] == [status, 200]
        assert len(made.asked("Time")) == 2


async def test_a4_an_empty_200_is_accepted_and_unconfirmed_and_strict_raises() -> None:
    async with fixture(success_body="empty") as made:
        assert await stop(made) is Kind.UNCONFIRMED
        made.sim.pbx.start(made.call, "Fred", "")
        with pytest.raises(UnprovenError):
            await stop(made, strict=True)


async def test_a4_a_text_in_place_of_json_is_no_success() -> None:
    async with fixture(success_body="text") as made:
        with pytest.raises(NotUnderstoodError):
            await stop(made)


@pytest.mark.parametrize("fault", ["html_200", "junk"])
async def test_a5_html_or_junk_in_a_200_is_never_a_success(fault: str) -> None:
    async with fixture() as made:
        made.sim.faults.add(f"{fault}@stop")
        with pytest.raises(NotUnderstoodError) as error:
            await stop(made)
        assert error.value.maybe_done
        assert made.call.recording is not None


@pytest.mark.parametrize("case", ["capital", "lower"])
@pytest.mark.parametrize("as_text", [False, True])
async def test_a6_the_code_is_read_in_either_case_and_as_a_text(case: str, as_text: bool) -> None:
    async with fixture(key_case=case, code_as_text=as_text) as made:
        assert await stop(made) is Kind.DONE
        with pytest.raises(RefusedError) as refusal:
            await stop(made)
        assert refusal.value.code == -1


async def test_a7_a_positive_code_is_a_warning_with_its_text_and_strict_raises() -> None:
    async with fixture(success_code=1) as made:
        answer = await made.client().stop(CALL, agent_login_name="Fred")
        assert (answer.kind, answer.code, answer.message) == (Kind.WARNING, 1, "SIM: stop done")
        made.sim.pbx.start(made.call, "Fred", "")
        with pytest.raises(UnprovenError) as error:
            await stop(made, strict=True)
        assert error.value.code == 1


@pytest.mark.parametrize("agent", [WITHOUT_AGENT, "Nobody", "Mallory"])
async def test_a8_v3_refuses_a_stop_without_with_unknown_or_unpermitted_agent(agent: str) -> None:
    async with fixture() as made:
        with pytest.raises(RefusedError):
            await made.client().stop(CALL, agent_login_name=agent)
        assert made.call.recording is not None


async def test_a8_v1_ignores_a_missing_agent_and_the_opt_out_sends_none() -> None:
    async with fixture(stop_profile="v1") as made:
        await made.client().stop(CALL, agent_login_name=WITHOUT_AGENT)
        assert "agentLoginName" not in made.asked("stop")[0].query
        assert made.call.recording is None


async def test_a8_the_agent_is_an_argument_that_cannot_be_forgotten() -> None:
    async with fixture() as made:
        client = made.client()
        with pytest.raises(TypeError):
            await client.stop(CALL)  # type: ignore[call-arg]
        with pytest.raises(TypeError):
            await client.stop(CALL, agent_login_name=None)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="WITHOUT_AGENT"):
            await client.stop(CALL, agent_login_name=" ")
        assert made.sim.log.entries == []


async def test_a9_who_may_stop_is_left_to_the_server() -> None:
    async with fixture() as made:
        made.sim.pbx.add_user("Boss", groups=["Recording Manager"])
        assert (await made.client().stop(CALL, agent_login_name="Boss")).kind is Kind.DONE


async def test_a10_id_and_extension_are_sent_as_what_they_are() -> None:
    async with fixture() as made:
        client = made.client()
        await client.stop(PHONE, agent_login_name="Fred")
        await client.start(CALL)
        await client.stop(CALL, agent_login_name="Fred")
        assert [e.query["extenOrUniqueId"] for e in made.asked("stop")] == ["410", "12347811.214"]
        with pytest.raises(TypeError):
            await client.stop("410", agent_login_name="Fred")  # type: ignore[arg-type]


async def test_a11_an_extension_is_sent_bare_and_a_prefix_would_be_counted() -> None:
    async with fixture() as made:
        await made.client().stop(PHONE, agent_login_name="Fred")
        assert "tech_prefix" not in made.asked("stop")[0].facts
        path = "/servicemanager/rest/CallManagementAPI/start"
        await plain(made, "POST", path, extenOrUniqueId="PJSIP/410", apiKey=KEY)
        assert made.asked("start")[0].facts["tech_prefix"] is True
        made.switches.accept_tech_prefix = False
        refused = await plain(made, "POST", path, extenOrUniqueId="PJSIP/410", apiKey=KEY)
        assert refused.json()["Code"] == -1


@pytest.mark.parametrize(("which", "stopped"), [("oldest", [0]), ("newest", [1]), ("error", [])])
async def test_a12_by_extension_the_server_picks_one_of_two_calls(
    which: str, stopped: list[int]
) -> None:
    async with fixture(two_calls=which) as made:
        second = made.sim.pbx.add_call("PJSIP/410-00000013", "12347811.300")
        refused = pytest.raises(RefusedError, match="2 live calls")
        with contextlib.nullcontext() if stopped else refused:
            await made.client().stop(PHONE, agent_login_name="Fred")
        calls = [made.call, second]
        assert [i for i, call in enumerate(calls) if call.recording is None] == stopped


async def test_a13_a_stop_without_an_answer_is_perhaps_done_and_never_repeated() -> None:
    async with fixture() as made:
        client = made.client()
        await client.time()
        made.sim.faults.add("drop_after_effect@stop")
        for target in (CALL, PHONE):
            made.sim.log.entries.clear()
            with pytest.raises(NoAnswerError) as error:
                await client.stop(target, agent_login_name="Fred")
            assert error.value.maybe_done
            assert len(made.asked("stop")) == 1
        assert made.call.recording is None


async def test_a14_nothing_to_stop_is_told_in_the_servers_own_words() -> None:
    async with fixture() as made:
        await stop(made)
        with pytest.raises(RefusedError, match="SIM: nothing is being recorded"):
            await stop(made)
        made.switches.nothing_to_stop = "ok"
        assert await stop(made) is Kind.DONE


async def test_a15_a_start_on_a_recorded_call_opens_a_new_leg() -> None:
    async with fixture() as made:
        await made.client().start(CALL, agent_login_name="Fred", tag="22")
        assert [(leg.number, leg.tag) for leg in made.call.legs] == [(1, ""), (2, "22")]
