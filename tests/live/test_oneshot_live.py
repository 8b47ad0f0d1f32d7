# SPDX-License-Identifier: Apache-2.0
"""The one-shot script, started by a real Asterisk, with and without a daemon to talk to."""

import asyncio
import signal
from pathlib import Path

import asterisk
import pytest
import six

import agi
from bridges.model import Outcome
from lab.pbx_with_phones import PbxWithPhones, is_event
from lab.site import LabSite
from tests.kits.live_kit import SiteMaker
from tests.kits.pace import in_time

START = "from agi.oneshot import main\nmain()\n"


def install(lab: PbxWithPhones) -> None:
    packages = [Path(module.__file__).parent for module in (agi, asterisk)]
    lab.pbx.install_script("offrecord-agi", START, [*packages, Path(six.__file__)])


@pytest.fixture
def scripted(site: SiteMaker) -> LabSite:
    """Return a site whose PBX starts the script, told by its environment where the daemon is."""
    here = site("22", "features-script.conf")
    if not (here.asterisks.pbx.root / "agi-bin" / "offrecord-agi").exists():
        install(here.asterisks)
    return here


async def test_a_press_through_the_script_stops_every_recording(scripted: LabSite) -> None:
    async with scripted as here:
        talk = await here.talk()
        await here.people.press(talk.caller, "*1")
        [press] = await here.daemon.verdicts()
        await asyncio.sleep(1.0)
        log = here.asterisks.pbx.log.read_text()

        assert press.way == "agi"
        assert press.agent == "fred"
        assert press.outcome == Outcome.ACCEPTED
        assert here.pbx.named("MixMonitorStop", Uniqueid=talk.calling["Uniqueid"])
        assert len(here.stops()) == 1
        assert "offrecord-agi,stop: offrecord: The recorder says that recording is stopped" in log
        assert log.count("Playing 'beep") == 2


async def test_without_a_daemon_the_script_says_so_in_time_and_the_call_goes_on(
    scripted: LabSite,
) -> None:
    async with scripted as here:
        talk = await here.talk()
        await here.daemon.stop(signal.SIGKILL)
        await here.people.press(talk.caller, "*1")
        pressed, _ = await here.pbx.wait_for(is_event("DTMFEnd", Digit="1"))
        told, _ = await here.pbx.wait_for(
            lambda p: is_event("AGIExecStart")(p) and p["Command"].startswith("VERBOSE")
        )
        await asyncio.sleep(1.0)

        log = here.asterisks.pbx.log.read_text()
        rows = {row["Uniqueid"]: row for row in await here.pbx.channels()}
        assert told - pressed < in_time(1.2)
        assert "stop is NOT taken: no daemon listens on" in log
        assert "Playing 'beeperr" in log
        assert "offrecord-agi completed, returning 0" in log
        assert set(rows) == {talk.calling["Uniqueid"], talk.answering["Uniqueid"]}
        assert len({row["BridgeId"] for row in rows.values()}) == 1
