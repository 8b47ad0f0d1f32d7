# SPDX-License-Identifier: Apache-2.0
"""Older Asterisks, and accounts with an eventfilter: a real 16.28 less what those lack.

The promise is the same, judged by what is in the files: where no event tells of a MixMonitor, a
stop asks every channel, a pause is a stop, and what starts again under either is found by a sweep.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bridges.model import Outcome
from lab.pbx.ami_filter import ASTERISK_11, DEBIAN_10, EVENTFILTER, AmiFilter, Lacks
from lab.pbx.audio import heard
from lab.pbx_with_phones import TONES, is_event
from lab.site import LabSite
from tests.kits.live_kit import SiteMaker

LOCAL: dict[str, Any] = {"routes": {"default": ["local"]}}
BLOCK = 2.5
"""Seconds in which Asterisk has written what it had of a recording."""


@asynccontextmanager
async def less(site: SiteMaker, lacks: Lacks, **more: Any) -> AsyncIterator[LabSite]:
    """Yield a site of Asterisk 16.28 that lacks something."""
    here = site("16", more=LOCAL, **more)
    async with AmiFilter(here.asterisks.pbx.ami_port, lacks) as ami:
        here.ami_port = ami.port
        async with here:
            yield here


def spoken(here: LabSite, name: str, hertz: float) -> float:
    """Return the seconds for which a tone is in a recording."""
    path: Path = here.asterisks.pbx.monitor / name
    return sum(heard(path, hertz)) / 10 if path.is_file() else 0.0


@pytest.mark.parametrize("lacks", [DEBIAN_10, EVENTFILTER], ids=["16.2.1", "eventfilter"])
async def test_a_pause_without_events_is_a_stop_and_says_so(site: SiteMaker, lacks: Lacks) -> None:
    async with less(site, lacks) as here:
        talk = await here.talk("811")
        await here.pbx.wait_for(is_event("MixMonitorStart"))
        told = await here.ask({"op": "press", "way": "cli", "verb": "pause", "wait": 5.0,
                               "uniqueid": talk.calling["Uniqueid"]})  # fmt: skip
        assert told["outcome"] == Outcome.CONFIRMED
        assert told["evidence"] == "L4"
        assert "stopped instead of paused" in str(told["recorders"])
        before = spoken(here, f"{talk.calling['Uniqueid']}.wav", TONES["410"])
        await asyncio.sleep(BLOCK)
        after = spoken(here, f"{talk.calling['Uniqueid']}.wav", TONES["410"])
        assert after - before <= 0.5


@pytest.mark.parametrize("lacks", [DEBIAN_10, EVENTFILTER], ids=["16.2.1", "eventfilter"])
async def test_a_transfer_that_records_anew_under_a_stop_is_silenced_by_a_sweep(
    site: SiteMaker, lacks: Lacks
) -> None:
    async with less(site, lacks) as here:
        talk = await here.talk("811")
        await here.people.press(talk.callee, "*1")
        [press] = await here.daemon.verdicts()
        assert press.outcome == Outcome.CONFIRMED
        await asyncio.sleep(1.0)  # until the tone has ended: digits pressed into it are lost
        mark, farm = len(here.pbx.events), here.people.now
        await here.people.press(talk.callee, "##412")
        await here.people.answered(farm)
        began, start = await here.pbx.wait_for(is_event("MixMonitorStart"), since=mark)
        ended, _ = await here.pbx.wait_for(
            is_event("MixMonitorStop", Uniqueid=start["Uniqueid"]), since=mark
        )
        assert ended - began <= 2.0
        status = await here.ask({"op": "status"})
        assert "MixMonitor" in status["pbx"]


async def test_a_version_that_is_too_old_is_said_in_one_line_and_no_call_is_known(
    site: SiteMaker,
) -> None:
    said = "Asterisk 11.25 (AMI 1.3) is not supported: 13.5 or newer is needed"
    here = site("16", more=LOCAL)
    async with AmiFilter(here.asterisks.pbx.ami_port, ASTERISK_11) as ami:
        here.ami_port = ami.port
        here.known = _at_once  # type: ignore[method-assign]
        async with here:
            async with asyncio.timeout(10):
                while (status := await here.ask({"op": "status"}))["pbx"] != said:
                    await asyncio.sleep(0.05)
            assert status["known"] is False


async def _at_once(_seconds: float = 0.0) -> None:
    """Wait for nothing: the calls of this PBX are never known."""
