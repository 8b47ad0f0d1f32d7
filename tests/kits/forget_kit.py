# SPDX-License-Identifier: Apache-2.0
"""A daemon that did not see how a call came to be recorded: restarted, or without its AMI link."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from lab.pbx.cuttable_link import CuttableLink
from lab.site import LabSite
from tests.kits.live_kit import SiteMaker
from tests.kits.waiting import eventually

Forget = Callable[[str, Callable[[], Awaitable[None]]], Awaitable[None]]
"""Runs what begins the recordings, and has the daemon lose sight of the call in one of `HOWS`."""

HOWS = ("restart", "cut", "unseen")
"""The daemon restarted after the beginning; the link cut after it; begun while the link is cut."""

forgotten = pytest.mark.parametrize("how", HOWS)


@asynccontextmanager
async def forgetful(
    site: SiteMaker, release: str, more: dict[str, Any]
) -> AsyncIterator[tuple[LabSite, Forget]]:
    """Yield a site whose link to AMI can be cut, and what has its daemon forget a call."""
    here: LabSite = site(release, more=more)
    async with CuttableLink(here.asterisks.pbx.ami_port) as link:
        here.ami_port = link.port

        async def forget(how: str, begin: Callable[[], Awaitable[None]]) -> None:
            if how == "unseen":
                await _cut(here, link)
                await begin()
            else:
                await begin()
                await (here.daemon.stop() if how == "restart" else _cut(here, link))
            await (here.daemon.start() if how == "restart" else link.mend())
            await here.known()

        async with here:
            yield here, forget


async def _cut(here: LabSite, link: CuttableLink) -> None:
    await link.cut()

    async def lost() -> bool:
        return not (await here.ask({"op": "status"}))["known"]

    await eventually(lost, every=0.05)
