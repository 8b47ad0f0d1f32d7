# SPDX-License-Identifier: Apache-2.0
"""A press on a real Asterisk, recorded beside the daemon, comes out of a replay as it was."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from lab.pbx_with_phones import is_event
from offrecord import journal
from tests.kits.live_kit import SiteMaker


async def command(*words: str | Path, **env: str) -> Any:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "offrecord", *map(str, words), "--json",
        env={**os.environ, **env}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def test_a_recorded_press_is_replayed_as_it_was(site: SiteMaker, tmp_path: Path) -> None:
    file = tmp_path / "capture.txt.gz"
    async with site("22", more={"keypad": {"enabled": True}}) as here:
        recording = await command(
            "record", file, "--presses", "1", "--seconds", "25", "--show-redactions",
            OFFRECORD_CONFIG=str(here.daemon.config), OFFRECORD_SOCKET=str(here.daemon.socket),
        )  # fmt: skip
        assert b"recording" in await recording.stderr.readline()
        talk = await here.talk()
        await asyncio.sleep(0.5)
        await here.people.press(talk.caller, "*1")
        [live] = await here.daemon.verdicts()
        await here.pbx.wait_for(is_event("MixMonitorStop"))
        out, err = await recording.communicate()
        records = journal.show(here.daemon.journal, live.press)
    assert recording.returncode == 0, err.decode()
    told = json.loads(out)
    now = {one["was"]: one["is"] for one in told["redactions"] if one["kind"] != "suffix"}
    replaying = await command("replay", file)
    out, err = await replaying.communicate()
    assert replaying.returncode == 0, err.decode()
    body = json.loads(out)

    [call] = body["calls"]
    [press] = [one for one in call["presses"] if one["records"][0]["kind"] == "pressed"]
    was = {record.kind: record.body for record in records if record.kind != "answered"}
    found = {one["kind"]: one["body"] for one in press["records"] if one["kind"] != "answered"}
    assert body["unanswered"] == 0
    assert found["pressed"]["verb"] == was["pressed"]["verb"] == "stop"
    assert found["pressed"]["way"] == was["pressed"]["way"]
    assert found["resolved"]["agent"] == now["fred"]
    assert [one["extension"] for one in found["resolved"]["channels"]] == [
        now[one["extension"]] for one in was["resolved"]["channels"]
    ]
    assert [one["monitors"] for one in found["resolved"]["channels"]] == [
        one["monitors"] for one in was["resolved"]["channels"]
    ]
    assert found["resolved"]["policy"] == f"extension {now['410']}"
    then = {r.body["recorder"]: r.body for r in records if r.kind == "answered"}["local"]
    [local] = [
        one["body"] for one in press["records"]
        if one["kind"] == "answered" and one["body"]["kind"] == "asterisk"
    ]  # fmt: skip
    assert (local["outcome"], local["evidence"]) == (then["outcome"], then["evidence"])
    assert local["detail"] == then["detail"] == "1 MixMonitor stopped, none left on 2 channels"
    assert press["then"] == {"outcome": "accepted", "evidence": "L1"}
    assert body["not_contacted"] == ["noojee-1"]
