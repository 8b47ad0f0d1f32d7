# SPDX-License-Identifier: Apache-2.0
"""Carry out one order as one agent: find the call, send the operation, look for the proof.

`statusCode` 0 means that the request was handed to the switch, and nothing more. The proof is the
call's own `recordingState`, read back; an event makes it quicker and must not contradict it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import quote

from bridges.genesys.answers import TABLE, Answer, Case, Next, Row
from bridges.genesys.find_call import SEARCH, Found, Missing, one_of, search, uuids_of
from bridges.genesys.messages import (
    OPERATIONS,
    GenesysCall,
    Ready,
    call_of,
    calls_of,
    outcome_of,
    proves,
    ready,
)
from bridges.genesys.notifications import CallWatch
from bridges.genesys.session import AgentSession, code_alone
from bridges.genesys.settings import GenesysSettings
from bridges.model import Evidence, Order, Outcome, Step
from bridges.shared.answer_table import OrderEnd
from bridges.shared.pbx_view import LiveOn

_SOON: Final = 0.25
_LATER: Final = 1.0
"""Seconds before the first read after a command, and between the following ones."""
_FIRST_SHARE: Final = 0.6
"""Part of the remaining budget that the first of two attempts may take."""
_BACK_OFF: Final = 0.2
_LEAST: Final = 0.05
"""Seconds that must be left for another request."""
_NOT_DONE: Final = frozenset({Case.WRONG_STATE, Case.FORBIDDEN})
"""The answers that say for sure that nothing was done."""
_FOR_NOTIFICATIONS: Final = 0.5
"""Seconds that the notifications may hold a press up; without them reading proves alone."""


class Proof(StrEnum):
    """Result of looking for the proof."""

    PROVEN = "proven"
    NOT_YET = "not yet"
    CONTRADICTION = "contradiction"
    GONE = "gone"
    UNREADABLE = "unreadable"


@dataclass(slots=True)
class OrderExecution:
    """One order as one agent.

    `is_live` returns whether the call is still up here, None while that is not known.
    """

    order: Order
    session: AgentSession
    settings: GenesysSettings
    live_on: LiveOn
    is_live: Callable[[], bool | None]
    clock: Callable[[], float]
    now: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    ends: float
    steps: list[Step] = field(default_factory=list)
    watch: CallWatch | None = None
    detail: str = ""
    """The state that the last read of the call showed, for people."""
    perhaps: bool = False
    """True once something was sent that may have been carried out."""

    async def carry_out(self) -> OrderEnd:
        """Carry the order out; never raises for what the server or the network do."""
        refusal = await self._logged_in()
        if refusal is not None:
            return self._failed(refusal, "read")
        found = await self._find()
        if isinstance(found, OrderEnd):
            return found
        if found.call.ended:
            return self._gone(f"call {found.call.id} has ended there")
        what, why = ready(self.order.verb, found.call)
        about = f"call {found.call.id}, {found.why}"
        if what is not Ready.SEND:
            return OrderEnd(
                outcome_of(what), Evidence.READ_BACK, f"{why} ({about})", retryable=False
            )
        if self.watch is None:
            return await self._send(found.call, about)
        self.watch.call_id = found.call.id
        remove_listener = self.session.notifications.add_listener(self.watch)
        try:
            return await self._send(found.call, about)
        finally:
            remove_listener()

    @property
    def left(self) -> float:
        """Seconds of the budget that are left."""
        return self.ends - self.clock()

    async def _logged_in(self) -> Answer | None:
        """Log in where that is due, trying again what may be tried again."""
        async with self.session.first_login:
            if self.session.inside:
                return None
            answer = await self._read("/me", code_alone, most=Evidence.SENT)
        return None if answer.case is Case.DONE else answer

    async def _find(self) -> Found | OrderEnd:
        """Find the call, while the notifications are subscribed to."""
        if not self.settings.notifications:
            return await self._find_call()
        wait = min(_FOR_NOTIFICATIONS, self.left / 4)
        starting = asyncio.create_task(self.session.notifications.start(wait))
        try:
            found = await self._find_call()
            if await starting:
                self.watch = CallWatch("")
        finally:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
        return found

    async def _find_call(self) -> Found | OrderEnd:
        told = uuids_of(self.order, self.settings.uuid_variable)
        if isinstance(told, Missing):
            return self._missing(told)
        if not told:
            return await self._search()
        readable: list[GenesysCall] = []
        for uuid in told:
            answer = await self._read(f"/me/calls/{quote(uuid, safe='')}", self._tell_call)
            call = call_of(answer.member("call"))
            if answer.case is Case.DONE and call is not None and call.id == uuid:
                readable.append(call)
            elif answer.case is Case.DONE:
                return self._not_understood(answer)
            elif answer.case is not Case.NOT_FOUND:
                return self._failed(answer, "read")
        live = [call for call in readable if not call.ended]
        found = one_of(live or readable, told)
        return self._missing(found) if isinstance(found, Missing) else found

    async def _search(self) -> Found | OrderEnd:
        answer = await self._read(SEARCH, _tell_search)
        if answer.case is not Case.DONE:
            return self._failed(answer, "read")
        found = search(answer.member("user"), self.order, self.settings, self.live_on, self.now())
        return self._missing(found) if isinstance(found, Missing) else found

    async def _read(
        self,
        path: str,
        tell: Callable[[Answer], str],
        *,
        until: float | None = None,
        most: Evidence = Evidence.READ_BACK,
    ) -> Answer:
        """Read one resource, again with growing pauses where that may help, until there is time."""
        again_until = self.ends if until is None else until
        pause = _BACK_OFF
        while True:
            answer = await self.session.ask(
                "GET", path, ends=self.ends, steps=self.steps, tell=tell, most=most
            )
            wait = _pause(answer, pause)
            if TABLE["read", answer.case].next is not Next.AGAIN:
                return answer
            if wait + _LEAST > again_until - self.clock():
                return answer
            await self.sleep(wait)
            pause = min(pause * 2, _LATER)

    async def _send(self, call: GenesysCall, about: str) -> OrderEnd:
        """Send the operation; once more when it was not proven."""
        path = f"/me/calls/{quote(call.id, safe='')}"
        for last in (False, True):
            answer = await self._command(path, about)
            if isinstance(answer, OrderEnd):
                return answer
            row = TABLE["command", answer.case]
            proof = await self._prove(path, row, last=last)
            if proof is Proof.PROVEN:
                return self._proven(answer, about)
            if proof is not Proof.NOT_YET or last or self.left < _LEAST:
                return self._unproven(proof, answer, row, about)
        raise AssertionError("the last attempt returns")

    async def _command(self, path: str, about: str) -> Answer | OrderEnd:
        """Send the operation, again to a busy server; return an answer that asks for a read."""
        pause = _BACK_OFF
        while True:
            if self.watch is not None:
                self.watch.reset()
            answer = await self.session.ask(
                "POST", path, OPERATIONS[self.order.verb], ends=self.ends, steps=self.steps
            )
            row = TABLE["command", answer.case]
            self.perhaps |= answer.exchange.left and answer.case not in _NOT_DONE
            if row.next in {Next.PROVE, Next.LOOK}:
                return answer
            if answer.case is Case.NOT_FOUND:
                return self._gone(f"{self._said(answer, row)} ({about})")
            if row.look and await self._look(path) is Proof.PROVEN:
                return self._proven(answer, about)
            wait = _pause(answer, pause)
            if row.next is not Next.AGAIN or wait + _LEAST > self.left:
                return self._failed(answer, "command")
            await self.sleep(wait)
            pause = min(pause * 2, _LATER)

    async def _prove(self, path: str, row: Row, *, last: bool) -> Proof:
        """Read the call until it is as asked, or until the time for this attempt is over."""
        share = self.left if last else self.left * _FIRST_SHARE
        until = self.clock() + min(self.settings.confirm_within, share)
        at_once = row.next is Next.LOOK
        wait = 0.0 if at_once else _SOON
        torn = False
        while True:
            await self._wait(min(wait, max(0.0, until - self.clock() - _LEAST)))
            answer = await self._read(path, self._tell_call, until=until)
            proof = self._judge(answer)
            if proof is Proof.CONTRADICTION and not torn and self._event_may_be_late(answer):
                torn, wait = True, _SOON
                continue
            is_uncertain = bool(self.watch and self.watch.uncertain)
            over = at_once or is_uncertain or self.clock() + _LEAST >= until
            if proof is not Proof.NOT_YET or over:
                return proof
            wait = _LATER

    async def _look(self, path: str) -> Proof:
        """Read the call once."""
        answer = await self.session.ask(
            "GET", path, ends=self.ends, steps=self.steps, tell=self._tell_call
        )
        return self._judge(answer)

    def _judge(self, answer: Answer) -> Proof:
        call = call_of(answer.member("call"))
        if answer.case is Case.NOT_FOUND:
            self.detail = "Genesys knows the call no more"
            return Proof.GONE
        if answer.case is not Case.DONE or call is None:
            row = TABLE["read", answer.case]
            self.detail = f"the call could not be read back: {self._said(answer, row)}"
            final = row.next in {Next.GIVE_UP, Next.LOG_IN, Next.RENEW, Next.USE}
            return Proof.UNREADABLE if final else Proof.NOT_YET
        if call.ended:
            self.detail = "the call has ended there"
            return Proof.GONE
        told = self.watch.state if self.watch else None
        self.detail = f"its recordingState reads {call.recording or 'absent'}"
        if told is not None:
            self.detail += f", and the last event said {told or 'absent'}"
        by_read = proves(self.order.verb, call.recording)
        if told is not None and proves(self.order.verb, told) is not by_read:
            return Proof.CONTRADICTION
        return Proof.PROVEN if by_read else Proof.NOT_YET

    def _event_may_be_late(self, answer: Answer) -> bool:
        """Return whether the call reads as asked: the event may be older than the command."""
        call = call_of(answer.member("call"))
        return call is not None and proves(self.order.verb, call.recording)

    async def _wait(self, seconds: float) -> None:
        """Wait so many seconds, or until a notification about the call comes."""
        if seconds <= 0:
            return
        if self.watch is None:
            await self.sleep(seconds)
            return
        tasks = [
            asyncio.ensure_future(self.sleep(seconds)),
            asyncio.ensure_future(self.watch.news.wait()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.watch.news.clear()

    # How it ends

    def _proven(self, answer: Answer, about: str) -> OrderEnd:
        outcome = Outcome.CONFIRMED if self.perhaps else Outcome.NOTHING_TO_STOP
        row = TABLE["command", answer.case]
        detail = f"Genesys {row.said}; {self.detail} ({about})"
        return OrderEnd(outcome, Evidence.READ_BACK, detail)

    def _unproven(self, proof: Proof, answer: Answer, row: Row, about: str) -> OrderEnd:
        if proof is Proof.GONE:
            return self._gone(f"{self.detail} ({about})")
        words = {
            Proof.CONTRADICTION: "contradiction, not confirmed",
            Proof.UNREADABLE: "not confirmed",
            Proof.NOT_YET: "not confirmed",
        }
        detail = f"{words[proof]}: {self._said(answer, row)}, but {self.detail} ({about})"
        return OrderEnd(Outcome.FAILED, row.evidence, detail, retryable=True)

    def _failed(self, answer: Answer, request: str) -> OrderEnd:
        row = TABLE["command" if request == "command" else "read", answer.case]
        evidence = Evidence.NONE if row.evidence is Evidence.NONE else Evidence.SENT
        return OrderEnd(Outcome.FAILED, evidence, self._said(answer, row), retryable=row.retryable)

    def _not_understood(self, answer: Answer) -> OrderEnd:
        detail = "Genesys answered the read of a call with something else"
        said = f"{detail} ({answer.exchange.said})"
        return OrderEnd(Outcome.FAILED, Evidence.SENT, said, retryable=False)

    def _missing(self, missing: Missing) -> OrderEnd:
        if missing.gone:
            return self._gone(missing.why)
        evidence = Evidence.SENT if self.steps else Evidence.NONE
        return OrderEnd(Outcome.FAILED, evidence, missing.why, retryable=missing.retryable)

    def _gone(self, why: str) -> OrderEnd:
        """Return the end of an order whose call is not there: ended if it is over here too."""
        if self.is_live() is False:
            return OrderEnd(Outcome.CALL_ENDED, Evidence.READ_BACK, f"{why}; it has ended here too")
        detail = f"{why}; it is live here, so a recording may go on under another agent"
        return OrderEnd(Outcome.FAILED, Evidence.SENT, detail, retryable=True)

    def _said(self, answer: Answer, row: Row) -> str:
        code = "" if answer.code is None else f"statusCode {answer.code}"
        parts = [part for part in (code, self.session.mask(answer.message)) if part]
        told = ": ".join(parts) if parts else answer.exchange.said
        return f"Genesys {row.said} ({told})"

    def _tell_call(self, answer: Answer) -> str:
        call = call_of(answer.member("call"))
        return f"{code_alone(answer)} {call.told if call else ''}".rstrip()


def _tell_search(answer: Answer) -> str:
    user = answer.member("user")
    calls = calls_of(user.get("calls")) if isinstance(user, dict) else []
    return f"{code_alone(answer)} calls=[{'; '.join(call.told for call in calls)}]"


def _pause(answer: Answer, otherwise: float) -> float:
    """Return the seconds to wait: what the server asks for, else `otherwise`."""
    told = answer.exchange.retry_after
    return otherwise if told is None else max(told, _LEAST)
