# SPDX-License-Identifier: Apache-2.0
"""A proxy before a real AMI that takes away what an older Asterisk lacks, or an account may not.

Events by the beginning of their name, actions, headers of events, and the version that CoreSettings
tells. What is left goes through as it is, byte for byte.
"""

import asyncio
import contextlib
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field

from lab.pbx.cuttable_link import CuttableLink, End

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


class AmiFilter(CuttableLink):
    """Relays AMI sessions of loopback to `target`, and takes away what `lacks` says."""

    def __init__(self, target: int, lacks: Lacks) -> None:
        super().__init__(target)
        self.lacks = lacks
        self._settings: set[bytes] = set()

    def _directions(self, client: End, target: End) -> tuple[Coroutine[None, None, None], ...]:
        return self._actions(client[0], target[1], client[1]), self._answers(target[0], client[1])

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
            sink.write(await source.readuntil(b"\r\n"))  # the banner is no packet
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
