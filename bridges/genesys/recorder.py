# SPDX-License-Identifier: Apache-2.0
"""The recorder of kind `genesys`: what the daemon opens, asks and closes."""

import asyncio
from typing import Final

from bridges.genesys.answers import Case, unavailable
from bridges.genesys.execute import OrderExecution
from bridges.genesys.find_call import SEARCH, Missing, login_for, uuids_of
from bridges.genesys.messages import OPERATIONS
from bridges.genesys.session import KEEPALIVE, AgentSession, code_alone, request_body
from bridges.genesys.session_pool import SessionPool
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
from bridges.shared.answer_table import OrderEnd
from bridges.shared.http_line import HttpLine
from bridges.shared.recorder_base import RecorderBase
from noojee import wire

FEATURE: Final = "api-voice-recording"
_PROBE_TIME: Final = 10.0
"""Seconds for a probe."""


class GenesysRecorder(RecorderBase[GenesysSettings]):
    """The recorder of kind `genesys`. A transport that is given is shared by all agents."""

    kind = "genesys"
    Settings = GenesysSettings

    def _prepare(self) -> None:
        settings = self._settings
        self.capabilities = Capabilities(
            frozenset(ORDERS), Evidence.READ_BACK, variables=(settings.uuid_variable,)
        )
        self._accounts = settings.logins()
        self._sessions = SessionPool(self._session, settings, clock=self._clock, sleep=self._sleep)

    async def open(self) -> None:
        """Begin to keep logins warm; an agent's is made with the first press."""
        self._sessions.start()

    async def _disconnect(self) -> None:
        await self._sessions.close()

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

    async def probe(self) -> str:
        """Log in with the first account, which proves address, TLS and its credentials."""
        key, account = next(iter(self._accounts.items()))
        steps: list[Step] = []
        async with self._sessions.borrow(account) as session:
            answer = await session.ask(
                "GET", "/me?subresources=features", ends=self._clock() + _PROBE_TIME, steps=steps,
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
        """Return what `act` would send, sending nothing."""
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
            end = OrderEnd(Outcome.FAILED, Evidence.NONE, login.why, retryable=False)
            return self._result(end, ())
        async with self._sessions.borrow(login.account) as session:
            execution = OrderExecution(
                order=order,
                session=session,
                settings=self._settings,
                live_on=self._live_on,
                is_live=lambda: self._is_live(order.call),
                clock=self._clock,
                now=self._now,
                sleep=self._sleep,
                ends=ends,
            )
            try:
                async with asyncio.timeout(order.budget):
                    end = await execution.carry_out()
            except TimeoutError:
                sent = max((step.evidence for step in execution.steps), default=Evidence.NONE)
                said = f"not confirmed: the budget of {order.budget:g} s was used up"
                end = OrderEnd(Outcome.FAILED, min(sent, Evidence.ACCEPTED), said, retryable=True)
        detail = f"{end.detail}; as {login.account.username}, by {login.why}"
        return self._result(
            OrderEnd(end.outcome, end.evidence, detail, end.retryable), tuple(execution.steps)
        )
