# SPDX-License-Identifier: Apache-2.0
"""The life of a press: journal it, find its call, plan, ask the recorders, judge their answers.

`Engine.press` takes a press from any way in and returns at once; everything else happens in a
task of its own, which no caller can cancel by going away.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import structlog

from bridges.model import Evidence, Outcome, RecorderResult, Verb
from offrecord.model import outcome_codes
from offrecord.model.intents import Intent, Intents
from offrecord.model.press import Press
from offrecord.model.verdict import Verdict, judge, result_body
from offrecord.policy.rule_matching import kind_of
from offrecord.presses.ask_recorders import ask
from offrecord.presses.deduplicate import Deduplicator
from offrecord.presses.explain import explain
from offrecord.presses.find_call import Resolved, Unresolved
from offrecord.presses.look_beside import look_beside
from offrecord.presses.plan import Plan, plan
from offrecord.presses.records import Records
from offrecord.presses.site_settings import CurrentSite, SiteSettings

_log = structlog.stdlib.get_logger(__name__)


class Enforcement(Protocol):
    """The stops and pauses that outlive their press, for the engine; `Enforcer` implements it."""

    intents: Intents

    def refusal(self, press: Press, resolved: Resolved) -> str | None:
        """Return why an objection in force forbids the press, None when none does."""

    def begin(self, plan: Plan) -> Intent:
        """Put the intent of a silencing press in force, before any recorder is asked."""

    async def release(self, press: Press, resolved: Resolved) -> None:
        """End the intents that a `resume` or `start` undoes."""

    def asked(self, plan: Plan, results: Sequence[RecorderResult], verdict: Verdict) -> None:
        """Take over what the recorders have not done yet."""

    async def close(self) -> None:
        """Stop retrying and re-applying; the intents stay open in the journal."""


@dataclass(slots=True, eq=False)
class PressRun:
    """One press on its way, shared by all its sightings.

    `journalled` ends with whether the disk has the press, `verdict` with its end. The rest is the
    engine's own: `at` is monotonic seconds; `sightings` are the first press and those that were
    found to be the same one, seen by another way or again.
    """

    press: Press
    at: float
    journalled: "asyncio.Future[bool]"
    verdict: "asyncio.Future[Verdict]"
    sightings: list[Press] = field(default_factory=list)
    begun: bool = False
    denied: bool = False
    given_up: str = ""


class Engine:
    """Carries presses through their life.

    `site` holds the settings in force, `enforcement` what outlives a press. The same press seen
    again within `join_window` seconds joins the first. `monotonic` returns seconds.
    """

    def __init__(
        self,
        site: CurrentSite,
        records: Records,
        enforcement: Enforcement,
        join_window: float = 3.0,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.monotonic = monotonic
        self._site = site
        self._records = records
        self._enforcement = enforcement
        self._deduplicator: Deduplicator[PressRun] = Deduplicator(join_window)
        self._running: dict[PressRun, asyncio.Task[None]] = {}

    def reconfigure(self, join_window: float) -> None:
        """Use another window from the next press on."""
        self._deduplicator.window = join_window

    def press(self, press: Press, *, again: SiteSettings | None = None) -> PressRun:
        """Take a press and return at once. The same press seen twice gets the first one's run.

        `again` is for a press that the journal has from before a restart; these settings are
        used for it.
        """
        now, site = self.monotonic(), again or self._site.settings
        lineage = site.resolver.lineage(press)
        first = self._deduplicator.rule(lineage, press.verb, now, only=press.recorder).join
        if first is not None and self._answers(first, press):
            first.sightings.append(press)
            self._deduplicator.again(first, now)
            self._joined(press, first)
            return first
        loop = asyncio.get_running_loop()
        if again is None:
            journalled = self._records.write(press.id, "pressed", press.body())
        else:
            journalled = loop.create_future()
            journalled.set_result(True)
        run = PressRun(press, now, journalled, loop.create_future(), [press])
        self._deduplicator.add(lineage, press.verb, now, run, only=press.recorder)
        task = asyncio.create_task(self._live(run, site), name=f"press-{press.id}")
        self._running[run] = task
        task.add_done_callback(lambda _done: self._running.pop(run, None))
        return run

    async def explain(self, press: Press) -> dict[str, object]:
        """Return what a press would do, as plain data. No recorder is asked; the PBX may be.

        Raises `Unresolved`.
        """
        site = self._site.settings
        resolved = await site.resolver.resolve(press)
        planned = await plan(press, resolved, site, self._enforcement.intents)
        found = await look_beside(planned, site)
        return explain(planned, site, self._enforcement.refusal(press, planned.resolved), found)

    async def idle(self) -> None:
        """Wait until the presses under way now have ended."""
        if self._running:
            await asyncio.wait([*self._running.values()])

    async def close(self, grace: float) -> None:
        """Wait up to `grace` seconds for running presses, then end them as failed, journalled."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + grace
        while self._running and loop.time() < ends:
            await asyncio.wait([*self._running.values()], timeout=ends - loop.time())
        late = [*self._running.values()]
        for run in [*self._running]:
            self._give_up(run, "the daemon was told to end before it was done")
        await asyncio.gather(*late, return_exceptions=True)
        await self._enforcement.close()
        await self._records.flush()

    # One press, in its task

    async def _live(self, run: PressRun, site: SiteSettings) -> None:
        press = run.press
        run.begun = True
        with structlog.contextvars.bound_contextvars(press=press.id):
            try:
                verdict = await self._carry_out(run, site)
            except asyncio.CancelledError:
                verdict = self._end(press, Outcome.FAILED, run.given_up or "it was cut short")
            except Exception:  # noqa: BLE001 - the presser is told the truth, whatever broke
                _log.exception("press_broke")
                verdict = self._end(press, Outcome.FAILED, "a fault in offrecord, see its log")
            self._deduplicator.ended(run)
            # The presser hears the verdict before the disk has it: the recorder holds the proof.
            run.verdict.set_result(verdict)
            _log_end(press, verdict)
            await asyncio.shield(self._records.write(press.id, "verdict", verdict.body()))

    async def _carry_out(self, run: PressRun, site: SiteSettings) -> Verdict:
        """Resolve, plan, ask, judge."""
        press = run.press
        try:
            if run.given_up:
                return self._end(press, Outcome.FAILED, run.given_up)
            try:
                planned = await self._plan(run, site)
            except Unresolved as problem:
                return self._end(press, problem.outcome, problem.why)
            early = self._refused(press, planned) or await self._against_others(run, planned)
            if early is None:
                await self._put_in_force(planned)
        finally:
            # Before any recorder is asked; shielded, because the ways in wait for it as well.
            await asyncio.shield(run.journalled)
        if early is not None:
            return early
        if planned.unknown:
            known = ", ".join(sorted(site.recorders)) or "none"
            why = f"no recorder is called {planned.unknown[0]!r}, known: {known}"
            return self._end(press, Outcome.FAILED, why, planned.resolved)
        results, found = await asyncio.gather(
            ask(
                [site.recorders[name] for name in planned.recorders],
                planned.order,
                lambda result: self._records.write(press.id, "answered", result_body(result)),
                overrun=site.overrun,
            ),
            look_beside(planned, site),
        )
        told, optional = results, {*site.optional}
        if found is not None:
            self._records.write(press.id, "answered", result_body(found))
            told, optional = [*results, found], optional - {found.recorder}
        outcome, evidence, reason = judge(told, optional)
        verdict = self._end(press, outcome, reason, planned.resolved, evidence, tuple(told))
        self._enforcement.asked(planned, results, verdict)
        return verdict

    async def _plan(self, run: PressRun, site: SiteSettings) -> Plan:
        """Return the plan of the first sighting that is allowed, else that of the last.

        When the first presser may not, the others who pressed the same meanwhile are looked at: a
        stranger's press must not swallow an agent's. Raises `Unresolved`.
        """
        tried: list[Plan] = []
        for sighting in run.sightings:  # more may come while the first are looked at
            if any(_same_person(sighting, one.press) for one in tried):
                continue
            resolved = await site.resolver.resolve(sighting)
            structlog.contextvars.bind_contextvars(call=resolved.call.linkedid)
            press = replace(sighting, id=run.press.id)
            planned = await plan(press, resolved, site, self._enforcement.intents)
            self._records.write(press.id, "resolved", planned.body())
            tried.append(planned)
            report = planned.ruling.report
            if report:
                self._records.write(press.id, "alarm", {"what": "policy", "detail": report})
                _log.warning("policy_report", detail=report)
            if planned.ruling.allowed:
                site.policy.count(press, planned.facts)
                return planned
        run.denied = True
        self._deduplicator.denied(run)
        return tried[-1]

    def _refused(self, press: Press, planned: Plan) -> Verdict | None:
        """Return the verdict when policy or an objection forbids the press."""
        why = None if planned.ruling.allowed else planned.ruling.why
        if why is None:
            why = self._enforcement.refusal(press, planned.resolved)
        return None if why is None else self._end(press, Outcome.DENIED, why, planned.resolved)

    async def _put_in_force(self, planned: Plan) -> None:
        """Begin or release what outlives the press, before any recorder is asked."""
        if not planned.recorders or planned.unknown:
            return
        if planned.press.verb.silences:
            self._enforcement.begin(planned)
        else:
            await self._enforcement.release(planned.press, planned.resolved)

    # Other presses on the same call

    def _answers(self, first: PressRun, press: Press) -> bool:
        """Return whether an earlier press that looks the same also decides this one."""
        alike = [seen for seen in first.sightings if _same_person(press, seen)]
        if first.denied and not alike:
            return False
        if not first.verdict.done():
            return True
        verdict = first.verdict.result()
        if verdict.outcome in {Outcome.FAILED, Outcome.DENIED}:
            # Seen by another way it is the same one; pressed again it is a new try.
            return not any(seen.way == press.way for seen in alike)
        proven = any(result.evidence is Evidence.NOTHING_ELSE for result in verdict.results)
        stops = press.verb.order is Verb.STOP
        return not (stops and proven and self._site.settings.resolver.recorded(press))

    def _joined(self, press: Press, first: PressRun) -> None:
        self._records.write(press.id, "joined", {**press.body(), "of": first.press.id})
        _log.info("press_joined", press=press.id, of=first.press.id, way=press.way)

    async def _against_others(self, run: PressRun, planned: Plan) -> Verdict | None:
        """Return how the press ends because of another one on its call, None if it goes on.

        The call may not have been known when the press came; now it is.
        """
        press, lineage = run.press, planned.resolved.call.ids
        self._deduplicator.widen(run, lineage)
        while True:
            ruling = self._deduplicator.rule(
                lineage, press.verb, run.at, only=press.recorder, itself=run
            )
            first = ruling.join
            if first is None or not self._answers(first, press):
                break
            await asyncio.wait({first.verdict})
            if not first.denied:
                self._joined(press, first)
                took = self.monotonic() - press.received
                return replace(first.verdict.result(), press_id=press.id, took=took)
        if ruling.overruled is not None:
            self._deduplicator.ended(run)  # no recorder was asked, so nothing can supersede it
            verb = ruling.overruled.press.verb.value
            why = f"a {verb} was pressed on this call a moment ago, and {verb} wins"
            return self._end(press, Outcome.DENIED, why, planned.resolved)
        for older in ruling.supersedes:
            self._give_up(older, f"a {press.verb.value} was pressed on this call")
        return None

    def _give_up(self, run: PressRun, why: str) -> None:
        """End a press early. A task that has not begun is not cancelled: it ends by itself."""
        run.given_up = run.given_up or why
        task = self._running.get(run)
        if run.begun and task is not None:
            task.cancel()

    def _end(  # noqa: PLR0917 - the parts of a verdict
        self,
        press: Press,
        outcome: Outcome,
        reason: str,
        resolved: Resolved | None = None,
        evidence: Evidence = Evidence.NONE,
        results: tuple[RecorderResult, ...] = (),
    ) -> Verdict:
        took = self.monotonic() - press.received
        linkedid = resolved.call.linkedid if resolved else None
        agent = resolved.who.login if resolved else press.agent
        return Verdict(
            press.id, press.verb, outcome, evidence, reason, took, linkedid, results, agent,
            press.recorder,
        )  # fmt: skip


def _log_end(press: Press, verdict: Verdict) -> None:
    _log.log(
        outcome_codes.LOG_LEVELS[verdict.outcome],
        "press_ended",
        verb=press.verb.value,
        way=press.way,
        outcome=verdict.outcome.value,
        evidence=verdict.evidence.label,
        took_ms=round(verdict.took * 1000, 1),
        reason=verdict.scope + verdict.reason,
        call=verdict.linkedid,
    )


def _same_person(one: Press, other: Press) -> bool:
    """Return whether the policy must rule alike on two presses: same channel, same kind of way."""
    return one.uniqueid == other.uniqueid and kind_of(one.way) == kind_of(other.way)
