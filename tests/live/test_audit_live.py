# SPDX-License-Identifier: Apache-2.0
"""What an auditor gets of real calls: denials heard and journalled, a chain, a page to file."""

import asyncio
import shutil
import sqlite3
from pathlib import Path

import pytest

from bridges.model import Outcome
from lab.pbx.audio import heard
from lab.pbx_with_phones import TONES
from lab.site import LabSite
from offrecord import journal
from tests.kits.daemon_kit import offrecord
from tests.kits.live_kit import SiteMaker

LOCAL = {"routes": {"default": ["local"]}}


async def pressed(here: LabSite, channel: str, code: str = "*1", count: int = 1) -> str:
    await here.people.press(channel, code)
    return str((await here.daemon.verdicts(count))[count - 1].outcome)


@pytest.mark.parametrize("release", ["22", "16"])
async def test_a_queue_that_must_be_recorded_refuses_the_press_and_the_file_has_no_gap(
    site: SiteMaker, release: str
) -> None:
    why = "calls of this queue are recorded in full"
    rule = {"queue": "offrecord-*", "allow": "deny", "why": why}
    async with site(release, more={**LOCAL, "policy": {"rule": [rule]}}) as here:
        log = len(here.asterisks.pbx.log.read_text())
        talk = await here.talk("600", caller="410", callee="412")
        await asyncio.sleep(1.0)
        assert await pressed(here, talk.callee) == Outcome.DENIED
        await asyncio.sleep(2.5)
        await here.people.hang_up(talk.caller)
        await asyncio.sleep(0.5)

        [one] = await here.daemon.verdicts()
        assert why in str(one.text)
        assert "Playing 'beeperr" in here.asterisks.pbx.log.read_text()[log:]
        assert not here.pbx.named("MixMonitorStop")
        [file] = [p["Uniqueid"] for p in here.pbx.named("MixMonitorStart")]
        caller = heard(here.asterisks.pbx.monitor / f"{file}.wav", TONES["410"])
        first = caller.index(True)
        last = len(caller) - 1 - caller[::-1].index(True)
        assert last - first > 30  # windows of 100 ms
        # The presser is out of the bridge while the tone plays: the caller's voice is still kept.
        assert caller[first:last].count(False) <= 2


async def test_a_queue_for_cards_may_be_paused_and_not_stopped(site: SiteMaker) -> None:
    rule = {"queue": "offrecord-*", "allow": "pause_only"}
    async with site("22", more={**LOCAL, "policy": {"rule": [rule]}}) as here:
        talk = await here.talk("600", caller="410", callee="412")
        assert await pressed(here, talk.callee, "*1") == Outcome.DENIED
        await asyncio.sleep(2.0)
        assert await pressed(here, talk.callee, "*2", 2) == Outcome.CONFIRMED


async def test_the_chain_of_a_real_call_is_whole_and_points_at_the_line_that_was_edited(
    site: SiteMaker, tmp_path: Path
) -> None:
    async with site("22", more=LOCAL) as here:
        talk = await here.talk()
        await asyncio.sleep(1.0)
        assert await pressed(here, talk.caller) == Outcome.CONFIRMED
        await asyncio.sleep(1.2)
        file = here.daemon.journal
        live = await offrecord("audit", "verify", "--journal", file, "--json")
        assert live.code == 0, live.out + live.err
        [one] = await here.daemon.verdicts()
        page = tmp_path / "report.html"
        recording = here.asterisks.pbx.monitor / f"{talk.calling['Uniqueid']}.wav"
        made = await offrecord(
            "audit", "export", "--journal", file, "--call", str(one.call), "--format", "report",
            "--recording", recording, "--output", page,
        )  # fmt: skip
        assert made.code == 0, made.err
        shown = page.read_text()
        assert "<svg" in shown
        assert one.press in shown
        assert "://" not in shown.replace("http://www.w3.org/", "")

    copy = tmp_path / "edited.sqlite3"
    shutil.copy(file, copy)
    edited = _edit(copy, one.press)
    found = await offrecord("audit", "verify", "--journal", copy, "--json")
    assert found.code == 33
    assert f'"seq": {edited}' in found.out or f'"seq":{edited}' in found.out


def _edit(path: Path, press: str) -> int:
    """Make a stopped recording of a press look denied, past every trigger; return the record."""
    verdict = next(one for one in journal.show(path, press) if one.kind == "verdict")
    with sqlite3.connect(path) as db:
        for (name,) in db.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            db.execute(f"DROP TRIGGER {name}")
        db.execute(
            "UPDATE records SET body = replace(body, 'confirmed', 'denied') WHERE seq = ?",
            (verdict.seq,),
        )
    db.close()
    return verdict.seq
