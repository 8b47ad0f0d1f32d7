# SPDX-License-Identifier: Apache-2.0
"""An engine with an enforcer, on scripted PBX events, in a time that passes only when told to."""

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from ami.events.types import MixMonitorMute, MixMonitorStart
from ami.pbx import Pbx
from bridges.model import Evidence, Order, Outcome, RecorderResult, Verb
from offrecord.assembly.components import Components
from offrecord.assembly.core_objects import Clock, PressPath
from offrecord.config import load
from offrecord.enforcement.context import Observers, State
from offrecord.enforcement.enforcer import EnforcementSettings, Enforcer
from offrecord.journal.journal import Journal
from offrecord.model.intents import Intent, Intents
from offrecord.model.press import Press
from offrecord.model.verdict import Verdict
from offrecord.presses.site_settings import SiteSettings
from tests.kits.call_kit import graph
from tests.kits.lifecycle_kit import CALL, CAN, Bench, FakePbx, FakeRecorder, bench, result
from tests.kits.waiting import safety_net


def record(uniqueid: str = "1.1") -> MixMonitorStart:
    return MixMonitorStart(f"SIP/{uniqueid}", uniqueid, "")


class Time:
    """Sleeps end when `pass_` has come that far, in order."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.monotonic: Callable[[], float] = lambda: self.now
        self.wall: Callable[[], int] = lambda: round(self.now * 1000)
        self._sleeping: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = itertools.count()

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleeping, (self.now + seconds, next(self._count), future))
        await future

    async def pass_(self, seconds: float) -> None:
        ends = self.now + seconds
        await settle()
        while self._sleeping and self._sleeping[0][0] <= ends + 1e-9:
            self.now, _, future = heapq.heappop(self._sleeping)
            if not future.done():
                future.set_result(None)
            await settle()
        self.now = ends


async def settle() -> None:
    """Let all that can go on without time passing do so."""
    for _ in range(40):
        await asyncio.sleep(0)


@dataclass
class Heard:
    states: list[tuple[str | None, State]] = field(default_factory=list)
    repeats: list[str] = field(default_factory=list)
    late: list[Outcome] = field(default_factory=list)
    reminders: list[str] = field(default_factory=list)

    def observers(self) -> Observers:
        def state(extension: str | None, state: State) -> None:
            self.states.append((extension, state))

        def repeat(press: Press, _verdict: Verdict, channel: str) -> None:
            self.repeats.append(f"{press.id} {channel}")

        def late(_press: Press, verdict: Verdict, _channel: str) -> None:
            self.late.append(verdict.outcome)

        def remind(channel: str, _uniqueid: str) -> None:
            self.reminders.append(channel)

        return Observers(state, repeat, late, remind)


class Local(FakeRecorder):
    """The PBX's own recorder, on the graph of the test: it stops and mutes what runs there."""

    def __init__(self, pbx: FakePbx, name: str = "local") -> None:
        here = replace(CAN, on_pbx=True)
        super().__init__(name, kind="asterisk", script=self._do, capabilities=here)
        self.pbx = pbx
        self.refuse: str = ""

    async def _do(self, order: Order) -> RecorderResult:
        if self.refuse:
            failed = result(self.name, Outcome.FAILED, Evidence.SENT, self.refuse)
            return replace(failed, retryable=True)
        found = self.pbx.graph.call_of(order.call.channels[0].uniqueid)
        running = found.monitored if found else ()
        if not running:
            return result(self.name, Outcome.NOTHING_TO_STOP)
        for channel in running:
            if order.verb is Verb.STOP:
                self.pbx.graph.set_monitors(channel.uniqueid, 0)
            else:
                muted = order.verb is Verb.PAUSE
                self.pbx.graph.apply(
                    MixMonitorMute(channel.name, channel.uniqueid, "", "both", muted)
                )
        return result(self.name)


@dataclass
class Kept:
    """A bench with an enforcer, and short ways to have things happen."""

    bench: Bench
    path: PressPath | Components
    time: Time
    heard: Heard
    local: Local

    def happen(self, *events: Any) -> None:
        """Have the PBX tell of something."""
        self.bench.pbx.happen(*events)

    async def pass_(self, seconds: float) -> None:
        """Let time pass, with the enforcer checking four times a second."""
        for _ in range(max(1, round(seconds / 0.25))):
            await self.time.pass_(min(seconds, 0.25))
            self.enforcer.tick()
        await settle()

    def press(self, verb: Verb = Verb.STOP, uniqueid: str = "1.1", **more: Any) -> Any:
        self.bench.now = self.time.now
        return self.bench.press(verb, uniqueid, **more)

    async def pressed(self, verb: Verb = Verb.STOP, uniqueid: str = "1.1", **more: Any) -> Verdict:
        """Press and wait for the verdict."""
        async with safety_net("the press has its verdict"):
            verdict: Verdict = await asyncio.shield(self.press(verb, uniqueid, **more).verdict)
        await settle()
        return verdict

    async def bodies(self, kind: str, press: str = "p1") -> list[dict[str, Any]]:
        await settle()
        return [one.body for one in await self.bench.records(press) if one.kind == kind]

    @property
    def enforcer(self) -> Enforcer:
        return self.path.enforcer

    @property
    def intents(self) -> Intents:
        return self.enforcer.intents


@asynccontextmanager
async def keeping(
    folder: Path,
    *others: FakeRecorder,
    events: Sequence[Any] = CALL,
    settings: EnforcementSettings | None = None,
    intents: Sequence[Intent] = (),
    whole: bool = False,
    **more: Any,
) -> AsyncIterator[Kept]:
    """Yield a bench with an enforcer; with `whole` inside of all the daemon's components."""
    pbx, time, heard = FakePbx(graph(*events)), Time(), Heard()
    local = Local(pbx)
    clock = Clock(lambda: time.monotonic(), lambda: time.wall(), time.sleep)  # noqa: PLW0108
    made: list[PressPath | Components] = []

    def path(site: SiteSettings, journal: Journal) -> PressPath | Components:
        if whole:
            made.append(components(folder, pbx, site, journal, clock))
        else:
            made.append(
                PressPath(
                    pbx, journal, site, join_window=3.0, enforcement=settings,
                    observers=heard.observers(), clock=clock,
                )
            )  # fmt: skip
        return made[0]

    async with bench(folder, local, *others, pbx=pbx, path=path, **more) as here:
        if whole and settings is not None:
            made[0].enforcer.reconfigure(settings)
        made[0].enforcer.restore(intents)
        yield Kept(here, made[0], time, heard, local)


def components(
    folder: Path, pbx: FakePbx, site: SiteSettings, journal: Journal, clock: Clock
) -> Components:
    """Return all components of a daemon, on a PBX and a site of the test's."""
    config = folder / "offrecord.toml"
    config.write_text(
        f"""[ami]
username = "offrecord"
secret = {{ env = "S" }}
[journal]
path = "{journal.path}"
"""
    )
    made = Components(
        load(config, {"S": "x"}), pbx=cast("Pbx", pbx), journal=journal, clock=clock,
        recorders=lambda _loaded, _pbx: dict(site.recorders),
    )  # fmt: skip
    made.site.settings = site
    return made
