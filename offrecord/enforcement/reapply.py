# SPDX-License-Identifier: Apache-2.0
"""Silencing again what starts again on a call that is not to be recorded.

The PBX's own recordings announce themselves: an event names the channel, and the order goes out
at once. Recorders elsewhere do not, so they are asked again when the call has changed: sent on,
picked up, joined with another, or with a party more.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ami.calls.graph import CallGraph
from ami.calls.snapshots import Call
from ami.events import types as ev
from bridges.model import RecorderResult, Verb
from offrecord.enforcement import context
from offrecord.enforcement.context import EnforcementContext, IntentWork
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
"""The channels that an event says something of that can change who is on a call."""


@dataclass(slots=True)
class Reapplier:
    """Takes the PBX's events, and has silenced what they tell of."""

    desk: EnforcementContext

    def event(self, event: ev.Event, graph: CallGraph) -> None:
        """Take one event. Costs nothing to speak of while no call has an intent."""
        if not len(self.desk.intents):
            return
        if isinstance(event, ev.MixMonitorStart):
            self._started(event, graph)
        elif isinstance(event, ev.ConferenceMix):
            self._mixed(event, graph)
        elif isinstance(event, ev.Hangup):
            self._hung_up(event, graph)
        elif isinstance(event, ev.BridgeLeave):
            self._left(event, graph)
        elif type(event) in _ABOUT:
            self._moved(event, graph)

    def audit(self, intent: Intent, call: Call, why: str) -> None:
        """Silence what is known to be recorded on the call although it should not be."""
        desk, kept = self.desk, self.desk.of(intent)
        local = desk.giver.local(intent.recorders)
        idle = kept.local is None and desk.engine.monotonic() >= kept.quiet
        if not (kept.asked and idle and local) or desk.ladder.failing(intent.id) & {*local}:
            return
        if intent != self._first(call):
            return  # a stronger one looks after it
        if intent.verb is Verb.PAUSE:
            # A pause mutes only what is known to run: anything else would be stopped for good.
            found = [channel for channel in call.monitored if not channel.muted]
            if call.unknown_monitors and not kept.unseen:
                kept.unseen = True
                why_not = "it is not known whether one more recording runs on this paused call"
                desk.alarm(intent, "unseen", why_not)
        else:
            mixed = [channel for channel in call.channels if channel.mix]
            found = [*call.monitored, *call.unknown_monitors, *mixed]
        if found:
            self._again(intent, found[0].name, found[0].uniqueid, why)

    async def sweep(self, name: str) -> None:
        """Look over the call of an intent a second after its press."""
        await self.desk.sleep(SWEEP)
        intent = self.desk.intents.get(name)
        call = self.desk.giver.call(intent) if intent else None
        if intent is None or call is None or not self.desk.pbx.graph.known:
            return
        if intent.verb is Verb.PAUSE:
            self.audit(intent, call, "sweep")
        elif self.desk.giver.local(intent.recorders):
            self._again(intent, call.channels[0].name, call.channels[0].uniqueid, "sweep")

    def changed(self, intent: Intent, why: str) -> None:
        """Have the recorders elsewhere asked again, once for all that changes at one time."""
        kept = self.desk.of(intent)
        kept.changed = why
        if kept.remote is None:
            kept.remote = self.desk.spawn(self._elsewhere(intent.id, kept), "elsewhere")

    def _started(self, event: ev.MixMonitorStart, graph: CallGraph) -> None:
        call = graph.call_of(event.uniqueid)
        if call is None:
            return
        self.desk.intents.widen(call)
        intent = self._first(call)
        if intent is not None:
            self._count(intent)
            if event.uniqueid not in intent.recorded:
                more = replace(intent, recorded=intent.recorded | {event.uniqueid})
                intent = self.desk.intents.put(more)
                self.desk.note(intent.id, "intent", intent.body())
            self._again(intent, event.channel, event.uniqueid, "MixMonitorStart")

    def _mixed(self, event: ev.ConferenceMix, graph: CallGraph) -> None:
        """Have the recording of a conference as a whole stopped when it starts under a stop."""
        call = graph.call_in(event.bridge_id) if event.recorded else None
        intent = self._first(call) if call is not None else None
        if call is not None and intent is not None:
            self._count(intent)
            first = call.channels[0]
            self._again(intent, first.name, first.uniqueid, f"conference {event.conference}")

    def _first(self, call: Call) -> Intent | None:
        """Return the strongest intent of a call that is about the PBX's own recordings."""
        covering = self.desk.intents.all_of(call.ids)
        return next((one for one in covering if self.desk.giver.local(one.recorders)), None)

    def _count(self, intent: Intent) -> None:
        kept = self.desk.of(intent)
        kept.restarts += 1
        if kept.restarts > context.RUNAWAY and not kept.alarmed:
            kept.alarmed = True
            detail = (
                f"{kept.restarts} recordings have started on a call that is not to be recorded;"
                f" they are silenced every {context.SLOW:g} s from now on"
            )
            self.desk.alarm(intent, "runaway", detail)

    def _hung_up(self, event: ev.Hangup, graph: CallGraph) -> None:
        for intent in self.desk.intents.all_of({event.uniqueid}):
            if graph.known and self.desk.giver.call(intent) is None:
                self.desk.end(intent, "call_ended")

    def _left(self, event: ev.BridgeLeave, graph: CallGraph) -> None:
        call = graph.call_of(event.uniqueid)
        if call is None or not self.desk.intents.touches(event.uniqueid):
            return
        for intent in self.desk.intents.part(call):
            if intent.lineage:
                self.desk.note(intent.id, "intent", intent.body())
            else:
                self.desk.end(intent, "call_ended")

    def _moved(self, event: ev.Event, graph: CallGraph) -> None:
        """Look at a call that a party came to, was sent on from, or was picked up into."""
        about = _ABOUT[type(event)](event)
        call = next(filter(None, map(graph.call_of, about)), None)
        if call is None:
            return
        self.desk.intents.widen(call)
        for intent in self.desk.intents.all_of(call.ids):
            kept = self.desk.of(intent)
            came = isinstance(event, ev.BridgeEnter) and about[0] not in kept.seen
            merged = call.linkedid in intent.lineage and call.linkedid not in kept.linked
            if came:
                kept.seen.add(about[0])
            kept.linked.update(call.lineage)
            if came or merged or isinstance(event, _SENT_ON):
                self.changed(intent, type(event).__name__)
            self.audit(intent, call, type(event).__name__)

    def _again(self, intent: Intent, channel: str, uniqueid: str, why: str) -> None:
        """Have the PBX's own recordings of a call silenced once more."""
        kept = self.desk.of(intent)
        kept.cause = (channel, uniqueid, why, self.desk.engine.monotonic())
        if kept.local is None:
            kept.local = self.desk.spawn(self._silence(intent.id, kept), "silence")

    async def _silence(self, name: str, kept: IntentWork) -> None:
        desk = self.desk
        try:
            while kept.cause is not None and (intent := desk.intents.get(name)) is not None:
                channel, uniqueid, why, since = kept.cause
                kept.cause = None
                local = desk.giver.local(intent.recorders)
                results = await desk.giver.give(intent, intent.verb, local)
                if any(one.outcome not in context.NOTHING_DONE for one in results):
                    self._reapplied(intent, (channel, uniqueid), why, since, results)
                if kept.restarts > context.RUNAWAY:
                    await desk.sleep(context.SLOW)
        finally:
            kept.local = None

    async def _elsewhere(self, name: str, kept: IntentWork) -> None:
        desk, tries = self.desk, 0
        try:
            await desk.sleep(context.SETTLE)
            while kept.changed and (intent := desk.intents.get(name)) is not None:
                why, kept.changed, since = kept.changed, "", desk.engine.monotonic()
                pause = context.PACE
                desk.note(name, "intent", intent.body())
                open_ones = desk.ladder.failing(name)
                remote = [n for n in desk.giver.remote(intent.recorders) if n not in open_ones]
                call = desk.giver.call(intent)
                if remote and call is not None:
                    results = await desk.giver.give(intent, intent.verb, remote)
                    first = call.channels[0]
                    self._reapplied(intent, (first.name, first.uniqueid), why, since, results)
                    if any(one.retryable for one in desk.disobeyed(results)):
                        kept.changed, tries = kept.changed or "not obeyed", tries + 1
                        pause = max(pause, DELAYS[min(tries, len(DELAYS) - 1)])
                await desk.sleep(pause)
        finally:
            kept.remote = None

    def _reapplied(
        self,
        intent: Intent,
        where: tuple[str, str],
        why: str,
        since: float,
        results: Sequence[RecorderResult],
    ) -> None:
        desk = self.desk
        took = round((desk.engine.monotonic() - since) * 1000, 1)
        desk.note(intent.id, "reapplied", {
            "intent": intent.id, "channel": where[0], "uniqueid": where[1], "why": why,
            "took_ms": took, "results": [result_body(one) for one in results],
        })  # fmt: skip
        wrong, kept = desk.disobeyed(results), desk.of(intent)
        if not wrong:
            if kept.failures:
                desk.say(intent, context.STATES[intent.verb])
            kept.failures = 0
            return
        kept.quiet = desk.engine.monotonic() + DELAYS[min(kept.failures, len(DELAYS) - 1)]
        kept.failures += 1
        if kept.failures == 1:
            detail = "; ".join(f"{one.recorder}: {one.detail}" for one in wrong)
            desk.alarm(intent, "not_reapplied", detail)
            desk.say(intent, context.State.FAILED)
