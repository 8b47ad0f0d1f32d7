# SPDX-License-Identifier: Apache-2.0
"""The API in the daemon: at the address of the hooks, counted, and not loaded without need."""

import subprocess
import sys
from pathlib import Path
from typing import cast

import httpx
import pytest

from bridges.model import Recorder
from offrecord.config import ConfigError, api_tokens, load
from offrecord.config.sections.http import ApiConfig
from offrecord.journal.journal import Record
from offrecord.web.api.wiring import attach
from offrecord.web.server import HttpServer
from offrecord.web.tokens import Tokens
from offrecord.web.vendor_callbacks import hooks
from tests.kits.ami_client import client
from tests.kits.ami_peer import AmiPeer
from tests.kits.api_kit import api
from tests.kits.hooked_recorder import Hooked
from tests.kits.waiting import eventually, patience


async def test_hooks_and_api_share_one_address(tmp_path: Path) -> None:
    async with api(tmp_path) as here:
        path = tmp_path / "wired.json"
        token = Tokens(path).add("crm", ["read", "metrics"])
        app = attach(
            here.service, ApiConfig(enabled=True, page=False, tokens=path), lambda: False,
            secure=False,
        )  # fmt: skip
        recorders = cast("dict[str, Recorder]", {"cloud": Hooked("cloud")})
        server = HttpServer(hooks(lambda: recorders, lambda: app), "127.0.0.1", 0)
        await server.start()
        url = "http://{}:{}".format(*server.address)
        bearer = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient() as client_:
            assert (await client_.get(f"{url}/hooks/cloud/x")).text == "cloud GET /x"
            assert (await client_.get(f"{url}/hooks/none/x")).status_code == 404
            assert (await client_.get(f"{url}/healthz")).text == "alive\n"
            assert (await client_.get(f"{url}/v1/status", headers=bearer)).status_code == 200
            await here.press()
            await here.kept.bench.written()
            figures = (await client_.get(f"{url}/metrics", headers=bearer)).text
            assert 'offrecord_presses_total{outcome="nothing_to_stop"' in figures
            assert "recorder local: ok" in (await client_.get(f"{url}/readyz", headers=bearer)).text
        await server.close()


async def test_a_figure_that_breaks_breaks_no_press(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_record: Record) -> None:
        raise KeyError("outcome")

    async with api(tmp_path) as here:
        here.service.feed.subscribe(broken)
        assert (await here.press()).status_code == 200
        await here.kept.bench.written()
        assert "verdict" in await here.kept.bench.kinds((await here.kept.bench.presses())[0].press)
    assert "subscriber_broke" in capsys.readouterr().out


def test_without_the_api_nothing_of_it_is_loaded() -> None:
    heavy = ("fastapi", "jinja2", "limits", "prometheus_client", "sse_starlette")
    code = f"import sys, offrecord.daemon.daemon; print([n for n in {heavy} if n in sys.modules])"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=patience()
    )

    assert ran.stdout.strip() == "[]"


def test_an_api_that_nobody_listens_for_is_a_mistake(tmp_path: Path) -> None:
    config = tmp_path / "offrecord.toml"
    ami = '[ami]\nusername = "offrecord"\nsecret = { env = "S" }\n'
    config.write_text(f"{ami}[api]\nenabled = true\ntokens = 't.json'\n")
    with pytest.raises(ConfigError, match=r"api\.enabled.*in \[http\]"):
        load(config, {"S": "x"})
    assert api_tokens(config, {}) == tmp_path / "t.json"
    config.write_text(f"{ami}[api]\nenabled = true\n[http]\nenabled = true\n")
    assert load(config, {"S": "x"}).config.api.enabled


async def test_the_link_knows_how_long_the_last_ping_took() -> None:
    async with AmiPeer() as peer, client(peer.settings(ping_interval=0.01, dead_after=60.0)) as it:
        await eventually(lambda: it.link.ping_took is not None)
        assert 0 <= (it.link.ping_took or 0) < 60
        peer.on("Ping", None)
        peer.session.cut()
        await eventually(lambda: it.link.logins == 2)
        assert it.link.ping_took is None
