# SPDX-License-Identifier: Apache-2.0
"""The board in a real Chromium: what it shows, how it stays true, what its buttons do."""

import re
from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from ami.events.types import MixMonitorStart
from bridges.model import Evidence, Outcome, RecorderResult, Verb
from offrecord.journal import presses
from offrecord.web.page.sessions import LASTS
from tests.kits.browser_kit import Viewer
from tests.kits.call_kit import enter, hangup, new
from tests.kits.enforcement_kit import record
from tests.kits.lifecycle_kit import FakeRecorder, Gate
from tests.kits.page_kit import RECORDED, Site, site

pytestmark = pytest.mark.asyncio(loop_scope="session")

OTHER = (
    new("2.1", "PJSIP/412-2", exten="413"),
    new("2.2", "PJSIP/413-3", "2.1"),
    enter("c", "2.1", "2.1"),
    enter("c", "2.2", "2.1"),
)


def badge(page: Page, recorder: str, call: str = "1.1") -> "object":
    return page.locator(f"[data-call='{call}'] .badge").filter(has_text=recorder)


async def test_a_press_by_keyboard_stops_and_the_focus_stays(view: Viewer, tmp_path: Path) -> None:
    noojee = FakeRecorder("noojee", Outcome.ACCEPTED, Evidence.ACCEPTED)
    async with site(tmp_path, noojee) as here:
        page = await (await view()).log_in(here)
        await expect(badge(page, "local")).to_have_text(re.compile(r"recording\s+local"))
        await expect(badge(page, "noojee")).to_have_text(re.compile(r"unknown\s+noojee"))
        stop = page.get_by_role("button", name="Stop the recording of 410 fred, 411 wilma")
        await stop.focus()
        await page.keyboard.press("Enter")
        await expect(badge(page, "local")).to_have_text(
            re.compile(r"stopped\s+local\s+confirmed L4")
        )
        await expect(badge(page, "noojee")).to_have_text(
            re.compile(r"stopped\s+noojee\s+accepted L1")
        )
        await expect(stop).to_be_focused()
        await expect(page.get_by_role("button", name="Resume the recording")).to_be_visible()
        [press] = await here.kept.bench.presses()
        [pressed, *_] = await here.kept.bench.records(press.press)

        assert (press.verb, press.way, press.call) == ("stop", "http", "1.1")
        assert pressed.body["options"] == {"client": "desk"}
        await expect(page.locator("#said")).to_contain_text("stop")
        await expect(page.locator("#presses .press")).to_contain_text("desk")
        await badge(page, "local").get_by_role("link").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Stop by desk")
        await expect(page.get_by_role("img", name="Time line of the press")).to_be_visible()


async def _by(name: str, acting: Awaitable[RecorderResult]) -> RecorderResult:
    return replace(await acting, recorder=name)


async def test_a_double_click_is_one_press(view: Viewer, tmp_path: Path) -> None:
    gate = Gate()
    slow = FakeRecorder("slow", script=lambda order: _by("slow", gate(order)))
    async with site(tmp_path, slow) as here:
        page = await (await view()).log_in(here)
        sent: list[str] = []
        page.on("request", lambda request: sent.append(f"{request.method} {request.url}"))
        await page.get_by_role("button", name="Pause the recording").dblclick()
        await gate.reached.wait()
        await expect(badge(page, "slow")).to_have_text(re.compile(r"asking\s+slow"))
        gate.opened.set()
        await expect(badge(page, "slow")).to_have_text(re.compile(r"paused\s+slow\s+\d:\d\d left"))

        assert [one for one in sent if one.startswith("POST")] == [f"POST {here.url}press"]
        assert len(slow.orders) == 1
        assert len(await here.kept.bench.presses()) == 1


async def test_a_pause_counts_down_and_can_be_resumed(view: Viewer, tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        page = await (await view()).log_in(here)
        await page.get_by_role("button", name="Pause the recording").click()
        left = page.locator("[data-until]")
        await expect(left).to_have_text(re.compile(r"(3:00|2:5\d) left"))
        first = str(await left.text_content())
        await expect(left).not_to_have_text(first)
        here.kept.bench.engine.reconfigure(join_window=0.0)
        here.kept.time.now += 10
        await page.get_by_role("button", name="Resume the recording").click()
        await expect(badge(page, "local")).to_have_text(re.compile(r"recording\s+local|idle"))

        assert [one.verb for one in await here.kept.bench.presses()] == ["pause", "resume"]


async def test_a_press_on_the_phone_is_seen_and_said(view: Viewer, tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        page = await (await view()).log_in(here, "wall")
        await expect(page.get_by_role("button", name="Stop")).to_have_count(0)
        await here.kept.pressed(Verb.STOP)
        said = page.get_by_role("status").filter(has_text="stop by 410 fred")

        await expect(said).to_contain_text("confirmed, L4")
        await expect(said).to_have_attribute("aria-live", "polite")
        await expect(page.locator("#presses .press")).to_have_count(1)
        await expect(badge(page, "local")).to_contain_text("stopped")


async def test_what_failed_comes_first_and_can_be_acknowledged(
    view: Viewer, tmp_path: Path
) -> None:
    async with site(tmp_path, events=(*RECORDED, *OTHER, record("2.1"))) as here:
        here.kept.local.refuse = "the PBX said no"
        page = await (await view()).log_in(here)
        await expect(page.locator(".call h3").first).to_contain_text("410")
        await here.kept.pressed(Verb.STOP, "2.1", channel="PJSIP/412-2")
        await expect(page.locator(".call h3").first).to_contain_text("412")
        await expect(badge(page, "local", "2.1")).to_have_text(
            re.compile(r"failed\s+local\s+L0\s*the PBX said no")
        )
        await page.get_by_role("button", name="Acknowledge the failed stop").click()
        await expect(page.locator("#said")).to_contain_text("trying goes on")

        assert here.kept.enforcer.retry_ladder._retries["p1"].acknowledged


async def test_a_lost_link_to_the_pbx_hides_what_nobody_knows(view: Viewer, tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        page = await (await view()).log_in(here)
        await expect(page.locator(".call")).to_have_count(1)
        here.down()
        await expect(page.get_by_role("alert").filter(has_text="link to the PBX")).to_be_visible()
        await expect(page.locator(".call")).to_have_count(0)
        here.up()
        await expect(page.locator(".call")).to_have_count(1)
        await expect(page.get_by_text("The link to the PBX is down")).to_have_count(0)


async def test_a_stream_that_is_cut_says_so_and_catches_up(view: Viewer, tmp_path: Path) -> None:
    async with site(tmp_path, beat=0.3) as here:
        seen = await view()
        page = await seen.log_in(here)
        await here.cut()
        await expect(page.locator("#live")).to_have_text(re.compile(r"not live since \d\d:\d\d"))
        await here.kept.pressed(Verb.STOP)
        here.happen(*OTHER)
        await expect(badge(page, "local")).to_contain_text("recording")  # as it was known last
        await here.back()
        await expect(page.locator("#live")).to_have_text("live")
        await expect(badge(page, "local")).to_contain_text("stopped")
        await expect(page.locator(".call")).to_have_count(2)

        refused = [one for one in seen.faults if "ERR_CONNECTION" in one or "ERR_INCOMPLETE" in one]
        assert seen.faults == refused
        seen.faults.clear()


async def test_calls_come_go_and_move_without_one_too_many(view: Viewer, tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        page = await (await view()).log_in(here)
        heads = page.locator(".call h3")
        here.happen(*OTHER)
        await expect(heads).to_have_text([re.compile("410"), re.compile("412")])
        here.happen(MixMonitorStart("PJSIP/412-2", "2.1", ""), record("1.2"))
        await expect(badge(page, "local", "2.1")).to_contain_text("recording")
        await expect(heads).to_have_text([re.compile("410"), re.compile("412")])
        here.happen(hangup("1.1"), hangup("1.2"))
        await expect(heads).to_have_text([re.compile("412")])


async def test_an_ended_session_leads_to_the_login_and_back(view: Viewer, tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        page = await (await view()).log_in(here)
        here.clock += LASTS
        await expect(page.get_by_text("Your session has ended")).to_be_visible()
        await page.get_by_label("Token").fill(here.token["desk"])
        await page.keyboard.press("Enter")
        await expect(page.locator(".call")).to_have_count(1)


NASTY = "<img src=x onerror=alert(1)>\"&'<script>alert(2)</script>"


async def test_a_link_from_elsewhere_is_one_step_from_where_it_leads(
    view: Viewer, tmp_path: Path
) -> None:
    async with site(tmp_path) as here:
        page = await (await view()).log_in(here)
        await page.goto(here.url.replace("127.0.0.1", "localhost"))  # another site to a browser
        await page.evaluate("to => { location.href = to }", f"{here.url}presses?agent=fred")
        await page.get_by_role("link", name="Logged in already? Go on.").click()

        await expect(page.get_by_label("Agent")).to_have_value("fred")


async def test_names_from_outside_are_text_and_nothing_else(view: Viewer, tmp_path: Path) -> None:
    events = (
        new("1.1", f"SIP/410-{NASTY}", exten="411"),
        new("1.2", "SIP/411-2", "1.1"),
        enter("b", "1.1", "1.1"),
        enter("b", "1.2", "1.1"),
        record("1.1"),
    )
    agents = {"410": NASTY, "411": "\ud800wilma"}
    async with site(tmp_path, events=events, agents=agents) as here:
        page = await (await view()).log_in(here)
        await expect(page.locator(".call h3")).to_contain_text(NASTY)
        await expect(page.locator(".channel").first).to_contain_text(NASTY)
        await here.kept.pressed(Verb.STOP, channel=f"SIP/410-{NASTY}")
        await expect(page.locator("#said")).to_contain_text(NASTY)
        await page.locator("#presses .when").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text(NASTY)

        assert await page.locator("main script, main img").count() == 0


async def test_of_many_calls_two_hundred_are_shown_and_any_is_found(
    view: Viewer, tmp_path: Path
) -> None:
    many = [new(f"{n}.1", f"SIP/{n}-1", exten="1") for n in range(1000, 1250)]
    async with site(tmp_path, events=many) as here:
        page = await (await view()).log_in(here)
        await expect(page.locator(".call")).to_have_count(200)
        await expect(page.locator("#status")).to_contain_text("250 calls")
        await expect(page.locator("#status")).to_contain_text("200 of 250 shown")
        await page.get_by_label("Extension or agent").fill("1249")
        await page.keyboard.press("Enter")
        await expect(page.locator(".call h3")).to_have_text(["1249"])
        await expect(page.locator("#status")).to_contain_text("1 fit the filter")
        here.happen(hangup("1249.1"))
        await expect(page.locator(".call")).to_have_count(0)
        await expect(page.locator("#status")).to_contain_text("249 calls")


async def test_without_script_it_shows_and_presses_all_the_same(
    view: Viewer, tmp_path: Path
) -> None:
    async with site(tmp_path) as here:
        page = (await view(java_script_enabled=False)).page
        await page.goto(here.url)
        await page.get_by_label("Token").fill(here.token["desk"])
        await page.get_by_role("button", name="Log in").click()
        await expect(page.locator("#live")).to_have_text("not live")
        await page.get_by_role("button", name="Stop the recording").click()
        await expect(page.locator("#said")).to_contain_text("confirmed, L4")
        await expect(badge(page, "local")).to_contain_text("stopped")
        await page.get_by_role("button", name="Log out").click()
        await expect(page.get_by_role("heading", name="Log in")).to_be_visible()

        assert len(await _stored(here)) == 1


async def _stored(here: Site) -> "list[object]":
    await here.kept.bench.written()
    return list(presses(here.kept.bench.path))
