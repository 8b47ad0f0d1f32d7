# SPDX-License-Identifier: Apache-2.0
"""Hold a stop or pause for the rest of the call: stop it again when it restarts, time, retry.

Three things make the enforcer check a call: an event of the PBX (a recording started, a party
joined or was transferred), a sweep one second after the press, and a slow periodic check of every
call with an intent, for what no event reported: a link that was down, or a restart of the daemon.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from ami.calls.graph import CallGraph
from ami.calls.snapshots import Channel
from ami.errors import AmiError
from ami.events import types as ev
from ami.ports import PbxPort
from bridges.model import Order, Outcome, RecorderResult, Verb
from bridges.routing import facts
from offrecord.config.sections.enforcement import HOLD
from offrecord.enforcement.call_mute import CallMute
from offrecord.enforcement.context import (
    STATES,
    EnforcementContext,
    IntentWork,
    Observers,
    State,
)
from offrecord.enforcement.orders import OrderSender
from offrecord.enforcement.pause_timer import PauseTimer
from offrecord.enforcement.reapply import Reapplier
from offrecord.enforcement.retry_ladder import RetryLadder, obeyed
from offrecord.enforcement.taken_back import Doubt, TakenBackPresses
from offrecord.model.intents import Intent, Intents, kin
from offrecord.model.pause_rules import PauseRules
from offrecord.model.press import END_OBJECTION, Press, now_ms
from offrecord.model.verdict import Verdict
from offrecord.policy.policy import PHONE_WAYS
from offrecord.presses.find_call import Resolved
from offrecord.presses.plan import Plan
from offrecord.presses.records import WriteRecord

__all__ = ["EnforcementSettings", "Enforcer", "Observers", "State"]


TICK: Final = 0.25
"""Seconds between two checks of the time and of a part of the calls."""

AT_ONCE: Final = 64
"""Calls checked in one tick."""

_LOST: Final = 10_000
"""Milliseconds after which an intent is enforced although its press has no verdict."""

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EnforcementSettings:
    """Length of pauses, and what to do when a recorder does not obey.

    `hold_longest` is in seconds.
    """

    pause: PauseRules = field(default_factory=PauseRules)
    fallback: tuple[str, ...] = ()
    hold_sounds: tuple[str, ...] = ()
    hold_longest: float = 60.0


class Enforcer:
    """Enforces the intents of one PBX.

    `orders` sends orders to recorders, `write` writes a record to the journal. `event` is to be
    subscribed to the PBX, `run` to be run in a task. `now` returns milliseconds since the epoch,
    UTC, `monotonic` seconds; `sleep` is a seam.
    """

    def __init__(
        self,
        pbx: PbxPort,
        orders: OrderSender,
        intents: Intents,
        write: WriteRecord,
        settings: EnforcementSettings | None = None,
        *,
        observers: Observers | None = None,
        now: Callable[[], int] = now_ms,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        settings, observers = settings or EnforcementSettings(), observers or Observers()
        self.intents = intents
        self.retry_ladder = RetryLadder(
            orders, write, intents.get, settings.fallback, monotonic, sleep,
            observers.repeat, observers.late,
            CallMute(pbx, settings.hold_sounds, settings.hold_longest, sleep),
        )  # fmt: skip
        # The previous daemon process may have left calls muted.
        self._may_be_muted = HOLD in settings.fallback
        self._context = EnforcementContext(
            pbx, orders, intents, write, observers, self.retry_ladder, now, monotonic, sleep
        )
        self._reapplier = Reapplier(self._context)
        self._pause_timer = PauseTimer(self._context, self._reapplier, settings.pause)
        self._place = 0

    # what the engine asks

    def refusal(self, press: Press, resolved: Resolved) -> str | None:
        """Return why an objection in force forbids a press, None when none does."""
        if press.verb.silences or not any(
            one.verb is Verb.OBJECTION and press.recorder in {None, *one.recorders}
            for one in self.intents.all_of(resolved.call.ids)
        ):
            return None
        if press.way in PHONE_WAYS:
            return "the other party objected to the recording of this call, and no key undoes that"
        if press.options.get(END_OBJECTION) == "yes":
            return None
        return (
            "the other party objected to the recording of this call; if they agree to it after"
            " all, say so with --end-objection"
        )

    def begin(self, plan: Plan) -> Intent:
        """Put the intent of a silencing press in force, before any recorder is asked.

        Returns the intent that counts on the call from now on.
        """
        press, resolved = plan.press, plan.resolved
        call, presser = resolved.call, resolved.presser
        here, since = call.ids, self._context.now()
        rules = self._pause_timer.rules
        until, maximum = (
            rules.times(since, facts(call, resolved.queues, resolved.who.login))
            if press.verb is Verb.PAUSE
            else (None, None)
        )
        home = kin(call, frozenset({presser.uniqueid, presser.linkedid})) if presser else here
        held = {one.id: one for one in self.intents.all_of(here)}
        counts, superseded = self.intents.add(
            Intent(
                press.id, press.verb, call.linkedid, here, plan.recorders, since,
                resolved.who.login, until, maximum, rules.at_end, home,
                presser.uniqueid if presser else None, presser.extension if presser else None,
                dict(resolved.facts), recorded=frozenset(c.uniqueid for c in call.monitored),
            )
        )  # fmt: skip
        for old in superseded:
            self._context.end(old, "superseded")
        work, before = self._context.work_for(counts), held.get(counts.id)
        work.seen.update(channel.uniqueid for channel in call.channels)
        work.linked.update(call.lineage)
        if counts != before:
            self._context.write(counts.id, "intent", counts.body())
        if before is not None and press.verb is counts.verb and press.id != counts.id:
            counts = self._pause_timer.extend(counts)
        return counts

    async def release(self, press: Press, resolved: Resolved) -> None:
        """End the intents that a `resume` or a `start` undoes, and wait for their work to stop."""
        ending: list[asyncio.Task[None]] = []
        for intent in self.intents.all_of(resolved.call.ids):
            self._context.restore_monitors(intent)
            rest = tuple(name for name in intent.recorders if name != press.recorder)
            if press.recorder is None or not rest:
                ending += self._context.end(intent, "resumed")
            elif rest != intent.recorders:
                less = self.intents.put(replace(intent, recorders=rest))
                self._context.write(less.id, "intent", less.body())
        if ending:
            await asyncio.wait(ending)

    def asked(self, plan: Plan, results: Sequence[RecorderResult], verdict: Verdict) -> None:
        """Take over after a verdict: retry what failed, and sweep the call for restarts."""
        shared, order, presser = self._context, plan.order, plan.resolved.presser
        if not order.verb.silences:
            good = verdict.outcome in {Outcome.CONFIRMED, Outcome.ACCEPTED}
            state = State.RECORDING if good else State.FAILED
            extension = presser.extension if presser else None
            shared.observers.notify(shared.observers.state, extension, state)
            return
        covering = self.intents.all_of(order.call.ids)
        for intent in covering:
            shared.work_for(intent).asked = True
        of_these = [one for one in covering if {*plan.recorders} <= {*one.recorders}]
        if not of_these:
            self._close_late(plan.press, order, results, verdict)
            return
        intent = of_these[0]
        if plan.press.recorder is None:
            shared.work_for(intent).told = plan.press, results
        self.retry_ladder.start(plan.press, intent, verdict, order.call, results)
        failing = self.retry_ladder.failing(intent.id)
        shared.report_state(intent, State.FAILED if failing else STATES[intent.verb])
        local = shared.orders.local(plan.recorders)
        if any(obeyed(one) for one in results if one.recorder in local):
            shared.spawn(self._reapplier.sweep(intent.id), "sweep")

    def _close_late(
        self, press: Press, order: Order, results: Sequence[RecorderResult], verdict: Verdict
    ) -> None:
        """Close a press that failed, and whose intent ended while its recorders were asked."""
        shared = self._context
        if verdict.outcome not in {Outcome.FAILED, Outcome.DENIED} or not results:
            return
        up = any(shared.pbx.graph.call_of(one.uniqueid) for one in order.call.channels)
        shared.write(press.id, "closed", {
            "outcome": verdict.outcome.value, "evidence": verdict.evidence.label,
            "exposed_ms": {}, "why": "superseded" if up else "call_ended",
            "reason": verdict.scope + verdict.reason,
        })  # fmt: skip

    # life

    def event(self, event: ev.Event, graph: CallGraph) -> None:
        """Handle one event of the PBX, after the graph has applied it."""
        self._reapplier.event(event, graph)

    def recording_started(self, channels: Sequence[Channel], why: str) -> None:
        """Handle a recording that started on channels, as told by another than the PBX's events.

        `why` is what told it, for the journal.
        """
        if len(self.intents):
            self._reapplier.started(channels, why)

    def taken_back(self, press_id: str, reason: str, doubt: Doubt) -> None:
        """Retry a press whose verdict was taken back, for a `reason`, like one that failed.

        It is solved only once `doubt` returns nothing for it any more.
        """
        TakenBackPresses(self._context).retry(press_id, reason, doubt)

    def reconfigure(self, settings: EnforcementSettings) -> None:
        """Use other settings from the next press on."""
        self._pause_timer.rules = settings.pause
        self.retry_ladder.fallback = settings.fallback
        self.retry_ladder.call_mute.sounds = settings.hold_sounds
        self.retry_ladder.call_mute.longest = settings.hold_longest

    def restore(self, intents: Iterable[Intent]) -> None:
        """Put intents in force again that were live before a restart. Their calls are checked."""
        for intent in intents:
            self.intents.put(intent)
            self._context.work[intent.id] = IntentWork(asked=True, linked={*intent.lineage})

    async def run(self) -> None:
        """Check the time and the calls until cancelled."""
        while True:
            await self._context.sleep(TICK)
            try:
                self.tick()
            except Exception:  # noqa: BLE001 - the next check may do better
                _log.exception("enforcer_tick_failed")

    def ack(self, press_id: str) -> bool:
        """End the repeated tone of an unsolved press; False when there is no such press."""
        return self.retry_ladder.ack(press_id)

    async def close(self) -> None:
        """Stop retrying and re-applying; the journal keeps intents and unsolved presses open."""
        await self.retry_ladder.close()
        tasks = [*self._context.tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def tick(self) -> None:
        """Check the time, and some of the calls."""
        if not self._context.pbx.graph.known:
            return  # no order could be carried out, and it is unknown which calls are up
        now = self._context.now()
        self._pause_timer.check(now)
        if self._may_be_muted:
            self._may_be_muted = False
            self._context.spawn(self._unmute_left_over(), "unmute")
        several = [*self.intents]
        self._place = self._place if self._place < len(several) else 0
        for intent in several[self._place : self._place + AT_ONCE]:
            self._check(intent, now)
        self._place += AT_ONCE

    async def _unmute_left_over(self) -> None:
        """Unmute the calls that the previous daemon process left muted, once after the start."""
        try:
            found = await self.retry_ladder.call_mute.sweep()
        except AmiError as error:
            self._may_be_muted = True
            _log.warning("held_calls_not_looked_for", problem=str(error))
            return
        if found:
            _log.warning("held_calls_joined", channels=found)

    async def unmute_calls(self) -> None:
        """Unmute all calls that are muted; await it while the link still stands."""
        await self.retry_ladder.call_mute.close()

    def _check(self, intent: Intent, now: int) -> None:
        work = self._context.work_for(intent)
        if not work.asked and now - intent.since < _LOST:
            return  # its press is still under way
        work.asked = True
        call = self._context.orders.call(intent)
        if call is None:
            self._context.end(intent, "call_ended")
        else:
            self._reapplier.audit(intent, call, "found recording")
