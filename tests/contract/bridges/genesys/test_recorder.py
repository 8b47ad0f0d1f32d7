# SPDX-License-Identifier: Apache-2.0
"""The Genesys recorder against the simulated server: calls, accounts, sessions, the journal."""

import asyncio
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ami.calls.graph import CallGraph
from bridges.genesys import GenesysRecorder, GenesysSettings
from bridges.model import ORDERS, Evidence, Outcome, Verb
from bridges.simulators import certificates
from offrecord.base.secrets import Secret
from tests.kits.genesys_kit import (
    OTHER_UUID,
    PASSWORD,
    UUID,
    Fixture,
    fixture,
    order,
)
from tests.kits.patient_loop import loop_time
from tests.kits.waiting import eventually

NO_NOTICES = {"notifications": False}


@pytest.mark.parametrize("notices", [True, False])
@pytest.mark.parametrize(
    ("verb", "before", "after"),
    [
        (Verb.STOP, "Recording", "Stopped"),
        (Verb.STOP, "Paused", "Stopped"),
        (Verb.PAUSE, "Recording", "Paused"),
        (Verb.RESUME, "Paused", "Recording"),
        (Verb.START, "Stopped", "Recording"),
    ],
)
async def test_each_verb_is_confirmed_by_reading_the_call(
    verb: Verb, before: str, after: str, *, notices: bool
) -> None:
    async with fixture(options={"notifications": notices}) as made:
        made.call.recording = before
        result = await made.act(verb)
        assert (result.outcome, result.evidence) == (Outcome.CONFIRMED, Evidence.READ_BACK)
        assert (result.recorder, result.kind) == ("genesys", "genesys")
        assert made.call.recorded == [after]
        assert made.commands() == 1
        assert UUID in result.detail
        assert [step.evidence for step in result.steps][-2:] == [
            Evidence.ACCEPTED, Evidence.READ_BACK,
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("verb", "state"),
    [
        (Verb.STOP, "Stopped"),
        (Verb.PAUSE, "Stopped"),
        (Verb.PAUSE, "Paused"),
        (Verb.RESUME, "Recording"),
        (Verb.RESUME, "Stopped"),
        (Verb.START, "Recording"),
    ],
)
async def test_what_is_as_asked_already_is_read_and_nothing_is_sent(verb: Verb, state: str) -> None:
    async with fixture() as made:
        made.call.recording = state
        result = await made.act(verb)
        assert (result.outcome, result.evidence) == (Outcome.NOTHING_TO_STOP, Evidence.READ_BACK)
        assert made.commands() == 0


async def test_a_paused_recording_is_not_started() -> None:
    async with fixture() as made:
        made.call.recording = "Paused"
        result = await made.act(Verb.START)
        assert (result.outcome, made.commands()) == (Outcome.FAILED, 0)
        assert "resume" in result.detail


@pytest.mark.parametrize("verb", list(ORDERS))
async def test_a_call_that_is_not_recordable_is_failed_and_apart_from_stopped(verb: Verb) -> None:
    async with fixture() as made:
        made.call.recording = ""
        result = await made.act(verb)
        assert (result.outcome, result.retryable) == (Outcome.FAILED, False)
        assert result.detail.startswith("not recordable")
        assert made.commands() == 0


async def test_a_call_that_has_lost_its_state_after_the_stop_is_not_confirmed() -> None:
    async with fixture(options=NO_NOTICES) as made:
        await made.act(Verb.PAUSE)
        made.sim.log.listen(
            lambda entry: (
                made.sim.faults.add("no_state@call") if entry.operation == "stop" else None
            )
        )
        result = await made.act(budget=1.0)
        assert result.outcome is Outcome.FAILED
        assert "reads absent" in result.detail


# whose account


@pytest.mark.parametrize(
    ("agents", "press", "user"),
    [
        ({"fred": "f", "15000": "p", "15001": "t"}, "fred", "f"),
        ({"15000": "p", "15001": "t"}, "fred", "p"),
        ({"15001": "t"}, None, "t"),
    ],
)
async def test_the_account_is_that_of_agent_then_phone_then_far_number(
    agents: dict[str, str], press: str | None, user: str
) -> None:
    accounts = {
        key: {"username": name, "password": Secret(PASSWORD)} for key, name in agents.items()
    }
    async with fixture(options={"accounts": accounts}) as made:
        for name in agents.values():
            made.sim.centre.add_agent(name, PASSWORD, "15000")
        made.call.agent = made.sim.centre.agents[user]
        assert (await made.act(agent=press)).outcome is Outcome.CONFIRMED
        assert {entry.facts["user"] for entry in made.sim.log.entries} == {user}


async def test_without_an_account_nobody_is_asked() -> None:
    async with fixture(
        options={"accounts": {"wilma": {"username": "w", "password": Secret("abcdef")}}}
    ) as made:
        result = await made.act()
        assert (result.outcome, result.evidence, result.steps) == (
            Outcome.FAILED, Evidence.NONE, (),
        )  # fmt: skip
        assert "no Genesys account is configured for fred or 15000 or 15001" in result.detail
        assert made.sim.log.entries == []
        assert made.recorder.plan(order()).refusal == result.detail


async def test_agents_share_neither_cookies_nor_connections() -> None:
    async with fixture() as made:
        theirs = made.sim.centre.add_call(
            made.sim.centre.agents["barney"], "15009", uuid=OTHER_UUID
        )
        await asyncio.gather(made.act(), made.act(agent="barney", uuids=(OTHER_UUID,)))
        assert (made.call.recording, theirs.recording) == ("Stopped", "Stopped")
        assert len(made.sim.front.sessions) == 2
        wrong = await made.act(Verb.START, agent="barney")
        assert wrong.outcome is Outcome.FAILED
        assert "another agent" in wrong.detail


# which call


async def test_of_several_uuids_the_one_the_account_can_read_is_meant() -> None:
    async with fixture() as made:
        theirs = made.sim.centre.add_call(
            made.sim.centre.agents["barney"], "15001", uuid=OTHER_UUID
        )
        assert (await made.act(uuids=(OTHER_UUID, UUID))).outcome is Outcome.CONFIRMED
        assert theirs.recording == "Recording"


async def test_several_readable_uuids_are_ambiguous_and_named() -> None:
    async with fixture() as made:
        made.sim.centre.add_call(made.fred, "15009", uuid=OTHER_UUID, kind="Consult")
        result = await made.act(uuids=(UUID, OTHER_UUID))
        assert (result.outcome, made.commands()) == (Outcome.FAILED, 0)
        assert result.detail.startswith("ambiguous: ")
        assert UUID in result.detail
        assert OTHER_UUID in result.detail


async def test_without_a_uuid_the_remote_party_tells_the_call_and_a_consult_is_another() -> None:
    async with fixture() as made:
        other = made.sim.centre.add_call(made.fred, "15009", uuid=OTHER_UUID, kind="Consult")
        made.sim.centre.change(made.call, "Held")
        result = await made.act(uuids=())
        assert result.outcome is Outcome.CONFIRMED, result.detail
        assert "remote party" in result.detail
        assert (made.call.recording, other.recording) == ("Stopped", "Recording")


async def test_calls_that_nothing_tells_apart_are_ambiguous_and_named() -> None:
    async with fixture() as made:
        made.sim.centre.add_call(made.fred, "15001", uuid=OTHER_UUID)
        result = await made.act(uuids=())
        assert (result.outcome, made.commands()) == (Outcome.FAILED, 0)
        assert result.detail.startswith("ambiguous: ")
        for named in (UUID, OTHER_UUID, "Established", "15001"):
            assert named in result.detail


async def test_of_two_with_one_party_the_one_that_talks_goes_before_the_one_on_hold() -> None:
    async with fixture() as made:
        held = made.sim.centre.add_call(made.fred, "15001", uuid=OTHER_UUID, state="Held")
        assert (await made.act(uuids=())).outcome is Outcome.CONFIRMED
        assert (made.call.recording, held.recording) == ("Stopped", "Recording")


async def test_no_call_or_no_device_there_is_failed_while_the_call_is_live_here() -> None:
    async with fixture() as made:
        made.sim.centre.hang_up(made.call)
        result = await made.act(uuids=())
        assert result.outcome is Outcome.FAILED
        assert "no live call on device 15000" in result.detail
        made.ours = False
        assert (await made.act(uuids=())).outcome is Outcome.CALL_ENDED
        made.fred.extension = "15500"
        result = await made.act(uuids=())
        assert "no device 15000 at Genesys (has 15500)" in result.detail


async def test_the_far_number_finds_the_device_of_an_agent_over_there() -> None:
    async with fixture(options={"whose": "far"}) as made:
        made.fred.extension = "15001"
        made.call.parties[:] = ["15000"]
        result = await made.act(uuids=())
        assert result.outcome is Outcome.CONFIRMED, result.detail


# the journal, and what must not be in it


async def test_no_secret_and_no_personal_data_reach_journal_log_or_plan(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with fixture() as made:
        made.call.parties.append("4111111111111111")
        results = [await made.act(verb) for verb in (Verb.PAUSE, Verb.RESUME)]
        made.sim.faults.add("expire_session@stop*1")
        results.append(await made.act(uuids=()))
        plan = made.recorder.plan(order())
        seen = "\n".join([repr(results), repr(plan), repr(made.recorder), caplog.text])
        seen += repr(made.sim.log.entries)
        for secret in made.secrets:
            assert secret not in seen
        assert "4111111111111111" not in repr(results)
        assert "userData" not in repr(results)
        assert len(made.sim.given) > 4


async def test_a_server_that_repeats_our_secrets_is_masked() -> None:
    async with fixture() as made:
        await made.act()
        await last_connect(made)
        session = made.recorder._sessions._sessions["fred"]
        assert len(made.secrets) == 6, "password, Basic, cookies of two kinds, token, client id"
        for secret in made.secrets:
            assert session.mask(f"you said {secret}!") == "you said ***!"


async def test_a_plan_shows_every_request_and_sends_none() -> None:
    async with fixture() as made:
        plan = made.recorder.plan(order(Verb.PAUSE))
        base = f"{made.server.url}/api/v2/me"
        assert plan.requests == (
            f"GET {base}",
            f"GET {base}/calls/{UUID}",
            f'POST {base}/calls/{UUID} {{"operationName": "PauseCallRecording"}}',
            f"GET {base}/calls/{UUID}",
        )
        assert "fred" in plan.target
        plan = made.recorder.plan(order(uuids=()))
        assert plan.requests[1] == f"GET {base}?subresources=devices,calls"
        assert plan.requests[2].startswith(f"POST {base}/calls/{{id}} ")
        assert made.recorder.plan(order(uuids=("x",))).refusal
        assert made.sim.log.entries == []


async def test_a_probe_logs_in_and_says_what_the_agent_lacks() -> None:
    async with fixture() as made:
        said = await made.recorder.probe()
        assert "took account fred of 2" in said
        assert "no feature" not in said
        made.fred.recording = False
        assert "no feature api-voice-recording" in await made.recorder.probe()
        assert [e.operation for e in made.sim.log.entries] == ["me", "me"]


async def test_the_recorder_asks_for_its_channel_variable() -> None:
    async with fixture(options={"uuid_variable": "MY_UUID"}) as made:
        assert made.recorder.capabilities.variables == ("MY_UUID",)
        assert made.recorder.capabilities.best_evidence is Evidence.READ_BACK
        result = await made.recorder.act(replace(order(), facts={"MY_UUID": (UUID,)}))
        assert "its UUID came with the call" in result.detail


# time and sessions


async def test_all_of_it_stays_inside_the_budget() -> None:
    for fault in ("stall", "stall@call", "stall@stop", "slow_answer=30@stop", "code=4@call"):
        async with fixture() as made:
            made.sim.faults.add(fault)
            began = loop_time()
            result = await made.act(budget=0.6)
            assert loop_time() - began < 0.7, fault
            if fault != "slow_answer=30@stop":
                assert result.outcome is Outcome.FAILED


async def test_a_cancelled_act_leaves_nothing_running() -> None:
    async with fixture() as made:
        await made.act(Verb.PAUSE)
        before = asyncio.all_tasks()
        made.sim.faults.add("stall@stop")
        task = asyncio.create_task(made.act())
        while not made.asked("stop"):
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        ours = [t for t in asyncio.all_tasks() - before if "errand" in repr(t.get_stack())]
        assert not ours
        made.sim.faults.clear()
        assert (await made.act()).outcome is Outcome.CONFIRMED


async def test_closing_ends_every_task_and_never_the_agents_session() -> None:
    async with fixture() as made:
        await made.act()
        await made.recorder.close()
        names = {task.get_name() for task in asyncio.all_tasks()}
        assert not names & {"genesys-notifications", "genesys-warm"}
        assert made.asked("disconnect")
        assert not [e for e in made.sim.log.entries if "ContactCenterSession" in e.body]


async def test_logins_are_kept_warm_dropped_when_unused_and_bounded() -> None:
    ticks = asyncio.Semaphore(0)
    now = [0.0]

    async def sleep(seconds: float) -> None:
        if seconds == 20.0:
            await ticks.acquire()
        else:
            await asyncio.sleep(seconds)

    async with fixture(
        options={**NO_NOTICES, "keep_warm": 20.0, "warm_for": 60.0}, sleep=sleep
    ) as made:
        sessions = made.recorder._sessions
        sessions._clock = lambda: now[0]
        await made.act()
        before = len(made.asked("me"))
        ticks.release()
        await eventually(lambda: len(made.asked("me")) > before)
        assert len(sessions) == 1
        now[0] = 61.0
        ticks.release()
        await eventually(lambda: not sessions)

    async with fixture(options={**NO_NOTICES, "max_sessions": 1}) as made:
        await made.act()
        await made.act(agent="barney")
        await asyncio.sleep(0)
        assert len(made.recorder._sessions) == 1


async def test_a_login_that_is_refused_when_kept_warm_is_dropped_and_not_tried_again() -> None:
    async with fixture(options=NO_NOTICES) as made:
        await made.act()
        made.fred.password = "another"
        await made.recorder._sessions.warm_once()
        refused = len(made.sim.log.entries)
        await made.recorder._sessions.warm_once()
        assert len(made.sim.log.entries) == refused


async def test_over_tls_with_an_authority_of_its_own(tmp_path: Path) -> None:
    made_certs = certificates.issue(tmp_path)
    options = {"ca_file": made_certs.ca_file}
    async with fixture(tls=made_certs.server_context(), options=options) as made:
        assert (await made.act()).outcome is Outcome.CONFIRMED


async def test_fifty_presses_of_one_agent_share_one_login() -> None:
    async with fixture(options=NO_NOTICES) as made:
        results = await asyncio.gather(*(made.act(budget=10.0) for _ in range(50)))
        assert {r.outcome for r in results} <= {Outcome.CONFIRMED, Outcome.NOTHING_TO_STOP}
        assert len(made.sim.front.sessions) == 1


async def test_built_for_a_pbx_it_knows_whether_the_call_is_live_here() -> None:
    class Pbx:
        graph = CallGraph()

    async with fixture() as made:
        settings = GenesysSettings(
            url=made.server.url, notifications=False, keep_warm=0,
            accounts={"fred": {"username": "fred", "password": Secret(PASSWORD)}},  # type: ignore[dict-item]
        )  # fmt: skip
        one = GenesysRecorder.build("genesys", settings, Pbx())
        made.sim.centre.hang_up(made.call)
        assert (await one.act(order())).outcome is Outcome.FAILED
        Pbx.graph.reconcile([])
        assert (await one.act(order())).outcome is Outcome.CALL_ENDED
        await one.close()


# notifications


async def last_connect(made: Fixture) -> None:
    await eventually(lambda: any(c.expires is None for c in made.sim.bayeux.clients.values()))


async def test_a_subscription_that_the_server_forgot_is_made_anew_and_the_call_is_read() -> None:
    async with fixture() as made:
        await made.act(Verb.PAUSE)
        await last_connect(made)
        made.sim.bayeux.forget()
        await eventually(lambda: len(made.asked("subscribe")) >= 2)
        result = await made.act()
        assert result.outcome is Outcome.CONFIRMED
        assert "last event said Stopped" in result.detail


async def test_cookies_that_do_not_come_back_end_the_notifications_and_are_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with fixture() as made:
        made.sim.bayeux._handshake = _without_cookie(made.sim.bayeux._handshake)  # type: ignore[method-assign]
        assert (await made.act()).outcome is Outcome.CONFIRMED
        await eventually(lambda: "cookies" in caplog.text)
        assert len(made.asked("handshake")) == 2


def _without_cookie(handshake: Any) -> Any:
    def lost(asked: Any, reply: Any) -> None:
        handshake(asked, reply)

    return lost


async def test_a_recording_that_starts_again_is_heard_by_whoever_listens() -> None:
    async with fixture() as made:
        heard: list[Any] = []
        await made.act()
        session = made.recorder._sessions._sessions["fred"]
        remove_listener = session.notifications.add_listener(heard.append)
        await last_connect(made)
        made.sim.centre.record(made.call, "Recording")
        await eventually(lambda: heard)
        assert heard[0].call.recording == "Recording"
        remove_listener()
