# SPDX-License-Identifier: Apache-2.0
"""The Noojee recorder against the simulated server: outcomes, repetitions, the journal's part."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ami.calls.graph import CallGraph
from ami.calls.snapshots import Call, Channel
from bridges.model import Evidence, Order, Outcome, RecorderUnavailable, Verb
from bridges.noojee import NoojeeRecorder, NoojeeSettings
from bridges.simulators import certificates
from offrecord.base.secrets import Secret
from tests.kits.noojee_kit import CALL, KEY, Fixture, fixture, no_sleep
from tests.kits.patient_loop import loop_time

AGENT = Channel(
    "PJSIP/410-00000012", str(CALL), "1700.1", technology="PJSIP", endpoint="410", extension="410"
)


def order(verb: Verb = Verb.STOP, **more: Any) -> Order:
    call = Call("1700.1", frozenset({"1700.1"}), (AGENT,))
    return Order("press-1", verb, call, **{"presser": AGENT, "agent": "Fred", **more})


@asynccontextmanager
async def recorder(
    made: Fixture, *, live: Sequence[Channel] = (AGENT,), **options: Any
) -> AsyncIterator[NoojeeRecorder]:
    given = {"url": made.server.url, "api_key": Secret(KEY), "auth": "signed", "keep_warm": 0}
    options = given | options
    one = NoojeeRecorder(
        "noojee", NoojeeSettings(**options), live_on=lambda _: live, clock=loop_time, sleep=no_sleep
    )
    await one.open()
    try:
        yield one
    finally:
        await one.close()


async def test_a_stop_is_accepted_and_never_confirmed() -> None:
    async with fixture() as made, recorder(made) as one:
        made.sim.clock.advance(0)
        result = await one.act(order())
        assert (result.outcome, result.evidence) == (Outcome.ACCEPTED, Evidence.ACCEPTED)
        assert (result.recorder, result.kind, result.retryable) == ("noojee", "noojee", False)
        assert str(CALL) in result.detail
        entry = made.asked("stop")[0]
        assert (entry.query["extenOrUniqueId"], entry.query["agentLoginName"]) == (
            str(CALL),
            "Fred",
        )
        assert entry.facts["hash_ok"] is True
        assert made.call.recording is None


async def test_the_journal_gets_every_request_without_secrets() -> None:
    async with fixture() as made, recorder(made) as one:
        result = await one.act(order())
        assert [step.sent.split("?")[0].rsplit("/", 1)[-1] for step in result.steps] == [
            "Time",
            "stop",
        ]
        assert [step.evidence for step in result.steps] == [Evidence.SENT, Evidence.ACCEPTED]
        assert all(abs(step.at - time.time()) < 60 and step.took >= 0 for step in result.steps)
        text = repr(result)
        assert "hash=***" in text
        assert KEY not in text


async def test_a_swallowed_stop_looks_like_any_other_and_is_only_accepted() -> None:
    async with fixture() as made, recorder(made) as one:
        made.sim.faults.add("swallow@stop")
        result = await one.act(order())
        assert result.outcome is Outcome.ACCEPTED
        assert made.call.recording is not None


@pytest.mark.parametrize(
    ("verb", "request_made", "word"),
    [
        (Verb.STOP, "stop", "accepted"),
        (Verb.PAUSE, "stop", "no pause"),
        (Verb.RESUME, "start", "no resume"),
        (Verb.START, "start", "accepted"),
    ],
)
async def test_a_verb_noojee_lacks_is_stood_in_for_and_said(
    verb: Verb, request_made: str, word: str
) -> None:
    async with fixture() as made, recorder(made) as one:
        result = await one.act(order(verb, tag="22"))
        assert result.outcome is Outcome.ACCEPTED
        assert word in result.detail
        assert [e.operation for e in made.sim.log.entries] == ["Time", request_made]
        if request_made == "start":
            assert made.asked("start")[0].query["tag"] == "22"
            assert made.call.legs[-1].owner == "Fred"


@pytest.mark.parametrize(
    ("fault", "again", "retryable"),
    [
        ("status=503@stop", True, True),
        ("reset@stop", True, True),
        ("drop_after_effect@stop", True, True),
        ("half@stop", True, True),
        ("html_200@stop", False, True),
        ("junk@stop", False, True),
        ("redirect@stop", False, True),
        ("forbidden@stop", False, True),
        ("status=404@stop", False, True),
        ("expired@stop", False, True),
    ],
)
async def test_a_stop_by_id_that_fails_is_failed_and_may_be_tried_again(
    fault: str, again: bool, retryable: bool
) -> None:
    async with fixture() as made, recorder(made) as one:
        made.sim.faults.add(fault)
        result = await one.act(order())
        assert (result.outcome, result.retryable) == (Outcome.FAILED, retryable)
        tried = 2 if again or fault.startswith("expired") else 1
        assert len(made.asked("stop")) == tried


# the same stop once more


async def test_a_stop_given_again_for_the_same_press_stands_when_noojee_refuses_it() -> None:
    async with fixture() as made, recorder(made) as one:
        first, again = await one.act(order()), await one.act(order())
        assert first.outcome is Outcome.ACCEPTED
        assert len(made.asked("stop")) == 2, "a new leg may have begun, so it is asked again"
        assert (again.outcome, again.evidence) == (Outcome.ACCEPTED, Evidence.ACCEPTED)
        assert again.steps[-1].evidence is Evidence.SENT
        assert "accepted this stop before and now refused it" in again.detail
        assert "SIM: nothing is being recorded" in again.detail
        assert (await one.act(order())).outcome is Outcome.ACCEPTED


async def test_a_new_leg_under_the_same_press_is_stopped() -> None:
    async with fixture() as made, recorder(made) as one:
        await one.act(order())
        made.sim.pbx.transition(made.call, restart=True)
        assert made.call.recording is not None
        assert (await one.act(order())).outcome is Outcome.ACCEPTED
        assert made.call.recording is None


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"agent": "Mallory"}, id="another-user"),
        pytest.param({"presser": None, "channels": "1700.9"}, id="another-channel"),
    ],
)
async def test_a_refusal_of_another_stop_of_the_press_stays_failed(more: dict[str, Any]) -> None:
    async with fixture() as made, recorder(made) as one:
        await one.act(order())
        given = dict(more)
        if uniqueid := given.pop("channels", None):
            other = replace(AGENT, uniqueid=uniqueid, name="PJSIP/411-00000013", extension="411")
            given["call"] = Call("1700.1", frozenset({"1700.1"}), (other,))
        again = await one.act(replace(order(), **given))
        assert (again.outcome, again.retryable) == (Outcome.FAILED, True)


async def test_a_second_press_is_told_what_noojee_says_and_no_more() -> None:
    async with fixture() as made, recorder(made) as one:
        await one.act(order())
        second = await one.act(replace(order(), press_id="press-2"))
        assert second.outcome is Outcome.FAILED
        assert "SIM: nothing is being recorded" in second.detail


async def test_after_a_start_no_earlier_stop_stands() -> None:
    async with fixture() as made, recorder(made) as one:
        await one.act(order())
        await one.act(order(Verb.START))
        made.sim.faults.add("expired@stop")
        await one.act(order())
        made.sim.faults.clear()
        made.sim.pbx.stop(made.call)
        assert (await one.act(order())).outcome is Outcome.FAILED


@pytest.mark.parametrize("fault", ["html_200@stop", "status=503@stop", "forbidden@stop"])
async def test_any_other_answer_to_the_same_stop_is_failed(fault: str) -> None:
    async with fixture() as made, recorder(made) as one:
        await one.act(order())
        made.sim.faults.add(fault)
        assert (await one.act(order())).outcome is Outcome.FAILED


async def test_a13_a_stop_by_id_that_lost_its_answer_is_repeated_once_and_succeeds() -> None:
    async with fixture(nothing_to_stop="ok") as made, recorder(made) as one:
        made.sim.faults.add("drop_after_effect@stop*1")
        result = await one.act(order())
        assert result.outcome is Outcome.ACCEPTED
        assert [step.evidence for step in result.steps][-2:] == [Evidence.SENT, Evidence.ACCEPTED]


@pytest.mark.parametrize("fault", ["drop_after_effect@stop", "stall@stop", "status=503@stop"])
async def test_a13_a_stop_by_extension_that_perhaps_was_done_is_never_repeated(fault: str) -> None:
    async with fixture() as made, recorder(made, target="extension") as one:
        made.sim.faults.add(fault)
        result = await one.act(order(budget=0.3))
        assert (result.outcome, result.retryable) == (Outcome.FAILED, False)
        assert len(made.asked("stop")) == 1


async def test_a_stop_by_extension_that_was_not_done_may_be_tried_again_later() -> None:
    async with fixture() as made, recorder(made, target="extension") as one:
        await made.server.refuse()
        result = await one.act(order())
        assert (result.outcome, result.evidence) == (Outcome.FAILED, Evidence.NONE)
        assert result.retryable
        assert len(result.steps) == 1, "not in the same press: the call may be another by then"


@pytest.mark.parametrize("fault", ["drop_after_effect@start", "stall@start"])
async def test_a_start_that_perhaps_was_done_is_never_repeated(fault: str) -> None:
    async with fixture() as made, recorder(made) as one:
        made.sim.faults.add(fault)
        result = await one.act(order(Verb.START, budget=0.3))
        assert (result.outcome, result.retryable) == (Outcome.FAILED, False)
        assert len(made.asked("start")) == 1


async def test_a_stall_is_given_up_within_the_budget_after_one_repetition() -> None:
    async with fixture() as made, recorder(made, timeout=0.3) as one:
        made.sim.faults.add("stall@stop")
        began = time.monotonic()
        result = await one.act(order(budget=1.0))
        assert time.monotonic() - began < 1.5
        assert (result.outcome, result.retryable) == (Outcome.FAILED, True)
        assert [step.evidence for step in result.steps] == [Evidence.SENT] * 3
        assert "no answer to stop" in result.detail
        made.sim.faults.clear()
        assert (await one.act(order())).outcome is Outcome.ACCEPTED


async def test_a_pair_that_expired_during_a_stall_is_signed_anew_once() -> None:
    """The server answers Time, stalls for 11 s of its own time, and then works again."""
    async with fixture() as made, recorder(made, timeout=0.2) as one:
        made.sim.faults.add("stall@stop*1")
        made.sim.log.listen(made.later(11))
        result = await one.act(order(budget=2.0))
        assert result.outcome is Outcome.ACCEPTED
        stamps = [e.query["timeStamp"] for e in made.asked("stop")]
        assert len(stamps) == 3, "stalled, refused as expired, signed anew"
        assert stamps[0] == stamps[1] != stamps[2]
        assert made.asked("stop")[-1].facts["stamp_age"] <= 2


async def test_a_positive_code_is_no_yes() -> None:
    async with fixture(success_code=3) as made, recorder(made) as one:
        result = await one.act(order())
        assert result.outcome is Outcome.FAILED
        assert "Code 3" in result.detail


async def test_an_empty_200_is_accepted() -> None:
    async with fixture(success_body="empty") as made, recorder(made) as one:
        result = await one.act(order())
        assert (result.outcome, result.evidence) == (Outcome.ACCEPTED, Evidence.ACCEPTED)
        assert "empty" in result.detail


async def test_an_ambiguous_extension_sends_nothing_and_names_the_calls() -> None:
    other = Channel("PJSIP/410-00000013", "1701.1", "1701.1", extension="410")
    async with fixture() as made, recorder(made, live=(AGENT, other), target="extension") as one:
        result = await one.act(order())
        assert (result.outcome, result.evidence) == (Outcome.FAILED, Evidence.NONE)
        assert "ambiguous" in result.detail
        assert other.name in result.detail
        assert result.steps == ()
        assert made.sim.log.entries == []


async def test_the_agent_of_the_press_goes_before_the_configured_one() -> None:
    async with fixture() as made, recorder(made, agent_login="Fred") as one:
        await one.act(order(agent="Mallory"))
        await one.act(order(agent=None))
        assert [e.query["agentLoginName"] for e in made.asked("stop")] == ["Mallory", "Fred"]


async def test_a_press_that_names_nobody_is_tried_all_the_same_and_says_so() -> None:
    async with fixture(stop_profile="v1") as made, recorder(made) as one:
        result = await one.act(order(agent=None))
        assert result.outcome is Outcome.ACCEPTED
        assert "no Noojee user was known" in result.detail
        assert "agentLoginName" not in made.asked("stop")[0].query


async def test_a_press_that_names_nobody_sends_nothing_where_so_configured() -> None:
    async with fixture() as made, recorder(made, require_agent=True) as one:
        result = await one.act(order(agent=None))
        assert result.outcome is Outcome.FAILED
        assert "require_agent" in result.detail
        assert made.sim.log.entries == []
        assert (await one.act(order(Verb.START, agent=None))).outcome is Outcome.ACCEPTED


@pytest.mark.parametrize("auth", ["signed", "api_key"])
async def test_a_plan_shows_the_requests_and_sends_none(auth: str) -> None:
    async with fixture() as made, recorder(made, auth=auth) as one:
        plan = one.plan(order())
        assert str(CALL) in plan.target
        assert "agentLoginName=Fred" in plan.requests[-1]
        assert KEY not in repr(plan)
        assert len(plan.requests) == (2 if auth == "signed" else 1)
        assert one.plan(order(Verb.RESUME, tag="t")).requests[-1].count("tag=t") == 1
        assert made.sim.log.entries == []


async def test_a_plan_that_would_send_nothing_says_why() -> None:
    async with fixture() as made, recorder(made, live=(), target="extension") as one:
        plan = one.plan(order())
        assert plan.requests == ()
        assert plan.refusal == "no live call on extension 410"


async def test_a_probe_asks_the_time_and_nothing_else() -> None:
    async with fixture() as made, recorder(made) as one:
        assert made.server.url in await one.probe()
        assert [e.operation for e in made.sim.log.entries] == ["Time"]


async def test_a_probe_that_fails_names_cause_and_fix(tmp_path: Path) -> None:
    made_certs = certificates.issue(tmp_path)
    async with fixture(tls=made_certs.server_context()) as made, recorder(made) as one:
        with pytest.raises(RecorderUnavailable) as untrusted:
            await one.probe()
        assert untrusted.value.cause == "untrusted"
        assert "CA file" in untrusted.value.fix
    async with fixture() as made, recorder(made) as one:
        made.sim.faults.add("forbidden")
        with pytest.raises(RecorderUnavailable) as refused:
            await one.probe()
        assert refused.value.cause == "refused"
        await made.server.refuse()
        with pytest.raises(RecorderUnavailable) as unreachable:
            await one.probe()
        assert unreachable.value.cause == "unreachable"


async def test_fifty_presses_at_once_are_all_answered_and_signed_by_one_time() -> None:
    async with fixture(nothing_to_stop="ok", latency=0.002) as made, recorder(made) as one:
        results = await asyncio.gather(*(one.act(order()) for _ in range(50)))
        assert {result.outcome for result in results} == {Outcome.ACCEPTED}
        assert len(made.asked("Time")) == 1
        assert len(made.asked("stop")) == 50


async def test_a_cancelled_act_leaves_nothing_running() -> None:
    async with fixture() as made, recorder(made) as one:
        made.sim.faults.add("stall@stop")
        task = asyncio.create_task(one.act(order()))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert not [t for t in others if "act" in repr(t.get_coro())]


async def test_built_for_a_pbx_whose_calls_are_not_known_an_extension_is_not_sent() -> None:
    class Pbx:
        graph = CallGraph()

    settings = NoojeeSettings(url="http://127.0.0.1:9", api_key=Secret(KEY), target="extension")
    one = NoojeeRecorder.build("noojee", settings, Pbx())
    result = await one.act(order())
    assert (result.outcome, result.retryable) == (Outcome.FAILED, True)
    assert "not known" in result.detail
    await one.close()


async def test_a_connection_is_made_before_the_first_press_and_kept() -> None:
    waited: list[float] = []
    again = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        await again.wait()
        again.clear()

    async with fixture() as made:
        settings = NoojeeSettings(url=made.server.url, api_key=Secret(KEY), keep_warm=30.0)
        one = NoojeeRecorder(
            "noojee", settings, live_on=lambda _: None, clock=loop_time, sleep=sleep
        )
        await one.open()
        while not waited:
            await asyncio.sleep(0)
        again.set()
        while len(waited) < 2:
            await asyncio.sleep(0)
        assert [entry.operation for entry in made.sim.log.entries] == ["Time", "Time"]
        assert waited == [30.0, 30.0]
        await one.close()


async def test_a_server_that_is_away_is_said_once_and_its_return_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "bridges.shared.keep_warm")
    ticks = 0
    async with fixture() as made:

        async def sleep(_seconds: float) -> None:
            nonlocal ticks
            ticks += 1
            if ticks == 2:
                await made.server.accept()
            if ticks == 4:
                await asyncio.Event().wait()

        await made.server.refuse()
        settings = NoojeeSettings(url=made.server.url, api_key=Secret(KEY), timeout=1.0)
        one = NoojeeRecorder(
            "noojee", settings, live_on=lambda _: None, clock=loop_time, sleep=sleep
        )
        await one.open()
        while ticks < 4:
            await asyncio.sleep(0)
        await one.close()

    said = [record.getMessage().split(",")[0] for record in caplog.records]
    assert said == ["recorder away", "recorder back"]
