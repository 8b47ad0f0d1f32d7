# SPDX-License-Identifier: Apache-2.0
"""The client's end of the control socket: one request, then replies until the daemon closes.

The protocol is described in `offrecord.control.server`. Blocking: the commands have no event loop.
"""

import errno
import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from agi.handover import encode
from offrecord.base.errors import Exit, UserError

MAX_REPLY: Final = 64 * 1024 * 1024
"""Bytes of one reply read by a client; 10,000 channels make about 3 MB."""


def ask(path: Path, request: Mapping[str, object], timeout: float) -> Iterator[dict[str, Any]]:
    """Send one request to the daemon and yield its replies as they come. Blocking.

    `timeout`: seconds for the whole exchange. Raises `UserError` with `Exit.DAEMON_DOWN` when no
    daemon answers, or when it ends before its last reply.
    """
    ends = time.monotonic() + timeout
    last: dict[str, Any] = {}
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_left(ends))
            connection.connect(str(path))
            connection.sendall(encode(request))
            for line in _lines(connection, lambda: _left(ends)):
                last = json.loads(line)
                yield last
    except OSError as error:
        raise _daemon_down(path, error, timeout) from error
    finished = "error" in last or "outcome" in last or (last and request.get("op") != "press")
    if not finished:
        press = last.get("press")
        raise UserError(
            "the daemon went away before it had answered",
            f"look what became of it: offrecord show {press}" if press else "see the daemon's log",
            Exit.DAEMON_DOWN,
        )


def watch(path: Path, request: Mapping[str, object], silence: float) -> Iterator[dict[str, Any]]:
    """Send one request and yield its replies until the daemon ends. Blocking.

    `silence`: seconds that may pass between two replies. Raises `UserError` with
    `Exit.DAEMON_DOWN` when no daemon answers, when it ends, or when it is silent for longer.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(silence)
            connection.connect(str(path))
            connection.sendall(encode(request))
            for line in _lines(connection, lambda: silence):
                yield json.loads(line)
    except OSError as error:
        raise _daemon_down(path, error, silence) from error
    raise UserError("the daemon has ended", "see its log, and start it again", Exit.DAEMON_DOWN)


def _lines(connection: socket.socket, left: Callable[[], float]) -> Iterator[bytes]:
    data = bytearray()
    while True:
        connection.settimeout(left())
        more = connection.recv(65536)
        if not more:
            return
        data += more
        *lines, rest = bytes(data).split(b"\n") if b"\n" in more else [bytes(data)]
        data = bytearray(rest)
        yield from lines
        if len(data) > MAX_REPLY:
            raise OSError(errno.EMSGSIZE, "the daemon's answer is too long")


def _left(ends: float) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _daemon_down(path: Path, error: OSError, timeout: float) -> UserError:
    start = "start it: systemctl start offrecord"
    if isinstance(error, TimeoutError):
        what, fix = f"the daemon did not answer within {timeout:g} s", "see the daemon's log"
    elif error.errno in {errno.ENOENT, errno.ECONNREFUSED}:
        what, fix = f"no daemon listens on {path}", start
    elif error.errno in {errno.EACCES, errno.EPERM}:
        what, fix = f"you may not use {path}", "join the group that owns it, or use sudo"
    else:
        what, fix = f"the daemon on {path} cannot be asked: {error.strerror or error}", start
    return UserError(what, fix, Exit.DAEMON_DOWN)
