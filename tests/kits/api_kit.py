# SPDX-License-Identifier: Apache-2.0
"""The HTTP API over a real socket, on the components of a daemon, with tokens of every kind."""

import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx

from agi.server import FastAgiServer
from ami.link.supervisor import LinkState
from offrecord.assembly.components import Components
from offrecord.assembly.service import DaemonService
from offrecord.config.sections.http import ApiConfig
from offrecord.status.health import Health
from offrecord.status.metrics import Metrics
from offrecord.web.api.app import create_app
from offrecord.web.server import HttpServer
from offrecord.web.tokens import Tokens
from tests.kits.enforcement_kit import Kept, keeping
from tests.kits.lifecycle_kit import FakeRecorder
from tests.kits.waiting import patience

SCOPES: dict[str, list[str]] = {
    "board": ["read"],
    "crm": ["read", "press"],
    "auditor": ["read", "audit"],
    "prometheus": ["metrics"],
    "everything": ["read", "press", "audit", "metrics"],
}
"""The clients of the tests, and what their tokens are good for."""


@dataclass
class Link:
    """A link as far as it is looked at."""

    state: LinkState = LinkState.UP
    ping_took: float | None = 0.004
    logins: int = 1
    timeouts: int = 0
    problem: Exception | None = None


@dataclass
class Api:
    """The served API, what is behind it, and short ways to ask."""

    kept: Kept
    service: DaemonService
    tokens: Tokens
    metrics: Metrics
    health: Health
    server: HttpServer
    client: httpx.AsyncClient
    components: Components
    token: dict[str, str] = field(default_factory=dict)
    ending: bool = False

    @property
    def url(self) -> str:
        host, port = self.server.address
        return f"http://{host}:{port}"

    async def ask(
        self, method: str, path: str, who: str | None = "crm", **more: Any
    ) -> httpx.Response:
        headers = {**(self.bearer(who) if who else {}), **more.pop("headers", {})}
        return await self.client.request(method, self.url + path, headers=headers, **more)

    async def get(self, path: str, who: str | None = "crm", **more: Any) -> httpx.Response:
        return await self.ask("GET", path, who, **more)

    async def press(self, who: str = "crm", **body: Any) -> httpx.Response:
        asked = {"verb": "stop", "target": "410", **body}
        return await self.ask("POST", "/v1/presses", who, json=asked)

    def bearer(self, who: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token[who]}"}

    @asynccontextmanager
    async def events(self, who: str = "board", **headers: str) -> AsyncIterator[Callable[[], Any]]:
        """Open a stream; yield what returns the next event as (id, kind, data)."""
        async with self.client.stream(
            "GET", f"{self.url}/v1/events", headers={**self.bearer(who), **headers}
        ) as answer:
            assert answer.status_code == 200, await answer.aread()
            lines = answer.aiter_lines()

            async def following() -> tuple[str, str, Any]:
                told: dict[str, str] = {}
                async for line in lines:
                    if not line and told:
                        return told["id"], told["event"], json.loads(told["data"])
                    name, _, value = line.partition(": ")
                    if name:
                        told[name] = value
                raise EOFError

            yield following


@asynccontextmanager
async def api(
    folder: Path, *others: FakeRecorder, settings: Sequence[tuple[str, Any]] = (), **more: Any
) -> AsyncIterator[Api]:
    """Serve the API of a call of 410 and 411, with everything that happens counted."""
    async with keeping(folder, *others, whole=True, **more) as kept:
        pbx = cast("Any", kept.bench.pbx)
        pbx.link, pbx.dropped, pbx.faults = Link(), 0, 0
        kept.time.wall = lambda: time.time_ns() // 1_000_000
        components = cast("Components", kept.path)
        components.fastagi = cast("FastAgiServer", SimpleNamespace(listening=True))
        service = DaemonService(components)
        service.open()
        tokens = Tokens(folder / "tokens.json")
        made = {name: tokens.add(name, scopes) for name, scopes in SCOPES.items()}
        metrics, health = Metrics(components), Health(components)
        config = ApiConfig(enabled=True, tokens=tokens.path, **dict(settings))
        found: list[Api] = []
        app = create_app(
            service, tokens, config, metrics=metrics, healths=health,
            ending=lambda: found[0].ending,
        )  # fmt: skip
        server = HttpServer(app, "127.0.0.1", 0)
        await server.start()
        async with httpx.AsyncClient(timeout=patience()) as client:
            found.append(
                Api(kept, service, tokens, metrics, health, server, client, components, made)
            )
            try:
                yield found[0]
            finally:
                found[0].ending = True
                await server.close()
                await service.close()
