# SPDX-License-Identifier: Apache-2.0
"""Stopping and starting MixMonitors of a whole call: what is proven, what is never claimed."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from ami.errors import AmiDenied, AmiDown, AmiError, AmiTimeout
from ami.events.types import MixMonitorStart
from ami.link.actions import Response
from bridges.asterisk import AsteriskSettings
from bridges.model import Evidence, Outcome, RecorderUnavailable, Verb
from tests.kits.call_kit import TWO_PHONES, graph, hangup, new
from tests.kits.mixmonitor_kit import (
    NONE_LEFT,
    FakePbx,
    act,
    answer,
    order,
    recorder,
    said,
    two_phones,
)

DOWN = "the link to the PBX is down"

# stop


async def test_every_recording_of_the_call_is_stopped_and_proven_so() -> None:
    pbx = two_phones(one=2, two=1)
    result = await act(pbx)

    assert said(result) == (Outcome.CONFIRMED, Evidence.NOTHING_ELSE)
    assert result.detail == "3 MixMonitors stopped, none left on 2 channels"
    assert pbx.monitors == {"1.1": 0, "1.2": 0}
    assert sorted(pbx.of("StopMixMonitor")) == ["1.1"] * 3 + ["1.2"] * 2


async def test_each_channel_is_a_step_with_the_pbxs_last_word() -> None:
    result = await act(two_phones(one=1))

    assert [(step.sent, step.answer) for step in result.steps] == [
        ("StopMixMonitor 1.1 (SIP/410-1), 1 stopped", NONE_LEFT),
        ("StopMixMonitor 1.2 (SIP/411-2), 0 stopped", NONE_LEFT),
    ]
    assert all(step.took > 0 for step in result.steps)


async def test_a_call_without_a_recording_has_nothing_to_stop() -> None:
    assert said(await act(two_phones())) == (Outcome.NOTHING_TO_STOP, Evidence.NOTHING_ELSE)


async def test_a_call_that_is_gone_has_ended() -> None:
    pbx = two_phones(one=1)
    given = order(pbx)
    pbx.graph.apply(hangup("1.1"))
    pbx.graph.apply(hangup("1.2"))

    assert said(await act(pbx, given=given)) == (Outcome.CALL_ENDED, Evidence.READ_BACK)


async def test_a_call_that_ends_after_its_recording_was_stopped_was_stopped() -> None:
    pbx = two_phones(one=1)

    def end(_name: str, uniqueid: str) -> Response | None:
        if uniqueid == "1.2":
            for one in ("1.1", "1.2"):
                pbx.later(hangup(one))
            return answer(NONE_LEFT)
        return None

    pbx.script = end

    assert said(await act(pbx)) == (Outcome.CONFIRMED, Evidence.NOTHING_ELSE)


async def dying(pbx: FakePbx, *, after: int, also: str = "") -> None:
    """Hang up 1.1, and `also` another, once some turns have passed."""
    for _ in range(after):
        await asyncio.sleep(0)
    for uniqueid in filter(None, ("1.1", also)):
        pbx.happen(hangup(uniqueid))


@pytest.mark.parametrize("forgotten", [False, True])
@pytest.mark.parametrize("also", ["", "1.2"])
@pytest.mark.parametrize("after", [0, 3, 10, 13])
async def test_a_recorded_leg_that_is_being_hung_up_leaves_no_nothing_to_stop(
    after: int, also: str, *, forgotten: bool
) -> None:
    # Asterisk takes the MixMonitors of a dying channel away before it says that it is gone.
    pbx = two_phones(one=1)
    if forgotten:
        pbx.graph.mark_unknown()
        pbx.graph.known = True
    given = order(pbx)
    pbx.monitors.clear()
    ending = asyncio.create_task(dying(pbx, after=after, also=also))
    result = await act(pbx, given=given)
    await ending

    assert result.outcome is (Outcome.CALL_ENDED if also else Outcome.CONFIRMED)
    if not also:
        assert result.detail.startswith("what recorded SIP/410-1")


async def test_a_leg_that_was_not_recorded_may_go_and_nothing_was_to_stop() -> None:
    pbx = two_phones()
    given = order(pbx)
    pbx.happen(hangup("1.2"))
    result = await act(pbx, given=given)

    assert said(result) == (Outcome.NOTHING_TO_STOP, Evidence.NOTHING_ELSE)
    assert result.detail.endswith("on 1 channel")


async def test_one_leg_gone_does_not_make_the_call_ended() -> None:
    pbx = two_phones(two=1)
    given = order(pbx)
    pbx.graph.apply(hangup("1.1"))
    result = await act(pbx, given=given)

    assert result.outcome is Outcome.CONFIRMED
    assert pbx.monitors["1.2"] == 0


async def test_a_recording_that_starts_in_the_middle_is_stopped_as_well() -> None:
    pbx = two_phones(one=1)
    started: list[str] = []

    def restart(_name: str, uniqueid: str) -> Response | None:
        if uniqueid == "1.2" and not started:  # the first leg has been drained by now
            started.append("1.1")
            pbx.monitors["1.1"] += 1
            pbx.later(MixMonitorStart("", "1.1", ""))
        return None

    pbx.script = restart
    result = await act(pbx)

    assert result.outcome is Outcome.CONFIRMED
    assert result.detail == "2 MixMonitors stopped, none left on 2 channels"
    assert pbx.monitors["1.1"] == 0


async def test_a_leg_that_joins_in_the_middle_is_drained_as_well() -> None:
    pbx = two_phones(one=1)

    def join(_name: str, _uniqueid: str) -> Response | None:
        if pbx.graph.channel("1.3") is None:
            pbx.graph.apply(new("1.3", "SIP/412-3", "1.1"))
            pbx.record("1.3")
        return None

    pbx.script = join
    result = await act(pbx)

    assert result.detail == "2 MixMonitors stopped, none left on 3 channels"
    assert pbx.monitors["1.3"] == 0


async def test_recordings_that_keep_starting_are_a_failure_and_said() -> None:
    pbx = two_phones(one=1)

    def endless(_name: str, uniqueid: str) -> Response | None:
        if uniqueid == "1.2":
            pbx.monitors["1.1"] += 1
            pbx.later(MixMonitorStart("", "1.1", ""))
        return None

    pbx.script = endless
    result = await act(pbx)

    assert result.outcome is Outcome.FAILED
    assert "keep starting" in result.detail
    assert result.retryable


async def test_monitors_that_nobody_counted_are_stopped_all_the_same() -> None:
    pbx = FakePbx(graph(*TWO_PHONES), monitors={"1.1": 1})
    pbx.graph.mark_unknown()
    pbx.graph.known = True
    assert order(pbx).call.unknown_monitors
    result = await act(pbx)

    assert said(result) == (Outcome.CONFIRMED, Evidence.NOTHING_ELSE)
    assert pbx.monitors["1.1"] == 0


async def test_a_view_taken_anew_in_the_middle_is_looked_at_again() -> None:
    pbx = two_phones(one=1)

    def resync(_name: str, uniqueid: str) -> Response | None:
        if uniqueid == "1.2":
            pbx.script = lambda _name, _uniqueid: None
            pbx.graph.mark_unknown()
            pbx.graph.known = True
        return None

    pbx.script = resync
    result = await act(pbx)

    assert result.outcome is Outcome.CONFIRMED
    assert pbx.of("StopMixMonitor").count("1.1") == 3


async def test_while_the_calls_are_not_known_nothing_is_claimed_of_the_whole_call() -> None:
    pbx = two_phones(one=1)
    pbx.graph.mark_unknown()
    result = await act(pbx)

    assert said(result) == (Outcome.FAILED, Evidence.READ_BACK)
    assert "1 stopped" in result.detail
    assert "another channel of this call may be recorded" in result.detail
    assert pbx.monitors["1.1"] == 0


async def test_a_channel_the_graph_does_not_know_proves_nothing_of_its_call() -> None:
    pbx = two_phones()
    given = order(pbx)
    pbx.graph = graph()
    pbx.script = lambda _name, _uniqueid: answer(NONE_LEFT)
    result = await act(pbx, given=given)

    assert said(result) == (Outcome.FAILED, Evidence.READ_BACK)


@pytest.mark.parametrize(
    ("error", "evidence"),
    [
        (AmiDown(DOWN, fix="wait"), Evidence.NONE),
        (AmiDown(DOWN, fix="wait", sent=True), Evidence.SENT),
        (AmiTimeout("StopMixMonitor", 1.0), Evidence.SENT),
        (AmiDenied("StopMixMonitor", "Permission denied"), Evidence.SENT),
    ],
)
async def test_a_pbx_that_fails_is_a_failure_with_what_was_sent(
    error: AmiError, evidence: Evidence
) -> None:
    pbx = two_phones(one=1)

    def fail(_name: str, _uniqueid: str) -> Response:
        raise error

    pbx.script = fail
    result = await act(pbx)

    assert said(result) == (Outcome.FAILED, evidence)
    assert result.detail == str(error)
    assert result.retryable


async def test_an_answer_nobody_knows_is_a_failure() -> None:
    pbx = two_phones(one=1)
    pbx.script = lambda _name, _uniqueid: answer("Something odd")

    assert (await act(pbx)).outcome is Outcome.FAILED


async def test_the_budget_ends_a_pbx_that_says_nothing() -> None:
    class Silent(FakePbx):
        async def action(self, name: str, fields: Mapping[str, str | Sequence[str]]) -> Response:
            await asyncio.Event().wait()
            raise AssertionError

    pbx = Silent(graph(*TWO_PHONES))
    result = await act(pbx, given=order(pbx, budget=0.01))

    assert said(result) == (Outcome.FAILED, Evidence.SENT)
    assert "over 0.01 s" in result.detail


# start


@pytest.mark.parametrize(("presser", "leg"), [("1.1", "1.1"), ("1.2", "1.2"), ("nobody", "1.2")])
async def test_a_start_hangs_on_the_pressers_leg_else_on_a_phones(presser: str, leg: str) -> None:
    two = graph(new("1.1", "SIP/my-trunk-1"), new("1.2", "SIP/411-2", "1.1"))
    pbx = FakePbx(two)
    result = await act(pbx, given=order(pbx, Verb.START, presser))

    assert said(result) == (Outcome.ACCEPTED, Evidence.ACCEPTED)
    assert pbx.sent == [("MixMonitor", leg)]


async def test_a_start_on_a_channel_that_is_gone_says_so() -> None:
    pbx = two_phones()
    given = order(pbx, Verb.START)
    pbx.graph = graph()

    assert (await act(pbx, given=given)).outcome is Outcome.CALL_ENDED


async def test_a_file_that_could_run_a_command_is_not_sent() -> None:
    pbx = two_phones()
    made = recorder(pbx, "{extension}.wav")
    two = graph(new("1.1", "SIP/410-1"))
    two.use_rules(type(two.rules)(endpoints={"SIP/410": "4|reboot"}))
    pbx.graph = two
    result = await made.act(order(pbx, Verb.START, "1.1"))

    assert said(result) == (Outcome.FAILED, Evidence.NONE)
    assert not pbx.sent


@pytest.mark.parametrize("file", ["", "{caller}.wav", "{", "a|b", "a,b", "a;b", "x`id`", "a$b"])
def test_a_file_name_that_cannot_be_used_is_refused_at_once(file: str) -> None:
    with pytest.raises(ValueError, match=r"^file: "):
        AsteriskSettings(file)


# what is planned and probed


@pytest.mark.parametrize(
    ("verb", "requests"),
    [
        (Verb.STOP, ("StopMixMonitor Channel=1.1 (SIP/410-1)",
                     "StopMixMonitor Channel=1.2 (SIP/411-2)")),
        (Verb.PAUSE, ("MixMonitorMute State=1 Channel=1.1 (SIP/410-1)",)),
        (Verb.RESUME, ("MixMonitorMute State=0 Channel=1.1 (SIP/410-1)",)),
        (Verb.START, ("MixMonitor Channel=1.2 (SIP/411-2)",)),
    ],
)  # fmt: skip
def test_a_plan_names_what_would_be_sent_and_sends_nothing(
    verb: Verb, requests: tuple[str, ...]
) -> None:
    pbx = two_phones(one=1)
    plan = recorder(pbx).plan(order(pbx, verb))

    assert plan.requests == requests
    assert plan.refusal is None
    assert not pbx.sent


@pytest.mark.parametrize("verb", [Verb.PAUSE, Verb.RESUME])
def test_a_plan_says_when_there_is_nothing_to_mute(verb: Verb) -> None:
    pbx = two_phones()
    plan = recorder(pbx).plan(order(pbx, verb))

    assert plan.requests == ()
    assert plan.refusal is not None


async def test_a_probe_says_whether_the_calls_are_known() -> None:
    pbx = two_phones()

    assert await recorder(pbx).probe() == "1 calls in view"
    pbx.graph.mark_unknown()
    with pytest.raises(RecorderUnavailable) as caught:
        await recorder(pbx).probe()
    assert caught.value.cause == "unreachable"
