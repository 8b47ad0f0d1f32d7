# SPDX-License-Identifier: Apache-2.0
"""An engine with a real journal, on a call of 410 and 411, with recorders the test scripts.

No stop outlives its press here: `enforcement_kit` has the daemon's own enforcer.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ami.calls.graph import CallGraph
from ami.errors import AmiDenied, AmiError
from ami.link.actions import Response
from ami.pbx import Subscriber
from bridges.model import (
    ORDERS,
    Capabilities,
    Evidence,
    Looking,
    Order,
    Outcome,
    Plan,
    RecorderResult,
    Verb,
)
from bridges.routing import Router, Rule
from offrecord.assembly.components import Components
from offrecord.assembly.core_objects import PressPath
from offrecord.journal import PressSummary, StoredRecord, presses, show
from offrecord.journal.journal import Journal, Record
from offrecord.model.intents import Intent, Intents
from offrecord.model.press import Press, Way
from offrecord.model.verdict import Verdict
from offrecord.presses.agent_lookup import Agents
from offrecord.presses.find_call import Resolver
from offrecord.presses.lifecycle import Engine, PressRun
from offrecord.presses.plan import Plan as PressPlan
from offrecord.presses.records import Records
from offrecord.presses.site_settings import CurrentSite, SiteSettings
from offrecord.status.event_feed import EventFeed
from tests.kits.call_kit import enter, graph, new
from tests.kits.waiting import safety_net

CALL = (
    new("1.1", "SIP/410-1", exten="411"),
    new("1.2", "SIP/411-2", "1.1"),
    enter("b", "1.1", "1.1"),
    enter("b", "1.2", "1.1"),
)
"""Two phones in one call."""

TRUNK_CALL = (
    new("1.1", "SIP/my-trunk-1"),
    new("1.2", "SIP/411-2", "1.1"),
    enter("b", "1.1", "1.1"),
    enter("b", "1.2", "1.1"),
)
"""A caller from outside and a phone."""

CAN = Capabilities(frozenset(ORDERS), Evidence.NOTHING_ELSE)

Act = Callable[[Order], Awaitable[RecorderResult]]


@dataclass
class FakePbx:
    """A PBX whose channels have variables. While `known` is not set nobody knows its calls."""

    graph: CallGraph
    variables: Mapping[tuple[str, str], str] = field(default_factory=dict)
    known: asyncio.Event = field(default_factory=asyncio.Event)
    actions: list[tuple[str, Mapping[str, str | Sequence[str]]]] = field(default_factory=list)
    broken: AmiError | None = None
    lacks: str = ""
    subscribers: list[Subscriber] = field(default_factory=list)

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        self.subscribers.append(callback)
        return lambda: self.subscribers.remove(callback)

    def happen(self, *events: Any) -> None:
        """Have the PBX tell of something."""
        for event in events:
            self.graph.apply(event)
            for callback in [*self.subscribers]:
                callback(event, self.graph)

    async def wait_known(self, timeout: float) -> bool:
        try:
            async with asyncio.timeout(timeout):
                await self.known.wait()
        except TimeoutError:
            return False
        return True

    async def getvar(self, uniqueid: str, name: str) -> str:
        await asyncio.sleep(0)
        if self.graph.channel(uniqueid) is None:
            raise AmiDenied("Getvar", "No such channel")
        return self.variables.get((uniqueid, name), "")

    async def action_list(
        self, name: str, fields: Mapping[str, str | Sequence[str]], *, timeout: float
    ) -> list[Response]:
        """Know nobody by database or queue: the engine's tests name people by table."""
        raise AmiDenied(name, "Permission denied")

    @property
    def version(self) -> tuple[int, ...]:
        return (22, 10, 1)

    async def action(
        self,
        name: str,
        fields: Mapping[str, str | Sequence[str]] | None = None,
        *,
        timeout: float | None = None,
    ) -> Response:
        """Note an action, and say yes to it."""
        self.actions.append((name, fields or {}))
        await asyncio.sleep(0)
        if self.broken is not None:
            raise self.broken
        return Response(ok=True, message="done", headers={})

    def learn(self, *events: Any) -> None:
        """Have the calls known from now on."""
        self.graph.known = True
        for event in events:
            self.graph.apply(event)
        self.known.set()


def result(
    name: str,
    outcome: Outcome = Outcome.CONFIRMED,
    evidence: Evidence = Evidence.NOTHING_ELSE,
    detail: str = "as scripted",
) -> RecorderResult:
    return RecorderResult(name, "fake", outcome, evidence, detail)


@dataclass
class FakeRecorder:
    """Keeps its orders, and answers as told; `script` acts in its place."""

    name: str
    outcome: Outcome = Outcome.CONFIRMED
    evidence: Evidence = Evidence.NOTHING_ELSE
    script: Act | None = None
    orders: list[Order] = field(default_factory=list)
    plans: list[Order] = field(default_factory=list)
    kind: str = "fake"
    capabilities: Capabilities = CAN

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def probe(self) -> str:
        return "here"

    async def act(self, order: Order) -> RecorderResult:
        self.orders.append(order)
        await asyncio.sleep(0)
        if self.script is not None:
            return await self.script(order)
        return result(self.name, self.outcome, self.evidence)

    def plan(self, order: Order) -> Plan:
        self.plans.append(order)
        return Plan(self.name, self.kind, "here", ("STOP it",))

    @property
    def verbs(self) -> list[Verb]:
        return [order.verb for order in self.orders]


class Gate:
    """A script that holds an order until `open`; it then ends as told, and counts who was cut."""

    def __init__(self, outcome: Outcome = Outcome.CONFIRMED) -> None:
        self.outcome = outcome
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()
        self.cut = 0

    async def __call__(self, _order: Order) -> RecorderResult:
        self.reached.set()
        try:
            await self.opened.wait()
        except asyncio.CancelledError:
            self.cut += 1
            raise
        return result("local", self.outcome)


class NothingOutlives:
    """An enforcement under which a press ends with its verdict."""

    def __init__(self) -> None:
        self.intents = Intents()

    def refusal(self, *_: object) -> None:
        return None

    def begin(self, plan: PressPlan) -> Intent:
        press, call = plan.press, plan.resolved.call
        return Intent(press.id, press.verb, call.linkedid, call.ids, plan.recorders, 0)

    async def release(self, *_: object) -> None: ...

    def asked(self, *_: object) -> None: ...

    async def close(self) -> None: ...


@dataclass
class Bench:
    """The engine, what is around it, and short ways to press and to look."""

    pbx: FakePbx
    path: Path
    now: float = 1000.0
    verdicts: list[Mapping[str, object]] = field(default_factory=list)
    engine: Engine = field(init=False)
    records_: Records = field(init=False)
    site: CurrentSite = field(init=False)
    feed: EventFeed = field(init=False)
    _ids: Any = field(default_factory=lambda: itertools.count(1))

    def press(
        self, verb: Verb = Verb.STOP, uniqueid: str = "1.1", way: Way = "fastagi", **more: Any
    ) -> PressRun:
        names = {"1.1": "SIP/410-1", "1.2": "SIP/411-2"}
        given = {"channel": names.get(uniqueid, ""), **more}
        press = Press(
            f"p{next(self._ids)}", verb, way, uniqueid, 0, self.now, uniqueid, **given
        )  # fmt: skip
        return self.engine.press(press)

    def command(self, target: str, verb: Verb = Verb.STOP, **more: Any) -> PressRun:
        press = Press(f"p{next(self._ids)}", verb, "cli", target, 0, self.now, **more)
        return self.engine.press(press)

    @property
    def resolver(self) -> Resolver:
        return self.site.settings.resolver

    def on_record(self, record: Record) -> None:
        if record.kind == "verdict":
            self.verdicts.append(record.body)

    async def kinds(self, press: str = "p1") -> list[str]:
        return [record.kind for record in await self.records(press)]

    async def records(self, press: str = "p1") -> list[StoredRecord]:
        await self.written()
        return await asyncio.to_thread(show, self.path, press)

    async def presses(self) -> list[PressSummary]:
        await self.written()
        return (await asyncio.to_thread(presses, self.path))[::-1]

    async def written(self) -> None:
        """Wait until all that the engine had to say is in the journal."""
        await self.engine.idle()
        await self.records_.flush()


async def end(*handles: PressRun) -> list[Verdict]:
    async with safety_net("every press has its verdict"):
        return [await asyncio.shield(handle.verdict) for handle in handles]


@asynccontextmanager
async def bench(
    folder: Path,
    *recorders: FakeRecorder,
    events: Sequence[Any] = CALL,
    pbx: FakePbx | None = None,
    rules: Sequence[Rule] = (),
    agents: Mapping[str, str] | None = None,
    wait_known: float = 0.01,
    path: Callable[[SiteSettings, Journal], PressPath | Components] | None = None,
    pbx_look: Looking | None = None,
    **site: Any,
) -> AsyncIterator[Bench]:
    """Yield an engine and what is around it. `path` makes them with an enforcer."""
    file = folder / "journal.sqlite3"
    made = {one.name: one for one in recorders or (FakeRecorder("local"),)}
    pbx = pbx or FakePbx(graph(*events))
    resolver = Resolver(pbx, Agents(agents or {}), wait_known=wait_known)
    router = Router(tuple(made), tuple(made), rules)
    settings = SiteSettings(resolver, made, router, pbx=pbx_look, **site)
    found = Bench(pbx, file)
    async with Journal(file) as journal:
        if path is not None:
            whole = path(settings, journal)
            found.feed, found.records_ = whole.feed, whole.records
            found.site, found.engine = whole.site, whole.engine
        else:
            found.feed = EventFeed()
            found.records_ = Records(journal, found.feed.publish)
            found.site = CurrentSite(settings)
            found.engine = Engine(
                found.site, found.records_, NothingOutlives(), monotonic=lambda: found.now
            )
        found.feed.subscribe(found.on_record)
        try:
            yield found
        finally:
            await found.engine.close(0.0)
