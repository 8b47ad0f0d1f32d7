# SPDX-License-Identifier: Apache-2.0
"""The points that the documents leave open: the recorder copes with either reading.

A1 to A22 number them; each is a switch or a fault of the simulator.
"""

import asyncio

import pytest

from bridges.model import Evidence, Outcome, Verb
from tests.kits.genesys_kit import (
    OTHER_UUID,
    PASSWORD,
    UUID,
    Fixture,
    fixture,
    order,
    plain,
)

AUTH = ("fred", PASSWORD)
NO_NOTICES = {"notifications": False}
POST = f"/api/v2/me/calls/{UUID}"
STOP = {"operationName": "StopCallRecording"}


@pytest.mark.parametrize("mode", ["400-2", "silent", "event", "error_message", "500-4"])
@pytest.mark.parametrize("notices", [True, False])
async def test_a1_a_stop_of_what_is_stopped_meanwhile(mode: str, *, notices: bool) -> None:
    """The state is read, then someone else stops it, then our stop arrives."""
    async with fixture(options={"notifications": notices}, stop_when_not=mode) as made:
        made.sim.log.listen(
            lambda entry: made.call.become("Stopped") if entry.operation == "call" else None
        )
        result = await made.act(budget=1.5)
        assert len(made.asked("stop")) >= 1
        if mode == "400-2":
            assert (result.outcome, result.evidence) == (
                Outcome.NOTHING_TO_STOP, Evidence.READ_BACK,
            )  # fmt: skip
        else:  # accepted, or perhaps done for all we know, and the call reads stopped
            assert result.outcome is Outcome.CONFIRMED, result.detail


@pytest.mark.parametrize("mode", ["403-3", "403-5"])
async def test_a2_an_agent_without_the_feature_is_a_fault_of_provisioning(mode: str) -> None:
    async with fixture(no_feature=mode) as made:
        made.fred.recording = False
        result = await made.act()  # a recording begun before the feature was taken away
        assert (result.outcome, result.retryable) == (Outcome.FAILED, False)
        assert f"statusCode {mode[-1]}" in result.detail
        made.call.recording = ""
        result = await made.act()
        assert (result.outcome, result.retryable) == (Outcome.FAILED, False)
        assert result.detail.startswith("not recordable")
        assert len(made.asked("stop")) == 1


async def test_a3_an_id_of_another_agent_is_failed_and_never_over() -> None:
    async with fixture() as made:
        result = await made.act(uuids=(OTHER_UUID,))
        assert (result.outcome, result.retryable) == (Outcome.FAILED, True)
        assert "another agent" in result.detail
        assert made.commands() == 0
    async with fixture(unknown_call="500-4") as made:
        result = await made.act(uuids=(OTHER_UUID,), budget=0.6)
        assert (result.outcome, made.commands()) == (Outcome.FAILED, 0)


async def test_a4_a_connection_id_is_never_sent() -> None:
    async with fixture() as made:
        result = await made.act(uuids=(made.call.conn_id,))
        assert result.outcome is Outcome.FAILED
        assert "no call UUID" in result.detail
        assert not any(made.call.conn_id in entry.path for entry in made.sim.log.entries)
    async with fixture(ids="conn_id") as made:  # a server of 2014: found by extension all the same
        assert (await made.act(uuids=())).outcome is Outcome.CONFIRMED


async def test_a5_the_origin_is_always_sent_and_a_refused_one_is_told_apart() -> None:
    async with fixture() as made:
        assert (await plain(made, "POST", POST, json=STOP, auth=AUTH)).status_code == 403
    elsewhere = {"options": {"origin": "https://pbx.example"}}
    async with fixture(**elsewhere) as made:
        result = await made.act()
        assert (result.outcome, result.retryable) == (Outcome.FAILED, False)
        assert "Origin" in result.detail
        made.switches.allowed_origins = "https://*.example"
        assert (await made.act()).outcome is Outcome.CONFIRMED
    async with fixture(**elsewhere, origin="lenient") as made:
        assert (await made.act()).outcome is Outcome.CONFIRMED


@pytest.mark.parametrize("csrf", [True, False])
@pytest.mark.parametrize("bayeux", ["required", "exempt"])
async def test_a6_the_token_is_sent_wherever_it_is_asked_for(bayeux: str, *, csrf: bool) -> None:
    async with fixture(csrf=csrf, csrf_bayeux=bayeux) as made:
        result = await made.act()
        assert result.outcome is Outcome.CONFIRMED
        assert "last event said Stopped" in result.detail
        assert not [e for e in made.sim.log.entries if e.status == 403]


@pytest.mark.parametrize("status", ["403", "401"])
async def test_a7_wrong_credentials_are_tried_twice_and_no_more(status: str) -> None:
    async with fixture(no_credentials=status) as made:
        made.fred.password = "another"
        result = await made.act()
        assert (result.outcome, result.retryable) == (Outcome.FAILED, False)
        assert "credentials" in result.detail
        assert len(made.sim.log.entries) <= 3
        assert (await plain(made, "GET", "/api/v2/me")).json()["statusCode"] == 20


async def test_a8_a9_a_request_of_a_broken_client_is_refused() -> None:
    async with fixture(csrf=False, origin="lenient") as made:
        for body, status, code in ((b"{}", 400, 1), (b'{"operationName":"X"}', 400, 2)):
            answer = await plain(made, "POST", POST, content=body, auth=AUTH)
            assert (answer.status_code, answer.json()["statusCode"]) == (status, code)
        answer = await plain(made, "POST", POST, content=b"{", auth=AUTH)
        assert answer.status_code == 400
        assert b"statusCode" not in answer.content


async def test_a10_the_path_of_the_notifications_is_a_setting() -> None:
    path = "/cometd"
    async with fixture(notifications_path=path, options={"notifications_path": f"{path}/"}) as made:
        assert "last event said" in (await made.act()).detail
    async with fixture(notifications_path=path) as made:  # and a wrong one does no harm
        result = await made.act()
        assert result.outcome is Outcome.CONFIRMED
        assert "last event" not in result.detail
    async with fixture(csrf=False) as made:
        hand = [{"channel": "/meta/handshake", "version": "1.0", "id": "1",
                 "supportedConnectionTypes": ["long-polling"]}]  # fmt: skip
        for suffix in ("", "/", "/handshake"):
            answer = await plain(
                made, "POST", f"/api/v2/notifications{suffix}", json=hand, auth=AUTH
            )
            assert answer.json()[0]["successful"]


@pytest.mark.parametrize("event_order", ["answer_first", "event_first", "random"])
async def test_a11_event_and_answer_come_in_either_order(event_order: str) -> None:
    async with fixture(event_order=event_order, delay=0.02) as made:
        result = await made.act()
        assert result.outcome is Outcome.CONFIRMED
        assert "last event said Stopped" in result.detail


async def test_a12_events_of_other_calls_and_kinds_change_nothing() -> None:
    async with fixture(noise=True) as made:
        made.sim.centre.add_call(made.fred, "15009", uuid=OTHER_UUID)
        result = await made.act()
        assert result.outcome is Outcome.CONFIRMED
        made.sim.bayeux.publish("/v2/me/calls", made.fred, {"messageType": "Whatever"})
        made.sim.bayeux.publish("/v2/me/calls", made.fred, {"messageType": 7, "call": []})
        assert (await made.act(Verb.START)).outcome is Outcome.CONFIRMED


@pytest.mark.parametrize("notices", [True, False])
async def test_a13_a_stop_that_is_swallowed_is_sent_once_more_and_not_confirmed(
    *, notices: bool
) -> None:
    async with fixture(options={"notifications": notices}) as made:
        made.sim.faults.add("swallow@stop")
        result = await made.act(budget=1.0)
        assert (result.outcome, result.evidence, result.retryable) == (
            Outcome.FAILED, Evidence.ACCEPTED, True,
        )  # fmt: skip
        assert result.detail.startswith("not confirmed")
        assert len(made.asked("stop")) == 2
        assert made.recording()
    async with fixture(options={"notifications": notices}) as made:
        made.sim.faults.add("swallow@stop*1")
        assert (await made.act(budget=1.0)).outcome is Outcome.CONFIRMED


async def test_a14_an_error_after_acceptance_is_read_at_once_and_asked_once_more() -> None:
    async with fixture() as made:
        made.sim.faults.add("async_error@stop*1")
        result = await made.act(budget=10.0)
        assert result.outcome is Outcome.CONFIRMED
        assert len(made.asked("stop")) == 2
        first, second = made.asked("stop")
        assert second.at - first.at < 2.0, "not only after confirm_within, which is 3 s"
    async with fixture(delay=0.35) as made:  # the second one is waited for again
        made.sim.faults.add("async_error@stop*1")
        assert (await made.act(budget=10.0)).outcome is Outcome.CONFIRMED
    async with fixture() as made:
        made.sim.faults.add("async_error@stop")
        result = await made.act()
        assert (result.outcome, len(made.asked("stop"))) == (Outcome.FAILED, 2)


@pytest.mark.parametrize(
    ("ours", "outcome"),
    [(True, Outcome.FAILED), (None, Outcome.FAILED), (False, Outcome.CALL_ENDED)],
)
@pytest.mark.parametrize("notices", [True, False])
async def test_a15_a_call_that_ends_meanwhile_is_over_only_if_it_is_here_too(
    ours: bool | None, outcome: Outcome, *, notices: bool
) -> None:
    async with fixture(options={"notifications": notices}) as made:
        made.sim.faults.add("hangup_race@stop")
        made.ours = ours
        result = await made.act(budget=1.0)
        assert result.outcome is outcome, result.detail
        assert len(made.asked("stop")) == 1


@pytest.mark.parametrize("where", ["call", "stop"])
@pytest.mark.parametrize("stale", ["refuse", "renew"])
async def test_a16_a_session_that_dies_is_made_anew_once(stale: str, where: str) -> None:
    async with fixture(stale_session=stale) as made:
        assert (await made.act(Verb.PAUSE)).outcome is Outcome.CONFIRMED
        made.sim.faults.add(f"expire_session@{where}*1")
        assert (await made.act()).outcome is Outcome.CONFIRMED
        assert len(made.asked("me")) <= 3
    async with fixture(session_requests=3, stale_session=stale, options=NO_NOTICES) as made:
        assert (await made.act()).outcome is Outcome.CONFIRMED


async def test_a17_a_request_that_meets_the_other_node_finds_its_way() -> None:
    async with fixture(nodes=2) as made:
        made.sim.faults.add("other_node@stop*1")
        result = await made.act()
        assert result.outcome is Outcome.CONFIRMED
        lost, done = made.asked("stop")
        assert lost.facts["node"] != made.asked("call")[0].facts["node"]
        assert (lost.facts["effect"], done.facts["effect"]) == ("refused", "Stopped")
        assert (await made.act(Verb.START)).outcome is Outcome.CONFIRMED


async def test_a18_the_shapes_of_older_servers_are_read_too() -> None:
    async with fixture(shapes="8.5.0") as made:
        result = await made.act(uuids=())
        assert result.outcome is Outcome.CONFIRMED
        assert "remote party" in result.detail
    async with fixture(code_as_text=True) as made:
        assert (await made.act()).outcome is Outcome.CONFIRMED


async def test_a19_a_resume_is_proven_by_recording() -> None:
    async with fixture() as made:
        made.call.recording = "Paused"
        result = await made.act(Verb.RESUME)
        assert result.outcome is Outcome.CONFIRMED
        assert "last event said Recording" in result.detail
        assert made.call.recorded == ["Recording"]


async def test_a20_the_device_is_never_told_to_stop() -> None:
    async with fixture(device_stop=True) as made:
        await made.act(uuids=())
        assert not [e for e in made.sim.log.entries if "/me/devices/" in e.path]
    async with fixture(device_stop=True, csrf=False, origin="lenient") as made:
        path = f"/api/v2/me/devices/{made.fred.device}"
        assert (await plain(made, "POST", path, json=STOP, auth=AUTH)).json() == {"statusCode": 0}
        assert not made.recording()


async def test_a21_addresses_in_answers_are_ignored() -> None:
    async with fixture() as made:
        result = await made.act(uuids=())
        assert result.outcome is Outcome.CONFIRMED
        assert "127.0.0.1:8080" in made.asked("call")[0].answer
        assert all(step.sent.split()[1].startswith(made.server.url) for step in result.steps)


async def test_a22_a_connection_that_the_server_closed_when_idle_is_made_anew() -> None:
    async with fixture(idle_timeout=0.05, options=NO_NOTICES) as made:
        for verb in (Verb.STOP, Verb.START):
            assert (await made.act(verb)).outcome is Outcome.CONFIRMED
            await asyncio.sleep(0.15)
        assert len(made.asked("stop")) == len(made.asked("start")) == 1


async def contradicted(made: Fixture) -> None:
    result = await made.act(budget=1.0)
    assert (result.outcome, result.retryable) == (Outcome.FAILED, True)
    assert result.evidence is Evidence.ACCEPTED
    assert made.recording()


async def test_an_event_that_says_stopped_and_a_read_that_does_not_are_never_confirmed() -> None:
    async with fixture() as made:
        made.sim.faults.add("contradiction@stop")
        await contradicted(made)
    async with fixture(options=NO_NOTICES) as made:
        made.sim.faults.add("contradiction@stop")
        await contradicted(made)


async def test_a_read_that_says_stopped_and_an_event_that_does_not_are_never_confirmed() -> None:
    async with fixture(delay=60.0) as made:

        def tell(entry: object) -> None:
            if getattr(entry, "operation", "") == "stop":
                made.sim.centre.tell(made.call, "CallRecordingStateChange", "Recording")
                made.call.become("Stopped")

        made.sim.log.listen(tell)
        # Time enough for a busy machine to subscribe: without events, what is read is the proof.
        result = await made.recorder.act(order(budget=6.0))
        assert result.outcome is Outcome.FAILED
        assert result.detail.startswith("contradiction")
