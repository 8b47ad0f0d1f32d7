# SPDX-License-Identifier: Apache-2.0
"""The control socket, served and asked over a real Unix socket."""

import asyncio
import json
import os
import socket
import stat
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import structlog

from agi.handover import press_id_in, verdict_in
from agi.handover_client import HandoverClient
from offrecord.base.errors import Exit, UserError
from offrecord.control.client import ask
from offrecord.control.server import ControlServer
from tests.kits.waiting import safety_net


class Daemon:
    """A control server whose handlers are told by the test how to behave."""

    def __init__(self, folder: Path, **more: Any) -> None:
        self.path = folder / "run" / "offrecord.sock"
        self.requests: list[Mapping[str, Any]] = []
        self.pressed: list[str] = []
        self.taken = asyncio.Event()
        self.verdict: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        handlers = {"press": self.press, "calls": self.calls, "broken": self.broken,
                    "refused": self.refused, "empty": self.empty}  # fmt: skip
        self.server = ControlServer(self.path, handlers, **more)

    async def press(self, request: Mapping[str, Any]) -> AsyncIterator[Mapping[str, object]]:
        self.requests.append(request)
        # The press itself is a task of the engine's: nobody who leaves can cancel it.
        task = asyncio.create_task(self.engine(str(request.get("uniqueid"))))
        self.taken.set()
        yield {"press": "01kabc"}
        outcome = await asyncio.shield(self.verdict)
        await task
        yield {"outcome": outcome, "sounds": ["beep"], "text": "proven"}

    async def engine(self, uniqueid: str) -> None:
        await asyncio.shield(self.verdict)
        self.pressed.append(uniqueid)

    async def calls(self, request: Mapping[str, Any]) -> AsyncIterator[Mapping[str, object]]:
        yield {"calls": [{"channel": f"SIP/{n}-{n:08x}"} for n in range(int(request["count"]))]}

    async def broken(self, _request: Mapping[str, Any]) -> AsyncIterator[Mapping[str, object]]:
        yield {"one": 1}
        raise RuntimeError("inside: secret")

    async def refused(self, _request: Mapping[str, Any]) -> AsyncIterator[Mapping[str, object]]:
        if self.requests:
            yield {}
        raise UserError("no such call", "see offrecord calls", Exit.NOT_FOUND)

    async def empty(self, _request: Mapping[str, Any]) -> AsyncIterator[Mapping[str, object]]:
        for reply in list[dict[str, object]]():
            yield reply

    async def ask(self, request: Mapping[str, object], within: float = 5.0) -> list[Any]:
        return await asyncio.to_thread(lambda: list(ask(self.path, request, within)))

    async def raw(self, data: bytes, *, shut: bool = False) -> bytes:
        """Send bytes as they are and return all that comes back."""
        reader, writer = await asyncio.open_unix_connection(str(self.path))
        writer.write(data)
        if shut:
            writer.write_eof()
        async with safety_net("the daemon answers"):
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer


def names(folder: Path) -> list[str]:
    return [found.name for found in folder.iterdir()]


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    made = Daemon(tmp_path)
    await made.server.start()
    yield made
    if not made.verdict.done():
        made.verdict.set_result("failed")
    await made.server.close()


async def test_a_press_is_answered_with_its_id_at_once_and_its_verdict_when_known(
    daemon: Daemon,
) -> None:
    replies: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def client() -> None:
        for reply in ask(daemon.path, {"op": "press", "uniqueid": "17.1"}, 5):
            loop.call_soon_threadsafe(replies.put_nowait, reply)

    asking = asyncio.create_task(asyncio.to_thread(client))
    assert await replies.get() == {"press": "01kabc"}
    assert replies.empty()
    daemon.verdict.set_result("confirmed")
    assert (await replies.get())["outcome"] == "confirmed"
    await asking


async def test_the_one_shot_script_s_client_is_understood(daemon: Daemon) -> None:
    daemon.verdict.set_result("confirmed")

    def script() -> tuple[str, Any]:
        with HandoverClient(str(daemon.path), deadline=5) as client:
            client.send({"op": "press", "uniqueid": "17.1"})
            first, second = client.receive(), client.receive()
            assert first is not None
            assert second is not None
            return press_id_in(first), verdict_in(second)

    press, verdict = await asyncio.to_thread(script)
    assert (press, verdict.outcome, verdict.sounds) == ("01kabc", "confirmed", ("beep",))


@pytest.mark.parametrize("when", ["after sending", "after the first reply"])
async def test_a_client_that_leaves_does_not_end_its_press(daemon: Daemon, when: str) -> None:
    reader, writer = await asyncio.open_unix_connection(str(daemon.path))
    writer.write(b'{"op":"press","uniqueid":"17.1"}\n')
    if when == "after the first reply":
        await reader.readline()
    writer.close()
    await writer.wait_closed()
    await daemon.taken.wait()
    daemon.verdict.set_result("confirmed")
    for _ in range(1000):
        if daemon.pressed:
            break
        await asyncio.sleep(0)
    assert daemon.pressed == ["17.1"]


async def test_the_kernel_s_word_on_who_asks_replaces_the_client_s_own(daemon: Daemon) -> None:
    daemon.verdict.set_result("confirmed")
    await daemon.ask({"op": "press", "peer": {"uid": 12345}})
    assert daemon.requests[0]["peer"] == {"uid": os.getuid(), "pid": os.getpid()}


async def test_a_list_of_ten_thousand_channels_comes_through_whole(daemon: Daemon) -> None:
    (reply,) = await daemon.ask({"op": "calls", "count": 10_000})
    assert len(reply["calls"]) == 10_000


async def test_a_client_that_reads_slowly_gets_the_last_byte_too(daemon: Daemon) -> None:
    # The kernel takes an answer in bursts; some of these lengths leave it a last one of a few kB.
    for count in range(10_000, 14_000, 200):
        reader, writer = await asyncio.open_unix_connection(str(daemon.path), limit=1024)
        writer.write(b'{"op":"calls","count":%d}\n' % count)
        answer = b""
        while more := await reader.read(2048):
            answer += more
            await asyncio.sleep(0)
        writer.close()
        await writer.wait_closed()
        assert len(json.loads(answer)["calls"]) == count


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"not json\n", "not JSON"),
        (b"[1]\n", "not a JSON object"),
        (b'{"op":"toggle"}\n', "no op 'toggle'"),
        (b"{}\n", "no op None"),
        (b"x" * 70_000 + b"\n", "too long"),
        (b"\xff\xfe\n", "not JSON"),
    ],
)
async def test_what_is_no_request_is_declined_in_one_line(
    daemon: Daemon, data: bytes, error: str
) -> None:
    answer = json.loads(await daemon.raw(data))
    assert error in answer["error"]
    assert answer["fix"]
    assert daemon.requests == []


async def test_half_a_request_is_not_acted_on(daemon: Daemon) -> None:
    assert await daemon.raw(b'{"op":"press"}', shut=True) == b""
    assert await daemon.raw(b"", shut=True) == b""
    assert daemon.requests == []


async def test_a_user_s_mistake_comes_back_with_its_exit_code(daemon: Daemon) -> None:
    assert await daemon.ask({"op": "refused"}) == [
        {"error": "no such call", "fix": "see offrecord calls", "exit": 29}
    ]


async def test_a_fault_is_logged_and_its_text_kept_from_the_client(daemon: Daemon) -> None:
    with structlog.testing.capture_logs() as logged:
        replies = await daemon.ask({"op": "broken"})
    assert replies == [
        {"one": 1},
        {"error": "a fault in offrecord", "fix": "see the daemon's log"},
    ]
    assert [entry["event"] for entry in logged] == ["control_request_broke"]
    assert (await daemon.ask({"op": "calls", "count": 1}))[0]["calls"]


async def test_silence_ends_after_the_deadline_and_serves_others_meanwhile(
    tmp_path: Path,
) -> None:
    daemon = Daemon(tmp_path, request_deadline=0.05)
    await daemon.server.start()
    reader, writer = await asyncio.open_unix_connection(str(daemon.path))
    assert await daemon.ask({"op": "calls", "count": 0}) == [{"calls": []}]
    async with safety_net("the daemon hangs up"):
        assert await reader.read() == b""
    writer.close()
    await daemon.server.close()


async def test_one_client_too_many_is_told_so(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, max_clients=1)
    await daemon.server.start()
    _, writer = await asyncio.open_unix_connection(str(daemon.path))
    answer = json.loads(await daemon.raw(b""))
    assert answer["error"] == "too many clients at once"
    writer.close()
    await writer.wait_closed()
    await daemon.server.close()


@pytest.mark.parametrize("mode", [0o660, 0o600])
async def test_the_socket_has_its_mode_and_group_and_goes_when_the_daemon_does(
    tmp_path: Path, mode: int
) -> None:
    import grp

    group = grp.getgrgid(os.getgid()).gr_name
    daemon = Daemon(tmp_path, mode=mode, group=group)
    await daemon.server.start()
    found = daemon.path.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_gid) == (mode, os.getgid())
    assert names(daemon.path.parent) == ["offrecord.sock"]
    await daemon.server.close()
    assert names(daemon.path.parent) == []


async def test_a_group_that_does_not_exist_is_a_mistake_in_the_configuration(
    tmp_path: Path,
) -> None:
    daemon = Daemon(tmp_path, group="no-such-group")
    with pytest.raises(UserError, match="there is no group 'no-such-group'") as caught:
        await daemon.server.start()
    assert caught.value.exit is Exit.CONFIG
    assert names(daemon.path.parent) == []


async def test_the_socket_of_a_daemon_that_died_is_taken_over(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    daemon.path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(daemon.path))
    await daemon.server.start()
    assert await daemon.ask({"op": "calls", "count": 0}) == [{"calls": []}]
    await daemon.server.close()


async def test_the_socket_of_a_living_daemon_is_left_alone(daemon: Daemon, tmp_path: Path) -> None:
    second = Daemon(tmp_path)
    with pytest.raises(OSError, match="another daemon listens"):
        await second.server.start()
    await second.server.close()
    assert await daemon.ask({"op": "calls", "count": 0}) == [{"calls": []}]


async def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    daemon.path.parent.mkdir()
    daemon.path.write_text("precious")
    with pytest.raises(OSError, match="no socket"):
        await daemon.server.start()
    assert daemon.path.read_text() == "precious"


async def test_closing_does_not_wait_for_a_client_and_leaves_a_successor_s_socket(
    tmp_path: Path,
) -> None:
    daemon = Daemon(tmp_path)
    await daemon.server.start()
    asking = asyncio.create_task(daemon.ask({"op": "press"}))
    await daemon.taken.wait()
    daemon.path.unlink()
    daemon.path.touch()
    await daemon.server.close()
    assert daemon.path.exists()
    with pytest.raises(UserError, match="offrecord show 01kabc"):
        await asking
    daemon.verdict.set_result("failed")


@pytest.mark.parametrize("left", ["nothing", "a dead socket"])
def test_asking_where_no_daemon_is_says_how_to_start_one(tmp_path: Path, left: str) -> None:
    path = tmp_path / "s"
    if left == "a dead socket":
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))
    with pytest.raises(UserError) as caught:
        list(ask(path, {"op": "calls"}, 1))
    assert str(caught.value) == (
        f"no daemon listens on {path}; start it: systemctl start offrecord"
    )
    assert caught.value.exit is Exit.DAEMON_DOWN


async def test_a_daemon_that_says_nothing_is_given_up_in_time(daemon: Daemon) -> None:
    with pytest.raises(UserError, match=r"did not answer within 0\.05 s") as caught:
        await daemon.ask({"op": "press"}, 0.05)
    assert caught.value.exit is Exit.DAEMON_DOWN


async def test_an_exchange_without_a_reply_is_no_success(daemon: Daemon) -> None:
    with pytest.raises(UserError, match="went away before it had answered"):
        await daemon.ask({"op": "empty"})
