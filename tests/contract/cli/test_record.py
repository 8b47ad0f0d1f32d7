# SPDX-License-Identifier: Apache-2.0
"""`offrecord record` beside a daemon and without one, and `offrecord replay` of what it wrote."""

import asyncio
import gzip
import re
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

from offrecord.base.errors import Exit
from tests.kits.ami_peer import SECRET
from tests.kits.daemon_kit import House, house, offrecord
from tests.kits.waiting import safety_net

LISTS = ("CoreShowChannels", "BridgeList", "ExtensionStateList")


async def recording(here: House, *words: str | Path) -> Process:
    """Start `offrecord record` and wait until it hears the PBX."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "offrecord", "record", *map(str, words), stdout=PIPE, stderr=PIPE,
        env={"OFFRECORD_CONFIG": str(here.daemon.config),
             "OFFRECORD_SOCKET": str(here.daemon.socket)},
    )  # fmt: skip
    assert process.stderr is not None
    async with safety_net("it says that it records"):
        while b"recording" not in (line := await process.stderr.readline()):
            assert line, "it ended before it recorded"
    return process


async def ended(process: Process) -> tuple[int | None, str]:
    out, err = await process.communicate()
    return process.returncode, (out + err).decode()


async def test_a_press_beside_the_daemon_is_recorded_and_replayed(tmp_path: Path) -> None:
    file = tmp_path / "capture.txt"
    async with house(tmp_path) as here:
        process = await recording(here, file, "--presses", "1")
        await here.fastagi("stop", "1.1")
        code, said = await ended(process)
    assert code == 0, said
    replayed = (await offrecord("replay", file, "--json")).json
    shown = await offrecord("replay", file)
    [call] = replayed["calls"]
    [press] = call["presses"]
    answers = {r["body"]["kind"]: r["body"] for r in press["records"] if r["kind"] == "answered"}

    assert file.stat().st_mode & 0o777 == 0o600
    assert answers["asterisk"]["outcome"] == "confirmed"
    assert "as it answered then" in answers["noojee"]["detail"]
    assert replayed["unanswered"] == 0
    assert re.search(r"as it was then: \w+ \(L\d\)", shown.out)
    assert "recorders elsewhere are not contacted: noojee-1" in shown.out
    assert SECRET not in file.read_text()
    assert "fred" not in file.read_text()


async def test_without_a_daemon_a_login_of_its_own_is_heard(tmp_path: Path) -> None:
    file = tmp_path / "capture.txt.gz"
    async with house(tmp_path) as here:
        await here.daemon.stop()
        before = len(here.peer.received)
        process = await recording(here, file, "--seconds", "0.5", "--show-redactions")
        code, said = await ended(process)
        sent = [one["Action"] for one in here.peer.received[before:]]
    text = gzip.decompress(file.read_bytes()).decode()

    assert code == 0, said
    assert set(sent) <= {"Login", "ListCommands", "CoreSettings", "Getvar", *LISTS, "Ping"}
    assert "410" in said
    assert "410" not in text
    assert "Heard-by: a login of its own" in text


async def test_a_file_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "capture.txt"
    file.write_text("mine")
    ran = await offrecord("record", file)

    assert ran.code == Exit.USAGE
    assert "--force" in ran.err
    assert file.read_text() == "mine"
