# SPDX-License-Identifier: Apache-2.0
"""A PBX with MixMonitors, for the tests of the bridge that stops and mutes them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ami.calls.graph import CallGraph
from ami.events.types import Event, MixMonitorMute, MixMonitorStart, MixMonitorStop
from ami.link.actions import Response
from bridges.asterisk import MixMonitorRecorder, MixMonitorSettings
from bridges.model import Evidence, Order, Outcome, RecorderResult, Verb
from tests.kits.call_kit import TWO_PHONES, graph

NONE_LEFT = "Could not stop monitoring channel"


def answer(message: str = "") -> Response:
    return Response(ok=not message, message=message, headers={}, output=())


@dataclass
class FakePbx:
    """A PBX with MixMonitors counted by uniqueid; its events come a turn of the loop later.

    `script` answers an action in its place; `mute_events` False is a PBX that raises none.
    """

    graph: CallGraph
    monitors: dict[str, int] = field(default_factory=dict)
    version: tuple[int, ...] = (22, 10, 1)
    mute_events: bool = True
    sent: list[tuple[str, str]] = field(default_factory=list)
    script: Callable[[str, str], Response | None] = lambda _name, _uniqueid: None

    async def action(self, name: str, fields: Mapping[str, str | Sequence[str]]) -> Response:
        uniqueid = str(fields["Channel"])
        self.sent.append((name, uniqueid))
        await asyncio.sleep(0)
        scripted = self.script(name, uniqueid)
        if scripted is not None:
            return scripted
        if self.graph.channel(uniqueid) is None:
            return answer("No such channel")
        done = {"StopMixMonitor": self._stop, "MixMonitorMute": self._mute}
        return done[name](uniqueid, str(fields.get("State", ""))) if name in done else answer()

    def _stop(self, uniqueid: str, _state: str) -> Response:
        if not self.monitors.get(uniqueid):
            return answer(NONE_LEFT)
        self.monitors[uniqueid] -= 1
        self.later(MixMonitorStop("", uniqueid, ""))
        return answer()

    def _mute(self, uniqueid: str, state: str) -> Response:
        if uniqueid not in self.monitors:
            return answer("Cannot set mute flag")
        if self.mute_events:
            self.later(MixMonitorMute("", uniqueid, "", "both", state == "1"))
        return answer()

    def later(self, event: Event) -> None:
        asyncio.get_running_loop().call_soon(self.graph.apply, event)

    def record(self, uniqueid: str) -> None:
        self.monitors[uniqueid] = self.monitors.get(uniqueid, 0) + 1
        self.graph.apply(MixMonitorStart("", uniqueid, ""))

    def of(self, name: str) -> list[str]:
        return [uniqueid for action, uniqueid in self.sent if action == name]


def two_phones(**monitors: int) -> FakePbx:
    """Return a PBX with a call of 410 and 411; `one` and `two` are how often each is recorded."""
    pbx = FakePbx(graph(*TWO_PHONES))
    for leg, number in monitors.items():
        for _ in range(number):
            pbx.record({"one": "1.1", "two": "1.2"}[leg])
    return pbx


def order(pbx: FakePbx, verb: Verb = Verb.STOP, presser: str = "1.2", budget: float = 5) -> Order:
    call = pbx.graph.call_of("1.1")
    assert call is not None
    return Order("p", verb, call, call.channel(presser), budget=budget)


async def no_sleep(_seconds: float) -> None:
    await asyncio.sleep(0)


def recorder(pbx: FakePbx, file: str = "{uniqueid}-{extension}.wav") -> MixMonitorRecorder:
    times = iter(range(10_000))
    return MixMonitorRecorder(
        "local",
        MixMonitorSettings(file),
        pbx,  # type: ignore[arg-type]
        clock=lambda: float(next(times)),
        sleep=no_sleep,
    )


async def act(pbx: FakePbx, verb: Verb = Verb.STOP, given: Order | None = None) -> RecorderResult:
    return await recorder(pbx).act(given or order(pbx, verb))


def said(result: RecorderResult) -> tuple[Outcome, Evidence]:
    return result.outcome, result.evidence
