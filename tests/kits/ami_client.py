# SPDX-License-Identifier: Apache-2.0
"""A running AMI link that remembers what it told, and a running PBX view, for contract tests."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from ami.events.types import Event
from ami.link.supervisor import AmiLink, LinkState
from ami.pbx import Pbx
from ami.settings import AmiSettings
from tests.kits.waiting import eventually, patience


class Client:
    """A running link with all it told."""

    def __init__(self, settings: AmiSettings, chance: Callable[[], float] = lambda: 0.5) -> None:
        self.events: list[Event] = []
        self.reads: list[int] = []
        self.gaps: list[str] = []
        self.states: list[LinkState] = []
        self.link = AmiLink(
            settings,
            sink=self.sink,
            on_state=self.states.append,
            on_gap=self.gaps.append,
            chance=chance,
        )
        self.task = asyncio.create_task(self.link.run())

    def sink(self, events: list[Event]) -> None:
        self.reads.append(len(events))
        self.events.extend(events)


@asynccontextmanager
async def client(settings: AmiSettings, *, wait: bool = True) -> AsyncIterator[Client]:
    running = Client(settings)
    try:
        if wait:
            await connected(running.link)
        yield running
    finally:
        await running.link.close()
        await asyncio.wait({running.task})


def table(link: AmiLink) -> dict[str, object]:
    assert link._protocol is not None
    return dict(link._protocol.responses)


@asynccontextmanager
async def following(settings: AmiSettings, *, known: bool = True) -> AsyncIterator[Pbx]:
    pbx = Pbx(settings)
    running = asyncio.create_task(pbx.run())
    try:
        if known:
            assert await pbx.wait_known(patience())
        yield pbx
    finally:
        await pbx.close()
        await running


def counts(pbx: Pbx) -> dict[str, int | None]:
    return {c.uniqueid: c.monitors for call in pbx.graph.calls() for c in call.channels}


async def connected(link: AmiLink) -> None:
    """Return once the link is up; fail when it is given up, closed or never up."""
    await eventually(lambda: link.state in {LinkState.UP, LinkState.REFUSED, LinkState.CLOSED})
    assert link.state is LinkState.UP, link.problem


async def logged_in(link: AmiLink, times: int) -> None:
    await eventually(lambda: link.logins == times)


async def failed(link: AmiLink) -> None:
    await eventually(lambda: link.problem)
