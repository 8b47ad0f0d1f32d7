# SPDX-License-Identifier: Apache-2.0
"""A PBX with everything that records on it, for the tests of the bridge that stops and mutes it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ami.calls.graph import CallGraph
from ami.errors import AmiDenied
from ami.events.types import (
    Event,
    MixMonitorMute,
    MixMonitorStart,
    MixMonitorStop,
    MonitorStart,
    MonitorStop,
    PresenceStateChange,
)
from ami.link.actions import Response
from bridges.asterisk import AsteriskRecorder, AsteriskSettings
from bridges.model import Evidence, Order, Outcome, RecorderResult, Verb
from tests.kits.call_kit import TWO_PHONES, graph

NONE_LEFT = "Could not stop monitoring channel"

ORDERS = frozenset(
    {"StopMixMonitor", "MixMonitorMute", "MixMonitor", "StopMonitor", "PauseMonitor"}
    | {"UnpauseMonitor", "Setvar"}
)
"""The actions that change something; the others are questions."""


def answer(message: str = "", **headers: str) -> Response:
    return Response(ok=not message, message=message, headers=headers, output=())


@dataclass
class FakePbx:
    """A PBX with MixMonitors counted by uniqueid; its events come a turn of the loop later.

    `running`: the channels with a Monitor; `heirs` inherited MONITORED from one. `mixes`: by the
    name of the hidden channel of a conference its MixMonitors, and `peers` who is in its bridge.
    `script` answers an action in its place; `mute_events` False is a PBX that raises none, and
    `quiet` keeps back every event of the types in it. `asked` are the questions.
    """

    graph: CallGraph
    monitors: dict[str, int] = field(default_factory=dict)
    version: tuple[int, ...] = (22, 10, 1)
    mute_events: bool = True
    sent: list[tuple[str, str]] = field(default_factory=list)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    script: Callable[[str, str], Response | None] = lambda _name, _uniqueid: None
    running: set[str] = field(default_factory=set)
    heirs: set[str] = field(default_factory=set)
    mixes: dict[str, int] = field(default_factory=dict)
    peers: dict[str, list[str]] = field(default_factory=dict)
    variables: dict[tuple[str, str], str] = field(default_factory=dict)
    bridges: dict[str, str] = field(default_factory=dict)
    rooms: dict[str, list[str]] = field(default_factory=dict)
    quiet: set[type] = field(default_factory=set)
    subscribers: list[Callable[[Event, CallGraph], None]] = field(default_factory=list)

    def subscribe(self, callback: Callable[[Event, CallGraph], None]) -> Callable[[], None]:
        self.subscribers.append(callback)
        return lambda: self.subscribers.remove(callback)

    async def action(self, name: str, fields: Mapping[str, str | Sequence[str]]) -> Response:
        uniqueid, variable = str(fields.get("Channel", "")), str(fields.get("Variable", ""))
        if name in ORDERS:
            self.sent.append((name, uniqueid or variable))
        else:
            self.asked.append((name, uniqueid, variable))
        await asyncio.sleep(0)
        scripted = self.script(name, uniqueid)
        if scripted is not None:
            return scripted
        if name == "Setvar":
            return self._mark(str(fields["Value"]))
        if name == "Getvar":
            return self._variable(uniqueid, variable)
        if not self._alive(uniqueid):
            return answer("No such channel")
        done = {
            "StopMixMonitor": self._stop,
            "MixMonitorMute": self._mute,
            "StopMonitor": self._stop_monitor,
            "PauseMonitor": self._monitor_only,
            "UnpauseMonitor": self._monitor_only,
        }
        return done[name](uniqueid, str(fields.get("State", ""))) if name in done else answer()

    async def getvar(self, uniqueid: str, name: str) -> str:
        told = await self.action("Getvar", {"Channel": uniqueid, "Variable": name})
        if not told.ok:
            raise AmiDenied("Getvar", told.message)
        return told.headers.get("Value", "")

    async def action_list(
        self, name: str, fields: Mapping[str, str | Sequence[str]], *, timeout: float
    ) -> list[Response]:
        await asyncio.sleep(0)
        self.asked.append((name, "", str(fields.get("Conference", ""))))
        scripted = self.script(name, "")
        if scripted is not None and not scripted.ok:
            raise AmiDenied(name, scripted.message)
        if name == "ConfbridgeList":
            rows = self.rooms.get(str(fields["Conference"]), [])
            return [answer("", Channel=row) for row in rows]
        channels = [channel for call in self.graph.calls() for channel in call.channels]
        if name == "CoreShowChannels":
            return [
                answer("", Channel=c.name, Uniqueid=c.uniqueid, Linkedid=c.linkedid,
                       BridgeId=c.bridge_id or "")
                for c in channels
            ]  # fmt: skip
        ids = dict.fromkeys(channel.bridge_id for channel in channels if channel.bridge_id)
        return [
            answer("", BridgeUniqueid=one, BridgeType=self.bridges.get(one, "basic"))
            for one in ids
        ]  # fmt: skip

    def _alive(self, uniqueid: str) -> bool:
        return uniqueid in self.mixes or self.graph.channel(uniqueid) is not None

    def _variable(self, uniqueid: str, name: str) -> Response:
        if name.startswith("CHANNELS("):
            return answer("", Value=" ".join(self.mixes))
        if not self._alive(uniqueid):
            return answer("No such channel")
        if name == "MONITORED":
            found = uniqueid in self.running | self.heirs
            return answer("", Value="true" if found else "")
        if name == "BRIDGEPEER":
            return answer("", Value=",".join(self.peers.get(uniqueid, [])))
        return answer("", Value=self.variables.get((uniqueid, name), ""))

    def _mark(self, value: str) -> Response:
        status, subtype, message = value.split(",")
        self.later(PresenceStateChange("CustomPresence:offrecord", status, subtype, message))
        return answer()

    def _stop(self, uniqueid: str, _state: str) -> Response:
        if uniqueid in self.mixes:
            self.mixes[uniqueid] -= 1
            return answer("" if self.mixes[uniqueid] >= 0 else NONE_LEFT)
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

    def _stop_monitor(self, uniqueid: str, _state: str) -> Response:
        if self.version >= (21,):
            return answer("Invalid/unknown command: StopMonitor. Use Action: ListCommands")
        if uniqueid in self.running:
            self.running.discard(uniqueid)
            self.later(MonitorStop("", uniqueid, ""))
        return answer()

    def _monitor_only(self, _uniqueid: str, _state: str) -> Response:
        return answer()

    def later(self, event: Event) -> None:
        if type(event) not in self.quiet:
            asyncio.get_running_loop().call_soon(self.happen, event)

    def happen(self, event: Event) -> None:
        """Have an event come now."""
        self.graph.apply(event)
        for tell in [*self.subscribers]:
            tell(event, self.graph)

    def record(self, uniqueid: str) -> None:
        self.monitors[uniqueid] = self.monitors.get(uniqueid, 0) + 1
        self.happen(MixMonitorStart("", uniqueid, ""))

    def monitor(self, uniqueid: str) -> None:
        """Begin a Monitor on a channel."""
        self.running.add(uniqueid)
        if MonitorStart not in self.quiet:
            self.happen(MonitorStart("", uniqueid, ""))

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


def recorder(pbx: FakePbx, file: str = "{uniqueid}-{extension}.wav") -> AsteriskRecorder:
    times = iter(range(10_000))
    return AsteriskRecorder(
        "local",
        AsteriskSettings(file),
        pbx,  # type: ignore[arg-type]
        clock=lambda: float(next(times)),
        sleep=no_sleep,
    )


async def act(pbx: FakePbx, verb: Verb = Verb.STOP, given: Order | None = None) -> RecorderResult:
    return await recorder(pbx).act(given or order(pbx, verb))


def said(result: RecorderResult) -> tuple[Outcome, Evidence]:
    return result.outcome, result.evidence
