# SPDX-License-Identifier: Apache-2.0
"""What real Asterisks said during whole calls, replayed into the call graph.

Each file holds the raw bytes one AMI account was sent from before the first channel to after the
last, as recorded from Asterisk 22 (PJSIP) and 16 (chan_sip); its name says version and scene.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from ami.calls.graph import CallGraph
from ami.calls.snapshots import Call, Channel
from ami.events.headers import ChannelRow
from ami.events.packet_to_event import decode
from ami.events.types import Event, Hangup

FOLDER = Path(__file__).parents[3] / "tests" / "fixtures" / "ami"
STREAMS = sorted(path.stem for path in FOLDER.glob("*.ami"))
VERSIONS = ("16", "22")


@cache
def events(stream: str) -> tuple[Event, ...]:
    packets = (FOLDER / f"{stream}.ami").read_bytes().split(b"\r\n\r\n")
    return tuple(event for packet in packets if (event := decode(packet)) is not None)


def known_graph() -> CallGraph:
    graph = CallGraph()
    graph.reconcile([])
    return graph


def views(stream: str) -> Iterator[list[Call]]:
    """Yield the live calls after each event of a stream."""
    graph = known_graph()
    for event in events(stream):
        graph.apply(event)
        yield graph.calls()


def rows(graph: CallGraph) -> list[ChannelRow]:
    """Return what a listing would tell at this moment."""
    return [_row(channel) for call in graph.calls() for channel in call.channels]


def _row(channel: Channel) -> ChannelRow:
    return ChannelRow(
        channel.name,
        channel.uniqueid,
        channel.linkedid,
        channel.state,
        channel.caller_number,
        channel.caller_name,
        channel.connected_number,
        channel.account,
        channel.context,
        channel.exten,
        "",
        channel.bridge_id or "",
    )


def everything_left(graph: CallGraph) -> list[object]:
    """Return whatever the graph still remembers of live channels, in any index."""
    live = graph._live
    indexes = (live.channels, live.names, live.calls, live.extensions, live.bridges)
    return [index for index in indexes if index]


def test_there_are_streams_of_both_asterisks() -> None:
    assert {stream.partition("-")[0] for stream in STREAMS} >= set(VERSIONS)


@pytest.mark.parametrize("stream", STREAMS)
def test_a_whole_replay_sees_a_call_and_leaves_no_ghost(stream: str) -> None:
    graph, seen = known_graph(), 0
    for event in events(stream):
        graph.apply(event)
        seen = max(seen, graph.size)
    assert seen >= 2
    assert everything_left(graph) == []


@pytest.mark.parametrize("stream", STREAMS)
def test_a_replay_from_any_event_neither_fails_nor_leaves_a_ghost(stream: str) -> None:
    for start in range(len(events(stream))):
        graph = known_graph()
        for event in events(stream)[start:]:
            graph.apply(event)
        assert everything_left(graph) == [], f"started at event {start}"


@pytest.mark.parametrize("stream", STREAMS)
def test_a_graph_rebuilt_from_a_listing_at_any_event_is_as_one_that_saw_all(
    stream: str,
) -> None:
    """Also when events from around the listing are taken in before it is."""
    whole = known_graph()
    for at in range(len(events(stream))):
        whole.apply(events(stream)[at])
        listing = rows(whole)
        for early, late in ((0, 0), (0, 3), (3, 0), (3, 3)):
            rebuilt = CallGraph()
            for event in events(stream)[max(0, at + 1 - early) : at + 1 + late]:
                rebuilt.apply(event)
            rebuilt.reconcile(listing)
            _compare(stream, whole, rebuilt, at + 1, late)


def _compare(stream: str, whole: CallGraph, rebuilt: CallGraph, start: int, late: int) -> None:
    reference = CallGraph()
    reference.reconcile(rows(whole))
    for event in events(stream)[start : start + late]:
        reference.apply(event)
    assert _state(rebuilt) == _state(reference)
    for event in events(stream)[start + late :]:
        rebuilt.apply(event)
    assert everything_left(rebuilt) == []


def _state(graph: CallGraph) -> dict[str, tuple[str, str | None, str | None, str]]:
    return {
        channel.uniqueid: (channel.name, channel.bridge_id, channel.local_peer, channel.state)
        for call in graph.calls()
        for channel in call.channels
    }


def whole_calls(stream: str, *extensions: str) -> list[Call]:
    """Return the views of calls that these extensions, and no others, were on together."""
    return [
        call
        for calls in views(stream)
        for call in calls
        if sorted(call.extensions) == sorted(extensions)
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_plain_call_is_recorded_on_the_callers_leg_until_it_is_stopped(version: str) -> None:
    seen = whole_calls(f"{version}-plain", "410", "411")
    recorded = [call for call in seen if call.monitored]
    assert {call.monitored[0].extension for call in recorded} == {"410"}
    assert seen[-1].monitored == ()
    assert all(len(call.lineage) == 1 for call in seen)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_call_through_a_local_channel_is_one_call_of_both_phones(version: str) -> None:
    four = [c for c in whole_calls(f"{version}-local", "410", "411") if len(c.channels) == 4]
    assert any(all(channel.bridge_id for channel in call.channels) for call in four)
    halves = [c for c in four[-1].channels if c.technology == "Local"]
    assert [half.local_peer for half in halves] == [half.uniqueid for half in reversed(halves)]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_queue_call_is_one_call_when_its_local_channel_has_vanished(version: str) -> None:
    stream = f"{version}-queue"
    caller_and_agent = [
        call for calls in views(stream) for call in calls if len(call.extensions) == 1
    ]
    talk = [c for c in caller_and_agent if len(c.channels) == 2 and len(c.monitored) == 1]
    assert any(len({channel.bridge_id for channel in call.channels}) == 1 for call in talk)
    assert talk[-1].monitored[0].endpoint == "my-trunk"
    assert talk[-1].monitored[0].extension is None


@pytest.mark.parametrize("version", VERSIONS)
def test_two_recordings_of_one_channel_are_counted(version: str) -> None:
    seen = whole_calls(f"{version}-two-recordings", "410", "411")
    assert seen[-1].channels[0].monitors in {0, 2}
    assert max(call.channels[0].monitors or 0 for call in seen) == 2


@pytest.mark.parametrize("version", VERSIONS)
def test_muting_and_unmuting_is_followed(version: str) -> None:
    muted = [call.channels[0].muted for call in whole_calls(f"{version}-mute", "410", "411")]
    assert [
        now for now, before in zip(muted, [None, *muted], strict=False) if now is not before
    ] == [
        False,
        True,
        False,
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_blind_transfer_stays_one_call_and_shows_its_second_recording(version: str) -> None:
    stream = f"{version}-blind-transfer"
    assert max(len(calls) for calls in views(stream)) == 1
    after = [calls[0] for calls in views(stream) if calls and "412" in calls[0].extensions]
    assert max(sum(channel.monitors or 0 for channel in call.channels) for call in after) == 2


@pytest.mark.parametrize("version", VERSIONS)
def test_an_attended_transfer_ends_as_one_call_of_the_two_who_are_left(version: str) -> None:
    stream = f"{version}-attended-transfer"
    last = whole_calls(stream, "410", "412")
    assert last, "410 and 412 are left to talk"
    first = next(call for calls in views(stream) for call in calls)
    assert first.linkedid in last[-1].lineage


@pytest.mark.parametrize("version", VERSIONS)
def test_two_calls_at_once_never_mix(version: str) -> None:
    for calls in views(f"{version}-parallel"):
        for call in calls:
            assert set(call.extensions) <= {"410", "411"} or set(call.extensions) <= {"412", "413"}
    assert max(len(calls) for calls in views(f"{version}-parallel")) == 2


@pytest.mark.parametrize("version", VERSIONS)
def test_a_picked_up_call_is_one_and_brings_the_recording_that_rang(version: str) -> None:
    """Asterisk moves the MixMonitor of the phone that rang without saying so."""
    last = whole_calls(f"{version}-pickup", "410", "412")[-2]
    assert [(channel.extension, channel.monitors) for channel in last.channels] == [
        ("410", 1),
        ("412", 2),
    ]
    assert len(last.lineage) == 2


@pytest.mark.parametrize("version", VERSIONS)
def test_parked_calls_stay_two_until_one_is_fetched(version: str) -> None:
    seen = list(views(f"{version}-park"))
    parked = [calls for calls in seen if _share_a_bridge(calls, "410", "412")]
    assert parked, "side by side in the lot"
    for calls in parked:
        assert not any({"410", "412"} <= set(call.extensions) for call in calls)
    fetched = [calls for calls in seen if _share_a_bridge(calls, "410", "413")]
    assert fetched
    for calls in fetched:
        assert any({"410", "413"} <= set(call.extensions) for call in calls)


def _share_a_bridge(calls: list[Call], one: str, other: str) -> bool:
    where = {c.extension: c.bridge_id for call in calls for c in call.channels}
    return where.get(one) is not None and where.get(one) == where.get(other)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_conference_is_one_call_while_they_are_in_it(version: str) -> None:
    together = whole_calls(f"{version}-conference", "410", "411", "412")
    assert together
    assert len(together[0].lineage) == 3
    assert len(together[0].monitored) == 3


@pytest.mark.parametrize("version", VERSIONS)
def test_two_calls_joined_by_the_bridge_action_become_one(version: str) -> None:
    stream = f"{version}-bridge"
    last = whole_calls(stream, "410", "412")[-1]
    assert len(last.lineage) == 2
    assert len(last.monitored) == 2


@pytest.mark.parametrize("version", VERSIONS)
def test_a_redirected_leg_stays_in_its_call(version: str) -> None:
    alone = whole_calls(f"{version}-redirect", "411")
    together = whole_calls(f"{version}-redirect", "410", "411")
    assert alone[-1].lineage == together[-1].lineage


@pytest.mark.parametrize("version", VERSIONS)
def test_every_stream_of_one_version_ends_with_as_many_hang_ups_as_channels(version: str) -> None:
    for stream in (name for name in STREAMS if name.startswith(version)):
        born = {e.uniqueid for e in events(stream) if type(e).__name__ == "Newchannel"}
        ended = {e.uniqueid for e in events(stream) if isinstance(e, Hangup)}
        assert born == ended, stream
