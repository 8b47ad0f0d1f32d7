# SPDX-License-Identifier: Apache-2.0
"""Stopping, muting and starting MixMonitors: what the PBX's answers prove, and what is not sent."""

import pytest

from ami import recording_actions
from ami.errors import AmiDenied, AmiDown, AmiInjection, AmiUnsafe
from ami.pbx import Pbx
from tests.kits.ami_client import counts, following
from tests.kits.ami_peer import Action, AmiPeer, PeerSession
from tests.kits.waiting import eventually, patience

NONE_LEFT = "Could not stop monitoring channel"


def stops(peer: AmiPeer) -> list[str]:
    return [a["Channel"] for a in peer.received if a["Action"] == "StopMixMonitor"]


@pytest.mark.parametrize("series", ["16", "22"])
async def test_all_monitors_of_a_channel_are_stopped_until_the_pbx_says_none_is_left(
    series: str,
) -> None:
    async with AmiPeer(version=series) as peer, following(peer.settings()) as pbx:
        peer.add("SIP/410-00000001", "1.1", monitors=2)
        drained = await recording_actions.drain(pbx, "1.1")
        assert drained == recording_actions.Drained(2, NONE_LEFT)
        assert drained.proven
        assert stops(peer) == ["1.1"] * 3
        await eventually(lambda: counts(pbx) == {"1.1": 0})


async def test_a_channel_with_nothing_to_stop_is_proven_at_once() -> None:
    async with AmiPeer() as peer, following(peer.settings()) as pbx:
        peer.add("SIP/410-00000001", "1.1")
        assert await recording_actions.drain(pbx, "1.1") == recording_actions.Drained(0, NONE_LEFT)


async def test_what_was_not_known_after_a_reconnect_is_known_after_the_drain() -> None:
    async with AmiPeer() as peer:
        peer.add("SIP/410-00000001", "1.1", monitors=1)
        async with following(peer.settings()) as pbx:
            assert counts(pbx) == {"1.1": None}
            await recording_actions.drain(pbx, "1.1")
            assert counts(pbx) == {"1.1": 0}


async def test_a_channel_that_is_gone_is_said_to_be_gone() -> None:
    async with AmiPeer() as peer, following(peer.settings()) as pbx:
        drained = await recording_actions.drain(pbx, "9.9")
        assert drained == recording_actions.Drained(0, "No such channel", gone=True)


async def test_recordings_that_start_as_fast_as_they_are_stopped_are_an_alarm() -> None:
    async with AmiPeer() as peer, following(peer.settings()) as pbx:
        peer.on("StopMixMonitor", "Response: Success\r\n")
        drained = await recording_actions.drain(pbx, "1.1")
        assert (drained.stopped, drained.exceeded, drained.proven) == (32, True, False)
        assert len(stops(peer)) == 32


@pytest.mark.parametrize(
    "answer",
    [
        "Permission denied",
        "Invalid/unknown command: StopMixMonitor. Use Action: ListCommands to show ...",
        "No channel specified",
        "could not stop monitoring channel!",
        "",
    ],
)
async def test_no_other_answer_is_taken_for_a_proof(answer: str) -> None:
    async with AmiPeer() as peer, following(peer.settings()) as pbx:
        peer.on("StopMixMonitor", f"Response: Error\r\nMessage: {answer}\r\n")
        with pytest.raises(AmiDenied) as caught:
            await recording_actions.drain(pbx, "1.1")
        assert caught.value.answer == answer


async def test_a_drain_cut_by_a_lost_link_proves_nothing_and_stops_nothing_later() -> None:
    async with AmiPeer() as peer, following(peer.settings()) as pbx:
        peer.add("SIP/410-00000001", "1.1", monitors=3)

        def cut(session: PeerSession, action: Action) -> bytes | None:
            if len(stops(peer)) == 2:
                session.cut()
                return None
            return peer._on_stopmixmonitor(session, action)

        peer.on("StopMixMonitor", cut)
        with pytest.raises(AmiDown):
            await recording_actions.drain(pbx, "1.1")
        await eventually(lambda: pbx.link.logins == 2)
        assert await pbx.wait_known(patience())
        assert len(stops(peer)) == 2


async def test_every_channel_of_the_call_is_drained_and_no_other_call() -> None:
    async with AmiPeer() as peer, following(peer.settings()) as pbx:
        peer.add("SIP/410-00000001", "1.1", monitors=1)
        peer.add("SIP/411-00000002", "1.2", "1.1", monitors=2)
        peer.add("SIP/420-00000003", "1.3", monitors=1)
        await eventually(lambda: len(counts(pbx)) == 3)
        result = await recording_actions.stop_call(pbx, "1.2")
        assert (result.stopped, result.proven, result.gone) == (3, True, False)
        assert set(result.channels) == {"1.1", "1.2"}
        assert peer.channels["1.3"].monitors == 1


async def test_a_leg_that_joins_while_the_call_is_stopped_is_drained_too() -> None:
    async with AmiPeer() as peer, following(peer.settings()) as pbx:
        peer.add("SIP/410-00000001", "1.1", monitors=1)
        await eventually(lambda: len(counts(pbx)) == 1)

        def join(session: PeerSession, action: Action) -> bytes | None:
            if "1.2" not in peer.channels:
                peer.add("SIP/411-00000002", "1.2", "1.1", monitors=1)
            return peer._on_stopmixmonitor(session, action)

        peer.on("StopMixMonitor", join)
        result = await recording_actions.stop_call(pbx, "1.1")
        assert result.proven
        assert {uid: d.stopped for uid, d in result.channels.items()} == {"1.1": 1, "1.2": 1}


async def test_legs_that_never_cease_to_join_leave_the_call_unproven() -> None:
    async with AmiPeer() as peer, following(peer.settings()) as pbx:
        peer.add("SIP/410-00000001", "1.1")
        await eventually(lambda: len(counts(pbx)) == 1)

        def join(session: PeerSession, action: Action) -> bytes | None:
            peer.add(f"SIP/411-{len(peer.channels):08x}", f"2.{len(peer.channels)}", "1.1")
            return peer._on_stopmixmonitor(session, action)

        peer.on("StopMixMonitor", join)
        result = await recording_actions.stop_call(pbx, "1.1")
        assert not result.settled
        assert not result.proven


async def test_a_channel_the_view_does_not_know_is_drained_alone() -> None:
    async with AmiPeer() as peer, following(peer.settings()) as pbx:
        result = await recording_actions.stop_call(pbx, "9.9")
        assert result.gone
        assert stops(peer) == ["9.9"]


# mute


async def test_a_recording_is_muted_and_unmuted_in_both_directions() -> None:
    async with AmiPeer() as peer, following(peer.settings()) as pbx:
        peer.add("SIP/410-00000001", "1.1", monitors=1)
        await eventually(lambda: counts(pbx) == {"1.1": 1})
        assert (await recording_actions.mute(pbx, "1.1")).answer == "Success"
        await eventually(lambda: muted(pbx, "1.1"))
        await recording_actions.unmute(pbx, "1.1")
        await eventually(lambda: not muted(pbx, "1.1"))
        sent = [a for a in peer.received if a["Action"] == "MixMonitorMute"]
        assert [(a["Channel"], a["Direction"], a["State"]) for a in sent] == [
            ("1.1", "both", "1"),
            ("1.1", "both", "0"),
        ]


def muted(pbx: Pbx, uniqueid: str) -> bool:
    channel = pbx.graph.channel(uniqueid)
    return channel is not None and channel.muted


async def test_no_mute_goes_to_a_channel_not_known_to_carry_a_recording() -> None:
    async with AmiPeer() as peer:
        peer.add("SIP/410-00000001", "1.1", monitors=1)
        async with following(peer.settings()) as pbx:
            peer.add("SIP/411-00000002", "1.2")
            await eventually(lambda: counts(pbx) == {"1.1": None, "1.2": 0})
            for uniqueid in ("1.1", "1.2", "9.9"):
                for send in (recording_actions.mute, recording_actions.unmute):
                    with pytest.raises(AmiUnsafe):
                        await send(pbx, uniqueid)
            assert "MixMonitorMute" not in peer.names()


@pytest.mark.parametrize("version", ["18.18.0", "18.19.1", "20.3.0", "20.4.0", "nonsense"])
async def test_no_mute_goes_to_a_version_that_deadlocks_or_is_not_known(version: str) -> None:
    async with AmiPeer() as peer:
        peer.asterisk = version
        peer.greeting = "Asterisk Call Manager/99.0.0"  # which tells no series
        async with following(peer.settings()) as pbx:
            peer.add("SIP/410-00000001", "1.1", monitors=1)
            await eventually(lambda: counts(pbx) == {"1.1": 1})
            with pytest.raises(AmiUnsafe) as caught:
                await recording_actions.mute(pbx, "1.1")
            assert caught.value.code == "ami.unsafe"
            assert "MixMonitorMute" not in peer.names()


async def test_a_mute_that_the_pbx_refuses_is_told() -> None:
    async with AmiPeer() as peer, following(peer.settings()) as pbx:
        peer.add("SIP/410-00000001", "1.1", monitors=1)
        await eventually(lambda: counts(pbx) == {"1.1": 1})
        peer.on("MixMonitorMute", "Response: Error\r\nMessage: Cannot set mute flag\r\n")
        with pytest.raises(AmiDenied):
            await recording_actions.mute(pbx, "1.1")
        peer.on("MixMonitorMute", "Response: Error\r\nMessage: No such channel\r\n")
        assert (await recording_actions.mute(pbx, "1.1")).gone


# start


async def test_a_recording_is_started_where_the_account_may() -> None:
    async with AmiPeer(write="call,reporting,system") as peer, following(peer.settings()) as pbx:
        peer.add("SIP/410-00000001", "1.1")
        done = await recording_actions.start(pbx, "1.1", "part-2.wav", "ab")
        assert not done.gone
        await eventually(lambda: counts(pbx) == {"1.1": 1})
        sent = peer.received[-1]
        assert (sent["File"], sent["options"], "Command" in sent) == ("part-2.wav", "ab", False)
        assert (await recording_actions.start(pbx, "9.9", "x.wav")).gone


async def test_a_start_the_account_may_not_do_is_told() -> None:
    async with AmiPeer() as peer, following(peer.settings()) as pbx:
        with pytest.raises(AmiDenied) as caught:
            await recording_actions.start(pbx, "1.1", "x.wav")
        assert caught.value.permission


@pytest.mark.parametrize(
    "file", ["a.wav,b,rm -rf /", "a.wav|x", "$(x).wav", "`x`", "^{X}", "a;b", 'a"b', "", "a\nb"]
)
async def test_a_file_name_that_could_run_a_program_is_refused(file: str) -> None:
    async with AmiPeer(write="call,reporting,system") as peer, following(peer.settings()) as pbx:
        with pytest.raises(AmiInjection):
            await recording_actions.start(pbx, "1.1", file)
        with pytest.raises(AmiInjection):
            await recording_actions.start(pbx, "1.1", "a.wav", f"b,{file}")
        assert "MixMonitor" not in peer.names()
