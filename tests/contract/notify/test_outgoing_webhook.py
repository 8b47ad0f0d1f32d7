# SPDX-License-Identifier: Apache-2.0
"""Verdicts posted to a desktop's server: signed, in order, tried again, and losses counted."""

import asyncio
import hashlib
import hmac
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from ami.pbx import Pbx
from ami.settings import AmiSettings
from bridges.model import Evidence, Outcome, Verb
from bridges.simulators import certificates
from bridges.simulators.server import SimServer
from offrecord.base.secrets import Secret
from offrecord.config.sections.notify import TellConfig
from offrecord.model.outcome_codes import SOUNDS
from offrecord.model.press import Press
from offrecord.model.verdict import Verdict
from offrecord.notify import outgoing_webhook
from offrecord.notify.notifier import Notifier
from tests.kits.waiting import eventually

SECRET = "desk-secret-77"
TOKEN = "hush-token-99"


class Desk:
    """The receiver: answers with `answers` one after the other, then with 204."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.got: list[tuple[str, Mapping[str, str], bytes]] = []
        self.hold = asyncio.Event()
        self.hold.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        self.got.append((str(request.url), request.headers, await request.body()))
        await self.hold.wait()
        status = self.answers.pop(0) if self.answers else 204
        # What an unkind server would say: everything it was sent.
        text = "" if status == 204 else f"{TOKEN} {SECRET}"
        headers = {"Location": "https://elsewhere.example/"} if status == 302 else {}
        await PlainTextResponse(text, status, headers)(scope, receive, send)

    @property
    def presses(self) -> list[str]:
        return [json.loads(body)["press"] for _, _, body in self.got]


class Clock:
    """A clock that stands still but for sleepers."""

    def __init__(self) -> None:
        self.time = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.time

    def now(self) -> float:
        return 1_700_000_000.9 + self.time - 100.0

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


@asynccontextmanager
async def posting(url: str, clock: Clock | None = None, **more: object) -> AsyncIterator[Notifier]:
    clock = clock or Clock()
    given = TellConfig.model_validate(
        {
            "lamp": False,
            "webhook": f"{url}/hook?t={TOKEN}",
            "webhook_secret": Secret(SECRET),
            **more,
        }
    )
    pbx = Pbx(AmiSettings(username="x", secret="x"))
    one = Notifier(pbx, given, SOUNDS, clock=clock, now=clock.now, sleep=clock.sleep)
    one.open()
    try:
        yield one
    finally:
        await one.close()


def tell(one: Notifier, name: str = "p1") -> None:
    press = Press(name, Verb.STOP, "cli", "410", 1, 1.0)
    result = Verdict(name, Verb.STOP, Outcome.CONFIRMED, Evidence.NOTHING_ELSE, "", 0.1, "1.1")
    one.verdict(press, result, None, False)


async def test_a_verdict_is_posted_and_its_signature_can_be_checked() -> None:
    desk = Desk()
    async with SimServer(desk) as server, posting(server.url) as one:
        tell(one)
        await eventually(lambda: desk.got)
        [(url, headers, body)] = desk.got

        assert url == f"{server.url}/hook?t={TOKEN}"
        assert json.loads(body)["outcome"] == "confirmed"
        assert headers["content-type"] == "application/json"
        stamp = headers["x-offrecord-timestamp"]
        assert stamp == "1700000000"
        signed = hmac.new(SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256)
        assert headers["x-offrecord-signature"] == f"sha256={signed.hexdigest()}"
        assert headers["x-offrecord-delivery"] == "p1-1"
        assert not one.lost


async def test_https_is_checked_against_the_given_authority(tmp_path: object) -> None:
    desk, made = Desk(), certificates.issue(tmp_path)  # type: ignore[arg-type]
    async with SimServer(desk, tls=made.server_context()) as server:
        async with posting(server.url, webhook_ca_file=made.ca_file) as one:
            tell(one)
            await eventually(lambda: desk.got)
        with capture_logs() as logs:
            async with posting(server.url) as one:
                tell(one)
                await eventually(lambda: one.lost["webhook"] == 1)
        assert len(desk.got) == 1
        assert "not trusted" in logs[0]["problem"]


async def test_a_server_in_trouble_is_tried_again_with_growing_pauses() -> None:
    desk, clock = Desk(503, 500, 429), Clock()
    async with SimServer(desk) as server, posting(server.url, clock) as one:
        tell(one)
        await eventually(lambda: len(desk.got) == 4)
        await eventually(lambda: not one._webhook._under_way)  # type: ignore[union-attr]

        assert clock.slept == [0.5, 1.0, 2.0]
        assert {body for _, _, body in desk.got} == {desk.got[0][2]}
        assert {headers["x-offrecord-delivery"] for _, headers, _ in desk.got} == {"p1-1"}
        stamps = [headers["x-offrecord-timestamp"] for _, headers, _ in desk.got]
        assert stamps == ["1700000000", "1700000001", "1700000002", "1700000004"]
        assert len({headers["x-offrecord-signature"] for _, headers, _ in desk.got}) == 4
        assert not one.lost


async def test_after_the_last_try_it_is_lost_and_the_next_one_goes_its_way() -> None:
    desk = Desk(500, 500, 500, 500)
    async with SimServer(desk) as server, posting(server.url) as one:
        with capture_logs() as logs:
            tell(one, "lost")
            tell(one, "next")
            await eventually(lambda: desk.presses == ["lost"] * 4 + ["next"])
        assert one.lost == {"webhook": 1}
        [line] = logs
        assert (line["event"], line["press"]) == ("webhook_lost", "lost")
        assert TOKEN not in str(logs)
        assert SECRET not in str(logs)


async def test_what_another_try_cannot_mend_is_lost_at_once() -> None:
    desk, clock = Desk(400, 401, 404, 410, 302), Clock()
    async with SimServer(desk) as server, posting(server.url, clock) as one:
        for number in range(5):
            tell(one, f"p{number}")
        await eventually(lambda: one.lost["webhook"] == 5)
        assert len(desk.got) == 5
        assert clock.slept == []


async def test_a_server_that_is_not_there_is_tried_again_and_never_named_with_its_token() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    clock = Clock()
    with capture_logs() as logs:
        async with posting(url, clock) as one:
            tell(one)
            await eventually(lambda: one.lost["webhook"] == 1)
    assert clock.slept == [0.5, 1.0, 2.0]
    assert "cannot connect" in logs[0]["problem"]
    assert TOKEN not in str(logs)


async def test_news_that_have_grown_old_are_not_told() -> None:
    desk, clock = Desk(), Clock()
    async with SimServer(desk) as server, posting(server.url, clock) as one:
        desk.hold.clear()
        tell(one, "first")
        await eventually(lambda: desk.got)
        tell(one, "old")
        clock.time += outgoing_webhook.EXPIRES + 1
        tell(one, "new")
        desk.hold.set()
        await eventually(lambda: desk.presses == ["first", "new"])
        assert one.lost == {"webhook": 1}


async def test_a_flood_loses_the_oldest_and_counts_them() -> None:
    desk = Desk()
    async with SimServer(desk) as server, posting(server.url) as one:
        desk.hold.clear()
        tell(one, "first")
        await eventually(lambda: desk.got)
        for number in range(outgoing_webhook.LIMIT + 3):
            tell(one, f"p{number}")
        assert one.lost == {"webhook": 3}
        desk.hold.set()
        await eventually(lambda: len(desk.got) == outgoing_webhook.LIMIT + 1)
        assert desk.presses[:2] == ["first", "p3"]


async def test_it_closes_within_a_second_though_the_server_says_nothing() -> None:
    desk = Desk()
    async with SimServer(desk) as server:
        desk.hold.clear()
        with capture_logs() as logs:
            async with posting(server.url) as one:
                tell(one, "under-way")
                tell(one, "waiting")
                await eventually(lambda: desk.got)
                started = asyncio.get_running_loop().time()
                await one.close()
                assert asyncio.get_running_loop().time() - started < 1
        desk.hold.set()
        lost = [line["press"] for line in logs if line["event"] == "webhook_lost"]
        assert lost == ["under-way", "waiting"]
        assert one.lost == {"webhook": 2}


async def test_what_waits_is_still_told_on_the_way_out() -> None:
    desk = Desk()
    async with SimServer(desk) as server:
        async with posting(server.url) as one:
            tell(one, "last")
        assert desk.presses == ["last"]
        assert not one.lost


async def test_nobody_is_shown_the_secret() -> None:
    async with posting("http://127.0.0.1:9") as one:
        hook = one._webhook
        assert hook is not None
        request = hook._line.shown("POST", hook._target)
        shown = f"{one!r} {hook!r} {hook._line!r} {hook._secret!r} {request}"
        assert SECRET not in shown
        assert TOKEN not in shown
