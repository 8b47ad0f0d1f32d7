# SPDX-License-Identifier: Apache-2.0
"""Chromium and a page in it that notices whatever goes wrong."""

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import Page, expect

from tests.kits.page_kit import Site

CHROMIUM = Path("/usr/bin/chromium")

REQUIRED = os.environ.get("OFFRECORD_LAB") == "required"

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip

VIOLATIONS = """addEventListener("securitypolicyviolation", (event) =>
    console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`))"""


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
