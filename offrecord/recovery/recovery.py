# SPDX-License-Identifier: Apache-2.0
"""After a crash: finish or close the presses that were accepted, and put intents in force again.

`scan` reads the journal before the first press is taken. `Recovery.run` waits for the PBX's calls
to be known, while new presses are taken, and carries out what `resolutions` decides. Every press
that it touches gets a `recovered` record: `how` (finish, retry, fail, call_ended,
intent_restored, intent_ended) and `detail`.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import structlog

from ami.ports import HasGraph
from bridges.model import Evidence, Outcome, worst
from offrecord.enforcement.enforcer import Enforcer
from offrecord.model import intents
from offrecord.model.press import Press
from offrecord.model.verdict import Verdict, judge
from offrecord.presses.lifecycle import Engine
from offrecord.presses.records import Records
from offrecord.presses.site_settings import CurrentSite, SiteSettings
from offrecord.recovery.no_repeat import result_of, without_repeats
from offrecord.recovery.resolutions import Decision, Decisions, Resolution, decide, retarget
from offrecord.recovery.unfinished import OpenIntent, OpenPress, OpenWork, outcome_of

DEFAULT_LIMIT: Final = 120.0
"""Seconds that an open press waits for the PBX's calls to be known."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """Counts of presses by how they were resolved, and of intents restored and ended."""

    presses: Mapping[Resolution, int]
    restored: int = 0
    ended: int = 0


Finish = Callable[[Press, OpenPress], Awaitable[Verdict]]
"""Carries out a press and returns its verdict, journalled under the id of the press it joined."""

Retry = Callable[[OpenPress], str | None]
"""Starts retrying a press that had failed, or returns why nothing is to be retried."""

Write = Callable[[str, str, Mapping[str, object]], Awaitable[object]]
"""Writes a record of a press: its id, the kind, the body."""


@dataclass(slots=True)
class Recovery:
    """Recovers `work`, what the previous daemon process left unfinished.

    `finish` is the engine's, `retry` and `restore` are the enforcer's; `write` writes to the
    journal. Presses wait `limit` seconds for the PBX, then they are closed as `failed`; intents
    wait without a limit, because a call may outlive an outage of its PBX's link.
    """

    work: OpenWork
    pbx: HasGraph
    finish: Finish
    write: Write
    retry: Retry
    restore: Callable[[Sequence[OpenIntent]], None]
    limit: float = DEFAULT_LIMIT
    _log: structlog.stdlib.BoundLogger = field(default_factory=structlog.get_logger)

    async def run(self) -> Recovered:
        """Decide and carry out. A fault with one press affects no other, and not the daemon."""
        if not self.work:
            return Recovered({})
        try:
            return await self._run()
        except Exception:  # noqa: BLE001 - the next start takes what is still open
            self._log.exception("recovery_broke")
            return Recovered({})

    async def _run(self) -> Recovered:
        work, early = self.work, Decisions((), (), ())
        if not await self.pbx.wait_known(self.limit):
            why = f"the PBX's calls were not known within {self.limit:g} s"
            early, work = decide(work, None, why), OpenWork((), work.intents)
            await self._presses(early, frozenset())
            while work and not await self.pbx.wait_known(self.limit):
                self._log.warning("recovery_waits", intents=len(work.intents))
        live = self._live()
        decided = decide(work, live)
        # Intents come first: they are what keeps recordings off.
        await self._intents(decided)
        await self._presses(decided, live)
        counts = Counter(one.resolution for one in (*early.presses, *decided.presses))
        done = Recovered(counts, len(decided.restore), len(decided.end))
        told = {how.value: count for how, count in counts.items()}
        self._log.info("recovered", **told, restored=done.restored, ended=done.ended)
        return done

    def _live(self) -> frozenset[str]:
        return frozenset().union(*(call.ids for call in self.pbx.graph.calls()))

    async def _intents(self, decisions: Decisions) -> None:
        if decisions.restore:
            self.restore(decisions.restore)
            for one in decisions.restore:
                await self._recovered(one.press, "intent_restored", "the call is still up")
        for one in decisions.end:
            intent = one.body.get("intent", one.press)
            await self.write(one.press, "intent_ended", {"intent": intent, "why": "call_ended"})
            why = "the call had ended when the daemon was back"
            await self._recovered(one.press, "intent_ended", why)

    async def _presses(self, decisions: Decisions, live: frozenset[str]) -> None:
        await asyncio.gather(*(self._guarded(one, live) for one in decisions.presses))

    async def _guarded(self, decision: Decision, live: frozenset[str]) -> None:
        press = decision.unfinished.press
        with structlog.contextvars.bound_contextvars(press=press.id):
            try:
                await self._one(decision, live)
            except Exception:  # noqa: BLE001 - the press must not stay open, whatever broke
                self._log.exception("recovery_broke")
                why = "a fault in offrecord, see its log"
                await self._close(decision.unfinished, Outcome.FAILED, why)

    async def _one(self, decision: Decision, live: frozenset[str]) -> None:
        left = decision.unfinished
        await self._recovered(left.press.id, decision.resolution.value, decision.why)
        match decision.resolution:
            case Resolution.FINISH:
                verdict = await self.finish(retarget(left, live), left)
                if verdict.press_id != left.press.id:  # it was pressed again meanwhile
                    body = {**verdict.body(), "press": left.press.id}
                    await self.write(left.press.id, "verdict", body)
            case Resolution.RETRY:
                why = self.retry(left)
                if why is not None:
                    await self._close(left, Outcome.FAILED, why)
            case Resolution.FAIL:
                await self._close(left, Outcome.FAILED, decision.why)
            case Resolution.CALL_ENDED:
                await self._close(left, Outcome.CALL_ENDED, decision.why)

    async def _close(self, left: OpenPress, outcome: Outcome, why: str) -> None:
        press = left.press
        if left.verdict is None:
            took = time.monotonic() - press.received
            verdict = Verdict(
                press.id, press.verb, outcome, Evidence.NONE, why, took, left.call
            )  # fmt: skip
            await self.write(press.id, "verdict", verdict.body())
            return
        results = left.answered.values()
        solved = results and all(_obeyed(one) for one in results)
        why_word = "call_ended" if outcome is Outcome.CALL_ENDED else "given_up"
        end: dict[str, object] = {"outcome": outcome.value, "why": why_word, "reason": why}
        if solved:
            end |= {"outcome": worst(map(outcome_of, results)).value, "why": "solved"}
        await self.write(press.id, "closed", {**end, "evidence": "-", "exposed_ms": {}})

    async def _recovered(self, press: str, how: str, detail: str) -> None:
        self._log.info("press_recovered", press=press, how=how, detail=detail)
        await self.write(press, "recovered", {"how": how, "detail": detail})


def _obeyed(answer: Mapping[str, Any]) -> bool:
    return outcome_of(answer) not in {Outcome.FAILED, Outcome.DENIED}


def of_daemon(
    work: OpenWork, pbx: HasGraph, *, site: CurrentSite, engine: Engine, records: Records,
    enforcer: Enforcer, limit: float = DEFAULT_LIMIT,
) -> Recovery:  # fmt: skip
    """Return the recovery of `work` by the components of a daemon that already takes presses."""

    async def finish(press: Press, of: OpenPress) -> Verdict:
        settings = site.settings
        again = replace(settings, recorders=without_repeats(settings.recorders, of.answered))
        # The press goes on when recovery is cancelled: shutting down gives it its grace time.
        return await asyncio.shield(engine.press(press, again=again).verdict)

    def write(press: str, kind: str, body: Mapping[str, object]) -> "asyncio.Future[bool]":
        return asyncio.shield(records.write(press, kind, body))

    def retry(of: OpenPress) -> str | None:
        return _start_retrying(of, pbx, site.settings, enforcer)

    def restore(found: Sequence[OpenIntent]) -> None:
        enforcer.restore(intents.read(one.body) for one in found)

    return Recovery(work, pbx, finish, write, retry, restore, limit)


def _start_retrying(
    left: OpenPress, pbx: HasGraph, site: SiteSettings, enforcer: Enforcer
) -> str | None:
    """Hand a press back to the retry ladder, or return why not."""
    call = next((one for one in pbx.graph.calls() if one.ids & left.ids), None)
    recorders = site.recorders
    results = [
        result_of(body, recorders[name]) for name, body in left.answered.items()
        if name in recorders
    ]  # fmt: skip
    if results and all(_obeyed(body) for body in left.answered.values()):
        return "every recorder had obeyed when the daemon ended"
    asked = {one.recorder for one in results}
    covering = [i for i in enforcer.intents.all_of(left.ids) if asked & {*i.recorders}]
    if call is None or not covering:
        return "nothing asks for its silence any more"
    outcome, evidence, reason = judge(results, site.optional)
    took = time.monotonic() - left.press.received
    verdict = Verdict(
        left.press.id, left.press.verb, outcome, evidence, reason, took, left.call, tuple(results)
    )
    enforcer.retry_ladder.start(left.press, covering[0], verdict, call, results)
    return None
