# SPDX-License-Identifier: Apache-2.0
"""The conformance fixtures of our own kinds. A new kind is one line in `FIXTURES`."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

from ami.calls.snapshots import Call, Channel
from ami.pbx import Pbx
from bridges.asterisk import AsteriskRecorder, AsteriskSettings
from bridges.conformance import NotApplicable, RecorderFixture, Situation
from bridges.model import Order, Recorder, Verb
from bridges.noojee import NoojeeRecorder
from bridges.noojee.settings import NoojeeSettings
from bridges.simulators.noojee.app import DEMO_KEY, NoojeeSimulator
from bridges.simulators.noojee.calls import SimCall
from bridges.simulators.server import SimServer
from offrecord.base.secrets import Secret
from tests.kits.ami_client import counts, following
from tests.kits.ami_peer import SECRET, Action, AmiPeer, Answer, PeerSession
from tests.kits.genesys_kit import fixture as genesys_fixture
from tests.kits.imagicle_kit import imagicle
from tests.kits.patient_loop import loop_time
from tests.kits.voipnow_kit import voipnow
from tests.kits.waiting import eventually

BUDGET = 1.0

# noojee


@dataclass
class NoojeeFixture:
    """Noojee's simulator with the recorded call of 410, whose agent is Fred."""

    recorder: Recorder
    sim: NoojeeSimulator
    server: SimServer
    call: SimCall
    secrets: tuple[str, ...] = (DEMO_KEY,)
    agent: str = "Fred"

    def order(self, verb: Verb = Verb.STOP, *, press_id: str = "press-1") -> Order:
        return Order(press_id, verb, CALL, PHONE, self.agent, budget=BUDGET)

    async def arrange(self, situation: Situation) -> None:
        match situation:
            case Situation.ALREADY_STOPPED:
                self.sim.pbx.stop(self.call)
            case Situation.NOT_RECORDED:
                self.call.legs.clear()
            case Situation.WRONG_AGENT:
                self.agent = "Mallory"
            case Situation.CALL_GONE:
                self.sim.pbx.hang_up(self.call)
            case Situation.DEAD:
                await self.server.refuse()
            case _ if situation in NOOJEE_FAULTS:
                self.sim.faults.add(NOOJEE_FAULTS[situation])

    def recording(self) -> bool:
        return self.call.recording is not None

    def commands(self) -> int:
        return len(self.sim.log.of("stop")) + len(self.sim.log.of("start"))

    def carried_out(self) -> int:
        effects = [str(entry.facts.get("effect")) for entry in self.sim.log.entries]
        return sum(effect.startswith(("stopped", "started")) for effect in effects)


NOOJEE_FAULTS = {
    Situation.SLOW: "stall",
    Situation.GARBAGE: "html_200",
    Situation.CONTRADICTION: "swallow@stop",
    Situation.LOST_ANSWER: "drop_after_effect@stop*1",
}
PHONE = Channel(
    "PJSIP/410-00000012", "1700.1", "1700.1", technology="PJSIP", endpoint="410", extension="410"
)
CALL = Call("1700.1", frozenset({"1700.1"}), (PHONE,))


@asynccontextmanager
async def noojee() -> AsyncIterator[RecorderFixture]:
    sim = NoojeeSimulator(DEMO_KEY)
    sim.pbx.add_user("Fred", extension="410", team="sales")
    sim.pbx.add_user("Mallory", extension="499")
    call = sim.pbx.add_call(PHONE.name, PHONE.uniqueid, owner="Fred")
    async with SimServer(sim) as server:
        settings = NoojeeSettings.model_validate(
            {"url": server.url, "api_key": Secret(DEMO_KEY), "auth": "signed"}
        )
        recorder = NoojeeRecorder("noojee", settings, live_on=lambda _: [PHONE], clock=loop_time)
        await recorder.open()
        try:
            await eventually(lambda: sim.log.of("Time"))  # it keeps its connection warm
            yield NoojeeFixture(recorder, sim, server, call)
        finally:
            await recorder.close()


# genesys


def genesys() -> AbstractAsyncContextManager[RecorderFixture]:
    return genesys_fixture(options={"keep_warm": 20.0})


# asterisk


@dataclass
class MixMonitorFixture:
    """A scripted AMI peer with a call of two phones, the first of which carries a MixMonitor."""

    recorder: Recorder
    peer: AmiPeer
    pbx: Pbx
    call: Call
    muted: bool = False
    done: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)
    secrets: tuple[str, ...] = (SECRET,)

    def order(self, verb: Verb = Verb.STOP, *, press_id: str = "press-1") -> Order:
        return Order(press_id, verb, self.call, self.call.channels[0], budget=BUDGET)

    async def arrange(self, situation: Situation) -> None:
        match situation:
            case Situation.ALREADY_STOPPED | Situation.NOT_RECORDED:
                channel = self.peer.channels["1.1"]
                channel.monitors = 0
                channel.recorded = situation is Situation.ALREADY_STOPPED
                self.peer.event("MixMonitorStop", channel.snapshot())
                await eventually(lambda: counts(self.pbx)["1.1"] == 0)
            case Situation.WRONG_AGENT:
                raise NotApplicable("a PBX has no agents of its own")
            case Situation.CALL_GONE:
                for uniqueid in ("1.1", "1.2"):
                    self.peer.hangup(uniqueid)
                await eventually(lambda: not self.pbx.graph.calls())
            case Situation.SLOW:
                self.answer_all(self._never)
            case Situation.DEAD:
                await self.peer.silence()
                await eventually(lambda: not self.pbx.graph.known)
            case Situation.GARBAGE:
                self.answer_all(lambda _session, _action: b"Response: <html>\r\nMessage: Down\r\n")
            case Situation.CONTRADICTION:
                self.answer_all(lambda _session, _action: b"Response: Success\r\n")
            case Situation.LOST_ANSWER:
                self.peer.on("StopMixMonitor", self._cut)

    def answer_all(self, handler: Callable[[PeerSession, Action], object]) -> None:
        for name in COMMANDS:
            self.peer.on(name, handler)  # type: ignore[arg-type]

    async def _never(self, _session: PeerSession, _action: Action) -> Answer:
        await self.released.wait()
        return None

    def _cut(self, session: PeerSession, action: Action) -> Answer:
        self.counted(session, action)
        self.peer.on("StopMixMonitor", self.counted)
        session.cut()
        return None

    def counted(self, session: PeerSession, action: Action) -> Answer:
        """Answer as the peer does, and keep what it carried out."""
        said = COMMANDS[action["Action"]](self.peer, session, action)
        done = said is not None and said.startswith(b"Response: Success")
        self.done += done
        if done and action["Action"] == "MixMonitorMute":
            self.muted = action["State"] == "1"
        return said

    def recording(self) -> bool:
        return not self.muted and any(c.monitors for c in self.peer.channels.values())

    def commands(self) -> int:
        return sum(name in COMMANDS for name in self.peer.names())

    def carried_out(self) -> int:
        return self.done


COMMANDS: Mapping[str, Callable[[AmiPeer, PeerSession, Action], Answer]] = {
    "StopMixMonitor": AmiPeer._on_stopmixmonitor,
    "MixMonitorMute": AmiPeer._on_mixmonitormute,
    "MixMonitor": AmiPeer._on_mixmonitor,
}


@asynccontextmanager
async def asterisk() -> AsyncIterator[RecorderFixture]:
    async with AmiPeer(write="call,reporting,system") as peer, following(peer.settings()) as pbx:
        peer.add("SIP/410-00000001", "1.1", monitors=1).bridge = "b1"
        peer.add("SIP/411-00000002", "1.2", "1.1").bridge = "b1"
        await eventually(lambda: counts(pbx) == {"1.1": 1, "1.2": 0})
        call = pbx.graph.call_of("1.1")
        assert call is not None
        recorder = AsteriskRecorder("local", AsteriskSettings(), pbx)
        await recorder.open()
        made = MixMonitorFixture(recorder, peer, pbx, call)
        made.answer_all(made.counted)
        try:
            yield made
        finally:
            made.released.set()
            await recorder.close()


FIXTURES: Mapping[str, Callable[[], AbstractAsyncContextManager[RecorderFixture]]] = {
    "genesys": genesys,
    "imagicle": imagicle,
    "asterisk": asterisk,
    "noojee": noojee,
    "voipnow": voipnow,
}
"""A fresh fixture of each kind, opened as long as its context lasts."""
