# SPDX-License-Identifier: Apache-2.0
"""`offrecord check` against real Asterisks: all well, and each way for it not to be."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridges.model import Outcome
from offrecord import certs
from offrecord.exits import Exit
from offrecord.lab.ports import free_tcp
from offrecord.lab.rig import is_event
from offrecord.lab.site import LabSite
from tests.live.conftest import SiteMaker


async def run(here: LabSite, *words: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "offrecord", *words, "--config", str(here.daemon.config),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize("release", ["22", "16"])
async def test_a_site_as_the_snippets_make_it_is_all_well(site: SiteMaker, release: str) -> None:
    async with site(release) as here:
        code, out, err = await run(here, "check")

        assert (code, err) == (Exit.OK, "")
        assert f"Asterisk {release}." in out
        assert out.count("ok  ") == len(out.splitlines()) >= 5


@pytest.mark.parametrize("release", ["22", "16"])
async def test_ami_over_tls_is_verified_and_works(site: SiteMaker, release: str) -> None:
    here = site(release)
    tls = {"tls": True, "ca_file": str(here.lab.pbx.ca_file)}
    here = site(release, more={"ami": tls})
    here.ami_port = here.lab.pbx.ami_tls_port
    async with here:
        talk = await here.talk()
        await here.people.press(talk.caller, "*1")
        [press] = await here.daemon.verdicts()

        assert press.outcome == Outcome.ACCEPTED
        await here.pbx.wait_for(is_event("MixMonitorStop"))


def wrong_secret(here: LabSite, _: Path) -> dict[str, Any]:
    return {"secret": here.daemon.secret("wrong", "not-it")}


def nobody_there(_: LabSite, __: Path) -> dict[str, Any]:
    return {"port": free_tcp()}


def stranger(here: LabSite, folder: Path) -> dict[str, Any]:
    other = certs.issue(folder)
    port = here.lab.pbx.ami_tls_port
    return {"tls": True, "port": port, "ca_file": str(other.ca_file)}


def weak_account(here: LabSite, _: Path) -> dict[str, Any]:
    return {"username": "weak", "secret": here.daemon.secret("weak", "weak")}


@pytest.mark.parametrize(
    ("broken", "exit_code", "words"),
    [
        (wrong_secret, Exit.PBX_SECRET, ("secret", "manager.conf")),
        (nobody_there, Exit.PBX_UNREACHABLE, ("127.0.0.1",)),
        (stranger, Exit.PBX_UNTRUSTED, ("certificate", "ca_file")),
        (weak_account, Exit.PBX_PRIVILEGES, ("stop and mute", "write = call,reporting")),
    ],
)
async def test_what_is_wrong_with_the_pbx_is_one_line_with_the_fix(
    site: SiteMaker,
    tmp_path: Path,
    broken: Callable[[LabSite, Path], dict[str, Any]],
    exit_code: Exit,
    words: tuple[str, ...],
) -> None:
    async with site("22") as here:
        here.lab.pbx.write_file(
            "manager.conf",
            here.lab.pbx.files["manager.conf"]
            + "[weak]\nsecret=weak\nread=system\nwrite=reporting\n",
        )
        here.lab.pbx.console("manager reload")
        tables: dict[str, Any] = here.daemon.tables  # type: ignore[assignment]
        tables["ami"] |= broken(here, tmp_path)
        here.daemon.write_config()
        code, _, err = await run(here, "check")

        assert code == exit_code
        [told] = err.splitlines()
        assert all(word in told for word in words), told
