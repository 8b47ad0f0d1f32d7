# SPDX-License-Identifier: Apache-2.0
"""The page of a real daemon beside a real Asterisk, in a real browser, during a real call."""

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import async_playwright, expect

from lab.pbx.ports import free_tcp
from offrecord.web.tokens import Tokens
from tests.kits.browser_kit import CHROMIUM, FLAGS, REQUIRED
from tests.kits.live_kit import SiteMaker

MARKS = re.compile(r"\d+:\d\d left")


async def _cli(socket: Path) -> dict[str, Any]:
    """Return what `offrecord calls --json` prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "offrecord", "calls", "--json", "--socket", str(socket),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await process.communicate()
    return dict(json.loads(out))


def _states(body: dict[str, Any]) -> list[tuple[str, str]]:
    [call] = body["calls"]
    return [(one["recorder"], one["state"]) for one in call["recorders"]]


@pytest.mark.skipif(not CHROMIUM.exists() and not REQUIRED, reason="no Chromium on this machine")
async def test_page_api_and_command_show_the_same_truth_of_a_call(
    site: SiteMaker, tmp_path: Path
) -> None:
    tokens = Tokens(tmp_path / "tokens.json")
    desk = tokens.add("desk", ["read", "press", "audit"])
    port = free_tcp()
    more = {
        "http": {"enabled": True, "port": port},
        "api": {"enabled": True, "tokens": str(tokens.path)},
    }
    origin = f"http://127.0.0.1:{port}"
    async with (
        site("22", more=more) as here,
        async_playwright() as playwright,
        httpx.AsyncClient(headers={"Authorization": f"Bearer {desk}"}) as api,
    ):
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=[*FLAGS])
        page = await browser.new_page()
        faults: list[str] = []
        page.on("console", lambda said: faults.append(said.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        await page.goto(f"{origin}/")
        await page.get_by_label("Token").fill(desk)
        await page.keyboard.press("Enter")
        await expect(page.locator("#live")).to_have_text("live")
        await expect(page.get_by_text("No call is up")).to_be_visible()

        async def everywhere() -> list[tuple[str, str]]:
            """Return the states as the page, the API and the command have them: all the same."""
            said = await page.locator(".badge").all_inner_texts()
            shown = [MARKS.sub("", one).split() for one in said]
            answer = await api.get(f"{origin}/v1/calls")
            told = {
                "page": [(words[1], words[0]) for words in shown],
                "api": _states(answer.json()),
                "command": _states(await _cli(here.daemon.socket)),
            }
            assert told["page"] == told["api"] == told["command"], told
            return told["page"]

        talk = await here.talk()
        local = page.locator(".badge").filter(has_text="local")
        await expect(local).to_contain_text("recording")
        await expect(page.locator(".call h3")).to_contain_text("410 fred")
        assert await everywhere() == [("local", "recording"), ("noojee", "unknown")]

        await asyncio.sleep(0.5)
        await here.people.press(talk.caller, "*1")
        await expect(local).to_contain_text(re.compile(r"stopped\s+local\s+confirmed L4"))
        noojee = page.locator(".badge").filter(has_text="noojee")
        await expect(noojee).to_contain_text(re.compile(r"stopped\s+noojee\s+accepted L1"))
        await expect(page.locator("#said")).to_contain_text("stop by 410 fred: accepted")
        assert await everywhere() == [("local", "stopped"), ("noojee", "stopped")]

        await asyncio.sleep(3.0)  # a resume within the join window of a stop is refused
        await page.get_by_role("button", name="Resume the recording").click()
        resumed = (await here.daemon.verdicts(2))[-1]
        assert (resumed.verb, resumed.way, resumed.call) == (
            "resume", "http", talk.calling["Linkedid"],
        )  # fmt: skip
        await page.get_by_role("link", name="resume by desk").click()
        await expect(page.get_by_role("img", name="Time line of the press")).to_be_visible()
        await page.get_by_role("link", name="Board").click()
        await here.people.hang_up_all()
        await expect(page.get_by_text("No call is up")).to_be_visible()
        await browser.close()

        assert faults == []
