# SPDX-License-Identifier: Apache-2.0
"""`offrecord init` on real Asterisks: what it writes is loaded, and a press stops the recording."""

import asyncio
import os
import sys
import tomllib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from bridges.model import Outcome
from lab.daemon import DaemonProcess
from lab.pbx.asterisk import Asterisk
from lab.pbx.ports import free_tcp
from lab.pbx.second_ami import Packet, SecondAmi
from lab.pbx_with_phones import PHONES, TRUNK, PbxWithPhones, People, build, is_event
from offrecord.base.errors import Exit
from tests.kits.init_kit import FREEPBX

_SHIPPED = ("manager-offrecord.conf", "offrecord-secret.conf", "extensions-pjsip.conf",
            "extensions-sip.conf", "extensions-queue.conf", "extensions-genesys.conf",
            "queues-offrecord.conf")  # fmt: skip


def plain(pbx: Asterisk) -> dict[str, str]:
    """Return the files of a PBX that knows nothing of offrecord."""
    return {
        "manager.conf": pbx.manager_conf(""),
        "features.conf": "[general]\n",
        "queues.conf": "[general]\n",
        "extensions.conf": "[general]\n[globals]\nQUARRY=7\n[lab-phones]\n"
        "include => offrecord-phones\n[lab-trunk]\ninclude => offrecord-trunk\n",
    }


def freepbx(pbx: Asterisk) -> dict[str, str]:
    """Return the files of a PBX that FreePBX makes, with a dialplan that names no codes."""
    account = pbx.manager_conf("#include manager_additional.conf\n#include manager_custom.conf\n")
    dialplan = (
        "[lab-phones]\nexten => _4XX,1,MixMonitor(${UNIQUEID}.wav)\n"
        " same => n,Dial(PJSIP/${EXTEN},30)\n same => n,Hangup()\n[lab-trunk]\n"
    )
    additional = FREEPBX["extensions_additional.conf"] + dialplan
    empty = {"manager_custom.conf": "", "features_general_custom.conf": "",
             "features_applicationmap_custom.conf": "", "features_featuremap_custom.conf": "",
             "extensions_override_freepbx.conf": ""}  # fmt: skip
    return {**empty, **FREEPBX, "manager.conf": account, "queues.conf": "[general]\n",
            "extensions_additional.conf": additional}  # fmt: skip


@contextmanager
def before_init(release: str, files: dict[str, str] | None = None) -> Iterator[PbxWithPhones]:
    """Start a PBX and its phones as they are before `init`."""
    made = build(release, fastagi=f"127.0.0.1:{free_tcp()}", features="features.conf", label="init")
    for name in _SHIPPED:
        del made.pbx.files[name]
    made.pbx.files |= freepbx(made.pbx) if files is FREEPBX else plain(made.pbx)
    try:
        made.start()
        yield made
    finally:
        made.stop()


async def init(asterisks: PbxWithPhones, folder: Path, *words: str) -> str:
    """Run `offrecord init` for the rig's PBX, whose console is the program `asterisk`."""
    program = folder / "bin/asterisk"
    program.parent.mkdir(exist_ok=True)
    asterisk = f"chroot {asterisks.pbx.chroot} asterisk -C {asterisks.pbx.inside}/etc/asterisk.conf"
    program.write_text(f'#!/bin/sh\nexec {asterisk} "$@"\n')
    program.chmod(0o755)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "offrecord", "init", "--yes", "--reload", "--no-unit",
        "--asterisk-etc", str(asterisks.pbx.root / "etc"),
        "--config", str(folder / "etc/offrecord.toml"),
        "--agi", asterisks.fastagi, "--trunk", TRUNK, *words,
        env={**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await process.communicate()
    assert process.returncode == Exit.OK, out.decode()
    return out.decode()


@asynccontextmanager
async def daemon(folder: Path) -> AsyncIterator[DaemonProcess]:
    """Run the daemon with the configuration that `init` wrote."""
    tables = tomllib.loads((folder / "etc/offrecord.toml").read_text())
    own = folder / "daemon"
    own.mkdir()
    made = DaemonProcess(own, tables)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


def in_bridge(start: str) -> Callable[[Packet], bool]:
    """Return a test for the event of a channel's entering a bridge."""
    return lambda p: p.get("Event") == "BridgeEnter" and p["Channel"].startswith(start)


async def press(asterisks: PbxWithPhones, folder: Path, code: str) -> None:
    """Call, press, and see that the recording ended and was told so."""
    async with (
        daemon(folder) as running,
        SecondAmi(asterisks.pbx.ami_port) as pbx,
        SecondAmi(asterisks.farm.ami_port) as f,
    ):
        people = People(f)
        try:
            caller = await people.call(PHONES[0], PHONES[1])
            for phone in PHONES[:2]:
                await pbx.wait_for(in_bridge(f"{asterisks.technology}/{phone}-"))
            await people.press(caller, code)
            await pbx.wait_for(is_event("MixMonitorStop"))
            [verdict] = await running.verdicts()
            assert verdict.outcome == Outcome.CONFIRMED
        finally:
            await people.hang_up_all()


@pytest.mark.parametrize("release", ["22", "16"])
async def test_init_makes_a_site_and_undoes_it(release: str, tmp_path: Path) -> None:
    with before_init(release) as asterisks:
        bare = asterisks.pbx.console("features show")
        await init(asterisks, tmp_path)
        shown = {tuple(row.split()) for row in asterisks.pbx.console("features show").splitlines()}

        assert ("offrecord-stop", "no", "def", "*1") in shown
        assert ("Disconnect", "Call", "*", "#0") in shown
        technology = f"Dial({asterisks.technology}/"
        assert technology in asterisks.pbx.console("dialplan show offrecord-phones")
        assert f"OFFRECORD_AGI={asterisks.fastagi}" in asterisks.pbx.console(
            "dialplan show globals"
        )
        assert "QUARRY=7" in asterisks.pbx.console("dialplan show globals")
        await press(asterisks, tmp_path, "*1")

        assert (await init(asterisks, tmp_path)).endswith("nothing to do\n")
        await init(asterisks, tmp_path, "--remove")
        assert asterisks.pbx.console("features show") == bare
        assert "offrecord" not in asterisks.pbx.console("manager show users")


async def test_init_on_the_files_of_freepbx(tmp_path: Path) -> None:
    with before_init("22", FREEPBX) as asterisks:
        await init(asterisks, tmp_path)
        names = "#".join(f"offrecord-{verb}" for verb in ("stop", "pause", "resume", "objection"))
        told = f"DYNAMIC_FEATURES=apprecord#{names}"

        assert told in asterisks.pbx.console("dialplan show globals")
        asterisks.pbx.console("dialplan reload")
        assert told in asterisks.pbx.console("dialplan show globals")  # it does not grow
        await press(asterisks, tmp_path, "*91")
