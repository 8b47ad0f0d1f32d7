# SPDX-License-Identifier: Apache-2.0
"""Which AMI event changes what about the live channels: one method for each event type.

How two calls are joined is in `ami.calls.joined_calls`; listings and snapshots are in
`ami.calls.graph`.
"""

from collections.abc import Callable, Iterable
from sys import intern
from typing import Any, ClassVar, Final

from ami.calls.channel_names import DEFAULT_RULES, Rules
from ami.calls.joined_calls import LiveChannel, LiveChannels
from ami.calls.own_channels import OwnChannels
from ami.events import types as ev

SEEN: Final = 1
SEEN_ALIVE: Final = 2
SEEN_BRIDGE: Final = 4
SEEN_MONITOR: Final = 8
"""Flags for what events said of a channel while a listing is on its way: anything at all, that it
is alive, its bridge, its MixMonitors."""


class EventApplier:
    """The live channels of one PBX, updated by its events.

    `rules`: how channel names become extensions. `known` is False until a listing has been
    reconciled, and again after `mark_unknown`. `own_channels`: those that we originate ourselves;
    whoever sends an Originate adds to it.
    """

    def __init__(self, rules: Rules = DEFAULT_RULES) -> None:
        self.known = False
        self.counts_monitors = True
        """False where the PBX raises no events of MixMonitors: no count is ever known then."""
        self.hidden_events: frozenset[str] = frozenset()
        """Names of events that an `eventfilter` of the account is known to keep from us."""
        self.starts_seen = self.stops_seen = False
        """Whether a MixMonitorStart, or a MixMonitorStop, has come since the login."""
        self.own_channels = OwnChannels()
        self._live = LiveChannels(rules)
        # Flags by uniqueid of what events said while a listing is on its way; None when none is.
        self._since: dict[str, int] | None = {}

    def apply(self, event: ev.Event) -> None:
        """Apply one event. What it says of channels that have hung up is ignored."""
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(self, event)

    def mark_unknown(self) -> None:
        """Mark the view as unknown: events may have been lost, also those about recordings.

        From here on events win over the listing that is reconciled next.
        """
        self.known = False
        self._since = {}
        for live in self._live.channels.values():
            live.monitors = live.runs_monitor = live.spied = None
            live.muted_read = live.muted_write = live.listeners_known = False
            live.listeners.clear()

    def expect_monitor_events(self, *, come: bool, hidden: Iterable[str] = ()) -> None:
        """Begin to count MixMonitors by their events; with `come` False never to know a count.

        `hidden` are events that do not come either. To be called after each login.
        """
        self.counts_monitors, self.hidden_events = come, frozenset(hidden)
        self.starts_seen = self.stops_seen = False
        if not come:
            for live in self._live.channels.values():
                live.monitors = None

    def _touch(
        self, uniqueid: str, linkedid: str, flags: int = SEEN, name: str = ""
    ) -> LiveChannel | None:
        """Return the channel an event is about, its linkedid updated, or None if it is not live.

        A channel not seen before is added if the event proves it alive, or if a listing that is on
        its way will tell. One that has hung up is not added: some events come after the hang-up.
        """
        live = self._live.channels.get(uniqueid)
        if live is None:
            wanted = name and uniqueid and (flags & SEEN_ALIVE or self._since is not None)
            if not wanted or uniqueid in self._live.gone:
                return None
            live = self._live.add(name, uniqueid, linkedid)
        if linkedid and linkedid != live.linkedid:
            self._live.set_linkedid(live, linkedid)
        if self._since is not None:
            self._since[uniqueid] = self._since.get(uniqueid, 0) | flags
        return live

    def _newchannel(self, event: ev.Newchannel) -> None:
        self._live.forget_gone(event.uniqueid)
        live = self._touch(event.uniqueid, event.linkedid, SEEN_ALIVE, event.channel)
        if live is None:
            return
        live.monitors = 0 if self.counts_monitors else None
        live.runs_monitor = None if "MonitorStart" in self.hidden_events else False
        live.listeners_known = "ChanSpyStart" not in self.hidden_events
        self._live.rename(live, event.channel)
        live.state, live.account = intern(event.state), intern(event.account)
        live.context, live.exten = intern(event.context), intern(event.exten)
        live.caller_number, live.caller_name = intern(event.caller_number), event.caller_name
        live.connected_number = intern(event.connected_number)

    def _newstate(self, event: ev.Newstate) -> None:
        live = self._touch(event.uniqueid, event.linkedid, SEEN_ALIVE, event.channel)
        if live is not None:
            live.state = intern(event.state)

    def _new_connected_line(self, event: ev.NewConnectedLine) -> None:
        live = self._touch(event.uniqueid, event.linkedid, name=event.channel)
        if live is not None:
            live.connected_number = intern(event.connected_number)

    def _new_callerid(self, event: ev.NewCallerid) -> None:
        live = self._touch(event.uniqueid, event.linkedid, name=event.channel)
        if live is not None:
            live.caller_number, live.caller_name = intern(event.caller_number), event.caller_name

    def _new_account_code(self, event: ev.NewAccountCode) -> None:
        live = self._touch(event.uniqueid, event.linkedid)
        if live is not None:
            live.account = intern(event.account)

    def _rename(self, event: ev.Rename) -> None:
        live = self._touch(event.uniqueid, "", name=event.new_name)
        if live is not None:
            self._live.rename(live, event.new_name)

    def _hangup(self, event: ev.Hangup) -> None:
        live = self._live.channels.get(event.uniqueid)
        if live is not None:
            self._live.drop(live)
        self._live.mark_gone(event.uniqueid)
        if self._since is not None:
            self._since.pop(event.uniqueid, None)

    def _local_bridge(self, event: ev.LocalBridge) -> None:
        one = self._touch(event.one_uniqueid, event.one_linkedid, SEEN_ALIVE, event.one_channel)
        two = self._touch(event.two_uniqueid, event.two_linkedid, SEEN_ALIVE, event.two_channel)
        if one is not None and two is not None:
            self._live.pair_local(one, two)

    def _bridge_enter(self, event: ev.BridgeEnter) -> None:
        live = self._touch(event.uniqueid, event.linkedid, SEEN_ALIVE | SEEN_BRIDGE, event.channel)
        if live is None:
            return
        bridge = self._live.enter_bridge(live, event.bridge_id)
        bridge.kind, bridge.technology = intern(event.bridge_type), intern(event.technology)
        if bridge.kind == "basic" and bridge.joins:
            self._live.join(live, next(iter(bridge.members.values())))

    def _bridge_leave(self, event: ev.BridgeLeave) -> None:
        live = self._touch(event.uniqueid, event.linkedid, SEEN_BRIDGE, event.channel)
        if live is not None and live.bridge and live.bridge.bridge_id == event.bridge_id:
            self._live.leave_bridge(live)

    def _conference_mix(self, event: ev.ConferenceMix) -> None:
        mixes = self._live.mixes
        if event.recorded is None:  # the news of its recording comes before that of its beginning
            mixes.setdefault(event.bridge_id, "")
        else:
            mixes[event.bridge_id] = event.conference if event.recorded else ""
        bridge = self._live.bridges.get(event.bridge_id)
        if bridge is not None:
            bridge.mix = mixes[event.bridge_id]

    def _bridge_destroy(self, event: ev.BridgeDestroy) -> None:
        self._live.mixes.pop(event.bridge_id, None)
        bridge = self._live.bridges.get(event.bridge_id)
        if bridge is not None:
            for live in list(bridge.members.values()):
                self._live.leave_bridge(live)

    def _bridge_merge(self, event: ev.BridgeMerge) -> None:
        """Join the calls in two bridges that become one; each channel's move has its own events."""
        to_bridge = self._live.bridges.get(event.to_bridge)
        from_bridge = self._live.bridges.get(event.from_bridge)
        if to_bridge is not None and from_bridge is not None:
            one, other = (next(iter(b.members.values())) for b in (to_bridge, from_bridge))
            self._live.join(one, other)

    def _dial_begin(self, event: ev.DialBegin) -> None:
        dest = self._touch(event.dest_uniqueid, event.dest_linkedid, SEEN_ALIVE, event.dest_channel)
        source = self._touch(event.uniqueid, event.linkedid, SEEN_ALIVE, event.channel)
        if dest is not None and source is not None:
            self._live.join(source, dest)

    def _dial_end(self, event: ev.DialEnd) -> None:
        self._touch(event.uniqueid, event.linkedid)
        self._touch(event.dest_uniqueid, event.dest_linkedid)

    def _blind_transfer(self, event: ev.BlindTransfer) -> None:
        self._touch(event.transferer_uniqueid, event.transferer_linkedid)
        self._touch(event.transferee_uniqueid, event.transferee_linkedid)

    def _attended_transfer(self, event: ev.AttendedTransfer) -> None:
        parties = [self._touch(uniqueid, linkedid) for uniqueid, linkedid in event.parties]
        there = [live for live in parties if live is not None]
        if event.result == "Success":
            for live in there[1:]:
                self._live.join(there[0], live)

    def _pickup(self, event: ev.Pickup) -> None:
        """Join the channel that picked up to the call it took.

        Asterisk moves the MixMonitors of the picked-up channel to it without an event.
        """
        live = self._touch(event.uniqueid, event.linkedid, SEEN_MONITOR)
        target = self._touch(event.target_uniqueid, event.target_linkedid)
        if live is None or target is None:
            return
        if live.monitors is None or target.monitors is None:
            live.monitors = None
        elif target.monitors:
            live.monitors += target.monitors
            live.muted_read = live.muted_write = False
        target.monitors = 0
        if target.runs_monitor is not False:
            live.runs_monitor = target.runs_monitor = None
        self._live.join(live, target)

    def _mixmonitor_start(self, event: ev.MixMonitorStart) -> None:
        self.starts_seen = True
        live = self._touch(event.uniqueid, event.linkedid, SEEN_ALIVE | SEEN_MONITOR, event.channel)
        if live is not None:
            live.muted_read = live.muted_write = False
            if live.monitors is not None:
                live.monitors += 1

    def _mixmonitor_stop(self, event: ev.MixMonitorStop) -> None:
        self.stops_seen = True
        live = self._touch(event.uniqueid, event.linkedid, SEEN_MONITOR, event.channel)
        if live is not None and live.monitors:
            live.monitors -= 1
            if not live.monitors:
                live.muted_read = live.muted_write = False

    def _mixmonitor_mute(self, event: ev.MixMonitorMute) -> None:
        live = self._touch(event.uniqueid, event.linkedid, name=event.channel)
        if live is not None:
            if event.direction in {"read", "both"}:
                live.muted_read = event.muted
            if event.direction in {"write", "both"}:
                live.muted_write = event.muted

    def _monitor_start(self, event: ev.MonitorStart) -> None:
        live = self._touch(event.uniqueid, event.linkedid, SEEN_ALIVE, event.channel)
        if live is not None:
            live.runs_monitor = True

    def _monitor_stop(self, event: ev.MonitorStop) -> None:
        live = self._touch(event.uniqueid, event.linkedid, name=event.channel)
        if live is not None:
            live.runs_monitor = False

    def _chanspy_start(self, event: ev.ChanSpyStart) -> None:
        spyer = self._touch(
            event.spyer_uniqueid, event.spyer_linkedid, SEEN_ALIVE, event.spyer_channel
        )
        spyee = self._touch(
            event.spyee_uniqueid, event.spyee_linkedid, SEEN_ALIVE, event.spyee_channel
        )
        if spyer is not None and spyee is not None:
            self._live.listen(spyer, spyee)

    def _chanspy_stop(self, event: ev.ChanSpyStop) -> None:
        spyer = self._touch(event.spyer_uniqueid, event.spyer_linkedid, name=event.spyer_channel)
        if spyer is not None:
            self._live.listen(spyer, None)

    def _touched(self, event: ev.DTMFEnd | ev.UserEvent) -> None:
        self._touch(event.uniqueid, event.linkedid, name=event.channel)

    def _extension_set(self, event: ev.ExtensionSet) -> None:
        live = self._touch(event.uniqueid, "")
        if live is not None:
            live.variable = event.extension or None
            self._live.resolve_extension(live)

    def _shutdown(self, _event: ev.Shutdown) -> None:
        self.mark_unknown()

    _handlers: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        ev.Newchannel: _newchannel,
        ev.Newstate: _newstate,
        ev.NewConnectedLine: _new_connected_line,
        ev.NewCallerid: _new_callerid,
        ev.NewAccountCode: _new_account_code,
        ev.Rename: _rename,
        ev.Hangup: _hangup,
        ev.LocalBridge: _local_bridge,
        ev.BridgeEnter: _bridge_enter,
        ev.BridgeLeave: _bridge_leave,
        ev.BridgeDestroy: _bridge_destroy,
        ev.ConferenceMix: _conference_mix,
        ev.BridgeMerge: _bridge_merge,
        ev.DialBegin: _dial_begin,
        ev.DialEnd: _dial_end,
        ev.BlindTransfer: _blind_transfer,
        ev.AttendedTransfer: _attended_transfer,
        ev.Pickup: _pickup,
        ev.MixMonitorStart: _mixmonitor_start,
        ev.MixMonitorStop: _mixmonitor_stop,
        ev.MixMonitorMute: _mixmonitor_mute,
        ev.MonitorStart: _monitor_start,
        ev.MonitorStop: _monitor_stop,
        ev.ChanSpyStart: _chanspy_start,
        ev.ChanSpyStop: _chanspy_stop,
        ev.DTMFEnd: _touched,
        ev.UserEvent: _touched,
        ev.ExtensionSet: _extension_set,
        ev.Shutdown: _shutdown,
    }
