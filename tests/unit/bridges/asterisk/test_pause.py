# SPDX-License-Identifier: Apache-2.0
"""Pausing and resuming MixMonitors: by muting, where that is safe and can be proven."""

import pytest

from ami.events.types import MixMonitorMute, MixMonitorStart, MixMonitorStop
from ami.link.actions import Response
from bridges.model import Evidence, Outcome, Verb
from tests.kits.call_kit import TWO_PHONES, graph, hangup
from tests.kits.mixmonitor_kit import FakePbx, act, answer, said, two_phones

# pause


async def test_a_pause_is_proven_by_the_event_of_each_channel() -> None:
    pbx = two_phones(one=1, two=1)
    result = await act(pbx, Verb.PAUSE)

    assert said(result) == (Outcome.CONFIRMED, Evidence.NOTHING_ELSE)
    assert result.detail == "2 MixMonitors muted"
    assert pbx.of("MixMonitorMute") == ["1.1", "1.2"]
    assert not pbx.of("StopMixMonitor")


async def test_only_channels_known_to_record_are_muted() -> None:
    pbx = two_phones(two=1)
    await act(pbx, Verb.PAUSE)

    assert pbx.of("MixMonitorMute") == ["1.2"]


async def test_a_mute_without_its_event_is_not_proven_and_becomes_a_stop() -> None:
    pbx = two_phones(one=1)
    pbx.mute_events = False
    result = await act(pbx, Verb.PAUSE)

    assert said(result) == (Outcome.CONFIRMED, Evidence.NOTHING_ELSE)
    assert result.detail.startswith(
        "stopped instead of paused, as no event proved that it is muted"
    )
    assert pbx.of("MixMonitorMute") == ["1.1"]
    assert pbx.monitors["1.1"] == 0


async def test_a_mute_that_somebody_else_did_proves_nothing() -> None:
    pbx = two_phones(one=2)
    pbx.happen(MixMonitorMute("", "1.1", "", "both", muted=True))  # of one of the two, by its id
    result = await act(pbx, Verb.PAUSE)

    assert said(result) == (Outcome.CONFIRMED, Evidence.NOTHING_ELSE)
    assert result.detail == "2 MixMonitors muted"
    assert pbx.of("MixMonitorMute") == ["1.1"]


async def test_an_event_of_a_mute_from_before_our_own_proves_nothing() -> None:
    pbx = two_phones(one=1)
    pbx.mute_events = False
    pbx.happen(MixMonitorMute("", "1.1", "", "both", muted=True))
    result = await act(pbx, Verb.PAUSE)

    assert result.detail.startswith("stopped instead of paused")


@pytest.mark.parametrize("version", [(16, 28, 0), (18, 17), (19, 8), (20, 2, 1)])
async def test_where_a_mute_reaches_one_of_several_they_are_stopped(
    version: tuple[int, ...],
) -> None:
    pbx = two_phones(one=2)
    pbx.version = version
    result = await act(pbx, Verb.PAUSE)

    assert said(result) == (Outcome.CONFIRMED, Evidence.NOTHING_ELSE)
    assert "this Asterisk mutes one MixMonitor of a channel, and SIP/410-1 has 2" in result.detail
    assert pbx.monitors["1.1"] == 0


async def test_a_second_recording_that_starts_during_a_pause_is_stopped_there() -> None:
    pbx = two_phones(one=1)
    pbx.version = (16, 28, 0)

    def start(name: str, _uniqueid: str) -> Response | None:
        if name == "MixMonitorMute":
            pbx.script = lambda _name, _uniqueid: None
            pbx.monitors["1.1"] += 1
            pbx.later(MixMonitorStart("", "1.1", ""))
        return None

    pbx.script = start
    result = await act(pbx, Verb.PAUSE)

    assert result.outcome is Outcome.CONFIRMED
    assert result.detail.startswith("stopped instead of paused")
    assert pbx.monitors["1.1"] == 0


async def test_with_nothing_recorded_there_is_nothing_to_pause() -> None:
    pbx = two_phones()

    assert said(await act(pbx, Verb.PAUSE)) == (Outcome.NOTHING_TO_STOP, Evidence.NOTHING_ELSE)
    assert not pbx.sent
    assert ("Getvar", "1.1", "MIXMONITOR_FILENAME") in pbx.asked


async def test_a_file_named_without_an_event_makes_a_pause_a_stop() -> None:
    pbx = two_phones()
    pbx.monitors["1.1"] = 1  # an eventfilter kept its event from us
    pbx.variables["1.1", "MIXMONITOR_FILENAME"] = "/spool/a.wav"

    result = await act(pbx, Verb.PAUSE)

    assert said(result) == (Outcome.CONFIRMED, Evidence.NOTHING_ELSE)
    assert "stopped instead of paused" in result.detail
    assert pbx.monitors["1.1"] == 0


async def test_where_no_events_come_a_pause_is_a_stop_and_ends_after_one_sweep() -> None:
    pbx = two_phones()
    pbx.graph.expect_monitor_events(come=False)
    pbx.monitors["1.1"] = 2

    result = await act(pbx, Verb.PAUSE)

    assert said(result) == (Outcome.CONFIRMED, Evidence.NOTHING_ELSE)
    assert "stopped instead of paused" in result.detail
    assert pbx.of("StopMixMonitor") == ["1.1", "1.1", "1.1", "1.2"]
    assert said(await act(pbx, Verb.STOP)) == (Outcome.NOTHING_TO_STOP, Evidence.NOTHING_ELSE)


@pytest.mark.parametrize("version", [(18, 18), (18, 19, 1), (20, 3), (20, 4, 0), ()])
async def test_a_version_that_a_mute_can_block_is_stopped_instead(version: tuple[int, ...]) -> None:
    pbx = two_phones(one=1)
    pbx.version = version
    result = await act(pbx, Verb.PAUSE)

    assert said(result) == (Outcome.CONFIRMED, Evidence.NOTHING_ELSE)
    assert result.detail.startswith("stopped instead of paused, as MixMonitorMute can block")
    assert not pbx.of("MixMonitorMute")
    assert pbx.monitors["1.1"] == 0


@pytest.mark.parametrize("version", [(16, 28, 0), (18, 20), (20, 5), (22, 10, 1)])
async def test_other_versions_are_muted(version: tuple[int, ...]) -> None:
    pbx = two_phones(one=1)
    pbx.version = version
    await act(pbx, Verb.PAUSE)

    assert pbx.of("MixMonitorMute") == ["1.1"]


async def test_where_it_is_not_known_what_records_it_is_stopped_instead_of_muted() -> None:
    pbx = FakePbx(graph(*TWO_PHONES), monitors={"1.1": 1})
    pbx.graph.mark_unknown()
    pbx.graph.known = True
    result = await act(pbx, Verb.PAUSE)

    assert result.outcome is Outcome.CONFIRMED
    assert "it is not known whether SIP/410-1, SIP/411-2 is recorded" in result.detail
    assert not pbx.of("MixMonitorMute")


async def test_while_the_calls_are_not_known_a_pause_mutes_nothing_and_fails() -> None:
    pbx = two_phones(one=1)
    pbx.graph.known = False
    result = await act(pbx, Verb.PAUSE)

    assert result.outcome is Outcome.FAILED
    assert not pbx.of("MixMonitorMute")


@pytest.mark.parametrize("leg", ["1.1", "1.2"])
async def test_a_recording_that_starts_during_a_pause_is_muted_as_well(leg: str) -> None:
    pbx = two_phones(one=1)

    def start(name: str, _uniqueid: str) -> Response | None:
        if name != "MixMonitorMute":
            return None
        pbx.script = lambda _name, _uniqueid: None
        pbx.monitors[leg] = pbx.monitors.get(leg, 0) + 1
        pbx.later(MixMonitorMute("", "1.1", "", "both", muted=True))
        pbx.later(MixMonitorStart("", leg, ""))
        return answer()

    pbx.script = start
    result = await act(pbx, Verb.PAUSE)
    call = pbx.graph.call_of("1.1")

    assert result.outcome is Outcome.CONFIRMED
    assert pbx.of("MixMonitorMute") == ["1.1", leg]
    assert call is not None
    assert all(channel.muted for channel in call.monitored)


async def test_a_call_that_ends_during_a_pause_has_ended() -> None:
    pbx = two_phones(one=1)

    def end(name: str, _uniqueid: str) -> Response | None:
        if name != "MixMonitorMute":
            return None
        for one in ("1.1", "1.2"):
            pbx.later(hangup(one))
        return answer()

    pbx.script = end

    assert (await act(pbx, Verb.PAUSE)).outcome is Outcome.CALL_ENDED


# resume


async def test_what_was_paused_is_resumed_and_proven_so() -> None:
    pbx = two_phones(one=1, two=1)
    await act(pbx, Verb.PAUSE)
    pbx.sent.clear()
    result = await act(pbx, Verb.RESUME)

    assert said(result) == (Outcome.CONFIRMED, Evidence.NOTHING_ELSE)
    assert result.detail == "2 MixMonitors resumed"
    assert pbx.of("MixMonitorMute") == ["1.1", "1.2"]


async def test_without_a_recording_nothing_is_resumed() -> None:
    pbx = two_phones()

    assert (await act(pbx, Verb.RESUME)).outcome is Outcome.NOTHING_TO_STOP
    assert not pbx.sent


async def test_a_pause_from_before_a_restart_is_resumed_and_not_called_proven() -> None:
    pbx = two_phones(one=1)
    result = await act(pbx, Verb.RESUME)

    assert said(result) == (Outcome.ACCEPTED, Evidence.ACCEPTED)
    assert pbx.of("MixMonitorMute") == ["1.1"]


async def test_where_nothing_can_have_been_paused_nothing_is_sent() -> None:
    pbx = two_phones(one=1)
    pbx.version = (18, 19)

    assert (await act(pbx, Verb.RESUME)).outcome is Outcome.NOTHING_TO_STOP
    assert not pbx.sent


async def test_a_resume_of_channels_nobody_counted_says_that_it_does_not_know() -> None:
    pbx = two_phones(one=1)
    pbx.graph.mark_unknown()
    pbx.graph.known = True
    result = await act(pbx, Verb.RESUME)

    assert said(result) == (Outcome.FAILED, Evidence.NONE)
    assert "it is not known whether" in result.detail
    assert not pbx.sent


async def test_recordings_that_ended_meanwhile_were_not_resumed() -> None:
    pbx = two_phones(one=1)
    await act(pbx, Verb.PAUSE)

    def stopped(name: str, uniqueid: str) -> Response | None:
        if name != "MixMonitorMute":
            return None
        pbx.later(MixMonitorStop("", uniqueid, ""))
        return answer()

    pbx.script = stopped
    result = await act(pbx, Verb.RESUME)

    assert result.outcome is Outcome.NOTHING_TO_STOP
    assert "ended meanwhile" in result.detail
