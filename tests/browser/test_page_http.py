# SPDX-License-Identifier: Apache-2.0
"""The page without a browser: sessions, forms, headers, and what is refused."""

import asyncio
import re
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bridges.model import Verb
from offrecord.journal import JournalError
from offrecord.web.page import PREFIX
from offrecord.web.page.history import DAY
from offrecord.web.page.live_stream import OF_ONE, Render
from offrecord.web.page.responses import CSP
from offrecord.web.page.sessions import LASTS
from tests.kits.page_kit import Site, site

pytestmark = pytest.mark.asyncio(loop_scope="session")

PRESS, LOGIN, LOGOUT = f"{PREFIX}/press", f"{PREFIX}/login", f"{PREFIX}/logout"
JSON = {"Accept": "application/json"}


async def test_every_answer_is_fenced_in(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.client() as client:
        strangers = [await client.get(LOGIN), await client.get(here.url), await client.get("/")]
        await here.log_in(client)
        paths = ("/", "/presses", "/presses/none", "/static/page.js", "/static/none")
        answers = [*strangers, *[await client.get(PREFIX + path) for path in paths]]

        for answer in answers:
            assert answer.headers["content-security-policy"] == CSP, answer.url
            assert answer.headers["x-frame-options"] == "DENY"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "same-origin"
        assert "unsafe" not in CSP
        statuses = [answer.status_code for answer in answers]
        assert statuses == [200, 303, 307, 200, 200, 404, 200, 404]


async def test_no_page_has_script_or_style_of_its_own_in_it(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.client() as client:
        await here.kept.pressed(Verb.STOP)
        await here.log_in(client)
        for path in ("/", "/presses", "/presses/p1", "/login"):
            text = (await client.get(PREFIX + path, follow_redirects=True)).text

            assert not re.search(r"<style|style=|\son\w+=|javascript:|<script(?! src)", text)
            assert not re.search(r'(?:src|href|action)="(?!/page|#|\?)', text)


@pytest.mark.parametrize("secure", [False, True])
async def test_the_cookie_is_out_of_reach(tmp_path: Path, secure: bool) -> None:
    async with site(tmp_path, secure=secure) as here, here.client() as client:
        answer = await client.post(LOGIN, data={"token": here.token["desk"]})
        name, *attributes = answer.headers["set-cookie"].split("; ")

        assert name.split("=")[0] == ("__Host-offrecord" if secure else "offrecord")
        assert {"HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"} <= set(attributes)
        assert ("Secure" in attributes) is secure
        assert here.token["desk"] not in str(answer.headers)


@pytest.mark.parametrize(
    ("fields", "headers", "status"),
    [
        pytest.param({}, {}, 403, id="no-csrf"),
        pytest.param({"csrf": "x" * 43}, {}, 403, id="wrong-csrf"),
        pytest.param({"csrf": "\u00e9"}, {}, 403, id="odd-csrf"),
        pytest.param({"csrf": "own"}, {"Origin": "http://evil.example"}, 403, id="origin"),
        pytest.param({"csrf": "own"}, {"Origin": "null"}, 403, id="origin-null"),
        pytest.param({"csrf": "own"}, {"Sec-Fetch-Site": "cross-site"}, 403, id="site"),
        pytest.param({"csrf": "own", "do": "stop"}, {}, 400, id="no-call"),
        pytest.param({"csrf": "own", "do": "start 1.1"}, {}, 400, id="no-such-button"),
        pytest.param({"csrf": "own", "do": f"stop {'1' * 201}"}, {}, 400, id="long-call"),
        pytest.param({"csrf": "own", "do": "ack p1"}, {}, 409, id="nothing-to-acknowledge"),
        pytest.param({"csrf": "own", "pad": "x" * 9000}, {}, 413, id="too-large"),
        pytest.param(
            {"csrf": "own", "do": "stop 1.1"}, {"Content-Type": "text/plain"}, 415, id="no-form"
        ),
    ],
)
async def test_a_form_that_is_not_ours_presses_nothing(
    tmp_path: Path, fields: dict[str, str], headers: dict[str, str], status: int
) -> None:
    async with site(tmp_path) as here, here.client() as client:
        own = await here.log_in(client)
        given = {"do": "stop 1.1", **fields}
        given = {key: own if value == "own" else value for key, value in given.items()}
        answer = await client.post(PRESS, data=given, headers=headers)
        told = await client.post(PRESS, data=given, headers={**JSON, **headers})

        assert (answer.status_code, told.status_code) == (status, status)
        assert told.json()["error"]
        assert not await here.kept.bench.presses()


async def test_reading_is_not_pressing(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.client() as client:
        page = await client.post(LOGIN, data={"token": here.token["wall"]}, follow_redirects=True)
        [csrf] = set(re.findall(r'name="csrf" value="([^"]+)"', page.text))
        answer = await client.post(PRESS, data={"csrf": csrf, "do": "stop 1.1"})

        assert 'form="press"' not in page.text
        assert answer.status_code == 403
        assert not await here.kept.bench.presses()


async def test_presses_are_counted_with_those_of_the_api(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.client() as client:
        csrf = await here.log_in(client)
        here.wait = 12
        answer = await client.post(PRESS, data={"csrf": csrf, "do": "stop 1.1"}, headers=JSON)

        assert here.counted == ["desk"]
        assert answer.status_code == 429
        assert "try again in 12 s" in answer.json()["error"]
        assert not await here.kept.bench.presses()


async def test_wrong_tokens_are_slowed_down_and_the_right_one_still_gets_in(
    tmp_path: Path,
) -> None:
    async with site(tmp_path) as here, here.client() as client:
        wrong = [await client.post(LOGIN, data={"token": f"or_{n}"}) for n in range(4)]
        right = await client.post(LOGIN, data={"token": here.token["desk"]})

        assert [one.status_code for one in wrong] == [403, 403, 403, 429]
        assert 1 <= int(wrong[-1].headers["retry-after"]) <= 60
        assert "wait" in wrong[-1].text
        assert all("set-cookie" not in one.headers for one in wrong)
        assert "or_2" not in wrong[2].text
        assert right.status_code == 303


async def test_a_token_that_cannot_read_opens_nothing(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.client() as client:
        answer = await client.post(LOGIN, data={"token": here.token["prometheus"]})

        assert answer.status_code == 403
        assert "lacks the scope read" in answer.text


async def _ends(here: Site, how: str) -> None:
    if how == "over":
        here.clock += LASTS
    elif how == "revoked":
        here.tokens.revoke("desk")
    else:
        here.tokens.revoke("desk")
        here.tokens.add("desk", ["read"])  # of the same name, and another token


@pytest.mark.parametrize("how", ["over", "revoked", "replaced"])
async def test_a_session_ends_at_the_next_request(tmp_path: Path, how: str) -> None:
    async with site(tmp_path) as here, here.client() as client:
        csrf = await here.log_in(client)
        await _ends(here, how)
        page = await client.get(f"{PREFIX}/presses", params={"agent": "fred"})
        pressed = await client.post(PRESS, data={"csrf": csrf, "do": "stop 1.1"}, headers=JSON)
        stream_ = await client.get(f"{PREFIX}/events")

        assert page.status_code == 303
        assert page.headers["location"].startswith(f"{LOGIN}?ended=1")
        assert "presses%3Fagent%3Dfred" in page.headers["location"]
        assert pressed.status_code == 401
        assert stream_.text == "event: bye\ndata: \n\n"
        assert not await here.kept.bench.presses()


async def test_a_logout_ends_the_session_for_whoever_has_the_cookie(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.client() as client:
        csrf = await here.log_in(client)
        kept = dict(client.cookies)
        answer = await client.post(LOGOUT, data={"csrf": csrf})
        client.cookies.update(kept)
        again = await client.get(here.url)

        assert answer.headers["location"] == LOGIN
        assert again.status_code == 303


@pytest.mark.parametrize(
    ("to", "leads"),
    [
        (f"{PREFIX}/presses/p1", f"{PREFIX}/presses/p1"),
        (f"{PREFIX}/presses?agent=fred", f"{PREFIX}/presses?agent=fred"),
        ("", f"{PREFIX}/"),
        ("//evil.example/", f"{PREFIX}/"),
        ("https://evil.example/", f"{PREFIX}/"),
        (f"{PREFIX}//evil.example", f"{PREFIX}/"),
        (f"{PREFIX}/\\evil.example", f"{PREFIX}/"),
        (f"{PREFIX}/x\r\nSet-Cookie: a=b", f"{PREFIX}/"),
        (LOGIN, f"{PREFIX}/"),
    ],
)
async def test_a_login_leads_nowhere_but_to_the_page(tmp_path: Path, to: str, leads: str) -> None:
    async with site(tmp_path) as here, here.client() as client:
        answer = await client.post(LOGIN, data={"token": here.token["desk"], "next": to})

        assert answer.headers["location"] == leads


async def test_beyond_a_day_only_the_audit_sees(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.client() as client, here.client() as other:
        time = here.kept.time
        now, time.wall = time.wall, lambda: now() - 2 * DAY
        await here.kept.pressed(Verb.STOP)
        await here.kept.bench.written()
        time.wall = now
        await here.log_in(client, "desk")
        await other.post(LOGIN, data={"token": here.token["wall"]})
        wide = await client.get(f"{PREFIX}/presses", params={"since": "all"})
        narrow = await other.get(f"{PREFIX}/presses", params={"since": "all"})
        one = [await who.get(f"{PREFIX}/presses/p1") for who in (client, other)]

        assert "/presses/p1" in wide.text
        assert "/presses/p1" not in narrow.text
        assert "the scope <code>audit</code> sees further back" in narrow.text
        assert [answer.status_code for answer in one] == [200, 403]


async def test_the_search_finds_by_call_agent_and_outcome(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.client() as client:
        await here.kept.pressed(Verb.STOP)
        await here.log_in(client)

        async def found(**query: str) -> bool:
            page = await client.get(f"{PREFIX}/presses", params=query)
            assert page.status_code == 200
            return "/presses/p1" in page.text

        assert await found()
        assert await found(call="1.2", agent="fred", outcome="confirmed", since="1h")
        assert not await found(agent="wilma")
        assert not await found(call="2.1")
        assert not await found(outcome="failed")
        assert await found(outcome="nonsense", since="nonsense")


async def test_presses_are_read_once_their_records_are_on_the_disk(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        disk = SimpleNamespace(waiting=1, trouble=None)
        cast("Any", here.service.components).journal = disk
        render = Render(here.service)
        reading = asyncio.create_task(render.presses())
        await asyncio.sleep(0)
        await here.kept.pressed(Verb.STOP)
        await here.kept.bench.written()
        assert not reading.done()
        disk.waiting = 0
        assert [row.outcome for row in (await reading).rows] == ["confirmed"]

        disk.waiting, disk.trouble = 1, JournalError("the disk is full", "make room")
        unsure = await render.presses()
        disk.waiting, disk.trouble = 0, None
        assert not unsure.whole
        assert (await render.presses()).whole


async def test_a_page_too_many_is_refused(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.client() as client, AsyncExitStack() as streams:
        await here.log_in(client)
        lines = []
        for _ in range(OF_ONE):
            opened = await streams.enter_async_context(client.stream("GET", f"{PREFIX}/events"))
            assert opened.status_code == 200
            lines.append(opened.aiter_lines())
            await anext(lines[-1])
        async with client.stream("GET", f"{PREFIX}/events") as one_more:
            assert one_more.status_code == 503


async def test_a_tab_that_does_not_read_loses_its_place(tmp_path: Path) -> None:
    async with site(tmp_path, patience=0.01) as here, here.client() as client:
        await here.log_in(client)
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        scope = {
            "type": "http", "method": "GET", "path": f"{PREFIX}/events", "query_string": b"",
            "headers": [(b"cookie", cookie.encode())], "client": ("203.0.113.9", 1),
        }  # fmt: skip
        begun: list[int] = []

        async def never(*_message: Any) -> Any:
            await asyncio.Event().wait()

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                begun.append(message["status"])
            else:
                await never()

        async with asyncio.timeout(10):
            await asyncio.gather(*(here.app(scope, never, send) for _ in range(OF_ONE)))
        async with client.stream("GET", f"{PREFIX}/events") as one_more:
            assert one_more.status_code == 200

        assert begun == [200] * OF_ONE


async def test_our_files_are_kept_by_an_address_of_their_content(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.client() as client:
        page = await client.get(LOGIN)
        [script] = re.findall(r'<script src="([^"]+)"', page.text)
        answer = await client.get(script)

        assert re.fullmatch(rf"{PREFIX}/static/page\.js\?v=[0-9a-f]{{16}}", script)
        assert "immutable" in answer.headers["cache-control"]
        assert (await client.get(f"{PREFIX}/static/..%2froutes.py")).status_code == 404


async def test_a_journal_that_cannot_be_read_hides_no_call(tmp_path: Path) -> None:
    async with site(tmp_path) as here, here.client() as client:
        await here.kept.pressed(Verb.STOP)
        await here.kept.bench.written()
        here.kept.bench.path.rename(tmp_path / "away")
        await here.log_in(client)
        page = await client.get(here.url)
        search = await client.get(f"{PREFIX}/presses")
        (tmp_path / "away").rename(here.kept.bench.path)

        assert page.status_code == 200
        assert "410" in page.text
        assert "journal" in page.text.lower()
        assert search.status_code == 503
