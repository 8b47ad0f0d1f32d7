# SPDX-License-Identifier: Apache-2.0
"""PauseTimer end: reminded of, made longer once, resumed, or left with an alarm."""

import asyncio
from dataclasses import dataclass, replace

from bridges.model import Verb
from offrecord.enforcement.context import EnforcementContext, State
from offrecord.enforcement.reapply import Reapplier
from offrecord.enforcement.retry_ladder import DELAYS, obeyed
from offrecord.model.intents import Intent
from offrecord.model.pause_rules import PauseRules
from offrecord.model.verdict import result_body


@dataclass(slots=True)
class PauseTimer:
    """Looks after the time of intents that have one."""

    desk: EnforcementContext
    silencer: Reapplier
    rules: PauseRules

    def look(self, now: int) -> None:
        """Begin what is due at `now`, milliseconds since the epoch."""
        for intent in self.desk.intents:
            if intent.until is None:
                continue
            kept = self.desk.of(intent)
            if intent.until <= now:
                if kept.ending is None:
                    kept.ending = self.desk.spawn(self._expire(intent), "expire")
            elif not kept.reminded and 0 < intent.until - now <= self.rules.reminder * 1000:
                kept.reminded = True
                self._remind(intent)

    def extend(self, intent: Intent) -> Intent:
        """Make a pause longer for a second press, if it may be; return what it is now."""
        longer = self.rules.extend(intent)
        if longer is None:
            return intent
        self.desk.intents.put(longer)
        self.desk.of(longer).reminded = False
        self.desk.note(longer.id, "extended", {"intent": longer.id, "until": longer.until})
        return longer

    def _remind(self, intent: Intent) -> None:
        self.desk.note(intent.id, "reminded", {"intent": intent.id})
        presser = self.desk.giver.presser(intent)
        observers = self.desk.observers
        observers.tell(observers.remind, intent, presser.name if presser else "")

    async def _expire(self, intent: Intent) -> None:
        """Carry out what a pause ends with. In the journal it ends once that is done."""
        desk = self.desk
        if intent.at_end == "stay_paused_and_alarm":
            stays = desk.intents.put(replace(intent, until=None))
            desk.note(intent.id, "intent", stays.body())
            desk.alarm(intent, "pause_over", "a pause has lasted its time, and goes on")
            return
        others = [one for one in desk.intents.all_of(self._ids(intent)) if one.id != intent.id]
        held = {name for one in others for name in one.recorders}
        names = [name for name in intent.recorders if name not in held]
        working = desk.let_go(intent, "expired")  # what is resumed must not be silenced again
        if working:
            await asyncio.wait(working)
        desk.recall(intent)
        results = await desk.giver.give(intent, Verb.RESUME, names)
        desk.note(intent.id, "intent_ended", {
            "intent": intent.id, "why": "expired" if names else "superseded",
            "results": [result_body(one) for one in results],
        })  # fmt: skip
        wrong = desk.disobeyed(results)
        if not others:
            desk.say(intent, State.FAILED if wrong else State.RECORDING)
        if wrong:
            detail = "; ".join(f"{one.recorder}: {one.detail}" for one in wrong)
            desk.alarm(intent, "not_resumed", detail)
        tries = 0
        while wrong := [one for one in wrong if not obeyed(one) and one.retryable]:
            await desk.sleep(DELAYS[min(tries, len(DELAYS) - 1)])
            if desk.giver.call(intent) is None or desk.intents.all_of(self._ids(intent)):
                break
            tries += 1
            wrong = await desk.giver.give(intent, Verb.RESUME, [one.recorder for one in wrong])
            for one in wrong:
                desk.note(intent.id, "retried", {**result_body(one), "attempt": tries})
        for new in desk.intents.all_of(self._ids(intent)):
            if new.id not in {one.id for one in others}:
                # Pressed while this resumed, and nobody knows which of the two came last.
                self.silencer.changed(new, "resumed at the same time")

    def _ids(self, intent: Intent) -> frozenset[str]:
        call = self.desk.giver.call(intent)
        return call.ids if call else intent.lineage
