# SPDX-License-Identifier: Apache-2.0
"""A reconciler with a real journal, and what it noted."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from offrecord.config.sections.reconcile import ReconcileConfig
from offrecord.journal.journal import Journal, Record
from offrecord.reconcile.reconciler import Reconciler
from tests.kits.waiting import eventually

LINKEDID = "1700.1"
UNIQUEID = "12347811.214"
"""Of the handset's channel."""
T = 1_700_000_000_000
"""When calls of the tests began, in ms UTC."""


@dataclass
class House:
    """A reconciler, its journal, and what it noted."""

    reconciler: Reconciler
    journal: Journal
    noted: list[tuple[str, str, Mapping[str, object]]] = field(default_factory=list)

    async def note(self, press: str, kind: str, at: int, /, **body: Any) -> None:
        await self.journal.write(Record(press, kind, body, at))

    async def pressed(
        self, at: int, *results: Mapping[str, object], verb: str = "stop", press: str = "p1"
    ) -> None:
        await self.note(press, "pressed", at, verb=verb, recorder=None, target="410")
        channels = [{"channel": "PJSIP/410-00000012", "uniqueid": UNIQUEID}]
        await self.note(press, "resolved", at, call=LINKEDID, lineage=[LINKEDID], channels=channels)
        for result in results:
            await self.note(press, "answered", at + 100, **result)

    async def done(self) -> None:
        await eventually(lambda: not self.reconciler.waiting)

    @property
    def incidents(self) -> list[Mapping[str, object]]:
        return [body for _, kind, body in self.noted if kind == "incident"]


LOCAL = {"recorder": "local", "kind": "asterisk", "outcome": "confirmed"}
NOOJEE = {"recorder": "noojee", "kind": "noojee", "outcome": "accepted"}


@asynccontextmanager
async def house(
    folder: Path, recorders: Mapping[str, object], now: int, *, most: int = 10, **settings: Any
) -> AsyncIterator[House]:
    given = ReconcileConfig(**{"delays": (0.0, 0.01), "time_zone": "UTC", **settings})
    noted: list[tuple[str, str, Mapping[str, object]]] = []
    async with Journal(folder / "journal.sqlite3") as journal:
        reconciler = Reconciler(
            journal.path, lambda: recorders, given,
            lambda *what: noted.append(what), now=lambda: now, most=most,
        )  # fmt: skip
        reconciler.open()
        try:
            yield House(reconciler, journal, noted)
        finally:
            await reconciler.close()
