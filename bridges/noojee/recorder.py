# SPDX-License-Identifier: Apache-2.0
"""The recorder of kind `noojee`: one signed request a press, and the server's word for it.

The best outcome is `accepted` (L1), never `confirmed`: see `execute`.
"""

from collections.abc import Sequence

from bridges.model import (
    ORDERS,
    Capabilities,
    Evidence,
    Order,
    Outcome,
    Plan,
    RecorderResult,
    RecorderUnavailable,
)
from bridges.noojee import ended_calls
from bridges.noojee.answers import STAND_INS, request_for, unavailable
from bridges.noojee.execute import AcceptedStops, OrderExecution
from bridges.noojee.find_call import Aim, Refusal, choose
from bridges.noojee.settings import NoojeeSettings
from bridges.shared.answer_table import OrderEnd
from bridges.shared.ended_calls import EndedCall, Piece
from bridges.shared.recorder_base import RecorderBase
from noojee import WITHOUT_AGENT, NoojeeClient, NoojeeError


class NoojeeRecorder(RecorderBase[NoojeeSettings]):
    """The recorder of kind `noojee`."""

    kind = "noojee"
    Settings = NoojeeSettings
    capabilities = Capabilities(frozenset(ORDERS), Evidence.ACCEPTED, STAND_INS)

    def _prepare(self) -> None:
        settings = self._settings
        self._accepted = AcceptedStops()
        self._client = NoojeeClient(
            settings.url,
            auth=settings.credentials(),
            api_path=settings.api_path,
            ca_file=settings.ca_file,
            plain_http=settings.allow_plain_http,
            clock=self._clock,
            now=self._now,
            sleep=self._sleep,
            transport=self._transport,
        )

    async def _disconnect(self) -> None:
        await self._client.aclose()

    def _warm_every(self) -> float:
        return self._settings.keep_warm

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
        """Return what `act` would send, sending nothing."""
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
            return self._result(OrderEnd(Outcome.FAILED, Evidence.NONE, aim.why), ())
        execution = OrderExecution(
            self._client, order, aim, self._agent(order), self._accepted,
            self._settings.timeout, self._clock, self._sleep,
        )  # fmt: skip
        end = await execution.carry_out()
        return self._result(end, execution.steps)

    def _aim(self, order: Order) -> Aim | Refusal:
        aim = choose(order, self._settings.target, self._live_on)
        silent = self._settings.require_agent and order.verb.silences
        if silent and self._agent(order) is None:
            return Refusal("no Noojee user is known for this press, and require_agent is set")
        return aim

    def _agent(self, order: Order) -> str | None:
        return order.agent or self._settings.agent_login
