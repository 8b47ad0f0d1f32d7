# SPDX-License-Identifier: Apache-2.0
"""The simulated VoipNow by itself: its events, its controls, its log, and `offrecord simulate`."""

import json
import signal
import subprocess
import sys
from typing import Any

import httpx
import pytest

from bridges.simulators.server import SimServer
from bridges.simulators.voipnow.app import DEMO_ID, DEMO_SECRET, VoipNowSimulator
from tests.kits.openapi_kit import check_request, check_response
from tests.kits.voipnow_kit import EXTENSION, Fixture, fixture
from tests.kits.waiting import patience


async def asked(made: Fixture, method: str, path: str, **more: Any) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        form = {"grant_type": "client_credentials", "client_id": DEMO_ID,
                "client_secret": DEMO_SECRET}  # fmt: skip
        granted = await client.post(f"{made.server.url}/oauth/token.php", data=form)
        bearer = {"Authorization": f"Bearer {granted.json()['access_token']}"}
        answer = await client.request(method, made.server.url + path, headers=bearer, **more)
        document = (await client.get(f"{made.server.url}/_sim/openapi.json")).text
    sent, url = answer.request, str(answer.request.url)
    if "_sim" not in path:
        check_request(document, method, url, dict(sent.headers), sent.content)
        check_response(
            document, method, url, dict(sent.headers), sent.content, status=answer.status_code,
            answer=answer.content, answer_headers=dict(answer.headers),
        )  # fmt: skip
    return answer


async def test_a_url_is_subscribed_listed_told_and_unsubscribed() -> None:
    told: list[dict[str, str]] = []
    events = f"/uapi/extensions/@me/{EXTENSION}/phoneCallEvents"

    async def listen(scope: Any, receive: Any, send: Any) -> None:
        from starlette.requests import Request
        from starlette.responses import Response

        request = Request(scope, receive)
        told.append(dict(await request.form()) if request.method == "POST" else
                    dict(request.query_params))  # type: ignore[arg-type]  # fmt: skip
        await Response()(scope, receive, send)

    async with fixture() as made, SimServer(listen) as server:
        assert (await asked(made, "GET", events)).status_code == 204
        for kind, method in (("0", "0"), ("2", "0")):
            wanted = {"type": kind, "method": method, "url": f"{server.url}/x"}
            made_event = (await asked(made, "POST", events, json=wanted)).json()
            assert made_event["type"] == kind
        assert len((await asked(made, "GET", events)).json()["entry"]) == 2
        call = {"extension": EXTENSION, "remote": "0999"}
        added = (await asked(made, "POST", "/_sim/calls", json=call)).json()[-1]
        await asked(made, "DELETE", f"/_sim/calls/{added['call_id']}")
        assert [(one["CallAPIID"], one["CallStatus"]) for one in told] == [
            (added["call_id"], "CALLING"), (added["call_id"], "ANSWER"),
        ]  # fmt: skip
        gone = f"{events}/2/{made_event['id']}"
        assert (await asked(made, "DELETE", gone)).status_code == 200
        assert (await asked(made, "DELETE", gone)).json()["error"]["code"] == "pce_id_invalid"


async def test_events_go_to_this_machine_only() -> None:
    async with fixture() as made:
        made.sim.events.add(EXTENSION, {"type": "0", "url": "http://192.0.2.1/x"})
        assert await made.sim.events.send(made.call, 0) == []


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        (f"/uapi/extensions/@me/{EXTENSION}/phoneCallEvents", {"type": "9", "url": "x"}, 400),
        (f"/uapi/extensions/@me/{EXTENSION}/phoneCallEvents", {"url": "x"}, 400),
    ],
)
async def test_a_subscription_that_makes_no_sense_is_refused(
    path: str, body: dict[str, str], code: int
) -> None:
    async with fixture() as made, httpx.AsyncClient(trust_env=False) as client:
        status, told = made.sim.apps.grant(
            f"grant_type=client_credentials&client_id={DEMO_ID}&client_secret={DEMO_SECRET}".encode()
        )
        assert status == 200
        headers = {"Authorization": f"Bearer {told['access_token']}"}
        answer = await client.post(made.server.url + path, json=body, headers=headers)
        assert answer.status_code == code


async def test_calls_extensions_and_tokens_are_changed_while_it_runs() -> None:
    async with fixture() as made:
        made_extension = {"number": "0003*300", "trigger": "always"}
        shown = (await asked(made, "POST", "/_sim/extensions", json=made_extension)).json()
        assert shown[-1] == {**made_extension, "user": "12"}
        one = f"/_sim/calls/{made.call.id}"
        for recording, views in ((False, []), (True, ["01"])):
            told = (await asked(made, "POST", one, json={"recording": recording})).json()
            assert told["recorded_views"] == views
        assert (await asked(made, "DELETE", one)).status_code == 200
        assert (await asked(made, "DELETE", one)).status_code == 404
        assert (await asked(made, "GET", "/_sim/calls")).json() == []
        assert (
            await asked(made, "POST", "/_sim/calls", json={"extension": "9"})
        ).status_code == 400
        assert (await asked(made, "DELETE", "/_sim/tokens")).json()["issued"] > 0


async def test_its_log_holds_no_secret() -> None:
    async with fixture() as made:
        await made.act()
        text = json.dumps([entry.as_dict() for entry in made.sim.log.entries])
        for secret in (DEMO_SECRET, *made.sim.apps.issued):
            assert secret not in text
        assert "***" in made.asked("token")[0].answer


async def test_any_extension_is_there_for_who_tries_it_out() -> None:
    sim = VoipNowSimulator.ready("my-own-secret")
    assert sim.apps.client_secret == "my-own-secret"
    assert sim.switches.auto
    assert sim._visible("@me", "0042*777")[0].recorded(sim.clock.now())


def test_it_is_one_of_the_vendors_that_can_be_simulated() -> None:
    command = [sys.executable, "-m", "offrecord", "simulate", "voipnow"]
    listing = subprocess.run([*command, "--list"], capture_output=True, text=True, check=True)
    assert "switch action_answer=202" in listing.stdout
    assert "fault  pc_phonecall_invalid" in listing.stdout
    started = subprocess.Popen(
        [*command, "--switch", "auto=false", "--fault", "user_invalid@list*1"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert started.stdout is not None
    try:
        opening = json.loads(started.stdout.readline())
        assert opening["simulator"] == "voipnow"
        answer = httpx.get(f"{opening['url']}/_sim/switches", trust_env=False)
        assert answer.json()["auto"] is False
    finally:
        started.send_signal(signal.SIGINT)
        started.communicate(timeout=patience())
