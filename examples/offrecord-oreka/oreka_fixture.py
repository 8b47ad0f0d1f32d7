# SPDX-License-Identifier: Apache-2.0
"""The fixture of the Oreka recorder: its simulator, put into each situation."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ami.calls.snapshots import Call, Channel
from bridges.conformance import NotApplicable, Situation
from bridges.model import Order, Verb
from bridges.simulators.server import SimServer
from offrecord_oreka import OrekaRecorder, OrekaSettings
from oreka_simulator import OrekaSimulator, Session

PHONE = Channel("SIP/410-00000012", "1700.1", "1700.1", technology="SIP", extension="410")
CALL = Call("1700.1", frozenset({"1700.1"}), (PHONE,))
CALL_ID = "1a2b-3c@192.0.2.10:5060"

FAULTS = {
    Situation.SLOW: "stall",
    Situation.GARBAGE: "html_200",
    Situation.CONTRADICTION: "swallow",
    Situation.LOST_ANSWER: "drop_after_effect@pause*1",
}


@dataclass
class OrekaFixture:
    """A recorder, its simulated OrkAudio, and the one session that it records."""

    recorder: OrekaRecorder
    sim: OrekaSimulator
    server: SimServer
    session: Session
    secrets: tuple[str, ...] = ()

    def order(self, verb: Verb = Verb.STOP, *, press_id: str = "press-1") -> Order:
        facts = {"SIPCALLID": (CALL_ID,)}
        return Order(press_id, verb, CALL, PHONE, budget=1.0, facts=facts)

    async def arrange(self, situation: Situation) -> None:
        match situation:
            case Situation.WRONG_AGENT:
                raise NotApplicable("OrkAudio knows no users")
            case Situation.ALREADY_STOPPED | Situation.NOT_RECORDED:
                self.session.keeps = False
            case Situation.CALL_GONE:
                self.sim.sessions.remove(self.session)
                self.session.keeps = False
            case Situation.DEAD:
                await self.server.refuse()
            case _ if situation in FAULTS:
                self.sim.faults.add(FAULTS[situation])

    def recording(self) -> bool:
        return self.session.keeps

    def commands(self) -> int:
        return sum(entry.operation != "ping" for entry in self.sim.log.entries)

    def carried_out(self) -> int:
        return sum("effect" in entry.facts for entry in self.sim.log.entries)


@asynccontextmanager
async def oreka_fixture() -> AsyncIterator[OrekaFixture]:
    """Run a simulator with one recorded call, and a recorder that is opened."""
    sim, session = OrekaSimulator(), Session("410", CALL_ID)
    sim.sessions.append(session)
    async with SimServer(sim) as server:
        recorder = OrekaRecorder(
            "oreka",
            OrekaSettings.model_validate({"url": server.url}),
            live_on=lambda _number: [PHONE],
        )
        await recorder.open()
        try:
            yield OrekaFixture(recorder, sim, server, session)
        finally:
            await recorder.close()
