# SPDX-License-Identifier: Apache-2.0
"""Keeps what was promised on a call: silenced again when it starts again, and for how long.

Three things bring the keeper to look at a call: an event of the PBX (a recording started, a party
came or was sent on), a sweep a second after the press, and a slow look at every call with an
intent, for what no event told: a link that was down, or a restart of the daemon.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from ami.calls.graph import CallGraph
from ami.errors import AmiError
from ami.events import types as ev
from ami.ports import PbxPort
from bridges.model import Order, Outcome, RecorderResult, Verb
from bridges.routing import facts
from offrecord.config.sections.enforcement import HOLD
from offrecord.enforcement import context
from offrecord.enforcement.call_mute import CallMute
from offrecord.enforcement.context import (
    EnforcementContext,
    Engine,
    IntentWork,
    Observers,
    State,
)
from offrecord.enforcement.orders import OrderSender
from offrecord.enforcement.pause_timer import PauseTimer
from offrecord.enforcement.reapply import Reapplier
from offrecord.enforcement.retry_ladder import Note, RetryLadder, obeyed
from offrecord.model.intents import Intent, Intents, kin
from offrecord.model.pause_rules import PauseRules
from offrecord.model.press import END_OBJECTION, Press
from offrecord.model.verdict import Verdict
from offrecord.policy.policy import PHONE_WAYS
from offrecord.presses.find_call import Resolved

__all__ = ["EnforcementSettings", "Enforcer", "Observers", "State"]


TICK: Final = 0.25
"""Seconds between two looks at the clock and at a part of the calls."""

AT_ONCE: Final = 64
"""Calls looked at in one tick."""

_LOST: Final = 10_000
"""Milliseconds after which an intent is looked after although its press had no verdict."""

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EnforcementSettings:
    """How long pauses last, and what is done when a recorder does not obey."""

    pause: PauseRules = field(default_factory=PauseRules)
    fallback: tuple[str, ...] = ()
    hold_sounds: tuple[str, ...] = ()
    hold_longest: float = 60.0


class Enforcer:
    """Holds the intents of one PBX to what they say.

    `note` journals a record and is not waited for. `event` is to be subscribed to the PBX, `run`
    to be run beside it. `sleep` is a seam; the clocks are the engine's.
    """

    def __init__(
        self,
        pbx: PbxPort,
        engine: Engine,
        intents: Intents,
        note: Note,
        settings: EnforcementSettings | None = None,
        *,
        observers: Observers | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        settings, told = settings or EnforcementSettings(), observers or Observers()
        giver = OrderSender(engine, lambda: pbx.graph)
        self.intents = intents
        self.ladder = RetryLadder(
            giver, note, intents.get, settings.fallback, lambda: engine.monotonic(), sleep,  # noqa: PLW0108
            told.repeat, told.late,
            CallMute(pbx, settings.hold_sounds, settings.hold_longest, sleep),
        )  # fmt: skip
        self._unheard = HOLD in settings.fallback  # a daemon before this one may have held calls
        self._desk = EnforcementContext(pbx, engine, intents, note, sleep, told, giver, self.ladder)
        self._silencer = Reapplier(self._desk)
        self._pauses = PauseTimer(self._desk, self._silencer, settings.pause)
        self._place = 0

    # what the engine asks and tells

    def refusal(self, press: Press, resolved: Resolved) -> str | None:
        """Return why a press may not go on because of an objection, None when it may."""
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

    def begin(self, press: Press, resolved: Resolved, recorders: Sequence[str]) -> Intent:
        """Take up what a silencing press asks for, before any recorder is asked.

        Returns the intent that counts on the call from now on.
        """
        call, presser = resolved.call, resolved.presser
        here, since = call.ids, self._desk.engine.now()
        until, maximum = (
            self._pauses.rules.times(since, facts(call, resolved.queues, resolved.who.login))
            if press.verb is Verb.PAUSE
            else (None, None)
        )
        home = kin(call, frozenset({presser.uniqueid, presser.linkedid})) if presser else here
        held = {one.id: one for one in self.intents.all_of(here)}
        counts, superseded = self.intents.add(
            Intent(
                press.id, press.verb, call.linkedid, here, tuple(recorders), since,
                resolved.who.login, until, maximum, self._pauses.rules.at_end, home,
                presser.uniqueid if presser else None, presser.extension if presser else None,
                dict(resolved.facts), recorded=frozenset(c.uniqueid for c in call.monitored),
            )
        )  # fmt: skip
        for old in superseded:
            self._desk.end(old, "superseded")
        kept, before = self._desk.of(counts), held.get(counts.id)
        kept.seen.update(channel.uniqueid for channel in call.channels)
        kept.linked.update(call.lineage)
        if counts != before:
            self._desk.note(counts.id, "intent", counts.body())
        if before is not None and press.verb is counts.verb and press.id != counts.id:
            counts = self._pauses.extend(counts)
        return counts

    async def release(self, press: Press, resolved: Resolved) -> None:
        """End what a `resume` or a `start` undoes, and wait until nothing is silenced any more."""
        ending: list[asyncio.Task[None]] = []
        for intent in self.intents.all_of(resolved.call.ids):
            self._desk.recall(intent)
            rest = tuple(name for name in intent.recorders if name != press.recorder)
            if press.recorder is None or not rest:
                ending += self._desk.end(intent, "resumed")
            elif rest != intent.recorders:
                less = self.intents.put(replace(intent, recorders=rest))
                self._desk.note(less.id, "intent", less.body())
        if ending:
            await asyncio.wait(ending)

    def asked(  # noqa: PLR0917 - a press, and all that became of it
        self,
        press: Press,
        resolved: Resolved,
        order: Order,
        recorders: Sequence[str],
        results: Sequence[RecorderResult],
        verdict: Verdict,
    ) -> None:
        """Hear what came of a press; what is not yet as it should be is the keeper's from now."""
        desk = self._desk
        if not order.verb.silences:
            good = verdict.outcome in {Outcome.CONFIRMED, Outcome.ACCEPTED}
            state = State.RECORDING if good else State.FAILED
            extension = resolved.presser.extension if resolved.presser else None
            desk.observers.tell(desk.observers.state, extension, resolved.who.login, state, None)
            return
        covering = self.intents.all_of(order.call.ids)
        for intent in covering:
            desk.of(intent).asked = True
        of_these = [one for one in covering if {*recorders} <= {*one.recorders}]
        if not of_these:
            self._too_late(press, order, results, verdict)
            return
        intent = of_these[0]
        self.ladder.start(press, intent, verdict, order.call, results)
        failing = self.ladder.failing(intent.id)
        desk.say(intent, State.FAILED if failing else context.STATES[intent.verb])
        local = desk.giver.local(recorders)
        if any(obeyed(one) for one in results if one.recorder in local):
            desk.spawn(self._silencer.sweep(intent.id), "sweep")

    def _too_late(
        self, press: Press, order: Order, results: Sequence[RecorderResult], verdict: Verdict
    ) -> None:
        """Close a press that ended badly when what it asked for had ended before it."""
        desk = self._desk
        if verdict.outcome not in {Outcome.FAILED, Outcome.DENIED} or not results:
            return
        up = any(desk.pbx.graph.call_of(one.uniqueid) for one in order.call.channels)
        desk.note(press.id, "closed", {
            "outcome": verdict.outcome.value, "evidence": verdict.evidence.label,
            "exposed_ms": {}, "why": "superseded" if up else "call_ended",
            "reason": verdict.reason,
        })  # fmt: skip

    # life

    def event(self, event: ev.Event, graph: CallGraph) -> None:
        """Take one event of the PBX, once the graph has taken it."""
        self._silencer.event(event, graph)

    def use(self, settings: EnforcementSettings) -> None:
        """Go by other settings from the next press on."""
        self._pauses.rules = settings.pause
        self.ladder.fallback = settings.fallback
        if self.ladder.holder is not None:
            self.ladder.holder.sounds = settings.hold_sounds
            self.ladder.holder.longest = settings.hold_longest

    def restore(self, intents: Iterable[Intent]) -> None:
        """Take up the intents that were live before a restart. Their calls are looked at soon."""
        for intent in intents:
            self.intents.put(intent)
            self._desk.kept[intent.id] = IntentWork(asked=True, linked={*intent.lineage})

    async def run(self) -> None:
        """Look after time and calls until cancelled."""
        while True:
            await self._desk.sleep(TICK)
            try:
                self.tick()
            except Exception:  # noqa: BLE001 - the next look may do better
                _log.exception("keeper_tick_failed")

    def ack(self, press_id: str) -> bool:
        """End the repeated tone of an unsolved press; False when there is no such press."""
        return self.ladder.ack(press_id)

    async def close(self) -> None:
        """Stop everything; intents and unsolved presses stay as the journal has them."""
        await self.ladder.close()
        tasks = [*self._desk.tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def tick(self) -> None:
        """Look at the clock, and at some of the calls."""
        if not self._desk.pbx.graph.known:
            return  # nothing could be carried out, and nobody knows which calls are up
        now = self._desk.engine.now()
        self._pauses.look(now)
        if self._unheard:
            self._unheard = False
            self._desk.spawn(self._let_be_heard(), "unheard")
        several = [*self.intents]
        self._place = self._place if self._place < len(several) else 0
        for intent in several[self._place : self._place + AT_ONCE]:
            self._look(intent, now)
        self._place += AT_ONCE

    async def _let_be_heard(self) -> None:
        """Find the calls that a daemon before this one left held, once after the start."""
        holder = self.ladder.holder
        try:
            found = await holder.sweep() if holder is not None else []
        except AmiError as error:
            self._unheard = True
            _log.warning("held_calls_not_looked_for", problem=str(error))
            return
        if found:
            _log.warning("held_calls_joined", channels=found)

    async def join(self) -> None:
        """Join all calls that are held; to be awaited while the link still stands."""
        if self.ladder.holder is not None:
            await self.ladder.holder.close()

    def _look(self, intent: Intent, now: int) -> None:
        kept = self._desk.of(intent)
        if not kept.asked and now - intent.since < _LOST:
            return  # its press is on it
        kept.asked = True
        call = self._desk.giver.call(intent)
        if call is None:
            self._desk.end(intent, "call_ended")
        else:
            self._silencer.audit(intent, call, "found recording")
