# SPDX-License-Identifier: Apache-2.0
"""One Chromium for all tests of the page, and pages in it that notice whatever goes wrong."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.kits.page_kit import Site

CHROMIUM = Path("/usr/bin/chromium")
REQUIRED = os.environ.get("OFFRECORD_LAB") == "required"
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip

VIOLATIONS = """addEventListener("securitypolicyviolation", (event) =>
    console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`))"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a browser, with the reason, where there is none."""
    if CHROMIUM.exists() or REQUIRED:
        return
    for item in items:
        if "view" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.skip(reason="no Chromium: apt-get install chromium"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Run one browser for the session."""
    async with async_playwright() as playwright:
        made = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=[*FLAGS])
        yield made
        await made.close()


@dataclass
class View:
    """One page of a browser. `faults` is what it complained of; a test ends with none."""

    page: Page
    faults: list[str] = field(default_factory=list)

    async def log_in(self, site: Site, who: str = "desk") -> Page:
        """Log in as people do, and wait until the board is live."""
        site.leaving.append(self.page.close)
        await self.page.goto(site.url)
        await self.page.get_by_label("Token").fill(site.token[who])
        await self.page.keyboard.press("Enter")
        await expect(self.page.locator("#live")).to_have_text("live")
        return self.page


Viewer = Callable[..., Awaitable[View]]


@pytest_asyncio.fixture(loop_scope="session")
async def view(browser: Browser) -> AsyncIterator[Viewer]:
    """Return what opens a page with a browser profile of its own."""
    async with AsyncExitStack() as stack:
        opened: list[View] = []

        async def make(**options: Any) -> View:
            context = await browser.new_context(**options)
            stack.push_async_callback(context.close)
            context.set_default_timeout(10_000)
            await context.add_init_script(VIOLATIONS)
            page = await context.new_page()
            found = View(page)
            page.on("console", lambda said: found.faults.append(f"{said.type}: {said.text}"))
            page.on("pageerror", lambda error: found.faults.append(str(error)))
            page.on("dialog", lambda dialog: found.faults.append(f"dialog {dialog.message}"))
            opened.append(found)
            return found

        yield make
        assert [one.faults for one in opened if one.faults] == []
