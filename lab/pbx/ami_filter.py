# SPDX-License-Identifier: Apache-2.0
"""A proxy before a real AMI that takes away what an older Asterisk lacks, or an account may not.

Events by the beginning of their name, actions, headers of events, and the version that CoreSettings
tells. What is left goes through as it is, byte for byte.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Lacks:
    """What is taken away. `headers`: names of headers that no event has.

    `events`: beginnings of names of events; `actions`: names of actions, answered as unknown ones
    are. `settings`: headers of the answer to CoreSettings that are others.
    """

    events: tuple[str, ...] = ()
    actions: frozenset[str] = frozenset()
    headers: frozenset[str] = frozenset()
    settings: Mapping[str, str] = field(default_factory=dict)


DEBIAN_10 = Lacks(
    events=("MixMonitor",),
    actions=frozenset(),
    settings={"AsteriskVersion": "16.2.1~dfsg-1+deb10u2", "AMIversion": "5.0.0"},
)
"""Asterisk 16.2.1: as 16.28, without events of MixMonitors."""

EVENTFILTER = Lacks(events=("MixMonitor",))
"""What `eventfilter = !Event: MixMonitor.*` of the account takes away."""

ASTERISK_11 = Lacks(
    events=("MixMonitor", "DeviceStateChange", "BridgeEnter", "BridgeLeave", "PresenceStateChange"),
    actions=frozenset({"BridgeList", "DeviceStateList"}),
    headers=frozenset({"Linkedid"}),
    settings={"AsteriskVersion": "11.25.3", "AMIversion": "1.3"},
)
"""Asterisk 11: no bridges, no device states, no Linkedid."""


class AmiFilter:
    """Relays AMI sessions of loopback to `target`, and takes away what `lacks` says."""

    def __init__(self, target: int, lacks: Lacks) -> None:
        self._target = target
        self.lacks = lacks
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._settings: set[bytes] = set()
        self.port = 0

    async def __aenter__(self) -> Self:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End every session."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        writer.write(await there.readuntil(b"\r\n"))
        for job in (self._actions(reader, back, writer), self._answers(there, writer)):
            task = asyncio.create_task(job, name="ami filter")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _actions(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, answer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while packet := await source.readuntil(END):
                name, own = _header(packet, b"Action"), _header(packet, b"ActionID")
                if name.decode() in self.lacks.actions:
                    said = b"Response: Error\r\nActionID: %b\r\nMessage: Invalid/unknown command"
                    answer.write(said % own + END)
                    continue
                if name == b"CoreSettings":
                    self._settings.add(own)
                sink.write(packet)
                await sink.drain()
        sink.close()

    async def _answers(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while packet := await source.readuntil(END):
                left = self._left(packet)
                if left:
                    sink.write(left)
                    await sink.drain()
        sink.close()

    def _left(self, packet: bytes) -> bytes:
        """Return what is left of one packet, empty when it is taken away."""
        if packet.startswith(b"Event: "):
            name = _header(packet, b"Event").decode()
            if name.startswith(self.lacks.events):
                return b""
            lines = packet.split(b"\r\n")
            gone = tuple(f"{one}: ".encode() for one in self.lacks.headers)
            return b"\r\n".join(line for line in lines if not line.startswith(gone or (b"\0",)))
        own = _header(packet, b"ActionID")
        if own in self._settings:
            self._settings.discard(own)
            for name, value in self.lacks.settings.items():
                old = _header(packet, name.encode())
                packet = packet.replace(f"{name}: ".encode() + old, f"{name}: {value}".encode())
        if self.lacks.actions and b" (Priv: " in packet:
            lines = packet.split(b"\r\n")
            gone = tuple(f"{one}: ".encode() for one in self.lacks.actions)
            return b"\r\n".join(line for line in lines if not line.startswith(gone))
        return packet


def _header(packet: bytes, name: bytes) -> bytes:
    """Return the value of a header, empty when the packet has none."""
    return (b"\r\n" + packet).partition(b"\r\n" + name + b": ")[2].partition(b"\r\n")[0]
