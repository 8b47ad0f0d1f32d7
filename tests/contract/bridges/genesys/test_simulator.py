# SPDX-License-Identifier: Apache-2.0
"""The simulated Genesys itself, seen by a stranger who speaks plain HTTP."""

import asyncio
from typing import Any

import httpx
import pytest

from bridges.simulators.genesys.app import GenesysSimulator
from bridges.simulators.genesys.calls import OPERATIONS
from tests.kits.genesys_kit import PASSWORD, UUID, fixture, plain

AUTH = ("fred", PASSWORD)
HAND: dict[str, Any] = {"channel": "/meta/handshake", "id": "1", "version": "1.0",
                        "supportedConnectionTypes": ["long-polling"]}  # fmt: skip
NOTICES = "/api/v2/notifications"


@pytest.mark.parametrize("operation", list(OPERATIONS))
@pytest.mark.parametrize("state", ["Recording", "Paused", "Stopped"])
async def test_capabilities_state_and_user_data_keep_in_step(state: str, operation: str) -> None:
    async with fixture(csrf=False, origin="lenient", event_order="event_first") as made:
        made.call.recording = state
        path = f"/api/v2/me/calls/{UUID}"
        before = (await plain(made, "GET", path, auth=AUTH)).json()["call"]
        body = {"operationName": operation}
        answer = await plain(made, "POST", path, auth=AUTH, json=body)
        after = (await plain(made, "GET", path, auth=AUTH)).json()["call"]
        offered = operation in before["capabilities"]
        assert offered is (state in OPERATIONS[operation][0])
        assert answer.json()["statusCode"] == (0 if offered else 2)
        assert after["recordingState"] == (OPERATIONS[operation][1] if offered else state)
        shown = {"Recording": "ON", "Paused": "PAUSED", "Stopped": "OFF"}
        assert after["userData"]["GSIP_RECORD"] == shown[after["recordingState"]]


async def test_an_agent_without_the_feature_has_neither_state_nor_capabilities() -> None:
    async with fixture() as made:
        wilma = made.sim.centre.add_agent("wilma", "w", "15003", recording=False)
        call = made.sim.centre.add_call(wilma, "15001")
        path = f"/api/v2/me/calls/{call.uuid}"
        told = (await plain(made, "GET", path, auth=("wilma", "w"))).json()["call"]
        assert "recordingState" not in told
        assert not [name for name in told["capabilities"] if "Recording" in name]


async def test_a_token_belongs_to_its_session() -> None:
    async with (
        fixture() as made,
        httpx.AsyncClient(base_url=made.server.url, auth=AUTH, trust_env=False) as client,
    ):
        first = await client.get("/api/v2/me")
        assert first.headers["X-CSRF-HEADER"] == "X-CSRF-TOKEN"
        token = {"X-CSRF-TOKEN": first.headers["X-CSRF-TOKEN"], "Origin": made.server.url}
        path, body = f"/api/v2/me/calls/{UUID}", {"operationName": "PauseCallRecording"}
        assert (await client.post(path, json=body, headers=token)).json() == {"statusCode": 0}
        lost = await client.post(path, json=body, headers={"Origin": made.server.url})
        assert (lost.status_code, lost.text) == (403, "Missing or invalid Csrf token")
        client.cookies.clear()
        assert (await client.post(path, json=body, headers=token)).status_code == 403


async def test_without_its_cookie_a_bayeux_session_is_not_known() -> None:
    async with (
        fixture(csrf=False) as made,
        httpx.AsyncClient(base_url=made.server.url, auth=AUTH, trust_env=False) as client,
    ):
        hand = await client.post(NOTICES, json=[HAND])
        assert "BAYEUX_BROWSER" in client.cookies
        assert "JSESSIONID" in client.cookies
        connect = {"channel": "/meta/connect", "id": "2", "connectionType": "long-polling",
                   "clientId": hand.json()[0]["clientId"], "advice": {"timeout": 0}}  # fmt: skip
        good = await client.post(NOTICES, json=[connect])
        assert good.json()[0]["successful"] is True
        del client.cookies["BAYEUX_BROWSER"]
        [lost] = (await client.post(NOTICES, json=[connect])).json()
        assert (lost["successful"], lost["error"]) == (False, "402::Unknown client")
        assert lost["advice"]["reconnect"] == "handshake"


async def test_a_connect_is_held_and_a_session_without_one_expires() -> None:
    async with (
        fixture(csrf=False, hold=0.05, max_interval=0.05) as made,
        httpx.AsyncClient(base_url=made.server.url, auth=AUTH, trust_env=False) as client,
    ):
        hand = await client.post(NOTICES, json=[HAND])
        connect = {"channel": "/meta/connect", "id": "2", "connectionType": "long-polling",
                   "clientId": hand.json()[0]["clientId"]}  # fmt: skip
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert (await client.post(NOTICES, json=[connect])).json()[0]["successful"]
        assert loop.time() - began > 0.04  # of a hold of 0.05 s
        await asyncio.sleep(0.1)
        assert (await client.post(NOTICES, json=[connect])).json()[0]["error"].startswith("402")


async def test_calls_can_be_led_from_outside() -> None:
    async with fixture() as made:
        user = {"user_name": "betty", "password": "b", "extension": "15004"}
        assert "betty" in (await plain(made, "POST", "/_sim/users", json=user)).json()
        asked = {"agent": "betty", "parties": ["15001"], "uuid": "B" * 32, "recording": "Stopped"}
        await plain(made, "POST", "/_sim/calls", json=asked)
        path = f"/_sim/calls/{'B' * 32}"
        for step, name, value in (
            ({"state": "Held"}, "state", "Held"),
            ({"recording": "Recording"}, "recording", "Recording"),
            ({"transfer": "fred"}, "agent", "fred"),
        ):
            assert (await plain(made, "POST", path, json=step)).json()[name] == value
        assert (await plain(made, "DELETE", path)).json()["state"] == "Released"
        assert (await plain(made, "DELETE", path)).status_code == 404
        assert (await plain(made, "POST", "/_sim/calls", json={"agent": "?"})).status_code == 400


async def test_ready_to_try_every_user_and_id_is_a_recorded_call() -> None:
    sim = GenesysSimulator.ready("bedrock")
    transport = httpx.ASGITransport(sim)
    async with httpx.AsyncClient(transport=transport, base_url="http://sim") as client:
        path = f"/api/v2/me/calls/{UUID}"
        told = (await client.get(path, auth=("15000", "bedrock"))).json()
        assert told["call"]["recordingState"] == "Recording"
        user = (await client.get("/api/v2/me?subresources=calls", auth=("15009", "bedrock"))).json()
        assert [call["recordingState"] for call in user["user"]["calls"]] == ["Recording"]
        assert (await client.get(path, auth=("15000", "wrong"))).json()["statusCode"] == 20
