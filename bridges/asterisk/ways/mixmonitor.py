# SPDX-License-Identifier: Apache-2.0
"""MixMonitors on the channels of a call: each is stopped, or muted, until the PBX has proven it.

A MixMonitor hangs on one channel, and which one depends on the dialplan, so a stop sweeps the
whole call: each channel is drained by uniqueid until the PBX answers that none is left there.

That answer proves nothing of a channel that is being hung up: Asterisk takes its MixMonitors away
first and answers "none left" for some milliseconds until its Hangup. So a channel that was recorded
or may have been, and on which nothing was stopped, must outlive the answer for a while.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from ami import recording_actions
from ami.calls.graph import CallGraph
from ami.calls.snapshots import Call, Channel
from ami.errors import AmiDenied, AmiUnsafe
from ami.events.types import Event, MixMonitorMute
from bridges.asterisk.ways.way import ENDED, Sweep, WayReport, WayState
from bridges.model import Evidence

_ROUNDS: Final = 4
"""How often a call is swept again because a recording started on it meanwhile."""

TICK: Final = 0.02
"""Seconds between two looks at the call, for events that are on their way."""

_MUTE_TICKS: Final = 25
"""How often the call is looked at for the event that proves a mute."""

_DYING_TICKS: Final = 15
"""How long a channel that may have been recorded must outlive the answer that none is left."""

_CONTRADICTED_TICKS: Final = 50
"""The same for one that was recorded by all that events said."""


class MixMonitorWay:
    """The way of the MixMonitors. A stop and a pause need no look: they are sent at once."""

    name = "mixmonitor"

    async def stop(self, sweep: Sweep) -> WayReport:
        """Drain every channel of the call, again for as long as recordings start on it."""
        tally = _Tally(sweep)
        for number in range(_ROUNDS):
            seen = sweep.call_now()
            call = seen or sweep.order.call
            tally.expect(call)
            since = sweep.clock()
            swept = await recording_actions.stop_call(sweep.pbx, call.channels[0].uniqueid)
            tally.add(since, call, swept)
            # Events that came with the answers are on their way to the graph.
            await sweep.sleep(TICK if number else 0)
            if not swept.proven or self._again(sweep, swept):
                continue
            whole = sweep.pbx.graph.known and (seen is not None or swept.gone)
            if tally.stopped or not whole or not await tally.outlived():
                return self._report(sweep, tally, whole=whole)
            if not self._again(sweep, swept):
                return self._report(sweep, tally, whole=True)
        detail = f"recordings keep starting on this call ({tally.stopped} were stopped)"
        return WayReport(self.name, WayState.RECORDS, detail, fix="see what starts them")

    @staticmethod
    def _again(sweep: Sweep, swept: recording_actions.CallDrained) -> bool:
        """Return whether a channel of the call may carry a MixMonitor that began meanwhile."""
        graph, call = sweep.pbx.graph, sweep.call_now()
        if not graph.known or call is None:
            return False
        unknown = list(call.unknown_monitors)
        if not graph.counts_monitors:  # then no answer of the PBX makes a count known
            unknown = [channel for channel in unknown if channel.uniqueid not in swept.channels]
        return bool(call.monitored or unknown)

    def _report(self, sweep: Sweep, tally: "_Tally", *, whole: bool) -> WayReport:
        if not whole:
            detail = (
                f"{tally.stopped} stopped, but the PBX's calls are not known: another channel of"
                " this call may be recorded"
            )
            return WayReport(self.name, WayState.NOT_SEEN, detail, fix="see the AMI link")
        if tally.stopped:
            return WayReport(self.name, WayState.STOPPED, "", tally.stopped)
        if sweep.call_now() is None:
            return WayReport(self.name, WayState.ENDED, ENDED)
        if gone := tally.gone_suspects():
            return WayReport(self.name, WayState.STOPPED, ended_with(gone))
        return WayReport(self.name, WayState.NOTHING, "")

    async def pause(self, sweep: Sweep) -> WayReport:
        """Mute what is known to record; where that is not known or not safe, stop instead."""
        call, graph = sweep.call_now() or sweep.order.call, sweep.pbx.graph
        if not graph.known:
            return await self._stop_instead(sweep, "the PBX's calls are not known")
        if call.unknown_monitors:
            return await self._stop_instead(sweep, _unknown(call))
        if not call.monitored:
            return await self._none_seen(sweep, call)
        try:
            return await self._set_muted(sweep, muted=True)
        except (AmiUnsafe, AmiDenied) as problem:
            return await self._stop_instead(sweep, problem.message)

    async def _none_seen(self, sweep: Sweep, call: Call) -> WayReport:
        """Return the end of a pause of a call of which no event told that it is recorded.

        While no such event has ever come, an `eventfilter` of the account may keep them from us:
        then a channel that names a file of a MixMonitor may be recorded, and is stopped.
        """
        if not sweep.pbx.graph.starts_seen:
            since = sweep.clock()
            files = await recording_actions.named_files(sweep.pbx, call.channels)
            for uniqueid, file in files.items():
                sent = f"Getvar {uniqueid} MIXMONITOR_FILENAME"
                sweep.note(since, sent, file, Evidence.READ_BACK)
            if files:
                why = "a recording may have begun without an event"
                return await self._stop_instead(sweep, why)
        if any(channel.monitors for channel in sweep.order.call.channels):
            return await self._stop_instead(sweep, "its recordings have ended meanwhile")
        now = sweep.call_now()
        if now is None:
            return WayReport(self.name, WayState.ENDED, ENDED)
        sweep.answered.update(channel.uniqueid for channel in now.channels)
        return WayReport(self.name, WayState.NOTHING, "")

    async def _stop_instead(self, sweep: Sweep, why: str) -> WayReport:
        done = await self.stop(sweep)
        return stopped_instead(done, why)

    async def resume(self, sweep: Sweep) -> WayReport:
        """Unmute muted recordings. One that was stopped stays stopped: `start` is for that."""
        call = sweep.call_now() or sweep.order.call
        if not call.monitored:
            if call.unknown_monitors:
                why = f"{_unknown(call)}, so nothing was resumed"
                return WayReport(self.name, WayState.NOT_SEEN, why)
            return WayReport(self.name, WayState.NOTHING, "")
        try:
            if any(channel.muted for channel in call.monitored):
                return await self._set_muted(sweep, muted=False)
            # A pause from before the last connection is not known here; unmuting harms nobody.
            for channel in call.monitored:
                await self._switch(sweep, channel, muted=False)
        except AmiUnsafe:
            return WayReport(self.name, WayState.NOTHING, "")
        detail = "no pause was known; the PBX accepted that its recordings go on"
        return WayReport(self.name, WayState.TOLD, detail, len(call.monitored))

    @staticmethod
    async def _switch(sweep: Sweep, channel: Channel, *, muted: bool) -> None:
        since = sweep.clock()
        act = recording_actions.mute if muted else recording_actions.unmute
        done = await act(sweep.pbx, channel.uniqueid)
        sent = f"MixMonitorMute {channel.uniqueid} ({channel.name}) State={int(muted)}"
        sweep.note(since, sent, done.answer, Evidence.ACCEPTED)

    async def _set_muted(self, sweep: Sweep, *, muted: bool) -> WayReport:
        """Switch what records, and wait for an event behind each action: no answer alone proves.

        An event from before our own action may be of one MixMonitor of several, by its id.
        """
        own, recorded = _OwnMutes(muted=muted), 0
        unsubscribe = sweep.pbx.subscribe(own.take)
        try:
            for _ in range(_MUTE_TICKS):
                call = sweep.call_now()
                if call is None:
                    return WayReport(self.name, WayState.ENDED, ENDED)
                if not call.monitored:
                    ended = "its recordings have ended meanwhile"
                    state = WayState.STOPPED if muted else WayState.NOTHING
                    return WayReport(self.name, state, ended)
                recorded = len(call.monitored)
                if muted:
                    self._refuse_several(sweep, call)
                waiting = [channel for channel in call.monitored if not own.proves(channel)]
                if not waiting:
                    count = sum(channel.monitors or 0 for channel in call.monitored)
                    state = WayState.STOPPED if muted else WayState.RESUMED
                    return WayReport(self.name, state, "", count)
                for channel in waiting:
                    # A recording that starts meanwhile is one more, and not muted.
                    if own.to_ask(channel):
                        await self._switch(sweep, channel, muted=muted)
                await sweep.sleep(TICK)
        finally:
            unsubscribe()
        if muted:
            return await self._stop_instead(sweep, "no event proved that it is muted")
        detail = "the PBX accepted, and raised no event to prove that its recordings go on"
        return WayReport(self.name, WayState.TOLD, detail, recorded)

    @staticmethod
    def _refuse_several(sweep: Sweep, call: Call) -> None:
        """Raise AmiUnsafe where a mute would not reach every MixMonitor of a channel."""
        if recording_actions.mute_reaches_all(sweep.pbx.version):
            return
        for channel in call.monitored:
            if (channel.monitors or 0) > 1:
                raise AmiUnsafe(
                    f"this Asterisk mutes one MixMonitor of a channel, and {channel.name} has"
                    f" {channel.monitors}",
                    fix="run Asterisk 18.20, 20.5, 21 or newer, which mutes all of them",
                )

    def plan(self, sweep: Sweep) -> Iterable[str]:
        """Return a StopMixMonitor for each channel."""
        for channel in sweep.order.call.channels:
            yield f"StopMixMonitor Channel={channel.uniqueid} ({channel.name})"


def stopped_instead(done: WayReport, why: str) -> WayReport:
    """Return the report of a stop that was carried out in place of a pause."""
    if done.state is WayState.NOTHING:
        return done
    number = f"{done.count} stopped" if done.count and not done.detail else done.detail
    detail = f"stopped instead of paused, as {why}" + (f": {number}" if number else "")
    return WayReport(done.way, done.state, detail, done.count, done.fix)


def ended_with(names: Sequence[str]) -> str:
    """Return the clause for recordings that ended because their channels hung up."""
    return f"what recorded {', '.join(names)} ended with it"


def _unknown(call: Call) -> str:
    names = ", ".join(channel.name for channel in call.unknown_monitors)
    return f"it is not known whether {names} is recorded"


@dataclass(slots=True)
class _Tally:
    """What a sweep has stopped, and the channels of which its answers prove nothing yet.

    `expected`: by uniqueid the MixMonitors that a channel had when it was asked, None where that
    was not known.
    """

    sweep: Sweep
    stopped: int = 0
    expected: dict[str, int | None] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def expect(self, call: Call) -> None:
        """Note what a call's channels carry, before they are asked."""
        graph = self.sweep.pbx.graph
        left = [c for c in self.sweep.order.call.channels if graph.channel(c.uniqueid) is None]
        for channel in (*left, *call.channels):
            self.names[channel.uniqueid] = channel.name
            self.expected.setdefault(channel.uniqueid, channel.monitors)

    def add(self, since: float, call: Call, swept: recording_actions.CallDrained) -> None:
        """Note the answers of a sweep, also for the journal."""
        sweep = self.sweep
        for uniqueid, drained in swept.channels.items():
            channel = call.channel(uniqueid) or sweep.pbx.graph.channel(uniqueid)
            name = f" ({channel.name})" if channel else ""
            sent = f"StopMixMonitor {uniqueid}{name}, {drained.stopped} stopped"
            sweep.note(since, sent, drained.answer, Evidence.READ_BACK)
            self.names.setdefault(uniqueid, channel.name if channel else uniqueid)
            self.expected.setdefault(uniqueid, None)
            self.stopped += drained.stopped
            if not drained.gone:
                sweep.answered.add(uniqueid)

    def _suspects(self) -> dict[str, int | None]:
        """Return the channels that were recorded or may have been."""
        return {uniqueid: count for uniqueid, count in self.expected.items() if count != 0}

    def gone_suspects(self) -> list[str]:
        """Return the names of those that have gone."""
        graph = self.sweep.pbx.graph
        return [self.names[one] for one in self._suspects() if graph.channel(one) is None]

    async def outlived(self) -> bool:
        """Wait until it is certain that no suspect is being hung up; return whether all live on."""
        suspects = self._suspects()
        sure = any(suspects.values())
        for _ in range(_CONTRADICTED_TICKS if sure else _DYING_TICKS):
            if not suspects or self.gone_suspects():
                break
            await self.sweep.sleep(TICK)
        # a call that is ending loses its channels one after the other
        for _ in range(_DYING_TICKS if self.gone_suspects() else 0):
            if self.sweep.call_now() is None:
                break
            await self.sweep.sleep(TICK)
        return not self.gone_suspects()


@dataclass(slots=True)
class _OwnMutes:
    """The mutes we asked for, and the events behind them.

    `asked`: by uniqueid how many MixMonitors the channel had, and how many events were there.
    """

    muted: bool
    events: list[MixMonitorMute] = field(default_factory=list)
    asked: dict[str, tuple[int | None, int]] = field(default_factory=dict)

    def take(self, event: Event, _graph: CallGraph) -> None:
        """Keep an event of a mute in both directions."""
        if isinstance(event, MixMonitorMute):
            self.events.append(event)

    def to_ask(self, channel: Channel) -> bool:
        """Return whether a channel is to be asked now, and note that it is."""
        monitors, _ = self.asked.get(channel.uniqueid, (None, 0))
        same = channel.uniqueid in self.asked and monitors == channel.monitors
        # somebody else may have undone it since its event: then it is asked again
        if same and (channel.muted is self.muted or not self._came(channel.uniqueid)):
            return False
        self.asked[channel.uniqueid] = (channel.monitors, len(self.events))
        return True

    def proves(self, channel: Channel) -> bool:
        """Return whether an event behind our own action proves the mute of a channel."""
        monitors, _ = self.asked.get(channel.uniqueid, (None, 0))
        same = channel.uniqueid in self.asked and monitors == channel.monitors
        return same and channel.muted is self.muted and self._came(channel.uniqueid)

    def _came(self, uniqueid: str) -> bool:
        _, since = self.asked[uniqueid]
        return any(
            event.uniqueid == uniqueid and event.muted is self.muted and event.direction == "both"
            for event in self.events[since:]
        )
