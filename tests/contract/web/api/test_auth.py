# SPDX-License-Identifier: Apache-2.0
"""Who gets in: tokens, scopes, rates, sizes; and that no token is ever repeated."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from offrecord.web.api.body_limits import BODY, BodyLimits
from offrecord.web.server import HttpServer
from tests.kits.api_kit import SCOPES, api
from tests.kits.waiting import safety_net

NEEDS = {
    ("GET", "/v1/calls"): "read",
    ("GET", "/v1/explain?target=410"): "read",
    ("GET", "/v1/status"): "read",
    ("GET", "/v1/events"): "read",
    ("GET", "/v1/presses"): "read",
    ("GET", "/v1/presses/p1"): "read",
    ("POST", "/v1/presses"): "press",
    ("POST", "/v1/presses/p1/ack"): "press",
    ("GET", "/metrics"): "metrics",
}
"""Every address that is not for everybody, and the scope it needs."""

OPEN = {"/healthz", "/readyz", "/openapi.json"}


async def test_every_address_needs_its_scope_and_none_is_forgotten(tmp_path: Path) -> None:
    async with api(tmp_path) as here:
        document = (await here.get("/openapi.json", None)).json()
        known = {
            (method.upper(), path.replace("{press}", "p1"))
            for path, methods in document["paths"].items()
            for method in methods
        }
        assert known == {(m, p.partition("?")[0]) for m, p in NEEDS} | {
            ("GET", path) for path in OPEN - {"/openapi.json"}
        }
        for (method, path), scope in NEEDS.items():
            nobody = await here.ask(method, path, None)
            assert nobody.status_code == 401, path
            assert nobody.headers["WWW-Authenticate"] == 'Bearer realm="offrecord"'
            other = next(name for name, scopes in SCOPES.items() if scope not in scopes)
            refused = await here.ask(method, path, other, json={"verb": "stop", "target": "410"})
            assert refused.status_code == 403, path
            assert refused.json()["scope"] == scope
            assert f'scope="{scope}"' in refused.headers["WWW-Authenticate"]
            assert f"the scope {scope}" in refused.json()["detail"]
        assert await here.kept.bench.presses() == []
        for path in OPEN:
            assert (await here.get(path, None)).status_code == 200


async def test_a_token_counts_until_it_is_revoked_or_over(tmp_path: Path) -> None:
    async with api(tmp_path) as here:
        here.token["guest"] = here.tokens.add("guest", ["read"], int(time.time()) - 1)
        over = await here.get("/v1/calls", "guest")
        good = await here.get("/v1/calls", "board")
        here.tokens.revoke("board")
        gone = await here.get("/v1/calls", "board")

        assert (over.status_code, good.status_code, gone.status_code) == (401, 200, 401)
        assert 'error="invalid_token"' in gone.headers["WWW-Authenticate"]


async def test_no_answer_and_no_log_repeats_a_token(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with api(tmp_path) as here:
        wrong = "or_" + "S3cret" * 7
        answers = [
            await here.client.get(here.url + path, headers={"Authorization": f"{kind} {wrong}"})
            for path in ("/v1/calls", "/readyz", "/metrics", "/none")
            for kind in ("Bearer", "Basic")
        ]
        answers.append(await here.get("/v1/presses", "prometheus"))
        told = "".join(one.text + str(one.headers) for one in answers)
        told += "".join(capsys.readouterr())

        assert "api_wrong_token" in told
        assert wrong not in told
        assert here.token["prometheus"] not in told


@pytest.mark.parametrize(
    ("setting", "path", "allowed"),
    [("requests_per_minute", "/v1/calls", 3), ("presses_per_minute", "/v1/presses", 2)],
)
async def test_one_client_may_do_so_much_in_a_minute_and_others_are_not_touched(
    tmp_path: Path, setting: str, path: str, allowed: int
) -> None:
    async with api(tmp_path, settings=((setting, allowed),)) as here:

        async def ask(who: str) -> httpx.Response:
            if path == "/v1/calls":
                return await here.get(path, who)
            return await here.press(who)

        codes = [(await ask("crm")).status_code for _ in range(allowed + 1)]
        late = await ask("crm")

        assert codes == [200] * allowed + [429]
        assert 1 <= int(late.headers["Retry-After"]) <= 60
        assert "nothing was done" in late.json()["detail"]
        assert (await ask("everything")).status_code == 200
        pressed = 0 if path == "/v1/calls" else allowed + 1
        ways = [one.way for one in await here.kept.bench.presses()]
        assert len(ways) <= pressed


async def test_wrong_tokens_are_slowed_down_and_the_right_one_still_gets_in(
    tmp_path: Path,
) -> None:
    async with api(tmp_path, settings=(("failed_logins_per_minute", 3),)) as here:
        here.token["wrong"] = "or_nobodys"
        codes = [(await here.get("/v1/calls", "wrong")).status_code for _ in range(5)]
        none = await here.get("/v1/calls", None)

        assert codes == [401, 401, 401, 429, 429]
        assert none.status_code == 401  # no token is no try
        assert (await here.get("/v1/calls", "board")).status_code == 200


async def test_tokens_that_others_may_read_let_nobody_in(tmp_path: Path) -> None:
    async with api(tmp_path) as here:
        here.tokens.path.chmod(0o644)
        await asyncio.to_thread(here.tokens.path.write_text, here.tokens.path.read_text() + "\n")
        answer = await here.get("/v1/calls")

        assert answer.status_code == 503
        assert str(tmp_path) not in answer.text


async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    answered: list[tuple[str, str, int]] = []

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise AssertionError("it was let through")

    guard = BodyLimits(app, lambda *what: answered.append(what), patience=0.05)
    server = HttpServer(guard, "127.0.0.1", 0)
    await server.start()
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(b"POST /v1/presses HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
    async with safety_net("a slow request is answered"):
        status = await reader.readline()
    writer.close()
    await server.close()

    assert status.startswith(b"HTTP/1.1 408 ")
    assert answered == [("POST", "other", 408)]


async def test_a_body_has_a_limit_with_and_without_its_length(tmp_path: Path) -> None:
    async with api(tmp_path) as here:
        long = json.dumps({"verb": "stop", "target": "4" * BODY}).encode()
        plain = await here.ask("POST", "/v1/presses", content=long)

        async def pieces() -> Any:
            for start in range(0, len(long), 8000):
                yield long[start : start + 8000]

        chunked = await here.ask("POST", "/v1/presses", content=pieces())
        for answer in (plain, chunked):
            assert answer.status_code == 413
            assert answer.headers["Content-Type"] == "application/problem+json"


async def test_every_answer_is_kept_by_no_cache_and_guessed_at_by_no_browser(
    tmp_path: Path,
) -> None:
    async with api(tmp_path) as here:
        for path in ("/v1/calls", "/nothing", "/readyz"):
            answer = await here.get(path)
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
        wrong = await here.ask("DELETE", "/v1/calls")
        assert (wrong.status_code, wrong.headers["Allow"]) == (405, "GET")
        assert wrong.json()["fix"] == "see the header Allow"
        for page in ("/docs", "/redoc"):
            assert (await here.get(page)).status_code == 404
