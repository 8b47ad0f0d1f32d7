# SPDX-License-Identifier: Apache-2.0
"""VoipNow's Call Events, sent by the simulator and by others, and what is made of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from bridges.model import Outcome, Verb
from bridges.simulators.server import SimServer
from bridges.simulators.voipnow.events import DIAL_IN, HANGUP, parameters
from bridges.voipnow.call_events import LARGEST, MOST, OLDEST, Hook
from offrecord.base.secrets import Secret
from tests.kits.voipnow_kit import EXTENSION, HOOK_TOKEN, UNIQUEID, Fixture, fixture, order

TOLD = {
    "CallID": UNIQUEID, "CallAPIID": "ystbaxji6g4vnts3wted", "CalledExtension": EXTENSION,
    "CallerIDNum": "0123456", "CallStatus": "CALLING", "CallFlow": "IN",
}  # fmt: skip


@asynccontextmanager
async def hooked(**more: Any) -> AsyncIterator[tuple[Fixture, SimServer, str]]:
    """Run a fixture whose recorder's hook listens on a port of its own."""
    async with fixture(hook_token=Secret(HOOK_TOKEN), **more) as made:
        hook = made.recorder.hook
        assert hook is not None
        async with SimServer(hook) as server:
            yield made, server, f"{server.url}/hooks/cloud/{HOOK_TOKEN}"


def hook_of(made: Fixture) -> Hook:
    assert isinstance(made.recorder.hook, Hook)
    return made.recorder.hook


async def send(url: str, method: str = "POST", **more: Any) -> int:
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.request(method, url, **more)).status_code


@pytest.mark.parametrize("post", ["0", "1"])
async def test_a_call_that_voipnow_told_of_is_addressed_at_once(post: str) -> None:
    async with hooked(call={"asterisk_id": UNIQUEID}) as (made, _, url):
        made.sim.events.add(EXTENSION, {"type": "0", "method": post, "url": url})
        assert await made.sim.events.send(made.call, DIAL_IN) == [204]
        twin = made.sim.site.add_call(EXTENSION, "0123456")
        result = await made.act()
        assert result.outcome is Outcome.CONFIRMED
        assert UNIQUEID in result.detail
        one = f"@me/0003*210/{made.call.id}"
        assert made.paths[:2] == [f"GET {one}", f"PUT {one}"]
        assert twin.recorded(made.watch.now), "by its numbers it would have been ambiguous"


async def test_a_call_without_our_id_is_told_by_extension_time_and_number() -> None:
    async with hooked() as (made, _, url):
        told = parameters(made.call, DIAL_IN) | {"CallID": "999.1"}
        assert await send(url, data=told) == 204
        plan = made.recorder.plan(order())
        assert made.call.id in plan.requests[1]
        assert (await made.act()).outcome is Outcome.CONFIRMED
        assert made.asked("list") == []


async def test_two_told_calls_that_both_fit_leave_it_to_the_lists() -> None:
    async with hooked() as (made, _, url):
        for number in ("1", "2"):
            told = parameters(made.call, DIAL_IN) | {"CallID": f"999.{number}"}
            await send(url, data=told | {"CallAPIID": f"other{number}"})
        assert (await made.act()).outcome is Outcome.CONFIRMED
        assert made.paths[0] == "GET @me/0003*210"


async def test_a_told_call_that_voipnow_no_longer_knows_is_looked_for_in_the_lists() -> None:
    async with hooked() as (made, _, url):
        await send(url, data=TOLD)
        result = await made.act()
        assert result.outcome is Outcome.CONFIRMED
        assert made.asked("list")


async def test_a_told_call_needs_no_extension_of_ours() -> None:
    async with hooked(call={"asterisk_id": UNIQUEID}) as (made, _, url):
        await send(url, data=parameters(made.call, DIAL_IN))
        trunk = order().call.channels[1]
        asked = order(Verb.STOP, trunk)
        assert asked.presser is not None
        assert (await made.recorder.act(asked)).outcome is Outcome.CONFIRMED
        made.sim.site.calls.clear()
        assert (await made.recorder.act(asked)).outcome is Outcome.CALL_ENDED


async def test_a_hang_up_forgets_the_call() -> None:
    async with hooked(call={"asterisk_id": UNIQUEID}) as (made, _, url):
        for kind in ("0", "2"):
            made.sim.events.add(EXTENSION, {"type": kind, "method": "1", "url": url})
        await made.sim.events.send(made.call, DIAL_IN)
        assert len(hook_of(made)) == 1
        await made.sim.events.send(made.call, HANGUP)
        assert len(hook_of(made)) == 0


async def test_later_events_add_to_what_is_known_of_a_call() -> None:
    async with hooked() as (made, _, url):
        await send(url, data=TOLD)
        await send(url, data=TOLD | {"CallID": "", "CalledExtension": "0003*211@sip.example"})
        assert len(hook_of(made)) == 1
        assert hook_of(made).of("211")[0].extensions == (EXTENSION, "0003*211")
        assert hook_of(made).by_ids([UNIQUEID]) is not None


@pytest.mark.parametrize(
    ("method", "path", "more", "status"),
    [
        ("POST", HOOK_TOKEN, {"data": TOLD}, 204),
        ("GET", HOOK_TOKEN, {"params": TOLD}, 204),
        ("POST", f"{HOOK_TOKEN}x", {"data": TOLD}, 404),
        ("POST", HOOK_TOKEN[:-1], {"data": TOLD}, 404),
        ("POST", f"{HOOK_TOKEN}/", {"data": TOLD}, 404),
        ("POST", "", {"data": TOLD}, 404),
        ("POST", "%C3%A9", {"data": TOLD}, 404),
        ("PUT", HOOK_TOKEN, {"data": TOLD}, 405),
        ("DELETE", HOOK_TOKEN, {}, 405),
        ("POST", HOOK_TOKEN, {"data": {"CallAPIID": "x" * LARGEST}}, 413),
        ("GET", HOOK_TOKEN, {"params": {"CallAPIID": "x" * (LARGEST + 1)}}, 413),
        ("POST", HOOK_TOKEN, {"content": b"CallID=\xff\xfe"}, 400),
        ("POST", HOOK_TOKEN, {"data": {"CallAPIID": "../../x", "CallID": "1.1"}}, 400),
        ("POST", HOOK_TOKEN, {"data": {"CallID": "1.1"}}, 400),
        ("POST", HOOK_TOKEN, {"data": {}}, 400),
    ],
)
async def test_only_what_voipnow_would_send_is_taken(
    method: str, path: str, more: dict[str, Any], status: int
) -> None:
    async with hooked() as (made, server, _):
        assert await send(f"{server.url}/hooks/cloud/{path}", method, **more) == status
        assert len(hook_of(made)) == (status == 204)


async def test_a_body_that_never_ends_is_not_waited_for() -> None:
    async with hooked() as (_, server, _url):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        head = (
            f"POST /hooks/cloud/{HOOK_TOKEN} HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n"
        )
        writer.write(head.encode() + b"x" * (LARGEST + 1))
        assert b"413" in await reader.readline()
        writer.close()


def test_the_store_is_bounded_in_count_and_in_age() -> None:
    now = 0.0
    hook = Hook("t" * 16, now=lambda: now)
    for number in range(MOST + 5):
        assert hook.tell({"CallID": f"1.{number}", "CallAPIID": f"a{number}"})
    assert len(hook) == MOST
    assert hook.by_ids(["1.4"]) is None
    assert hook.by_ids(["1.5"]) is not None
    now = OLDEST + 1
    assert hook.by_ids(["1.5"]) is None
    assert len(hook) == 0


def test_two_ids_of_one_call_that_name_two_calls_decide_nothing() -> None:
    hook = Hook("t" * 16)
    hook.tell({"CallID": "1.1", "CallAPIID": "a1"})
    hook.tell({"CallID": "1.2", "CallAPIID": "a2"})
    assert hook.by_ids(["1.1", "1.2"]) is None


def test_ids_with_other_characters_are_taken_where_so_configured() -> None:
    told = {"CallID": "1.1", "CallAPIID": "3584709739-6d522972-9eae"}
    assert not Hook("t" * 16).tell(told)
    assert Hook("t" * 16, loose=True).tell(told)
