# SPDX-License-Identifier: Apache-2.0
"""A simulated Genesys on a loopback port, with an agent whose call is being recorded."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from ami.calls.snapshots import Call, Channel
from bridges.conformance import NotApplicable, Situation
from bridges.genesys import GenesysRecorder, GenesysSettings
from bridges.model import Order, RecorderResult, Verb
from bridges.shared.http_line import basic
from bridges.simulators.genesys.app import GenesysSimulator
from bridges.simulators.genesys.calls import Agent, SimCall
from bridges.simulators.genesys.switches import GenesysSwitches
from bridges.simulators.harness import Entry
from bridges.simulators.server import SimServer
from offrecord.base.secrets import Secret
from tests.kits.patient_loop import loop_time

UUID = "01RCC3N118B1V0SL8O7GK2LAES00000V"
OTHER_UUID = "01RCC3N118B1V0SL8O7GK2LAES00000W"
PASSWORD = "yabba-dabba-doo"
VARIABLE = "GENESYS_CALL_UUID"
PHONE = Channel(
    "PJSIP/15000-00000012", "1700000000.1", "1700000000.1", technology="PJSIP", endpoint="15000",
    extension="15000", connected_number="15001",
)  # fmt: skip
TRUNK = Channel(
    "PJSIP/genesys-00000013", "1700000000.2", "1700000000.1", technology="PJSIP",
    endpoint="genesys", caller_number="15001",
)  # fmt: skip
COMMANDS = ("stop", "start", "pause", "resume", "operation")


def order(verb: Verb = Verb.STOP, *, uuids: tuple[str, ...] = (UUID,), **more: Any) -> Order:
    """Return an order for the call of fred's phone with the trunk."""
    call = Call(PHONE.linkedid, frozenset({PHONE.linkedid}), (PHONE, TRUNK))
    given = {"presser": PHONE, "agent": "fred", "budget": 2.0, "facts": {VARIABLE: uuids}} | more
    return Order("press-1", verb, call, **given)


@dataclass
class Fixture:
    """The simulator, its server, fred's recorded call, and the recorder; for conformance too."""

    sim: GenesysSimulator
    server: SimServer
    fred: Agent
    call: SimCall
    recorder: GenesysRecorder
    situation: Situation = Situation.RECORDING
    ours: bool | None = field(default=True)
    """What our own PBX says of the call: up, gone, not known."""

    @property
    def switches(self) -> GenesysSwitches:
        return self.sim.switches

    @property
    def secrets(self) -> tuple[str, ...]:
        """The password, as it is and as it is sent, and what the server gave out."""
        sent = basic("fred", PASSWORD).removeprefix("Basic ")
        return (PASSWORD, sent, *self.sim.given)

    def asked(self, operation: str) -> list[Entry]:
        return self.sim.log.of(operation)

    async def act(self, verb: Verb = Verb.STOP, **more: Any) -> RecorderResult:
        return await self.recorder.act(order(verb, **more))

    # what conformance asks for

    def order(self, verb: Verb = Verb.STOP, *, press_id: str = "press-1") -> Order:
        nobody = {"agent": "barney"} if self.situation is Situation.WRONG_AGENT else {}
        made = order(verb, budget=1.0, **nobody)
        return Order(
            press_id, made.verb, made.call, made.presser, made.agent, made.tag, made.budget,
            made.facts,
        )  # fmt: skip

    async def arrange(self, situation: Situation) -> None:
        self.situation = situation
        match situation:
            case Situation.ALREADY_STOPPED:
                self.sim.centre.record(self.call, "Stopped")
            case Situation.NOT_RECORDED:
                self.call.recording = "Stopped"
            case Situation.CALL_GONE:
                self.sim.centre.hang_up(self.call)
            case Situation.SLOW:
                self.sim.faults.add("stall=30")
            case Situation.DEAD:
                await self.server.refuse()
            case Situation.GARBAGE:
                self.sim.faults.add("html_200")
            case Situation.CONTRADICTION:
                self.sim.faults.add("contradiction@stop")
            case Situation.LOST_ANSWER:
                self.switches.event_order = "event_first"
                self.sim.faults.add("drop_after_effect@stop*1")
            case Situation.RECORDING | Situation.WRONG_AGENT:
                pass
            case _:
                raise NotApplicable(f"not played here: {situation}")

    def recording(self) -> bool:
        return self.call in self.sim.centre.calls and self.call.recording == "Recording"

    def commands(self) -> int:
        return sum(len(self.asked(name)) for name in COMMANDS)

    def carried_out(self) -> int:
        return len(self.call.recorded)


@asynccontextmanager
async def fixture(
    *,
    tls: ssl.SSLContext | None = None,
    options: dict[str, Any] | None = None,
    sleep: Callable[[float], Any] = asyncio.sleep,
    **switches: Any,
) -> AsyncIterator[Fixture]:
    """Run a simulator with one recorded call of fred at 15000, and a recorder that knows him.

    Barney is an agent too; wilma is nobody's account here.
    """
    quick = {"delay": 0.0, "idle_timeout": 0.0}
    sim = GenesysSimulator(switches=GenesysSwitches(**(quick | switches)))
    fred = sim.centre.add_agent("fred", PASSWORD, "15000")
    sim.centre.add_agent("barney", PASSWORD, "15002")
    call = sim.centre.add_call(fred, "15001", uuid=UUID)
    async with SimServer(sim, tls=tls) as server:
        account = {"password": Secret(PASSWORD)}
        given = {
            "url": server.url,
            "keep_warm": 0,
            "accounts": {
                "fred": {"username": "fred", **account},
                "barney": {"username": "barney", **account},
            },
        }
        recorder = GenesysRecorder(
            "genesys",
            GenesysSettings(**(given | (options or {}))),
            live_on=lambda _: [PHONE],
            is_live=lambda _: made.ours,
            clock=loop_time,
            sleep=sleep,
        )
        made = Fixture(sim, server, fred, call, recorder)
        await recorder.open()
        try:
            yield made
        finally:
            await recorder.close()


async def plain(made: Fixture, method: str, path: str, **more: Any) -> httpx.Response:
    """Make one request as a stranger would, without our client."""
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.request(method, made.server.url + path, **more)
