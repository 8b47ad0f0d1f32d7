# SPDX-License-Identifier: Apache-2.0
"""After a crash: what was accepted is finished or closed, and what was promised is kept.

`read` looks through the journal before the first press is taken. `Recovery.run` waits for the
PBX's calls to be known, beside the presses of now, and carries out what `recovery_plan` decides.
Every press it touches gets a `recovered` record: `how` (finish, retry, fail, call_ended,
intent_restored, intent_ended) and `detail`.
"""

import asyncio
import json
import sqlite3
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import structlog

from ami.ports import HasGraph
from bridges.model import Evidence, Outcome, worst
from offrecord.enforcement.enforcer import Enforcer
from offrecord.journal.schema import JournalError, open_reader, unusable
from offrecord.model import intents
from offrecord.model.press import Press
from offrecord.model.verdict import Verdict, judge
from offrecord.presses.lifecycle import Engine
from offrecord.recovery.resolutions import (
    Decision,
    Decisions,
    OpenIntent,
    OpenPress,
    OpenWork,
    Resolution,
    careful,
    decide,
    mark_overridden,
    open_intents,
    open_presses,
    outcome_of,
    result_of,
    retarget,
)

DEFAULT_LIMIT: Final = 120.0
"""Seconds that an open press waits for the PBX's calls to be known."""

_OPEN: Final = """
SELECT press FROM records AS p WHERE kind = 'pressed' AND NOT EXISTS (
    SELECT 1 FROM records AS v WHERE v.press = p.press AND v.kind IN ('verdict', 'closed'))
UNION
SELECT press FROM records AS i WHERE kind = 'intent' AND NOT EXISTS (
    SELECT 1 FROM records AS e WHERE e.press = i.press AND e.kind = 'intent_ended')
UNION
SELECT press FROM records AS v WHERE kind = 'verdict'
    AND seq > (SELECT min(seq) FROM records WHERE kind = 'intent')
    AND json_extract(body, '$.outcome') IN ('failed', 'denied') AND NOT EXISTS (
        SELECT 1 FROM records AS c WHERE c.press = v.press AND c.kind = 'closed')
"""
"""The presses that may be open; what they are is decided from their records. A journal without
any intent is of a version that tried nothing again."""

_TURNED_ON: Final = """
SELECT press FROM records WHERE kind = 'pressed' AND at >= ?
AND json_extract(body, '$.verb') IN ('resume', 'start')
"""

_RECORDS: Final = "SELECT kind, at, body FROM records WHERE press = ? ORDER BY seq"


def read(path: Path, *, now: int | None = None) -> OpenWork:
    """Return what a daemon that is gone left open in the journal at `path`.

    `now` is milliseconds since the epoch, UTC. Raises `JournalError`. Blocking.
    """
    at = time.time_ns() // 1_000_000 if now is None else now
    db = open_reader(path)
    try:
        ids = [str(row[0]) for row in db.execute(_OPEN)]
        records = {id_: _records(db, id_) for id_ in ids}
        presses = open_presses(records, at, time.monotonic())
        first = min((one.press.at for one in presses), default=at)
        later = {id_: _records(db, id_) for (id_,) in db.execute(_TURNED_ON, (first,))}
    except sqlite3.Error as error:
        raise unusable(path, error) from error
    finally:
        db.close()
    return OpenWork(mark_overridden(presses, later), open_intents(records))


def _records(db: sqlite3.Connection, press: str) -> list[tuple[str, int, Mapping[str, Any]]]:
    rows = db.execute(_RECORDS, (press,)).fetchall()
    return [(kind, at, json.loads(body)) for kind, at, body in rows]


@dataclass(frozen=True, slots=True)
class Recovered:
    """What recovery did: how many presses met each fate, and how many intents live on or ended."""

    presses: Mapping[Resolution, int]
    restored: int = 0
    ended: int = 0


Finish = Callable[[Press, OpenPress], Awaitable[Verdict]]
"""Carries a press out and returns its verdict, journalled under the id of the press it joined."""

Retry = Callable[[OpenPress], str | None]
"""Takes up again to try what had failed, or says why nothing is to be tried any more."""

Note = Callable[[str, str, Mapping[str, object]], Awaitable[None]]
"""Journals a record of a press: its id, the kind, the body."""


@dataclass(slots=True)
class Recovery:
    """Carries out the recovery of what was `left` open.

    `finish`, `retry` and `restore` are the engine's and the keeper's; `note` writes to the
    journal. Open presses wait `limit` seconds for the PBX, then they are closed as `failed`;
    intents wait for as long as it takes, as a call may outlive an outage of its PBX's link.
    """

    left: OpenWork
    pbx: HasGraph
    finish: Finish
    note: Note
    retry: Retry | None = None
    restore: Callable[[Sequence[OpenIntent]], None] | None = None
    limit: float = DEFAULT_LIMIT
    _log: structlog.stdlib.BoundLogger = field(default_factory=structlog.get_logger)

    async def run(self) -> Recovered:
        """Decide and carry out. One press that goes wrong harms no other, and no daemon."""
        if not self.left:
            return Recovered({})
        try:
            return await self._run()
        except Exception:  # noqa: BLE001 - what is still open is for the next start
            self._log.exception("recovery_broke")
            return Recovered({})

    async def _run(self) -> Recovered:
        left, early = self.left, Decisions((), (), ())
        if not await self.pbx.wait_known(self.limit):
            why = f"the PBX's calls were not known within {self.limit:g} s"
            early, left = decide(left, None, why), OpenWork((), left.intents)
            await self._presses(early, frozenset())
            while left and not await self.pbx.wait_known(self.limit):
                self._log.warning("recovery_waits", intents=len(left.intents))
        live = self._live()
        decided = decide(left, live)
        # What holds for the rest of a call comes first: it is what keeps recordings off.
        await self._intents(decided)
        await self._presses(decided, live)
        counts = Counter(one.fate for one in (*early.presses, *decided.presses))
        done = Recovered(counts, len(decided.restore), len(decided.end))
        told = {fate.value: count for fate, count in counts.items()}
        self._log.info("recovered", **told, restored=done.restored, ended=done.ended)
        return done

    def _live(self) -> frozenset[str]:
        return frozenset().union(*(call.ids for call in self.pbx.graph.calls()))

    async def _intents(self, decisions: Decisions) -> None:
        if decisions.restore and self.restore is not None:
            self.restore(decisions.restore)
            for one in decisions.restore:
                await self._recovered(one.press, "intent_restored", "the call is still up")
        for one in decisions.end:
            intent = one.body.get("intent", one.press)
            await self.note(one.press, "intent_ended", {"intent": intent, "why": "call_ended"})
            why = "the call had ended when the daemon was back"
            await self._recovered(one.press, "intent_ended", why)

    async def _presses(self, decisions: Decisions, live: frozenset[str]) -> None:
        await asyncio.gather(*(self._guarded(one, live) for one in decisions.presses))

    async def _guarded(self, decision: Decision, live: frozenset[str]) -> None:
        press = decision.left.press
        with structlog.contextvars.bound_contextvars(press=press.id):
            try:
                await self._one(decision, live)
            except Exception:  # noqa: BLE001 - whatever broke, the press must not stay open
                self._log.exception("recovery_broke")
                why = "a fault in offrecord, see its log"
                await self._close(decision.left, Outcome.FAILED, why)

    async def _one(self, decision: Decision, live: frozenset[str]) -> None:
        left = decision.left
        await self._recovered(left.press.id, decision.fate.value, decision.why)
        match decision.fate:
            case Resolution.FINISH:
                verdict = await self.finish(retarget(left, live), left)
                if verdict.press_id != left.press.id:  # it was pressed again meanwhile
                    body = {**verdict.body(), "press": left.press.id}
                    await self.note(left.press.id, "verdict", body)
            case Resolution.RETRY:
                why = self.retry(left) if self.retry is not None else "nothing is tried again"
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
            await self.note(press.id, "verdict", verdict.body())
            return
        results = left.answered.values()
        solved = results and all(_obeyed(one) for one in results)
        why_word = "call_ended" if outcome is Outcome.CALL_ENDED else "given_up"
        end: dict[str, object] = {"outcome": outcome.value, "why": why_word, "reason": why}
        if solved:
            end |= {"outcome": worst(map(outcome_of, results)).value, "why": "solved"}
        await self.note(press.id, "closed", {**end, "evidence": "-", "exposed_ms": {}})

    async def _recovered(self, press: str, how: str, detail: str) -> None:
        self._log.info("press_recovered", press=press, how=how, detail=detail)
        await self.note(press, "recovered", {"how": how, "detail": detail})


async def look(path: Path) -> OpenWork:
    """Read what was left open, off the loop; a journal that cannot be read is said, and empty."""
    try:
        return await asyncio.to_thread(read, path)
    except JournalError as problem:
        log = structlog.get_logger()
        log.critical("journal_not_recovered", problem=str(problem))
        return OpenWork()


def _obeyed(answer: Mapping[str, Any]) -> bool:
    return outcome_of(answer) not in {Outcome.FAILED, Outcome.DENIED}


def of_daemon(
    left: OpenWork, pbx: HasGraph, engine: Engine, keeper: Enforcer | None = None, *,
    limit: float = DEFAULT_LIMIT,
) -> Recovery:  # fmt: skip
    """Return the recovery of what was `left`, carried out by an engine that is at work.

    Without a keeper no intent is restored, and nothing that had failed is tried again.
    """

    async def finish(press: Press, of: OpenPress) -> Verdict:
        site = engine.site
        again = replace(site, recorders=careful(site.recorders, of.answered))
        # The press goes on when recovery is told to end: shutting down gives it its grace.
        return await asyncio.shield(engine.press(press, again=again).verdict)

    async def note(press: str, kind: str, body: Mapping[str, object]) -> None:
        await asyncio.shield(engine.note(press, kind, body))

    if keeper is None:
        return Recovery(left, pbx, finish, note, limit=limit)

    def retry(of: OpenPress) -> str | None:
        return _climb(of, pbx, engine, keeper)

    def restore(found: Sequence[OpenIntent]) -> None:
        keeper.restore(intents.read(one.body) for one in found)

    return Recovery(left, pbx, finish, note, retry, restore, limit)


def _climb(left: OpenPress, pbx: HasGraph, engine: Engine, keeper: Enforcer) -> str | None:
    """Hand a press back to the ladder, or say why not."""
    call = next((one for one in pbx.graph.calls() if one.ids & left.ids), None)
    recorders = engine.site.recorders
    results = [
        result_of(body, recorders[name]) for name, body in left.answered.items()
        if name in recorders
    ]  # fmt: skip
    if results and all(_obeyed(body) for body in left.answered.values()):
        return "every recorder had obeyed when the daemon ended"
    asked = {one.recorder for one in results}
    covering = [i for i in keeper.intents.all_of(left.ids) if asked & {*i.recorders}]
    if call is None or not covering:
        return "nothing asks for its silence any more"
    outcome, evidence, reason = judge(results, engine.site.optional)
    took = time.monotonic() - left.press.received
    verdict = Verdict(
        left.press.id, left.press.verb, outcome, evidence, reason, took, left.call, tuple(results)
    )
    keeper.ladder.start(left.press, covering[0], verdict, call, results)
    return None
