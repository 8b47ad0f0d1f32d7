# SPDX-License-Identifier: Apache-2.0
"""What is done when a recorder does not obey a stop or a pause: never nothing, never a hang-up.

One climb a press: what the site listed as a way out, once; then the order again, until the
recorder obeys, the intent ends, or the call does. Meanwhile the person is told again and again,
until they have shown that they know.

When an order is given again, by what the recorder made of the last one:

=====================================  ==========================================================
retryable                              after 1, 2, 4, 8 and then every 15 s
not retryable, and nothing was sent    every 15 s: nothing can have been harmed, and what is wrong
                                       (a certificate, an account) may be put right meanwhile
not retryable, and something was sent  not again: it may have acted, and may harm if it acts twice
=====================================  ==========================================================
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from ami.calls.snapshots import Call
from bridges.model import Evidence, Outcome, RecorderResult, Verb
from offrecord.config.sections.enforcement import HOLD, MUTE, RECORDER
from offrecord.enforcement.call_mute import CallMute
from offrecord.enforcement.orders import OrderSender
from offrecord.model.intents import EndedBy, Intent
from offrecord.model.press import Press
from offrecord.model.verdict import Verdict, judge, result_body

DELAYS: Final = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds before each new try; the last one goes on."""

REPEAT: Final = 10.0
"""Seconds between two tones that say that it still has not worked."""

Note = Callable[[str, str, Mapping[str, object]], object]
"""Journals a record: the press's id, the kind, the body. It is not waited for."""

VerdictCallback = Callable[[Press, Verdict, str], None]
"""Hears a press, its verdict, and the channel that pressed, by its name now."""

_log = structlog.stdlib.get_logger(__name__)


def obeyed(result: RecorderResult) -> bool:
    """Say whether a recorder did as it was told, or had nothing to do."""
    return result.outcome not in {Outcome.FAILED, Outcome.DENIED}


def gap(result: RecorderResult, tries: int) -> float | None:
    """Return after how many seconds an order is given again, None for not at all."""
    if result.outcome is Outcome.DENIED:
        return None
    if result.retryable:
        return DELAYS[min(tries, len(DELAYS) - 1)]
    return DELAYS[-1] if result.evidence is Evidence.NONE else None


@dataclass(slots=True, eq=False)
class _Retry:
    """One press on its way up. Times are monotonic seconds, `due` by recorder.

    `held` is until when the call is held, None while it is not.
    """

    press: Press
    intent: str
    verdict: Verdict
    results: dict[str, RecorderResult]
    optional: Sequence[str]
    call: Call
    acknowledged: bool = False
    contained: bool = False
    held: float | None = None
    tries: dict[str, int] = field(default_factory=dict)
    due: dict[str, float] = field(default_factory=dict)
    failing: list[str] = field(default_factory=list)
    exposed: dict[str, int] = field(default_factory=dict)
    task: "asyncio.Task[None] | None" = None

    @property
    def holds(self) -> bool:
        """Whether the call is to be held now."""
        return self.held is not None


@dataclass(slots=True)
class RetryLadder:
    """Climbs for presses whose recorders did not obey.

    `find` returns an intent as it is now. `monotonic` is seconds; `sleep` and `monotonic` are
    seams. `on_repeat` is told every ten seconds that a press is unsolved, `on_late` that it was
    solved after all.
    """

    giver: OrderSender
    note: Note
    find: Callable[[str], Intent | None]
    fallback: tuple[str, ...] = ()
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    on_repeat: VerdictCallback = lambda _press, _verdict, _channel: None
    on_late: VerdictCallback = lambda _press, _verdict, _channel: None
    holder: CallMute | None = None
    _climbs: dict[str, _Retry] = field(default_factory=dict)

    def failing(self, intent: str) -> frozenset[str]:
        """Return the recorders that have not obeyed a press of this intent."""
        climbs = (climb for climb in self._climbs.values() if climb.intent == intent)
        return frozenset(name for climb in climbs for name in climb.failing)

    def start(
        self, press: Press, intent: Intent, verdict: Verdict, call: Call,
        results: Sequence[RecorderResult],
    ) -> None:  # fmt: skip
        """Begin for a press of which some of the results are failures.

        An earlier press of the same intent is closed, and its person has shown that they know.
        """
        asked = {one.recorder for one in results}
        earlier = [
            one for one in self._climbs.values()
            if one.intent == intent.id and asked.issuperset(one.failing)
        ]  # fmt: skip
        known = any(one.press.verb is press.verb and one.press.id != press.id for one in earlier)
        climb = _Retry(
            press, intent.id, verdict, {one.recorder: one for one in results},
            tuple(one.recorder for one in results if not self.giver.needed(one)), call,
            acknowledged=known or any(one.acknowledged for one in earlier),
        )  # fmt: skip
        climb.failing = [
            one.recorder for one in results if self.giver.needed(one) and not obeyed(one)
        ]
        for one in earlier:
            self._close(one, "superseded")
        if not climb.failing:
            return
        self._climbs[press.id] = climb
        climb.task = asyncio.create_task(self._climb(climb), name=f"ladder-{press.id}")

    def ack(self, press_id: str) -> bool:
        """Note that the person knows: no more tones. False when that press is not unsolved."""
        climb = self._climbs.get(press_id)
        if climb is not None:
            climb.acknowledged = True
            self._join(climb, "acknowledged")
        return climb is not None

    def end(self, intent: str, why: EndedBy) -> "list[asyncio.Task[None]]":
        """Close what is unsolved of an intent; return the tasks that are about to end."""
        climbs = [one for one in self._climbs.values() if one.intent == intent]
        for climb in climbs:
            self._close(climb, why)
        return [climb.task for climb in climbs if climb.task is not None]

    async def close(self) -> None:
        """Stop trying and leave the presses open: a restart goes on with them."""
        tasks = [climb.task for climb in self._climbs.values() if climb.task is not None]
        self._climbs.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _climb(self, climb: _Retry) -> None:
        try:
            await self._up(climb)
        except Exception as broke:  # noqa: BLE001 - the press stays open, and is said to be
            _log.exception("ladder_broke", press=climb.press.id)
            detail = f"no more tries, a fault in offrecord: {type(broke).__name__}"
            self.note(climb.press.id, "alarm", {"what": "ladder", "detail": detail})

    async def _up(self, climb: _Retry) -> None:
        begun = self.monotonic()
        tone = begun + REPEAT
        for name in climb.failing:
            self._plan(climb, name)
        await self._fall_back(climb)
        while climb.failing:
            now = self.monotonic()
            due = [climb.due[name] for name in climb.failing if name in climb.due]
            if climb.held is not None:
                due.append(climb.held)
            await self.sleep(max(0.0, min((tone, *due)) - now))
            now = self.monotonic()
            if climb.held is not None and climb.held <= now:
                self._join(climb, "held for as long as it may be")
            if tone <= now:
                tone += REPEAT
                self._repeat(climb)
            await self._again(climb, [n for n in climb.failing if climb.due.get(n, now + 1) <= now])
        self._close(climb, "solved")

    def _plan(self, climb: _Retry, name: str) -> None:
        wait = gap(climb.results[name], climb.tries.get(name, 0))
        if wait is None:
            climb.due.pop(name, None)
        else:
            climb.due[name] = self.monotonic() + wait

    async def _again(self, climb: _Retry, names: Sequence[str]) -> None:
        """Give the order again to those whose turn it is, all at once."""
        intent = self.find(climb.intent)
        if not names or intent is None:
            return
        results = await self.giver.give(intent, climb.press.verb, names, climb.call)
        told = {result.recorder: result for result in results}
        for name in names:
            climb.tries[name] = climb.tries.get(name, 0) + 1
            result = told.get(name)
            if result is None:  # the configuration does not know it now; perhaps it will again
                climb.due[name] = self.monotonic() + DELAYS[-1]
                continue
            climb.results[name] = result
            if obeyed(result):
                climb.failing.remove(name)
                self._count(climb, name)
            else:
                self._plan(climb, name)
            self.note(climb.press.id, "retried", {
                **result_body(result), "attempt": climb.tries[name], "exposed_ms":
                climb.exposed.get(name, self._since(climb)),
            })  # fmt: skip

    async def _fall_back(self, climb: _Retry) -> None:
        """Take the ways out that the site listed, once each."""
        for way in self.fallback:
            intent = self.find(climb.intent)
            if intent is None or not climb.failing:
                return
            if way == HOLD:
                await self._hold(climb, intent)
                continue
            if way == MUTE:
                names, verb = self.giver.local(self.giver.engine.site.recorders), Verb.PAUSE
            else:
                names, verb = [way.removeprefix(RECORDER)], climb.press.verb
            results = await self.giver.give(intent, verb, names, climb.call)
            outcome, evidence, reason = judge(results)
            if outcome in {Outcome.CONFIRMED, Outcome.ACCEPTED, Outcome.CONTAINED}:
                outcome = Outcome.CONTAINED
                # Only what is muted itself is contained: a recorder elsewhere may still record.
                failing = climb.failing
                climb.contained = way == MUTE and self.giver.local(failing) == failing
            self.note(climb.press.id, "fallback", {
                "action": way, "outcome": outcome.value, "evidence": evidence.label,
                "detail": reason, "results": [result_body(one) for one in results],
            })  # fmt: skip

    async def _hold(self, climb: _Retry, intent: Intent) -> None:
        """Hold the call, unless the person knows already that it is recorded."""
        call = self.giver.call(intent)
        if self.holder is None or call is None or climb.acknowledged:
            return
        climb.held = self.monotonic() + self.holder.longest  # what begins is ended, come what may
        done = await self.holder.hold(climb.press.id, call, intent.presser)
        self.note(climb.press.id, "fallback", {
            "action": HOLD, "outcome": (Outcome.CONTAINED if done.silent else Outcome.FAILED).value,
            "evidence": (Evidence.ACCEPTED if done.silent else Evidence.SENT).label,
            "detail": done.detail, "results": [],
        })  # fmt: skip
        if not climb.holds:  # it was acknowledged meanwhile, and no leg is to be left out
            self.holder.join(climb.press.id)

    def _join(self, climb: _Retry, why: str) -> None:
        """End the holding of a call, if it is held."""
        if climb.held is None or self.holder is None:
            return
        climb.held = None
        if self.holder.join(climb.press.id):
            self.note(climb.press.id, "rejoined", {"why": why})

    def _since(self, climb: _Retry) -> int:
        """Return how long the call has been exposed, in milliseconds."""
        return round((self.monotonic() - climb.press.received) * 1000)

    def _count(self, climb: _Retry, name: str) -> None:
        climb.exposed[name] = self._since(climb)

    def _repeat(self, climb: _Retry) -> None:
        intent = self.find(climb.intent)
        channel = self.giver.presser(intent) if intent else None
        if channel is None or climb.acknowledged:
            return
        try:
            self.on_repeat(climb.press, climb.verdict, channel.name)
        except Exception:  # noqa: BLE001 - a tone that cannot be played stops no retry
            _log.exception("repeat_not_told", press=climb.press.id)

    def _close(self, climb: _Retry, why: str) -> None:
        """End a climb, with what it came to. Its task is cancelled unless it ends by itself."""
        if self._climbs.pop(climb.press.id, None) is None:
            return
        self._join(climb, why)
        for name in climb.failing:
            self._count(climb, name)
        outcome, evidence, reason = judge([*climb.results.values()], climb.optional)
        if outcome is Outcome.FAILED and climb.contained:
            outcome = Outcome.CONTAINED
        self.note(climb.press.id, "closed", {
            "outcome": outcome.value, "evidence": evidence.label,
            "exposed_ms": dict(climb.exposed), "why": why, "reason": reason,
        })  # fmt: skip
        if climb.task is not None and climb.task is not asyncio.current_task():
            climb.task.cancel()
        if why != "solved":
            return
        intent = self.find(climb.intent)
        channel = self.giver.presser(intent) if intent else None
        late = Verdict(
            climb.press.id, climb.press.verb, outcome, evidence, reason,
            self.monotonic() - climb.press.received, climb.verdict.linkedid,
            tuple(climb.results.values()),
        )  # fmt: skip
        try:
            self.on_late(climb.press, late, channel.name if channel else "")
        except Exception:  # noqa: BLE001 - what is solved stays solved
            _log.exception("late_verdict_not_told", press=climb.press.id)
