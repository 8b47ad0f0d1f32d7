# SPDX-License-Identifier: Apache-2.0
"""Every request of the recorder, and every answer of the simulator, is as the document says."""

import asyncio
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from ami.calls.snapshots import Call, Channel
from bridges.imagicle import ImagicleRecorder, ImagicleSettings
from bridges.imagicle.answers import TABLE, Case, reason
from bridges.imagicle.messages import Op, read_list
from bridges.model import ORDERS, Evidence, Order, Outcome, Verb
from bridges.simulators.imagicle.app import DEMO_PASSWORD, DEMO_USER, ImagicleSimulator
from bridges.simulators.imagicle.routes import OPENAPI
from bridges.simulators.imagicle.state import Method
from bridges.simulators.imagicle.switches import ImagicleSwitches
from offrecord.base.secrets import Secret
from tests.kits.openapi_kit import check_request, check_response

DOCUMENT = OPENAPI.read_text()
NUMBERS = st.text("0123456789*+#ab ", min_size=1, max_size=12)
FAULTS = [
    "", "forbidden@list", "status=404@list", "reason=0@stop_line*1", "contradiction", "automatic",
    "not_monitorable", "fault*2", "late_fault@stop*1", "service_away@stop*1", "shortage@start*1",
    "unauthorized", "state", "swallow", "licence",
]  # fmt: skip


class Watching(httpx.ASGITransport):
    """Carries requests to the simulator and holds each against the document, and its answer.

    What a fault answers need not be there.
    """

    def __init__(self, sim: ImagicleSimulator) -> None:
        super().__init__(sim)
        self.sim = sim
        self.seen = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        url = str(request.url)
        check_request(DOCUMENT, request.method, url, request.headers, body)
        query = parse_qsl(urlsplit(url).query, keep_blank_values=True)
        assert len(query) <= 1
        assert all(value for _, value in query)
        assert request.method != "DELETE" or query or not url.endswith("LiveRecordings")
        response = await super().handle_async_request(request)
        answer = await response.aread()
        self.seen += 1
        if self.sim.log.entries[-1].fault is None:
            check_response(
                DOCUMENT, request.method, url, request.headers, body,
                status=response.status_code, answer=answer, answer_headers=response.headers,
            )  # fmt: skip
        return httpx.Response(response.status_code, headers=response.headers, content=answer)


async def no_sleep(_seconds: float) -> None:
    await asyncio.sleep(0)


async def carried_out(order: Order, fault: str, **options: Any) -> tuple[Outcome, Evidence, int]:
    switches = {name: options.pop(name) for name in ("number_key", "reason_form", "started_at")}
    method, paused = options.pop("method"), options.pop("paused")
    sim = ImagicleSimulator(switches=ImagicleSwitches(profile="2025", **switches))
    sim.state.add_account(DEMO_USER, DEMO_PASSWORD)
    sim.state.add_line("410", method=method)
    sim.state.record("410", "0584943232", paused=paused)
    if fault:
        sim.faults.add(fault)
    transport = Watching(sim)
    given = ImagicleSettings(
        url="http://127.0.0.1:9", username=DEMO_USER, password=Secret(DEMO_PASSWORD), **options
    )
    one = ImagicleRecorder(
        "i", given, live_on=lambda _: list(order.call.channels), sleep=no_sleep,
        transport=transport,
    )  # fmt: skip
    try:
        one.plan(order)
        result = await one.act(order)
        await one.act(order)
    finally:
        await one.close()
    return result.outcome, result.evidence, transport.seen


@settings(max_examples=80, deadline=None)
@given(
    verb=st.sampled_from(ORDERS),
    extension=st.just("410") | NUMBERS,
    remote=NUMBERS,
    fault=st.sampled_from(FAULTS),
    options=st.fixed_dictionaries(
        {
            "number_key": st.sampled_from(["correct", "misspelt", "both"]),
            "reason_form": st.sampled_from(["number", "text", "name", "missing"]),
            "started_at": st.sampled_from(["zulu", "offset", "naive"]),
            "method": st.sampled_from(Method),
            "paused": st.booleans(),
            "strip": st.sampled_from([(), ("0",)]),
            "mask": st.sampled_from([None, "9XXX", "+390273XXXX"]),
            "region": st.sampled_from([None, "IT"]),
            "whose": st.sampled_from(["presser", "far"]),
            "devices": st.sampled_from([{}, {"410": "SEP123456789ABC"}, {"410": "CSF fred & co"}]),
            "start_mode": st.sampled_from(["media_forking", "dial_in"]),
            "pause_when_unstoppable": st.booleans(),
        }
    ),
)
def test_requests_and_answers_are_as_the_document_has_them(
    verb: Verb, extension: str, remote: str, fault: str, options: dict[str, Any]
) -> None:
    phone = Channel(
        "PJSIP/410-1", "1700000000.1", "1700000000.1", technology="PJSIP", extension=extension,
        connected_number=remote,
    )  # fmt: skip
    trunk = Channel("PJSIP/cucm-2", "1700000000.2", "1700000000.1", caller_number=extension)
    call = Call("1700000000.1", frozenset({"1700000000.1"}), (phone, trunk))
    outcome, evidence, _ = asyncio.run(
        carried_out(Order("p", verb, call, phone, budget=4.0), fault, **options)
    )
    assert outcome is not Outcome.CONFIRMED or evidence is Evidence.READ_BACK


def test_the_property_sees_requests() -> None:
    """The one above proves nothing unless requests pass by."""
    phone = Channel("PJSIP/410-1", "1.1", "1.1", technology="PJSIP", extension="410")
    order = Order("p", Verb.STOP, Call("1.1", frozenset({"1.1"}), (phone,)), phone, budget=4.0)
    outcome, _, seen = asyncio.run(
        carried_out(
            order, "", number_key="correct", reason_form="number", started_at="zulu",
            method=Method.BUILT_IN_BRIDGE, paused=False,
        )
    )  # fmt: skip
    assert outcome is Outcome.CONFIRMED
    assert seen >= 4


@settings(deadline=None)
@given(st.sampled_from(Op), st.binary(max_size=60))
def test_any_body_of_a_400_is_a_case_of_the_table(op: Op, body: bytes) -> None:
    case = reason(op, body)
    assert case.value.startswith("400-")
    assert (op, case) in TABLE


@settings(deadline=None)
@given(st.sampled_from(Op), st.integers(-5, 99))
def test_only_documented_numbers_are_reasons(op: Op, number: int) -> None:
    highest = 4 if op is Op.START else 2
    documented = 0 <= number <= highest
    for body in (f'{{"reason": {number}}}', f'{{"Reason": "{number}"}}'):
        assert (reason(op, body.encode()) is not Case.REASON_OTHER) is documented


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["id", "startedAt", "duration", "remoteParty", "isPaused"]), inner
            )
        ),
        max_leaves=8,
    )
)
def test_a_list_is_read_or_refused_and_nothing_else(document: object) -> None:
    import json
    from datetime import UTC

    try:
        items = read_list(json.dumps(document).encode(), now=0.0, zone=UTC)
    except ValueError:
        return
    assert isinstance(document, list)
    assert len(items) == len(document)
