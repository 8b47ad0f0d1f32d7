# SPDX-License-Identifier: Apache-2.0
"""A PBX's view kept by its events: true when it says so, whatever was missed in between."""

import asyncio
import logging
from itertools import pairwise

import pytest

from ami.calls.graph import CallGraph
from ami.errors import AmiDenied, AmiDown, AmiRefused
from ami.events.types import Event, Hangup, MixMonitorStart, Newchannel, UserEvent
from ami.pbx import Pbx
from tests.kits.ami_client import counts, following
from tests.kits.ami_peer import Action, AmiPeer, PeerSession
from tests.kits.waiting import eventually, patience


def feed(pbx: Pbx, text: str) -> None:
    """Have the link read this, at this very moment."""
    assert pbx.link._protocol is not None
    pbx.link._protocol.data_received(text.encode())


def two_legs(peer: AmiPeer, monitors: int = 1) -> None:
    peer.add("SIP/410-00000001", "1.1", monitors=monitors).bridge = "b1"
    peer.add("SIP/411-00000002", "1.2", "1.1").bridge = "b1"


# the view


async def test_calls_that_were_there_before_us_are_known_after_the_login() -> None:
    async with AmiPeer() as peer:
        two_legs(peer)
        async with following(peer.settings()) as pbx:
            (call,) = pbx.graph.calls()
            assert call.extensions == ("410", "411")
            assert pbx.graph.two_party("1.1")
            assert pbx.graph.known


async def test_without_the_command_class_nobody_claims_to_know_the_monitors() -> None:
    async with AmiPeer() as peer:
        two_legs(peer)
        async with following(peer.settings()) as pbx:
            assert counts(pbx) == {"1.1": None, "1.2": None}
            assert "Command" not in peer.names()


async def test_with_the_command_class_the_monitors_are_counted() -> None:
    async with AmiPeer(write="call,reporting,command") as peer:
        two_legs(peer, monitors=2)
        async with following(peer.settings()) as pbx:
            assert counts(pbx) == {"1.1": 2, "1.2": 0}


async def test_events_keep_the_view_after_the_listing() -> None:
    async with AmiPeer() as peer, following(peer.settings()) as pbx:
        two_legs(peer)
        await eventually(lambda: counts(pbx) == {"1.1": 1, "1.2": 0})
        peer.hangup("1.1")
        peer.hangup("1.2")
        await eventually(lambda: not pbx.graph.calls())


async def test_the_view_is_unknown_from_the_moment_the_link_goes() -> None:
    async with AmiPeer() as peer, following(peer.settings()) as pbx:
        two_legs(peer)
        await eventually(lambda: len(counts(pbx)) == 2)
        await peer.silence()
        await eventually(lambda: not pbx.graph.known)
        assert not await pbx.wait_known(0.01)
        with pytest.raises(AmiDown):
            await pbx.action("Ping")


async def test_calls_that_ended_while_the_link_was_down_are_no_ghosts() -> None:
    async with AmiPeer() as peer, following(peer.settings()) as pbx:
        two_legs(peer)
        peer.add("SIP/420-00000003", "1.3")
        await eventually(lambda: len(counts(pbx)) == 3)
        await peer.silence()
        await eventually(lambda: not pbx.graph.known)
        peer.channels.clear()  # the PBX was restarted
        peer.add("SIP/430-00000000", "2.1")
        await peer.listen()
        assert await pbx.wait_known(patience())
        assert list(counts(pbx)) == ["2.1"]


async def test_events_of_the_old_connection_are_no_news_after_a_reconnect() -> None:
    async with AmiPeer() as peer, following(peer.settings()) as pbx:
        two_legs(peer)
        await eventually(lambda: len(counts(pbx)) == 2)
        # taken in, and not applied yet when the link goes
        feed(pbx, f"Event: Newstate\r\n{peer.channels['1.2'].snapshot()}\r\n" * 20_000)
        peer.channels.pop("1.2")
        assert pbx.link._protocol is not None
        pbx.link._protocol.close()
        await eventually(lambda: pbx.link.logins == 2)
        assert await pbx.wait_known(patience())
        assert list(counts(pbx)) == ["1.1"]


async def test_events_that_come_while_the_listing_is_taken_win_over_it() -> None:
    async with AmiPeer() as peer:
        two_legs(peer)

        def listing(session: PeerSession, action: Action) -> bytes | None:
            said = peer._on_coreshowchannels(session, action)
            peer.hangup("1.2")
            peer.add("SIP/412-00000003", "1.3", "1.1")
            return said

        peer.on("CoreShowChannels", listing)
        async with following(peer.settings()) as pbx:
            assert sorted(counts(pbx)) == ["1.1", "1.3"]


async def test_a_recording_that_starts_while_monitors_are_counted_is_not_counted_twice() -> None:
    async with AmiPeer(write="call,reporting,command") as peer:
        two_legs(peer, monitors=0)
        started: list[bool] = []

        def command(session: PeerSession, action: Action) -> bytes | None:
            if action["Command"].startswith("mixmonitor") and not started:
                started.append(True)
                session.send("Event: BridgeDestroy\r\nBridgeUniqueid: x\r\n\r\n" * 5000)
                peer.start("1.1")
            return peer._on_command(session, action)

        peer.on("Command", command)
        async with following(peer.settings()) as pbx:
            assert counts(pbx)["1.1"] in {None, 1}
            await asyncio.sleep(0.01)
            assert counts(pbx) == {"1.1": None, "1.2": 0}


async def test_a_listing_broken_by_a_lost_link_is_taken_again() -> None:
    async with AmiPeer() as peer:
        two_legs(peer)
        broken: list[bool] = []

        def listing(session: PeerSession, action: Action) -> bytes | None:
            if not broken:
                broken.append(True)
                session.cut()
            return peer._on_coreshowchannels(session, action)

        peer.on("CoreShowChannels", listing)
        async with following(peer.settings()) as pbx:
            assert len(counts(pbx)) == 2
            assert pbx.link.logins == 2


async def test_a_listing_that_is_refused_is_asked_for_again_and_the_view_stays_unknown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    async with AmiPeer(write="call") as peer, following(peer.settings(), known=False) as pbx:
        await peer.until(lambda: peer.names().count("CoreShowChannels") >= 2)
        assert not pbx.graph.known
        assert "Permission denied" in caplog.text


# the queue


def nine() -> str:
    return "".join(
        f"Event: Newchannel\r\nChannel: SIP/41{n}-1\r\nUniqueid: 9.{n}\r\n\r\n" for n in range(9)
    )


async def test_a_dropped_event_makes_the_view_unknown_until_a_new_listing() -> None:
    async with AmiPeer() as peer, following(peer.settings(queue_limit=8)) as pbx:
        listings = peer.names().count("CoreShowChannels")
        feed(pbx, nine())
        assert pbx.dropped == 9
        assert not pbx.graph.known
        assert await pbx.wait_known(patience())
        assert peer.names().count("CoreShowChannels") == listings + 1
        assert counts(pbx) == {}


async def test_a_listing_asked_for_before_an_event_was_dropped_is_not_believed() -> None:
    async with AmiPeer() as peer, following(peer.settings(queue_limit=8)) as pbx:
        held: list[Action] = []

        def hold(_session: PeerSession, action: Action) -> bytes | None:
            held.append(action)
            return None

        peer.on("CoreShowChannels", hold)
        feed(pbx, nine())
        await peer.until(lambda: held)
        feed(pbx, nine())
        peer.session.send(peer.reply(held[0], peer._on_coreshowchannels(peer.session, held[0])))
        await peer.until(lambda: len(held) == 2)
        assert not pbx.graph.known
        peer.session.send(peer.reply(held[1], peer._on_coreshowchannels(peer.session, held[1])))
        assert await pbx.wait_known(patience())
        assert pbx.dropped == 18


async def test_a_flood_lets_others_have_their_turn() -> None:
    async with AmiPeer() as peer, following(peer.settings()) as pbx:
        turns: list[int] = []
        seen: list[Event] = []
        pbx.subscribe(lambda event, _: seen.append(event))
        packet = "Event: Hangup\r\nChannel: c\r\nUniqueid: 1.{0}\r\nLinkedid: 1.{0}\r\n\r\n"
        assert pbx.link._protocol is not None
        pbx.link._protocol.data_received("".join(packet.format(n) for n in range(5000)).encode())
        while len(seen) < 5000:
            turns.append(len(seen))
            await asyncio.sleep(0)
        assert len(turns) >= 20
        assert max(b - a for a, b in pairwise(turns)) <= 200


async def test_subscribers_are_told_in_order_after_the_graph_has_taken_the_event() -> None:
    async with AmiPeer() as peer, following(peer.settings(user_events=True)) as pbx:
        told: list[tuple[str, bool]] = []

        def subscriber(event: Event, graph: CallGraph) -> None:
            told.append((type(event).__name__, graph.channel("1.1") is not None))

        end = pbx.subscribe(subscriber)
        peer.add("SIP/410-00000001", "1.1", monitors=1)
        peer.event("UserEvent", "UserEvent: Press\r\nUniqueid: 1.1\r\n", "user")
        peer.hangup("1.1")
        await eventually(lambda: len(told) == 4)
        assert told == [
            (Newchannel.__name__, True),
            (MixMonitorStart.__name__, True),
            (UserEvent.__name__, True),
            (Hangup.__name__, False),
        ]
        end()
        peer.add("SIP/410-00000002", "1.2")
        await eventually(lambda: len(counts(pbx)) == 1)
        assert len(told) == 4


async def test_a_subscriber_that_fails_harms_neither_the_others_nor_the_link(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL)
    async with AmiPeer() as peer, following(peer.settings()) as pbx:
        told: list[Event] = []

        def bad(_event: Event, _graph: CallGraph) -> None:
            raise KeyError("odd")

        pbx.subscribe(bad)
        pbx.subscribe(lambda event, _: told.append(event))
        peer.add("SIP/410-00000001", "1.1")
        await eventually(lambda: told)
        assert pbx.faults == 1
        assert pbx.graph.known
        assert pbx.link.logins == 1


async def test_a_graph_that_fails_on_an_event_is_not_believed_until_it_is_built_anew(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Fragile(CallGraph):
        def apply(self, event: Event) -> None:
            if isinstance(event, Hangup):
                raise KeyError("odd")
            super().apply(event)

    caplog.set_level(logging.CRITICAL)
    async with AmiPeer() as peer:
        pbx = Pbx(peer.settings(), graph=Fragile())
        running = asyncio.create_task(pbx.run())
        assert await pbx.wait_known(patience())
        two_legs(peer)
        await eventually(lambda: len(counts(pbx)) == 2)
        peer.hangup("1.2")
        await eventually(lambda: pbx.faults)
        assert await pbx.wait_known(patience())
        await eventually(lambda: list(counts(pbx)) == ["1.1"])
        await pbx.close()
        await running


# what it tells


@pytest.mark.parametrize(("series", "version"), [("16", (16, 28, 0)), ("22", (22, 10, 1))])
async def test_the_version_is_known_when_the_view_is(series: str, version: tuple[int, ...]) -> None:
    async with AmiPeer(version=series) as peer, following(peer.settings()) as pbx:
        assert pbx.version == version


async def test_a_variable_is_read_by_uniqueid_and_an_unset_one_is_empty() -> None:
    async with AmiPeer() as peer, following(peer.settings()) as pbx:
        peer.add("SIP/410-00000001", "1.1").variables["AGENT"] = "José"
        assert await pbx.getvar("1.1", "AGENT") == "José"
        assert await pbx.getvar("1.1", "NONE") == ""
        with pytest.raises(AmiDenied) as caught:
            await pbx.getvar("9.9", "AGENT")
        assert caught.value.answer == "No such channel"


async def test_a_refused_login_ends_the_run_with_the_plain_error() -> None:
    async with AmiPeer() as peer:
        peer.secret = "another"
        pbx = Pbx(peer.settings())
        with pytest.raises(AmiRefused):
            await pbx.run()
        assert not pbx.graph.known


async def test_nothing_runs_on_after_close() -> None:
    async with AmiPeer() as peer:
        before = asyncio.all_tasks()
        async with following(peer.settings()):
            pass
        await peer.until(lambda: not peer.session.logged_in)
        await eventually(lambda: asyncio.all_tasks() == before)
