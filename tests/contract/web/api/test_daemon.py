# SPDX-License-Identifier: Apache-2.0
"""The API of a real daemon: it and the command line say the same, and it lets the daemon end."""

import asyncio
from pathlib import Path
from typing import Any

import httpx

from offrecord.web.tokens import Tokens
from tests.kits.daemon_kit import house
from tests.kits.waiting import patience, safety_net


async def test_the_api_and_the_command_line_tell_the_same(tmp_path: Path) -> None:
    tokens = tmp_path / "api" / "tokens.json"
    token = Tokens(tokens).add("crm", ["read", "press", "metrics"])
    more: dict[str, Any] = {
        "http": {"enabled": True, "port": 0},
        "api": {"enabled": True, "tokens": str(tokens)},
    }
    async with house(tmp_path, recorders=("local",), **more) as here:
        url = f"http://{here.daemon.logged('ready')[0]['http']}"
        client = httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=patience())
        async with client:
            ready = await client.get(f"{url}/readyz")
            assert (ready.status_code, ready.text.splitlines()[0]) == (200, "pbx link: up")
            async with client.stream("GET", f"{url}/v1/events") as stream:
                lines = stream.aiter_lines()
                assert "event: open" in [await anext(lines) for _ in range(2)]
                body = {"verb": "stop", "target": "410"}
                press = (await client.post(f"{url}/v1/presses", json=body)).json()
                cli = await here.command("calls", "--json")
                assert (await client.get(f"{url}/v1/calls")).json() == cli.json
                [badge] = cli.json["calls"][0]["recorders"]
                assert (badge["press"], badge["outcome"]) == (press["press"], press["outcome"])
                shown = await client.get(f"{url}/v1/presses")
                assert shown.json() == (await here.command("presses", "--json")).json
                one = await client.get(f"{url}/v1/presses/{press['press']}")
                assert one.json() == (await here.command("show", press["press"], "--json")).json
                assert one.json()[0]["body"]["options"] == {"client": "crm"}
                figures = (await client.get(f"{url}/metrics")).text
                assert 'way="http"' in figures

                # An open stream is no reason to stay: the daemon still ends by itself.
                stopping = asyncio.create_task(here.daemon.stop())
                async with safety_net("the stream ends with the daemon"):
                    async for _ in lines:
                        pass
                assert await stopping == 0
        assert token not in here.daemon.log.read_text()
