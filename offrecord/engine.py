# SPDX-License-Identifier: Apache-2.0
"""The life of a press: journal, resolve, rule, route, act, verify, verdict.

`Engine.press` takes a press from any way in and returns at once; everything else happens in a
task of its own that no caller can cancel by going away.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import structlog

from ami import names
from bridges.model import Evidence, Order, Outcome, Recorder, RecorderResult, Verb
from bridges.routing import Routed, Router
from offrecord import feedback
from offrecord.joining import Joining
from offrecord.journal import Journal, JournalError, Record
from offrecord.policy import may
from offrecord.press import Press
from offrecord.resolve import Resolved, Resolver, Unresolved
from offrecord.verdict import Verdict, judge, result_body

_GRACE_OVER_BUDGET = 0.5
"""Seconds a recorder may overrun its budget before it is given up: it should end by itself."""


@dataclass(slots=True, eq=False)
class PressHandle:
    """A press on its way.

    `journalled` is done once it is safe on disk (or once it is known that it cannot be);
    `verdict` when it has ended.
    """

    press: Press
    journalled: "asyncio.Future[None]"
    verdict: "asyncio.Future[Verdict]"


@dataclass(frozen=True, slots=True)
class Site:
    """What the engine knows of one site; replaced as a whole when the configuration changes.

    `optional` names the recorders of role `may`. `budget` is seconds for each recorder.
    """

    recorders: Mapping[str, Recorder]
    router: Router
    rules: names.Rules
    optional: Collection[str] = ()
    budget: float = 5.0


@dataclass(slots=True)
class Engine:
    """Carries presses through their life.

    `now` returns milliseconds since the epoch, UTC; `monotonic` seconds. `watch` is told of each
    verdict.
    """

    resolver: Resolver
    journal: Journal
    site: Site
    join_window: float = 3.0
    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    watch: Callable[[Press, Verdict], None] = lambda _press, _verdict: None
    journal_failures: int = 0
    _joining: Joining[PressHandle] = field(init=False)
    _running: dict[PressHandle, "asyncio.Task[None]"] = field(default_factory=dict)
    _notes: "set[asyncio.Task[None]]" = field(default_factory=set)
    _log: structlog.stdlib.BoundLogger = field(default_factory=structlog.get_logger)

    def __post_init__(self) -> None:
        """Start with no press remembered."""
        self._joining = Joining(self.join_window)

    def press(self, press: Press) -> PressHandle:
        """Take a press and return at once. The same press seen twice gets the first's handle."""
        now = self.monotonic()
        lineage = self.resolver.lineage(press)
        ruling = self._joining.rule(lineage, press.verb, now)
        if ruling.join is not None and ruling.join.press.recorder == press.recorder:
            self._note(press, "joined", {**press.body(), "of": ruling.join.press.id})
            self._log.info("press_joined", press=press.id, of=ruling.join.press.id, way=press.way)
            return ruling.join
        loop = asyncio.get_running_loop()
        handle = PressHandle(press, loop.create_future(), loop.create_future())
        overruled = ruling.overruled.press.verb if ruling.overruled else None
        for older in ruling.supersedes:
            self._running[older].cancel()
        self._joining.add(lineage, press.verb, now, handle)
        task = asyncio.create_task(self._live(handle, overruled), name=f"press-{press.id}")
        self._running[handle] = task
        task.add_done_callback(lambda _done: self._running.pop(handle, None))
        return handle

    async def close(self, grace: float) -> None:
        """Let running presses end for up to `grace` seconds, then give them up, journalled."""
        tasks = [*self._running.values()]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await asyncio.gather(*self._notes, return_exceptions=True)

    async def explain(self, press: Press) -> dict[str, object]:
        """Return the whole decision for a press as plain data, sending nothing to a recorder."""
        resolved = await self.resolver.resolve(press)
        ruling = may(press, resolved.presser, self.site.rules)
        routed = self.site.router.route(resolved.call, resolved.recorders)
        plans = [
            self.site.recorders[name].plan(self._order(press, resolved))
            for name in self._wanted(press, routed)
        ]
        return {
            **_resolved_body(resolved, self.site.rules),
            "policy": {"allowed": ruling.allowed, "why": ruling.why},
            "routes": [
                {"route": t.route, "matched": t.matched, "why": t.why} for t in routed.trials
            ],
            "recorders": [
                {
                    "recorder": plan.recorder,
                    "kind": plan.kind,
                    "target": plan.target,
                    "requests": list(plan.requests),
                    "refusal": plan.refusal,
                }
                for plan in plans
            ],
        }

    async def _live(self, handle: PressHandle, overruled: Verb | None) -> None:
        press = handle.press
        with structlog.contextvars.bound_contextvars(press=press.id):
            try:
                verdict = await self._carry_out(handle, overruled)
            except asyncio.CancelledError:
                verdict = self._end(press, Outcome.FAILED, "it was given up: superseded by a stop,"
                                    " or the daemon was told to end")  # fmt: skip
            except Exception:  # noqa: BLE001 - whatever broke, the person is told the truth
                self._log.exception("press_broke")
                verdict = self._end(press, Outcome.FAILED, "a fault in offrecord, see its log")
            self._joining.ended(handle)
            # Whoever waits hears the verdict before the disk has it: the proof is the recorder's.
            if not handle.journalled.done():
                handle.journalled.set_result(None)
            handle.verdict.set_result(verdict)
            self._say(press, verdict)
            await self._write(press, "verdict", verdict.body())

    async def _carry_out(self, handle: PressHandle, overruled: Verb | None) -> Verdict:
        press = handle.press
        safe = asyncio.create_task(
            self._write(press, "pressed", press.body()), name=f"journal-{press.id}"
        )
        safe.add_done_callback(lambda _done: _settle(handle.journalled))
        try:
            if overruled is not None:
                why = f"a {overruled.value} was pressed on this call a moment ago, and stop wins"
                return self._end(press, Outcome.DENIED, why)
            try:
                resolved = await self.resolver.resolve(press)
            except Unresolved as problem:
                return self._end(press, problem.outcome, problem.why)
            structlog.contextvars.bind_contextvars(call=resolved.call.linkedid)
            ruling = may(press, resolved.presser, self.site.rules)
            routed = self.site.router.route(resolved.call, resolved.recorders)
            known = _resolved_body(resolved, self.site.rules)
            self._note(press, "resolved", {**known, "policy": ruling.why,
                                           "recorders": list(routed.recorders)})  # fmt: skip
            if not ruling.allowed:
                return self._end(press, Outcome.DENIED, ruling.why, resolved)
        finally:
            await safe
        return await self._ask(press, resolved, routed)

    async def _ask(self, press: Press, resolved: Resolved, routed: Routed) -> Verdict:
        wanted = self._wanted(press, routed)
        order = self._order(press, resolved)
        results = await asyncio.gather(*(self._one(press, name, order) for name in wanted))
        outcome, evidence, reason = judge(results, self.site.optional)
        return self._end(press, outcome, reason, resolved, evidence, tuple(results))

    async def _one(self, press: Press, name: str, order: Order) -> RecorderResult:
        recorder = self.site.recorders[name]
        try:
            async with asyncio.timeout(order.budget + _GRACE_OVER_BUDGET):
                result = await recorder.act(order)
        except TimeoutError:
            result = self._lost(recorder, f"it did not end within {order.budget:g} s")
        except Exception:  # noqa: BLE001 - a broken bridge must not take the others with it
            self._log.exception("recorder_broke", recorder=name)
            result = self._lost(recorder, "a fault in its bridge, see the log")
        self._note(press, "answered", result_body(result))
        return result

    @staticmethod
    def _lost(recorder: Recorder, detail: str) -> RecorderResult:
        return RecorderResult(
            recorder.name, recorder.kind, Outcome.FAILED, Evidence.NONE, detail, retryable=True
        )

    def _wanted(self, press: Press, routed: Routed) -> tuple[str, ...]:
        """Return the recorders to ask: those of the route, or the one the press names."""
        if press.recorder is not None:
            return (press.recorder,) if press.recorder in self.site.recorders else ()
        return routed.recorders

    def _order(self, press: Press, resolved: Resolved) -> Order:
        return Order(
            press.id, press.verb, resolved.call, resolved.presser, resolved.agent, resolved.tag,
            self.site.budget,
        )  # fmt: skip

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
        return Verdict(press.id, press.verb, outcome, evidence, reason, took, linkedid, results)

    def _say(self, press: Press, verdict: Verdict) -> None:
        self._log.log(
            feedback.LOG_LEVELS[verdict.outcome],
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

    def _note(self, press: Press, kind: str, body: Mapping[str, object]) -> None:
        """Journal something that nobody has to wait for."""
        task = asyncio.create_task(self._write(press, kind, body), name=f"journal-{press.id}")
        self._notes.add(task)
        task.add_done_callback(self._notes.discard)

    async def _write(self, press: Press, kind: str, body: Mapping[str, object]) -> None:
        """Write to the journal; a journal that is broken stops no stop, but is said loudly."""
        try:
            await self.journal.write(Record(press.id, kind, body, self.now()))
        except JournalError as problem:
            self.journal_failures += 1
            self._log.critical("journal_not_written", kind=kind, problem=str(problem))


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _resolved_body(resolved: Resolved, rules: names.Rules) -> dict[str, object]:
    return {
        "call": resolved.call.linkedid,
        "lineage": sorted(resolved.call.lineage),
        "seen": resolved.seen,
        "presser": resolved.presser.name if resolved.presser else None,
        "agent": resolved.agent,
        "notes": list(resolved.notes),
        "channels": [
            {
                "channel": channel.name,
                "uniqueid": channel.uniqueid,
                "extension": channel.extension,
                "why": names.resolve(channel.name, rules).reason,
                "monitors": channel.monitors,
                "bridge": channel.bridge_id,
            }
            for channel in resolved.call.channels
        ],
    }
