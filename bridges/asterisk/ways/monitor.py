# SPDX-License-Identifier: Apache-2.0
"""Monitors (`Monitor()`, `automon`, a queue's `monitor-format`): Asterisk 20 and older.

Measured on 16.28. A channel has one Monitor at most, and its events name the channel alone.
StopMonitor answers Success on any live channel, so the proof is elsewhere:

- the variable MONITORED is `true` on a channel while its Monitor runs, and gone behind its stop.
  Dialled legs inherit `true`, and keep it through a stop. So `true` that a stop has emptied was a
  Monitor; empty before the stop was none;
- MonitorStop of that channel, before an event that we cause behind our StopMonitor: a presence
  state that we set raises PresenceStateChange with our own word in it. 1,000 times of 1,000 the
  two came in that order, also with the reader of events on another session than the sender.

A Monitor that is paused shows nowhere: a pause is the PBX's yes and no more.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from ami.calls.graph import CallGraph
from ami.calls.snapshots import Call, Channel
from ami.errors import AmiDenied
from ami.events.types import Event, MonitorStop, PresenceStateChange
from ami.monitor_events import MARKER
from ami.recording_actions import NO_CHANNEL
from bridges.asterisk.ways.mixmonitor import TICK, ended_with, stopped_instead
from bridges.asterisk.ways.table import BY_NAME
from bridges.asterisk.ways.way import ENDED, Sweep, WayReport, WayState
from bridges.model import Evidence

_ROUNDS: Final = 4
"""How often a call is asked again because a channel joined it or a Monitor began on it."""

_MARKER_TICKS: Final = 50
"""How often the marker is looked for."""

_UNKNOWN_COMMAND: Final = "Invalid/unknown command"

_SILENT: Final = "Asterisk does not show whether it does"


class MonitorWay:
    """The way of the Monitors. It needs no look."""

    name = "monitor"

    async def stop(self, sweep: Sweep) -> WayReport:
        """Send StopMonitor to every channel of the call, and find out on which one ran."""
        if not BY_NAME[self.name].exists_on(sweep.pbx.version):
            return WayReport(self.name, WayState.NOTHING, "")
        seen = _Events()
        unsubscribe = sweep.pbx.subscribe(seen.take)
        try:
            return await self._stop(sweep, seen)
        except _NotThereError:
            return WayReport(self.name, WayState.NOTHING, "")
        finally:
            unsubscribe()

    async def _stop(self, sweep: Sweep, seen: "_Events") -> WayReport:
        legs: dict[str, _Leg] = {}
        stopped: dict[str, int] = {}
        for _ in range(_ROUNDS):
            call = sweep.call_now() or sweep.order.call
            due = [c for c in call.channels if c.uniqueid not in legs or c.runs_monitor]
            if not due:
                return self._report(sweep, seen, legs, stopped)
            for channel in due:
                leg = await _stop_leg(sweep, channel)
                stopped[channel.uniqueid] = stopped.get(channel.uniqueid, 0) + leg.emptied
                legs[channel.uniqueid] = leg
            # Events that came with the answers are on their way to the graph.
            await sweep.sleep(0)
            if any(leg.open(seen) for leg in legs.values()):
                seen.whole = await _marked(sweep, seen)
        detail = f"Monitors keep starting on this call ({sum(stopped.values())} were stopped)"
        return WayReport(self.name, WayState.RECORDS, detail, fix="see what starts them")

    def _report(
        self, sweep: Sweep, seen: "_Events", legs: dict[str, "_Leg"], stopped: dict[str, int]
    ) -> WayReport:
        open_ones = [] if seen.whole else [leg for leg in legs.values() if leg.open(seen)]
        count = sum(stopped.values())
        # those that ended without our stop being seen in their variable
        count += sum(not stopped[one] and leg.ended(seen) for one, leg in legs.items())
        gone = [leg.channel.name for leg in legs.values() if leg.gone and not leg.ended(seen)]
        gone += [
            channel.name for channel in sweep.order.call.channels
            if channel.uniqueid not in legs and channel.runs_monitor is not False
        ]  # fmt: skip
        if open_ones:
            names = ", ".join(leg.channel.name for leg in open_ones)
            detail = f"whether a Monitor ran on {names} cannot be told: no event came"
            fix = "take the eventfilter for MonitorStop or PresenceStateChange from the AMI account"
            return WayReport(self.name, WayState.NOT_SEEN, detail, count, fix)
        if count:
            return WayReport(self.name, WayState.STOPPED, "", count)
        if sweep.call_now() is None:
            return WayReport(self.name, WayState.ENDED, ENDED)
        if gone:
            return WayReport(self.name, WayState.STOPPED, ended_with(gone))
        return WayReport(self.name, WayState.NOTHING, "")

    async def pause(self, sweep: Sweep) -> WayReport:
        """Pause the Monitors that are known to run; where that is not known, stop instead."""
        call = sweep.call_now() or sweep.order.call
        try:
            legs = await _monitored_legs(sweep, call)
            if not sweep.pbx.graph.known and legs:
                why = "the PBX's calls are not known"
                return stopped_instead(await self.stop(sweep), why)
            if unknown := [leg.name for leg in legs if leg.runs_monitor is None]:
                why = f"it is not known whether a Monitor runs on {', '.join(unknown)}"
                return stopped_instead(await self.stop(sweep), why)
            count = await self._switch(sweep, legs, "PauseMonitor")
        except _NotThereError:
            count = 0
        if count:
            word = BY_NAME[self.name].counted(count)
            detail = f"{word} told to pause; {_SILENT}"
            return WayReport(self.name, WayState.TOLD, detail, count)
        return self._nothing(sweep)

    async def resume(self, sweep: Sweep) -> WayReport:
        """Have the Monitors go on. One that was stopped stays stopped."""
        call = sweep.call_now() or sweep.order.call
        try:
            legs = await _monitored_legs(sweep, call)
            count = await self._switch(sweep, legs, "UnpauseMonitor")
        except _NotThereError:
            count = 0
        if count:
            word = BY_NAME[self.name].counted(count)
            return WayReport(
                self.name, WayState.TOLD, f"{word} told to go on; {_SILENT}", count
            )  # fmt: skip
        return self._nothing(sweep)

    def _nothing(self, sweep: Sweep) -> WayReport:
        ended = sweep.call_now() is None
        return WayReport(
            self.name, WayState.ENDED if ended else WayState.NOTHING, ENDED if ended else ""
        )

    @staticmethod
    async def _switch(sweep: Sweep, legs: Iterable[Channel], action: str) -> int:
        """Send an action to channels that may carry a Monitor; return how many are known to.

        It does nothing on a channel without one, and nothing to one that begins later.
        """
        count = 0
        for channel in legs:
            since = sweep.clock()
            answer = await sweep.pbx.action(action, {"Channel": channel.uniqueid})
            if not answer.ok and answer.message != NO_CHANNEL:
                raise _error(action, answer.message)
            sent = f"{action} {channel.uniqueid} ({channel.name})"
            sweep.note(since, sent, answer.message or "Success", Evidence.ACCEPTED)
            count += answer.ok and channel.runs_monitor is not False
        return count

    def plan(self, sweep: Sweep) -> Iterable[str]:
        """Return a StopMonitor for each channel, on versions that have it."""
        if sweep.pbx.version and BY_NAME[self.name].exists_on(sweep.pbx.version):
            for channel in sweep.order.call.channels:
                yield f"StopMonitor Channel={channel.uniqueid} ({channel.name})"


class _NotThereError(Exception):
    """This Asterisk has no Monitor: its module is not loaded."""


@dataclass(slots=True)
class _Events:
    """The channels of which MonitorStop came, and the words of the markers that came.

    `whole`: a marker of ours came, and with it every event before it.
    """

    stopped: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    whole: bool = False

    def take(self, event: Event, _graph: CallGraph) -> None:
        """Keep what an event says of a Monitor or of a marker."""
        if isinstance(event, MonitorStop):
            self.stopped.add(event.uniqueid)
        elif isinstance(event, PresenceStateChange):
            self.words.add(event.subtype)


@dataclass(frozen=True, slots=True)
class _Leg:
    """One channel that was sent StopMonitor.

    `known`: what events said before; `was`: they said that one ran when the press came. `before`
    and `after` are MONITORED, None where the channel had gone.
    """

    channel: Channel
    known: bool | None
    was: bool
    before: str | None
    after: str | None

    @property
    def emptied(self) -> bool:
        """True when a Monitor ran and our own stop ended it."""
        return bool(self.before) and self.after == ""

    @property
    def gone(self) -> bool:
        """True when the channel went before it had answered all, and may have been recorded."""
        went = self.before is None or self.after is None
        return went and (self.was or self.known is not False)

    def ended(self, seen: _Events) -> bool:
        """Return whether one ran when the press came and was seen to end, not by MONITORED."""
        if self.channel.uniqueid in seen.stopped:
            return True
        return self.was and self.known is False

    def open(self, seen: _Events) -> bool:
        """Return whether only the order of events can tell if a Monitor ran."""
        if self.emptied or self.before is None or self.after is None:
            return False
        if self.channel.uniqueid in seen.stopped:
            return False
        return bool(self.before) if self.known is None else self.known


async def _stop_leg(sweep: Sweep, channel: Channel) -> _Leg:
    uniqueid = channel.uniqueid
    at_press = sweep.order.call.channel(uniqueid)
    known, was = channel.runs_monitor, at_press is not None and bool(at_press.runs_monitor)
    before = await _monitored(sweep, uniqueid)
    if before is None:
        return _Leg(channel, known, was, None, None)
    since = sweep.clock()
    answer = await sweep.pbx.action("StopMonitor", {"Channel": uniqueid})
    if not answer.ok and answer.message != NO_CHANNEL:
        raise _error("StopMonitor", answer.message)
    after = await _monitored(sweep, uniqueid) if answer.ok else None
    leg = _Leg(channel, known, was, before, after)
    sent = f"StopMonitor {uniqueid} ({channel.name}), {int(leg.emptied)} stopped"
    sweep.note(since, sent, answer.message or "Success", Evidence.READ_BACK)
    if answer.ok:
        sweep.answered.add(uniqueid)
    return leg


async def _monitored_legs(sweep: Sweep, call: Call) -> list[Channel]:
    """Return the live channels on which a Monitor may run."""
    if not BY_NAME[MonitorWay.name].exists_on(sweep.pbx.version):
        return []
    return [one for one in call.channels if await _monitored(sweep, one.uniqueid)]


async def _monitored(sweep: Sweep, uniqueid: str) -> str | None:
    """Return the variable MONITORED of a channel; None when the channel has gone."""
    try:
        return await sweep.pbx.getvar(uniqueid, "MONITORED")
    except AmiDenied as problem:
        if problem.answer == NO_CHANNEL:
            return None
        raise


async def _marked(sweep: Sweep, seen: _Events) -> bool:
    """Cause an event behind all that was sent; return whether it came, and all before it."""
    if "MonitorStop" in sweep.pbx.graph.hidden_events:
        return False
    token, since = secrets.token_hex(6), sweep.clock()
    value = {"Variable": MARKER, "Value": f"not_set,{token},"}
    answer = await sweep.pbx.action("Setvar", value)
    for _ in range(_MARKER_TICKS if answer.ok else 0):
        if token in seen.words:
            break
        await sweep.sleep(TICK)
    came = token in seen.words
    sweep.note(since, f"Setvar {MARKER}", f"its event {'came' if came else 'did not come'}",
               Evidence.READ_BACK if came else Evidence.ACCEPTED)  # fmt: skip
    return came


def _error(action: str, message: str) -> Exception:
    """Return the exception for an answer that is no yes."""
    if message.startswith(_UNKNOWN_COMMAND):
        return _NotThereError()
    return AmiDenied(action, message)
