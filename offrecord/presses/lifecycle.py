# SPDX-License-Identifier: Apache-2.0
"""The life of a press: journal, resolve, rule, route, act, verify, verdict.

`Engine.press` takes a press from any way in and returns at once; everything else happens in a
task of its own that no caller can cancel by going away.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import structlog

from bridges.model import Evidence, Outcome, RecorderResult, Verb
from bridges.routing import Routed
from offrecord.journal import JournalError
from offrecord.journal.journal import Journal, Record
from offrecord.model import outcome_codes
from offrecord.model.press import Press
from offrecord.model.verdict import Verdict, judge, result_body
from offrecord.policy.policy import Ruling
from offrecord.policy.rule_matching import kind_of
from offrecord.presses.ask_recorders import SiteSettings, ask
from offrecord.presses.deduplicate import Deduplicator
from offrecord.presses.find_call import Resolved, Resolver, Unresolved
from offrecord.presses.plan import Promises, explain, facts_for, order_of, route, wanted

__all__ = ["Engine", "PressHandle", "SiteSettings"]


@dataclass(slots=True, eq=False)
class PressHandle:
    """A press on its way.

    `journalled` is done once it is known whether the disk has it: True when it is safe there;
    `verdict` when it has ended. The rest is the engine's own: `at` is monotonic seconds,
    `sightings` the press and those that were the same one, seen elsewhere or again; `known` says
    that the journal has it from before a restart.
    """

    press: Press
    at: float
    journalled: "asyncio.Future[bool]"
    verdict: "asyncio.Future[Verdict]"
    sightings: list[Press] = field(default_factory=list)
    begun: bool = False
    denied: bool = False
    known: bool = False
    given_up: str = ""


@dataclass(frozen=True, slots=True)
class _Admitted:
    """A press that was resolved and ruled on; `by` is the sighting of it that counts."""

    by: Press
    resolved: Resolved
    routed: Routed
    ruling: Ruling


@dataclass(slots=True)
class Engine:
    """Carries presses through their life.

    `now` returns milliseconds since the epoch, UTC; `monotonic` seconds. `watch` is told of each
    verdict, `heard` of each record as it goes to the journal. `keeper` holds what presses promise
    beyond their verdict; without one nothing is.
    """

    resolver: Resolver
    journal: Journal
    site: SiteSettings
    join_window: float = 3.0
    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    watch: Callable[[Press, Verdict], None] = lambda _press, _verdict: None
    heard: Callable[[Record], None] = lambda _record: None
    keeper: Promises | None = None
    journal_failures: int = 0
    _joining: Deduplicator[PressHandle] = field(init=False)
    _running: dict[PressHandle, "asyncio.Task[None]"] = field(default_factory=dict)
    _notes: "set[asyncio.Task[bool]]" = field(default_factory=set)
    _log: structlog.stdlib.BoundLogger = field(default_factory=structlog.get_logger)

    def __post_init__(self) -> None:
        """Start with no press remembered."""
        self._joining = Deduplicator(self.join_window)

    def use(self, resolver: Resolver, site: SiteSettings, join_window: float) -> None:
        """Go by another configuration from the next press on; those under way keep theirs."""
        self.resolver, self.site = resolver, site
        self._joining.window = self.join_window = join_window

    def press(self, press: Press, *, again: SiteSettings | None = None) -> PressHandle:
        """Take a press and return at once. The same press seen twice gets the first's handle.

        `again` is for one that the journal has from before a restart: its recorders are these.
        """
        now = self.monotonic()
        lineage = self.resolver.lineage(press)
        first = self._joining.rule(lineage, press.verb, now, only=press.recorder).join
        if first is not None and self._answers(first, press):
            first.sightings.append(press)
            self._joining.again(first, now)
            self._joined(press, first)
            return first
        loop = asyncio.get_running_loop()
        handle = PressHandle(press, now, loop.create_future(), loop.create_future(), [press])
        handle.known = again is not None
        self._joining.add(lineage, press.verb, now, handle, only=press.recorder)
        live = self._live(handle, self.resolver, again or self.site)
        task = asyncio.create_task(live, name=f"press-{press.id}")
        self._running[handle] = task
        task.add_done_callback(lambda _done: self._running.pop(handle, None))
        return handle

    async def idle(self) -> None:
        """Wait until the presses under way now have ended."""
        if self._running:
            await asyncio.wait([*self._running.values()])

    async def close(self, grace: float) -> None:
        """Let running presses end for up to `grace` seconds, then give them up, journalled."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + grace
        while self._running and loop.time() < ends:
            await asyncio.wait([*self._running.values()], timeout=ends - loop.time())
        late = [*self._running.values()]
        for handle in [*self._running]:
            self._give_up(handle, "the daemon was told to end before it was done")
        await asyncio.gather(*late, return_exceptions=True)
        if self.keeper is not None:
            await self.keeper.close()
        await asyncio.gather(*self._notes, return_exceptions=True)

    async def explain(self, press: Press) -> dict[str, object]:
        """Return the whole decision for a press as plain data, sending nothing to a recorder."""
        return await explain(press, self.resolver, self.site, self.keeper)

    def _answers(self, first: PressHandle, press: Press) -> bool:
        """Say whether the fate of an earlier press is also that of one which looks the same."""
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
        return not (press.verb.order is Verb.STOP and proven and self.resolver.recorded(press))

    def _joined(self, press: Press, first: PressHandle) -> None:
        self.note(press.id, "joined", {**press.body(), "of": first.press.id})
        self._log.info("press_joined", press=press.id, of=first.press.id, way=press.way)

    def _give_up(self, handle: PressHandle, why: str) -> None:
        """End a press early. A task that has not begun would end without a word if cancelled."""
        handle.given_up = handle.given_up or why
        task = self._running.get(handle)
        if handle.begun and task is not None:
            task.cancel()

    async def _live(self, handle: PressHandle, resolver: Resolver, site: SiteSettings) -> None:
        press = handle.press
        handle.begun = True
        with structlog.contextvars.bound_contextvars(press=press.id):
            try:
                verdict = await self._carry_out(handle, resolver, site)
            except asyncio.CancelledError:
                why = handle.given_up or "it was cut short"
                verdict = self._end(press, Outcome.FAILED, why)
            except Exception:  # noqa: BLE001 - whatever broke, the person is told the truth
                self._log.exception("press_broke")
                verdict = self._end(press, Outcome.FAILED, "a fault in offrecord, see its log")
            self._joining.ended(handle)
            # Whoever waits hears the verdict before the disk has it: the proof is the recorder's.
            handle.verdict.set_result(verdict)
            self._say(press, verdict)
            await asyncio.shield(self.note(press.id, "verdict", verdict.body()))

    async def _carry_out(
        self, handle: PressHandle, resolver: Resolver, site: SiteSettings
    ) -> Verdict:
        press = handle.press
        written = _done() if handle.known else self._write(press.id, "pressed", press.body())
        safe = asyncio.create_task(written, name=f"journal-{press.id}")
        safe.add_done_callback(lambda done: _settle(handle.journalled, done))
        try:
            if handle.given_up:
                return self._end(press, Outcome.FAILED, handle.given_up)
            try:
                admitted = await self._admit(handle, resolver, site)
            except Unresolved as problem:
                return self._end(press, problem.outcome, problem.why)
            ruling, resolved = admitted.ruling, admitted.resolved
            if not ruling.allowed:
                return self._end(press, Outcome.DENIED, ruling.why, resolved)
            refusal = self.keeper.refusal(press, resolved) if self.keeper else None
            if refusal is not None:
                return self._end(press, Outcome.DENIED, refusal, resolved)
            other = await self._against_others(handle, resolved)
            if other is None:
                await self._promise(press, admitted, site)
        finally:
            await safe
        return other or await self._ask(press, admitted, site)

    async def _admit(
        self, handle: PressHandle, resolver: Resolver, site: SiteSettings
    ) -> _Admitted:
        """Resolve the press and say whether it is allowed.

        When who pressed first may not, whoever pressed the same meanwhile is looked at: a
        stranger's press must not swallow an agent's.
        """
        tried: list[_Admitted] = []
        for by in handle.sightings:  # more may come while the first are looked at
            if any(_same_person(by, one.by) for one in tried):
                continue
            resolved = await resolver.resolve(by)
            structlog.contextvars.bind_contextvars(call=resolved.call.linkedid)
            resolved, routed = await route(by, resolved, resolver, site)
            facts = facts_for(resolved, self.keeper)
            ruling = site.policy.rule(by, facts, resolver.rules)
            self.note(handle.press.id, "resolved", {
                **resolved.body(resolver.rules), "policy": ruling.why,
                "recorders": list(wanted(by, routed)),
            })  # fmt: skip
            tried.append(_Admitted(by, resolved, routed, ruling))
            if ruling.report:
                self.note(handle.press.id, "alarm", {"what": "policy", "detail": ruling.report})
                self._log.warning("policy_report", detail=ruling.report)
            if ruling.allowed:
                site.policy.count(by, facts)
                return tried[-1]
        handle.denied = True
        self._joining.denied(handle)
        return tried[-1]

    async def _against_others(self, handle: PressHandle, resolved: Resolved) -> Verdict | None:
        """Return how the press ends because of another one on its call, None if it goes on.

        What the call is was perhaps not known when the press came, and now it is.
        """
        press, lineage = handle.press, resolved.call.ids
        self._joining.widen(handle, lineage)
        while True:
            ruling = self._joining.rule(
                lineage, press.verb, handle.at, only=press.recorder, itself=handle
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
            self._joining.ended(handle)  # nothing was asked for, so nothing is to be superseded
            verb = ruling.overruled.press.verb.value
            why = f"a {verb} was pressed on this call a moment ago, and {verb} wins"
            return self._end(press, Outcome.DENIED, why, resolved)
        for older in ruling.supersedes:
            self._give_up(older, f"a {press.verb.value} was pressed on this call")
        return None

    async def _promise(self, press: Press, admitted: _Admitted, site: SiteSettings) -> None:
        """Have the keeper know what is asked for before anybody is asked."""
        names = wanted(press, admitted.routed)
        if self.keeper is None or not names or not site.recorders.keys() >= {*names}:
            return
        if press.verb.silences:
            self.keeper.begin(press, admitted.resolved, names)
        else:
            await self.keeper.release(press, admitted.resolved)

    async def _ask(self, press: Press, admitted: _Admitted, site: SiteSettings) -> Verdict:
        resolved = admitted.resolved
        names = wanted(press, admitted.routed)
        strangers = [name for name in names if name not in site.recorders]
        if strangers:
            known = ", ".join(sorted(site.recorders)) or "none"
            why = f"no recorder is called {strangers[0]!r}, known: {known}"
            return self._end(press, Outcome.FAILED, why, resolved)
        order = replace(order_of(admitted.by, resolved, site), press_id=press.id)
        results = await ask(
            [site.recorders[name] for name in names],
            order,
            lambda result: self.note(press.id, "answered", result_body(result)),
            overrun=site.overrun,
        )
        outcome, evidence, reason = judge(results, site.optional)
        verdict = self._end(press, outcome, reason, resolved, evidence, tuple(results))
        if self.keeper is not None:
            self.keeper.asked(press, resolved, order, names, results, verdict)
        return verdict

    def _end(  # noqa: PLR0917 - what an ending is made of
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
            press.id, press.verb, outcome, evidence, reason, took, linkedid, results, agent
        )

    def _say(self, press: Press, verdict: Verdict) -> None:
        self._log.log(
            outcome_codes.LOG_LEVELS[verdict.outcome],
            "press_ended",
            verb=press.verb.value,
            way=press.way,
            outcome=verdict.outcome.value,
            evidence=verdict.evidence.label,
            took_ms=round(verdict.took * 1000, 1),
            reason=verdict.reason,
            call=verdict.linkedid,
        )
        self.watch(press, verdict)

    def note(self, press: str, kind: str, body: Mapping[str, object]) -> "asyncio.Task[bool]":
        """Journal something that nobody has to wait for. Records keep the order of these calls.

        The task ends with whether the disk has it.
        """
        task = asyncio.create_task(self._write(press, kind, body), name=f"journal-{press}")
        self._notes.add(task)
        task.add_done_callback(self._notes.discard)
        return task

    async def _write(self, press: str, kind: str, body: Mapping[str, object]) -> bool:
        """Write to the journal and say whether the disk has it.

        A journal that is broken stops no stop, but is said loudly.
        """
        record = Record(press, kind, body, self.now())
        self.heard(record)
        try:
            await self.journal.write(record)
        except JournalError as problem:
            self.journal_failures += 1
            self._log.critical("journal_not_written", kind=kind, problem=str(problem))
            return False
        return True


async def _done() -> bool:
    """Do nothing: the journal has it."""
    return True


def _settle(future: "asyncio.Future[bool]", done: "asyncio.Task[bool]") -> None:
    if not future.done():
        broken = done.cancelled() or done.exception() is not None
        future.set_result(not broken and done.result())


def _same_person(one: Press, other: Press) -> bool:
    """Say whether the policy must rule alike on two presses: same channel, same kind of way."""
    return one.uniqueid == other.uniqueid and kind_of(one.way) == kind_of(other.way)
