# SPDX-License-Identifier: Apache-2.0
"""Send an order again when a call that must not be recorded is recorded again.

The PBX's own recordings announce themselves: an event names the channel, and the order is sent at
once. Recorders elsewhere do not; they are asked again when the call has changed: it was
transferred, picked up or merged with another, or a party joined it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ami.calls.graph import CallGraph
from ami.calls.snapshots import Call, Channel
from ami.events import types as ev
from bridges.model import RecorderResult, Verb
from offrecord.enforcement.context import (
    BLIND,
    NOTHING_DONE,
    PACE,
    RUNAWAY,
    SETTLE,
    SLOW,
    STATES,
    EnforcementContext,
    IntentWork,
    State,
)
from offrecord.enforcement.retry_ladder import DELAYS
from offrecord.model.intents import Intent
from offrecord.model.verdict import result_body

SWEEP: Final = 1.0
"""Seconds from a press's verdict to the sweep of its call."""

_SENT_ON: Final = (ev.BlindTransfer, ev.AttendedTransfer, ev.Pickup)

_ABOUT: Final[Mapping[type, Callable[[Any], tuple[str, ...]]]] = {
    ev.Newchannel: lambda event: (event.uniqueid,),
    ev.LocalBridge: lambda event: (event.one_uniqueid, event.two_uniqueid),
    ev.DialBegin: lambda event: (event.dest_uniqueid, event.uniqueid),
    ev.BridgeEnter: lambda event: (event.uniqueid,),
    ev.BlindTransfer: lambda event: (event.transferee_uniqueid, event.transferer_uniqueid),
    ev.AttendedTransfer: lambda event: tuple(uniqueid for uniqueid, _ in event.parties),
    ev.Pickup: lambda event: (event.uniqueid, event.target_uniqueid),
}
"""The uniqueids in an event that can change who is on a call."""


@dataclass(slots=True)
class Reapplier:
    """Handles the PBX's events and sends orders again for the calls they are about."""

    context: EnforcementContext

    def event(self, event: ev.Event, graph: CallGraph) -> None:
        """Handle one event. It costs almost nothing while no call has an intent."""
        if not len(self.context.intents):
            return
        if isinstance(event, ev.MixMonitorStart | ev.MonitorStart):
            self._started(event, graph)
        elif isinstance(event, ev.ChanSpyStart):
            self._listens(event.spyer_channel, event.spyer_uniqueid, graph, "ChanSpyStart")
        elif isinstance(event, ev.ConferenceMix):
            self._mixed(event, graph)
        elif isinstance(event, ev.Hangup):
            self._hung_up(event, graph)
        elif isinstance(event, ev.BridgeLeave):
            self._left(event, graph)
        elif type(event) in _ABOUT:
            self._moved(event, graph)

    def started(self, channels: Sequence[Channel], why: str) -> None:
        """Send the order again for the calls of channels of which a recording was told to start.

        For what no event of the PBX's calls tells of.
        """
        done: set[str] = set()
        for channel in channels:
            call = self.context.pbx.graph.call_of(channel.uniqueid)
            if call is None or call.linkedid in done:
                continue
            done.add(call.linkedid)
            self.context.intents.widen(call)
            intent = self._first(call)
            if intent is not None:
                self._count(intent)
                self._again(intent, channel.name, channel.uniqueid, why)

    def audit(self, intent: Intent, call: Call, why: str) -> None:
        """Send the order again when a recording is known to run although the intent forbids it."""
        shared, work = self.context, self.context.work_for(intent)
        local = shared.orders.local(intent.recorders)
        idle = work.local is None and shared.monotonic() >= work.quiet
        if not (work.asked and idle and local) or shared.retry_ladder.failing(intent.id) & {*local}:
            return
        if intent != self._first(call):
            return  # a stronger intent covers it
        if not shared.pbx.graph.counts_monitors:
            # No event tells of a restart. A pause was a stop here, and stays one.
            work.quiet = shared.monotonic() + BLIND
            found = list(call.channels)
        elif intent.verb is Verb.PAUSE:
            # A pause mutes only what is known to run: anything else would be stopped for good.
            found = [channel for channel in call.monitored if not channel.muted]
            if call.unknown_monitors and not work.unseen:
                work.unseen = True
                why_not = "it is not known whether one more recording runs on this paused call"
                shared.alarm(intent, "unseen", why_not)
        else:
            others = [c for c in call.channels if c.mix or c.runs_monitor]
            found = [*call.monitored, *call.unknown_monitors, *others]
        more = shared.orders.also_recorded(local, call, intent.verb)
        if more:
            # What these know may be old: the order itself asks the PBX.
            work.quiet = shared.monotonic() + BLIND
            found += more
        if found:
            self._again(intent, found[0].name, found[0].uniqueid, why)

    async def sweep(self, name: str) -> None:
        """Check the call of an intent one second after its press."""
        await self.context.sleep(SWEEP)
        intent = self.context.intents.get(name)
        call = self.context.orders.call(intent) if intent else None
        if intent is None or call is None or not self.context.pbx.graph.known:
            return
        if intent.verb is Verb.PAUSE:
            self.audit(intent, call, "sweep")
        elif self.context.orders.local(intent.recorders):
            self._again(intent, call.channels[0].name, call.channels[0].uniqueid, "sweep")

    def changed(self, intent: Intent, why: str) -> None:
        """Ask the recorders elsewhere again, once for all changes of a moment."""
        work = self.context.work_for(intent)
        work.changed = why
        if work.remote is None:
            work.remote = self.context.spawn(self._elsewhere(intent.id, work), "elsewhere")

    def _started(self, event: ev.MixMonitorStart | ev.MonitorStart, graph: CallGraph) -> None:
        call = graph.call_of(event.uniqueid)
        if call is None:
            return
        self.context.intents.widen(call)
        intent = self._first(call)
        if intent is not None:
            self._count(intent)
            if event.uniqueid not in intent.recorded:
                more = replace(intent, recorded=intent.recorded | {event.uniqueid})
                intent = self.context.intents.put(more)
                self.context.write(intent.id, "intent", intent.body())
            self._again(intent, event.channel, event.uniqueid, type(event).__name__)
        self._listens(event.channel, event.uniqueid, graph, type(event).__name__)

    def _listens(self, channel: str, uniqueid: str, graph: CallGraph, why: str) -> None:
        """Send the order again for the call that a channel listens to, unless it is our own."""
        heard = graph.heard_by(uniqueid)
        if heard is None or uniqueid in graph.own_channels:
            return
        call = graph.call_of(heard.uniqueid)
        intent = self._first(call) if call is not None else None
        if intent is not None:
            self._count(intent)
            self._again(intent, channel, uniqueid, why)

    def _mixed(self, event: ev.ConferenceMix, graph: CallGraph) -> None:
        """Stop the recording of a whole conference when it starts under a stop."""
        call = graph.call_in(event.bridge_id) if event.recorded else None
        intent = self._first(call) if call is not None else None
        if call is not None and intent is not None:
            self._count(intent)
            first = call.channels[0]
            self._again(intent, first.name, first.uniqueid, f"conference {event.conference}")

    def _first(self, call: Call) -> Intent | None:
        """Return the strongest intent of a call that is about the PBX's own recordings."""
        covering = self.context.intents.all_of(call.ids)
        return next((one for one in covering if self.context.orders.local(one.recorders)), None)

    def _count(self, intent: Intent) -> None:
        work = self.context.work_for(intent)
        work.restarts += 1
        if work.restarts > RUNAWAY and not work.alarmed:
            work.alarmed = True
            detail = (
                f"{work.restarts} recordings have started on a call that is not to be recorded;"
                f" they are silenced every {SLOW:g} s from now on"
            )
            self.context.alarm(intent, "runaway", detail)

    def _hung_up(self, event: ev.Hangup, graph: CallGraph) -> None:
        for intent in self.context.intents.all_of({event.uniqueid}):
            if graph.known and self.context.orders.call(intent) is None:
                self.context.end(intent, "call_ended")

    def _left(self, event: ev.BridgeLeave, graph: CallGraph) -> None:
        call = graph.call_of(event.uniqueid)
        if call is None or not self.context.intents.touches(event.uniqueid):
            return
        for intent in self.context.intents.part(call):
            if intent.lineage:
                self.context.write(intent.id, "intent", intent.body())
            else:
                self.context.end(intent, "call_ended")

    def _moved(self, event: ev.Event, graph: CallGraph) -> None:
        """Check a call that a party joined, was transferred from, or was picked up into."""
        about = _ABOUT[type(event)](event)
        call = next(filter(None, map(graph.call_of, about)), None)
        if call is None:
            return
        self.context.intents.widen(call)
        for intent in self.context.intents.all_of(call.ids):
            work = self.context.work_for(intent)
            came = isinstance(event, ev.BridgeEnter) and about[0] not in work.seen
            merged = call.linkedid in intent.lineage and call.linkedid not in work.linked
            if came:
                work.seen.add(about[0])
            work.linked.update(call.lineage)
            if came or merged or isinstance(event, _SENT_ON):
                self.changed(intent, type(event).__name__)
            self.audit(intent, call, type(event).__name__)

    def _again(self, intent: Intent, channel: str, uniqueid: str, why: str) -> None:
        """Send the order for the PBX's own recordings of a call again."""
        work = self.context.work_for(intent)
        work.cause = (channel, uniqueid, why, self.context.monotonic())
        if work.local is None:
            work.local = self.context.spawn(self._silence(intent.id, work), "silence")

    async def _silence(self, name: str, work: IntentWork) -> None:
        shared = self.context
        try:
            while work.cause is not None and (intent := shared.intents.get(name)) is not None:
                channel, uniqueid, why, since = work.cause
                work.cause = None
                local = shared.orders.local(intent.recorders)
                results = await shared.orders.send(intent, intent.verb, local)
                if any(one.outcome not in NOTHING_DONE for one in results):
                    self._reapplied(intent, (channel, uniqueid), why, since, results)
                if work.restarts > RUNAWAY:
                    await shared.sleep(SLOW)
        finally:
            work.local = None

    async def _elsewhere(self, name: str, work: IntentWork) -> None:
        shared, tries = self.context, 0
        try:
            await shared.sleep(SETTLE)
            while work.changed and (intent := shared.intents.get(name)) is not None:
                why, work.changed, since = work.changed, "", shared.monotonic()
                pause = PACE
                shared.write(name, "intent", intent.body())
                open_ones = shared.retry_ladder.failing(name)
                remote = [n for n in shared.orders.remote(intent.recorders) if n not in open_ones]
                call = shared.orders.call(intent)
                if remote and call is not None:
                    results = await shared.orders.send(intent, intent.verb, remote)
                    first = call.channels[0]
                    self._reapplied(intent, (first.name, first.uniqueid), why, since, results)
                    if any(one.retryable for one in shared.disobeyed(results)):
                        work.changed, tries = work.changed or "not obeyed", tries + 1
                        pause = max(pause, DELAYS[min(tries, len(DELAYS) - 1)])
                await shared.sleep(pause)
        finally:
            work.remote = None

    def _reapplied(
        self,
        intent: Intent,
        where: tuple[str, str],
        why: str,
        since: float,
        results: Sequence[RecorderResult],
    ) -> None:
        shared = self.context
        took = round((shared.monotonic() - since) * 1000, 1)
        shared.write(intent.id, "reapplied", {
            "intent": intent.id, "channel": where[0], "uniqueid": where[1], "why": why,
            "took_ms": took, "results": [result_body(one) for one in results],
        })  # fmt: skip
        wrong, work = shared.disobeyed(results), shared.work_for(intent)
        if not wrong:
            if work.failures:
                shared.report_state(intent, STATES[intent.verb])
            work.failures = 0
            return
        work.quiet = shared.monotonic() + DELAYS[min(work.failures, len(DELAYS) - 1)]
        work.failures += 1
        if work.failures == 1:
            detail = "; ".join(f"{one.recorder}: {one.detail}" for one in wrong)
            shared.alarm(intent, "not_reapplied", detail)
            shared.report_state(intent, State.FAILED)
