# SPDX-License-Identifier: Apache-2.0
"""Ask the recorders on the PBX again for a press whose verdict was taken back.

A file contradicted the verdict. What the recorders on the PBX tell is not believed any more, until
the file has ceased to contradict.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bridges.model import Evidence, Outcome, RecorderResult
from offrecord.enforcement.context import EnforcementContext
from offrecord.model.intents import Intent
from offrecord.model.press import Press
from offrecord.model.verdict import Verdict

Doubt = Callable[[str], str]
"""Returns what still contradicts that a press worked, by its id; empty when nothing does."""


@dataclass(frozen=True, slots=True)
class TakenBackPresses:
    """Starts the retry ladder for presses whose verdict was taken back."""

    context: EnforcementContext

    def retry(self, press_id: str, reason: str, doubt: Doubt) -> None:
        """Retry a press until its recorders obey and `doubt` returns nothing.

        Does nothing once the call is over or the intent has ended, and where no recorder on the
        PBX was asked.
        """
        shared, found = self.context, self._find(press_id)
        call = shared.orders.call(found[0]) if found else None
        if found is None or call is None:
            return
        intent, press, told = found
        results = self._failed(intent, told, reason)
        verdict = Verdict(
            press.id, press.verb, Outcome.FAILED, Evidence.MEDIA, reason,
            shared.monotonic() - press.received, call.linkedid, results, intent.agent,
        )  # fmt: skip
        shared.retry_ladder.start(
            press, intent, verdict, call, results, doubt=lambda: doubt(press.id)
        )

    def _find(self, press_id: str) -> tuple[Intent, Press, Sequence[RecorderResult]] | None:
        """Return the intent that counts for a press, the press, and what its recorders told."""
        shared = self.context
        for name, work in shared.work.items():
            if work.told is not None and work.told[0].id == press_id:
                intent = shared.intents.get(name)
                return None if intent is None else (intent, *work.told)
        intent = shared.intents.get(press_id)
        return None if intent is None else (intent, self._from_before(intent), ())

    def _from_before(self, intent: Intent) -> Press:
        """Return a press of before the daemon's last start, as far as its intent tells."""
        shared = self.context
        ago = max(0, shared.now() - intent.since) / 1000
        return Press(
            intent.id, intent.verb, "cli", intent.call, intent.since, shared.monotonic() - ago,
            intent.presser, agent=intent.agent,
        )  # fmt: skip

    def _failed(
        self, intent: Intent, told: Sequence[RecorderResult], reason: str
    ) -> tuple[RecorderResult, ...]:
        """Return the results of the recorders on the PBX as failures."""
        orders = self.context.orders
        kinds = {name: one.kind for name, one in orders.site.recorders.items()}
        known = {one.recorder: one for one in told}
        return tuple(
            replace(known[name], outcome=Outcome.FAILED, evidence=Evidence.MEDIA, detail=reason,
                    retryable=True)
            if name in known
            else RecorderResult(
                name, kinds[name], Outcome.FAILED, Evidence.MEDIA, reason, retryable=True
            )
            for name in orders.local(intent.recorders)
        )  # fmt: skip
