# SPDX-License-Identifier: Apache-2.0
"""The call graph: hands out snapshots of the live calls, and reconciles them with a listing.

Pure: no clock, no sockets. Events are applied in `ami.calls.apply_events`; which channels are one
call is decided in `ami.calls.joined_calls`.

A call is every channel whose linkedids have met. Asterisk gives all legs of a call the linkedid of
the oldest; when parties of two calls meet (a transfer, a pickup, a parked call fetched) it gives
them one linkedid in later events. The graph follows both: the meeting itself and the changed
linkedid. The halves of Local channels join what the linkedid does not reach. A conference or an
ARI bridge changes no linkedid; the calls in it count as one while it lasts.

Events may be missed while the link is down: `mark_unknown` says that they were, and `reconcile`
corrects the graph by a listing, whatever events came between the two.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from sys import intern

from ami.calls.apply_events import SEEN_ALIVE, SEEN_BRIDGE, SEEN_MONITOR, EventApplier
from ami.calls.channel_names import Rules, parse
from ami.calls.joined_calls import JoinedCall, LiveChannel
from ami.calls.snapshots import Call, Channel, Listener
from ami.events.headers import BridgeRow, ChannelRow

__all__ = ["Call", "CallGraph", "Channel", "Listener", "Reconciled"]


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a listing changed: the uniqueids of channels that are gone and of those that are new."""

    gone: tuple[str, ...]
    new: tuple[str, ...]


class CallGraph(EventApplier):
    """The live calls of one PBX, updated by its events.

    `rules`: how channel names become extensions. `known` is False until a listing has been
    reconciled and again after `mark_unknown`; snapshots then show the last known state. The cost
    of an event does not depend on the number of live calls; snapshots are built only on request.
    Not thread-safe.
    """

    @property
    def size(self) -> int:
        """The number of live channels."""
        return len(self._live.channels)

    @property
    def rules(self) -> Rules:
        """The rules by which channel names become extensions."""
        return self._live.rules

    def use_rules(self, rules: Rules) -> None:
        """Replace the rules and resolve the extension of every channel by them."""
        self._live.rules = rules
        for live in self._live.channels.values():
            self._live.resolve_extension(live)

    def set_monitors(self, uniqueid: str, count: int) -> None:
        """Set the number of MixMonitors on a channel, as the PBX itself answered.

        Where no events tell of later ones the answer is true for that moment alone, and the count
        stays unknown.
        """
        live = self._live.channels.get(uniqueid)
        if live is not None and self.counts_monitors:
            live.monitors = count

    def set_mix_stopped(self, conference: str) -> None:
        """Note that a conference's mix is not recorded any more, as the PBX itself answered."""
        mixes = self._live.mixes
        for bridge_id in [one for one, name in mixes.items() if name == conference]:
            mixes[bridge_id] = ""
            bridge = self._live.bridges.get(bridge_id)
            if bridge is not None:
                bridge.mix = ""

    def reconcile(
        self,
        rows: Iterable[ChannelRow],
        monitors: Mapping[str, int] | None = None,
        bridges: Iterable[BridgeRow] = (),
    ) -> Reconciled:
        """Correct the graph by a listing; it is `known` after that.

        `rows`: all channels of a CoreShowChannels listing that was requested after
        `mark_unknown`. `monitors`: MixMonitors counted by uniqueid; they fill in what is not
        known, and a channel without a count stays unknown. `bridges`: the rows of a BridgeList,
        which tell a parking lot from a conference. Events applied since `mark_unknown` win over
        the listing, and a channel whose hang-up was seen stays gone; the order in which the two
        came does not matter.
        """
        live_channels, since, told = self._live, self._since or {}, monitors or {}
        listed = sorted(rows, key=_age)
        new = []
        for row in listed:
            if row.uniqueid in live_channels.gone:
                continue
            live = live_channels.channels.get(row.uniqueid)
            if live is None:
                live = live_channels.add(row.channel, row.uniqueid, row.linkedid)
                new.append(row.uniqueid)
            flags = since.get(row.uniqueid, 0)
            self._take_row(live, row, flags)
            if live.monitors is None and not flags & SEEN_MONITOR:
                live.monitors = told.get(row.uniqueid) if self.counts_monitors else None
        kept = {row.uniqueid for row in listed}
        kept.update(uniqueid for uniqueid, flags in since.items() if flags & SEEN_ALIVE)
        gone = [live for uniqueid, live in live_channels.channels.items() if uniqueid not in kept]
        for live in gone:
            live_channels.drop(live)
        for told_bridge in bridges:
            bridge = live_channels.bridges.get(told_bridge.bridge_id)
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
        """Return the live channel with that name now, or None."""
        live = self._live.names.get(name)
        return None if live is None else _snapshot(live)

    def call_of(self, uniqueid: str) -> Call | None:
        """Return the call of a live channel, or None."""
        live = self._live.channels.get(uniqueid)
        return None if live is None else self._call(live.call)

    def heard_by(self, uniqueid: str) -> Channel | None:
        """Return the channel that a channel listens to by ChanSpy or as a snoop, or None."""
        live = self._live.channels.get(uniqueid)
        return None if live is None or live.spied is None else _snapshot(live.spied)

    def call_in(self, bridge_id: str) -> Call | None:
        """Return the call in a bridge, or None when there is no such bridge."""
        bridge = self._live.bridges.get(bridge_id)
        first = next(iter(bridge.members.values()), None) if bridge else None
        return None if first is None else self._call(first.call)

    def calls(self) -> list[Call]:
        """Return every live call, each once."""
        return self._calls_of(self._live.channels.values())

    def find(self, target: str) -> list[Call]:
        """Return the calls meant by a channel name, a uniqueid, a linkedid or an extension.

        They are tried in that order; the first that matches decides. Only an extension can mean
        several calls. A linkedid that a call carried earlier still finds it.
        """
        live_channels = self._live
        live = live_channels.names.get(target) or live_channels.channels.get(target)
        if live is not None:
            return [self._call(live.call)]
        joined = live_channels.calls.get(target)
        if joined is not None:
            return [self._call(joined)]
        return self._calls_of(live_channels.extensions.get(target, []))

    def live_on(self, extension: str) -> list[Channel]:
        """Return the live channels of an extension, oldest first."""
        there = self._live.extensions.get(extension, [])
        return [_snapshot(live) for live in sorted(there, key=_serial)]

    def two_party(self, uniqueid: str) -> bool:
        """Return whether a channel is in a bridge made for a call, with exactly one other.

        False in a conference, even of two, and in a parking lot.
        """
        live = self._live.channels.get(uniqueid)
        if live is None or live.bridge is None:
            return False
        bridge = live.bridge
        return bridge.joins and bridge.kind != "base" and len(bridge.members) == 2

    def speaker(self, uniqueid: str) -> Channel | None:
        """Return the channel whose audio is heard on a channel: itself, or behind a Local channel.

        What a half of a Local channel receives comes from the bridge of its other half. If exactly
        one other channel is in that bridge it is that one, otherwise None.
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

    def _calls_of(self, channels: Iterable[LiveChannel]) -> list[Call]:
        seen: set[int] = set()
        found = []
        for live in channels:
            if id(live.call) not in seen:
                joined = self._live.bridged_with(live.call)
                seen.update(joined)
                found.append(_call(joined.values()))
        return found

    def _call(self, joined: JoinedCall) -> Call:
        return _call(self._live.bridged_with(joined).values())

    def _take_row(self, live: LiveChannel, row: ChannelRow, flags: int) -> None:
        """Apply a listing row to a channel, except where an event has newer values."""
        live.application = intern(row.application)
        if not flags & SEEN_BRIDGE:
            if row.bridge_id:
                self._live.enter_bridge(live, row.bridge_id)
            else:
                self._live.leave_bridge(live)
        if not flags:
            self._live.rename(live, row.channel)
            if row.linkedid != live.linkedid:
                self._live.set_linkedid(live, row.linkedid)
        told = flags != 0  # by events, which may have had a part of it only
        live.state = (told and live.state) or intern(row.state)
        live.account = (told and live.account) or intern(row.account)
        live.context = (told and live.context) or intern(row.context)
        live.exten = (told and live.exten) or intern(row.exten)
        live.caller_number = (told and live.caller_number) or intern(row.caller_number)
        live.caller_name = (told and live.caller_name) or row.caller_name
        live.connected_number = (told and live.connected_number) or intern(row.connected_number)


def _serial(live: LiveChannel) -> int:
    return live.serial


def _age(row: ChannelRow) -> tuple[int, int]:
    """Return the sort key of a row, by age: a uniqueid is `[system-]seconds.count`."""
    seconds, _, count = row.uniqueid.rpartition("-")[2].partition(".")
    return (int(seconds), int(count)) if seconds.isdecimal() and count.isdecimal() else (0, 0)


def _call(calls: Iterable[JoinedCall]) -> Call:
    joined = list(calls)
    members = [live for one in joined for live in one.channels]
    members.sort(key=_serial)
    lineage = frozenset(linkedid for one in joined for linkedid in one.ids)
    return Call(members[0].linkedid, lineage, tuple(map(_snapshot, members)))


def _snapshot(live: LiveChannel) -> Channel:
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
        runs_monitor=live.runs_monitor,
        listeners=tuple(
            Listener(each.name, each.uniqueid, each.extension) for each in live.listeners
        ),
        listeners_known=live.listeners_known,
        mix=live.bridge.mix if live.bridge and live.bridge.is_conference else "",
    )
