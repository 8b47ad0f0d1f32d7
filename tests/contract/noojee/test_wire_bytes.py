# SPDX-License-Identifier: Apache-2.0
"""What the client puts on the wire, byte by byte, and what it does with broken connections."""

import asyncio
import logging
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from bridges.simulators import certificates
from noojee import (
    ApiKey,
    Extension,
    Kind,
    NoAnswerError,
    NoojeeClient,
    NoojeeError,
    NotConnectedError,
    NotUnderstoodError,
    Signed,
    UntrustedError,
)
from noojee.transport import Lanes, Sent
from tests.kits.noojee_kit import CALL, KEY, PHONE, fixture
from tests.kits.waiting import eventually

OK = b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\nSet-Cookie: JSESSIONID=7\r\n\r\n{"Code":0}'


class Peer:
    """A server that answers every request with the same bytes and keeps what it was sent."""

    def __init__(self, answer: bytes, *, hold: bool = False) -> None:
        self.answer = answer
        self.hold = hold
        self.requests: list[bytes] = []
        self.connections = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                self.requests.append(await reader.readuntil(b"\r\n\r\n"))
                if self.hold:
                    await reader.read()
                    return
                writer.write(self.answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def peer(answer: bytes = OK, *, hold: bool = False) -> AsyncIterator[Peer]:
    made = Peer(answer, hold=hold)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield made
        server.close()


def client(made: Peer, **more: object) -> NoojeeClient:
    options: dict[str, object] = {"auth": ApiKey(KEY), **more}
    return NoojeeClient(made.url, **options)  # type: ignore[arg-type]


async def test_the_request_is_this_and_nothing_else() -> None:
    async with peer() as made, client(made) as noojee:
        await noojee.start(CALL, agent_login_name="Fred B", tag="a&b")
        await noojee.start(PHONE)
    assert made.requests[0] == (
        b"POST /servicemanager/rest/CallManagementAPI/start?extenOrUniqueId=12347811.214"
        b"&agentLoginName=Fred%20B&tag=a%26b&apiKey=f863246a-973e-11e6-8784-08002718f5b5 HTTP/1.1"
        b"\r\nHost: " + made.url.removeprefix("http://").encode() + b"\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: 0\r\n"
        b"Accept: application/json, text/plain\r\n\r\n"
    )
    assert b"Cookie" not in made.requests[1]
    assert made.connections == 1


async def test_the_environment_diverts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with peer() as made, client(made) as noojee:
        assert (await noojee.start(CALL)).kind is Kind.DONE
    assert os.environ["HTTP_PROXY"]


async def test_no_secret_reaches_a_log_an_error_or_a_repr(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    answer = f'{{"Message":"no: /stop?apiKey={KEY}&hash={"ab" * 32}","Code":-9}}'.encode()
    head = b"HTTP/1.1 400 Bad\r\nContent-Length: %d\r\n\r\n" % len(answer)
    async with peer(head + answer) as made, client(made) as noojee:
        with pytest.raises(NoojeeError) as error:
            await noojee.stop(CALL, agent_login_name="Fred")
        shown = [repr(noojee), repr(error.value), repr(error.value.exchanges), caplog.text]
    assert "POST" in caplog.text, "the client's own log says what it did"
    for text in shown:
        assert KEY not in text
        assert "abab" not in text
    for name in ("httpx", "httpcore"):
        assert logging.getLogger(name).level == logging.WARNING


async def test_no_foreign_error_with_the_url_in_it_hangs_on_as_a_cause() -> None:
    async with peer(b"junk\r\n\r\n") as made, client(made) as noojee:
        with pytest.raises(NoAnswerError) as error:
            await noojee.stop(CALL, agent_login_name="Fred")
    assert error.value.__cause__ is None
    assert error.value.__context__ is None


async def test_one_deadline_covers_an_answer_that_trickles() -> None:
    trickle = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"
    async with peer(trickle) as made, client(made) as noojee:
        began = time.monotonic()
        with pytest.raises(NoAnswerError, match=r"within 0.1 s") as error:
            await noojee.stop(CALL, agent_login_name="Fred", within=0.1)
        assert time.monotonic() - began < 1.0
        assert error.value.maybe_done
        assert [e.sent for e in error.value.exchanges] == [True]


async def test_a_deadline_while_waiting_for_a_lane_sent_nothing() -> None:
    async with peer(hold=True) as made, client(made) as noojee:
        busy = [asyncio.create_task(noojee.start(CALL)) for _ in range(8)]
        await eventually(lambda: len(made.requests) == 8)
        with pytest.raises(NoAnswerError, match="no turn") as error:
            await noojee.stop(CALL, agent_login_name="Fred", within=0.05)
        assert not error.value.maybe_done
        assert len(made.requests) == 8
        for task in busy:
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)


async def test_a_cancelled_request_leaves_a_lane_that_works() -> None:
    async with peer(hold=True) as made, client(made) as noojee:
        for _ in range(12):  # more often than there are lanes
            task = asyncio.create_task(noojee.start(CALL))
            seen = len(made.requests)
            await eventually(lambda seen=seen: len(made.requests) > seen)  # type: ignore[misc]
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert noojee.in_flight == 0
        made.hold = False
        answers = await asyncio.gather(*(noojee.start(CALL) for _ in range(16)))
        assert {answer.kind for answer in answers} == {Kind.DONE}


async def test_eight_requests_at_most_are_in_flight_and_fifty_are_all_answered() -> None:
    async with fixture(latency=0.002) as made:
        noojee = made.client(auth=ApiKey(KEY))
        answers = await asyncio.gather(*(noojee.start(CALL) for _ in range(50)))
        assert {answer.kind for answer in answers} == {Kind.DONE}
        assert max(e.facts["in_flight"] for e in made.asked("start")) == 8


async def test_the_connection_used_last_is_used_again() -> None:
    async with peer() as made, client(made) as noojee:
        await asyncio.gather(*(noojee.start(CALL) for _ in range(3)))
        opened = made.connections
        for _ in range(10):
            await noojee.start(CALL)
        assert made.connections == opened == 3


async def test_a_connection_the_server_closed_meanwhile_is_not_used() -> None:
    async with fixture() as made:
        noojee = made.client(auth=ApiKey(KEY))
        await noojee.start(CALL)
        await made.server.cut()
        await asyncio.sleep(0.01)
        assert (await noojee.start(CALL)).kind is Kind.DONE


@pytest.mark.parametrize("fault", ["reset", "half", "drop_after_effect"])
async def test_a_connection_cut_in_the_middle_is_no_answer(fault: str) -> None:
    async with fixture() as made:
        made.sim.faults.add(f"{fault}@stop")
        noojee = made.client()
        with pytest.raises(NoAnswerError) as error:
            await noojee.stop(CALL, agent_login_name="Fred")
        assert error.value.maybe_done
        assert (made.call.recording is None) is (fault != "reset")
        made.sim.faults.clear()
        assert (await noojee.start(CALL)).kind is Kind.DONE


async def test_a_stalled_time_means_the_verb_never_left() -> None:
    async with fixture() as made:
        made.sim.faults.add("stall@Time*1")
        noojee = made.client()
        with pytest.raises(NoAnswerError, match="no answer to Time") as error:
            await noojee.stop(CALL, agent_login_name="Fred", within=0.1)
        assert not error.value.maybe_done
        assert (await noojee.stop(CALL, agent_login_name="Fred")).kind is Kind.DONE


@pytest.mark.parametrize("fault", ["reset@Time", "half@Time", "status=503@Time"])
async def test_a_time_that_fails_means_the_verb_never_left(fault: str) -> None:
    async with fixture() as made:
        made.sim.faults.add(fault)
        with pytest.raises(NoojeeError) as error:
            await made.client().stop(CALL, agent_login_name="Fred")
        assert error.value.operation == "Time"
        assert not error.value.maybe_done


async def test_a_connection_whose_request_did_not_end_well_is_not_used_again() -> None:
    closed: list[int] = []

    class Broken(httpx.AsyncBaseTransport):
        def __init__(self, number: int) -> None:
            self.number = number

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if self.number == 1:
                raise httpx.ReadError("cut", request=request)
            return httpx.Response(200, content=b"ok")

        async def aclose(self) -> None:
            closed.append(self.number)

    made = iter(range(1, 9))
    lanes = Lanes(lambda: Broken(next(made)), "https://pbx.example", count=1)
    async with lanes.take() as lane:
        with pytest.raises(NoAnswerError):
            await lane.post("/x", "stop", Sent(), 10)
    assert closed == [1]
    for _ in range(2):
        async with lanes.take() as lane:
            assert (await lane.post("/x", "stop", Sent(), 10)).body == b"ok"
    assert closed == [1]
    await lanes.close()
    assert closed == [1, 2]


async def test_the_simulator_answers_at_once_on_a_warm_connection() -> None:
    async with fixture() as made:
        assert made.server._server is not None
        (listening,) = made.server._server.sockets
        assert listening.proto == socket.IPPROTO_TCP, "else asyncio leaves Nagle's delay on"


async def test_expiry_in_a_burst_of_twenty_costs_one_refresh() -> None:
    async with fixture() as made:
        noojee = made.client()
        await noojee.start(CALL)
        made.sim.clock.advance(3601)
        answers = await asyncio.gather(*(noojee.start(CALL) for _ in range(20)))
        assert {answer.kind for answer in answers} == {Kind.DONE}
        assert len(made.asked("Time")) == 2


async def test_an_answer_without_an_end_is_cut_off() -> None:
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n" + b"x" * 99999
    async with peer(endless) as made, client(made) as noojee:
        with pytest.raises(NotUnderstoodError, match="longer than 65536 bytes"):
            await noojee.stop(CALL, agent_login_name="Fred")


async def test_certificates_are_verified(tmp_path: Path) -> None:
    made = certificates.issue(tmp_path)
    async with fixture(tls=made.server_context()) as noojee:
        with pytest.raises(UntrustedError, match="not trusted"):
            await noojee.client().stop(CALL, agent_login_name="Fred")
        trusting = noojee.client(ca_file=made.ca_file)
        assert (await trusting.stop(CALL, agent_login_name="Fred")).kind is Kind.DONE


@pytest.mark.parametrize(
    ("names", "days", "why"),
    [(("elsewhere.example",), 1, "mismatch|not valid"), (("127.0.0.1",), -1, "expired")],
)
async def test_a_certificate_of_another_name_or_time_is_not_trusted(
    tmp_path: Path, names: tuple[str, ...], days: int, why: str
) -> None:
    made = certificates.issue(tmp_path, names, days=days)
    async with fixture(tls=made.server_context()) as noojee:
        with pytest.raises(UntrustedError, match=why) as error:
            await noojee.client(ca_file=made.ca_file).stop(CALL, agent_login_name="Fred")
        assert not error.value.retryable
        assert noojee.sim.log.entries == []


async def test_a_port_that_speaks_no_tls_is_said() -> None:
    async with fixture() as made:
        url = made.server.url.replace("http:", "https:")
        async with NoojeeClient(url, auth=ApiKey(KEY)) as noojee:
            with pytest.raises(NotConnectedError, match="TLS"):
                await noojee.time()


async def test_a_name_that_does_not_resolve_is_said() -> None:
    async with NoojeeClient("https://noojee.invalid", auth=ApiKey(KEY), timeout=2) as noojee:
        with pytest.raises(NoojeeError, match=r"noojee\.invalid") as error:
            await noojee.time()
        assert not error.value.maybe_done


async def test_a_transport_of_the_callers_own_serves_every_request() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if request.url.path.endswith("/Time"):
            return httpx.Response(200, text="1392356108888")
        return httpx.Response(200, json={"Code": 0})

    transport = httpx.MockTransport(answer)
    async with NoojeeClient("https://pbx.example", auth=Signed(KEY), transport=transport) as noojee:
        await noojee.stop(Extension("410"), agent_login_name="Fred")
    assert [request.url.params.get("hash") for request in seen] == [
        None,
        "bc71b78c3e1914667fbaf65cabb9f2090c7f2231eb6df90562ada7678065dc76",
    ]


async def test_a_transport_that_fails_before_sending_is_not_connected() -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no way", request=request)

    transport = httpx.MockTransport(fail)
    async with NoojeeClient("https://pbx.example", auth=ApiKey(KEY), transport=transport) as noojee:
        with pytest.raises(NotConnectedError):
            await noojee.stop(CALL, agent_login_name="Fred")


async def test_a_closed_client_says_so() -> None:
    async with peer() as made:
        async with client(made) as noojee:
            pass
        with pytest.raises(RuntimeError, match="closed"):
            await noojee.start(CALL)


async def test_the_requests_made_are_kept_with_the_answer() -> None:
    async with fixture() as made:
        answer = await made.client(now=lambda: 77.0).stop(CALL, agent_login_name="Fred")
        assert [(e.operation, e.status, e.sent, e.at) for e in answer.exchanges] == [
            ("Time", 200, True, 77.0),
            ("stop", 200, True, 77.0),
        ]
        assert answer.exchanges[1].request.endswith(
            "stop?extenOrUniqueId=12347811.214&agentLoginName=Fred&timeStamp=1392356108888&hash=***"
        )
