# SPDX-License-Identifier: Apache-2.0
"""End pauses: remind, extend once, resume when the time is over, or alarm and stay paused."""

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
    """Ends the intents that have a time limit. `rules` say how long pauses last."""

    context: EnforcementContext
    reapplier: Reapplier
    rules: PauseRules

    def check(self, now: int) -> None:
        """Start what is due at `now`, milliseconds since the epoch."""
        for intent in self.context.intents:
            if intent.until is None:
                continue
            work = self.context.work_for(intent)
            if intent.until <= now:
                if work.ending is None:
                    work.ending = self.context.spawn(self._expire(intent), "expire")
            elif not work.reminded and 0 < intent.until - now <= self.rules.reminder * 1000:
                work.reminded = True
                self._remind(intent)

    def extend(self, intent: Intent) -> Intent:
        """Extend a pause for a second press, if the rules allow it; return the intent of now."""
        longer = self.rules.extend(intent)
        if longer is None:
            return intent
        self.context.intents.put(longer)
        self.context.work_for(longer).reminded = False
        self.context.write(longer.id, "extended", {"intent": longer.id, "until": longer.until})
        return longer

    def _remind(self, intent: Intent) -> None:
        self.context.write(intent.id, "reminded", {"intent": intent.id})
        presser = self.context.orders.presser(intent)
        observers = self.context.observers
        if intent.presser is not None:
            observers.notify(observers.remind, presser.name if presser else "", intent.presser)

    async def _expire(self, intent: Intent) -> None:
        """Resume, or alarm. The journal says that the pause ended once that is done."""
        shared = self.context
        if intent.at_end == "stay_paused_and_alarm":
            stays = shared.intents.put(replace(intent, until=None))
            shared.write(intent.id, "intent", stays.body())
            shared.alarm(intent, "pause_over", "a pause has lasted its time, and goes on")
            return
        others = [one for one in shared.intents.all_of(self._ids(intent)) if one.id != intent.id]
        held = {name for one in others for name in one.recorders}
        names = [name for name in intent.recorders if name not in held]
        working = shared.drop(intent, "expired")  # what is resumed must not be stopped again
        if working:
            await asyncio.wait(working)
        shared.restore_monitors(intent)
        results = await shared.orders.send(intent, Verb.RESUME, names)
        shared.write(intent.id, "intent_ended", {
            "intent": intent.id, "why": "expired" if names else "superseded",
            "results": [result_body(one) for one in results],
        })  # fmt: skip
        wrong = shared.disobeyed(results)
        if not others:
            shared.report_state(intent, State.FAILED if wrong else State.RECORDING)
        if wrong:
            detail = "; ".join(f"{one.recorder}: {one.detail}" for one in wrong)
            shared.alarm(intent, "not_resumed", detail)
        tries = 0
        while wrong := [one for one in wrong if not obeyed(one) and one.retryable]:
            await shared.sleep(DELAYS[min(tries, len(DELAYS) - 1)])
            if shared.orders.call(intent) is None or shared.intents.all_of(self._ids(intent)):
                break
            tries += 1
            wrong = await shared.orders.send(intent, Verb.RESUME, [one.recorder for one in wrong])
            for one in wrong:
                shared.write(intent.id, "retried", {**result_body(one), "attempt": tries})
        for new in shared.intents.all_of(self._ids(intent)):
            if new.id not in {one.id for one in others}:
                # Pressed while this resumed, and it is unknown which of the two came last.
                self.reapplier.changed(new, "resumed at the same time")

    def _ids(self, intent: Intent) -> frozenset[str]:
        call = self.context.orders.call(intent)
        return call.ids if call else intent.lineage
