# SPDX-License-Identifier: Apache-2.0
"""The recorder of kind `genesys`: what the daemon opens, asks and closes."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Self

import anyio
import httpx

from ami.calls.snapshots import Call
from ami.ports import HasGraph
from bridges.genesys.answers import Case, unavailable
from bridges.genesys.execute import End, Errand
from bridges.genesys.find_call import SEARCH, Missing, login_for, uuids_of
from bridges.genesys.messages import OPERATIONS
from bridges.genesys.session import KEEPALIVE, AgentSession, code_alone, request_body
from bridges.genesys.session_pool import Sessions
from bridges.genesys.settings import Account, GenesysSettings
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
from bridges.shared.http_line import HttpLine
from bridges.shared.pbx_view import LiveOn, live_on
from noojee import wire

FEATURE = "api-voice-recording"
_PATIENCE = 10.0
"""Seconds for a probe."""


class GenesysRecorder:
    """The recorder of kind `genesys`.

    `live_on` returns the live channels of an extension, None while they are not known; `alive`
    says whether a call of ours is still up, None while that is not known. `clock` is monotonic
    and `now` the time of day, both in seconds; they, `sleep` and `transport` are seams. A
    transport that is given is shared by all agents.
    """

    kind = "genesys"
    Settings = GenesysSettings

    def __init__(
        self,
        name: str,
        settings: GenesysSettings,
        *,
        live_on: LiveOn,
        alive: Callable[[Call], bool | None],
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.name = name
        self.capabilities = Capabilities(
            frozenset(ORDERS), Evidence.READ_BACK, variables=(settings.uuid_variable,)
        )
        self._settings = settings
        self._accounts = settings.logins()
        self._live_on = live_on
        self._alive = alive
        self._clock = clock
        self._now = now
        self._sleep = sleep
        self._transport = transport
        self._sessions = Sessions(self._session, settings, clock=clock, sleep=sleep)

    @classmethod
    def build(cls, name: str, settings: GenesysSettings, pbx: HasGraph) -> Self:
        """Return the recorder called `name` for the calls of one PBX."""

        def alive(call: Call) -> bool | None:
            if not pbx.graph.known:
                return None
            return any(pbx.graph.channel(one.uniqueid) is not None for one in call.channels)

        return cls(
            name,
            settings,
            live_on=live_on(pbx),
            alive=alive,
        )

    def __repr__(self) -> str:
        """Return name and server, never a secret."""
        return f"GenesysRecorder({self.name!r}, {self._settings.url!r})"

    def _session(self, account: Account) -> AgentSession:
        line = HttpLine(
            self._settings.url,
            ca_file=self._settings.ca_file,
            plain_http=self._settings.allow_plain_http,
            keepalive=KEEPALIVE,
            cookies=True,
            transport=self._transport,
            clock=self._clock,
            now=self._now,
        )
        return AgentSession(account, self._settings, line, clock=self._clock, sleep=self._sleep)

    async def open(self) -> None:
        """Begin to keep logins warm; an agent's is made with the first press."""
        self._sessions.start()

    async def close(self) -> None:
        """Close every login and connection."""
        await self._sessions.close()

    async def probe(self) -> str:
        """Log in with the first account, which proves address, TLS and its credentials."""
        key, account = next(iter(self._accounts.items()))
        steps: list[Step] = []
        async with self._sessions.borrow(account) as session:
            answer = await session.ask(
                "GET", "/me?subresources=features", ends=self._clock() + _PATIENCE, steps=steps,
                tell=code_alone,
            )  # fmt: skip
            if answer.case is not Case.DONE:
                cause, fix = unavailable(answer)
                said = f"account {key}: {answer.exchange.said}"
                raise RecorderUnavailable(self.name, cause, said, fix)
        said = f"{self._settings.url} answers and took account {key} of {len(self._accounts)}"
        user = answer.member("user")
        features = user.get("features") if isinstance(user, dict) else None
        if isinstance(features, list) and FEATURE not in str(features):
            said += f"; its agent has no feature {FEATURE}, so nothing can be stopped for it"
        return said

    def plan(self, order: Order) -> Plan:
        """Say what `act` would send, sending nothing."""
        login = login_for(order, self._accounts)
        told = uuids_of(order, self._settings.uuid_variable)
        for refusal in (login, told):
            if isinstance(refusal, Missing):
                return Plan(self.name, self.kind, "-", (), refusal.why)
        assert not isinstance(login, Missing)
        assert not isinstance(told, Missing)
        ident = told[0] if len(told) == 1 else "{id}"
        reads = [self._shown("GET", f"/me/calls/{uuid}") for uuid in told]
        requests = [
            self._shown("GET", "/me"),
            *(reads or [self._shown("GET", SEARCH)]),
            self._shown("POST", f"/me/calls/{ident}", OPERATIONS[order.verb]),
            self._shown("GET", f"/me/calls/{ident}"),
        ]
        target = f"call {ident} as {login.account.username} (account of {login.key}, {login.why})"
        return Plan(self.name, self.kind, target, tuple(requests))

    def _shown(self, method: str, path: str, operation: str | None = None) -> str:
        body = f" {request_body(operation).decode()}" if operation else ""
        origin = wire.origin(self._settings.url, plain_http=self._settings.allow_plain_http)
        return f"{method} {origin}{self._settings.api_path}{path}{body}"

    async def act(self, order: Order) -> RecorderResult:
        """Carry out one order as its agent and say what is proven."""
        ends = self._clock() + order.budget
        login = login_for(order, self._accounts)
        if isinstance(login, Missing):
            return self._result(End(Outcome.FAILED, Evidence.NONE, login.why), ())
        async with self._sessions.borrow(login.account) as session:
            errand = Errand(
                order=order,
                session=session,
                settings=self._settings,
                live_on=self._live_on,
                alive=lambda: self._alive(order.call),
                clock=self._clock,
                now=self._now,
                sleep=self._sleep,
                ends=ends,
            )
            try:
                async with asyncio.timeout(order.budget):
                    end = await errand.run()
            except TimeoutError:
                sent = max((step.evidence for step in errand.steps), default=Evidence.NONE)
                said = f"not confirmed: the budget of {order.budget:g} s was used up"
                end = End(Outcome.FAILED, min(sent, Evidence.ACCEPTED), said, retryable=True)
        detail = f"{end.detail}; as {login.account.username}, by {login.why}"
        return self._result(
            End(end.outcome, end.evidence, detail, end.retryable), tuple(errand.steps)
        )

    def _result(self, end: End, steps: tuple[Step, ...]) -> RecorderResult:
        return RecorderResult(
            self.name, self.kind, end.outcome, end.evidence, end.detail, steps,
            retryable=end.retryable,
        )  # fmt: skip
