# SPDX-License-Identifier: Apache-2.0
"""The recorder of kind `asterisk`: what the PBX itself records of a call, in every way it has."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final, Self

from ami.calls.snapshots import Call, Channel
from ami.errors import AmiError
from ami.ports import PbxPort
from bridges.asterisk.answers import failure
from bridges.asterisk.ari import NO_ARI, Ari
from bridges.asterisk.execute import OrderExecution, Ways, recorded_leg
from bridges.asterisk.look import NO_LOOK, look
from bridges.asterisk.settings import AsteriskSettings
from bridges.asterisk.ways.applications import Applications
from bridges.asterisk.ways.ari import AriWay
from bridges.asterisk.ways.conference import ConferenceWay
from bridges.asterisk.ways.look_only import NOT_TOLD, look_only, seen
from bridges.asterisk.ways.mixmonitor import MixMonitorWay
from bridges.asterisk.ways.monitor import MonitorWay
from bridges.asterisk.ways.taps import REPORT, Taps, TapSettings
from bridges.asterisk.ways.way import Sweep
from bridges.model import (
    ORDERS,
    Capabilities,
    Evidence,
    Order,
    Outcome,
    Plan,
    RecorderResult,
    RecorderUnavailable,
    Verb,
)
from bridges.shared.answer_table import OrderEnd


class AsteriskRecorder:
    """The recorder of kind `asterisk`.

    `clock` returns seconds since the epoch; it and `sleep` are seams.
    """

    kind = "asterisk"
    Settings = AsteriskSettings
    capabilities = Capabilities(frozenset(ORDERS), Evidence.NOTHING_ELSE, on_pbx=True)

    def __init__(
        self,
        name: str,
        settings: AsteriskSettings,
        pbx: PbxPort,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name = name
        self._settings = settings
        self._pbx = pbx
        self._clock = clock
        self._sleep = sleep
        self._taps, self._ari = REPORT, NO_ARI
        self._ways = _ways(self._ari, self._taps)

    def use_taps(self, settings: TapSettings) -> None:
        """Take whose listening the site answers for; see `UsesTaps`."""
        self._taps = settings
        self._ways = _ways(self._ari, self._taps)

    @classmethod
    def build(cls, name: str, settings: AsteriskSettings, pbx: PbxPort) -> Self:
        """Return the recorder called `name` on one PBX."""
        return cls(name, settings, pbx)

    def use_ari(self, ari: Ari) -> None:
        """Use the site's ARI from now on; orders under way go on with the former one."""
        self._ari = ari
        self._ways = _ways(self._ari, self._taps)

    async def open(self) -> None:
        """Do nothing: the link to the PBX is the daemon's."""

    async def close(self) -> None:
        """Do nothing."""

    async def probe(self) -> str:
        """Return how many calls are known; raise `RecorderUnavailable` when they are not known."""
        if not self._pbx.graph.known:
            raise RecorderUnavailable(
                self.name, "unreachable", "the PBX's calls are not known", "see the AMI link"
            )
        return f"{len(self._pbx.graph.calls())} calls in view"

    def plan(self, order: Order) -> Plan:
        """Return what `act` would send, sending nothing."""
        if order.verb is Verb.STOP:
            sweep = Sweep(self._pbx, order, NO_LOOK, self._clock, self._sleep)
            ways = (*self._ways.at_once, *self._ways.after_look)
            aims: Sequence[Channel] = order.call.channels
            requests = [request for way in ways for request in way.plan(sweep)]
        else:
            action, aims = _PLANS[order.verb](order)
            requests = [f"{action} Channel={channel.uniqueid} ({channel.name})" for channel in aims]
        return Plan(
            self.name,
            self.kind,
            ", ".join(channel.name for channel in aims) or "-",
            tuple(requests),
            None if aims else "no channel of this call is known to carry a MixMonitor",
        )

    async def act(self, order: Order) -> RecorderResult:
        """Carry out one order and say what is proven."""
        execution = OrderExecution(
            self._settings, self._pbx, self._ways, self._clock, self._sleep, order
        )  # fmt: skip
        end = await execution.carry_out()
        return RecorderResult(
            self.name, self.kind, end.outcome, end.evidence, end.detail, tuple(execution.steps),
            retryable=end.outcome is Outcome.FAILED,
        )  # fmt: skip

    def recorded(self, call: Call, verb: Verb) -> tuple[Channel, ...]:
        """Return the channels that ARI is known to record; see `KnowsRecordings`."""
        return self._ari.recorded(call, verb, self._pbx.graph)

    async def look_at(self, order: Order) -> RecorderResult:
        """Return whether the PBX records the call of an order; changes nothing."""
        sweep = Sweep(self._pbx, order, NO_LOOK, self._clock, self._sleep)
        try:
            async with asyncio.timeout(order.budget):
                sweep.look = await look(self._pbx)
                end = seen(sweep, await look_only(sweep, Taps(self._taps).see))
        except TimeoutError:
            why = f"the PBX took over {order.budget:g} s"
            end = OrderEnd(Outcome.FAILED, Evidence.SENT, f"{NOT_TOLD}: {why}")
        except AmiError as problem:
            end = replace(failure(problem), detail=f"{NOT_TOLD}: {problem.message}")
        return RecorderResult(
            self.name, self.kind, end.outcome, end.evidence, end.detail, tuple(sweep.steps),
            retryable=end.outcome is Outcome.FAILED,
        )  # fmt: skip


def _ways(ari: Ari, taps: TapSettings) -> Ways:
    # The taps come behind ARI, which names the listeners whose recordings it knows.
    after_look = (ConferenceWay(), AriWay(ari), Taps(taps), Applications())
    return Ways((MixMonitorWay(), MonitorWay()), after_look)


_PLANS: Final[dict[Verb, Callable[[Order], tuple[str, Sequence[Channel]]]]] = {
    Verb.PAUSE: lambda order: ("MixMonitorMute State=1", order.call.monitored),
    Verb.RESUME: lambda order: ("MixMonitorMute State=0", order.call.monitored),
    Verb.START: lambda order: ("MixMonitor", (recorded_leg(order),)),
}
