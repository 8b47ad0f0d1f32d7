# SPDX-License-Identifier: Apache-2.0
"""One Chromium for all tests of the page, and pages in it that notice whatever goes wrong."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.kits.browser_kit import CHROMIUM, FLAGS, REQUIRED, VIOLATIONS, View, Viewer


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
