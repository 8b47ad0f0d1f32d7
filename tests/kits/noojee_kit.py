# SPDX-License-Identifier: Apache-2.0
"""A simulated Noojee on a loopback port, with a phone that is being recorded, and its clocks."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from bridges.simulators.harness import Entry, SimClock
from bridges.simulators.noojee.app import DEMO_KEY, NoojeeSimulator
from bridges.simulators.noojee.calls import SimCall
from bridges.simulators.noojee.switches import NoojeeSwitches
from bridges.simulators.server import SimServer
from noojee import Extension, Kind, NoojeeClient, Signed, UniqueId

KEY = DEMO_KEY
USER_KEY = "11111111-2222-3333-4444-555555555555"
CALL = UniqueId("12347811.214")
PHONE = Extension("410")


class Clock:
    """The one clock of client and server, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_392_356_108.888

    def __call__(self) -> float:
        return self.now


@dataclass
class Fixture:
    """The simulator, its server, the clock both sides share, and the recorded call."""

    sim: NoojeeSimulator
    server: SimServer
    clock: Clock
    call: SimCall
    clients: list[NoojeeClient] = field(default_factory=list)

    @property
    def switches(self) -> NoojeeSwitches:
        return self.sim.switches

    def client(self, **options: Any) -> NoojeeClient:
        options = {"auth": Signed(KEY), "clock": self.clock, "sleep": no_sleep} | options
        client = NoojeeClient(self.server.url, **options)
        self.clients.append(client)
        return client

    def later(self, seconds: float) -> Callable[[Entry], None]:
        """Return a listener of the request log that lets time pass with every stop."""

        def move(entry: Entry) -> None:
            self.clock.now += seconds if entry.operation == "stop" else 0

        return move

    def asked(self, operation: str) -> list[Entry]:
        return self.sim.log.of(operation)


async def no_sleep(_seconds: float) -> None:
    await asyncio.sleep(0)


@asynccontextmanager
async def fixture(*, tls: ssl.SSLContext | None = None, **switches: Any) -> AsyncIterator[Fixture]:
    """Run a simulator with one recorded call of 410, and the agents of its rows."""
    clock = Clock()
    sim = NoojeeSimulator(
        KEY,
        user_key=USER_KEY,
        switches=NoojeeSwitches(**switches),
        clock=SimClock(source=clock),
    )
    sim.pbx.add_user("Fred", extension="410", team="sales")
    sim.pbx.add_user("Mallory", extension="499")
    call = sim.pbx.add_call("PJSIP/410-00000012", str(CALL))
    async with SimServer(sim, tls=tls) as server:
        made = Fixture(sim, server, clock, call)
        try:
            yield made
        finally:
            for client in made.clients:
                await client.aclose()


async def stop(made: Fixture, **more: object) -> Kind:
    return (await made.client(**more).stop(CALL, agent_login_name="Fred")).kind


async def plain(made: Fixture, method: str, path: str, **query: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.request(method, made.server.url + path, params=query)
