# SPDX-License-Identifier: Apache-2.0
"""What systemd hears on its notification socket, here a real one."""

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from offrecord.daemon import systemd as sd
from tests.kits.waiting import patience, safety_net


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """Listen as systemd does, on a path or in the abstract namespace."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@offrecord-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name[1:] if name.startswith("@") else name)
        listener.settimeout(patience())
        yield listener, name


def test_ready_reloading_status_and_stopping_are_said(
    systemd: tuple[socket.socket, str],
) -> None:
    listener, name = systemd
    env = {"NOTIFY_SOCKET": name}
    assert sd.notify("READY=1", "STATUS=2 recorders,\nPBX 22.1", env=env)
    assert sd.reloading(monotonic_ns=1_234_567_890, env=env)
    assert sd.notify("STOPPING=1", env=env)
    assert [listener.recv(1000) for _ in range(3)] == [
        b"READY=1\nSTATUS=2 recorders, PBX 22.1",
        b"RELOADING=1\nMONOTONIC_USEC=1234567",
        b"STOPPING=1",
    ]


def test_the_time_of_a_reload_is_that_of_the_kernel_s_monotonic_clock(
    systemd: tuple[socket.socket, str],
) -> None:
    listener, name = systemd
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    sd.reloading(env={"NOTIFY_SOCKET": name})
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    said = int(listener.recv(1000).rpartition(b"=")[2])
    assert before <= said <= after


async def test_the_watchdog_is_fed_twice_in_its_interval(
    systemd: tuple[socket.socket, str],
) -> None:
    listener, name = systemd
    env = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "20000"}
    assert sd.watchdog_interval(env) == 0.02
    feeding = asyncio.create_task(sd.watchdog(env))
    listener.setblocking(False)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with safety_net("three pings of the watchdog come"):
        heard = [await loop.sock_recv(listener, 100) for _ in range(3)]
    assert heard == [b"WATCHDOG=1"] * 3
    assert loop.time() - begun >= 0.019
    feeding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await feeding


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "20000", "WATCHDOG_PID": "1"},
    ],
)
async def test_nobody_is_fed_who_did_not_ask_this_process(env: dict[str, str]) -> None:
    assert sd.watchdog_interval(env) is None
    await sd.watchdog(env)


def test_outside_systemd_nothing_is_sent() -> None:
    assert not sd.notify("READY=1", env={})


def test_a_systemd_that_is_gone_does_not_end_the_daemon_and_is_logged(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as logged:
        assert not sd.notify("READY=1", env={"NOTIFY_SOCKET": str(tmp_path / "none")})
    assert [(entry["event"], entry["log_level"]) for entry in logged] == [
        ("systemd_not_told", "warning")
    ]
