# SPDX-License-Identifier: Apache-2.0
"""The mix of a conference on real Asterisks, with the account as shipped: found and stopped."""

import asyncio
from pathlib import Path

import pytest

from bridges.model import Outcome
from lab.pbx_with_phones import is_event
from lab.site import LabSite
from tests.kits.live_kit import SiteMaker
from tests.kits.ways_live import LOCAL, by_socket, detail, evidence, grown


async def meeting(here: LabSite) -> str:
    """Have two phones meet in the recorded conference; return the uniqueid of the first."""
    for file in mixes(here):
        file.unlink()
    joined = []
    for phone in ("410", "411"):
        mark = len(here.pbx.events)
        await here.people.call(phone, "901")
        joined.append((await here.pbx.wait_for(is_event("ConfbridgeJoin"), since=mark))[1])
    await here.pbx.wait_for(is_event("ConfbridgeRecord"))
    return joined[0]["Uniqueid"]


def mixes(here: LabSite) -> list[Path]:
    """Return the files of the conference's mix: Asterisk adds the time to the name."""
    return [*here.asterisks.pbx.monitor.glob("lab-conference*.wav")]


async def still(here: LabSite) -> bool:
    """Return whether there are files of a mix, and none of them grows."""
    files = mixes(here)
    return bool(files) and await grown(*files) == [0] * len(files)


async def _restart(here: LabSite) -> None:
    await here.daemon.stop()
    await here.daemon.start()
    await here.known()


@pytest.mark.parametrize("release", ["22", "16"])
async def test_a_mix_begun_before_the_link_is_stopped(site: SiteMaker, release: str) -> None:
    async with site(release, more=LOCAL) as here:
        uniqueid = await meeting(here)
        await asyncio.sleep(2.5)
        await _restart(here)
        told = await by_socket(here, "stop", uniqueid)
        await asyncio.sleep(0.5)

        assert (told["outcome"], evidence(told)) == (Outcome.CONFIRMED, "L4")
        assert detail(told).startswith("2 MixMonitors and 1 conference mix stopped, none left on 2")
        assert all(file.stat().st_size > 1000 for file in mixes(here))
        assert await still(here)
        again = await by_socket(here, "stop", uniqueid)
        assert (again["outcome"], evidence(again)) == (Outcome.NOTHING_TO_STOP, "L4")


@pytest.mark.parametrize("release", ["22", "16"])
async def test_a_mix_that_is_started_again_under_a_stop_is_stopped_again(
    site: SiteMaker, release: str
) -> None:
    async with site(release, more=LOCAL) as here:
        uniqueid = await meeting(here)
        told = await by_socket(here, "stop", uniqueid)
        mark = len(here.pbx.events)
        for action in ("ConfbridgeStopRecord", "ConfbridgeStartRecord"):
            await here.pbx.action(action, Conference="7001")
        await here.pbx.wait_for(is_event("ConfbridgeRecord"), since=mark)
        await asyncio.sleep(1.5)

        assert told["outcome"] == Outcome.CONFIRMED
        assert await still(here)


@pytest.mark.parametrize("release", ["22", "16"])
async def test_a_pause_in_a_recorded_conference_is_a_stop(site: SiteMaker, release: str) -> None:
    async with site(release, more=LOCAL) as here:
        uniqueid = await meeting(here)
        await asyncio.sleep(1)
        told = await by_socket(here, "pause", uniqueid)
        await asyncio.sleep(0.5)

        assert told["outcome"] == Outcome.CONFIRMED
        assert "stopped instead of paused" in detail(told)
        assert await still(here)
