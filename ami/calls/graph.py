# SPDX-License-Identifier: Apache-2.0
"""The call graph: AMI events in, snapshots of live calls out. Pure: no clock, no sockets.

A call is every channel of one linkedid lineage. Asterisk gives all legs of a call the linkedid of
the oldest; when parties of two calls meet (a transfer, a pickup, a parked call fetched) it gives
them one linkedid in later events. The graph follows both: the meeting itself and the changed
linkedid. The halves of Local channels tie what the linkedid does not reach. A conference or an
ARI bridge changes no linkedid; who hears whom there counts as one call while it lasts.

Events are hints and may be missed while the link is down: `mark_unknown` says so, and `reconcile`
puts the graph in step with a listing, whatever events came between the two.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from sys import intern

from ami.calls.apply_events import SEEN_ALIVE, SEEN_BRIDGE, SEEN_MONITOR, EventApplier
from ami.calls.joined_calls import Lineage, Live
from ami.calls.names import Rules, parse
from ami.calls.snapshots import Call, Channel
from ami.events.headers import BridgeRow, ChannelRow

__all__ = ["Call", "CallGraph", "Channel", "Reconciled"]


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a listing changed: uniqueids of channels that were gone, and of those that were new."""

    gone: tuple[str, ...]
    new: tuple[str, ...]


class CallGraph(EventApplier):
    """The live calls of one PBX, kept by its events.

    `rules` say how channel names become extensions. `known` is False until a listing has been
    reconciled and again after `mark_unknown`; the snapshots then are the last that was seen.
    The cost of an event does not depend on the number of live calls; snapshots are built only
    when asked for. Not for use by several threads.
    """

    @property
    def size(self) -> int:
        """The number of live channels."""
        return len(self._live.channels)

    @property
    def rules(self) -> Rules:
        """The rules that say how channel names become extensions."""
        return self._live.rules

    def use_rules(self, rules: Rules) -> None:
        """Resolve every channel anew by other rules, after a change of configuration."""
        self._live.rules = rules
        for live in self._live.channels.values():
            self._live.resolve(live)

    def set_monitors(self, uniqueid: str, count: int) -> None:
        """Note what the PBX itself answered about the MixMonitors running on a channel."""
        live = self._live.channels.get(uniqueid)
        if live is not None:
            live.monitors = count

    def reconcile(
        self,
        rows: Iterable[ChannelRow],
        monitors: Mapping[str, int] | None = None,
        bridges: Iterable[BridgeRow] = (),
    ) -> Reconciled:
        """Put the graph in step with a listing; it is `known` after that.

        `rows` are all channels of a CoreShowChannels listing, asked for after `mark_unknown` or
        `expect_listing`. `monitors` are the MixMonitors counted by uniqueid; they fill in what is
        not known, and a channel without a count stays unknown. `bridges` are the rows of a
        BridgeList, which tell a parking lot from a conference. Events applied since the listing
        was expected win over it, and a channel whose hang-up has been seen stays gone, so it does
        not matter which of the two came first.
        """
        registry, since, told = self._live, self._since or {}, monitors or {}
        listed = sorted(rows, key=_age)
        new = []
        for row in listed:
            if row.uniqueid in registry.gone:
                continue
            live = registry.channels.get(row.uniqueid)
            if live is None:
                live = registry.add(row.channel, row.uniqueid, row.linkedid)
                new.append(row.uniqueid)
            flags = since.get(row.uniqueid, 0)
            self._take_row(live, row, flags)
            if live.monitors is None and not flags & SEEN_MONITOR:
                live.monitors = told.get(row.uniqueid)
        kept = {row.uniqueid for row in listed}
        kept.update(uniqueid for uniqueid, flags in since.items() if flags & SEEN_ALIVE)
        gone = [live for uniqueid, live in registry.channels.items() if uniqueid not in kept]
        for live in gone:
            registry.drop(live)
        for told_bridge in bridges:
            bridge = registry.bridges.get(told_bridge.bridge_id)
            if bridge is not None:
                bridge.kind, bridge.technology = told_bridge.bridge_type, told_bridge.technology
        self._since = None
        self.known = True
        return Reconciled(tuple(live.uniqueid for live in gone), tuple(new))

    # Snapshots out

    def channel(self, uniqueid: str) -> Channel | None:
        """Return the live channel with that uniqueid, or None."""
        live = self._live.channels.get(uniqueid)
        return None if live is None else _snapshot(live)

    def by_name(self, name: str) -> Channel | None:
        """Return the live channel that carries that name now, or None."""
        live = self._live.names.get(name)
        return None if live is None else _snapshot(live)

    def call_of(self, uniqueid: str) -> Call | None:
        """Return the call of a live channel, or None."""
        live = self._live.channels.get(uniqueid)
        return None if live is None else self._call(live.lineage)

    def call_in(self, bridge_id: str) -> Call | None:
        """Return the call of those who are in a bridge, or None when nobody is."""
        bridge = self._live.bridges.get(bridge_id)
        first = next(iter(bridge.members.values()), None) if bridge else None
        return None if first is None else self._call(first.lineage)

    def calls(self) -> list[Call]:
        """Return every live call, each once."""
        return self._calls_of(self._live.channels.values())

    def find(self, target: str) -> list[Call]:
        """Return the calls meant by a channel name, a uniqueid, a linkedid or an extension.

        They are tried in that order and the first that fits decides. Only an extension can mean
        several calls. A linkedid that a call has gone by earlier still finds it.
        """
        registry = self._live
        live = registry.names.get(target) or registry.channels.get(target)
        if live is not None:
            return [self._call(live.lineage)]
        lineage = registry.lineages.get(target)
        if lineage is not None:
            return [self._call(lineage)]
        return self._calls_of(registry.extensions.get(target, []))

    def live_on(self, extension: str) -> list[Channel]:
        """Return the live channels of an extension, oldest first."""
        there = self._live.extensions.get(extension, [])
        return [_snapshot(live) for live in sorted(there, key=_serial)]

    def two_party(self, uniqueid: str) -> bool:
        """Say whether a channel talks with exactly one other, in a bridge made for a call.

        A conference is none, even with two in it, and neither is a parking lot.
        """
        live = self._live.channels.get(uniqueid)
        if live is None or live.bridge is None:
            return False
        bridge = live.bridge
        return bridge.joins and bridge.kind != "base" and len(bridge.members) == 2

    def speaker(self, uniqueid: str) -> Channel | None:
        """Return who is heard on a channel: itself, or whoever speaks through a Local channel.

        What a half of a Local channel receives comes from the bridge of its other half. Where
        exactly one other is in that bridge it is that one; None where nobody can say.
        """
        live = self._live.channels.get(uniqueid)
        passed = {uniqueid}
        while live is not None and live.peer is not None:
            half = live.peer
            if not self.two_party(half.uniqueid) or half.bridge is None:
                return None
            [live] = [one for one in half.bridge.members.values() if one is not half]
            if live.uniqueid in passed:
                return None
            passed.add(live.uniqueid)
        return None if live is None else _snapshot(live)

    def _calls_of(self, channels: Iterable[Live]) -> list[Call]:
        seen: set[int] = set()
        found = []
        for live in channels:
            if id(live.lineage) not in seen:
                joined = self._live.joined(live.lineage)
                seen.update(joined)
                found.append(_call(joined.values()))
        return found

    def _call(self, lineage: Lineage) -> Call:
        return _call(self._live.joined(lineage).values())

    def _take_row(self, live: Live, row: ChannelRow, flags: int) -> None:
        """Take what a listing says of a channel, except where an event said it since."""
        live.application = intern(row.application)
        if not flags & SEEN_BRIDGE:
            if row.bridge_id:
                self._live.enter(live, row.bridge_id)
            else:
                self._live.leave(live)
        if not flags:
            self._live.rename(live, row.channel)
            if row.linkedid != live.linkedid:
                self._live.relink(live, row.linkedid)
        told = flags != 0  # by events, which may have told a part only
        live.state = (told and live.state) or intern(row.state)
        live.account = (told and live.account) or intern(row.account)
        live.context = (told and live.context) or intern(row.context)
        live.exten = (told and live.exten) or intern(row.exten)
        live.caller_number = (told and live.caller_number) or intern(row.caller_number)
        live.caller_name = (told and live.caller_name) or row.caller_name
        live.connected_number = (told and live.connected_number) or intern(row.connected_number)


def _serial(live: Live) -> int:
    return live.serial


def _age(row: ChannelRow) -> tuple[int, int]:
    """Order rows as their channels were made: a uniqueid is `[system-]seconds.count`."""
    seconds, _, count = row.uniqueid.rpartition("-")[2].partition(".")
    return (int(seconds), int(count)) if seconds.isdecimal() and count.isdecimal() else (0, 0)


def _call(lineages: Iterable[Lineage]) -> Call:
    joined = list(lineages)
    members = [live for lineage in joined for live in lineage.channels]
    members.sort(key=_serial)
    lineage = frozenset(linkedid for one in joined for linkedid in one.ids)
    return Call(members[0].linkedid, lineage, tuple(map(_snapshot, members)))


def _snapshot(live: Live) -> Channel:
    parts = parse(live.name)
    return Channel(
        name=live.name,
        uniqueid=live.uniqueid,
        linkedid=live.linkedid,
        technology=parts.technology,
        endpoint=parts.endpoint,
        extension=live.extension,
        local_peer=None if live.peer is None else live.peer.uniqueid,
        state=live.state,
        context=live.context,
        exten=live.exten,
        caller_number=live.caller_number,
        caller_name=live.caller_name,
        connected_number=live.connected_number,
        account=live.account,
        application=live.application,
        bridge_id=None if live.bridge is None else live.bridge.bridge_id,
        monitors=live.monitors,
        muted=live.muted_read and live.muted_write,
        mix=live.bridge.mix if live.bridge and live.bridge.is_conference else "",
    )
