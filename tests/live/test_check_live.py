# SPDX-License-Identifier: Apache-2.0
"""`offrecord check` against real Asterisks: all well, and each way for it not to be."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridges.model import Outcome
from bridges.simulators import certificates
from lab.pbx.ports import free_tcp
from lab.pbx_with_phones import is_event
from lab.site import LabSite
from offrecord.base.errors import Exit
from tests.kits.live_kit import SiteMaker


async def run(here: LabSite, *words: str) -> tuple[int, str, str]:
    for name in ("offrecord-secret.conf", "manager.conf"):
        (here.asterisks.pbx.root / "etc" / name).chmod(0o640)
    environment = {**os.environ, "OFFRECORD_ASTERISK_ETC": str(here.asterisks.pbx.root / "etc")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "offrecord", *words, "--config", str(here.daemon.config),
        env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize("release", ["22", "16"])
async def test_a_site_as_the_snippets_make_it_is_all_well(site: SiteMaker, release: str) -> None:
    async with site(release) as here:
        code, out, err = await run(here, "check")

        assert (code, err) == (Exit.OK, "")
        assert f"Asterisk {release}." in out
        said = [line for line in out.splitlines() if " clock: " not in line]  # the machine's own
        assert [line for line in said if not line.startswith("ok  ")] == []
        for what in ("codes", "address", "dialplan", "fastagi", "phones", "journal", "daemon"):
            assert any(line.startswith(f"ok    {what}: ") for line in said), what


@pytest.mark.parametrize("release", ["22", "16"])
async def test_ami_over_tls_is_verified_and_works(site: SiteMaker, release: str) -> None:
    here = site(release)
    tls = {"tls": True, "ca_file": str(here.asterisks.pbx.ca_file)}
    here = site(release, more={"ami": tls})
    here.ami_port = here.asterisks.pbx.ami_tls_port
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
    other = certificates.issue(folder)
    port = here.asterisks.pbx.ami_tls_port
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
        here.asterisks.pbx.write_file(
            "manager.conf",
            here.asterisks.pbx.files["manager.conf"]
            + "[weak]\nsecret=weak\nread=system\nwrite=reporting\n",
        )
        here.asterisks.pbx.console("manager reload")
        tables: dict[str, Any] = here.daemon.tables  # type: ignore[assignment]
        tables["ami"] |= broken(here, tmp_path)
        here.daemon.write_config()
        code, _, err = await run(here, "check")

        assert code == exit_code
        [told] = err.splitlines()
        assert all(word in told for word in words), told


# one live call


async def test_a_call_with_the_codes_can_fire_them(site: SiteMaker) -> None:
    async with site("22") as here:
        talk = await here.talk()
        for channel in (talk.calling["Channel"], talk.answering["Channel"]):
            code, out, err = await run(here, "check", "--call", channel)

            assert (code, err) == (Exit.OK, ""), out
            assert {line.split()[0] for line in out.splitlines()} == {"ok"}
            assert "DYNAMIC_FEATURES is offrecord" in out
            assert "digits are sent as rfc4733" in out
            assert "recorder local: would be asked about" in out


async def test_a_call_without_the_codes_and_a_conference_cannot(site: SiteMaker) -> None:
    async with site("22") as here:
        talk = await here.talk("711")
        code, _, err = await run(here, "check", "--call", "410")
        assert code == Exit.PBX_SETUP
        assert "no channel of this call has DYNAMIC_FEATURES" in err
        assert "before the Dial or Queue" in err
        await here.people.hang_up(talk.caller)
        await here.people.call("412", "901")
        code, _, err = await run(here, "check", "--call", "412")

        assert code == Exit.PBX_SETUP
        assert "in a conference, where Asterisk looks for no codes" in err
        assert "press by offrecord stop" in err

        code, _, err = await run(here, "check", "--call", "413")
        assert code == Exit.NOT_FOUND
        assert err.startswith("offrecord: no live call matches 413; ")


async def test_the_far_side_of_a_trunk_is_denied(site: SiteMaker) -> None:
    async with site("22") as here:
        talk = await here.talk_in()
        code, _, err = await run(here, "check", "--call", talk.calling["Channel"])

        assert code != Exit.OK
        assert "policy: denied at the phone" in err


# one phone's keys


@pytest.mark.parametrize(("release", "technology"), [("22", "PJSIP"), ("16", "SIP")])
async def test_a_phone_is_rung_and_its_code_arrives(
    site: SiteMaker, release: str, technology: str
) -> None:
    async with site(release) as here:
        assert (await run(here, "check", "--dtmf", "411"))[0] == Exit.PBX_PRIVILEGES
        tables: dict[str, Any] = here.daemon.tables  # type: ignore[assignment]
        tables["ami"] |= {"username": "lab", "secret": here.daemon.secret("lab", "lab")}
        here.daemon.write_config()
        code, _, err = await run(here, "check", "--dtmf", "499")
        assert (code, "no phone is called '499'" in err) == (Exit.NOT_FOUND, True)
        mark = here.people.now
        asked = asyncio.create_task(run(here, "check", "--dtmf", "411"))
        phone = await here.people.answered(mark)
        await asyncio.sleep(0.7)  # the beep
        await here.people.press(phone, "*1")
        code, out, err = await asked

        assert code == Exit.OK, out + err
        assert err == f"{technology}/411 rings: answer, and press *1 after the beep\n"
        assert "ok    digits: *1 arrived: each digit " in out
        assert "ok    mode: " in out
        assert await here.pbx.channels() == []
