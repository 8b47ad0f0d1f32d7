# SPDX-License-Identifier: Apache-2.0
"""Recordings of real calls, held against the journal that the daemon wrote about them.

The daemon is ended once the press is done: what is recorded behind its back stays so.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ami.pbx import Pbx
from ami.settings import AmiSettings
from bridges.model import Outcome
from lab.pbx_with_phones import AMI_SECRET
from lab.site import LabSite, Talk
from offrecord.config.sections.reconcile import ReconcileConfig
from offrecord.reconcile.call_watch import CallWatch
from offrecord.reconcile.reconciler import Reconciler
from tests.kits.live_kit import SiteMaker
from tests.kits.pace import in_time
from tests.kits.waiting import eventually, patience

LOCAL_ONLY = {"routes": {"default": ["local"]}, "press": {"join_window": 0}}
RELEASES = pytest.mark.parametrize("release", ["22", "16"])


@dataclass
class Check:
    """A reconciler with a link of its own to the PBX, and what it noted."""

    watch: CallWatch
    reconciler: Reconciler
    noted: list[Mapping[str, object]] = field(default_factory=list)

    async def over(self, here: LabSite) -> list[Mapping[str, object]]:
        """Let everybody hang up, and return the incidents of the call."""
        await here.people.hang_up_all()
        await eventually(lambda: self.reconciler.waiting, "the call is waited for", every=0.02)
        await eventually(lambda: not self.reconciler.waiting, "the call is compared", every=0.02)
        return self.noted


@asynccontextmanager
async def check(here: LabSite) -> AsyncIterator[Check]:
    """Watch the PBX as the daemon would, with the account the daemon has."""
    settings = AmiSettings(
        host="127.0.0.1",
        port=here.asterisks.pbx.ami_port,
        username="offrecord",
        secret=AMI_SECRET,
    )
    noted: list[Mapping[str, object]] = []
    pbx = Pbx(settings)
    reconciler = Reconciler(
        here.daemon.journal,
        dict,
        ReconcileConfig(monitor_folder=here.asterisks.pbx.monitor, delays=(0.3,)),
        lambda _press, _kind, body: noted.append(body),
    )
    watch = CallWatch(pbx, reconciler, lambda _callback: None, every=0.1)
    pbx.subscribe(watch.event)
    link = asyncio.create_task(pbx.run())
    try:
        assert await pbx.wait_known(patience())
        reconciler.open()
        watch.open()
        yield Check(watch, reconciler, noted)
    finally:
        await watch.close()
        await reconciler.close()
        await pbx.close()
        link.cancel()
        await asyncio.gather(link, return_exceptions=True)


async def stopped(here: LabSite, checked: Check, digits: str = "*1") -> Talk:
    """Have a recorded call, and its caller press a code."""
    talk = await here.talk()
    await asyncio.sleep(2.0)
    await here.people.press(talk.caller, digits)
    [press] = await here.daemon.verdicts()
    assert press.outcome == Outcome.CONFIRMED
    checked.watch.pressed(press.verb, press.call)
    return talk


@RELEASES
async def test_a_recording_that_was_stopped_is_no_incident(site: SiteMaker, release: str) -> None:
    async with site(release, more=LOCAL_ONLY) as here, check(here) as checked:
        talk = await stopped(here, checked)
        await asyncio.sleep(1.5)

        assert await checked.over(here) == []
        # It was looked at: the file is there, and holds the time before the press.
        wav = here.asterisks.pbx.monitor / f"{talk.calling['Uniqueid']}.wav"
        assert wav.stat().st_size > 2 * 8000 * 1.5


@RELEASES
async def test_a_recording_begun_behind_the_daemons_back_is_named(
    site: SiteMaker, release: str, tmp_path: Path
) -> None:
    async with site(release, more=LOCAL_ONLY) as here, check(here) as checked:
        talk = await stopped(here, checked)
        [press] = await here.daemon.verdicts()
        await here.daemon.stop()
        await asyncio.sleep(0.5)
        name = f"behind-{release}-{tmp_path.name}.wav"  # nothing of the call is in its name
        await here.pbx.action("MixMonitor", Channel=talk.calling["Uniqueid"], File=name, Options="")
        await asyncio.sleep(2.0)

        [incident] = await checked.over(here)
        assert incident["what"] == "file_begun_in_window"
        assert incident["file"] == str(here.asterisks.pbx.monitor / name)
        assert incident["press"] == press.press
        begin, end = int(str(incident["from"])), int(str(incident["to"]))
        assert 1500 <= end - begin <= 2000 + in_time(1500)
        assert "s of sound" in str(incident["detail"])


@RELEASES
async def test_a_pause_holds_silence_and_sound_let_in_behind_the_daemons_back_is_named(
    site: SiteMaker, release: str
) -> None:
    async with site(release, more=LOCAL_ONLY) as here, check(here) as checked:
        talk = await stopped(here, checked, "*2")
        await here.daemon.stop()
        await asyncio.sleep(1.5)
        await here.pbx.action(
            "MixMonitorMute", Channel=talk.calling["Uniqueid"], Direction="both", State="0"
        )
        await asyncio.sleep(1.5)

        [incident] = await checked.over(here)
        assert incident["what"] == "sound_in_window"
        begin, end = int(str(incident["from"])), int(str(incident["to"]))
        # Only what was let in: the muted second and a half before it is silent.
        assert 1000 <= end - begin <= 1500 + in_time(800)


@RELEASES
async def test_a_pause_that_was_held_until_the_end_is_no_incident(
    site: SiteMaker, release: str
) -> None:
    async with site(release, more=LOCAL_ONLY) as here, check(here) as checked:
        await stopped(here, checked, "*2")
        await asyncio.sleep(2.0)

        assert await checked.over(here) == []
