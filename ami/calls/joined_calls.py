# SPDX-License-Identifier: Apache-2.0
"""The live channels, bridges and lineages of a PBX, with their indexes: the call graph's memory.

Only `ami.calls.graph` changes these records; everyone else gets frozen snapshots from it. No
operation here walks all channels: each costs what the one call it touches costs. Lists are used
where only the few channels of a call or an extension can be, for they take a third of a
dictionary's room.
"""

import sys
from collections import deque

from ami.calls.names import DEFAULT_RULES, Rules, extension

LINEAGE_KEPT = 256
"""How many linkedids a lineage remembers. Only channels that live through hundreds of calls (an
agent logged in all day) ever get there; the oldest that no live channel carries is forgotten."""

GONE_KEPT = 4096
"""How many ended channels are remembered, so that a late event or row does not revive one."""


class Lineage:
    """Channels that Asterisk has tied together, and every linkedid they have gone by."""

    __slots__ = ("channels", "ids")

    def __init__(self, linkedid: str) -> None:
        self.ids = [linkedid]
        self.channels: list[Live] = []


class Bridge:
    """A bridge with the channels in it. `kind` and `technology` are empty when not yet told.

    `mix` is the name of the conference whose mix is recorded there, empty when it is not, None
    when nobody knows.
    """

    __slots__ = ("bridge_id", "kind", "members", "mix", "technology")

    def __init__(self, bridge_id: str) -> None:
        self.bridge_id = bridge_id
        self.kind = ""
        self.technology = ""
        self.mix: str | None = None
        self.members: dict[str, Live] = {}

    @property
    def joins(self) -> bool:
        """True where those inside hear each other; parked parties wait side by side, deaf."""
        return self.technology != "holding_bridge"

    @property
    def is_conference(self) -> bool:
        """True where several meet, by ConfBridge or ARI, whose mix may be recorded."""
        return self.kind == "base" and self.joins


class Live:
    """One live channel. `serial` orders channels by age; `monitors` None means not known."""

    __slots__ = (
        "account",
        "application",
        "bridge",
        "caller_name",
        "caller_number",
        "connected_number",
        "context",
        "exten",
        "extension",
        "lineage",
        "linkedid",
        "monitors",
        "muted_read",
        "muted_write",
        "name",
        "peer",
        "serial",
        "state",
        "uniqueid",
        "variable",
    )

    def __init__(self, name: str, uniqueid: str, lineage: Lineage, linkedid: str) -> None:
        self.name = name
        self.uniqueid = uniqueid
        self.lineage = lineage
        self.linkedid = linkedid
        self.extension: str | None = None
        self.variable: str | None = None
        self.peer: Live | None = None
        self.bridge: Bridge | None = None
        self.monitors: int | None = None
        self.muted_read = self.muted_write = False
        self.serial = 0
        self.state = self.context = self.exten = self.account = self.application = ""
        self.caller_number = self.caller_name = self.connected_number = ""


class Registry:
    """All live channels by uniqueid, name, lineage and extension, kept in step."""

    def __init__(self, rules: Rules = DEFAULT_RULES) -> None:
        self.rules = rules
        self.channels: dict[str, Live] = {}
        self.names: dict[str, Live] = {}
        self.lineages: dict[str, Lineage] = {}
        self.extensions: dict[str, list[Live]] = {}
        self.mixes: dict[str, str] = {}
        """What was told of conferences, by bridge: the name of one that is recorded, else ''."""
        self.bridges: dict[str, Bridge] = {}
        self.gone: set[str] = set()
        self._gone_order: deque[str] = deque()
        self._serial = 0

    def add(self, name: str, uniqueid: str, linkedid: str) -> Live:
        """Take up a channel that is not there yet, and tie it to its other Local half by name."""
        uniqueid = sys.intern(uniqueid)  # the oldest channel's is the linkedid of all
        linkedid = sys.intern(linkedid or uniqueid)
        lineage = self.lineages.get(linkedid)
        if lineage is None:
            lineage = self.lineages[linkedid] = Lineage(linkedid)
        live = Live(name, uniqueid, lineage, linkedid)
        self._serial += 1
        live.serial = self._serial
        self.channels[uniqueid] = live
        lineage.channels.append(live)
        self._name(live, name)
        return live

    def drop(self, live: Live) -> None:
        """Forget a channel everywhere."""
        lineage = live.lineage
        del self.channels[live.uniqueid]
        if self.names.get(live.name) is live:
            del self.names[live.name]
        self._unindex_extension(live)
        self.leave(live)
        if live.peer is not None:
            live.peer.peer = None
            live.peer = None
        lineage.channels.remove(live)
        if not lineage.channels:
            for linkedid in lineage.ids:
                del self.lineages[linkedid]

    def bury(self, uniqueid: str) -> None:
        """Remember for a while that a channel has ended."""
        if uniqueid not in self.gone:
            self.gone.add(uniqueid)
            self._gone_order.append(uniqueid)
            if len(self._gone_order) > GONE_KEPT:
                self.gone.discard(self._gone_order.popleft())

    def exhume(self, uniqueid: str) -> None:
        """Forget that a channel ended: its id has been given to a new one."""
        self.gone.discard(uniqueid)

    def rename(self, live: Live, name: str) -> None:
        """Give a channel another name, and the extension that goes with it."""
        if name == live.name:
            return
        if self.names.get(live.name) is live:
            del self.names[live.name]
        live.name = name
        self._name(live, name)

    def resolve(self, live: Live) -> None:
        """Find a channel's extension anew, after a change of name, variable or rules."""
        found = extension(live.name, self.rules, variable=live.variable)
        if found == live.extension:
            return
        self._unindex_extension(live)
        if found is not None:
            found = live.extension = sys.intern(found)
            self.extensions.setdefault(found, []).append(live)

    def relink(self, live: Live, linkedid: str) -> None:
        """Take note of the linkedid a channel carries now; two lineages may become one by it."""
        linkedid = sys.intern(linkedid)
        live.linkedid = linkedid
        lineage = live.lineage
        other = self.lineages.get(linkedid)
        if other is None:
            lineage.ids.append(linkedid)
            self.lineages[linkedid] = lineage
            self._trim(lineage)
        else:
            self._merge(lineage, other)

    def tie(self, one: Live, other: Live) -> None:
        """Make the calls of two channels one for good."""
        self._merge(one.lineage, other.lineage)

    def pair(self, one: Live, two: Live) -> None:
        """Tie the two halves of a Local channel."""
        if one is two:
            return
        for half in (one, two):
            if half.peer is not None:
                half.peer.peer = None
        one.peer, two.peer = two, one
        self.tie(one, two)

    def enter(self, live: Live, bridge_id: str) -> Bridge:
        """Put a channel into a bridge, taking it out of the one it was in."""
        bridge = self.bridges.get(bridge_id)
        if bridge is None:
            bridge = self.bridges[bridge_id] = Bridge(bridge_id)
            bridge.mix = self.mixes.get(bridge_id)
        if live.bridge is not bridge:
            self.leave(live)
            live.bridge = bridge
            bridge.members[live.uniqueid] = live
        return bridge

    def leave(self, live: Live) -> None:
        """Take a channel out of its bridge, if it is in one; an empty bridge is forgotten."""
        bridge = live.bridge
        if bridge is None:
            return
        live.bridge = None
        del bridge.members[live.uniqueid]
        if not bridge.members:
            del self.bridges[bridge.bridge_id]

    def joined(self, start: Lineage) -> dict[int, Lineage]:
        """Return every lineage that hears `start` now, itself first, by identity.

        Calls between parties have been made one lineage already; this follows bridges that
        Asterisk does not tie by linkedid, such as conferences and those of ARI applications.
        """
        found = {id(start): start}
        waiting = [start]
        bridges: set[int] = set()
        for lineage in waiting:
            for live in lineage.channels:
                bridge = live.bridge
                if bridge is None or id(bridge) in bridges or not bridge.joins:
                    continue
                bridges.add(id(bridge))
                for member in bridge.members.values():
                    if id(member.lineage) not in found:
                        found[id(member.lineage)] = member.lineage
                        waiting.append(member.lineage)
        return found

    def _name(self, live: Live, name: str) -> None:
        self.names[name] = live
        self.resolve(live)
        if name[-2:] in {";1", ";2"} and live.peer is None:
            other = self.names.get(name[:-1] + ("2" if name[-1] == "1" else "1"))
            if other is not None:
                self.pair(live, other)

    def _unindex_extension(self, live: Live) -> None:
        if live.extension is None:
            return
        there = self.extensions[live.extension]
        there.remove(live)
        if not there:
            del self.extensions[live.extension]
        live.extension = None

    def _merge(self, one: Lineage, other: Lineage) -> None:
        if one is other:
            return
        if len(one.channels) + len(one.ids) < len(other.channels) + len(other.ids):
            one, other = other, one
        for live in other.channels:
            live.lineage = one
        for linkedid in other.ids:
            self.lineages[linkedid] = one
        one.channels += other.channels
        one.ids += other.ids
        self._trim(one)

    def _trim(self, lineage: Lineage) -> None:
        if len(lineage.ids) <= LINEAGE_KEPT:
            return
        carried = {live.linkedid for live in lineage.channels}
        excess = len(lineage.ids) - LINEAGE_KEPT
        spare = [linkedid for linkedid in lineage.ids if linkedid not in carried][:excess]
        for linkedid in spare:
            del self.lineages[linkedid]
        lineage.ids = [linkedid for linkedid in lineage.ids if linkedid in self.lineages]
