# SPDX-License-Identifier: Apache-2.0
"""A simulated Imagicle suite on loopback ports, a recorded line, and a recorder that asks it."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from ami.calls.snapshots import Call, Channel
from bridges.conformance import NotApplicable, Situation
from bridges.imagicle import ImagicleRecorder, ImagicleSettings
from bridges.model import Order, Outcome, Recorder, RecorderResult, Verb
from bridges.simulators.harness import Entry, SimClock
from bridges.simulators.imagicle.app import DEMO_PASSWORD, DEMO_USER, ImagicleSimulator
from bridges.simulators.imagicle.state import Recording
from bridges.simulators.imagicle.switches import ImagicleSwitches
from bridges.simulators.server import SimServer
from offrecord.base.secrets import Secret
from tests.kits.patient_loop import loop_time

REMOTE = "+390584943232"
GUID = "75A90276-E47E-4e9e-B463-E3C743D5FF3A"
OTHER_GUID = "11111111-2222-3333-4444-555555555555"
COMMANDS = ("stop", "stop_line", "start", "pause", "resume", "pause_line", "resume_line")


class Clock:
    """The one clock of recorder and suite; sleeping moves it, so that no test waits."""

    def __init__(self) -> None:
        self.now = time.time()
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


def phone(extension: str = "410", *, count: int = 1, began: float | None = None) -> Channel:
    """Return the channel of a phone whose call began a moment ago."""
    at = int(time.time() if began is None else began)
    return Channel(
        f"PJSIP/{extension}-0000000{count}", f"{at}.{count}", f"{at}.1", technology="PJSIP",
        endpoint=extension, extension=extension, caller_number=extension,
        connected_number="0584943232",
    )  # fmt: skip


def order_of(verb: Verb, *channels: Channel, budget: float = 4.0, press_id: str = "p-1") -> Order:
    """Return an order for the call of some channels, the first of which pressed."""
    linkedid = channels[0].linkedid
    call = Call(linkedid, frozenset({linkedid}), channels)
    return Order(press_id, verb, call, channels[0], budget=budget)


@dataclass
class Fixture:
    """The suite's nodes, the recorder, and the recording of 410."""

    recorder: ImagicleRecorder
    sims: list[ImagicleSimulator]
    servers: list[SimServer]
    clock: Clock
    agent: Channel
    live: Recording
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def sim(self) -> ImagicleSimulator:
        return self.sims[0]

    @property
    def switches(self) -> ImagicleSwitches:
        return self.sim.switches

    def fault(self, text: str, node: int = 0) -> None:
        self.sims[node].faults.add(text)

    async def act(self, verb: Verb = Verb.STOP, **more: Any) -> RecorderResult:
        result = await self.recorder.act(order_of(verb, self.agent, **more))
        assert DEMO_PASSWORD not in repr(result)
        return result

    async def outcome(self, verb: Verb = Verb.STOP, **more: Any) -> Outcome:
        return (await self.act(verb, **more)).outcome

    def commands(self, node: int = 0) -> list[Entry]:
        return [one for one in self.sims[node].log.entries if one.operation in COMMANDS]

    def asked(self, node: int = 0) -> list[str]:
        return [one.operation for one in self.sims[node].log.entries]


@asynccontextmanager
async def fixture(
    *,
    other_node: str | None = None,
    recorded: bool = True,
    live: Sequence[Channel] | str | None = "own",
    settings: Mapping[str, Any] | None = None,
    **switches: Any,
) -> AsyncIterator[Fixture]:
    """Run a suite with a recording of 410; `other_node` adds a node, `shared` or `apart`.

    `live` is what the PBX says is live on 410: the agent's channel, unless told.
    """
    clock = Clock()
    sim = ImagicleSimulator(
        switches=ImagicleSwitches(**{"profile": "2025", **switches}), clock=SimClock(source=clock)
    )
    sim.state.add_account(DEMO_USER, DEMO_PASSWORD)
    sim.state.add_line("410", "SEP123456789ABC")
    made = sim.state.record("410", REMOTE, id=GUID, username="fred")
    if not recorded:
        sim.state.recordings.clear()
    sims = [sim, sim.other_node(shared=other_node == "shared")] if other_node else [sim]
    agent = phone(began=clock.now)
    on_phone: Any = [agent] if live == "own" else live
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(SimServer(one)) for one in sims]
        given = {
            "url": servers[0].url,
            "nodes": [server.url for server in servers[1:]],
            "username": DEMO_USER,
            "password": Secret(DEMO_PASSWORD),
            "region": "IT",
            "timeout": 0.3,
            **(settings or {}),
        }
        recorder = ImagicleRecorder(
            "imagicle", ImagicleSettings(**given), live_on=lambda _: on_phone,
            clock=clock, now=clock, sleep=clock.sleep,
        )  # fmt: skip
        await recorder.open()
        try:
            yield Fixture(recorder, sims, servers, clock, agent, made)
        finally:
            await recorder.close()


@dataclass
class ImagicleFixture:
    """For the conformance checks: one node, real time, the recorded line of 410."""

    recorder: Recorder
    sim: ImagicleSimulator
    server: SimServer
    agent: Channel
    secrets: tuple[str, ...] = (DEMO_PASSWORD,)

    def order(self, verb: Verb = Verb.STOP, *, press_id: str = "press-1") -> Order:
        return order_of(verb, self.agent, budget=1.0, press_id=press_id)

    async def arrange(self, situation: Situation) -> None:
        match situation:
            case Situation.ALREADY_STOPPED | Situation.CALL_GONE:
                for one in self.sim.state.live:
                    self.sim.state.stop(one)
            case Situation.NOT_RECORDED:
                self.sim.state.recordings.clear()
            case Situation.WRONG_AGENT:
                raise NotApplicable("one account of the suite acts for everybody")
            case Situation.DEAD:
                await self.server.refuse()
            case _ if situation in FAULTS:
                self.sim.faults.add(FAULTS[situation])

    def recording(self) -> bool:
        return any(not one.paused for one in self.sim.state.live)

    def commands(self) -> int:
        return sum(one.operation in COMMANDS for one in self.sim.log.entries)

    def carried_out(self) -> int:
        done = ("stopped", "started", "paused", "resumed")
        effects = [str(entry.facts.get("effect")) for entry in self.sim.log.entries]
        return sum(effect.startswith(done) for effect in effects)


FAULTS = {
    Situation.SLOW: "stall",
    Situation.GARBAGE: "html_200",
    Situation.CONTRADICTION: "swallow@stop",
    Situation.LOST_ANSWER: "drop_after_effect@stop*1",
}


@asynccontextmanager
async def imagicle() -> AsyncIterator[ImagicleFixture]:
    """Run a fresh fixture for one conformance check."""
    sim = ImagicleSimulator(switches=ImagicleSwitches(profile="2025"))
    sim.state.add_account(DEMO_USER, DEMO_PASSWORD)
    sim.state.record("410", REMOTE)
    agent = phone()
    async with SimServer(sim) as server:
        settings = ImagicleSettings(
            url=server.url, username=DEMO_USER, password=Secret(DEMO_PASSWORD)
        )
        recorder = ImagicleRecorder(
            "imagicle", settings, live_on=lambda _: [agent], clock=loop_time
        )
        await recorder.open()
        try:
            yield ImagicleFixture(recorder, sim, server, agent)
        finally:
            await recorder.close()
