# SPDX-License-Identifier: Apache-2.0
"""The page for every eye, hand and screen: contrast, keyboard, names of things, phones; pictures.

With `OFFRECORD_PICTURES=docs/images` in the environment the pictures of the guide are made anew.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from bridges.model import Evidence, Order, Outcome, RecorderResult, Step, Verb
from tests.kits.browser_kit import Viewer
from tests.kits.call_kit import enter, new
from tests.kits.enforcement_kit import record
from tests.kits.lifecycle_kit import FakeRecorder, result
from tests.kits.page_kit import RECORDED, Site, site

pytestmark = pytest.mark.asyncio(loop_scope="session")

PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 800}
LARGEST = 150_000
"""Bytes that a picture of the guide may have."""

CONTRAST = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const over = (top, under) => {
    const a = top[3] ?? 1;
    return [0, 1, 2].map((i) => top[i] * a + under[i] * (1 - a));
  };
  const behind = (one) => {
    const layers = [];
    for (let at = one; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if ((colour[3] ?? 1) > 0) layers.push(colour);
    }
    return layers.reduceRight((under, top) => over(top, under), [255, 255, 255]);
  };
  const light = (rgb) => {
    const one = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = rgb.map((v) => one(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const poor = [];
  for (const one of document.querySelectorAll("body *")) {
    const own = [...one.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !one.checkVisibility() || one.closest("svg, .hidden, .skip")) continue;
    const under = behind(one);
    const pair = [light(over(parse(getComputedStyle(one).color), under)), light(under)];
    const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    if (ratio < 4.5) poor.push(`${ratio.toFixed(2)} ${one.className} ${one.textContent.trim()}`);
  }
  return poor;
}"""
"""The texts whose contrast is under what WCAG 2 asks for at level AA."""


def _calls() -> list[object]:
    events = [*RECORDED]
    for n, (one, other) in enumerate((("412", "413"), ("420", "421"), ("430", "431")), 2):
        events += [
            new(f"{n}.1", f"PJSIP/{one}-0000000{n}", exten=other),
            new(f"{n}.2", f"PJSIP/{other}-0000000{n}", f"{n}.1"),
            enter(f"b{n}", f"{n}.1", f"{n}.1"),
            enter(f"b{n}", f"{n}.2", f"{n}.1"),
            record(f"{n}.1"),
        ]
    return events


@asynccontextmanager
async def busy(folder: Path) -> AsyncIterator[Site]:
    """Serve a site of four calls: one stopped, one paused, one failed, one just recorded."""

    async def answer(order: Order) -> RecorderResult:
        began = time.time()
        await asyncio.sleep(0.006)
        done = result("noojee", Outcome.ACCEPTED, Evidence.ACCEPTED, "Noojee accepted (HTTP 200)")
        sent = f"POST /servicemanager/rest/CallManagementAPI/{order.verb.value}"
        return replace(done, steps=(Step(began, 0.0061, sent, "200", Evidence.ACCEPTED),))

    noojee = FakeRecorder("noojee", script=answer, kind="noojee")
    agents = {"410": "fred", "411": "wilma", "412": "barney", "413": "betty"}
    async with site(folder, noojee, events=_calls(), agents=agents) as here:
        here.kept.time.monotonic = time.monotonic  # so that what took how long is true
        here.kept.time.now = time.monotonic()
        await here.kept.pressed(Verb.STOP)
        here.kept.time.now = time.monotonic()
        await here.kept.pressed(Verb.PAUSE, "2.1", channel="PJSIP/412-00000002")
        here.kept.local.refuse = "the PBX refused: Permission denied"
        here.kept.time.now = time.monotonic()
        await here.kept.pressed(Verb.STOP, "3.1", channel="PJSIP/420-00000003")
        yield here


async def _picture(page: Page, folder: Path, name: str) -> None:
    """Take a picture for the guide; it must not be too heavy for it."""
    given = os.environ.get("OFFRECORD_PICTURES")
    path = (Path(given) if given else folder) / f"page-{name}.png"
    clip = {"x": 0, "y": 0, "width": PHONE["width"] if name == "phone" else DESK["width"],
            "height": 620}  # fmt: skip
    await page.screenshot(path=path, animations="disabled", clip=clip)  # type: ignore[arg-type]

    assert path.stat().st_size < LARGEST


async def test_board_and_press_for_desk_phone_light_and_dark(view: Viewer, tmp_path: Path) -> None:
    async with busy(tmp_path) as here:
        page = await (await view(viewport=DESK)).log_in(here)
        await expect(page.locator(".call")).to_have_count(4)
        for name, path in (("board", ""), ("presses", "presses"), ("press", "presses/p1")):
            await page.set_viewport_size(DESK)  # type: ignore[arg-type]
            await page.goto(here.url + path)
            for scheme in ("light", "dark"):
                await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                if name == "board":
                    await expect(page.locator("#live")).to_have_text("live")

                assert await page.evaluate(CONTRAST) == [], (name, scheme)
                if (name, scheme) in {("board", "light"), ("board", "dark"), ("press", "light")}:
                    await _picture(page, tmp_path, name if scheme == "light" else f"{name}-dark")
            await page.emulate_media(color_scheme="light")
            await page.set_viewport_size(PHONE)  # type: ignore[arg-type]
            wide = "document.documentElement.scrollWidth"

            assert await page.evaluate(wide) <= PHONE["width"], name
            if name == "board":
                heights = await page.locator(".do button").evaluate_all(
                    "all => all.map(one => one.getBoundingClientRect().height)"
                )
                assert min(heights) >= 40
                await _picture(page, tmp_path, "phone")


async def test_the_keyboard_reaches_everything_in_the_order_of_the_page(
    view: Viewer, tmp_path: Path
) -> None:
    async with site(tmp_path) as here:
        page = await (await view()).log_in(here)
        reached = []
        for _ in range(11):
            await page.keyboard.press("Tab")
            reached.append(
                await page.evaluate(
                    """() => {
                        const one = document.activeElement, style = getComputedStyle(one);
                        return [one.textContent.trim() || one.id, style.outlineStyle !== "none"];
                    }"""
                )
            )

        assert [text for text, _ in reached] == [
            "Skip to the content", "offrecord", "Board", "Presses", "Log out", "q", "Filter",
            "Stop the recording of 410 fred, 411 wilma",
            "Pause the recording of 410 fred, 411 wilma",
            "Search all presses", "What the badges mean",
        ]  # fmt: skip
        assert all(seen for _, seen in reached)
        await page.get_by_role("link", name="Skip to the content").focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("main")).to_be_focused()


async def test_the_board_is_told_as_it_is_shown(view: Viewer, tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        page = await (await view()).log_in(here)
        await here.kept.pressed(Verb.PAUSE)
        await expect(page.locator("[data-until]")).to_be_visible()

        await expect(page.locator("body")).to_match_aria_snapshot(
            """
            - link "Skip to the content"
            - banner:
              - link "offrecord"
              - navigation "Pages":
                - link "Board"
                - link "Presses"
              - status: live
              - button "Log out"
            - main:
              - heading "Board" [level=1]
              - region "Live calls":
                - heading "Live calls" [level=2]
                - search "Filter the calls":
                  - textbox "Extension or agent"
                - list:
                  - listitem:
                    - heading "410 fred 411 wilma" [level=3]
                    - list "Recorders":
                      - listitem:
                        - text: paused
                        - link "local"
                        - time: /\\d:\\d\\d left/
                        - text: confirmed L4
                    - group "Press for 410 fred, 411 wilma":
                      - button "Stop the recording of 410 fred, 411 wilma"
              - region "Presses of late":
                - status: /pause by 410 fred. confirmed, L4/
                - list:
                  - listitem:
                    - link /pause by 410 fred/
            - contentinfo
            """
        )
        await page.locator("#presses .when").click()
        await expect(page.locator("body")).to_match_aria_snapshot(
            """
            - main:
              - heading "Pause by 410 fred" [level=1]
              - region "Time line":
                - region "Time line, as a picture":
                  - img "Time line of the press"
              - region "Recorders":
                - list:
                  - listitem:
                    - heading "local fake" [level=3]
              - region "Records":
                - list
            """
        )
