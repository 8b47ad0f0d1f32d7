# SPDX-License-Identifier: Apache-2.0
"""Report the daemon's state to systemd: `sd_notify(3)` and `sd_watchdog_enabled(3)`.

Outside systemd, where `NOTIFY_SOCKET` is not set, nothing is sent.
"""

import asyncio
import os
import socket
import time
from collections.abc import Mapping
from typing import Final

import structlog

_MICRO: Final = 1_000_000
_log = structlog.stdlib.get_logger(__name__)


def notify(*lines: str, env: Mapping[str, str] = os.environ) -> bool:
    """Send assignments such as `READY=1`, `STOPPING=1` or `STATUS=…` in one message.

    Returns whether systemd was told. That it could not be is logged: it must not end the daemon.
    """
    name = env.get("NOTIFY_SOCKET", "")
    if not name:
        return False
    # A leading @ stands for the NUL byte of Linux's abstract sockets.
    address = "\0" + name[1:] if name.startswith("@") else name
    message = "\n".join(" ".join(line.split()) for line in lines)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.settimeout(1.0)
            out.sendto(message.encode(), address)
    except OSError as error:
        _log.warning("systemd_not_told", message=message, problem=str(error))
        return False
    return True


def reloading(*, monotonic_ns: int | None = None, env: Mapping[str, str] = os.environ) -> bool:
    """Report that the configuration is read again (`Type=notify-reload`); `READY=1` follows."""
    now = time.monotonic_ns() if monotonic_ns is None else monotonic_ns
    return notify("RELOADING=1", f"MONOTONIC_USEC={now // 1000}", env=env)


def watchdog_interval(env: Mapping[str, str] = os.environ) -> float | None:
    """Return the seconds within which systemd expects a sign of life, None when it does not."""
    if env.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    usec = env.get("WATCHDOG_USEC", "")
    return int(usec) / _MICRO if usec.isdecimal() and int(usec) else None


async def watchdog(env: Mapping[str, str] = os.environ) -> None:
    """Tell systemd twice in its interval that the event loop turns, until cancelled.

    Returns at once when systemd does not ask.
    """
    interval = watchdog_interval(env)
    while interval is not None:
        notify("WATCHDOG=1", env=env)
        await asyncio.sleep(interval / 2)
