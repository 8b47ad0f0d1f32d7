# SPDX-License-Identifier: Apache-2.0
"""The page on a loopback server, on the components of a daemon with a PBX that tests script."""

import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
from fastapi import FastAPI

from ami.link.supervisor import LinkState
from offrecord.assembly.components import Components
from offrecord.assembly.service import DaemonService
from offrecord.web.page import PREFIX, router
from offrecord.web.page.sessions import Sessions
from offrecord.web.server import HttpServer
from offrecord.web.token_guessing import WrongTokens
from offrecord.web.tokens import Tokens
from tests.kits.enforcement_kit import Kept, keeping, record
from tests.kits.lifecycle_kit import CALL, FakeRecorder
from tests.kits.waiting import patience

SCOPES: dict[str, list[str]] = {
    "desk": ["read", "press", "audit"],
    "wall": ["read"],
    "prometheus": ["metrics"],
}
"""Whose tokens there are, and what they are good for."""

RECORDED = (*CALL, record("1.1"))
"""Two phones in a call that is recorded on the first one's leg."""

AGENTS = {"410": "fred", "411": "wilma"}


@dataclass
class Site:
    """The served page, and what is behind it. `leaving` is what has to close before it does."""

    kept: Kept
    service: DaemonService
    tokens: Tokens
    token: dict[str, str]
    app: FastAPI
    server: HttpServer
    clock: float = 1000.0
    leaving: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    wait: int | None = None
    counted: list[str] = field(default_factory=list)

    def often(self, client: str) -> int | None:
        """Count a press; `wait` seconds when there were too many."""
        self.counted.append(client)
        return self.wait

    @property
    def origin(self) -> str:
        return "http://{}:{}".format(*self.server.address)

    @property
    def url(self) -> str:
        return f"{self.origin}{PREFIX}/"

    def happen(self, *events: Any) -> None:
        """Have the PBX tell of something."""
        self.kept.happen(*events)

    def tell(self) -> None:
        """Have whoever follows the PBX look again."""
        self.service.on_change()

    def down(self) -> None:
        """Have the link to the PBX break."""
        self.kept.bench.pbx.graph.known = False
        cast("Any", self.kept.bench.pbx).link.state = LinkState.DOWN
        self.tell()

    def up(self) -> None:
        """Have it back."""
        self.kept.bench.pbx.graph.known = True
        cast("Any", self.kept.bench.pbx).link.state = LinkState.UP
        self.tell()

    async def cut(self) -> None:
        """Have the server go away, its port with it."""
        await self.server.close()

    async def back(self) -> None:
        """Have it back at the same port."""
        self.server = HttpServer(self.app, *self.server.address)
        await self.server.start()

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.origin, timeout=patience())

    async def log_in(self, client: httpx.AsyncClient, who: str = "desk") -> str:
        """Log in without a browser; return what its forms have to carry."""
        answer = await client.post(f"{PREFIX}/login", data={"token": self.token[who]})
        assert answer.status_code == 303, answer.text
        [csrf] = set(re.findall(r'name="csrf" value="([^"]+)"', (await client.get(self.url)).text))
        return str(csrf)


@asynccontextmanager
async def site(
    folder: Path,
    *others: FakeRecorder,
    events: Any = RECORDED,
    beat: float = 5.0,
    patience: float = 10.0,
    secure: bool = False,
    **more: Any,
) -> AsyncIterator[Site]:
    """Serve the page of a call of fred's 410 and wilma's 411, recorded on 410's leg."""
    given = {"agents": AGENTS, **more}
    async with keeping(folder, *others, events=events, whole=True, **given) as kept:
        pbx = cast("Any", kept.bench.pbx)
        pbx.link = SimpleNamespace(state=LinkState.UP)
        kept.time.wall = lambda: time.time_ns() // 1_000_000
        ends: list[bool] = []
        service = DaemonService(cast("Components", kept.path))
        service.open()
        tokens = Tokens(folder / "tokens.json")
        token = {name: tokens.add(name, scopes) for name, scopes in SCOPES.items()}
        app = FastAPI(openapi_url=None)
        server = HttpServer(app, "127.0.0.1", 0)
        found = Site(kept, service, tokens, token, app, server)
        app.include_router(
            router(
                service, tokens, WrongTokens(3), secure=secure, beat=beat, patience=patience,
                ending=lambda: bool(ends), often=found.often,
                sessions=Sessions(tokens, lambda: found.clock),
            )
        )  # fmt: skip
        await server.start()
        try:
            yield found
        finally:
            for leave in found.leaving:
                await leave()
            ends.append(True)
            await found.server.close()
            await service.close()
