# SPDX-License-Identifier: Apache-2.0
"""The FastAGI server against a scripted Asterisk over loopback: the dialogue, and each attack."""

import asyncio
import logging
import re
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from agi.errors import AgiBind
from agi.press_message import Accepted, AgiPress
from agi.server import FastAgiServer
from agi.session import FastAgiSettings
from agi.verdict_message import AgiVerdict
from tests.kits.waiting import safety_net

CONFIRMED = AgiVerdict("confirmed", ("beep",), "stop confirmed")
TOLD = [
    'SET VARIABLE "OFFRECORD_PRESS" "P1"',
    'SET VARIABLE "OFFRECORD_OUTCOME" "confirmed"',
    'VERBOSE "offrecord: stop confirmed" "1"',
    'EXEC "Playback" "beep,noanswer"',
    'GET VARIABLE "PLAYBACKSTATUS"',
]


def environment(script: str = "stop", number: int = 1, name: bytes = b"Anna") -> bytes:
    return (
        (
            f"agi_network: yes\nagi_network_script: {script}\n"
            f"agi_channel: SIP/410-{number:08x}\nagi_uniqueid: 1700000000.{number}\n"
            "agi_callerid: 411\n"
        ).encode()
        + b"agi_calleridname: "
        + name
        + b"\nagi_context: internal\n\n"
    )


class Desk:
    """The daemon's side: takes presses; the test says what becomes of them."""

    def __init__(self, verdict: AgiVerdict | Exception | None = CONFIRMED) -> None:
        self.verdict = verdict
        self.presses: list[AgiPress] = []
        self.futures: list[asyncio.Future[AgiVerdict]] = []
        self.left: list[bool] = []
        self.arrived = asyncio.Event()

    def __call__(self, press: AgiPress) -> Accepted:
        self.presses.append(press)
        self.arrived.set()
        future: asyncio.Future[AgiVerdict] = asyncio.get_running_loop().create_future()
        self.futures.append(future)
        if isinstance(self.verdict, AgiVerdict):
            future.set_result(self.verdict)
        elif self.verdict is not None:
            future.set_exception(self.verdict)
        return Accepted(f"P{len(self.presses)}", future, self.left.append)


@asynccontextmanager
async def serving(
    desk: Callable[[AgiPress], Accepted], **settings: Any
) -> AsyncIterator[FastAgiServer]:
    async with (
        safety_net("the test is over before the server is"),
        FastAgiServer(desk, FastAgiSettings(port=0, **settings), clock=lambda: 1000.5) as server,
    ):
        yield server


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0)


async def gone(server: FastAgiServer) -> None:
    """Wait until every session is over."""
    await until(lambda: not server.connections)


class Asterisk:
    """The far end of one AGI session."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def command(self) -> str:
        return (await self.reader.readline()).decode().rstrip("\n")

    async def dialogue(self, *answers: bytes) -> list[str]:
        """Answer each command in turn, the rest with success; return them once the peer left."""
        commands: list[str] = []
        while line := await self.command():
            answer = answers[len(commands)] if len(commands) < len(answers) else b"200 result=0\n"
            commands.append(line)
            self.writer.write(answer)
        return commands

    def reset(self) -> None:
        """Break the connection the hard way."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()


@asynccontextmanager
async def calling(server: FastAgiServer, opening: bytes = b"") -> AsyncIterator[Asterisk]:
    reader, writer = await asyncio.open_connection(*server.address)
    try:
        writer.write(opening)
        yield Asterisk(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):  # the test broke it, or the server had a reason to
            await writer.wait_closed()


async def ask(server: FastAgiServer, opening: bytes, *answers: bytes) -> list[str]:
    async with calling(server, opening) as peer:
        return await peer.dialogue(*answers)


class TestDialogue:
    async def test_a_press_is_handed_over_and_its_verdict_told(self) -> None:
        desk = Desk()
        async with serving(desk) as server:
            assert await ask(server, environment("stop?agent=fred")) == TOLD
            await gone(server)

        assert desk.presses == [
            AgiPress(
                verb="stop",
                channel="SIP/410-00000001",
                uniqueid="1700000000.1",
                received_at=1000.5,
                caller_number="411",
                caller_name="Anna",
                context="internal",
                options={"agent": "fred"},
                way="fastagi",
            )
        ]
        assert desk.left == [True]
        assert (server.counters.presses, server.counters.told) == (1, 1)

    async def test_the_press_is_handed_over_before_any_command_is_sent(self) -> None:
        seen: list[int] = []

        class Waiting(Desk):
            def __call__(self, press: AgiPress) -> Accepted:
                seen.append(len(received))
                return super().__call__(press)

        received: list[str] = []
        async with serving(Waiting()) as server, calling(server, environment()) as peer:
            received.append(await peer.command())

        assert seen == [0]

    async def test_answers_that_came_with_the_environment_are_not_lost(self) -> None:
        opening = environment() + b"200 result=0\n" * len(TOLD)
        async with serving(Desk()) as server, calling(server, opening) as peer:
            assert [await peer.command() for _ in TOLD] == TOLD

    async def test_nothing_is_ever_sent_that_could_move_the_call(self) -> None:
        sent: list[str] = []
        for verdict in (CONFIRMED, RuntimeError("x"), None, AgiVerdict("denied", ("a", "b"))):
            async with serving(Desk(verdict), wait=0, interim_sound="beep") as server:
                sent += await ask(server, environment())
        async with serving(Desk()) as server:
            sent += await ask(server, environment("dance"))

        names = {line.split(' "')[0] for line in sent}
        assert names == {"SET VARIABLE", "VERBOSE", "EXEC", "GET VARIABLE"}
        played = [line for line in sent if line.startswith("EXEC")]
        assert all(re.fullmatch(r'EXEC "Playback" "[a-z&]+,noanswer"', line) for line in played)

    @pytest.mark.parametrize("interim", [None, "beep"])
    async def test_without_a_verdict_in_time_it_leaves_and_the_press_goes_on(
        self, interim: str | None
    ) -> None:
        desk = Desk(None)
        async with serving(desk, wait=0.01, interim_sound=interim) as server:
            commands = await ask(server, environment())
            await gone(server)

        assert commands[:3] == [
            'SET VARIABLE "OFFRECORD_PRESS" "P1"',
            'SET VARIABLE "OFFRECORD_OUTCOME" "pending"',
            'VERBOSE "offrecord: stop is taken as P1, its verdict is not known yet" "1"',
        ]
        assert commands[3:4] == ([f'EXEC "Playback" "{interim},noanswer"'] if interim else [])
        assert not desk.futures[0].done()
        assert desk.left == [False]

    async def test_a_verdict_within_the_wait_is_told(self) -> None:
        desk = Desk(None)
        async with serving(desk, wait=5) as server, calling(server, environment()) as peer:
            await desk.arrived.wait()
            desk.futures[0].set_result(CONFIRMED)

            assert await peer.dialogue() == TOLD

    async def test_no_wait_still_tells_what_is_known_already(self) -> None:
        async with serving(Desk(), wait=0) as server:
            assert await ask(server, environment()) == TOLD

    async def test_a_verdict_that_is_cancelled_is_told_as_pending(self) -> None:
        desk = Desk(None)
        async with serving(desk, wait=5) as server, calling(server, environment()) as peer:
            await desk.arrived.wait()
            desk.futures[0].cancel()

            assert 'SET VARIABLE "OFFRECORD_OUTCOME" "pending"' in await peer.dialogue()

    async def test_an_unknown_verb_is_answered_with_the_known_ones_and_a_tone(self) -> None:
        desk = Desk()
        async with serving(desk, verbs=("stop", "start"), failure_sound="buzz") as server:
            commands = await ask(server, environment("stpo"))
            await gone(server)

        assert commands == [
            'SET VARIABLE "OFFRECORD_OUTCOME" "failed"',
            'VERBOSE "offrecord: unknown verb \'stpo\', known are stop, start" "1"',
            'EXEC "Playback" "buzz,noanswer"',
            'GET VARIABLE "PLAYBACKSTATUS"',
        ]
        assert desk.presses == []
        assert server.counters.unknown_verbs == 1

    async def test_a_handler_that_breaks_is_heard_as_a_failure(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        def broken(_: AgiPress) -> Accepted:
            raise ZeroDivisionError("inside")

        async with serving(broken) as server:
            commands = await ask(server, environment())

        assert commands == [
            'SET VARIABLE "OFFRECORD_OUTCOME" "failed"',
            'VERBOSE "offrecord: an error inside offrecord" "1"',
            'EXEC "Playback" "beeperr,noanswer"',
            'GET VARIABLE "PLAYBACKSTATUS"',
        ]
        assert "ZeroDivisionError: inside" in caplog.text

    async def test_a_verdict_that_is_an_error_is_heard_as_a_failure(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with serving(Desk(ZeroDivisionError("inside"))) as server:
            commands = await ask(server, environment())

        assert 'SET VARIABLE "OFFRECORD_OUTCOME" "failed"' in commands
        assert commands[-2] == 'EXEC "Playback" "beeperr,noanswer"'
        assert "ZeroDivisionError: inside" in caplog.text

    @pytest.mark.parametrize(
        "answer",
        [
            b"200 result=-1\n",
            b"200 result=-2\n",
            b"510 Invalid or unknown command\n",
            b"520 Proper usage not available.\n",
            b"520-Wrong\nUsage: SET\n520 End of proper usage.\n",
            b"100 Trying...\n200 result=1\n",
        ],
    )
    async def test_the_rest_is_told_whatever_one_command_is_answered(self, answer: bytes) -> None:
        desk = Desk()
        async with serving(desk) as server:
            assert await ask(server, environment(), *[answer] * 4) == TOLD
            await gone(server)

        assert desk.left == [answer.startswith(b"100")]

    async def test_a_sound_without_a_file_is_not_told_and_logged(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        desk = Desk()
        fine = b"200 result=0\n"
        async with serving(desk) as server:
            answers = [fine, fine, fine, fine, b"200 result=1 (FAILED)\n"]
            assert await ask(server, environment(), *answers) == TOLD
            await gone(server)

        assert desk.left == [False]
        assert server.counters.told == 0
        assert "no file for a sound of ('beep',)" in caplog.text


class TestHangup:
    """The channel may go at any point; the press never does."""

    @pytest.mark.parametrize("after", [0, 1, 2, 3, 4])
    @pytest.mark.parametrize("answer", [b"HANGUP\n", b"511 Command Not Permitted\n"])
    async def test_a_hangup_ends_the_session_and_no_more(self, after: int, answer: bytes) -> None:
        desk = Desk()
        async with serving(desk) as server:
            answers = [b"200 result=0\n"] * after + [answer]
            commands = await ask(server, environment(), *answers)
            await gone(server)

        assert commands == TOLD[: after + 1]
        assert desk.futures[0].result() == CONFIRMED
        assert desk.left == [False]
        assert server.counters.broken == 1

    @pytest.mark.parametrize("after", [0, 1, 2, 3])
    @pytest.mark.parametrize("way", ["close", "reset"])
    async def test_a_broken_connection_does_not_cancel_the_press(
        self, after: int, way: str
    ) -> None:
        desk = Desk(None)
        async with serving(desk, wait=5) as server:
            async with calling(server, environment()) as peer:
                await desk.arrived.wait()
                if after:
                    desk.futures[0].set_result(CONFIRMED)
                for _ in range(after):
                    await peer.command()
                    peer.writer.write(b"200 result=0\n")
                if way == "reset":
                    peer.reset()
            if not after:
                desk.futures[0].set_result(CONFIRMED)
            await gone(server)

        assert not desk.futures[0].cancelled()
        assert len(desk.presses) == 1
        assert desk.left == [False]

    async def test_an_asterisk_that_stops_answering_is_left(self) -> None:
        desk = Desk()
        async with (
            serving(desk, reply_timeout=0.01, read_timeout=60) as server,
            calling(server, environment()) as peer,
        ):
            assert await peer.command() == TOLD[0]
            assert await peer.command() == ""

        assert desk.left == [False]

    async def test_a_sound_may_take_longer_than_other_commands(self) -> None:
        desk = Desk()
        async with serving(desk, reply_timeout=0.05, sound_timeout=5) as server:
            async with calling(server, environment()) as peer:
                for _ in TOLD[:3]:
                    await peer.command()
                    peer.writer.write(b"200 result=0\n")
                assert await peer.command() == TOLD[3]
                await asyncio.sleep(0.1)
                for expected in (TOLD[4], ""):
                    peer.writer.write(b"200 result=0\n")
                    assert await peer.command() == expected
            await gone(server)

        assert desk.left == [True]

    async def test_a_sound_without_end_is_left(self) -> None:
        desk = Desk()
        async with (
            serving(desk, sound_timeout=0.01, read_timeout=60) as server,
            calling(server, environment()) as peer,
        ):
            for _ in TOLD[:3]:
                await peer.command()
                peer.writer.write(b"200 result=0\n")
            await peer.command()
            assert await peer.command() == ""

        assert desk.left == [False]


class TestShutdown:
    async def test_a_session_with_a_press_may_finish(self) -> None:
        desk = Desk(None)
        async with serving(desk, wait=5) as server, calling(server, environment()) as peer:
            await desk.arrived.wait()
            closing = asyncio.ensure_future(server.close(grace=5))
            await asyncio.sleep(0)
            desk.futures[0].set_result(CONFIRMED)
            assert await peer.dialogue() == TOLD
            await closing

        assert desk.left == [True]

    async def test_beyond_the_grace_the_session_is_cut_and_the_press_is_not(self) -> None:
        desk = Desk(None)
        async with serving(desk, wait=60) as server, calling(server, environment()) as peer:
            await desk.arrived.wait()
            await server.close(grace=0.01)
            assert await peer.command() == ""

        assert server.connections == 0
        assert not desk.futures[0].done()
        assert desk.left == [False]

    async def test_silent_connections_do_not_hold_it_up(self) -> None:
        async with serving(Desk(), read_timeout=60) as server, calling(server):
            await until(lambda: server.connections)
            await server.close(grace=60)

            assert server.connections == 0

    async def test_nobody_is_let_in_any_more_and_closing_twice_is_fine(self) -> None:
        async with serving(Desk()) as server:
            host, port = server.address
            await server.close()
            await server.close()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(host, port)

    async def test_an_address_in_use_is_said_with_the_fix(self) -> None:
        async with serving(Desk()) as first:
            port = first.address[1]
            second = FastAgiServer(Desk(), FastAgiSettings(port=port))
            with pytest.raises(AgiBind, match=rf"127\.0\.0\.1:{port}.*agi\.port"):
                await second.start()


class TestHeaderFlood:
    @pytest.mark.parametrize(
        "flood", [b"a" * 200_000, b"agi_x: 1\n" * 20_000, b"agi_arg_1: x\n" * 1000 + b"\n"]
    )
    async def test_it_is_cut_off(self, flood: bytes) -> None:
        desk = Desk()
        async with serving(desk, read_timeout=60) as server:
            async with calling(server, flood) as peer:
                with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                    await peer.reader.readexactly(1)
            await gone(server)
            assert await ask(server, environment()) == TOLD

        assert server.counters.rejected == 1
        assert len(desk.presses) == 1

    async def test_a_flood_of_answers_is_cut_off(self) -> None:
        desk = Desk()
        async with (
            serving(desk) as server,
            calling(server, environment() + b"noise\n" * 1000) as peer,
        ):
            assert await peer.command() == TOLD[0]
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await peer.reader.readexactly(1)

        assert desk.left == [False]


class TestSlowLoris:
    async def test_a_trickle_ends_at_one_deadline_for_the_whole(self) -> None:
        async with serving(Desk(), read_timeout=0.05) as server, calling(server) as peer:
            sent = 0
            while server.connections or not sent:
                peer.writer.write(b"a")
                sent += 1
                await asyncio.sleep(0.005)

        assert 1 < sent < 200
        assert server.counters.rejected == 1

    async def test_silent_connections_give_way_to_a_press(self) -> None:
        desk = Desk()
        async with serving(desk, read_timeout=60, max_connections=8) as server:
            idle = [await asyncio.open_connection(*server.address) for _ in range(20)]
            try:
                assert await ask(server, environment()) == TOLD
                # The oldest went first; the youngest are still there.
                assert server.counters.evicted == 13
                assert await idle[0][0].read() == b""
                assert not idle[-1][0].at_eof()
            finally:
                for _, writer in idle:
                    writer.close()

    async def test_presses_beyond_the_cap_are_taken_and_not_kept(self) -> None:
        desk = Desk(None)
        async with serving(desk, wait=60, max_connections=2) as server:
            async with (
                calling(server, environment(number=1)),
                calling(server, environment(number=2)),
            ):
                await until(lambda: len(desk.presses) == 2)
                assert await ask(server, environment(number=3)) == []
            assert [press.uniqueid[-1] for press in desk.presses] == ["1", "2", "3"]
            assert desk.left == [False]
            for future in desk.futures:
                future.set_result(CONFIRMED)


class TestInjection:
    async def test_a_caller_name_cannot_say_a_command(self) -> None:
        name = b'"\\\r$(reboot) Jos\xe9 \x00'
        desk = Desk()
        async with serving(desk) as server:
            assert await ask(server, environment(name=name)) == TOLD

        assert desk.presses[0].caller_name == '"\\\r$(reboot) Jos� \x00'

    async def test_a_caller_name_with_newlines_cannot_move_the_press(self) -> None:
        name = b"x\nagi_uniqueid: 6.6\nagi_channel: SIP/1-1\nagi_network_script: start"
        desk = Desk()
        async with serving(desk) as server:
            assert await ask(server, environment(name=name)) == TOLD

        press = desk.presses[0]
        assert (press.verb, press.channel, press.uniqueid) == (
            "stop",
            "SIP/410-00000001",
            "1700000000.1",
        )

    async def test_an_empty_line_in_a_caller_name_leaves_no_false_answer_behind(self) -> None:
        desk = Desk()
        async with serving(desk) as server:
            commands = await ask(server, environment(name=b"x\n\nagi_uniqueid: 6.6\nnoise"))

        assert commands == TOLD
        assert desk.presses[0].uniqueid == "1700000000.1"

    async def test_a_verb_cannot_say_a_command_nor_forge_a_log_line(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with serving(Desk()) as server:
            commands = await ask(server, environment('sto%0aHANGUP"%1b[2J'))

        assert [line.split()[0] for line in commands] == ["SET", "VERBOSE", "EXEC", "GET"]
        assert "\x1b" not in caplog.text
        assert "\nHANGUP" not in caplog.text

    async def test_a_verdict_cannot_say_a_command(self, caplog: pytest.LogCaptureFixture) -> None:
        verdict = AgiVerdict('o" "', ("beep", "b\neep"), "HTTP 500\r\nHANGUP\n")
        async with serving(Desk(verdict)) as server:
            commands = await ask(server, environment())

        assert commands == [
            TOLD[0],
            'SET VARIABLE "OFFRECORD_OUTCOME" "o\\" \\""',
            'VERBOSE "offrecord: HTTP 500  HANGUP " "1"',
            *TOLD[3:],
        ]
        assert r"no name of a sound: 'b\\neep'" in caplog.text

    async def test_no_caller_number_reaches_the_log(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG, logger="agi")
        opening = environment("dance").replace(b"411", b"4111111111111111")
        async with serving(Desk()) as server:
            await ask(server, opening)
            await ask(server, opening.replace(b"agi_channel", b"agi_chanel"))

        assert "fastagi_unknown_verb" in caplog.text
        assert "fastagi_rejected" in caplog.text
        assert "4111" not in caplog.text


class TestConnectStorm:
    """A connect that closes at once costs nothing: the server answers presses all the while."""

    @pytest.mark.parametrize("way", ["close", "reset"])
    async def test_presses_in_the_middle_of_a_storm_are_all_answered(self, way: str) -> None:
        desk = Desk()
        async with serving(desk, max_connections=32) as server:

            async def storm() -> None:
                for _ in range(100):
                    async with calling(server) as peer:
                        if way == "reset":
                            peer.reset()

            storms = [asyncio.ensure_future(storm()) for _ in range(4)]
            answers = [await ask(server, environment(number=number)) for number in range(20)]
            await asyncio.gather(*storms)
            await gone(server)

        assert [len(commands) for commands in answers] == [5] * 20
        assert len(desk.presses) == 20
        assert server.counters.connections == 420
        assert server.counters.rejected == 400

    @pytest.mark.parametrize(("sent", "level"), [(b"", "DEBUG"), (b"GET / HTTP/1.1\n", "INFO")])
    async def test_who_only_looks_whether_somebody_listens_leaves_no_log_line(
        self, sent: bytes, level: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG, logger="agi")
        async with serving(Desk()) as server:
            async with calling(server, sent):
                pass
            await until(lambda: server.counters.rejected)

        (record,) = [each for each in caplog.records if "fastagi_rejected" in each.message]
        assert record.levelname == level

    async def test_many_presses_at_once_are_all_answered(self) -> None:
        desk = Desk()
        async with serving(desk) as server:
            answers = await asyncio.gather(
                *(ask(server, environment(number=number)) for number in range(100))
            )

        assert all(len(commands) == 5 for commands in answers)
        assert len({press.uniqueid for press in desk.presses}) == 100


class TestSplitBytes:
    @pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
    async def test_a_press_is_understood_however_its_bytes_arrive(self, size: int) -> None:
        desk = Desk()
        opening = environment(name="José".encode())
        async with serving(desk) as server, calling(server) as peer:
            peer.writer.get_extra_info("socket").setsockopt(
                socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
            )
            for at in range(0, len(opening), size):
                peer.writer.write(opening[at : at + size])
                await asyncio.sleep(0)
            for expected in TOLD:
                assert await peer.command() == expected
                for byte in b"100 Trying...\n200 result=0\n":
                    peer.writer.write(bytes([byte]))
                    await asyncio.sleep(0)
            assert await peer.command() == ""

        assert desk.presses[0].caller_name == "José"
