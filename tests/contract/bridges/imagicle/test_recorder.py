# SPDX-License-Identifier: Apache-2.0
"""The Imagicle recorder against the simulated suite: which recording, containment, secrets."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from ami.calls.graph import CallGraph
from bridges.imagicle import ImagicleRecorder, ImagicleSettings
from bridges.model import Evidence, Outcome, RecorderUnavailable, Verb
from bridges.simulators import certificates
from bridges.simulators.harness import Entry
from bridges.simulators.imagicle.app import DEMO_PASSWORD, DEMO_USER
from bridges.simulators.imagicle.state import Level, Method
from offrecord.base.secrets import Secret
from tests.kits.imagicle_kit import GUID, OTHER_GUID, REMOTE, fixture, order_of, phone
from tests.kits.patient_loop import loop_time


async def test_a_stop_is_by_id_and_confirmed_by_the_list() -> None:
    async with fixture() as made:
        result = await made.act()
        assert (result.outcome, result.evidence) == (Outcome.CONFIRMED, Evidence.READ_BACK)
        assert (result.recorder, result.kind, result.retryable) == ("imagicle", "imagicle", False)
        assert GUID in result.detail
        assert "remote party" in result.detail
        assert made.asked() == ["list", "stop", "list"]
        assert made.commands()[0].path.endswith(f"/LiveRecordings/{GUID}")
        assert made.commands()[0].query == {}
        assert made.commands()[0].body == ""
        assert made.sim.log.entries[0].query == {"directoryNumber": "410"}
        levels = [step.evidence for step in result.steps]
        assert levels == [Evidence.READ_BACK, Evidence.ACCEPTED, Evidence.READ_BACK]


@pytest.mark.parametrize("profile", ["2022", "2025"])
async def test_both_generations_are_stopped_by_id_and_by_line(profile: str) -> None:
    async with fixture(profile=profile) as made:
        assert await made.outcome() is Outcome.CONFIRMED
    async with fixture(profile=profile) as made:
        made.fault("forbidden@list")
        assert await made.outcome() is Outcome.ACCEPTED
        assert not made.sim.state.live


async def test_nothing_is_live_when_the_list_says_so() -> None:
    async with fixture(recorded=False) as made:
        result = await made.act()
        assert (result.outcome, result.evidence) == (Outcome.NOTHING_TO_STOP, Evidence.READ_BACK)
        assert made.commands() == []


@pytest.mark.parametrize("verb", [Verb.PAUSE, Verb.RESUME])
async def test_nothing_live_leaves_nothing_to_pause_or_resume(verb: Verb) -> None:
    async with fixture(recorded=False) as made:
        assert await made.outcome(verb) is Outcome.NOTHING_TO_STOP
        assert made.commands() == []


async def test_a_recording_that_ended_before_the_stop_leaves_nothing_to_stop() -> None:
    async with fixture() as made:

        def ends(entry: Entry) -> None:
            made.live.stopped = made.clock.now

        made.sim.log.listen(ends)
        result = await made.act()
        assert (result.outcome, result.evidence) == (Outcome.NOTHING_TO_STOP, Evidence.READ_BACK)
        assert made.commands()[0].status == 409


# which recording


async def test_of_two_recordings_of_a_line_the_one_with_our_remote_party_is_stopped() -> None:
    async with fixture() as made:
        other = made.sim.state.record("410", "0612345678", id=OTHER_GUID)
        assert await made.outcome() is Outcome.CONFIRMED
        assert made.sim.state.live == [other]


async def test_of_two_with_our_remote_party_the_one_that_began_with_our_call_is_stopped() -> None:
    async with fixture() as made:
        before = made.clock.now - 3000
        other = made.sim.state.record("410", REMOTE, id=OTHER_GUID, started=before)
        result = await made.act()
        assert result.outcome is Outcome.CONFIRMED
        assert "began within" in result.detail
        assert made.sim.state.live == [other]


async def test_two_that_both_fit_are_ambiguous_and_named_and_left_alone() -> None:
    async with fixture() as made:
        made.sim.state.record("410", REMOTE, id=OTHER_GUID)
        for verb in (Verb.STOP, Verb.PAUSE, Verb.START):
            result = await made.act(verb)
            assert result.outcome is Outcome.FAILED
            assert result.detail.startswith("ambiguous: ")
            assert GUID in result.detail
            assert OTHER_GUID in result.detail
        assert made.commands() == []


@pytest.mark.parametrize(
    ("live", "remote", "outcome"),
    [
        ("own", "", Outcome.CONFIRMED),
        ("own", "0612345678", Outcome.FAILED),
        ([phone(count=9, began=1_700_000_000)], "", Outcome.FAILED),
    ],
    ids=["nobody is told", "someone else is told", "the line has another call"],
)
async def test_what_agrees_in_nothing_is_believed_only_while_nothing_contradicts_it(
    live: Any, remote: str, outcome: Outcome
) -> None:
    async with fixture(live=live) as made:
        made.live.remote, made.live.started = remote, made.clock.now - 3000
        result = await made.act()
        assert result.outcome is outcome
        assert bool(made.sim.state.live) is (outcome is Outcome.FAILED)
        assert result.detail.startswith("ambiguous: ") is (outcome is Outcome.FAILED)


async def test_a_line_that_another_call_uses_is_never_named_instead_of_a_recording() -> None:
    other = phone(count=9, began=1_700_000_000)
    for live in ([other], None):
        async with fixture(live=live) as made:
            made.fault("forbidden@list")
            result = await made.act()
            assert result.outcome is Outcome.FAILED
            assert result.detail.startswith("ambiguous: ")
            assert made.commands() == []


async def test_an_empty_list_is_no_proof_when_the_call_is_there_under_another_number() -> None:
    async with fixture(settings={"mask": "9XXX"}) as made:
        result = await made.act()
        assert result.outcome is Outcome.FAILED
        assert GUID in result.detail
        assert "mask" in result.detail
        queries = [dict(one.query) for one in made.sim.log.entries]
        assert queries == [{"directoryNumber": "9410"}, {}]


async def test_a_number_is_written_as_it_is_known_there() -> None:
    async with fixture(settings={"mask": "9XXX"}, recorded=False) as made:
        made.sim.state.record("9410", REMOTE)
        assert await made.outcome() is Outcome.CONFIRMED
        assert made.sim.log.entries[0].query == {"directoryNumber": "9410"}


async def test_the_line_beyond_the_trunk_is_meant_where_so_configured() -> None:
    from ami.calls.snapshots import Channel

    async with fixture(settings={"whose": "far"}) as made:
        made.sim.state.recordings.clear()
        one = made.sim.state.record("225", "410")
        trunk = Channel(
            "PJSIP/cucm-00000002", "1700000000.2", made.agent.linkedid, technology="PJSIP",
            endpoint="cucm", caller_number="225",
        )  # fmt: skip
        result = await made.recorder.act(order_of(Verb.STOP, made.agent, trunk))
        assert result.outcome is Outcome.CONFIRMED, result.detail
        assert one.stopped is not None
        assert made.sim.log.entries[0].query == {"directoryNumber": "225"}


async def test_a_call_without_a_line_sends_nothing() -> None:
    from dataclasses import replace

    async with fixture() as made:
        nobody = replace(made.agent, extension=None)
        result = await made.recorder.act(order_of(Verb.STOP, nobody))
        assert (result.outcome, result.evidence) == (Outcome.FAILED, Evidence.NONE)
        assert made.recorder.plan(order_of(Verb.STOP, nobody)).refusal == result.detail
        assert made.sim.log.entries == []


@pytest.mark.parametrize("form", ["zulu", "offset", "naive"])
async def test_times_agree_in_every_way_they_are_written(form: str) -> None:
    async with fixture(
        started_at=form, utc_offset=1.0, settings={"time_zone": "Etc/GMT-1"}
    ) as made:
        made.live.remote = ""
        made.sim.state.record("410", "", id=OTHER_GUID, started=made.clock.now - 900)
        result = await made.act()
        assert result.outcome is Outcome.CONFIRMED, result.detail
        assert "began within" in result.detail
        assert made.live.stopped is not None


async def test_the_duration_stands_in_for_a_time_of_a_zone_that_is_wrong() -> None:
    async with fixture(started_at="naive", utc_offset=-7.0) as made:
        made.live.remote = ""
        made.sim.state.record("410", "", id=OTHER_GUID, started=made.clock.now - 900)
        assert await made.outcome() is Outcome.CONFIRMED
        assert made.live.stopped is not None


# what cannot be stopped


@pytest.mark.parametrize(
    ("line", "reason"),
    [({"automatic": True}, "automatically"), ({"monitorable": False}, "TAPI"),
     ({"method": Method.SIPREC}, "automatically"),
     ({"method": Method.NETWORK, "monitorable": False}, "TAPI")],
)  # fmt: skip
@pytest.mark.parametrize("listed", [True, False])
async def test_what_cannot_be_stopped_is_paused_where_the_site_wants_it(
    line: dict[str, object], reason: str, *, listed: bool
) -> None:
    for pause in (True, False):
        async with fixture(settings={"pause_when_unstoppable": pause}) as made:
            for name, value in line.items():
                setattr(made.live.line, name, value)
            if not listed:
                made.fault("forbidden@list")
            result = await made.act()
            assert result.outcome is (Outcome.CONTAINED if pause else Outcome.FAILED)
            assert reason in result.detail
            assert not result.retryable
            assert made.live.stopped is None
            assert made.live.paused is pause
            if pause:
                proof = Evidence.READ_BACK if listed else Evidence.ACCEPTED
                assert result.evidence is proof
                assert "paused, NOT stopped" in result.detail
            else:
                assert not [one for one in made.commands() if one.operation == "pause"]


async def test_a_pause_that_is_not_seen_contains_nothing() -> None:
    async with fixture(settings={"pause_when_unstoppable": True}) as made:
        made.live.line.automatic = True
        made.fault("swallow@pause")
        result = await made.act()
        assert result.outcome is Outcome.FAILED
        assert "contradiction" in result.detail


async def test_a_refused_pause_says_both() -> None:
    async with fixture(settings={"pause_when_unstoppable": True}, pause_refuses=True) as made:
        made.live.line.automatic = True
        result = await made.act()
        assert result.outcome is Outcome.FAILED
        assert "neither stopped nor paused" in result.detail


async def test_dial_in_is_stopped_by_id() -> None:
    async with fixture() as made:
        made.live.line.method = Method.DIAL_IN
        made.live.line.monitorable = False
        assert await made.outcome() is Outcome.CONFIRMED


# start


async def test_a_start_of_what_runs_is_confirmed_and_of_what_is_paused_resumed() -> None:
    async with fixture() as made:
        assert await made.outcome(Verb.START) is Outcome.CONFIRMED
        assert made.commands() == []
        made.live.paused = True
        assert await made.outcome(Verb.START) is Outcome.CONFIRMED
        assert not made.live.paused
        assert [one.operation for one in made.commands()] == ["resume"]


@pytest.mark.parametrize(("mode", "number"), [("media_forking", 0), ("dial_in", 1)])
async def test_a_start_names_the_number_alone_and_the_mode(mode: str, number: int) -> None:
    async with fixture(recorded=False, settings={"start_mode": mode}) as made:
        assert await made.outcome(Verb.START) is Outcome.CONFIRMED
        assert made.commands()[0].body == f'{{"directoryNumber": "410", "mode": {number}}}'


async def test_a_start_without_a_list_is_accepted() -> None:
    async with fixture(recorded=False) as made:
        made.fault("forbidden@list")
        result = await made.act(Verb.START)
        assert (result.outcome, result.evidence) == (Outcome.ACCEPTED, Evidence.ACCEPTED)


# the password


async def test_a_refused_password_is_not_sent_again_for_a_minute() -> None:
    async with fixture(lock_after=2, settings={"password": Secret("wrong-one")}) as made:
        for _ in range(5):
            result = await made.recorder.act(order_of(Verb.STOP, made.agent))
            assert (result.outcome, result.retryable) == (Outcome.FAILED, False)
        assert made.asked() == ["list"]
        assert (result.evidence, "was not asked" in result.detail) == (Evidence.NONE, True)
        made.clock.now += 61
        await made.recorder.act(order_of(Verb.STOP, made.agent))
        assert made.asked() == ["list", "list"]


async def test_an_account_of_single_sign_on_is_refused_and_said() -> None:
    async with fixture() as made:
        made.sim.state.accounts[DEMO_USER].sso = True
        with pytest.raises(RecorderUnavailable) as refusal:
            await made.recorder.probe()
        assert refusal.value.cause == "refused"
        assert "single sign-on" in refusal.value.fix
        assert DEMO_PASSWORD not in str(refusal.value)


async def test_credentials_come_with_the_first_request_and_are_shown_nowhere(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with fixture() as made:
        result = await made.act()
        assert made.sim.log.entries[0].facts["account"] == DEMO_USER
        shown = repr(result) + repr(made.recorder) + repr(made.recorder.plan(
            order_of(Verb.START, made.agent))) + caplog.text  # fmt: skip
        assert DEMO_PASSWORD not in shown
        assert "bXl1c2VyOm15cGFzc3dvcmQ=" not in shown


async def test_a_page_that_prints_the_credentials_back_is_masked() -> None:
    async with fixture(settings={"username": "myuser"}) as made:
        node = made.recorder._nodes[0]
        assert node.mask(f"you are {DEMO_PASSWORD}, bXl1c2VyOm15cGFzc3dvcmQ=") == "you are ***, ***"


# plan and probe


@pytest.mark.parametrize(
    ("verb", "request_made"),
    [
        (Verb.STOP, "DELETE {url}{base}/{{recordingId}}"),
        (Verb.PAUSE, "PUT {url}{base}/{{recordingId}}/Pause"),
        (Verb.RESUME, "PUT {url}{base}/{{recordingId}}/Resume"),
        (Verb.START, 'POST {url}{base} {{"directoryNumber": "410", "mode": 0}}'),
    ],
)
async def test_a_plan_shows_the_requests_and_sends_none(verb: Verb, request_made: str) -> None:
    async with fixture() as made:
        plan = made.recorder.plan(order_of(verb, made.agent))
        base = "/fw/Apps/Recorder/WebAPI/LiveRecordings"
        url = made.servers[0].url
        look = f"GET {url}{base}?directoryNumber=410"
        assert plan.requests == (look, request_made.format(url=url, base=base), look)
        assert "410" in plan.target
        assert made.sim.log.entries == []


async def test_a_probe_proves_the_password_by_the_cheapest_list() -> None:
    async with fixture() as made:
        assert made.servers[0].url in await made.recorder.probe()
        assert [dict(one.query) for one in made.sim.log.entries] == [{"username": DEMO_USER}]


@pytest.mark.parametrize(
    ("fault", "fix"),
    [("forbidden", "level 10"), ("unauthorized", "local user"), ("html_200", "answers under")],
)
async def test_a_probe_that_is_refused_names_the_fix(fault: str, fix: str) -> None:
    async with fixture() as made:
        made.fault(fault)
        with pytest.raises(RecorderUnavailable) as refusal:
            await made.recorder.probe()
        assert refusal.value.cause == "refused"
        assert fix in refusal.value.fix


async def test_a_probe_that_reaches_nobody_names_why(tmp_path: Path) -> None:
    made_certs = certificates.issue(tmp_path)
    async with fixture() as made:
        await made.servers[0].refuse()
        with pytest.raises(RecorderUnavailable) as unreachable:
            await made.recorder.probe()
        assert unreachable.value.cause == "unreachable"
    from bridges.simulators.imagicle.app import ImagicleSimulator
    from bridges.simulators.server import SimServer

    async with SimServer(ImagicleSimulator(), tls=made_certs.server_context()) as server:
        settings = ImagicleSettings(
            url=server.url, username=DEMO_USER, password=Secret(DEMO_PASSWORD)
        )
        one = ImagicleRecorder("imagicle", settings, live_on=lambda _: None, clock=loop_time)
        with pytest.raises(RecorderUnavailable) as untrusted:
            await one.probe()
        await one.close()
    assert untrusted.value.cause == "untrusted"
    assert "ca_file" in untrusted.value.fix


# time


async def test_the_list_is_looked_at_three_times_before_a_stop_is_called_undone() -> None:
    async with fixture() as made:
        made.fault("swallow@stop")
        assert await made.outcome() is Outcome.FAILED
        assert made.clock.slept == [0.5, 1.5]
        assert made.asked() == ["list", "stop", "list", "list", "list"]


@pytest.mark.parametrize(("linger", "slept"), [(0.4, [0.5]), (1.9, [0.5, 1.5])])
async def test_a_recording_that_lingers_in_the_list_is_waited_for(
    linger: float, slept: list[float]
) -> None:
    async with fixture(linger=linger) as made:
        assert await made.outcome() is Outcome.CONFIRMED
        assert made.clock.slept == slept


@pytest.mark.parametrize("fault", ["fault@list", "forbidden@list", "html_200@list", "stall@list"])
async def test_a_stop_whose_list_is_not_to_be_had_after_it_is_accepted(fault: str) -> None:
    async with fixture() as made:

        def breaks(entry: Entry) -> None:
            if entry.operation == "stop":
                made.fault(fault)

        made.sim.log.listen(breaks)
        result = await made.act()
        assert (result.outcome, result.evidence) == (Outcome.ACCEPTED, Evidence.ACCEPTED)


async def test_no_look_goes_beyond_the_budget() -> None:
    async with fixture() as made:
        made.fault("swallow@stop")
        result = await made.act(budget=1.0)
        assert result.outcome is Outcome.FAILED
        assert made.clock.slept == [0.5]


async def test_a_stall_leaves_time_for_a_look_and_a_repetition() -> None:
    async with fixture(settings={"timeout": 60}) as made:
        made.fault("stall@stop*1")
        assert await made.outcome(budget=1.0) is Outcome.CONFIRMED
        assert len(made.commands()) == 2


async def test_a_cancelled_act_leaves_nothing_running() -> None:
    async with fixture(other_node="apart") as made:
        made.fault("stall@list")
        made.fault("stall@list", node=1)
        task = asyncio.create_task(made.act())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert not [one for one in others if "Node.ask" in repr(one.get_coro())]


async def test_built_for_a_pbx_whose_calls_are_not_known_no_line_is_named() -> None:
    class Pbx:
        graph = CallGraph()

    async with fixture() as made:
        made.fault("forbidden@list")
        settings = ImagicleSettings(
            url=made.servers[0].url, username=DEMO_USER, password=Secret(DEMO_PASSWORD)
        )
        one = ImagicleRecorder.build("imagicle", settings, Pbx())
        result = await one.act(order_of(Verb.STOP, made.agent))
        await one.close()
        assert result.outcome is Outcome.FAILED
        assert made.commands() == []


@pytest.mark.parametrize("level", [Level.NONE, Level.RECORD_ONLY, Level.BASE])
async def test_a_level_below_ten_is_refused_and_named(level: Level) -> None:
    async with fixture() as made:
        made.sim.state.accounts[DEMO_USER].level = level
        result = await made.act()
        assert result.outcome is Outcome.FAILED
        assert "level 10" in result.detail
        assert made.sim.state.live
