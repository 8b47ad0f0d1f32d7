# SPDX-License-Identifier: Apache-2.0
"""The AMI link against a scripted peer: how it comes up, notices death, comes back, ends."""

import asyncio
import logging
import re
import socket

import pytest

from ami.errors import AmiDown, AmiInjection, AmiRefused, AmiUnreachable
from ami.link.connect import keep_alive
from ami.link.supervisor import AmiLink, LinkState
from ami.settings import AmiSettings
from tests.kits.ami_client import Client, client, connected, logged_in, table
from tests.kits.ami_peer import SECRET, Action, AmiPeer, PeerSession
from tests.kits.waiting import eventually

IN_USE = "Response: Error\r\nMessage: Login Already In Use\r\n"


async def test_the_link_works_without_the_fully_booted_event() -> None:
    async with AmiPeer(read="call") as peer, client(peer.settings()) as it:
        peer.session.cut()
        await eventually(lambda: it.link.logins == 2)
        assert (await it.link.action("Ping")).ok


async def test_login_asks_for_the_wanted_event_classes_only() -> None:
    async with AmiPeer() as peer, client(peer.settings(keypad=True, user_events=True)):
        assert peer.received[0]["Events"] == "system,call,dtmf,user"


async def test_a_link_that_answers_no_ping_is_given_up_and_made_anew() -> None:
    async with (
        AmiPeer() as peer,
        client(
            peer.settings(ping_interval=0.02, dead_after=0.05, backoff_base=5.0, backoff_cap=5.0)
        ) as it,
    ):
        await peer.until(lambda: peer.names().count("Ping") >= 2)
        assert it.link.logins == 1
        peer.on("Ping", None)
        asked = len(peer.received)
        await peer.until(lambda: len(peer.received) > asked)
        last = asyncio.get_running_loop().time()
        await eventually(lambda: it.link.state is LinkState.DOWN)
        assert asyncio.get_running_loop().time() - last < 0.5
        assert "no ping" in str(it.link.problem)
        await peer.until(lambda: not peer.session.logged_in)
    async with (
        AmiPeer() as peer,
        client(peer.settings(ping_interval=0.01, dead_after=0.02)) as it,
    ):
        peer.on("Ping", None)
        await eventually(lambda: it.link.logins == 2)


async def test_unanswered_pings_leave_nothing_in_the_table() -> None:
    async with (
        AmiPeer() as peer,
        client(peer.settings(ping_interval=0.001, dead_after=60.0)) as it,
    ):
        await peer.until(lambda: peer.names().count("Ping") > 20)
        assert len(table(it.link)) <= 1


def test_a_dead_link_is_noticed_within_twelve_seconds_unless_told() -> None:
    settings = AmiSettings("u", "s")
    assert (settings.ping_interval, settings.dead_after) == (5.0, 12.0)


async def test_the_kernel_watches_the_connection_too() -> None:
    with socket.socket() as sock:
        keep_alive(sock)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 5
    async with AmiPeer() as peer, client(peer.settings()) as it:
        assert it.link._protocol is not None
        live = it.link._protocol.transport.get_extra_info("socket")
        assert live.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


async def test_a_wrong_secret_stops_the_retries_and_is_said() -> None:
    async with AmiPeer() as peer:
        peer.secret = "another"
        it = Client(peer.settings())
        with pytest.raises(AmiRefused) as caught:
            await it.task
        assert it.link.state is LinkState.REFUSED
        assert "Authentication failed" in str(caught.value)
        assert "manager.conf" in caught.value.fix
        await asyncio.sleep(0.02)
        assert peer.names() == ["Login"]
        with pytest.raises(AmiDown):
            await it.link.action("Ping")


async def test_an_action_before_the_login_is_done_is_refused_at_once() -> None:
    async with AmiPeer() as peer:
        peer.on("Login", None)
        async with client(peer.settings(), wait=False) as it:
            await peer.until(lambda: "Login" in peer.names())
            with pytest.raises(AmiDown) as caught:
                await it.link.action("Ping")
            assert not caught.value.sent


async def test_a_refusal_that_takes_a_second_is_no_timeout() -> None:
    # Asterisk waits 1 s before it says that a secret is wrong
    assert AmiSettings("u", "s").connect_timeout >= 2.0
    async with AmiPeer() as peer:

        async def slow(_session: PeerSession, _action: Action) -> bytes:
            await asyncio.sleep(0.02)
            return b"Response: Error\r\nMessage: Authentication failed\r\n"

        peer.on("Login", slow)
        it = Client(peer.settings())
        with pytest.raises(AmiRefused):
            await it.task


@pytest.mark.parametrize("said", ["Permission denied", "Something new", ""])
async def test_any_other_refusal_of_the_login_stops_the_retries_too(said: str) -> None:
    async with AmiPeer() as peer:
        peer.on("Login", f"Response: Error\r\nMessage: {said}\r\n")
        it = Client(peer.settings())
        with pytest.raises(AmiRefused, match=said or "no reason given"):
            await it.task
        assert peer.names() == ["Login"]


async def test_a_secret_changed_while_the_link_was_down_stops_the_retries() -> None:
    async with AmiPeer() as peer, client(peer.settings()) as it:
        peer.secret = "another"
        peer.session.cut()
        await eventually(it.task.done)
        assert isinstance(it.task.exception(), AmiRefused)
        assert peer.names() == ["Login", "Login"]


async def test_an_account_in_use_is_a_refusal_at_first() -> None:
    async with AmiPeer() as peer:
        peer.on("Login", IN_USE)
        it = Client(peer.settings())
        with pytest.raises(AmiRefused) as caught:
            await it.task
        assert "account of its own" in caught.value.fix


async def test_an_account_still_held_by_our_own_dead_connection_is_waited_for() -> None:
    async with AmiPeer() as peer, client(peer.settings()) as it:
        peer.on("Login", IN_USE)
        peer.session.cut()
        await peer.until(lambda: peer.names().count("Login") >= 4)
        peer.handlers.clear()
        await eventually(lambda: it.link.logins == 2)


async def test_no_text_and_no_repr_shows_the_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with AmiPeer() as peer:
        peer.secret = "another"
        it = Client(peer.settings())
        with pytest.raises(AmiRefused) as caught:
            await it.task
        bad = Client(peer.settings(secret=f"{SECRET}\r\nAction: Originate"))
        with pytest.raises(AmiInjection) as refused:
            await bad.task
        shown = [repr(caught.value), str(caught.value), repr(refused.value), str(refused.value)]
        shown += [repr(peer.settings()), repr(it.link), caplog.text]
        assert not any(SECRET in text for text in shown)
        assert peer.names() == ["Login"]


async def test_an_action_that_waits_shows_no_value_in_its_repr() -> None:
    async with AmiPeer() as peer, client(peer.settings()) as it:
        peer.on("Setvar", None)
        waiting = asyncio.create_task(it.link.action("Setvar", {"Variable": "X", "Value": SECRET}))
        await peer.until(lambda: "Setvar" in peer.names())
        assert "Setvar" in repr(table(it.link))
        assert SECRET not in repr(table(it.link))
        waiting.cancel()


async def test_reconnects_wait_a_random_part_of_a_span_that_doubles_to_its_cap(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = AmiSettings("u", "s", port=port, backoff_base=0.2, backoff_cap=1.6)
    caplog.set_level(logging.WARNING)
    it = Client(settings, lambda: 0.01)
    await eventually(lambda: len(caplog.records) >= 6)
    await it.link.close()
    pauses = re.findall(r"retry_in=(\S+)", caplog.text)
    assert pauses[:6] == ["0.002", "0.004", "0.008", "0.016", "0.016", "0.016"]


async def test_the_first_connection_that_fails_raises_nothing_and_is_tried_again() -> None:
    async with AmiPeer() as peer:
        await peer.silence()
        async with client(peer.settings(), wait=False) as it:
            await eventually(lambda: isinstance(it.link.problem, AmiUnreachable))
            await peer.listen()
            await connected(it.link)
            assert it.link.problem is None


async def test_a_login_that_does_not_last_does_not_reset_the_backoff() -> None:
    async with AmiPeer() as peer:

        def drop(session: PeerSession, _action: Action) -> bytes | None:
            asyncio.get_running_loop().call_later(0.001, session.cut)
            return b"Response: Success\r\nMessage: Authentication accepted\r\n"

        peer.on("Login", drop)
        it = Client(peer.settings(backoff_base=0.005, backoff_cap=10.0), lambda: 1.0)
        started = asyncio.get_running_loop().time()
        await peer.until(lambda: peer.names().count("Login") == 5)
        assert asyncio.get_running_loop().time() - started >= 0.005 * (1 + 2 + 4 + 8)
        await it.link.close()
        await it.task


async def test_a_login_that_lasted_makes_the_next_reconnect_quick_again() -> None:
    async with AmiPeer() as peer:
        settings = peer.settings(backoff_base=0.001, backoff_cap=600.0, stable_after=0.0)
        it = Client(settings, lambda: 1.0)
        for logins in range(1, 25):  # the span would be hours by now
            await logged_in(it.link, logins)
            peer.session.cut()
        await it.link.close()
        await it.task


async def test_close_during_the_reconnect_pause_really_stops() -> None:
    async with AmiPeer() as peer:
        it = Client(peer.settings(backoff_base=0.02, backoff_cap=0.02), lambda: 1.0)
        await connected(it.link)
        peer.session.cut()
        await eventually(lambda: it.states[-1] is LinkState.DOWN)
        await it.link.close()
        await it.task
        await asyncio.sleep(0.04)
        assert len(peer.sessions) == 1
        assert it.link.state is LinkState.CLOSED


async def test_close_while_connecting_or_logging_in_really_stops() -> None:
    async with AmiPeer() as peer:
        peer.greet = False
        it = Client(peer.settings())
        await peer.until(lambda: peer.sessions)
        await it.link.close()
        await it.task
        await it.link.close()
        assert len(peer.sessions) == 1


async def test_a_link_closed_before_it_ran_never_connects() -> None:
    async with AmiPeer() as peer:
        link = AmiLink(peer.settings(), sink=lambda _: None)
        await link.close()
        await link.run()
        assert link.state is LinkState.CLOSED
        assert peer.sessions == []


async def test_cancelling_the_run_closes_the_connection_and_passes_on() -> None:
    async with AmiPeer() as peer:
        it = Client(peer.settings())
        await connected(it.link)
        it.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await it.task
        await peer.until(lambda: not peer.session.logged_in)


async def test_there_is_one_connection_at_a_time_and_one_owner_of_retries() -> None:
    async with AmiPeer() as peer, client(peer.settings()) as it:
        for logins in range(2, 12):
            peer.session.cut()
            await logged_in(it.link, logins)
            assert sum(session.logged_in for session in peer.sessions) == 1
        await asyncio.sleep(0.02)
        assert len(peer.sessions) == 11


async def test_each_state_is_told_as_it_comes() -> None:
    async with AmiPeer() as peer, client(peer.settings()) as it:
        peer.session.cut()
        await eventually(lambda: it.link.logins == 2)
    up = [LinkState.CONNECTING, LinkState.UP, LinkState.DOWN]
    assert it.states == [*up, *up, LinkState.CLOSED]


async def test_whoever_needs_the_link_does_not_wait_for_a_pause_that_has_grown() -> None:
    async with AmiPeer() as peer:
        settings = peer.settings(backoff_base=0.001, backoff_cap=600.0)
        quick = [0.0] * 25
        it = Client(settings, lambda: quick.pop() if quick else 1.0)
        await connected(it.link)
        await peer.silence()
        await eventually(lambda: not quick)
        await asyncio.sleep(0.05)  # the next pause is ten minutes
        await peer.listen()
        it.link.nudge()
        await logged_in(it.link, 2)
        await it.link.close()
        await it.task
