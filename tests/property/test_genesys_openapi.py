# SPDX-License-Identifier: Apache-2.0
"""Every request our client makes is one that the document of the API allows; the answers too."""

import asyncio
import string
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridges.genesys import GenesysRecorder, GenesysSettings
from bridges.model import ORDERS, Verb
from bridges.simulators.genesys.app import OPENAPI, GenesysSimulator
from bridges.simulators.genesys.switches import GenesysSwitches
from offrecord.base.secrets import Secret
from tests.kits.genesys_kit import PHONE, order
from tests.kits.openapi_kit import Mismatch, check_request, check_response

DOCUMENT = OPENAPI.read_text()
IDS = st.text(string.ascii_uppercase + string.digits, min_size=32, max_size=32)
NAMES = st.text(st.characters(codec="utf-8", exclude_characters=":", exclude_categories=("C",)),
                min_size=1, max_size=20)  # fmt: skip
FAULTS = st.lists(
    st.sampled_from(
        ["code=2@stop*1", "csrf_text@stop*1", "code=20@call*1", "code=4@me*1",
         "expire_session@stop*1", "status=503@handshake*1", "async_error@stop*1", "swallow@pause*1"]
    ),
    max_size=2,
    unique=True,
)  # fmt: skip


class Checked(httpx.AsyncBaseTransport):
    """Checks requests and answers against the document on their way to the simulator."""

    def __init__(self, app: GenesysSimulator) -> None:
        self._inner = httpx.ASGITransport(app)
        self.seen: list[str] = []
        self.wrong: list[Mismatch] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        response = await self._inner.handle_async_request(request)
        answer = await response.aread()
        url, headers = str(request.url), dict(request.headers)
        self.seen.append(f"{request.method} {request.url.path}")
        try:
            check_request(DOCUMENT, request.method, url, headers, body)
            check_response(
                DOCUMENT, request.method, url, headers, body,
                status=response.status_code, answer=answer, answer_headers=dict(response.headers),
            )  # fmt: skip
        except Mismatch as mismatch:
            self.wrong.append(mismatch)
        return response


async def play(
    name: str, uuids: Sequence[str], verbs: Sequence[Verb], faults: Sequence[str], **more: Any
) -> Checked:
    sim = GenesysSimulator(switches=GenesysSwitches(delay=0.0, hold=0.01, idle_timeout=0.0, **more))
    agent = sim.centre.add_agent(name, "fred-flint", "15000")
    sim.centre.add_call(agent, "15001", uuid=uuids[0] if uuids else None)
    for fault in faults:
        sim.faults.add(fault)
    checked = Checked(sim)
    one = GenesysRecorder(
        "genesys",
        GenesysSettings(
            url="https://gws.example", keep_warm=0,
            accounts={"fred": {"username": name, "password": Secret("fred-flint")}},  # type: ignore[dict-item]
        ),
        live_on=lambda _: [PHONE],
        is_live=lambda _: True,
        transport=checked,
    )  # fmt: skip
    await one.open()
    try:
        for verb in verbs:
            await one.act(order(verb, uuids=tuple(uuids), budget=0.4))
    finally:
        await one.close()
    return checked


@settings(max_examples=12, deadline=None)
@given(
    NAMES, st.lists(IDS, max_size=2), st.lists(st.sampled_from(ORDERS), min_size=1, max_size=3),
    FAULTS, st.booleans(),
)  # fmt: skip
def test_every_request_is_one_that_the_api_has(
    name: str, uuids: list[str], verbs: list[Verb], faults: list[str], csrf: bool
) -> None:
    checked = asyncio.run(play(name, uuids, verbs, faults, csrf=csrf))
    assert checked.wrong == []
    assert any(line.startswith("GET") for line in checked.seen)


def test_the_check_would_notice_a_wrong_request() -> None:
    good = {"Authorization": "Basic eA==", "Origin": "https://pbx.example",
            "Content-Type": "application/json"}  # fmt: skip
    url, body = "https://gws.example/api/v2/me/calls/X", b'{"operationName":"StopCallRecording"}'
    check_request(DOCUMENT, "POST", url, good, body)
    for method, where, headers, content in (
        ("POST", url, {**good, "Origin": "nowhere"}, body),
        ("POST", url, {k: v for k, v in good.items() if k != "Origin"}, body),
        ("POST", url, {k: v for k, v in good.items() if k != "Authorization"}, body),
        ("POST", url, good, b'{"operationName":"EndContactCenterSession"}'),
        ("PUT", url, good, body),
        ("GET", "https://gws.example/api/v2/me?subresource=calls", good, b""),
        ("POST", "https://gws.example/api/v2/me/devices/X", good, body),
    ):
        with pytest.raises(Mismatch):
            check_request(DOCUMENT, method, where, headers, content)


async def test_the_simulator_serves_the_document() -> None:
    transport = httpx.ASGITransport(GenesysSimulator())
    async with httpx.AsyncClient(transport=transport, base_url="https://gws.example") as client:
        answer = await client.get("/_sim/openapi.json")
    assert answer.json()["info"]["title"].startswith("Genesys")
    assert answer.text == DOCUMENT
