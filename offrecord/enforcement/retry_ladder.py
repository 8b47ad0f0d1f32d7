# SPDX-License-Identifier: Apache-2.0
"""Retry when a recorder does not obey a stop or a pause. Never give up silently, never hang up.

One retry per press: each fallback that the site listed, once; then the order again, until the
recorder obeys, the intent ends, or the call ends. Meanwhile the failure tone is repeated to the
presser, until they acknowledge it.

When an order is sent again, by the recorder's last result:

=====================================  ==========================================================
retryable                              after 1, 2, 4, 8 and then every 15 s
not retryable, and nothing was sent    every 15 s: nothing can have been harmed, and the cause (a
                                       certificate, an account) may be repaired meanwhile
not retryable, and something was sent  not again: it may have acted, and could do harm acting twice
=====================================  ==========================================================
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
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
from offrecord.presses.records import WriteRecord

DELAYS: Final = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds before each new try; the last value repeats."""

CLOSING: Final = 0.5
"""Seconds after a stop by which Asterisk has closed the file of the recording."""

REPEAT: Final = 10.0
"""Seconds between two failure tones for an unsolved press."""

VerdictCallback = Callable[[Press, Verdict, str], None]
"""Called with a press, its verdict, and the presser's channel by the name it has now."""

_log = structlog.stdlib.get_logger(__name__)


def obeyed(result: RecorderResult) -> bool:
    """Return whether a recorder did what the order says, or had nothing to do."""
    return result.outcome not in {Outcome.FAILED, Outcome.DENIED}


def gap(result: RecorderResult, tries: int) -> float | None:
    """Return the seconds until an order is sent again, None when it is not."""
    if result.outcome is Outcome.DENIED:
        return None
    if result.retryable:
        return DELAYS[min(tries, len(DELAYS) - 1)]
    return DELAYS[-1] if result.evidence is Evidence.NONE else None


@dataclass(slots=True, eq=False)
class _Retry:
    """The retries for one press. Times are monotonic seconds, `due` by recorder.

    `muted_until` is when the muting of the call ends, None while it is not muted. `doubt` returns
    what contradicts that the recorders obeyed; empty when nothing does.
    """

    press: Press
    intent: str
    verdict: Verdict
    results: dict[str, RecorderResult]
    optional: Sequence[str]
    call: Call
    doubt: Callable[[], str] | None = None
    acknowledged: bool = False
    contained: bool = False
    muted_until: float | None = None
    tries: dict[str, int] = field(default_factory=dict)
    due: dict[str, float] = field(default_factory=dict)
    failing: list[str] = field(default_factory=list)
    exposed: dict[str, int] = field(default_factory=dict)
    task: "asyncio.Task[None] | None" = None

    @property
    def muted(self) -> bool:
        """Whether the call is to be muted now."""
        return self.muted_until is not None


@dataclass(slots=True)
class RetryLadder:
    """Retries for presses whose recorders did not obey.

    `find` returns an intent as it is now. `monotonic` returns seconds; it and `sleep` are seams.
    `on_repeat` is called every ten seconds while a press is unsolved, `on_late` once it was solved
    after all. `call_mute` mutes calls for the fallback `hold_music`.
    """

    orders: OrderSender
    write: WriteRecord
    find: Callable[[str], Intent | None]
    fallback: tuple[str, ...]
    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    on_repeat: VerdictCallback
    on_late: VerdictCallback
    call_mute: CallMute
    _retries: dict[str, _Retry] = field(default_factory=dict)

    def failing(self, intent: str) -> frozenset[str]:
        """Return the recorders that have not obeyed a press of this intent."""
        retries = (retry for retry in self._retries.values() if retry.intent == intent)
        return frozenset(name for retry in retries for name in retry.failing)

    def start(
        self, press: Press, intent: Intent, verdict: Verdict, call: Call,
        results: Sequence[RecorderResult], *, doubt: Callable[[], str] | None = None,
    ) -> None:  # fmt: skip
        """Start retrying for a press some of whose results are failures.

        With `doubt` recorders are believed only while it returns nothing. An earlier press of the
        same intent is closed; pressing the same again acknowledges it.
        """
        asked = {one.recorder for one in results}
        earlier = [
            one for one in self._retries.values()
            if one.intent == intent.id and asked.issuperset(one.failing)
        ]  # fmt: skip
        known = any(one.press.verb is press.verb and one.press.id != press.id for one in earlier)
        retry = _Retry(
            press, intent.id, verdict, {one.recorder: one for one in results},
            tuple(one.recorder for one in results if not self.orders.needed(one)), call,
            doubt, acknowledged=known or any(one.acknowledged for one in earlier),
        )  # fmt: skip
        retry.failing = [
            one.recorder for one in results if self.orders.needed(one) and not obeyed(one)
        ]
        for one in earlier:
            self._close(one, "superseded")
        if not retry.failing:
            return
        self._retries[press.id] = retry
        retry.task = asyncio.create_task(self._run(retry), name=f"retry-{press.id}")

    def ack(self, press_id: str) -> bool:
        """Stop the failure tones of a press. False when that press is not unsolved."""
        retry = self._retries.get(press_id)
        if retry is not None:
            retry.acknowledged = True
            self._unmute(retry, "acknowledged")
        return retry is not None

    def end(self, intent: str, why: EndedBy) -> "list[asyncio.Task[None]]":
        """Close the unsolved presses of an intent; return the tasks that are about to end."""
        retries = [one for one in self._retries.values() if one.intent == intent]
        for retry in retries:
            self._close(retry, why)
        return [retry.task for retry in retries if retry.task is not None]

    async def close(self) -> None:
        """Stop retrying and leave the presses open: the next daemon process continues with them."""
        tasks = [retry.task for retry in self._retries.values() if retry.task is not None]
        self._retries.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, retry: _Retry) -> None:
        try:
            await self._until_solved(retry)
        except Exception as broke:  # noqa: BLE001 - the press stays open, and the alarm says it
            _log.exception("retry_broke", press=retry.press.id)
            detail = f"no more tries, a fault in offrecord: {type(broke).__name__}"
            self.write(retry.press.id, "alarm", {"what": "retry", "detail": detail})

    async def _until_solved(self, retry: _Retry) -> None:
        begun = self.monotonic()
        tone = begun + REPEAT
        for name in retry.failing:
            self._plan(retry, name)
        await self._fall_back(retry)
        while retry.failing:
            now = self.monotonic()
            due = [retry.due[name] for name in retry.failing if name in retry.due]
            if retry.muted_until is not None:
                due.append(retry.muted_until)
            await self.sleep(max(0.0, min((tone, *due)) - now))
            now = self.monotonic()
            if retry.muted_until is not None and retry.muted_until <= now:
                self._unmute(retry, "held for as long as it may be")
            if tone <= now:
                tone += REPEAT
                self._repeat(retry)
            await self._again(retry, [n for n in retry.failing if retry.due.get(n, now + 1) <= now])
        self._close(retry, "solved")

    def _plan(self, retry: _Retry, name: str) -> None:
        wait = gap(retry.results[name], retry.tries.get(name, 0))
        if wait is None:
            retry.due.pop(name, None)
        else:
            retry.due[name] = self.monotonic() + wait

    async def _again(self, retry: _Retry, names: Sequence[str]) -> None:
        """Send the order again to the recorders that are due, at the same time."""
        intent = self.find(retry.intent)
        if not names or intent is None:
            return
        results = await self.orders.send(intent, retry.press.verb, names, retry.call)
        told = {result.recorder: result for result in await self._believed(retry, results)}
        for name in names:
            retry.tries[name] = retry.tries.get(name, 0) + 1
            result = told.get(name)
            if result is None:  # it is not configured now; perhaps it will be again
                retry.due[name] = self.monotonic() + DELAYS[-1]
                continue
            retry.results[name] = result
            if obeyed(result):
                retry.failing.remove(name)
                self._count(retry, name)
            else:
                self._plan(retry, name)
            self.write(retry.press.id, "retried", {
                **result_body(result), "attempt": retry.tries[name], "exposed_ms":
                retry.exposed.get(name, self._since(retry)),
            })  # fmt: skip

    async def _believed(
        self, retry: _Retry, results: Sequence[RecorderResult]
    ) -> Sequence[RecorderResult]:
        """Return the results, as failures where something contradicts them."""
        if retry.doubt is None or not any(map(obeyed, results)):
            return results
        await self.sleep(CLOSING)
        why = retry.doubt()
        if not why:
            return results
        return [
            replace(one, outcome=Outcome.FAILED, detail=f"{one.detail}; but {why}", retryable=True)
            if obeyed(one) else one
            for one in results
        ]  # fmt: skip

    async def _fall_back(self, retry: _Retry) -> None:
        """Try the fallbacks that the site listed, once each."""
        for way in self.fallback:
            intent = self.find(retry.intent)
            if intent is None or not retry.failing:
                return
            if way == HOLD:
                await self._mute(retry, intent)
                continue
            if way == MUTE:
                names, verb = self.orders.local(self.orders.site.recorders), Verb.PAUSE
            else:
                names, verb = [way.removeprefix(RECORDER)], retry.press.verb
            results = await self.orders.send(intent, verb, names, retry.call)
            outcome, evidence, reason = judge(results)
            if outcome in {Outcome.CONFIRMED, Outcome.ACCEPTED, Outcome.CONTAINED}:
                outcome = Outcome.CONTAINED
                # Only what is muted itself is contained: a recorder elsewhere may still record.
                failing = retry.failing
                retry.contained = way == MUTE and self.orders.local(failing) == failing
            self.write(retry.press.id, "fallback", {
                "action": way, "outcome": outcome.value, "evidence": evidence.label,
                "detail": reason, "results": [result_body(one) for one in results],
            })  # fmt: skip

    async def _mute(self, retry: _Retry, intent: Intent) -> None:
        """Mute the call, unless the presser has acknowledged that it is recorded."""
        call = self.orders.call(intent)
        if call is None or retry.acknowledged:
            return
        # Set before it begins, or it could be muted without an end.
        retry.muted_until = self.monotonic() + self.call_mute.longest
        done = await self.call_mute.mute(retry.press.id, call, intent.presser)
        self.write(retry.press.id, "fallback", {
            "action": HOLD, "outcome": (Outcome.CONTAINED if done.silent else Outcome.FAILED).value,
            "evidence": (Evidence.ACCEPTED if done.silent else Evidence.SENT).label,
            "detail": done.detail, "results": [],
        })  # fmt: skip
        if not retry.muted:  # it was acknowledged meanwhile: unmute every leg
            self.call_mute.unmute(retry.press.id)

    def _unmute(self, retry: _Retry, why: str) -> None:
        """Unmute the call, if it is muted."""
        if retry.muted_until is None:
            return
        retry.muted_until = None
        if self.call_mute.unmute(retry.press.id):
            self.write(retry.press.id, "rejoined", {"why": why})

    def _since(self, retry: _Retry) -> int:
        """Return how long the call has been exposed, in milliseconds."""
        return round((self.monotonic() - retry.press.received) * 1000)

    def _count(self, retry: _Retry, name: str) -> None:
        retry.exposed[name] = self._since(retry)

    def _repeat(self, retry: _Retry) -> None:
        intent = self.find(retry.intent)
        channel = self.orders.presser(intent) if intent else None
        if channel is None or retry.acknowledged:
            return
        try:
            self.on_repeat(retry.press, retry.verdict, channel.name)
        except Exception:  # noqa: BLE001 - a tone that cannot be played must not stop the retries
            _log.exception("repeat_not_told", press=retry.press.id)

    def _close(self, retry: _Retry, why: str) -> None:
        """Close a press and journal its end. Its task is cancelled unless it ends by itself."""
        if self._retries.pop(retry.press.id, None) is None:
            return
        self._unmute(retry, why)
        for name in retry.failing:
            self._count(retry, name)
        outcome, evidence, reason = judge([*retry.results.values()], retry.optional)
        if outcome is Outcome.FAILED and retry.contained:
            outcome = Outcome.CONTAINED
        self.write(retry.press.id, "closed", {
            "outcome": outcome.value, "evidence": evidence.label,
            "exposed_ms": dict(retry.exposed), "why": why, "reason": reason,
        })  # fmt: skip
        if retry.task is not None and retry.task is not asyncio.current_task():
            retry.task.cancel()
        if why != "solved":
            return
        intent = self.find(retry.intent)
        channel = self.orders.presser(intent) if intent else None
        late = Verdict(
            retry.press.id, retry.press.verb, outcome, evidence, reason,
            self.monotonic() - retry.press.received, retry.verdict.linkedid,
            tuple(retry.results.values()),
        )  # fmt: skip
        try:
            self.on_late(retry.press, late, channel.name if channel else "")
        except Exception:  # noqa: BLE001 - the press stays solved
            _log.exception("late_verdict_not_told", press=retry.press.id)
