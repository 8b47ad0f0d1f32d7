# SPDX-License-Identifier: Apache-2.0
"""What the guides say of a real Asterisk: their first site, their console, their limits."""

import asyncio
import json
import re
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bridges.model import Outcome
from bridges.simulators import certificates
from lab.pbx.chroot import RELEASES, find
from lab.pbx.ports import free_tcp
from lab.pbx_with_phones import PbxWithPhones, build, is_event
from lab.site import LabSite
from tests.kits.docs_commands import CHECKED_ONLY, carry_out, lay
from tests.kits.docs_kit import Step, blocks, console_commands, form, matches, read
from tests.kits.docs_site import CREDENTIALS, DocsSite
from tests.kits.live_kit import SiteMaker
from tests.kits.waiting import eventually, patience

STOCK = ("manager.conf", "features.conf", "extensions.conf")
CONTEXTS = "\n[lab-phones]\ninclude => offrecord-phones\n[lab-trunk]\ninclude => offrecord-trunk\n"


def console_steps(guide: str) -> list[Step]:
    steps = [step for block in blocks(guide, "console") for step in block.steps]
    return [step for step in steps if step.program == "asterisk"]


def on_console(asterisks: PbxWithPhones, command: str) -> str:
    found = re.fullmatch(r"asterisk -rx '([^']+)'", command)
    assert found, command
    return asterisks.pbx.console(found[1])


# the first site of the README, on the configuration that Debian's Asterisk comes with


class FirstSite(LabSite):
    """A lab site whose PBX and daemon are configured by the commands of the README."""

    laid: DocsSite

    def _tables(self) -> dict[str, object]:
        tables: dict[str, Any] = tomllib.loads(self.laid.config.read_text())
        host, _, port = self.asterisks.fastagi.rpartition(":")
        tables["ami"] |= {"port": self.asterisks.pbx.ami_port}
        tables["agi"] = {"host": host, "port": int(port)}
        noojee = tables["recorders"]["noojee"]
        noojee |= {"url": self.noojee_server.url, "ca_file": str(self._ca_file)}
        return tables


def of_this_pbx(asterisks: PbxWithPhones, text: str) -> str:
    """Return a file of the guides with the laboratory's ports instead of the usual ones."""
    text = text.replace('#include "manager.d/*.conf"', "; a folder that a lab's Asterisk has not")
    text = re.sub(r"^port = 5038$", f"port = {asterisks.pbx.ami_port}", text, flags=re.MULTILINE)
    text = text.replace("0.0.0.0:5039", f"127.0.0.1:{asterisks.pbx.ami_tls_port}")
    text = text.replace("/etc/asterisk/keys/pbx.pem", f"{asterisks.pbx.inside}/etc/ami.pem")
    return text.replace("127.0.0.1:4573", asterisks.fastagi)


def files_of(asterisks: PbxWithPhones, folder: Path) -> dict[str, str]:
    """Return the files of a folder as this PBX gets them, with the lab's own account and phones."""
    files = {path.name: of_this_pbx(asterisks, path.read_text()) for path in folder.glob("*.conf")}
    files["manager.conf"] += "\n[lab]\nsecret=lab\nread=all\nwrite=all\nwritetimeout=5000\n"
    files["extensions.conf"] += CONTEXTS
    return files


@pytest.fixture(scope="module")
def laid() -> Iterator[tuple[PbxWithPhones, DocsSite]]:
    """Lay the first site: Debian's files, the README's commands, and its reloads."""
    root = Path(tempfile.mkdtemp(prefix="docs-"))
    site = DocsSite(root)
    asterisks = build(
        "22", fastagi=f"127.0.0.1:{free_tcp()}", features="features.conf", label="docs"
    )
    etc = site.path("/etc/asterisk")
    for name in STOCK:
        (etc / name).write_text((asterisks.pbx.chroot / "etc" / "asterisk" / name).read_text())
    phones = asterisks.pbx.files["pjsip.conf"]
    asterisks.pbx.files = {**files_of(asterisks, etc), "pjsip.conf": phones}
    try:
        asterisks.start()
        asyncio.run(_follow_the_readme(site))
        for name, text in files_of(asterisks, etc).items():
            asterisks.pbx.write_file(name, text)
        for step in console_steps("README.md"):
            on_console(asterisks, step.command)
        yield asterisks, site
    finally:
        asterisks.stop()
        shutil.rmtree(root)


async def _follow_the_readme(site: DocsSite) -> None:
    for block in blocks("README.md"):
        if block.language != "console":
            lay(site, block)
        elif not block.given:
            await carry_out(site, block)


@pytest.fixture
def first_site(laid: tuple[PbxWithPhones, DocsSite], tmp_path: Path) -> FirstSite:
    asterisks, docs = laid
    made = FirstSite(asterisks, tmp_path, certificate=certificates.issue(tmp_path))
    made.laid = docs
    recorded = asterisks.pbx.root / "spool" / "monitor"  # the path of this machine, not Asterisk's
    made.daemon.environment = {
        "CREDENTIALS_DIRECTORY": str(docs.path(CREDENTIALS)),
        "OFFRECORD__WITNESS__FOLDERS": json.dumps([str(recorded)]),
    }
    return made


async def check(here: FirstSite, *words: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "offrecord", "check", "--config", str(here.daemon.config), *words,
        env={
            **here.daemon.environment, "PATH": "/usr/bin:/bin",
            "OFFRECORD_ASTERISK_ETC": str(here.laid.path("/etc/asterisk")),
        },
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await process.communicate()
    return process.returncode, out.decode()


async def test_the_first_site_of_the_readme_takes_a_press(first_site: FirstSite) -> None:
    async with first_site as here:
        code, told = await check(here)
        talk = await here.talk()
        await here.people.press(talk.caller, "*1")
        [press] = await here.daemon.verdicts()
        await here.pbx.wait_for(is_event("MixMonitorStop"))

        assert code == 0, told
        said = [line for line in told.splitlines() if " clock: " not in line]  # the machine's own
        assert [line for line in said if not line.startswith("ok  ")] == []
        assert press.outcome == Outcome.ACCEPTED
        assert press.way == "fastagi"
        [stop] = here.stops()
        assert stop.query["agentLoginName"] == "offrecord"
        assert stop.query["extenOrUniqueId"] == talk.calling["Uniqueid"]


async def test_ami_over_tls_as_the_guide_has_it(first_site: FirstSite) -> None:
    [block] = [b for b in blocks("docs/asterisk.md", "ini") if b.file.startswith("/")]
    toml = next(b for b in blocks("docs/asterisk.md", "toml") if "[ami]" in b.text)
    async with first_site as here:
        tables: dict[str, Any] = here.daemon.tables
        before = dict(tables["ami"])
        files = files_of(here.asterisks, here.laid.path("/etc/asterisk"))
        text = of_this_pbx(here.asterisks, block.body)
        whole = files["manager.conf"].replace(
            "[general]\n", f"{text}port = {here.asterisks.pbx.ami_port}\nbindaddr = 127.0.0.1\n", 1
        )
        here.asterisks.pbx.write_file("manager.conf", whole)
        try:
            here.asterisks.pbx.console("manager reload")
            tables["ami"] = {
                **tomllib.loads(toml.text)["ami"],
                "host": "127.0.0.1", "port": here.asterisks.pbx.ami_tls_port,
                "ca_file": str(here.asterisks.pbx.ca_file), "secret": before["secret"],
            }  # fmt: skip
            here.daemon.write_config()
            code, told = await check(here)
        finally:
            here.asterisks.pbx.write_file("manager.conf", files["manager.conf"])
            here.asterisks.pbx.console("manager reload")

        assert code == 0, told


# the console


@pytest.mark.parametrize("command", console_commands())
@pytest.mark.parametrize("release", ["22", "16"])
def test_a_command_for_asterisk_is_one(
    pbx_of: Callable[[str, str], PbxWithPhones], release: str, command: str
) -> None:
    printed = pbx_of(release, "features.conf").pbx.console(command)

    assert "No such command" not in printed
    assert "No such module" not in printed


@pytest.mark.parametrize("release", ["22", "16"])
def test_what_the_guides_show_of_asterisks_console_is_what_it_prints(
    pbx_of: Callable[[str, str], PbxWithPhones], release: str
) -> None:
    asterisks = pbx_of(release, "features.conf")
    shown = [
        step for guide in ("README.md", "dialplan-examples/README.md", "docs/runbook.md")
        for step in console_steps(guide) if step.printed
    ]  # fmt: skip

    assert shown
    for step in shown:
        printed = on_console(asterisks, step.command)
        assert matches(step.printed, printed), printed


# the demo


def test_the_transcript_of_the_demo_is_what_the_demo_prints() -> None:
    import subprocess

    [step] = [
        step for block in blocks("README.md", "console") for step in block.steps
        if step.command == "make demo"
    ]  # fmt: skip
    assert step.program in CHECKED_ONLY
    done = subprocess.run(
        [sys.executable, "-m", "lab"],
        capture_output=True, text=True, check=False, timeout=patience(),
    )  # fmt: skip

    def told(lines: list[str]) -> list[str]:
        forms = (
            (r"Asterisk \d+\.[\w.+~-]+", "Asterisk VERSION"),
            (r"\d+ bytes", "N bytes"),
            (r"\d+\.\d s\b", "N s"),
        )
        made = [form(line) for line in lines]
        for pattern, name in forms:
            made = [re.sub(pattern, name, line) for line in made]
        return sorted(made)

    assert done.returncode == 0, done.stdout + done.stderr
    assert step.printed[0] == "…"
    assert told(list(step.printed[1:])) == told(done.stdout.splitlines())


# sounds and limits


@pytest.mark.parametrize("release", sorted(RELEASES))
def test_the_sounds_are_as_long_as_the_guide_says(release: str) -> None:
    folder = find(release)
    assert folder is not None
    lengths = {
        name: path.stat().st_size / 33 * 0.02  # GSM has 33 bytes for 20 ms
        for name in ("beep", "beeperr", "ascending-2tone", "descending-2tone")
        for path in folder.glob(f"usr/share/asterisk/sounds/en*/{name}.gsm")
    }
    guide = read("docs/outcomes.md")

    assert f"`beep` lasts {lengths['beep']:.2f} s, `beeperr` {lengths['beeperr']:.2f} s" in guide
    assert f"the two-tone ones {lengths['ascending-2tone']:.2f} s" in guide
    assert f"{lengths['ascending-2tone']:.2f}" == f"{lengths['descending-2tone']:.2f}"


def ended(here: LabSite) -> list[str]:
    return [f"{line['verb']} {line['outcome']}" for line in here.daemon.logged("press_ended")]


async def until(here: LabSite, count: int) -> list[str]:
    await eventually(lambda: len(ended(here)) >= count)
    return ended(here)


async def hear_digit(here: LabSite, digit: str, since: int) -> None:
    await here.pbx.wait_for(is_event("DTMFEnd", Digit=digit), since=since)
    await asyncio.sleep(0.3)  # for a press that must not come


async def record(here: LabSite, uniqueid: str) -> None:
    """Record a channel, which has Asterisk handle the call's media and see its digits."""
    await here.pbx.action("MixMonitor", Channel=uniqueid, File="by-hand.wav", Options="")


@pytest.mark.parametrize("release", ["22", "16"])
async def test_a_code_given_in_the_middle_of_a_call_does_nothing(
    site: SiteMaker, release: str
) -> None:
    async with site(release) as here:
        talk = await here.talk("711")
        await record(here, talk.calling["Uniqueid"])
        mark = len(here.pbx.events)
        await here.pbx.action("Setvar", Channel=talk.calling["Uniqueid"],
                              Variable="DYNAMIC_FEATURES", Value="offrecord")  # fmt: skip
        await here.people.press(talk.caller, "*1")
        await hear_digit(here, "1", mark)

        assert ended(here) == []


@pytest.mark.parametrize("release", ["22", "16"])
async def test_digits_of_a_call_that_is_only_passed_on_reach_nobody(
    site: SiteMaker, release: str
) -> None:
    async with site(release, more={"keypad": {"enabled": True}}) as here:
        talk = await here.talk("711")
        await here.people.press(talk.caller, "*1")
        await asyncio.sleep(0.5)
        unseen = here.pbx.named("DTMFEnd")
        await record(here, talk.calling["Uniqueid"])
        await here.people.press(talk.caller, "*1")

        assert unseen == []
        assert await until(here, 1) == ["stop accepted"]


@pytest.mark.parametrize("release", ["22", "16"])
async def test_no_code_works_in_a_conference(site: SiteMaker, release: str) -> None:
    async with site(release) as here:
        caller = await here.people.call("410", "905")
        [row] = await here.pbx.channels()
        mark = len(here.pbx.events)
        await here.pbx.action("Setvar", Channel=row["Uniqueid"],
                              Variable="DYNAMIC_FEATURES", Value="offrecord")  # fmt: skip
        await here.pbx.action("Redirect", Channel=row["Channel"], Context="lab-phones",
                              Exten="901", Priority="1")  # fmt: skip
        await here.pbx.wait_for(is_event("BridgeEnter", Uniqueid=row["Uniqueid"]), since=mark)
        await here.people.press(caller, "*1")
        await hear_digit(here, "1", mark)

        assert ended(here) == []


@pytest.mark.parametrize("release", ["22", "16"])
async def test_digits_pressed_into_the_tone_are_lost(site: SiteMaker, release: str) -> None:
    async with site(release) as here:
        talk = await here.talk()
        await here.people.press(talk.caller, "*1")
        await until(here, 1)
        await here.people.press(talk.caller, "*2")
        await asyncio.sleep(1.5)

        assert ended(here) == ["stop accepted"]


@pytest.mark.parametrize("release", ["22", "16"])
async def test_digits_further_apart_than_allowed_are_no_code(site: SiteMaker, release: str) -> None:
    async with site(release) as here:
        talk = await here.talk()
        mark = len(here.pbx.events)
        await here.people.press(talk.caller, "*")
        await asyncio.sleep(2.3)
        await here.people.press(talk.caller, "1")
        await hear_digit(here, "1", mark)
        apart = ended(here)
        await here.people.press(talk.caller, "*", gap=1.4)
        await here.people.press(talk.caller, "1")

        assert apart == []
        assert await until(here, 1) == ["stop accepted"]
