# SPDX-License-Identifier: Apache-2.0
"""A vendor in a few lines, a recorder that does all it must, and the fixture of the two."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bridges.conformance import NotApplicable, Situation
from bridges.model import (
    Capabilities,
    Evidence,
    Order,
    Outcome,
    Plan,
    Recorder,
    RecorderResult,
    RecorderUnavailable,
    Step,
    Verb,
)
from tests.kits.conformance_fixtures import CALL, PHONE

TOKEN = "token-5c1fd09e77"
STAND_IN = "the vendor has no resume, so it is begun anew"


@dataclass
class Vendor:
    """One live call that is recorded, and what is wrong with the vendor just now."""

    trouble: Situation = Situation.RECORDING
    recorded: bool = True
    received: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    async def ask(self, command: str, agent: str | None) -> str:
        await self._there()
        self.received.append(command)
        if self.trouble is Situation.GARBAGE:
            return "<html>"
        if self.trouble is Situation.CALL_GONE:
            return "gone"
        if agent == "Mallory":
            return "denied"
        if self.trouble is not Situation.CONTRADICTION:
            self.recorded = command == "resume" or (command == "toggle" and not self.recorded)
            self.done.append(command)
        if self.trouble is Situation.LOST_ANSWER:
            self.trouble = Situation.RECORDING
            raise ConnectionResetError("cut")
        return "ok"

    async def state(self) -> str:
        await self._there()
        if self.trouble is Situation.GARBAGE:
            return "<html>"
        if self.trouble is Situation.CALL_GONE:
            return "gone"
        return "recording" if self.recorded else "idle"

    async def _there(self) -> None:
        if self.trouble is Situation.DEAD:
            raise ConnectionRefusedError("nobody listens")
        await asyncio.sleep(60 if self.trouble is Situation.SLOW else 0)


class Good:
    """A recorder that does all it must; the bad ones each change one thing."""

    name = "acme"
    kind = "acme"
    capabilities = Capabilities(
        frozenset({Verb.STOP, Verb.PAUSE, Verb.RESUME}),
        Evidence.READ_BACK,
        {Verb.RESUME: STAND_IN},
    )

    def __init__(self, vendor: Vendor) -> None:
        self.vendor = vendor
        self.opened = 0

    def __repr__(self) -> str:  # noqa: D105
        return f"{type(self).__name__}(***)"

    async def open(self) -> None:
        self.opened += 1

    async def close(self) -> None:
        self.opened = 0

    async def probe(self) -> str:
        try:
            return f"it answers: {await self.vendor.state()}"
        except OSError as error:
            raise RecorderUnavailable(self.name, "unreachable", str(error), "start it") from None

    def plan(self, order: Order) -> Plan:
        if order.verb not in self.capabilities.verbs:
            return Plan(self.name, self.kind, "-", (), f"it cannot {order.verb}")
        return Plan(self.name, self.kind, "410", (f"ask {order.verb} token=***",))

    async def act(self, order: Order) -> RecorderResult:
        if order.verb not in self.capabilities.verbs:
            return self.result(Outcome.FAILED, Evidence.NONE, f"it cannot {order.verb}")
        try:
            async with asyncio.timeout(order.budget):
                return await self.ask(order)
        except TimeoutError:
            return self.result(Outcome.FAILED, Evidence.SENT, "no answer", order.verb)
        except OSError as error:
            return self.result(Outcome.FAILED, Evidence.SENT, f"lost: {error}", order.verb)

    async def ask(self, order: Order) -> RecorderResult:
        want = "idle" if order.verb.silences else "recording"
        if await self.vendor.state() == want == "idle":
            return self.result(Outcome.NOTHING_TO_STOP, Evidence.READ_BACK, "idle", order.verb)
        answer = await self.vendor.ask(order.verb, order.agent)
        if answer == "gone":
            return self.result(Outcome.CALL_ENDED, Evidence.ACCEPTED, "it has ended", order.verb)
        if answer == "denied":
            return self.result(Outcome.DENIED, Evidence.SENT, "not this person", order.verb)
        if answer == "ok" and await self.vendor.state() == want:
            said = STAND_IN if order.verb is Verb.RESUME else "done and read back"
            return self.result(Outcome.CONFIRMED, Evidence.READ_BACK, said, order.verb)
        return self.result(Outcome.FAILED, Evidence.SENT, "not understood", order.verb)

    def result(
        self, outcome: Outcome, evidence: Evidence, detail: str, sent: str = ""
    ) -> RecorderResult:
        steps = (Step(time.time(), 0.0, sent, detail, evidence),) if sent else ()
        return RecorderResult(
            self.name, self.kind, outcome, evidence, detail, steps,
            retryable=outcome is Outcome.FAILED,
        )  # fmt: skip


@dataclass
class FakeFixture:
    """The fixture; `shy` is one whose author skips whatever can be skipped."""

    recorder: Recorder
    vendor: Vendor
    agent: str = "Fred"
    secrets: tuple[str, ...] = (TOKEN,)
    shy: bool = False

    def order(self, verb: Verb = Verb.STOP, *, press_id: str = "press-1") -> Order:
        return Order(press_id, verb, CALL, PHONE, self.agent, budget=0.2)

    async def arrange(self, situation: Situation) -> None:
        if self.shy:
            raise NotApplicable("too much work")
        if situation is Situation.WRONG_AGENT:
            self.agent = "Mallory"
        self.vendor.recorded = situation not in {
            Situation.ALREADY_STOPPED, Situation.NOT_RECORDED, Situation.CALL_GONE
        }  # fmt: skip
        if situation is Situation.ALREADY_STOPPED:
            self.vendor.done.append("stop")
        self.vendor.trouble = situation

    def recording(self) -> bool:
        return self.vendor.recorded

    def commands(self) -> int:
        return len(self.vendor.received)

    def carried_out(self) -> int:
        return len(self.vendor.done)


def fake(recorder: Callable[[Vendor], Recorder], *, shy: bool = False) -> FakeFixture:
    vendor = Vendor()
    return FakeFixture(recorder(vendor), vendor, shy=shy)
