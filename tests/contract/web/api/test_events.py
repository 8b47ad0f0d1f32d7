# SPDX-License-Identifier: Apache-2.0
"""Server-sent events: everything that happens, once, also across a lost connection."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sse_starlette import ServerSentEvent

from offrecord.web.event_stream import TimeoutEventStream
from tests.kits.api_kit import Api, api
from tests.kits.enforcement_kit import record
from tests.kits.waiting import eventually, safety_net


async def until(following: Any, kind: str) -> tuple[list[str], Any]:
    """Return the kinds up to the first event of one kind, and its data."""
    kinds: list[str] = []
    async with safety_net(f"an event {kind!r} comes"):
        while True:
            _, name, data = await following()
            kinds.append(name)
            if name == kind:
                return kinds, data


async def test_a_stream_begins_with_the_calls_and_tells_a_press_in_order(tmp_path: Path) -> None:
    async with api(tmp_path) as here, here.events() as following:
        name, kind, first = await following()
        here.kept.happen(record())
        press = (await here.press()).json()["press"]
        kinds, verdict = await until(following, "verdict")
        _, calls = await until(following, "calls")

        assert (kind, first["known"]) == ("open", True)
        assert first["calls"] == (await here.get("/v1/calls")).json()["calls"] or first["calls"]
        assert re.fullmatch(r"[0-9a-f]+\.0", name)
        assert [k for k in kinds if k != "calls"] == [
            "pressed", "resolved", "intent", "answered", "verdict",
        ]  # fmt: skip
        assert (verdict["press"], verdict["body"]["outcome"]) == (press, "confirmed")
        assert calls["calls"] == (await here.get("/v1/calls")).json()["calls"]


async def test_after_a_lost_connection_nothing_is_missed_or_told_twice(tmp_path: Path) -> None:
    async with api(tmp_path) as here:
        async with here.events() as following:
            await following()
            await here.press()
            last = ""
            async with safety_net("the events come up to the resolved one"):
                while (event := await following())[1] != "resolved":
                    last = event[0]
            last = event[0]
        await here.kept.bench.written()
        async with here.events(**{"Last-Event-ID": last}) as following:
            kinds, _ = await until(following, "verdict")

        assert kinds == ["intent", "answered", "verdict"]


@pytest.mark.parametrize("last", ["0.1", "rubbish", "1.x", "9.9.9"])
async def test_an_id_of_another_life_is_told_that_something_was_missed(
    tmp_path: Path, last: str
) -> None:
    async with api(tmp_path) as here:
        await here.press()
        await here.kept.bench.written()
        async with here.events(**{"Last-Event-ID": last}) as following:
            kinds, _ = await until(following, "verdict")

        assert kinds[:2] == ["missed", "pressed"]


async def ended(following: Any) -> None:
    """Wait until a stream ends."""
    async with safety_net("the stream ends"):
        with suppress(EOFError):
            while True:
                await following()


async def test_a_stream_ends_with_its_token_and_with_the_daemon(tmp_path: Path) -> None:
    async with api(tmp_path) as here:
        async with here.events("board") as one, here.events("crm") as other:
            await one()
            await other()
            assert here.service.feed.listeners == 2
            here.tokens.revoke("board")
            await here.press()  # whoever may not hear of it is told nothing of it
            with pytest.raises(EOFError):
                await one()
            await until(other, "verdict")
            here.ending = True
            await ended(other)
        await quiet(here)


async def quiet(here: Api) -> None:
    await eventually(lambda: not here.service.feed.listeners)


async def test_streams_are_counted_and_a_closed_one_makes_room(tmp_path: Path) -> None:
    async with api(tmp_path, settings=(("streams", 1),)) as here:
        async with here.events() as following:
            await following()
            full = await here.get("/v1/events")
            assert full.status_code == 503
            assert full.headers["Retry-After"] == "10"
        await quiet(here)
        async with here.events() as following:
            assert (await following())[1] == "open"


async def test_a_client_that_does_not_read_is_let_go(capsys: pytest.CaptureFixture[str]) -> None:
    closed = asyncio.Event()

    async def events() -> AsyncIterator[ServerSentEvent]:
        try:
            while True:
                yield ServerSentEvent("news")
        finally:
            closed.set()

    async def never(*_message: Any) -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            await never()

    async with safety_net("a stream that is not read is closed"):
        stream = TimeoutEventStream(events(), timeout=0.01)
        await stream({"type": "http", "method": "GET", "client": ("203.0.113.9", 1)}, never, send)

    assert closed.is_set()
    assert "event_stream_not_read" in capsys.readouterr().out
