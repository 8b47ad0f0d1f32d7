# SPDX-License-Identifier: Apache-2.0
"""A code pressed while the agent consults: Asterisk's own attended transfer, on real Asterisks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bridges.model import Outcome
from lab.pbx_with_phones import is_event
from lab.site import LabSite, Talk
from tests.kits.live_kit import SiteMaker

LOCAL: dict[str, Any] = {"routes": {"default": ["local"]}}
BOTH = pytest.mark.parametrize("release", ["22", "16"])
KEYPAD = {**LOCAL, "keypad": {"enabled": True}}


@asynccontextmanager
async def pressed_in_a_consultation(
    site: SiteMaker, release: str, more: dict[str, Any], *, third: str = "412", codes: bool = True
) -> AsyncIterator[tuple[LabSite, Talk]]:
    """Let the called agent of a recorded call ask a third party, and press `*1` there."""
    async with site(release, more=more) as here:
        talk = await here.talk("811")
        if not codes:
            await without_codes(here, talk)
        await consult(here, talk, third)
        await here.people.press(talk.callee, "*1")
        yield here, talk


async def consult(here: LabSite, talk: Talk, third: str) -> None:
    """Let the called agent ask a third party, while the caller hears music."""
    await here.people.press(talk.callee, "#2")
    await asyncio.sleep(2.0)  # Asterisk says "transfer" first, and hears no digit meanwhile
    mark = here.people.now
    await here.people.press(talk.callee, third)
    await here.people.answered(mark)
    await asyncio.sleep(0.6)


async def without_codes(here: LabSite, talk: Talk) -> None:
    """Let the codes of the agent's channel not be handed on to whom it consults."""
    await here.pbx.action(
        "Setvar", Channel=talk.answering["Uniqueid"], Variable="__DYNAMIC_FEATURES", Value=""
    )


async def partner(here: LabSite, endpoint: str) -> str:
    """Return the name of the one channel that is in a bridge with a phone."""
    rows = await here.pbx.channels()
    [bridge] = [r["BridgeId"] for r in rows if f"/{endpoint}-" in r["Channel"]]
    [other] = [r for r in rows if r["BridgeId"] == bridge and f"/{endpoint}-" not in r["Channel"]]
    return other["Channel"]


async def frozen(here: LabSite, uniqueid: str) -> bool:
    """Say whether a recording has stopped growing; Asterisk writes in blocks of two seconds."""
    file = here.asterisks.pbx.monitor / f"{uniqueid}.wav"
    await asyncio.sleep(0.5)
    before = file.stat().st_size
    await asyncio.sleep(2.5)
    return before > 1000 and file.stat().st_size == before


@BOTH
async def test_pressed_in_a_consultation_the_customers_recording_stops_and_the_consultation_goes_on(
    site: SiteMaker, release: str
) -> None:
    async with pressed_in_a_consultation(site, release, LOCAL) as (here, talk):
        [press] = await here.daemon.verdicts()

        assert press.way == "fastagi"
        assert press.channel is not None
        assert press.channel.startswith("Local/412@")  # where the code fires in a consultation
        assert press.agent == "wilma"
        assert press.outcome == Outcome.CONFIRMED
        await here.pbx.wait_for(is_event("MixMonitorStop", Uniqueid=talk.calling["Uniqueid"]))
        assert await frozen(here, talk.calling["Uniqueid"])
        assert (await partner(here, "411")).startswith("Local/412@")
        # Back to the caller by the abort code: the press has not used up the consultation.
        await here.people.press(talk.callee, "#9")
        await asyncio.sleep(1.0)
        assert await partner(here, "411") == talk.calling["Channel"]


@BOTH
async def test_by_its_digits_the_press_needs_no_code_in_the_consultation(
    site: SiteMaker, release: str
) -> None:
    async with pressed_in_a_consultation(site, release, KEYPAD, third="712", codes=False) as (
        here,
        talk,
    ):
        [press] = await here.daemon.verdicts()

        assert press.way == "keypad"
        assert press.agent == "wilma"
        assert press.outcome == Outcome.CONFIRMED
        await here.pbx.wait_for(is_event("MixMonitorStop", Uniqueid=talk.calling["Uniqueid"]))
        assert await frozen(here, talk.calling["Uniqueid"])
        assert (await partner(here, "411")).startswith("Local/712@")
        assert not here.pbx.named("AGIExecStart")


@BOTH
async def test_control_without_the_keypad_and_without_codes_nothing_fires_in_a_consultation(
    site: SiteMaker, release: str
) -> None:
    async with pressed_in_a_consultation(site, release, LOCAL, third="712", codes=False) as (
        here,
        talk,
    ):
        await here.pbx.wait_for(is_event("DTMFEnd", Digit="1", Uniqueid=talk.answering["Uniqueid"]))
        await asyncio.sleep(1.0)

        assert not here.daemon.logged("press_ended")
        assert not here.pbx.named("MixMonitorStop")


@BOTH
async def test_seen_by_code_and_by_digits_in_a_consultation_it_is_one_press(
    site: SiteMaker, release: str
) -> None:
    async with pressed_in_a_consultation(site, release, KEYPAD) as (here, _):
        [press] = await here.daemon.verdicts()
        await asyncio.sleep(1.0)

        assert [line["outcome"] for line in here.daemon.logged("press_ended")] == ["confirmed"]
        ways = [press.way, *(line["way"] for line in here.daemon.logged("press_joined"))]
        assert set(ways) == {"fastagi", "keypad"}


async def test_a_stranger_behind_a_local_channel_is_still_a_stranger(site: SiteMaker) -> None:
    async with site("22", more=KEYPAD) as here:
        mark = here.people.now
        person = await here.people.call_in("600", number="0305550123")
        await here.people.answered(mark)
        await here.bridged("my-trunk", "412")
        await here.people.press(person, "*1")
        await asyncio.sleep(1.5)

        assert {one["outcome"] for one in here.daemon.logged("press_ended")} <= {"denied"}
        assert here.daemon.logged("press_ended")  # the keypad saw it, and refused
        assert not here.pbx.named("MixMonitorStop")
