# SPDX-License-Identifier: Apache-2.0
"""An objection goes with the caller from agent to agent, on real Asterisks."""

import asyncio
from typing import Any

import pytest

from bridges.model import Outcome
from lab.pbx.audio import heard
from lab.pbx_with_phones import TONES
from lab.site import LabSite
from tests.kits.live_kit import SiteMaker, press_by_socket

LOCAL: dict[str, Any] = {"routes": {"default": ["local"]}}


async def sent_on(here: LabSite, agent: str, number: str) -> str:
    """Let an agent send the caller on without asking; return the next one's phone."""
    mark = here.people.now
    await here.people.press(agent, "##")
    await asyncio.sleep(2.0)  # Asterisk says "transfer" first, and hears no digit meanwhile
    await here.people.press(agent, number)
    phone = await here.people.answered(mark)
    await asyncio.sleep(1.0)
    return phone


@pytest.mark.parametrize("release", ["22", "16"])
async def test_an_objection_survives_two_transfers_and_nobody_can_resume(
    site: SiteMaker, release: str
) -> None:
    async with site(release, more=LOCAL) as here:
        talk = await here.talk("811")
        told = await press_by_socket(here, "objection", talk.answering["Uniqueid"], "cli")
        second = await sent_on(here, talk.callee, "813")
        await sent_on(here, second, "412")
        await asyncio.sleep(2.0)  # a recording would show a block of two seconds by now
        [mine] = [c for c in await here.pbx.channels() if "/412-" in c["Channel"]]
        by_key = await press_by_socket(here, "resume", mine["Uniqueid"], "agi")
        by_hand = await press_by_socket(here, "resume", mine["Uniqueid"], "cli")
        started = here.pbx.named("MixMonitorStart")

        assert told["outcome"] == Outcome.CONFIRMED
        # Each transfer ran the dialplan again, which recorded again.
        assert [p["Uniqueid"] for p in started] == [talk.calling["Uniqueid"]] * 3
        assert len(here.pbx.named("MixMonitorStop")) == 3
        file = here.asterisks.pbx.monitor / f"{talk.calling['Uniqueid']}.wav"
        assert sum(heard(file, TONES["410"])) <= 5  # windows of 100 ms
        assert by_key["outcome"] == Outcome.DENIED
        assert by_hand["outcome"] == Outcome.DENIED
        assert "objected" in by_key["reason"]
        assert "objected" in by_hand["reason"]
