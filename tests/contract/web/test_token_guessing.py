# SPDX-License-Identifier: Apache-2.0
"""Wrong tokens of one address are counted together, whether the API or the page was sent them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from offrecord.config.sections.http import ApiConfig
from offrecord.web.api.wiring import attach
from offrecord.web.page import PREFIX
from offrecord.web.token_guessing import network
from offrecord.web.tokens import Tokens
from tests.kits.api_kit import api

LIMIT = 3
GOOD = "good"


class Faces:
    """The API and the page behind one app."""

    def __init__(self, client: httpx.AsyncClient, token: str) -> None:
        self._client = client
        self._token = token

    async def api(self, token: str) -> httpx.Response:
        """Show a token to the API."""
        headers = {"Authorization": f"Bearer {self._given(token)}"}
        return await self._client.get("/v1/status", headers=headers)

    async def page(self, token: str) -> httpx.Response:
        """Log in to the page with a token."""
        return await self._client.post(f"{PREFIX}/login", data={"token": self._given(token)})

    def _given(self, token: str) -> str:
        return self._token if token == GOOD else token


@asynccontextmanager
async def faces(folder: Path) -> AsyncIterator[Faces]:
    """Serve both with a limit of `LIMIT` wrong tokens a minute."""
    async with api(folder) as here:
        path = folder / "both.json"
        token = Tokens(path).add("desk", ["read"])
        config = ApiConfig(enabled=True, tokens=path, failed_logins_per_minute=LIMIT)
        app = attach(here.service, config, lambda: False, secure=False)
        transport = httpx.ASGITransport(app, client=("203.0.113.9", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://pbx") as client:
            yield Faces(client, token)


async def test_who_guesses_at_the_api_is_slowed_down_at_the_page(tmp_path: Path) -> None:
    async with faces(tmp_path) as here:
        guessed = [(await here.api(f"or_{n}")).status_code for n in range(LIMIT)]
        page = await here.page("or_more")

        assert guessed == [401] * LIMIT
        assert page.status_code == 429
        assert 1 <= int(page.headers["Retry-After"]) <= 60
        assert (await here.page(GOOD)).status_code == 303


async def test_who_guesses_at_the_page_is_slowed_down_at_the_api(tmp_path: Path) -> None:
    async with faces(tmp_path) as here:
        guessed = [(await here.page(f"or_{n}")).status_code for n in range(LIMIT)]
        refused = await here.api("or_more")

        assert guessed == [403] * LIMIT
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
        assert (await here.api(GOOD)).status_code == 200


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("testclient", "testclient"),
    ],
)
def test_whoever_owns_a_network_is_one_party(address: str, key: str) -> None:
    assert network(address) == key
