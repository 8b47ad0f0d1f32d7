# SPDX-License-Identifier: Apache-2.0
"""The daemon's end of the control socket, for the command line and the one-shot script.

Each connection of the Unix socket carries one exchange in the JSON lines of `agi.handover`: a
request `{"op": …}`, then one or more replies, then the daemon closes. A reply with `error` is the
last one; its `fix` says what to do, its `exit`, when given, is the exit code of the command. What
each `op` does is in `offrecord.daemon.socket_requests`.
"""

import asyncio
import contextlib
import errno
import grp
import json
import os
import socket
import stat
import struct
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import structlog

from agi.errors import HandoverError
from agi.handover import MAX_LINE, declined, decode
from offrecord.base.errors import Exit, UserError

Handler = Callable[[Mapping[str, Any]], AsyncIterator[Mapping[str, object]]]
"""Takes a request and yields the replies. `request["peer"]` has the client's `uid` and `pid`."""

MAX_CLIENTS: Final = 256

_REQUEST_DEADLINE = 5.0
_REPLY_DEADLINE = 60.0
_SEND_DEADLINE = 5.0


class ControlServer:
    """Serves `handlers`, keyed by `op`, on the Unix socket at `path`.

    `mode` and `group` are those of the socket's file. A client has `request_deadline` seconds to
    send its request. When a client disconnects, its replies end, and the work that its request
    started goes on. Replies to the operations in `endless` may take any time, all others a minute.
    """

    def __init__(
        self,
        path: Path,
        handlers: Mapping[str, Handler],
        *,
        mode: int = 0o660,
        group: str | None = None,
        request_deadline: float = _REQUEST_DEADLINE,
        max_clients: int = MAX_CLIENTS,
        endless: frozenset[str] = frozenset(),
    ) -> None:
        self._path = path
        self._handlers = dict(handlers)
        self._mode = mode
        self._group = group
        self._request_deadline = request_deadline
        self._endless = endless
        self._max_clients = max_clients
        self._server: asyncio.Server | None = None
        self._inode: tuple[int, int] | None = None
        self._clients: set[asyncio.Task[None]] = set()
        self._log = structlog.stdlib.get_logger(__name__)

    async def start(self) -> None:
        """Listen. Raises OSError (EADDRINUSE when another daemon listens there) and `UserError`."""
        _expect_free(self._path)
        listener = _bind(self._path, self._mode, self._group)
        self._inode = _inode(self._path)
        self._server = await asyncio.start_unix_server(self._client, sock=listener, limit=MAX_LINE)

    async def close(self) -> None:
        """Stop listening, cancel all exchanges, remove the socket if it is still this server's."""
        if self._server is None:
            return
        self._server.close()
        clients = list(self._clients)
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None
        if _inode(self._path) == self._inode:
            self._path.unlink()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        # `drain` is to wait for the last byte: what is left when the exchange ends is cut off.
        writer.transport.set_write_buffer_limits(high=0)
        try:
            await self._exchange(reader, writer)
        except (OSError, TimeoutError) as error:
            self._log.info("control_client_left", reason=str(error) or type(error).__name__)
        finally:
            self._clients.discard(task)
            writer.transport.abort() if _unsent(writer) else writer.close()
            with contextlib.suppress(OSError):  # it is closed either way
                await writer.wait_closed()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._clients) > self._max_clients:
            await _send(writer, declined("too many clients at once", "try again in a moment"))
            return
        try:
            async with asyncio.timeout(self._request_deadline):
                line = await reader.readline()
            if not line.endswith(b"\n"):
                return  # it left, or only looked whether someone listens
            request = decode(line)
        except ValueError:
            await _send(writer, declined("the request is too long", f"limit: {MAX_LINE} bytes"))
            return
        except HandoverError as error:
            await _send(writer, declined(str(error), error.fix))
            return
        handler = self._handlers.get(str(request.get("op")))
        if handler is None:
            known = ", ".join(sorted(self._handlers))
            await _send(writer, declined(f"no op {request.get('op')!r}", f"known: {known}"))
            return
        await self._answer(handler, {**request, "peer": _peer(writer)}, writer)

    async def _answer(
        self, handler: Handler, request: Mapping[str, Any], writer: asyncio.StreamWriter
    ) -> None:
        replies = handler(request)
        try:
            endless = request.get("op") in self._endless
            async with asyncio.timeout(None if endless else _REPLY_DEADLINE):
                async for reply in replies:
                    await _send(writer, _line(reply))
        except UserError as error:
            problem = {"error": error.message, "fix": error.fix, "exit": error.exit}
            await _send(writer, _line(problem))
        except (OSError, TimeoutError):
            raise
        except Exception:  # noqa: BLE001 - one broken request ends with an answer, not the daemon
            self._log.exception("control_request_broke", op=request.get("op"))
            await _send(writer, declined("a fault in offrecord", "see the daemon's log"))
        finally:
            aclose = getattr(replies, "aclose", None)
            if aclose is not None:
                await aclose()


def _line(reply: Mapping[str, object]) -> bytes:
    return json.dumps(reply, separators=(",", ":")).encode() + b"\n"


async def _send(writer: asyncio.StreamWriter, line: bytes) -> None:
    async with asyncio.timeout(_SEND_DEADLINE):
        writer.write(line)
        await writer.drain()


def _unsent(writer: asyncio.StreamWriter) -> bool:
    """Return whether the client left bytes unread."""
    return writer.transport.get_write_buffer_size() > 0


def _peer(writer: asyncio.StreamWriter) -> dict[str, int]:
    """Return the client's `pid` and `uid`, as the kernel knows them."""
    peer = writer.get_extra_info("socket")
    raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, uid, _ = struct.unpack("3i", raw)
    return {"pid": pid, "uid": uid}


def _expect_free(path: Path) -> None:
    """Check that `path` is free, or holds the socket of a daemon that has ended.

    Such a socket is replaced later, in one step, by the new one. Raises OSError.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(errno.EEXIST, "it exists and is no socket", str(path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return
        raise OSError(errno.EADDRINUSE, "another daemon listens there", str(path))


def _bind(path: Path, mode: int, group: str | None) -> socket.socket:
    """Return a listening socket. It appears at `path` only once its mode and group are set."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    fresh = path.with_name(f".{os.getpid()}")
    try:
        listener.bind(str(fresh))
        fresh.chmod(mode)
        if group is not None:
            _give(fresh, path, group)
        listener.listen(128)
        fresh.rename(path)
    except BaseException:
        listener.close()
        fresh.unlink(missing_ok=True)
        raise
    listener.setblocking(False)
    return listener


def _give(fresh: Path, path: Path, group: str) -> None:
    try:
        os.chown(fresh, -1, grp.getgrnam(group).gr_gid)
    except KeyError:
        raise UserError(
            f"socket.group: there is no group {group!r}", "create it, or name another", Exit.CONFIG
        ) from None
    except PermissionError:
        raise UserError(
            f"socket.group: {path} cannot be given to group {group!r}",
            "make the daemon's user a member of it",
            Exit.CONFIG,
        ) from None


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
