# SPDX-License-Identifier: Apache-2.0
"""A simulated VoipNow on a loopback port with a recorded call of 0003*210, and our side of it."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from ami.calls.snapshots import Call, Channel
from bridges.conformance import NotApplicable, RecorderFixture, Situation
from bridges.model import Order, Recorder, RecorderResult, Verb
from bridges.simulators.harness import Entry, SimClock
from bridges.simulators.server import SimServer
from bridges.simulators.voipnow.app import DEMO_ID, DEMO_SECRET, VoipNowSimulator
from bridges.simulators.voipnow.calls import SimCall
from bridges.simulators.voipnow.switches import VoipNowSwitches
from bridges.voipnow import VoipNowRecorder, VoipNowSettings
from offrecord.base.secrets import Secret
from tests.kits.patient_loop import loop_time

BEGAN = 1_392_356_108.0
"""When our call began, in seconds since the epoch; both sides' clocks begin a second later."""
EXTENSION = "0003*210"
REMOTE = "0123456"
HOOK_TOKEN = "a-hook-token-of-the-tests"
UNIQUEID = f"{BEGAN:.0f}.7"
PHONE = Channel(
    "PJSIP/210-00000012", UNIQUEID, UNIQUEID, technology="PJSIP", endpoint="210", extension="210",
    bridge_id="b1", connected_number=REMOTE,
)  # fmt: skip
TRUNK = Channel(
    "PJSIP/voipnow-00000013", f"{BEGAN:.0f}.8", UNIQUEID, technology="PJSIP", endpoint="voipnow",
    bridge_id="b1", caller_number=REMOTE,
)  # fmt: skip


def order(verb: Verb = Verb.STOP, *channels: Channel, **more: Any) -> Order:
    legs = channels or (PHONE, TRUNK)
    call = Call(legs[0].linkedid, frozenset({legs[0].linkedid}), legs)
    return Order("press-1", verb, call, **{"presser": legs[0], "budget": 1.0, **more})


class Watch:
    """A clock that only sleeping moves on, for both sides, and what was slept."""

    def __init__(self) -> None:
        self.now = BEGAN + 1
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 3))
        self.now += seconds


@dataclass
class Fixture:
    """The simulator, its server, the clock of both sides, the recorded call and the recorder."""

    sim: VoipNowSimulator
    server: SimServer
    watch: Watch
    call: SimCall
    recorder: VoipNowRecorder

    @property
    def switches(self) -> VoipNowSwitches:
        return self.sim.switches

    def asked(self, operation: str) -> list[Entry]:
        return self.sim.log.of(operation)

    @property
    def paths(self) -> list[str]:
        """What was asked for, without tokens: method and path after /uapi/phoneCalls."""
        return [
            f"{entry.method} {entry.path.removeprefix('/uapi/phoneCalls/')}"
            for entry in self.sim.log.entries
            if entry.operation != "token"
        ]

    @property
    def recorded(self) -> list[str]:
        return [view.id for view in self.call.recorded(self.watch.now)]

    def break_(self, *faults: str) -> None:
        for fault in faults:
            self.sim.faults.add(fault)

    async def act(self, verb: Verb = Verb.STOP, **more: Any) -> RecorderResult:
        return await self.recorder.act(order(verb, **more))


def settings(url: str, **more: Any) -> VoipNowSettings:
    given = {"url": url, "client_id": DEMO_ID, "client_secret": Secret(DEMO_SECRET),
             "client_prefix": "0003", "keep_warm": 0}  # fmt: skip
    return VoipNowSettings(**(given | more))


@asynccontextmanager
async def fixture(
    *,
    live: Sequence[Channel] | None = (PHONE,),
    switches: dict[str, Any] | None = None,
    call: dict[str, Any] | None = None,
    real_time: bool = False,
    sleep: Callable[[float], Awaitable[None]] | None = None,
    **options: Any,
) -> AsyncIterator[Fixture]:
    """Run a simulator with one recorded call of 0003*210 with 0123456, and a recorder for it."""
    watch = Watch()
    source = time.time if real_time else watch
    sim = VoipNowSimulator(switches=VoipNowSwitches(**(switches or {})),
                           clock=SimClock(source=source))  # fmt: skip
    sim.site.add_extension(EXTENSION)
    made = sim.site.add_call(EXTENSION, **({"remote": REMOTE} | (call or {})))
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(SimServer(sim))
        clocks: dict[str, Any] = {"clock": loop_time} if real_time else {
            "clock": watch, "now": watch, "sleep": sleep or watch.sleep
        }  # fmt: skip
        recorder = VoipNowRecorder(
            "cloud", settings(server.url, **options), live_on=lambda _: live, **clocks
        )
        await recorder.open()
        stack.push_async_callback(recorder.close)
        yield Fixture(sim, server, watch, made, recorder)


# conformance


@dataclass
class VoipNowFixture:
    """VoipNow's simulator with the recorded call of extension 0003*210."""

    recorder: Recorder
    sim: VoipNowSimulator
    server: SimServer
    call: SimCall

    @property
    def secrets(self) -> tuple[str, ...]:
        return (DEMO_SECRET, HOOK_TOKEN, *self.sim.apps.issued)

    def order(self, verb: Verb = Verb.STOP, *, press_id: str = "press-1") -> Order:
        made = order(verb)
        return Order(press_id, verb, made.call, PHONE, "Fred", budget=1.0)

    async def arrange(self, situation: Situation) -> None:
        match situation:
            case Situation.ALREADY_STOPPED | Situation.NOT_RECORDED:
                self.call.views[1].recording = None
            case Situation.WRONG_AGENT:
                raise NotApplicable("VoipNow is asked by an App; no person's name goes to it")
            case Situation.CALL_GONE:
                self.sim.site.hang_up(self.call)
            case Situation.DEAD:
                await self.server.refuse()
            case _ if situation in FAULTS:
                self.sim.faults.add(FAULTS[situation])

    def recording(self) -> bool:
        return bool(self.call.recorded(self.sim.clock.now()))

    def commands(self) -> int:
        return len(self.sim.log.of("stop")) + len(self.sim.log.of("start"))

    def carried_out(self) -> int:
        return self.sim.site.done


FAULTS = {
    Situation.SLOW: "stall",
    Situation.GARBAGE: "html_200",
    Situation.CONTRADICTION: "swallow@stop",
    Situation.LOST_ANSWER: "drop_after_effect@stop*1",
}


@asynccontextmanager
async def voipnow() -> AsyncIterator[RecorderFixture]:
    """Yield the fixture of this kind for the conformance checks."""
    switches = {"effect_delay": 0.05}
    options = {"hook_token": Secret(HOOK_TOKEN), "keep_warm": 20.0}
    async with fixture(real_time=True, switches=switches, **options) as made:
        while not made.asked("list"):  # it keeps token and connection ready
            await asyncio.sleep(0.005)
        yield VoipNowFixture(made.recorder, made.sim, made.server, made.call)
