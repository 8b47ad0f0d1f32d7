# SPDX-License-Identifier: Apache-2.0
"""The one-shot script as Asterisk runs it: a real process, a scripted Asterisk, a fake daemon."""

import asyncio
import os
import pty
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agi import handover
from agi.handover import PressRequest, declined, decode, encode
from agi.verdict_message import AgiVerdict
from tests.kits.waiting import eventually, safety_net

ROOT = Path(__file__).parents[3]
MAIN = "from agi.oneshot import main; main()"
ENVIRONMENT = (
    b"agi_request: offrecord-agi\nagi_channel: SIP/410-12FA7B\nagi_language: en\n"
    b"agi_uniqueid: 1700000000.7\nagi_callerid: 411\nagi_calleridname: Anna\n"
    b"agi_context: internal\nagi_extension: 410\nagi_arg_1: stop\n\n"
)
ANSWERS = {
    b"VERBOSE": b"200 result=1\n",
    b"SET": b"200 result=1\n",
    b"EXEC": b"200 result=0\n",
    b"GET": b"200 result=1 (SUCCESS)\n",
}

Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Run:
    """What was seen of one run: the commands Asterisk got, stderr, exit code."""

    commands: list[str] = field(default_factory=list)
    errors: bytes = b""
    code: int | None = None

    def said(self, text: str) -> bool:
        return any(line.startswith("VERBOSE") and text in line for line in self.commands)

    @property
    def sounds(self) -> list[str]:
        played = [line.split('"')[3] for line in self.commands if line.startswith("EXEC")]
        return [sound for each in played for sound in each.removesuffix(",noanswer").split("&")]

    @property
    def variables(self) -> dict[str, str]:
        parts = [line.split('"') for line in self.commands if line.startswith("SET VARIABLE")]
        return {part[1]: part[3] for part in parts}


STILL = """
import time, sys
import agi.errors, agi.handover
real, begun = time.monotonic, []
time.monotonic = lambda: real() - begun[0] if begun else 0.0
from agi.handover_client import HandoverClient
def then(step):
    def taken(*words, **more):
        done = step(*words, **more)
        begun.append(real())
        return done
    return taken
"""
"""The script on a clock that stands still until it has sent its press, or read the first line: a
deadline that is to strike then does not strike before on a slow machine."""
AFTER_SENDING = STILL + "HandoverClient.send = then(HandoverClient.send)\n"
AFTER_THE_FIRST_LINE = STILL + "HandoverClient.receive = then(HandoverClient.receive)\n"

STARTED: list[asyncio.subprocess.Process] = []


@pytest.fixture(autouse=True)
async def nothing_is_left() -> AsyncIterator[None]:
    """Kill what a test has left running, also when it fails."""
    yield
    for process in STARTED:
        if process.returncode is None:
            process.kill()
        await process.communicate()
    STARTED.clear()


async def start(
    *words: str, before: str = "", main: str = MAIN, environment: Mapping[str, str] | None = None
) -> asyncio.subprocess.Process:
    """Start the script with these words; `before` is run in its process before it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", before + main, *words,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    STARTED.append(process)
    return process


def unhurried(words: tuple[str, ...]) -> list[str]:
    """Return the words with as long a wait and deadline as can be, where they say nothing."""
    options = {"--wait": "--wait=60", "--deadline": "--deadline=60"}
    given = {word.partition("=")[0] for word in words}
    return [*words, *(option for name, option in options.items() if name not in given)]


async def asterisk(
    *words: str,
    environment: bytes = ENVIRONMENT,
    answers: dict[bytes, bytes] | None = None,
    before: str = "",
) -> Run:
    """Run the script to its end, answering each command by the table."""
    process = await start(*unhurried(words), before=before)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    run = Run()
    async with safety_net("Asterisk's script ends"):
        process.stdin.write(environment)
        while line := await process.stdout.readline():
            run.commands.append(line.decode().rstrip("\n"))
            answer = {**ANSWERS, **(answers or {})}[line.split()[0]]
            if not answer:
                process.stdin.close()
            else:
                process.stdin.write(answer)
        process.stdin.close()
        run.errors = await process.stderr.read()
        run.code = await process.wait()
    return run


@asynccontextmanager
async def daemon(path: Path, peer: Peer) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await peer(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_unix_server(serve, path)
    async with server:
        yield f"--socket={path}"


class FakeDaemon:
    """Answers a press with fixed lines, and keeps what it was asked."""

    def __init__(self, *lines: bytes, linger: float = 0) -> None:
        self.lines = lines
        self.linger = linger
        self.requests: list[PressRequest] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        if line:
            self.requests.append(PressRequest.from_message(decode(line)))
        for answer in self.lines:
            writer.write(answer)
        if self.linger:
            await reader.read()  # until the script goes away by itself


def accepted(press: str) -> bytes:
    return encode(handover.accepted(press))


def told(verdict: AgiVerdict) -> bytes:
    return encode(handover.told(verdict))


CONFIRMED = told(AgiVerdict("confirmed", ("beep", "beep"), "stop confirmed"))


async def test_a_press_is_handed_over_and_its_verdict_told(tmp_path: Path) -> None:
    fake = FakeDaemon(accepted("P1"), CONFIRMED)
    async with daemon(tmp_path / "d", fake) as option:
        run = await asterisk("stop", "agent=fred", "recorder=mix", "x=y", option)

    assert run.code == 0
    assert run.variables == {"OFFRECORD_PRESS": "P1", "OFFRECORD_OUTCOME": "confirmed"}
    assert run.said("offrecord: stop confirmed")
    assert run.sounds == ["beep", "beep"]
    assert run.errors == b""
    (request,) = fake.requests
    assert request.message() == {
        "op": "press",
        "verb": "stop",
        "channel": "SIP/410-12FA7B",
        "uniqueid": "1700000000.7",
        "way": "agi",
        "wait": 60.0,
        "agent": "fred",
        "recorder": "mix",
        "target": "",
        "caller_number": "411",
        "caller_name": "Anna",
        "context": "internal",
        "extension": "410",
        "options": {"x": "y"},
    }


@pytest.mark.parametrize("pending", [(), (b'{"outcome": "pending", "press": "P1"}\n',)])
async def test_a_verdict_that_is_late_leaves_the_press_pending(
    tmp_path: Path, pending: tuple[bytes, ...]
) -> None:
    """The daemon may say so itself, or say nothing more."""
    fake = FakeDaemon(accepted("P1"), *pending, linger=1)
    async with daemon(tmp_path / "d", fake) as option:
        run = await asterisk("stop", option, "--wait=0", "--interim=beep")

    assert run.code == 0
    assert run.variables == {"OFFRECORD_PRESS": "P1", "OFFRECORD_OUTCOME": "pending"}
    assert run.said("stop is taken as P1, its verdict is not known yet")
    assert run.sounds == ["beep"]


async def test_a_wait_beyond_the_deadline_leaves_the_press_pending(tmp_path: Path) -> None:
    async with daemon(tmp_path / "d", FakeDaemon(accepted("P1"), linger=1)) as option:
        run = await asterisk(
            "stop", option, "--wait=60", "--deadline=0.2", before=AFTER_THE_FIRST_LINE
        )

    assert run.variables["OFFRECORD_OUTCOME"] == "pending"
    assert run.sounds == []


class TestDaemonGone:
    """Whatever the daemon does, the call goes on and the presser hears the failure tone."""

    async def test_no_socket(self, tmp_path: Path) -> None:
        run = await asterisk("stop", f"--socket={tmp_path}/none")

        assert run.code == 0
        assert run.said("stop is NOT taken: no daemon:")
        assert run.said("systemctl start offrecord")
        assert run.variables == {"OFFRECORD_OUTCOME": "failed"}
        assert run.sounds == ["beeperr"]
        assert run.errors == b""

    async def test_mute(self, tmp_path: Path) -> None:
        async with daemon(tmp_path / "d", FakeDaemon(linger=1)) as option:
            run = await asterisk("stop", option, "--deadline=0.2", before=AFTER_SENDING)

        assert run.code == 0
        assert run.said("stop may not be taken: the daemon did not answer in time")
        assert run.sounds == ["beeperr"]

    async def test_closes_at_once(self, tmp_path: Path) -> None:
        async with daemon(tmp_path / "d", FakeDaemon()) as option:
            run = await asterisk("stop", option)

        assert run.said("stop may not be taken: the daemon went away")
        assert run.sounds == ["beeperr"]

    async def test_dies_after_it_took_the_press(self, tmp_path: Path) -> None:
        async with daemon(tmp_path / "d", FakeDaemon(accepted("P1"))) as option:
            run = await asterisk("stop", option)

        assert run.said("stop is taken as P1, then the daemon went away")
        assert run.variables == {"OFFRECORD_PRESS": "P1", "OFFRECORD_OUTCOME": "failed"}
        assert run.sounds == ["beeperr"]

    async def test_talks_nonsense(self, tmp_path: Path) -> None:
        async with daemon(tmp_path / "d", FakeDaemon(b"HTTP/1.1 400 Bad Request\r\n")) as option:
            run = await asterisk("stop", option)

        assert run.said("stop may not be taken: the other side sent a line that is not JSON")
        assert run.sounds == ["beeperr"]

    async def test_declines(self, tmp_path: Path) -> None:
        lines = declined("unknown verb 'stpo'", "known are stop, start")
        async with daemon(tmp_path / "d", FakeDaemon(lines)) as option:
            run = await asterisk("stpo", "pbx-invalid", option)

        assert run.said("stpo is NOT taken: unknown verb 'stpo'; known are stop, start")
        assert run.sounds == ["pbx-invalid"]


class TestAsteriskGone:
    """A press in the daemon's hands is not touched by what becomes of the channel."""

    async def test_hangup_after_the_press(self, tmp_path: Path) -> None:
        fake = FakeDaemon(accepted("P1"), CONFIRMED)
        async with daemon(tmp_path / "d", fake) as option:
            run = await asterisk("stop", option, answers={b"SET": b"511 Command Not Permitted\n"})

        assert run.code == 0
        assert len(run.commands) == 1
        assert len(fake.requests) == 1

    async def test_pipe_closed_after_the_press(self, tmp_path: Path) -> None:
        fake = FakeDaemon(accepted("P1"), CONFIRMED)
        async with daemon(tmp_path / "d", fake) as option:
            run = await asterisk("stop", option, answers={b"SET": b""})

        assert run.code == 0
        assert run.errors == b""
        assert len(fake.requests) == 1

    async def test_sighup_while_waiting_for_the_verdict(self, tmp_path: Path) -> None:
        pressed = asyncio.Event()
        hung_up = asyncio.Event()

        async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            pressed.set()
            await hung_up.wait()
            writer.write(accepted("P1") + CONFIRMED)

        async with daemon(tmp_path / "d", peer) as option:
            process = await start("stop", option, "--deadline=60")
            assert process.stdin is not None
            process.stdin.write(ENVIRONMENT)
            async with safety_net("the script waits and ends by the hangup"):
                await pressed.wait()
                await installed_sighup(process.pid)
                process.send_signal(signal.SIGHUP)
                hung_up.set()
                out, err = await process.communicate()

        assert process.returncode == 0
        assert (out, err) == (b"", b"")

    async def test_even_an_interrupt_is_exit_code_0(self, tmp_path: Path) -> None:
        pressed = asyncio.Event()

        async def peer(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            await reader.readline()
            pressed.set()
            await reader.read()

        async with daemon(tmp_path / "d", peer) as option:
            process = await start("stop", option, "--deadline=60")
            assert process.stdin is not None
            process.stdin.write(ENVIRONMENT)
            async with safety_net("the script waits and ends by the signal"):
                await pressed.wait()
                process.send_signal(signal.SIGINT)
                out, err = await process.communicate()

        assert (process.returncode, out, err) == (0, b"", b"")

    async def test_an_interrupt_that_its_parent_ignores_stays_ignored(self, tmp_path: Path) -> None:
        """So a shell starts what is to outlive a Ctrl-C; the press is taken through."""
        ignored = "import _signal, os; _signal.signal(2, _signal.SIG_IGN); "
        fake = FakeDaemon(accepted("P1"), CONFIRMED)
        (tmp_path / "sitecustomize.py").write_text(
            INTERRUPTED.format(module="agi.handover", where="os.kill(os.getpid(), 2)")
        )
        async with daemon(tmp_path / "d", fake) as option:
            process = await start(
                *unhurried(("stop", option)), before=ignored,
                environment={"PYTHONPATH": str(tmp_path)},
            )  # fmt: skip
            assert process.stdout is not None
            async with safety_net("the script tells the verdict"):
                out, _ = await process.communicate(ENVIRONMENT)

        assert process.returncode == 0
        assert out.startswith(b'SET VARIABLE "OFFRECORD_PRESS" "P1"')

    async def test_no_environment(self) -> None:
        run = await asterisk("stop", environment=b"\n")

        assert (run.code, run.commands) == (0, [])
        assert b"usage" in run.errors

    async def test_end_of_input_before_the_environment_is_whole(self) -> None:
        process = await start(*unhurried(("stop",)))
        async with safety_net("the script ends"):
            out, err = await process.communicate(b"agi_channel: SIP/410-1\n")

        assert (process.returncode, out) == (0, b"")
        assert b"usage" in err

    async def test_silence_ends_at_the_deadline(self) -> None:
        process = await start("stop", "--deadline=0.05")
        assert process.stdin is not None
        process.stdin.write(b"agi_channel: SIP/410-1\n")
        async with safety_net("the script ends at its deadline"):
            await process.wait()
            process.stdin.close()

        assert process.returncode == 0

    async def test_an_asterisk_that_never_answers_ends_by_the_alarm(self, tmp_path: Path) -> None:
        still = (
            "import signal, sys, time; time.monotonic = lambda: 0.0\n"
            "signal.setitimer = lambda _, seconds: print(seconds, file=sys.stderr)\n"
        )
        fake = FakeDaemon(accepted("P1"), CONFIRMED)
        async with daemon(tmp_path / "d", fake) as option:
            process = await start("stop", option, "--deadline=30", before=still)
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdin.write(ENVIRONMENT)
            async with safety_net("the script ends by its alarm"):
                assert await process.stdout.readline() == b'SET VARIABLE "OFFRECORD_PRESS" "P1"\n'
                assert await process.stderr.readline() == b"36.0\n"
                process.send_signal(signal.SIGALRM)
                out, _ = await process.communicate()  # leaves our end of the pipe open

        assert (process.returncode, out) == (0, b"")
        assert len(fake.requests) == 1

    @pytest.mark.parametrize(
        "module", ["agi.oneshot_press", "agi.handover", "agi.wire", "agi.pyst2_script", "asterisk"]
    )
    @pytest.mark.parametrize("where", ["os.kill(os.getpid(), 2)", "Dropped()"])
    async def test_an_interrupt_while_it_imports_ends_it_at_once(
        self, tmp_path: Path, module: str, where: str
    ) -> None:
        """In a destructor, Python drops the KeyboardInterrupt of its own handler, and goes on."""
        (tmp_path / "sitecustomize.py").write_text(INTERRUPTED.format(module=module, where=where))
        gone = asyncio.Event()

        async def peer(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            await reader.read()
            gone.set()

        async with daemon(tmp_path / "d", peer) as option:
            process = await start(
                "stop", option, "--deadline=60", environment={"PYTHONPATH": str(tmp_path)}
            )
            assert process.stdin is not None
            process.stdin.write(ENVIRONMENT)
            async with safety_net("the script ends by the interrupt"):
                assert process.stdout is not None
                assert process.stderr is not None
                out = await process.stdout.read()
                err = await process.stderr.read()
                await process.wait()

        assert (process.returncode, out, err) == (0, b"", b"")


INTERRUPTED = """
import os, sys
class Dropped:
    def __del__(self):
        os.kill(os.getpid(), 2)
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            sys.meta_path.remove(self)
            {where}
sys.meta_path.insert(0, Finder())
"""
"""Interrupts the process at a moment that is always the same: when a module is looked for."""


async def installed_sighup(pid: int) -> None:
    """Wait until the process catches SIGHUP (bit 0 of SigCgt): before, it dies of it."""
    status = Path(f"/proc/{pid}/status")
    await eventually(lambda: int(status.read_text().partition("SigCgt:")[2].split()[0], 16) & 1)


class TestAttacks:
    async def test_nothing_from_outside_becomes_a_command(self, tmp_path: Path) -> None:
        evil = 'x\nHANGUP\r\nEXEC System "reboot'
        fake = FakeDaemon(
            accepted('P"1\\'), told(AgiVerdict('a" "b', ("beep", "b\neep"), evil * 20))
        )
        name = b'agi_calleridname: "\\ Jos\xe9 $(reboot)\n'
        environment = ENVIRONMENT.replace(b"agi_calleridname: Anna\n", name)
        async with daemon(tmp_path / "d", fake) as option:
            run = await asterisk("stop", option, environment=environment)

        assert run.code == 0
        assert [line.split()[0] for line in run.commands] == [
            "SET",
            "SET",
            "VERBOSE",
            "EXEC",
            "GET",
            "VERBOSE",
        ]
        assert run.commands[0] == 'SET VARIABLE "OFFRECORD_PRESS" "P\\"1\\\\"'
        assert run.sounds == ["beep"]
        assert run.said("not told: no name of a sound: 'b\\\\neep'")
        assert fake.requests[0].caller_name == '"\\ Jos� $(reboot)'

    async def test_an_environment_without_end(self) -> None:
        run = await asterisk("stop", environment=b"agi_x: 1\n" * 3000)

        assert (run.code, run.commands) == (0, [])

    @pytest.mark.parametrize("cut", [1, 7])
    async def test_an_environment_in_small_pieces(self, tmp_path: Path, cut: int) -> None:
        fake = FakeDaemon(accepted("P1"), CONFIRMED)
        async with daemon(tmp_path / "d", fake) as option:
            process = await start("stop", *unhurried((option,)))
            assert process.stdin is not None
            assert process.stdout is not None
            for at in range(0, len(ENVIRONMENT), cut):
                process.stdin.write(ENVIRONMENT[at : at + cut])
                await process.stdin.drain()
                await asyncio.sleep(0)
            async with safety_net("the script ends"):
                assert (await process.stdout.readline()).startswith(b"SET VARIABLE")
                await process.communicate(b"")

        assert fake.requests[0].uniqueid == "1700000000.7"


@pytest.mark.parametrize(
    ("answers", "not_told"),
    [
        ({b"SET": b"520-Wrong\nUsage: SET\n520 End of proper usage.\n"}, "SET VARIABLE: 520"),
        ({b"SET": b"510 Invalid or unknown command\n"}, "SET VARIABLE: 510"),
        ({b"EXEC": b"200 result=-2\n"}, "EXEC: 200 result=-2"),
        ({b"GET": b"200 result=1 (FAILED)\n"}, "no file for a sound of"),
        ({b"VERBOSE": b"100 Trying...\n200 result=1\n"}, ""),
        ({b"SET": b"HANGUP\n200 result=1\n"}, ""),
    ],
)
async def test_a_refused_command_does_not_keep_the_next_from_going_out(
    tmp_path: Path, answers: dict[bytes, bytes], not_told: str
) -> None:
    async with daemon(tmp_path / "d", FakeDaemon(accepted("P1"), CONFIRMED)) as option:
        run = await asterisk("stop", option, answers=answers)

    assert run.code == 0
    assert run.sounds == ["beep", "beep"]
    assert run.said(f"not told: {not_told}") == bool(not_told)


async def test_wrong_arguments_are_said_on_the_console_and_heard() -> None:
    run = await asterisk("stop", "--sokcet=/x")

    assert run.code == 0
    assert run.said("unknown option '--sokcet'; usage: AGI(offrecord-agi,VERB")
    assert run.variables == {"OFFRECORD_OUTCOME": "failed"}
    assert run.sounds == ["beeperr"]


async def test_an_error_in_the_script_is_said_on_the_console(tmp_path: Path) -> None:
    """A pyst2 that cannot be imported: the press has gone out all the same."""
    fake = FakeDaemon(accepted("P1"), CONFIRMED)
    async with daemon(tmp_path / "d", fake) as option:
        process = await start(
            *unhurried(("stop", option)), before="import sys; sys.modules['asterisk'] = None; "
        )
        async with safety_net("the script ends"):
            out, err = await process.communicate(ENVIRONMENT)

    assert process.returncode == 0
    assert out.startswith(b'VERBOSE "offrecord: the script failed: ModuleNotFoundError')
    assert err == b""
    assert len(fake.requests) == 1


async def test_run_by_hand_it_prints_how_it_is_used() -> None:
    ours, theirs = pty.openpty()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", MAIN, cwd=ROOT, stdin=theirs, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
    finally:
        os.close(ours)
        os.close(theirs)

    assert process.returncode == 0
    assert out.startswith(b"usage, in the dialplan: AGI(offrecord-agi,VERB")


async def test_nothing_heavy_is_imported_before_the_press_and_little_after() -> None:
    """Each of these was measured at 5 to 135 ms of a call in which the presser is not heard."""
    heavy = {"json", "re", "typing", "dataclasses", "socket", "signal", "argparse", "asterisk"}
    never = {"httpx", "click", "asyncio", "structlog", "pydantic", "inspect", "pprint", "ssl"}
    code = (
        "import sys; before = set(sys.modules); import agi.oneshot, agi.oneshot_press;"
        "print(*(set(sys.modules) - before));"
        "import json, signal; from agi import pyst2_script; pyst2_script._load();"
        "print(*sys.modules)"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    first, second = (set(line.split()) for line in out.decode().splitlines())

    assert "agi.handover_client" in first
    assert not first & (heavy | never)
    assert "asterisk.agi" in second
    assert not second & never
