# SPDX-License-Identifier: Apache-2.0
"""The AMI link against a scripted peer: what actions and events meet, whatever the PBX does."""

import asyncio
import copy
import inspect
import logging
import pickle
import socket

import pytest

from ami.errors import AmiDenied, AmiDown, AmiInjection, AmiTimeout
from ami.events.types import Event, Hangup, Newchannel, UserEvent
from ami.link.supervisor import AmiLink, LinkState
from ami.settings import AmiSettings
from tests.kits.ami_client import client, connected, table
from tests.kits.ami_peer import Action, AmiPeer, PeerSession
from tests.kits.waiting import eventually, patience, safety_net

# what an action meets


async def test_an_action_gets_its_own_answer_when_answers_come_in_another_order() -> None:
    async with AmiPeer() as peer, client(peer.settings()) as it:
        first_asked: list[Action] = []

        def hold(session: PeerSession, action: Action) -> bytes | None:
            if not first_asked:
                first_asked.append(action)
                return None
            late = f"ActionID: {first_asked[0]['ActionID']}\r\nValue: first\r\n\r\n"
            session.send(f"Response: Success\r\nActionID: {action['ActionID']}\r\nValue: 2\r\n\r\n")
            session.send(f"Response: Success\r\n{late}")
            return None

        peer.on("Getvar", hold)
        fields = {"Channel": "1.1", "Variable": "X"}
        one, two = await asyncio.gather(
            it.link.action("Getvar", fields), it.link.action("Getvar", fields)
        )
        assert (one.headers["Value"], two.headers["Value"]) == ("first", "2")


async def test_an_unanswered_action_is_not_sent_again_after_a_reconnect() -> None:
    async with AmiPeer() as peer, client(peer.settings()) as it:
        peer.on("StopMixMonitor", None)
        waiting = asyncio.create_task(it.link.action("StopMixMonitor", {"Channel": "1.1"}))
        await peer.until(lambda: "StopMixMonitor" in peer.names())
        peer.session.cut()
        with pytest.raises(AmiDown) as caught:
            await waiting
        assert caught.value.sent
        await eventually(lambda: it.link.logins == 2)
        await it.link.action("Ping")
        assert peer.names().count("StopMixMonitor") == 1


async def test_an_action_while_the_link_is_down_is_refused_at_once_and_never_delivered() -> None:
    async with AmiPeer() as peer, client(peer.settings()) as it:
        await peer.silence()
        await eventually(lambda: it.link.state is not LinkState.UP)
        with pytest.raises(AmiDown) as caught:
            await it.link.action("StopMixMonitor", {"Channel": "1.1"})
        assert not caught.value.sent
        await peer.listen()
        await connected(it.link)
        await it.link.action("Ping")
        assert "StopMixMonitor" not in peer.names()


async def test_an_action_before_the_first_connection_is_refused_at_once() -> None:
    link = AmiLink(AmiSettings("u", "s"), sink=lambda _: None)
    with pytest.raises(AmiDown):
        await link.action("Ping")
    with pytest.raises(AmiDown):
        await link.action_list("CoreShowChannels")


async def test_an_action_on_a_connection_that_is_closing_is_refused_and_not_written() -> None:
    async with AmiPeer() as peer, client(peer.settings()) as it:
        assert it.link._protocol is not None
        it.link._protocol.transport.close()
        with pytest.raises(AmiDown) as caught:
            await it.link.action("StopMixMonitor", {"Channel": "1.1"})
        assert not caught.value.sent


async def test_an_action_is_refused_when_the_pbx_takes_nothing_in() -> None:
    async with AmiPeer() as peer, client(peer.settings()) as it:
        assert it.link._protocol is not None
        # The kernel drops a link whose bytes nobody takes in for 12 s; filling it may take longer.
        wire = it.link._protocol.transport.get_extra_info("socket")
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 0)
        blocked = asyncio.Event()

        async def block(_session: PeerSession, _action: Action) -> bytes | None:
            await blocked.wait()
            return None

        peer.on("Setvar", block)
        fields = {"Variable": "X", "Value": "x" * 1000}
        calls: list[asyncio.Task[object]] = []
        async with safety_net("a call is refused"):
            while not any(call.done() for call in calls):
                calls += [
                    asyncio.create_task(it.link.action("Setvar", fields, timeout=patience()))
                    for _ in range(500)
                ]
                await asyncio.sleep(0)
        refused = next(call.exception() for call in calls if call.done())
        assert isinstance(refused, AmiDown)
        assert "takes nothing in" in str(refused)
        blocked.set()
        await it.link.close()
        await asyncio.gather(*calls, return_exceptions=True)


async def test_an_action_without_an_answer_ends_at_its_deadline() -> None:
    async with AmiPeer() as peer, client(peer.settings()) as it:
        peer.on("Getvar", None)
        with pytest.raises(AmiTimeout) as caught:
            await it.link.action("Getvar", {"Variable": "X"}, timeout=0.01)
        assert (caught.value.action, caught.value.seconds) == ("Getvar", 0.01)
        assert it.link.timeouts == 1
        assert it.link.state is LinkState.UP


def test_the_deadline_is_one_second_unless_told() -> None:
    for method in (AmiLink.action, AmiLink.action_list):
        assert inspect.signature(method).parameters["timeout"].default == 1.0


async def test_after_a_deadline_nothing_is_left_and_a_late_answer_finds_nobody() -> None:
    async with AmiPeer() as peer, client(peer.settings()) as it:
        peer.on("Getvar", None)
        for _ in range(3):
            with pytest.raises(AmiTimeout):
                await it.link.action("Getvar", {"Variable": "X"}, timeout=0.001)
        assert table(it.link) == {}
        late = next(a for a in peer.received if a["Action"] == "Getvar")["ActionID"]
        peer.session.send(f"Response: Success\r\nActionID: {late}\r\nValue: late\r\n\r\n")
        assert (await it.link.action("Ping")).ok
        assert table(it.link) == {}
        assert it.events == []


async def test_a_cancelled_action_leaves_nothing_behind() -> None:
    async with AmiPeer() as peer, client(peer.settings()) as it:
        peer.on("Getvar", None)
        waiting = asyncio.create_task(it.link.action("Getvar", {"Variable": "X"}))
        await peer.until(lambda: "Getvar" in peer.names())
        waiting.cancel()
        await asyncio.wait({waiting})
        assert waiting.cancelled()
        assert table(it.link) == {}


async def test_a_list_cut_by_a_lost_link_fails_at_once() -> None:
    async with AmiPeer() as peer, client(peer.settings()) as it:
        peer.on("CoreShowChannels", "Response: Success\r\nEventList: start\r\n")
        waiting = asyncio.create_task(it.link.action_list("CoreShowChannels", timeout=60))
        await peer.until(lambda: "CoreShowChannels" in peer.names())
        await asyncio.sleep(0.01)
        peer.session.cut()
        with pytest.raises(AmiDown):
            await waiting


async def test_rows_of_a_list_reach_the_action_alone_and_other_events_the_sink() -> None:
    async with AmiPeer() as peer, client(peer.settings()) as it:
        for n in range(3):
            peer.channels[f"1.{n}"] = peer.add(f"SIP/41{n}-0000000{n}", f"1.{n}")
        rows = await it.link.action_list("CoreShowChannels")
        assert [row.headers["Uniqueid"] for row in rows] == ["1.0", "1.1", "1.2"]
        assert all(row.headers["CallerIDName"] == "José" for row in rows)
        assert [type(event) for event in it.events] == [Newchannel] * 3


async def test_events_sent_between_the_rows_of_a_list_reach_the_sink() -> None:
    async with AmiPeer() as peer, client(peer.settings(user_events=True)) as it:

        def mixed(session: PeerSession, action: Action) -> bytes | None:
            own = f"ActionID: {action['ActionID']}\r\n"
            session.send(f"Response: Success\r\n{own}EventList: start\r\n\r\n")
            session.send(f"Event: CoreShowChannel\r\n{own}Channel: A\r\nUniqueid: 1.1\r\n\r\n")
            session.send("Event: Hangup\r\nChannel: B\r\nUniqueid: 1.2\r\nLinkedid: 1.2\r\n\r\n")
            session.send(f"Event: UserEvent\r\nUserEvent: stop\r\n{own}\r\n")
            session.send(f"Event: CoreShowChannelsComplete\r\n{own}EventList: Complete\r\n\r\n")
            return None

        peer.on("CoreShowChannels", mixed)
        rows = await it.link.action_list("CoreShowChannels")
        assert [row.headers["Channel"] for row in rows] == ["A"]
        assert [type(event) for event in it.events] == [Hangup, UserEvent]


async def test_events_that_came_before_an_answer_are_in_the_sink_when_it_is_given() -> None:
    async with AmiPeer() as peer, client(peer.settings()) as it:
        packet = "Event: Hangup\r\nChannel: {0}\r\nUniqueid: {0}\r\nLinkedid: {0}\r\n\r\n"
        seen: list[int] = []

        def answer(session: PeerSession, action: Action) -> bytes | None:
            own = f"ActionID: {action['ActionID']}\r\n"
            session.send(
                f"{packet.format('1.1')}Response: Success\r\n{own}\r\n{packet.format('1.2')}"
            )
            return None

        peer.on("Getvar", answer)
        asked = asyncio.create_task(it.link.action("Getvar", {"Variable": "X"}))
        asked.add_done_callback(lambda _: seen.append(len(it.events)))
        await asked
        await eventually(lambda: len(it.events) == 2)
        assert it.reads == [1, 1]


async def test_an_event_with_the_id_of_a_plain_action_goes_to_the_sink() -> None:
    async with (
        AmiPeer(write="call,reporting,user") as peer,
        client(peer.settings(user_events=True)) as it,
    ):
        assert (await it.link.action("UserEvent", {"UserEvent": "Probe"})).message == "Event Sent"
        await eventually(lambda: it.events)
        assert isinstance(it.events[0], UserEvent)


async def test_a_list_that_is_refused_ends_at_once() -> None:
    async with AmiPeer(write="call") as peer, client(peer.settings()) as it:
        with pytest.raises(AmiDenied) as caught:
            await it.link.action_list("CoreShowChannels", timeout=60)
        assert caught.value.permission


async def test_a_list_cut_short_by_the_pbx_is_no_list() -> None:
    async with AmiPeer() as peer, client(peer.settings()) as it:
        peer.on(
            "BridgeList",
            lambda _, action: (
                "Response: Success\r\nEventList: start\r\n\r\nEvent: BridgeListComplete\r\n"
                f"ActionID: {action['ActionID']}\r\nEventList: cancelled\r\n"
            ).encode(),
        )
        with pytest.raises(AmiDenied):
            await it.link.action_list("BridgeList")


@pytest.mark.parametrize(
    "text", ["Channels will follow", "Added interface to queue", "Originate successfully queued"]
)
async def test_no_wording_of_an_answer_makes_it_a_list(text: str) -> None:
    async with AmiPeer() as peer, client(peer.settings()) as it:
        peer.on("Getvar", f"Response: Success\r\nMessage: {text}\r\n")
        assert (await it.link.action("Getvar", {"Variable": "X"})).message == text


async def test_a_line_break_in_a_value_sends_nothing_at_all() -> None:
    async with AmiPeer() as peer, client(peer.settings()) as it:
        evil = "Bob\r\n\r\nAction: Command\r\nCommand: core stop now"
        with pytest.raises(AmiInjection):
            await it.link.action("Setvar", {"Variable": "CALLERID(name)", "Value": evil})
        with pytest.raises(AmiInjection):
            await it.link.action("Setvar", {"ActionID": "mine"})
        await it.link.action("Ping")
        assert peer.names() == ["Login", "Ping"]
        assert table(it.link) == {}


async def test_the_callers_own_fields_are_not_changed() -> None:
    async with AmiPeer() as peer, client(peer.settings()) as it:
        fields = {"Channel": "1.1", "Variable": "X"}
        await it.link.action("Getvar", fields)
        assert fields == {"Channel": "1.1", "Variable": "X"}


async def test_an_answer_is_plain_data_that_can_be_copied_and_stored() -> None:
    async with AmiPeer() as peer, client(peer.settings()) as it:
        peer.add("SIP/410-00000001", "1.1")
        answer = await it.link.action("Getvar", {"Channel": "1.1", "Variable": "X"})
        assert answer.headers["Value"] == ""
        assert pickle.loads(pickle.dumps(answer)) == copy.deepcopy(answer) == answer


async def test_two_links_in_one_process_never_use_the_same_action_id() -> None:
    async with (
        AmiPeer() as peer,
        client(peer.settings()) as one,
        client(peer.settings()) as two,
    ):
        for it in (one, two, one, two):
            await it.link.action("Ping")
        ids = [action["ActionID"] for action in peer.received]
        assert len(set(ids)) == len(ids) == 6


# what the reader meets


async def test_a_character_cut_by_a_read_is_not_lost() -> None:
    async with AmiPeer() as peer, client(peer.settings()) as it:
        packet = (
            "Event: Newchannel\r\nChannel: SIP/410-1\r\nCallerIDName: José\r\n"
            "Uniqueid: 1.1\r\nLinkedid: 1.1\r\n\r\n"
        ).encode()
        cut = packet.index("é".encode()) + 1
        peer.session.send(packet[:cut])
        await peer.session.writer.drain()
        await asyncio.sleep(0.01)
        assert it.events == []
        peer.session.send(packet[cut:])
        await eventually(lambda: it.events)
        assert isinstance(it.events[0], Newchannel)
        assert it.events[0].caller_name == "José"


async def test_packets_survive_any_cut_of_the_bytes() -> None:
    async with AmiPeer() as peer, client(peer.settings()) as it:
        assert it.link._protocol is not None
        stream = b"".join(
            f"Event: Hangup\r\nChannel: é{n}\r\nUniqueid: 1.{n}\r\nLinkedid: 1.{n}\r\n\r\n".encode()
            for n in range(4)
        )
        for at in range(1, len(stream)):
            it.link._protocol.data_received(stream[:at])
            it.link._protocol.data_received(stream[at:])
        assert len(it.events) == 4 * (len(stream) - 1)
        assert {event.channel for event in it.events if isinstance(event, Hangup)} == {
            "é0",
            "é1",
            "é2",
            "é3",
        }
        for byte in stream:
            it.link._protocol.data_received(bytes([byte]))
        assert len(it.events) == 4 * len(stream)


async def test_events_come_once_a_read_in_order_and_make_no_tasks() -> None:
    async with AmiPeer() as peer, client(peer.settings()) as it:
        before = len(asyncio.all_tasks())
        for n in range(5000):
            peer.session.send(
                f"Event: Hangup\r\nChannel: c\r\nUniqueid: 1.{n}\r\nLinkedid: 1.{n}\r\n\r\n"
            )
        await eventually(lambda: len(it.events) == 5000)
        assert [e.uniqueid for e in it.events if isinstance(e, Hangup)] == [
            f"1.{n}" for n in range(5000)
        ]
        assert len(it.reads) < 500
        assert len(asyncio.all_tasks()) == before


async def test_a_sink_that_fails_does_not_cost_the_connection_and_is_a_gap(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with AmiPeer() as peer:
        link: AmiLink
        gaps: list[str] = []

        def sink(_: list[Event]) -> None:
            raise KeyError("odd")

        link = AmiLink(peer.settings(), sink=sink, on_gap=gaps.append)
        running = asyncio.create_task(link.run())
        await connected(link)
        with caplog.at_level(logging.CRITICAL):
            peer.add("SIP/410-00000001", "1.1")
            await eventually(lambda: gaps)
        assert (await link.action("Ping")).ok
        assert link.logins == 1
        await link.close()
        await running


async def test_an_empty_line_too_many_loses_no_event() -> None:
    async with AmiPeer() as peer, client(peer.settings()) as it:
        packet = "Event: Hangup\r\nChannel: c\r\nUniqueid: 1.1\r\nLinkedid: 1.1\r\n\r\n"
        peer.session.send(f"\r\n{packet}\r\n\r\n{packet}")
        await eventually(lambda: len(it.events) == 2)


async def test_megabytes_without_an_end_are_not_collected() -> None:
    async with AmiPeer() as peer, client(peer.settings()) as it:
        peer.session.send("Event: " + "x" * (5 * 1024 * 1024))
        await eventually(lambda: LinkState.DOWN in it.states)
        await eventually(lambda: it.link.logins == 2)


async def test_an_expected_event_is_noticed_whoever_it_is_for() -> None:
    async with AmiPeer() as peer, client(peer.settings()) as it:
        async with it.link.expect("DeviceStateChange", "\r\nDevice: Custom:x\r\n") as seen:
            peer.event("DeviceStateChange", "Device: Custom:y\r\nState: INUSE\r\n")
            await it.link.action("Ping")
            assert not seen.done()
            peer.event("DeviceStateChange", "Device: Custom:x\r\nState: INUSE\r\n")
            await seen
        async with it.link.expect("DeviceStateChange", "\r\nDevice: Custom:x\r\n") as seen:
            peer.session.cut()
            await asyncio.wait({seen}, timeout=5)
            assert seen.cancelled()
