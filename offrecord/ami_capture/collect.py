# SPDX-License-Identifier: Apache-2.0
"""Keeps what a capture is made of, as it comes: packets of use, presses, and how they ended.

Nothing is redacted here, so nothing here reaches a disk: a capture is redacted as a whole, in
memory, because a replacement must not happen to be somebody else's number.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ami.events.headers import headers
from ami.events.packet_to_event import EXTENSION_VARIABLE, decode
from ami.keypad import Keypad
from offrecord.model.press import END_OBJECTION

MARKS: Final = frozenset("<>=!")
"""`>` was sent to the PBX, `<` came from it, `=` is a state of the link, `!` is of a press."""

ROWS: Final = frozenset(
    {
        *("CoreShowChannel", "CoreShowChannelsComplete", "BridgeListItem", "BridgeListComplete"),
        *("DBGetResponse", "DBGetComplete", "QueueMember", "QueueStatusComplete"),
    }
)
"""Rows and ends of the lists that are kept."""

ACTIONS: Final = frozenset(
    {
        *("StopMixMonitor", "MixMonitorMute", "MixMonitor", "ConfbridgeStopRecord", "Getvar"),
        *("CoreShowChannels", "BridgeList", "DBGet", "QueueStatus"),
    }
)
"""The actions that are kept, with their answers."""

NEWS: Final = frozenset({"pressed", "joined", "answered", "verdict"})
"""The records of the journal that are kept."""

_TOLD: Final = (
    *("verb", "way", "target", "uniqueid", "channel", "agent", "recorder", "of"),
    *("outcome", "evidence"),
)
"""What is kept of such a record."""

DEFAULT_LIMIT: Final = 32 * 1024 * 1024
"""Bytes of packets that a capture keeps."""


class Raw(NamedTuple):
    """One thing that was heard, `at` seconds since the epoch; `fields` in order."""

    at: float
    mark: str
    fields: tuple[tuple[str, str], ...]


def of_use(mark: str, packet: bytes) -> bool:
    """Say cheaply whether a packet may be of use; `Collector` looks closer."""
    if mark != "<" or not packet.startswith(b"Event: "):
        return True
    name = packet[7 : packet.find(b"\r\n")].decode("ascii", "replace")
    if name == "VarSet":
        return EXTENSION_VARIABLE.encode() in packet
    return name in ROWS or decode(packet) is not None


@dataclass(slots=True)
class Collector:
    """Keeps up to `limit` bytes. `ended` is set when there is enough; `why` then says why.

    After `presses` verdicts (0: any number) it is enough. `keypad` and `user_event` tell presses
    where no daemon does; None where one does.
    """

    limit: int = DEFAULT_LIMIT
    presses: int = 0
    keypad: Keypad | None = None
    user_event: str | None = None
    items: list[Raw] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    why: str = ""
    seen: int = 0
    size: int = 0
    view: Mapping[str, int | None] = field(default_factory=dict)
    _asked: dict[str, str] = field(default_factory=dict)

    def packet(self, at: float, mark: str, packet: bytes) -> None:
        """Take one packet, or a state of the link."""
        if mark == "=":
            self._keep(Raw(at, mark, (("Link", packet.decode()),)), len(packet))
            return
        pairs = headers(packet.strip(b"\r\n"))
        if not pairs:
            return
        head, name = pairs[0]
        if head == "Action":
            kept = name in ACTIONS
            if kept:
                self._asked[dict(pairs).get("ActionID", "")] = name
        elif head == "Response":
            kept = dict(pairs).get("ActionID", "") in self._asked
        else:
            kept = self._event(at, name, packet, pairs)
        if kept:
            self._keep(Raw(at, mark, tuple(pairs)), len(packet))
        else:
            self.left_out[name if head != "Response" else "answers to actions left out"] += 1

    def _event(self, at: float, name: str, packet: bytes, pairs: list[tuple[str, str]]) -> bool:
        if name in ROWS:
            return dict(pairs).get("ActionID", "") in self._asked
        if decode(packet.strip(b"\r\n")) is None:
            return False
        told = dict(pairs)
        if name == "UserEvent":
            ours = self.user_event is not None and told["UserEvent"] == self.user_event
            self._pressed(ours)
        elif name == "DTMFEnd" and self.keypad is not None:
            self._pressed(self.keypad.feed(told["Uniqueid"], told["Digit"], at) is not None)
        return True

    def left(self, counts: Mapping[str, int]) -> None:
        """Count what was left out before it came here."""
        self.left_out.update(counts)

    def news(self, kind: str, at: int, press: str, body: Mapping[str, Any]) -> None:
        """Take a record of the journal; `at` is milliseconds since the epoch."""
        if kind not in NEWS:
            return
        fields = [("Press", press), ("What", kind)]
        fields += [(key.capitalize(), str(body[key])) for key in _TOLD if body.get(key)]
        if body.get("options", {}).get(END_OBJECTION) == "yes":
            fields.append(("EndObjection", "yes"))
        self._keep(Raw(at / 1000, "!", tuple(fields)), sum(len(v) for _, v in fields))
        self._pressed(kind == "verdict")

    def _pressed(self, one: bool) -> None:
        self.seen += one
        if one and self.presses and self.seen >= self.presses:
            self.end(f"{self.seen} presses seen")

    def _keep(self, item: Raw, size: int) -> None:
        if self.size + size > self.limit:
            self.end(f"the capture is full: {self.limit // 1024 // 1024} MB of packets")
            return
        self.size += size
        self.items.append(item)

    def end(self, why: str) -> None:
        """Say that it is enough; the first reason counts."""
        if not self.ended.is_set():
            self.why = why
            self.ended.set()
