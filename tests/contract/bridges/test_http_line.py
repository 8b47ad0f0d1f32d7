# SPDX-License-Identifier: Apache-2.0
"""The HTTP line of the bridges: every exchange ends, none raises, no secret is shown."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from bridges.model import Evidence
from bridges.shared.http_line import LIMIT, Ending, HttpLine, basic
from bridges.simulators import certificates
from bridges.simulators.server import SimServer
from noojee.transport import Lanes, Sent, no_tls, own_transports
from tests.kits.waiting import safety_net

Answer = Callable[[Request], Awaitable[Response]]
SECRET = "s3cr3t-token-1"


@asynccontextmanager
async def served(answer: Answer, **more: Any) -> AsyncIterator[SimServer]:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await (await answer(Request(scope, receive)))(scope, receive, send)

    async with SimServer(app, **more) as server:
        yield server


@asynccontextmanager
async def line(url: str, **more: Any) -> AsyncIterator[HttpLine]:
    made = HttpLine(url, secrets=(SECRET,), **more)
    try:
        yield made
    finally:
        await made.close()


async def echo(request: Request) -> Response:
    body = (await request.body()).decode()
    told = [request.method, request.url.path, request.url.query, body]
    told += [request.headers.get("authorization", ""), request.headers.get("cookie", "")]
    return PlainTextResponse("|".join(told), headers={"Set-Cookie": "JSESSIONID=abc; Path=/"})


async def test_a_whole_answer_comes_back_as_it_was_sent() -> None:
    async with served(echo) as server, line(server.url) as one:
        headers = {"Authorization": basic("fred", "pässword")}
        got = await one.ask("PUT", "/uapi/@me/0003*210?a=b%20c", headers, b"x=1", within=5)
        assert (got.ending, got.status, got.left) == (Ending.ANSWERED, 200, True)
        assert got.body.decode().split("|")[:4] == ["PUT", "/uapi/@me/0003*210", "a=b%20c", "x=1"]
        assert got.body.decode().split("|")[4] == "Basic ZnJlZDpww6Rzc3dvcmQ="
        assert got.said.startswith("HTTP 200 PUT|")
        assert got.sent == f"PUT {server.url}/uapi/@me/0003*210?a=b%20c x=1"
        step = got.step(Evidence.ACCEPTED)
        assert (step.sent, step.answer, step.evidence) == (got.sent, got.said, Evidence.ACCEPTED)


async def test_cookies_are_kept_only_where_they_are_asked_for_and_for_an_address_too() -> None:
    async with served(echo) as server:
        assert "127.0.0.1" in server.url
        for keeps, seen in ((True, "JSESSIONID=abc"), (False, "")):
            async with line(server.url, cookies=keeps) as one:
                await one.ask("GET", "/", {}, within=5)
                second = await one.ask("GET", "/", {}, within=5)
                assert second.body.decode().split("|")[5] == seen


async def test_a_secret_is_in_nothing_that_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    issued = "later-issued-token"
    async with served(echo) as server, line(server.url) as one:
        one.hide_issued(issued)
        got = await one.ask("POST", f"/t?k={SECRET}", {"X": SECRET}, issued.encode(), within=5)
        assert SECRET.encode() in got.body
        private = await one.ask(
            "POST", "/t", {}, b"client_secret=unheard-of", within=5, private=True
        )
        dead = HttpLine("http://127.0.0.1:9", secrets=(SECRET,))
        lost = await dead.ask("GET", f"/{SECRET}", {}, within=5)
        await dead.close()
        texts = [got.sent, got.said, repr(got), private.sent, private.said, repr(private)]
        texts += [lost.sent, lost.said, repr(one), caplog.text]
        for text in texts:
            assert SECRET not in text
            assert issued not in text
            assert "unheard-of" not in text
        assert "k=***" in got.sent
        assert private.said == "HTTP 200"


async def test_what_was_issued_long_ago_is_forgotten_and_a_password_never() -> None:
    async with line("http://127.0.0.1:9") as one:
        one.hide("a-password")
        for number in range(100):
            one.hide_issued(f"token-{number:04}")
        shown = one.mask("a-password token-0000 token-0099 " + SECRET)
        assert shown == "*** token-0000 *** ***"


async def test_nobody_there_is_not_connected_and_nothing_left() -> None:
    async with line("http://127.0.0.1:9") as one:
        got = await one.ask("GET", "/", {}, within=5)
        assert (got.ending, got.left) == (Ending.NOT_CONNECTED, False)
        assert "refused" in got.said
        assert got.step(Evidence.NONE).evidence is Evidence.NONE


async def test_a_silent_network_is_not_connected_when_the_time_is_over() -> None:
    async with served(echo) as server, line(server.url) as one:
        await server.silence()
        got = await one.ask("GET", "/", {}, within=0.2)
        assert (got.ending, got.left) == (Ending.NOT_CONNECTED, False)
        assert "within 0.2 s" in got.said


async def test_a_server_that_hears_and_says_nothing_gave_no_answer() -> None:
    async def stall(request: Request) -> Response:
        await asyncio.sleep(60)
        return Response()

    async with served(stall) as server, line(server.url) as one:
        got = await one.ask("GET", "/", {}, within=0.2)
        assert (got.ending, got.left) == (Ending.NO_ANSWER, True)


async def test_a_certificate_of_a_stranger_is_untrusted_and_nothing_left(tmp_path: Path) -> None:
    made = certificates.issue(tmp_path)
    async with served(echo, tls=made.server_context()) as server:
        async with line(server.url) as one:
            got = await one.ask("GET", "/", {}, within=5)
            assert (got.ending, got.left) == (Ending.UNTRUSTED, False)
            assert "not trusted" in got.said
        async with line(server.url, ca_file=made.ca_file) as one:
            assert (await one.ask("GET", "/", {}, within=5)).status == 200


async def test_tls_to_a_server_without_it_is_not_connected() -> None:
    async with served(echo) as server, line(server.url.replace("http", "https")) as one:
        got = await one.ask("GET", "/", {}, within=5)
        assert got.ending is Ending.NOT_CONNECTED
        assert "TLS" in got.said


async def test_an_answer_cut_in_half_is_no_answer() -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        writer.close()

    server = await asyncio.start_server(half, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server, line(f"http://{host}:{port}") as one:
        got = await one.ask("GET", "/", {}, within=5)
        assert (got.ending, got.body) == (Ending.NO_ANSWER, b"")


async def test_what_is_no_http_is_no_answer() -> None:
    async def junk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"220 smtp.example ready\r\n")
        writer.close()

    server = await asyncio.start_server(junk, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server, line(f"http://{host}:{port}") as one:
        assert (await one.ask("GET", "/", {}, within=5)).ending is Ending.NO_ANSWER


async def test_an_answer_without_end_is_cut_off() -> None:
    async def endless(request: Request) -> Response:
        return PlainTextResponse("x" * (LIMIT + 1))

    async with served(endless) as server, line(server.url) as one:
        got = await one.ask("GET", "/", {}, within=20)
        assert (got.ending, got.status, got.body) == (Ending.TOO_LONG, 200, b"")


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    asked: list[str] = []

    async def away(request: Request) -> Response:
        asked.append(request.url.path)
        return Response(status_code=302, headers={"Location": "/elsewhere", "Retry-After": "7"})

    async with served(away) as server, line(server.url) as one:
        got = await one.ask("PUT", "/here", {}, b"{}", within=5)
        assert (got.status, got.retry_after, asked) == (302, 7.0, ["/here"])


async def test_a_cancelled_request_leaves_nothing_running_and_the_line_usable() -> None:
    began = asyncio.Event()

    async def stall(request: Request) -> Response:
        if request.url.path == "/quick":
            return Response()
        began.set()
        await asyncio.sleep(60)
        return Response()

    async with served(stall) as server, line(server.url) as one:
        asking = asyncio.create_task(one.ask("GET", "/", {}, within=30))
        await began.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert (await one.ask("GET", "/quick", {}, within=5)).status == 200


class Forgetful:
    """A server that answers each request, but no more on connections from before `forget`."""

    def __init__(self) -> None:
        self.together = asyncio.Event()
        self.connections = 0
        self._forgotten = 0

    def forget(self) -> None:
        self._forgotten = self.connections

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                if number <= self._forgotten:
                    await asyncio.sleep(60)
                await self.together.wait()
                head = f"HTTP/1.1 200 OK\r\nSet-Cookie: on={number}\r\nContent-Length: 1\r\n\r\n"
                writer.write(head.encode() + str(number).encode())
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def forgetful() -> AsyncIterator[tuple[Forgetful, str]]:
    """Serve a forgetful server; when done, end what still runs of it."""
    made, running = Forgetful(), set[asyncio.Task[None]]()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        running.add(asyncio.create_task(made.serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        yield made, f"http://{host}:{port}"
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def test_after_no_answer_the_next_request_is_made_on_a_fresh_connection() -> None:
    async with forgetful() as (server, url), line(url, cookies=True) as one:
        warm = [asyncio.create_task(one.ask("GET", "/", {}, within=5)) for _ in range(3)]
        while server.connections < 3:
            await asyncio.sleep(0)
        server.together.set()
        await asyncio.gather(*warm)
        kept = {cookie.name for cookie in one.cookies.jar}
        server.forget()

        lost = await one.ask("GET", "/", {}, within=0.2)
        again = await one.ask("GET", "/", {}, within=5)
        more = await one.ask("GET", "/", {}, within=5)

        assert lost.ending is Ending.NO_ANSWER
        assert (again.body, more.body) == (b"4", b"4")
        assert kept == {cookie.name for cookie in one.cookies.jar} == {"on"}


async def test_the_lanes_of_the_noojee_client_are_fresh_after_no_answer_too() -> None:
    async with forgetful() as (server, url):
        lanes = Lanes(own_transports(no_tls()), url, count=3)

        async def post() -> bytes:
            async with lanes.take() as lane:
                return (await lane.post("/stop", "stop", Sent(), 100)).body

        warm = [asyncio.create_task(post()) for _ in range(3)]
        while server.connections < 3:
            await asyncio.sleep(0.001)
        server.together.set()
        assert {*await asyncio.gather(*warm)} == {b"1", b"2", b"3"}
        server.forget()

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await post()
        together = [asyncio.create_task(post()) for _ in range(3)]
        async with safety_net("all three are answered"):
            answers = {*await asyncio.gather(*together)}
        await lanes.close()

        assert answers == {b"4", b"5", b"6"}


async def test_what_is_under_way_when_another_request_gets_no_answer_ends_well() -> None:
    gate = asyncio.Event()

    async def slow(request: Request) -> Response:
        if request.url.path == "/lost":
            await asyncio.sleep(60)
        await gate.wait()
        return Response()

    async with served(slow) as server, line(server.url) as one:
        beside = asyncio.create_task(one.ask("GET", "/", {}, within=10))
        await asyncio.sleep(0.05)
        lost = await one.ask("GET", "/lost", {}, within=0.2)
        gate.set()
        assert lost.ending is Ending.NO_ANSWER
        assert (await beside).status == 200


@pytest.mark.parametrize(
    ("url", "more", "what"),
    [
        ("http://recorder.example", {}, "http"),
        ("ftp://recorder.example", {}, "http"),
        ("https://recorder.example", {"ca_file": "/nowhere/ca.pem"}, "/nowhere/ca.pem"),
    ],
)
def test_an_unusable_address_or_authority_is_refused_at_once(
    url: str, more: dict[str, str], what: str
) -> None:
    with pytest.raises(ValueError, match=what):
        HttpLine(url, **more)
