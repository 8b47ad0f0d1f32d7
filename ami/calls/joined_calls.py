# SPDX-License-Identifier: Apache-2.0
"""Joins two calls into one when a transfer, pickup or conference connects them.

The mutable records of live channels, bridges and calls, with their indexes. `apply_events` calls
this for each AMI event and `graph` for each listing; everyone else gets snapshots from `graph`.

Two calls become one for good in `join` (their channels met) and in `set_linkedid` (Asterisk gave
them one linkedid). A conference joins calls only while it lasts: see `bridged_with`.

No operation here walks all channels: each costs what the one call it touches costs. The few
channels of a call or an extension are in lists, which take a third of the memory of a dictionary.
"""

import sys
from collections import deque

from ami.calls.channel_names import DEFAULT_RULES, Rules, extension

LINKEDIDS_KEPT = 256
"""Linkedids kept for one call. Only channels that live through hundreds of calls (an agent logged
in all day) reach this number; then the oldest that no live channel carries is dropped."""

GONE_KEPT = 4096
"""Uniqueids kept of channels that hung up. A late event or listing row must not revive one."""


class JoinedCall:
    """Channels that are one call for good, and every linkedid they have carried (`ids`)."""

    __slots__ = ("channels", "ids")

    def __init__(self, linkedid: str) -> None:
        self.ids = [linkedid]
        self.channels: list[LiveChannel] = []


class Bridge:
    """A bridge with the channels in it. `kind` and `technology` are empty until an event has them.

    `mix`: name of the conference whose mix is recorded there; empty when it is not recorded, None
    when that is not known.
    """

    __slots__ = ("bridge_id", "kind", "members", "mix", "technology")

    def __init__(self, bridge_id: str) -> None:
        self.bridge_id = bridge_id
        self.kind = ""
        self.technology = ""
        self.mix: str | None = None
        self.members: dict[str, LiveChannel] = {}

    @property
    def joins(self) -> bool:
        """True when the channels inside hear each other; in a parking lot they do not."""
        return self.technology != "holding_bridge"

    @property
    def is_conference(self) -> bool:
        """True for a bridge of ConfBridge or ARI, whose mix may be recorded."""
        return self.kind == "base" and self.joins


class LiveChannel:
    """One live channel. `serial` counts up with age.

    `monitors` (MixMonitors), `runs_monitor`: None while not known. `listeners` listen to it, and it
    listens to `spied`; `listeners_known` is False when there may be others.
    """

    __slots__ = (
        "account",
        "application",
        "bridge",
        "call",
        "caller_name",
        "caller_number",
        "connected_number",
        "context",
        "exten",
        "extension",
        "linkedid",
        "listeners",
        "listeners_known",
        "monitors",
        "muted_read",
        "muted_write",
        "name",
        "peer",
        "runs_monitor",
        "serial",
        "spied",
        "state",
        "uniqueid",
        "variable",
    )

    def __init__(self, name: str, uniqueid: str, call: JoinedCall, linkedid: str) -> None:
        self.name = name
        self.uniqueid = uniqueid
        self.call = call
        self.linkedid = linkedid
        self.extension: str | None = None
        self.variable: str | None = None
        self.peer: LiveChannel | None = None
        self.bridge: Bridge | None = None
        self.monitors: int | None = None
        self.runs_monitor: bool | None = None
        self.listeners: list[LiveChannel] = []
        self.listeners_known = False
        self.spied: LiveChannel | None = None
        self.muted_read = self.muted_write = False
        self.serial = 0
        self.state = self.context = self.exten = self.account = self.application = ""
        self.caller_number = self.caller_name = self.connected_number = ""


class LiveChannels:
    """All live channels of a PBX, indexed by uniqueid, name, linkedid and extension."""

    def __init__(self, rules: Rules = DEFAULT_RULES) -> None:
        self.rules = rules
        self.channels: dict[str, LiveChannel] = {}
        self.names: dict[str, LiveChannel] = {}
        self.calls: dict[str, JoinedCall] = {}
        self.extensions: dict[str, list[LiveChannel]] = {}
        self.mixes: dict[str, str] = {}
        """Conferences by bridge id: the name of one that is recorded, '' for one that is not."""
        self.bridges: dict[str, Bridge] = {}
        self.gone: set[str] = set()
        self._gone_order: deque[str] = deque()
        self._serial = 0

    def add(self, name: str, uniqueid: str, linkedid: str) -> LiveChannel:
        """Add a channel that is not there yet, and pair it with its other Local half by name."""
        uniqueid = sys.intern(uniqueid)  # the oldest channel's is the linkedid of the call
        linkedid = sys.intern(linkedid or uniqueid)
        call = self.calls.get(linkedid)
        if call is None:
            call = self.calls[linkedid] = JoinedCall(linkedid)
        live = LiveChannel(name, uniqueid, call, linkedid)
        self._serial += 1
        live.serial = self._serial
        self.channels[uniqueid] = live
        call.channels.append(live)
        self._name(live, name)
        return live

    def drop(self, live: LiveChannel) -> None:
        """Remove a channel from every index."""
        call = live.call
        del self.channels[live.uniqueid]
        if self.names.get(live.name) is live:
            del self.names[live.name]
        self._unindex_extension(live)
        self.leave_bridge(live)
        if live.peer is not None:
            live.peer.peer = None
            live.peer = None
        self.listen(live, None)
        for listener in live.listeners:
            listener.spied = None
        call.channels.remove(live)
        if not call.channels:
            for linkedid in call.ids:
                del self.calls[linkedid]

    def mark_gone(self, uniqueid: str) -> None:
        """Note that a channel has hung up; the last `GONE_KEPT` of them are remembered."""
        if uniqueid not in self.gone:
            self.gone.add(uniqueid)
            self._gone_order.append(uniqueid)
            if len(self._gone_order) > GONE_KEPT:
                self.gone.discard(self._gone_order.popleft())

    def forget_gone(self, uniqueid: str) -> None:
        """Forget that a channel has hung up: its uniqueid was given to a new one."""
        self.gone.discard(uniqueid)

    def rename(self, live: LiveChannel, name: str) -> None:
        """Set a channel's name, and the extension that follows from it."""
        if name == live.name:
            return
        if self.names.get(live.name) is live:
            del self.names[live.name]
        live.name = name
        self._name(live, name)

    def resolve_extension(self, live: LiveChannel) -> None:
        """Set a channel's extension again after its name, variable or the rules changed."""
        found = extension(live.name, self.rules, variable=live.variable)
        if found == live.extension:
            return
        self._unindex_extension(live)
        if found is not None:
            found = live.extension = sys.intern(found)
            self.extensions.setdefault(found, []).append(live)

    def set_linkedid(self, live: LiveChannel, linkedid: str) -> None:
        """Set the linkedid a channel carries now. If another call has it, the two become one."""
        linkedid = sys.intern(linkedid)
        live.linkedid = linkedid
        call = live.call
        other = self.calls.get(linkedid)
        if other is None:
            call.ids.append(linkedid)
            self.calls[linkedid] = call
            self._trim(call)
        else:
            self._merge(call, other)

    def join(self, one: LiveChannel, other: LiveChannel) -> None:
        """Make the calls of two channels one call, for good."""
        self._merge(one.call, other.call)

    def pair_local(self, one: LiveChannel, two: LiveChannel) -> None:
        """Pair the two halves of a Local channel, and join their calls."""
        if one is two:
            return
        for half in (one, two):
            if half.peer is not None:
                half.peer.peer = None
        one.peer, two.peer = two, one
        self.join(one, two)

    def listen(self, live: LiveChannel, spied: LiveChannel | None) -> None:
        """Have a channel listen to another one, or to none; it listens to one at most."""
        if live.spied is not None:
            live.spied.listeners.remove(live)
        live.spied = spied
        if spied is not None:
            spied.listeners.append(live)

    def enter_bridge(self, live: LiveChannel, bridge_id: str) -> Bridge:
        """Move a channel into a bridge, out of the one it was in."""
        bridge = self.bridges.get(bridge_id)
        if bridge is None:
            bridge = self.bridges[bridge_id] = Bridge(bridge_id)
            bridge.mix = self.mixes.get(bridge_id)
        if live.bridge is not bridge:
            self.leave_bridge(live)
            live.bridge = bridge
            bridge.members[live.uniqueid] = live
        return bridge

    def leave_bridge(self, live: LiveChannel) -> None:
        """Take a channel out of its bridge, if it is in one; an empty bridge is removed."""
        bridge = live.bridge
        if bridge is None:
            return
        live.bridge = None
        del bridge.members[live.uniqueid]
        if not bridge.members:
            del self.bridges[bridge.bridge_id]

    def bridged_with(self, start: JoinedCall) -> dict[int, JoinedCall]:
        """Return the calls that share a bridge with `start` now, itself first, keyed by `id()`.

        Two parties in one bridge are one call already. This follows the bridges in which each
        channel keeps its linkedid: conferences and those of ARI applications.
        """
        found = {id(start): start}
        waiting = [start]
        bridges: set[int] = set()
        for call in waiting:
            for live in call.channels:
                bridge = live.bridge
                if bridge is None or id(bridge) in bridges or not bridge.joins:
                    continue
                bridges.add(id(bridge))
                for member in bridge.members.values():
                    if id(member.call) not in found:
                        found[id(member.call)] = member.call
                        waiting.append(member.call)
        return found

    def _name(self, live: LiveChannel, name: str) -> None:
        self.names[name] = live
        self.resolve_extension(live)
        if name[-2:] in {";1", ";2"} and live.peer is None:
            other = self.names.get(name[:-1] + ("2" if name[-1] == "1" else "1"))
            if other is not None:
                self.pair_local(live, other)

    def _unindex_extension(self, live: LiveChannel) -> None:
        if live.extension is None:
            return
        there = self.extensions[live.extension]
        there.remove(live)
        if not there:
            del self.extensions[live.extension]
        live.extension = None

    def _merge(self, one: JoinedCall, other: JoinedCall) -> None:
        if one is other:
            return
        if len(one.channels) + len(one.ids) < len(other.channels) + len(other.ids):
            one, other = other, one
        for live in other.channels:
            live.call = one
        for linkedid in other.ids:
            self.calls[linkedid] = one
        one.channels += other.channels
        one.ids += other.ids
        self._trim(one)

    def _trim(self, call: JoinedCall) -> None:
        if len(call.ids) <= LINKEDIDS_KEPT:
            return
        carried = {live.linkedid for live in call.channels}
        excess = len(call.ids) - LINKEDIDS_KEPT
        spare = [linkedid for linkedid in call.ids if linkedid not in carried][:excess]
        for linkedid in spare:
            del self.calls[linkedid]
        call.ids = [linkedid for linkedid in call.ids if linkedid in self.calls]
