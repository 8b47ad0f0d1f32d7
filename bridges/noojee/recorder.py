# SPDX-License-Identifier: Apache-2.0
"""Recordings held by Noojee: one signed request a press, and the server's word for it.

Noojee gives no way to read a recording's state while the call lasts, so the best outcome here
is `accepted` (L1), never `confirmed`.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

import anyio
import httpx

from ami.ports import HasGraph
from bridges.model import (
    ORDERS,
    Capabilities,
    Evidence,
    Order,
    Outcome,
    Plan,
    RecorderResult,
    RecorderUnavailable,
    Step,
)
from bridges.noojee import ended_calls
from bridges.noojee.answers import (
    STAND_INS,
    TABLE,
    Aim,
    Case,
    Refusal,
    Request,
    Row,
    case_of,
    choose,
    harmless,
    request_for,
    standing,
    unavailable,
)
from bridges.noojee.settings import NoojeeSettings
from bridges.shared.ended_calls import EndedCall, Piece
from bridges.shared.keep_warm import Warmer
from bridges.shared.pbx_view import LiveOn, live_on
from noojee import (
    WITHOUT_AGENT,
    Answer,
    Exchange,
    NoojeeClient,
    NoojeeError,
)

_PAUSE: Final = 0.2
"""Seconds before the one repetition, so that it does not meet the very same moment."""
_LEAST: Final = 0.3
"""Seconds that must be left for a repetition to be worth a try."""
_REMEMBERED: Final = 4096
"""Accepted stops that are remembered; a daemon has far fewer calls at once."""


class NoojeeRecorder:
    """The recorder of kind `noojee`.

    `live_on` returns the live channels of an extension, None while they are not known. `clock`
    is monotonic and `now` the time of day, both in seconds; they, `sleep` and `transport` are
    seams.
    """

    kind = "noojee"
    Settings = NoojeeSettings
    capabilities = Capabilities(frozenset(ORDERS), Evidence.ACCEPTED, STAND_INS)

    def __init__(
        self,
        name: str,
        settings: NoojeeSettings,
        *,
        live_on: LiveOn,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.name = name
        self._settings = settings
        self._live_on = live_on
        self._clock = clock
        self._now = now
        self._sleep = sleep
        self._accepted: dict[_Stop, None] = {}  # the newest last
        self._warmer = Warmer(f"noojee {name}", self._away, settings.keep_warm, sleep)
        self._client = NoojeeClient(
            settings.url,
            auth=settings.credentials(),
            api_path=settings.api_path,
            ca_file=settings.ca_file,
            plain_http=settings.allow_plain_http,
            clock=clock,
            now=now,
            sleep=sleep,
            transport=transport,
        )

    @classmethod
    def build(cls, name: str, settings: NoojeeSettings, pbx: HasGraph) -> Self:
        """Return the recorder called `name` for the calls of one PBX."""
        return cls(name, settings, live_on=live_on(pbx))

    def __repr__(self) -> str:
        """Return name and server, never the key."""
        return f"NoojeeRecorder({self.name!r}, {self._settings.url!r})"

    async def open(self) -> None:
        """Connect ahead of the first press, and stay connected: a handshake is time recorded."""
        self._warmer.start()

    async def close(self) -> None:
        """Close the connections."""
        await self._warmer.stop()
        await self._client.aclose()

    async def _away(self) -> str | None:
        """Ask the time, which keeps a connection open and needs no key."""
        try:
            await self._client.time()
        except NoojeeError as error:
            return str(error)
        return None

    async def probe(self) -> str:
        """Ask the server's time, which needs no key and so does not prove it."""
        try:
            stamp = await self._client.time()
        except NoojeeError as error:
            cause, fix = unavailable(error)
            raise RecorderUnavailable(self.name, cause, error.message, fix) from None
        return f"{self._settings.url} answers, its time is {stamp} ms; the key was not tried"

    async def pieces(self, call: EndedCall) -> Sequence[Piece]:
        """Return the legs recorded of a call. Raises `RecorderUnavailable`."""
        return await ended_calls.pieces(self.name, self._client, call, self._now)

    def plan(self, order: Order) -> Plan:
        """Say what `act` would send, sending nothing."""
        aim = self._aim(order)
        if isinstance(aim, Refusal):
            return Plan(self.name, self.kind, "-", (), aim.why)
        agent = self._agent(order)
        if request_for(order.verb) == "stop":
            requests = self._client.preview_stop(
                aim.target, agent_login_name=agent or WITHOUT_AGENT
            )
        else:
            requests = self._client.preview_start(aim.target, agent_login_name=agent, tag=order.tag)
        return Plan(self.name, self.kind, f"{aim.target} ({aim.why})", requests)

    async def act(self, order: Order) -> RecorderResult:
        """Send one request, and a second one only where it cannot do harm."""
        aim = self._aim(order)
        if isinstance(aim, Refusal):
            return RecorderResult(
                self.name, self.kind, Outcome.FAILED, Evidence.NONE, aim.why, retryable=True
            )
        request = request_for(order.verb)
        if request == "start":
            self._forget(aim)
        steps: list[Step] = []
        ends = self._clock() + order.budget
        first = self._settings.timeout if aim.by_id and request == "stop" else order.budget
        end = await self._ask(order, aim, request, min(first, order.budget))
        steps += end.steps(request)
        if end.row.again and aim.by_id and harmless(request, end.row, by_id=True):
            await self._sleep(min(_PAUSE, max(0.0, ends - self._clock() - _LEAST)))
            left = ends - self._clock()
            if left >= _LEAST:
                end = await self._ask(order, aim, request, left)
                steps += end.steps(request)
        if request == "stop" and aim.by_id and end.row.outcome is Outcome.ACCEPTED:
            self._remember(self._stop(order, aim))
        return self._result(order, aim, end, tuple(steps))

    def _stop(self, order: Order, aim: Aim) -> "_Stop":
        return order.press_id, str(aim.target), self._agent(order)

    def _remember(self, stop: "_Stop") -> None:
        """Remember a stop that was accepted: the keeper gives it again when the call changes."""
        self._accepted.pop(stop, None)
        self._accepted[stop] = None
        if len(self._accepted) > _REMEMBERED:
            del self._accepted[next(iter(self._accepted))]

    def _forget(self, aim: Aim) -> None:
        """Hold no stop of a channel for accepted any more: it may be recorded from here on."""
        for stop in [one for one in self._accepted if one[1] == str(aim.target)]:
            del self._accepted[stop]

    def _aim(self, order: Order) -> Aim | Refusal:
        aim = choose(order, self._settings.target, self._live_on)
        silent = self._settings.require_agent and order.verb.silences
        if silent and self._agent(order) is None:
            return Refusal("no Noojee user is known for this press, and require_agent is set")
        return aim

    def _agent(self, order: Order) -> str | None:
        return order.agent or self._settings.agent_login

    async def _ask(self, order: Order, aim: Aim, request: Request, within: float) -> "_End":
        agent = self._agent(order)
        try:
            if request == "stop":
                answer = await self._client.stop(
                    aim.target, agent_login_name=agent or WITHOUT_AGENT, within=within
                )
            else:
                answer = await self._client.start(
                    aim.target, agent_login_name=agent, tag=order.tag, within=within
                )
        except NoojeeError as error:
            before = request == "stop" and aim.by_id and self._stop(order, aim) in self._accepted
            row = TABLE[request, case := standing(case_of(error), before=before)]
            stood = case is Case.STOOD
            return _End(row, f"Noojee {row.said}: {error.message}", error.exchanges, stood=stood)
        row = TABLE[request, Case(answer.kind.value)]
        return _End(row, f"Noojee {row.said}{_facts(answer)}", answer.exchanges)

    def _result(
        self, order: Order, aim: Aim, end: "_End", steps: tuple[Step, ...]
    ) -> RecorderResult:
        request = request_for(order.verb)
        words = [f"{end.detail} ({request} of {aim.target}, {aim.why})"]
        if order.verb in STAND_INS:
            words.append(STAND_INS[order.verb])
        if request == "stop" and self._agent(order) is None:
            words.append("no Noojee user was known for this press")
        failed = end.row.outcome is Outcome.FAILED
        return RecorderResult(
            self.name,
            self.kind,
            end.row.outcome,
            end.row.evidence,
            "; ".join(words),
            steps,
            retryable=failed and harmless(request, end.row, by_id=aim.by_id),
        )


_Stop = tuple[str, str, str | None]
"""A stop by what makes it the very same: press, unique id, Noojee user."""


@dataclass(frozen=True, slots=True)
class _End:
    """How one request ended."""

    row: Row
    detail: str
    exchanges: tuple[Exchange, ...] = field(repr=False)
    stood: bool = False
    """Its evidence is that of a stop before; its own exchanges show none."""

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


def _facts(answer: Answer) -> str:
    code = "" if answer.code is None else f", Code {answer.code}"
    text = f": {answer.message}" if answer.message else ""
    return f" (HTTP {answer.status}{code}){text}"
