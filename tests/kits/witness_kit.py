# SPDX-License-Identifier: Apache-2.0
"""A witness on a folder that stands for Asterisk's spool, and a PBX that lists what it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from ami.calls.graph import CallGraph
from ami.errors import AmiDenied
from ami.events.types import Event
from ami.link.actions import Response
from offrecord.config.sections.witness import WitnessConfig
from offrecord.journal.journal import Record
from offrecord.witness.files import BLOCK
from offrecord.witness.folders import SPOOL
from offrecord.witness.witness import Witness
from tests.kits.call_kit import graph

T = 1_700_000_000
"""When the tests begin, in seconds since the epoch."""


@dataclass
class SpoolPbx:
    """A PBX with a spool. `files` are `MIXMONITOR_FILENAME` by uniqueid, `applications` too."""

    graph: CallGraph
    spool: Path
    files: dict[str, str] = field(default_factory=dict)
    applications: dict[str, tuple[str, str]] = field(default_factory=dict)
    listings: int = 0
    version: tuple[int, ...] = (22, 10, 1)

    async def wait_known(self, timeout: float) -> bool:
        return self.graph.known

    async def action(
        self,
        name: str,
        fields: Mapping[str, str | Sequence[str]] | None = None,
        *,
        timeout: float | None = None,
    ) -> Response:
        assert name == "Getvar"
        assert fields == {"Variable": "ASTSPOOLDIR"}
        return Response(True, "", {"Value": str(self.spool)})

    async def action_list(
        self, name: str, fields: Mapping[str, str | Sequence[str]], *, timeout: float
    ) -> list[Response]:
        assert name == "CoreShowChannels"
        self.listings += 1
        return [
            Response(True, "", {
                "Channel": one.name, "Uniqueid": one.uniqueid, "Linkedid": one.linkedid,
                "Application": self.applications.get(one.uniqueid, ("Dial", ""))[0],
                "ApplicationData": self.applications.get(one.uniqueid, ("Dial", ""))[1],
                "BridgeId": one.bridge_id or "",
            })
            for call in self.graph.calls() for one in call.channels
        ]  # fmt: skip

    async def getvar(self, uniqueid: str, name: str) -> str:
        assert name == "MIXMONITOR_FILENAME"
        if self.graph.channel(uniqueid) is None:
            raise AmiDenied("Getvar", "No such channel")
        return self.files.get(uniqueid, "")


@dataclass
class Scene:
    """The witness, its PBX, the records it wrote, and the time, which only `after` moves."""

    pbx: SpoolPbx
    witness: Witness = field(init=False)
    noted: list[tuple[str, str, Mapping[str, Any]]] = field(default_factory=list)
    time: float = 100.0
    silent: set[Path] = field(default_factory=set)
    recordings: dict[Path, BinaryIO] = field(default_factory=dict)

    def now(self) -> float:
        return T + self.time - 100.0

    def record(self, press: str, kind: str, /, **body: object) -> None:
        self.witness.on_record(Record(press, kind, body, round(self.now() * 1000)))

    def told(
        self, press: str = "p1", verb: str = "stop", outcome: str = "confirmed", call: str = "1.1"
    ) -> None:
        """Tell the witness of a press and its verdict."""
        self.record(press, "pressed", verb=verb, recorder=None)
        self.record(press, "verdict", verb=verb, outcome=outcome, call=call)

    async def happen(self, *events: Event) -> None:
        for event in events:
            self.pbx.graph.apply(event)
            self.witness.event(event, self.pbx.graph)
        await asyncio.sleep(0.01)

    async def write(self, path: Path, after: float = 0.0) -> None:
        """Write a block to a recording, made when it is new, and wait until that was seen."""
        self.time += after
        if path not in self.recordings:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.recordings[path] = path.open("wb", buffering=0)
            await self.until(lambda: self.witness.watch.watches(path.parent))
        before = self.witness.files.get(path)
        seen = before.writes if before else 0
        self.recordings[path].write(bytes(BLOCK))
        await self.until(
            lambda: (one := self.witness.files.get(path)) is not None and one.writes > seen
        )

    async def end(self, path: Path) -> None:
        """Close a recording, and wait until that was seen."""
        self.recordings.pop(path).close()
        await self.until(lambda: self.witness.files.closed_at(path) is not None)

    async def until(self, seen: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not seen():
                await asyncio.sleep(0.002)

    async def settled(self) -> None:
        """Wait until every write so far has been accounted for."""
        for _ in range(2):
            before = self.rounds
            self.witness._suspicious.set()
            await self.until(lambda: self.rounds > before)  # noqa: B023 - called at once

    rounds: int = 0

    async def sleep(self, seconds: float) -> None:
        if seconds < 1:
            self.rounds += 1
        await asyncio.sleep(0.005)

    async def known_silent(self, files: Collection[Path]) -> set[Path]:
        """Return which files are known to hold silence: those in `silent`."""
        return self.silent.intersection(files)

    def of(self, kind: str) -> list[Mapping[str, Any]]:
        return [body for _, each, body in self.noted if each == kind]


@asynccontextmanager
async def scene(
    spool: Path, *events: Event, here: bool = True, **settings: Any
) -> AsyncIterator[Scene]:
    for name in SPOOL:
        (spool / name).mkdir(parents=True, exist_ok=True)
    made = Scene(SpoolPbx(graph(*events), spool))
    made.pbx.graph.known = True
    made.witness = Witness(
        made.pbx, WitnessConfig(**settings), lambda *what: made.noted.append(what),
        lambda _callback: None, here=here, silent=made.known_silent, clock=lambda: made.time,
        now=made.now, sleep=made.sleep,
    )  # fmt: skip
    made.witness.open()
    try:
        wanted = [spool / name for name in SPOOL] if here else [*settings.get("folders", ())]
        await made.until(lambda: all(map(made.witness.watch.watches, wanted)))
        yield made
    finally:
        await made.witness.close()
        for one in made.recordings.values():
            one.close()
