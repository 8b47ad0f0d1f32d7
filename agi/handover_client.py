# SPDX-License-Identifier: Apache-2.0
"""The sender's end of the hand-over: one blocking exchange with the daemon, for one-shot processes.

It imports `_socket`, the C half of `socket`: the other half costs 10 ms at the start, most of it
to name constants, and in the one-shot script that is heard as a gap in the call.
"""

import _socket
import errno
import time

from agi.errors import HandoverError
from agi.handover import MAX_LINE, decode, encode, not_ours

# The type checkers know this name; `typing` itself would cost more than the rest of the module.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self

_RETRY = 0.005
_START = "start it: systemctl start offrecord"


class HandoverClient:
    """One exchange with the daemon, blocking, under one deadline from construction on.

    `deadline` is in seconds and covers connect, send and every receive. Use it in a `with`.
    """

    def __init__(
        self, path: str, *, deadline: float, clock: "Callable[[], float]" = time.monotonic
    ) -> None:
        self._path = path
        self._clock = clock
        self._ends = clock() + deadline
        self._data = bytearray()
        self._socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)

    def __enter__(self) -> "Self":
        """Enter."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection. A press that was sent goes on."""
        self._socket.close()

    def send(self, message: "Mapping[str, object]") -> None:
        """Connect and send one message. Raises HandoverError."""
        data = encode(message)
        try:
            self._connect()
            self._socket.settimeout(self._left(self._ends))
            self._socket.sendall(data)
        except OSError as error:
            raise self._translated(error) from error

    def receive(self, within: float | None = None) -> dict[str, object] | None:
        """Return the next message, or None when `within` seconds have passed without one.

        Raises HandoverError, with cause `timeout` when the deadline is over.
        """
        ends = self._ends if within is None else min(self._ends, self._clock() + within)
        while (at := self._data.find(b"\n")) < 0:
            if len(self._data) > MAX_LINE:
                raise not_ours("a line without an end")
            try:
                self._socket.settimeout(self._left(ends))
                data = self._socket.recv(4096)
            except TimeoutError as error:
                if ends < self._ends:
                    return None
                raise self._translated(error) from error
            except OSError as error:
                raise self._translated(error) from error
            if not data:
                raise self._closed()
            self._data += data
        line = bytes(self._data[:at])
        del self._data[: at + 1]
        return decode(line)

    def _connect(self) -> None:
        while True:
            self._socket.settimeout(self._left(self._ends))
            try:
                self._socket.connect(self._path)
            except BlockingIOError:
                # The daemon's queue of connections is full: it is busy, not dead.
                time.sleep(_RETRY)
            else:
                return

    def _left(self, ends: float) -> float:
        left = ends - self._clock()
        if left <= 0:
            raise TimeoutError
        return left

    def _closed(self) -> HandoverError:
        return HandoverError("closed", "the daemon went away in the middle", "see its log")

    def _translated(self, error: OSError) -> HandoverError:
        path = self._path
        if isinstance(error, TimeoutError):
            return HandoverError("timeout", "the daemon did not answer in time", "see its log")
        if error.errno == errno.ENOENT:
            return HandoverError("missing", f"no daemon: {path} does not exist", _START)
        if error.errno == errno.ECONNREFUSED:
            return HandoverError("refused", f"no daemon listens on {path}", _START)
        if error.errno in (errno.EACCES, errno.EPERM):
            fix = "add the user that Asterisk runs as to the group of the socket"
            return HandoverError("forbidden", f"not allowed to open {path}", fix)
        if error.errno in (errno.EPIPE, errno.ECONNRESET):
            return self._closed()
        return HandoverError("refused", f"{path}: {error.strerror or error}", _START)
