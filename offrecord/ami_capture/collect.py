# SPDX-License-Identifier: Apache-2.0
"""Collects in memory what a capture is made of: useful packets, presses and their verdicts.

Nothing is redacted here and nothing is written to disk. A capture is redacted as a whole, because
a replacement must not equal a real number that appears elsewhere in it.
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
"""`>` sent to the PBX, `<` received from it, `=` state of the link, `!` record of a press."""

LIST_EVENTS: Final = frozenset(
    {
        *("CoreShowChannel", "CoreShowChannelsComplete", "BridgeListItem", "BridgeListComplete"),
        *("DBGetResponse", "DBGetComplete", "QueueMember", "QueueStatusComplete"),
    }
)
"""The rows and closing events of lists that are kept."""

ACTIONS: Final = frozenset(
    {
        *("StopMixMonitor", "MixMonitorMute", "MixMonitor", "Getvar"),
        *("StopMonitor", "PauseMonitor", "UnpauseMonitor"),
        *("CoreShowChannels", "BridgeList", "DBGet", "QueueStatus"),
    }
)
"""The actions that are kept, together with their answers."""

RECORDS: Final = frozenset({"pressed", "joined", "answered", "verdict"})
"""The kinds of journal records that are kept."""

_RECORD_FIELDS: Final = (
    *("verb", "way", "target", "uniqueid", "channel", "agent", "recorder", "of"),
    *("outcome", "evidence"),
)
"""The fields that are kept of such a record."""

DEFAULT_LIMIT: Final = 32 * 1024 * 1024
"""Most bytes of packets in a capture."""


class StreamItem(NamedTuple):
    """One packet, link state or record, before redaction. `at`: seconds since the epoch."""

    at: float
    mark: str
    fields: tuple[tuple[str, str], ...]


def is_relevant(mark: str, packet: bytes) -> bool:
    """Return whether a packet may be useful: a cheap check before that of `Collector`."""
    if mark != "<" or not packet.startswith(b"Event: "):
        return True
    name = packet[7 : packet.find(b"\r\n")].decode("ascii", "replace")
    if name == "VarSet":
        return EXTENSION_VARIABLE.encode() in packet
    return name in LIST_EVENTS or decode(packet) is not None


@dataclass(slots=True)
class Collector:
    """Keeps up to `limit` bytes. `ended` is set when collecting is over; `why` says why.

    `presses`: end after so many verdicts; 0 for no limit. `keypad`, `user_event`: how presses are
    recognised when there is no daemon; None when there is one. `monitors`: MixMonitors by uniqueid
    at the beginning, None while not known.
    """

    limit: int = DEFAULT_LIMIT
    presses: int = 0
    keypad: Keypad | None = None
    user_event: str | None = None
    items: list[StreamItem] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    why: str = ""
    seen: int = 0
    size: int = 0
    monitors: Mapping[str, int | None] = field(default_factory=dict)
    _asked: dict[str, str] = field(default_factory=dict)

    def add_packet(self, at: float, mark: str, packet: bytes) -> None:
        """Add one packet, or a state of the link, if it is useful."""
        if mark == "=":
            self._keep(StreamItem(at, mark, (("Link", packet.decode()),)), len(packet))
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
            self._keep(StreamItem(at, mark, tuple(pairs)), len(packet))
        else:
            self.left_out[name if head != "Response" else "answers to actions left out"] += 1

    def _event(self, at: float, name: str, packet: bytes, pairs: list[tuple[str, str]]) -> bool:
        if name in LIST_EVENTS:
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

    def add_left_out(self, counts: Mapping[str, int]) -> None:
        """Count packets that were left out before they came here, by name."""
        self.left_out.update(counts)

    def add_record(self, kind: str, at: int, press: str, body: Mapping[str, Any]) -> None:
        """Add a journal record if its kind is kept. `at`: milliseconds since the epoch."""
        if kind not in RECORDS:
            return
        fields = [("Press", press), ("What", kind)]
        fields += [(key.capitalize(), str(body[key])) for key in _RECORD_FIELDS if body.get(key)]
        if body.get("options", {}).get(END_OBJECTION) == "yes":
            fields.append(("EndObjection", "yes"))
        self._keep(StreamItem(at / 1000, "!", tuple(fields)), sum(len(v) for _, v in fields))
        self._pressed(kind == "verdict")

    def _pressed(self, one: bool) -> None:
        self.seen += one
        if one and self.presses and self.seen >= self.presses:
            self.end(f"{self.seen} presses seen")

    def _keep(self, item: StreamItem, size: int) -> None:
        if self.size + size > self.limit:
            self.end(f"the capture is full: {self.limit // 1024 // 1024} MB of packets")
            return
        self.size += size
        self.items.append(item)

    def end(self, why: str) -> None:
        """End collecting; the first reason counts."""
        if not self.ended.is_set():
            self.why = why
            self.ended.set()
