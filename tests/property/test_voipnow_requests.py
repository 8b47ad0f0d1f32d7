# SPDX-License-Identifier: Apache-2.0
"""Whatever is configured, ordered and answered, every request fits the API's description.

The requests are those that left the client, caught at its transport and answered by the
simulator or by anything at all.
"""

import asyncio
import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ami.calls.snapshots import Call, Channel
from bridges.model import ORDERS, Order, Outcome, RecorderResult, Verb
from bridges.simulators.faults import COMMON_FAULTS
from bridges.simulators.voipnow.app import DEMO_ID, DEMO_SECRET, OPENAPI, VoipNowSimulator
from bridges.simulators.voipnow.switches import CODES, VoipNowSwitches
from bridges.voipnow import VoipNowRecorder, VoipNowSettings
from offrecord.base.secrets import Secret
from tests.kits.openapi_kit import Mismatch, check_request, check_response

DOCUMENT = OPENAPI.read_text()
FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

DIGITS = st.text("0123456789", min_size=1, max_size=12)
SPELLINGS = st.one_of(
    DIGITS,
    st.builds("{}*{}".format, DIGITS, DIGITS),
    st.text(max_size=12),
    st.sampled_from(["0003*210", "210", "+39027321", "*210", "210*", "@self", "..", "%2e", "é"]),
)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "client_prefix": st.one_of(st.none(), st.text("0123456789", min_size=1, max_size=10)),
        "user_id": st.one_of(st.none(), DIGITS),
        "whose": st.sampled_from(["presser", "far"]),
        "strip": st.lists(DIGITS, max_size=2).map(tuple),
        "mask": st.sampled_from([None, "210XX", "+390273XXXX", "XXXX"]),
        "loose_ids": st.booleans(),
        "read_back": st.sampled_from([0.0, 1.0]),
    },
)
FAULTS = st.lists(
    st.tuples(
        st.sampled_from([*CODES, "coded=403", "junk", "swallow", "empty_200", "expire_token"]),
        st.sampled_from(["list", "look", "stop", "start", "token"]),
        st.integers(1, 3),
    ),
    max_size=4,
)


class Caught(httpx.AsyncBaseTransport):
    """Keeps every request and passes it on to what answers."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner
        self.seen: list[tuple[httpx.Request, httpx.Response]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self.inner.handle_async_request(request)
        await answer.aread()
        self.seen.append((request, answer))
        return answer

    def check(self, *, answers: bool) -> None:
        for request, answer in self.seen:
            url, headers, body = str(request.url), dict(request.headers), request.content
            check_request(DOCUMENT, request.method, url, headers, body)
            assert request.url.host == "127.0.0.1"
            if answers:
                check_response(
                    DOCUMENT, request.method, url, headers, body, status=answer.status_code,
                    answer=answer.content, answer_headers=dict(answer.headers),
                )  # fmt: skip


def order(verb: Verb, own: str, far: str) -> Order:
    phone = Channel(f"PJSIP/{own}-1", "1700000000.1", "1700000000.1", technology="PJSIP",
                    extension=own, bridge_id="b")  # fmt: skip
    trunk = Channel("PJSIP/t-2", "1700000000.2", "1700000000.1", technology="PJSIP",
                    caller_number=far, bridge_id="b")  # fmt: skip
    call = Call("1700000000.1", frozenset({"1700000000.1"}), (phone, trunk))
    return Order("p", verb, call, phone, budget=2.0)


async def no_sleep(_seconds: float) -> None:
    await asyncio.sleep(0)


def press(transport: httpx.AsyncBaseTransport, asked: Order, **options: Any) -> RecorderResult:
    made = VoipNowSettings(
        url="http://127.0.0.1:9", client_id=DEMO_ID, client_secret=Secret(DEMO_SECRET),
        keep_warm=0, **options,
    )  # fmt: skip

    async def run() -> RecorderResult:
        one = VoipNowRecorder(
            "cloud", made, live_on=lambda _: asked.call.channels[:1], sleep=no_sleep,
            transport=transport,
        )  # fmt: skip
        try:
            one.plan(asked)
            return await one.act(asked)
        finally:
            await one.close()

    return asyncio.run(run())


@FEW
@given(st.sampled_from(list(ORDERS)), SPELLINGS, SPELLINGS, OPTIONS, FAULTS)
def test_every_request_and_answer_fits_the_description(
    verb: Verb, own: str, far: str, options: dict[str, Any], faults: list[tuple[str, str, int]]
) -> None:
    sim = VoipNowSimulator(switches=VoipNowSwitches(auto=True, effect_delay=0.0))
    sim.site.add_extension("0003*210")
    sim.site.add_call("0003*210", "0123456")
    for kind, operation, times in faults:
        sim.faults.add(f"{kind}@{operation}*{times}")
    caught = Caught(httpx.ASGITransport(sim))
    result = press(caught, order(verb, own, far), **options)
    caught.check(answers=not faults)
    assert len(caught.seen) <= 100
    if result.outcome is Outcome.CONFIRMED and verb.silences:
        assert sim.site.done


NAMES = st.sampled_from(["id", "entry", "extension", "phoneCallView", "recording", "link",
                         "paging", "next", "self", "error", "code", "source"])  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8)
    | st.sampled_from(["0003*210", "01", "a1", "https://x/uapi/phoneCalls/@me/0003*210/a1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=10,
)  # fmt: skip
ANSWERS = st.tuples(st.sampled_from([200, 202, 204, 400, 401, 500]), JSON)


class Anything(httpx.AsyncBaseTransport):
    """Answers with what it was given, in a ring; a token is a good one."""

    def __init__(self, answers: list[tuple[int, Any]]) -> None:
        self.answers = answers
        self.count = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token.php":
            return httpx.Response(200, json={"access_token": "t" * 20, "expires_in": 3600})
        status, document = self.answers[self.count % len(self.answers)]
        self.count += 1
        return httpx.Response(status, content=json.dumps(document).encode())


@FEW
@given(st.sampled_from(list(ORDERS)), st.lists(ANSWERS, min_size=1, max_size=6))
def test_no_answer_makes_it_raise_or_send_what_does_not_fit(
    verb: Verb, answers: list[tuple[int, Any]]
) -> None:
    caught = Caught(Anything(answers))
    result = press(caught, order(verb, "210", "0123456"), client_prefix="0003")
    caught.check(answers=False)
    assert len(caught.seen) <= 100
    assert "t" * 20 not in repr(result)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/uapi/phoneCalls/@me/210/", b'{"action":"StopRecording","phoneCallViewId":"1"}'),
        ("PUT", "/uapi/phoneCalls/@me/210/a", b'{"action":"StopRecording"}'),
        ("PUT", "/uapi/phoneCalls/@me/210/a", b'{"action":"Hangup","phoneCallViewId":"1"}'),
        ("DELETE", "/uapi/phoneCalls/@me/210/a", b""),
        ("GET", "/uapi/phoneCalls/@me/210?cuont=1", b""),
        ("GET", "/uapi/phoneCall/@me/210", b""),
    ],
)
def test_the_description_would_notice(method: str, path: str, body: bytes) -> None:
    headers = {"authorization": "Bearer t", "content-type": "application/json"}
    with pytest.raises(Mismatch):
        check_request(DOCUMENT, method, f"http://127.0.0.1:9{path}", headers, body)


def test_every_fault_is_known() -> None:
    assert set(COMMON_FAULTS) < set(VoipNowSimulator.faults_known)
