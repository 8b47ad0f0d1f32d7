# SPDX-License-Identifier: Apache-2.0
"""Carry out one order at Noojee: one signed request, and a second one where it cannot do harm.

Noojee gives no way to read a recording's state while the call lasts, which is why the
server's word is all the proof there is.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from bridges.model import Evidence, Order, Outcome, Step
from bridges.noojee.answers import (
    STAND_INS,
    TABLE,
    Case,
    Next,
    Request,
    case_of,
    harmless,
    request_for,
    standing,
)
from bridges.noojee.find_call import Aim
from bridges.shared.answer_table import OrderEnd, Row
from noojee import WITHOUT_AGENT, Answer, Exchange, NoojeeClient, NoojeeError

_PAUSE: Final = 0.2
"""Seconds before the one repetition."""
_LEAST: Final = 0.3
"""Seconds that must be left for a repetition to be worth a try."""
_REMEMBERED: Final = 4096
"""Accepted stops that are remembered; a daemon has far fewer calls at once."""


class AcceptedStops:
    """The stops that Noojee has accepted: the daemon gives one again when the call changes.

    A stop is known by press, unique id and Noojee user.
    """

    def __init__(self) -> None:
        self._stops: dict[tuple[str, str, str | None], None] = {}  # the newest last

    def add(self, order: Order, aim: Aim, agent: str | None) -> None:
        """Remember a stop; the oldest is forgotten beyond so many."""
        stop = (order.press_id, str(aim.target), agent)
        self._stops.pop(stop, None)
        self._stops[stop] = None
        if len(self._stops) > _REMEMBERED:
            del self._stops[next(iter(self._stops))]

    def has(self, order: Order, aim: Aim, agent: str | None) -> bool:
        """Return whether Noojee accepted this very stop before."""
        return (order.press_id, str(aim.target), agent) in self._stops

    def forget(self, aim: Aim) -> None:
        """Forget the stops of a channel, which may be recorded from here on."""
        for stop in [one for one in self._stops if one[1] == str(aim.target)]:
            del self._stops[stop]


@dataclass(frozen=True, slots=True)
class _Asked:
    """Result of one request."""

    row: Row[Next]
    detail: str
    exchanges: tuple[Exchange, ...] = field(repr=False)
    stood: bool = False
    """True when the evidence is that of an earlier stop; its own exchanges show none."""

    def steps(self, request: Request) -> list[Step]:
        """Return the requests made, as the journal keeps them."""
        return [
            Step(one.at, one.took, one.request, one.answer, self._evidence(one, request))
            for one in self.exchanges
        ]

    def _evidence(self, one: Exchange, request: Request) -> Evidence:
        if not one.sent:
            return Evidence.NONE
        last = one is self.exchanges[-1] and one.operation == request
        return self.row.evidence if last and not self.stood else Evidence.SENT


@dataclass(slots=True)
class OrderExecution:
    """One order about `aim`, as the Noojee user `agent`. `steps` are the requests made so far.

    `first_within` is how many seconds a stop that can be repeated may take at first. `clock` is
    monotonic, in seconds.
    """

    client: NoojeeClient
    order: Order
    aim: Aim
    agent: str | None
    accepted: AcceptedStops
    first_within: float
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    steps: list[Step] = field(default_factory=list)

    async def carry_out(self) -> OrderEnd:
        """Send one request, and a second one only where it cannot do harm."""
        request, by_id, budget = request_for(self.order.verb), self.aim.by_id, self.order.budget
        if request == "start":
            self.accepted.forget(self.aim)
        ends = self.clock() + budget
        first = self.first_within if by_id and request == "stop" else budget
        asked = await self._ask(request, min(first, budget))
        if asked.row.next is Next.AGAIN and by_id and harmless(request, asked.row, by_id=True):
            await self.sleep(min(_PAUSE, max(0.0, ends - self.clock() - _LEAST)))
            left = ends - self.clock()
            if left >= _LEAST:
                asked = await self._ask(request, left)
        if request == "stop" and by_id and asked.row.outcome is Outcome.ACCEPTED:
            self.accepted.add(self.order, self.aim, self.agent)
        return self._end(request, asked)

    async def _ask(self, request: Request, within: float) -> _Asked:
        asked = await self._send(request, within)
        self.steps += asked.steps(request)
        return asked

    async def _send(self, request: Request, within: float) -> _Asked:
        target = self.aim.target
        try:
            if request == "stop":
                answer = await self.client.stop(
                    target, agent_login_name=self.agent or WITHOUT_AGENT, within=within
                )
            else:
                answer = await self.client.start(
                    target, agent_login_name=self.agent, tag=self.order.tag, within=within
                )
        except NoojeeError as error:
            before = request == "stop" and self.aim.by_id and self._accepted_before()
            row = TABLE[request, case := standing(case_of(error), before=before)]
            stood = case is Case.STOOD
            return _Asked(row, f"Noojee {row.said}: {error.message}", error.exchanges, stood=stood)
        row = TABLE[request, Case(answer.kind.value)]
        return _Asked(row, f"Noojee {row.said}{_facts(answer)}", answer.exchanges)

    def _accepted_before(self) -> bool:
        return self.accepted.has(self.order, self.aim, self.agent)

    def _end(self, request: Request, asked: _Asked) -> OrderEnd:
        words = [f"{asked.detail} ({request} of {self.aim.target}, {self.aim.why})"]
        if self.order.verb in STAND_INS:
            words.append(STAND_INS[self.order.verb])
        if request == "stop" and self.agent is None:
            words.append("no Noojee user was known for this press")
        again = harmless(request, asked.row, by_id=self.aim.by_id)
        return OrderEnd(asked.row.outcome, asked.row.evidence, "; ".join(words), again)


def _facts(answer: Answer) -> str:
    code = "" if answer.code is None else f", Code {answer.code}"
    text = f": {answer.message}" if answer.message else ""
    return f" (HTTP {answer.status}{code}){text}"
