# SPDX-License-Identifier: Apache-2.0
"""Monitors (Asterisk 20 and older): stopped on every leg, proven; what cannot be told is said."""

import pytest

from ami.events.types import MonitorStart, MonitorStop, PresenceStateChange
from ami.link.actions import Response
from bridges.model import Evidence, Outcome, Verb
from tests.kits.call_kit import TWO_PHONES, graph, hangup
from tests.kits.mixmonitor_kit import FakePbx, act, answer, order, said

STOP_CONFIRMED = (Outcome.CONFIRMED, Evidence.NOTHING_ELSE)
NOTHING = (Outcome.NOTHING_TO_STOP, Evidence.NOTHING_ELSE)


def old_pbx(*legs: str, recorded: str = "", heirs: str = "", forgotten: bool = False) -> FakePbx:
    """Return a 16 with a call of two; a Monitor runs on `legs`, a MixMonitor on `recorded`.

    `heirs`: the leg that inherited MONITORED. `forgotten`: the link was lost meanwhile.
    """
    pbx = FakePbx(graph(*TWO_PHONES), version=(16, 28, 0), heirs={heirs} - {""})
    for leg in legs:
        pbx.monitor(leg)
    if recorded:
        pbx.record(recorded)
    if forgotten:
        pbx.graph.mark_unknown()
        pbx.graph.known = True
        for leg in ("1.1", "1.2"):
            pbx.graph.set_monitors(leg, pbx.monitors.get(leg, 0))
    return pbx


@pytest.mark.parametrize("forgotten", [False, True])
@pytest.mark.parametrize("leg", ["1.1", "1.2"])
async def test_a_monitor_alone_is_stopped_and_proven(leg: str, *, forgotten: bool) -> None:
    pbx = old_pbx(leg, heirs="1.2" if leg == "1.1" else "", forgotten=forgotten)
    result = await act(pbx)

    assert said(result) == STOP_CONFIRMED
    assert result.detail == "1 Monitor stopped, none left on 2 channels"
    assert not pbx.running
    assert sorted(set(pbx.of("StopMonitor"))) == ["1.1", "1.2"]


async def test_monitors_beside_a_mixmonitor_are_one_verdict_that_names_both() -> None:
    pbx = old_pbx("1.1", "1.2", recorded="1.1")
    result = await act(pbx)

    assert said(result) == STOP_CONFIRMED
    assert result.detail == "1 MixMonitor and 2 Monitors stopped, none left on 2 channels"
    assert not pbx.running


async def test_the_mixmonitors_are_told_first() -> None:
    pbx = old_pbx("1.1", recorded="1.1")
    await act(pbx)

    assert pbx.sent[0] == ("StopMixMonitor", "1.1")


@pytest.mark.parametrize("forgotten", [False, True])
async def test_a_leg_that_inherited_the_variable_had_no_monitor(*, forgotten: bool) -> None:
    result = await act(old_pbx(heirs="1.2", forgotten=forgotten))

    assert said(result) == NOTHING
    assert "Monitor" in result.detail


async def test_a_monitor_whose_events_are_kept_from_us_is_proven_by_its_variable() -> None:
    pbx = old_pbx()
    pbx.quiet = {MonitorStart, MonitorStop}
    pbx.monitor("1.1")
    result = await act(pbx)

    assert said(result) == STOP_CONFIRMED
    assert "1 Monitor stopped" in result.detail


async def test_without_the_marker_an_inherited_variable_cannot_be_told_from_a_monitor() -> None:
    pbx = old_pbx(heirs="1.2", forgotten=True)
    pbx.quiet = {PresenceStateChange}
    result = await act(pbx)

    assert result.outcome is Outcome.FAILED
    assert "whether a Monitor ran on SIP/411-2 cannot be told" in result.detail
    assert "eventfilter" in result.detail


async def test_no_marker_is_set_where_nothing_is_in_doubt() -> None:
    pbx = old_pbx("1.1", heirs="1.2")
    await act(pbx)
    forgotten = old_pbx(forgotten=True)
    await act(forgotten)

    assert not pbx.of("PRESENCE_STATE(CustomPresence:offrecord)")
    assert not [one for one in (*pbx.sent, *forgotten.sent) if one[0] == "Setvar"]


async def test_a_monitor_that_starts_during_the_stop_is_stopped_as_well() -> None:
    pbx = old_pbx("1.1")

    def again(name: str, uniqueid: str) -> Response | None:
        if (name, uniqueid) == ("StopMonitor", "1.2"):
            pbx.script = lambda _name, _uniqueid: None
            pbx.monitor("1.1")
        return None

    pbx.script = again
    result = await act(pbx)

    assert result.detail == "2 Monitors stopped, none left on 2 channels"
    assert not pbx.running


async def test_a_newer_asterisk_has_none_and_is_not_asked() -> None:
    pbx = old_pbx()
    pbx.version = (22, 10, 1)

    assert said(await act(pbx)) == NOTHING
    assert not pbx.of("StopMonitor")


async def test_an_old_one_without_the_module_has_none() -> None:
    pbx = old_pbx()
    pbx.script = lambda name, _uniqueid: (
        answer("Invalid/unknown command: StopMonitor. Use …") if name == "StopMonitor" else None
    )

    assert said(await act(pbx)) == NOTHING


async def test_a_stop_that_is_refused_is_a_failure() -> None:
    pbx = old_pbx("1.1")
    pbx.script = lambda name, _uniqueid: (
        answer("Permission denied") if name == "StopMonitor" else None
    )

    assert (await act(pbx)).outcome is Outcome.FAILED


@pytest.mark.parametrize("forgotten", [False, True])
async def test_a_monitored_leg_that_hangs_up_leaves_no_nothing_to_stop(*, forgotten: bool) -> None:
    pbx = old_pbx("1.1", forgotten=forgotten)
    given = order(pbx)
    pbx.running.clear()
    pbx.happen(MonitorStop("", "1.1", ""))
    pbx.happen(hangup("1.1"))
    result = await act(pbx, given=given)

    assert result.outcome in {Outcome.CONFIRMED, Outcome.CALL_ENDED}


# pause and resume


async def test_a_pause_is_the_pbxs_yes_and_no_more() -> None:
    pbx = old_pbx("1.1", recorded="1.1", heirs="1.2")
    result = await act(pbx, Verb.PAUSE)

    assert said(result) == (Outcome.ACCEPTED, Evidence.ACCEPTED)
    assert result.detail == (
        "1 MixMonitor muted; 1 Monitor told to pause; Asterisk does not show whether it does"
    )
    assert pbx.of("PauseMonitor") == ["1.1", "1.2"]
    assert pbx.running == {"1.1"}


async def test_a_pause_where_it_is_not_known_what_runs_is_a_stop() -> None:
    pbx = old_pbx("1.1", forgotten=True)
    result = await act(pbx, Verb.PAUSE)

    assert said(result) == STOP_CONFIRMED
    assert "it is not known whether a Monitor runs on SIP/410-1: 1 stopped" in result.detail
    assert not pbx.running


async def test_a_pause_without_a_monitor_has_nothing_to_do() -> None:
    pbx = old_pbx(heirs="1.2")

    assert said(await act(pbx, Verb.PAUSE)) == NOTHING


async def test_a_paused_monitor_is_told_to_go_on() -> None:
    pbx = old_pbx("1.1")
    await act(pbx, Verb.PAUSE)
    result = await act(pbx, Verb.RESUME)

    assert said(result) == (Outcome.ACCEPTED, Evidence.ACCEPTED)
    assert "1 Monitor told to go on" in result.detail
    assert pbx.of("UnpauseMonitor") == ["1.1"]
