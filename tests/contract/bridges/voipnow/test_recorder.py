# SPDX-License-Identifier: Apache-2.0
"""The VoipNow recorder against the simulated server: outcomes, tokens, plan, probe, life."""

import asyncio
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from bridges.model import ORDERS, Evidence, Hooked, Outcome, RecorderUnavailable, Verb
from bridges.simulators import certificates
from bridges.simulators.harness import Entry
from bridges.simulators.server import SimServer
from bridges.simulators.voipnow.app import DEMO_SECRET, VoipNowSimulator
from bridges.voipnow import VoipNowRecorder
from offrecord.base.secrets import Secret
from tests.kits.patient_loop import loop_time
from tests.kits.voipnow_kit import HOOK_TOKEN, PHONE, fixture, order, settings

START = '{"action": "StartRecording", "phoneCallViewId": "{phoneCallViewId}"}'


async def test_a_stop_is_confirmed_once_the_view_is_read_unrecorded() -> None:
    async with fixture() as made:
        result = await made.act()
        assert (result.outcome, result.evidence) == (Outcome.CONFIRMED, Evidence.READ_BACK)
        assert (result.recorder, result.kind, result.retryable) == ("cloud", "voipnow", False)
        assert made.call.id in result.detail
        assert made.recorded == []
        one = f"@me/0003*210/{made.call.id}"
        assert made.paths == ["GET @me/0003*210", f"PUT {one}", *[f"GET {one}"] * 3]
        assert made.watch.slept == [0.2, 0.5], "the effect comes after 0.3 s"
        assert made.asked("stop")[0].body == (
            '{"action": "StopRecording", "phoneCallViewId": "01"}'
        )


async def test_the_journal_gets_every_request_with_what_it_proves_and_no_secret() -> None:
    async with fixture(hook_token=Secret(HOOK_TOKEN)) as made:
        result = await made.act()
        assert [step.evidence for step in result.steps] == [
            Evidence.SENT, Evidence.READ_BACK, Evidence.ACCEPTED, *[Evidence.READ_BACK] * 3,
        ]  # fmt: skip
        text = repr(result) + repr(made.recorder) + repr(made.sim.log.entries)
        for secret in (DEMO_SECRET, HOOK_TOKEN, *made.sim.apps.issued):
            assert secret not in text


@pytest.mark.parametrize(
    ("verb", "asked", "words"),
    [
        (Verb.STOP, "stop", "unrecorded"),
        (Verb.PAUSE, "stop", "no pause"),
        (Verb.START, "start", "recorded"),
        (Verb.RESUME, "start", "no resume"),
    ],
)
async def test_every_verb_is_carried_out_and_a_stand_in_is_said(
    verb: Verb, asked: str, words: str
) -> None:
    async with fixture(call={"recording": verb.silences}) as made:
        result = await made.act(verb)
        assert result.outcome is Outcome.CONFIRMED
        assert words in result.detail
        assert bool(made.recorded) is (not verb.silences)
        assert [entry.operation for entry in made.sim.log.entries if entry.method == "PUT"] == [
            asked
        ]


async def test_a_second_stop_finds_nothing_to_stop_and_sends_none() -> None:
    async with fixture() as made:
        await made.act()
        result = await made.act()
        assert (result.outcome, result.evidence) == (Outcome.NOTHING_TO_STOP, Evidence.READ_BACK)
        assert len(made.asked("stop")) == 1


async def test_a_start_of_what_is_recorded_sends_none() -> None:
    async with fixture() as made:
        assert (await made.act(Verb.START)).outcome is Outcome.CONFIRMED
        assert made.asked("start") == []


async def test_an_accepted_stop_that_is_swallowed_is_failed_and_says_where_to_look() -> None:
    async with fixture() as made:
        made.break_("swallow@stop")
        result = await made.act(budget=5.0)
        assert (result.outcome, result.evidence) == (Outcome.FAILED, Evidence.READ_BACK)
        assert result.retryable
        assert "still recorded" in result.detail
        assert "trigger" in result.detail
        assert made.watch.slept == [0.2, 0.5, 1.0, 2.0]


async def test_the_wait_for_the_effect_ends_with_the_budget() -> None:
    async with fixture() as made:
        made.break_("swallow@stop")
        began = made.watch.now
        assert (await made.act(budget=1.0)).outcome is Outcome.FAILED
        assert made.watch.now - began <= 1.0


async def test_the_wait_for_the_effect_ends_as_configured() -> None:
    async with fixture(read_back=0.5) as made:
        made.break_("swallow@stop")
        assert (await made.act(budget=5.0)).outcome is Outcome.FAILED
        assert made.watch.slept == [0.2, 0.5]


async def test_a_wait_that_the_server_asks_for_is_kept_or_not_begun() -> None:
    for seconds, requests in ((1, 2), (60, 1)):
        async with fixture(switches={"effect_delay": 0.0}) as made:
            made.break_(f"too_many={seconds}@stop*1")
            result = await made.act(budget=2.0)
            assert len(made.asked("stop")) == requests
            assert made.watch.slept == [1.0][: requests - 1]
            assert result.outcome is (Outcome.CONFIRMED if requests == 2 else Outcome.FAILED)


async def test_without_a_read_back_a_stop_is_accepted_and_no_more() -> None:
    async with fixture(read_back=0) as made:
        result = await made.act()
        assert (result.outcome, result.evidence) == (Outcome.ACCEPTED, Evidence.ACCEPTED)
        assert made.asked("look") == []


async def test_every_recorded_view_of_the_call_is_stopped_the_extensions_own_first() -> None:
    async with fixture() as made:
        made.call.views[0].recording = made.watch.now
        result = await made.act(budget=5.0)
        assert result.outcome is Outcome.CONFIRMED
        assert made.recorded == []
        assert ['"01"' in entry.body for entry in made.asked("stop")] == [True, False]


async def test_a_call_without_views_proves_nothing() -> None:
    async with fixture() as made:
        made.call.views.clear()
        result = await made.act()
        assert result.outcome is Outcome.FAILED
        assert "no view" in result.detail


async def test_a_stall_is_given_up_within_the_budget() -> None:
    async with fixture(real_time=True, timeout=0.2) as made:
        made.break_("stall")
        began = loop_time()
        result = await made.act(budget=0.5)
        assert loop_time() - began < 0.6
        assert (result.outcome, result.retryable) == (Outcome.FAILED, True)


# tokens


async def test_a_token_is_asked_for_once_by_fifty_presses_at_once() -> None:
    async with fixture(switches={"latency": 0.002}) as made:
        results = await asyncio.gather(*(made.act(budget=5.0) for _ in range(50)))
        assert {result.outcome for result in results} <= {
            Outcome.CONFIRMED, Outcome.NOTHING_TO_STOP,
        }  # fmt: skip
        assert len(made.asked("token")) == 1


async def test_a_refusal_of_the_app_is_shared_by_those_who_waited_for_it() -> None:
    async with fixture(client_secret=Secret("wrong-secret"), switches={"latency": 0.01}) as made:
        results = await asyncio.gather(*(made.act() for _ in range(10)))
        assert {result.outcome for result in results} == {Outcome.FAILED}
        assert len(made.asked("token")) == 1
        assert "wrong-secret" not in repr(results)


async def test_a_token_is_renewed_five_minutes_before_its_end() -> None:
    async with fixture() as made:
        await made.act()
        made.watch.now += 3600 - 300 - 10
        await made.act()
        assert len(made.asked("token")) == 1
        made.watch.now += 20
        await made.act()
        assert len(made.asked("token")) == 2


async def test_a_cancelled_token_request_leaves_the_next_press_free_to_ask() -> None:
    async with fixture(real_time=True) as made:
        made.break_("stall@token*1")
        task = asyncio.create_task(made.act(budget=30.0))
        while not made.asked("token"):
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await made.act(budget=3.0)).outcome is Outcome.CONFIRMED


async def test_a_cancelled_stop_leaves_nothing_running() -> None:
    async with fixture(real_time=True) as made:
        made.break_("stall@stop")
        before = asyncio.all_tasks()
        task = asyncio.create_task(made.act())
        while not made.asked("stop"):
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not [one for one in asyncio.all_tasks() - before if "act" in repr(one.get_coro())]


# life


async def test_a_press_after_opening_needs_no_token_request() -> None:
    stop = asyncio.Event()

    async def sleep(_seconds: float) -> None:
        stop.set()
        await asyncio.Event().wait()

    async with fixture(keep_warm=20.0, sleep=sleep, switches={"effect_delay": 0.0}) as made:
        await stop.wait()
        made.sim.log.entries.clear()
        assert (await made.act()).outcome is Outcome.CONFIRMED
        assert made.asked("token") == []


async def test_a_server_that_is_away_is_said_once_and_its_return_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "bridges.shared.keep_warm")
    ticks = 0
    server: SimServer | None = None
    ready = asyncio.Event()

    async def sleep(_seconds: float) -> None:
        nonlocal ticks
        await ready.wait()
        assert server is not None
        ticks += 1
        match ticks:
            case 1:
                await server.refuse()
            case 5:
                await server.accept()
            case 8:
                await asyncio.Event().wait()

    async with fixture(keep_warm=20.0, sleep=sleep) as made:
        server = made.server
        ready.set()
        while ticks < 8:
            await asyncio.sleep(0.001)
    said = [record.getMessage().split(",")[0] for record in caplog.records]
    assert said == ["recorder away", "recorder back"]


async def test_a_plan_shows_every_request_that_may_be_made_and_sends_none() -> None:
    async with fixture(user_id="12") as made:
        plan = made.recorder.plan(order(Verb.RESUME))
        paths = [line.partition("/uapi/phoneCalls/")[2] for line in plan.requests[1:]]
        assert "token.php" in plan.requests[0]
        assert [path.partition("?")[0] for path in paths] == [
            "@me/0003*210", "@me/210", "@owner/0003*210", "@owner/210", "12/0003*210", "12/210",
            "@me/@self",
            f"@me/0003*210/{{phoneCallId}} {START}",
            "@me/0003*210/{phoneCallId}",
        ]  # fmt: skip
        assert DEMO_SECRET not in repr(plan)
        assert made.sim.log.entries == []


async def test_a_plan_without_an_extension_says_why_nothing_is_sent() -> None:
    async with fixture() as made:
        nobody = order(Verb.STOP, PHONE.__class__("PJSIP/trunk-00000001", "1.1", "1.1"))
        plan = made.recorder.plan(nobody)
        assert plan.requests == ()
        assert plan.refusal is not None
        result = await made.recorder.act(nobody)
        assert (result.outcome, result.evidence) == (Outcome.FAILED, Evidence.NONE)
        assert made.sim.log.entries == []


async def test_a_probe_lists_one_call_at_most() -> None:
    async with fixture() as made:
        assert made.server.url in await made.recorder.probe()
        assert [entry.operation for entry in made.sim.log.entries] == ["token", "list"]
        assert made.asked("list")[0].query["count"] == "1"


@pytest.mark.parametrize(
    ("fault", "cause", "fix"),
    [
        ("oauth_error=401@token", "refused", "client_secret"),
        ("access_denied@list", "refused", "trusted"),
        ("status=404", "refused", "URL"),
        ("status=503", "unreachable", "URL"),
    ],
)
async def test_a_probe_that_fails_names_cause_and_fix(fault: str, cause: str, fix: str) -> None:
    async with fixture() as made:
        made.break_(fault)
        with pytest.raises(RecorderUnavailable) as problem:
            await made.recorder.probe()
        assert problem.value.cause == cause
        assert fix in problem.value.fix


async def test_a_probe_tells_an_untrusted_certificate_and_a_closed_port(tmp_path: Path) -> None:
    tls = certificates.issue(tmp_path).server_context()
    async with SimServer(VoipNowSimulator(), tls=tls) as server:
        one = VoipNowRecorder(
            "cloud", settings(server.url), live_on=lambda _: None, clock=loop_time
        )
        with pytest.raises(RecorderUnavailable) as untrusted:
            await one.probe()
        assert (untrusted.value.cause, "ca_file" in untrusted.value.fix) == ("untrusted", True)
        await server.refuse()
        with pytest.raises(RecorderUnavailable) as closed:
            await one.probe()
        assert closed.value.cause == "unreachable"
        await one.close()


async def test_it_has_a_hook_where_a_token_for_it_is_configured() -> None:
    async with fixture() as made:
        assert made.recorder.hook is None
    async with fixture(hook_token=Secret(HOOK_TOKEN)) as made:
        assert isinstance(made.recorder, Hooked)
        assert made.recorder.hook is not None


async def test_a_redirect_is_never_followed_and_the_token_goes_nowhere_else() -> None:
    async with fixture() as made:
        hosts: set[str] = set()
        made.sim.log.listen(lambda entry: hosts.add(entry.path))
        made.break_("redirect@stop")
        assert (await made.act()).outcome is Outcome.FAILED
        assert "/elsewhere" not in hosts


async def test_a_server_that_repeats_what_it_was_sent_makes_no_secret_known() -> None:
    token = "echoed-token-0123456789"

    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        said = request.headers.get("authorization", "")
        told: object = {"access_token": token, "expires_in": 3600}
        if request.url.path != "/oauth/token.php":
            view = {"id": "01", "extension": said, "recording": said}
            told = {"entry": [{"id": "a1", "phoneCallView": [view]}, {"id": "a2"}], "said": said}
        await JSONResponse(told)(scope, receive, send)

    async with SimServer(echo) as server:
        one = VoipNowRecorder(
            "cloud", settings(server.url), live_on=lambda _: None, clock=loop_time
        )
        result = await one.act(order())
        await one.close()
    assert result.detail.startswith("ambiguous: ")
    assert "***" in result.detail
    assert token not in repr(result)


async def test_nothing_is_ever_deleted_and_no_id_is_ever_empty() -> None:
    async with fixture() as made:
        seen: list[Entry] = []
        made.sim.log.listen(seen.append)
        for verb in ORDERS:
            await made.act(verb)
        assert {entry.method for entry in seen} == {"GET", "PUT", "POST"}
        assert not [entry for entry in seen if entry.path.endswith("/") or "//" in entry.path]
        assert all(entry.path.count("/") == 5 for entry in seen if entry.method == "PUT")
