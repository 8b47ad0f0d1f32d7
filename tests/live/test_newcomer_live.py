# SPDX-License-Identifier: Apache-2.0
"""A newcomer's hour: the commands of docs/packages.md on a Debian that has only Asterisk.

And what becomes of the package after that: reinstalled, removed, purged.
"""

import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.pbx.asterisk import Asterisk
from lab.pbx.chroot import cache_folder, find
from lab.pbx.second_ami import SecondAmi
from lab.pbx_with_phones import People, farm_files
from offrecord import __version__
from offrecord.journal.backup import keep
from offrecord.journal.schema import SCHEMA_VERSION
from scripts.build_deb import build
from tests.kits.audit_kit import press, write
from tests.kits.docs_kit import ROOT, Block, blocks
from tests.kits.journal_kit import schema_number, set_schema
from tests.kits.machine import Machine, machine
from tests.kits.waiting import eventually

pytestmark = pytest.mark.timeout(600)  # the first time the wheels are fetched

PHONES = """
[global]
type=global
endpoint_identifier_order=username,auth_username,ip
[udp]
type=transport
protocol=udp
bind=127.0.0.1:5060
"""
PHONE = """
[{0}]
type=endpoint
context=offrecord-phones
disallow=all
allow=ulaw
direct_media=no
auth={0}
aors={0}
callerid=<{0}>
[{0}]
type=auth
auth_type=userpass
username={0}
password=lab-{0}
[{0}]
type=aor
max_contacts=1
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the package as `packaging/build-deb` does, but compress it more quickly."""
    return build(ROOT, tmp_path_factory.mktemp("deb"), cache_folder(), compress="zstd")


@pytest.fixture(scope="module")
def debian(package: Path) -> Iterator[Machine]:
    """Lay one machine for both tests: the second takes it as it is."""
    chroot = find("22")
    assert chroot is not None
    with machine(chroot) as made:
        made.path(f"/root/{package.name}").write_bytes(package.read_bytes())
        yield made


def steps(guide: str, heading: str) -> list[Block]:
    """Return the blocks of one section of a guide, with the version of this checkout."""
    lines = (ROOT / guide).read_text().splitlines()
    first = lines.index(f"## {heading}")
    last = next((n for n in range(first + 1, len(lines)) if lines[n].startswith("## ")), len(lines))
    found = [block for block in blocks(guide) if first < block.line <= last]
    assert found, heading
    assert all("_0.1.0_" not in one.text or __version__ == "0.1.0" for one in found)
    return found


def farm_of(debian: Machine) -> Asterisk:
    """Return the phones 410 to 413, as another Asterisk beside the machine's own."""
    farm = Asterisk(debian.root, "farm")
    pbx: Any = SimpleNamespace(sip_port=5060)
    farm.files.update(farm_files(pbx, farm, 5999))
    return farm


async def registered(debian: Machine) -> None:
    await eventually(
        lambda: debian.console("pjsip show contacts").count("127.0.0.1") >= 2,
        "both phones are registered", every=0.1,
    )  # fmt: skip


def set_up(debian: Machine) -> dict[str, str]:
    """Do what the guide says before the call, once; return what each command printed."""
    if not debian.said:
        # What the site has before: Asterisk as Debian brings it, and two phones.
        debian.path("/etc/asterisk/pjsip.conf").write_text(
            PHONES + "".join(PHONE.format(number) for number in (410, 411))
        )
        debian.start_asterisk()
        for block in split(steps("docs/packages.md", "From nothing to a press"))[0]:
            for command, printed in debian.carry_out(block).items():
                if " token add " in command:
                    token(debian, printed)
    return debian.said


async def test_a_newcomer_sees_a_press_on_the_board_after_fewer_than_fifteen_commands(
    debian: Machine,
) -> None:
    said = set_up(debian)
    checked = next(text for command, text in said.items() if command.endswith(" check"))
    # Whether this kernel's clock is kept right is the business of whoever lent it to the machine.
    lines = [line for line in checked.splitlines() if not line.startswith("warn  clock: nothing ")]
    assert {line.split()[0] for line in lines} == {"ok"}, checked
    assert {"pbx:", "codes:", "dialplan:", "fastagi:", "journal:"} <= {
        line.split()[1] for line in lines
    }
    farm = farm_of(debian)
    farm.start()
    try:
        await registered(debian)
        async with SecondAmi(farm.ami_port) as tap:
            people = People(tap)
            mark = people.now
            caller = await people.call("410", "411")
            await people.answered(mark)
            assert badges(debian) == {"recording"}
            await people.press(caller, "*1")
            await until(lambda: badges(debian) == {"stopped"}, debian)
            page = board(debian)
            for block in split(steps("docs/packages.md", "From nothing to a press"))[1]:
                debian.carry_out(block)
            await people.hang_up_all()
    finally:
        farm.stop()
    assert "<title>" in page
    assert "stopped" in page
    assert re.search(r"\b410\b", page)
    assert "confirmed" in said["offrecord presses"]
    assert "410" in said["offrecord calls"]
    assert len(said) < 15, list(said)
    assert "Traceback" not in debian.log()


def test_the_guide_about_upgrades_goes_forth_and_back(debian: Machine) -> None:
    set_up(debian)
    guide = "docs/upgrading.md"
    journal = debian.path("/var/lib/offrecord/journal.sqlite3")
    write(journal, press(1))
    for heading in ("Before", "Upgrade"):
        for block in steps(guide, heading):
            debian.carry_out(block)
    assert schema_number(journal) == SCHEMA_VERSION

    # A version after this one has upgraded the journal; this one is the older one again.
    debian.run("systemctl stop offrecord")
    keep(journal, SCHEMA_VERSION)
    write(journal, press(2))
    set_schema(journal, SCHEMA_VERSION + 1)
    for block in steps(guide, "Back to an older version"):
        debian.carry_out(block)
    assert schema_number(Path(f"{journal}.replaced")) == SCHEMA_VERSION + 1
    assert "whole: " in debian.run("offrecord audit verify")
    assert "p1" in debian.run("offrecord presses")
    for path in journal.parent.glob("journal.sqlite3*"):
        assert mode(debian, str(path.relative_to(debian.root))) == ("offrecord", "offrecord", 0o640)

    debian.run("systemctl stop offrecord")
    set_schema(journal, SCHEMA_VERSION - 1)
    for block in steps(guide, "A journal from before the first release"):
        debian.carry_out(block)
    assert schema_number(journal) == SCHEMA_VERSION
    kept = journal.parent / "before-0.1.0" / journal.name
    assert schema_number(kept) == SCHEMA_VERSION - 1


def split(found: list[Block]) -> tuple[list[Block], list[Block]]:
    """Return what comes before the call, and what is looked at after the press."""
    at = next(n for n, block in enumerate(found) if "offrecord check" in block.text)
    return found[: at + 1], found[at + 1 :]


def token(debian: Machine, printed: str) -> None:
    """Write down the token as the guide says."""
    [found] = re.findall(r"^or_\S+$", printed, re.MULTILINE)
    debian.path("/root/token.header").write_text(f"Authorization: Bearer {found}\n")


def badges(debian: Machine) -> set[str]:
    """Return the states of the recorders of all calls, as the board over HTTP shows them."""
    command = next(
        step.command
        for block in steps("docs/packages.md", "From nothing to a press")
        if block.language == "console"
        for step in block.steps
        if step.command.startswith("curl ")
    )
    body = json.loads(debian.run(command))
    return {badge["state"] for call in body["calls"] for badge in call["recorders"]}


def board(debian: Machine) -> str:
    """Log in to the page as a browser would, and return the board."""
    given = debian.path("/root/token.header").read_text().split()[-1]
    return debian.run(
        "curl --silent --show-error --fail --location --cookie-jar jar --cookie jar"
        f" --data-urlencode token={given} http://127.0.0.1:8473/page/login"
    )


async def until(holds: Any, debian: Machine) -> None:
    try:
        await eventually(holds, every=0.2)
    except AssertionError:
        raise AssertionError(debian.log()[-3000:]) from None


def mode(debian: Machine, path: str) -> tuple[str, str, int]:
    """Return user, group and mode of a path of the machine."""
    status = debian.path(path).stat()
    names = []
    for file, number in (("passwd", status.st_uid), ("group", status.st_gid)):
        lines = debian.path(f"/etc/{file}").read_text().splitlines()
        names.append(next(x.split(":")[0] for x in lines if int(x.split(":")[2]) == number))
    return names[0], names[1], stat.S_IMODE(status.st_mode)


def test_the_package_comes_and_goes_and_the_journal_stays(debian: Machine, package: Path) -> None:
    debian.run("systemctl stop offrecord")
    install = f"dpkg --install --force-unsafe-io /root/{package.name}"
    if not debian.path("/usr/bin/offrecord").exists():
        debian.run(install)

    assert mode(debian, "/etc/offrecord") == ("root", "offrecord", 0o750)
    assert mode(debian, "/etc/offrecord/credentials") == ("root", "root", 0o700)
    assert mode(debian, "/var/lib/offrecord") == ("offrecord", "offrecord", 0o750)
    assert "asterisk" in debian.run("id -nG offrecord").split()
    assert debian.run("dpkg --verify offrecord") == ""
    assert debian.run("offrecord --version").startswith("offrecord, version ")
    assert debian.path("/usr/share/asterisk/sounds/offrecord/confirmed.wav").is_file()
    assert os.access(debian.path("/usr/share/asterisk/agi-bin/offrecord-agi"), os.X_OK)
    assert list(debian.path("/usr/lib/offrecord/site/offrecord").rglob("*.pyc"))

    site = {"/etc/offrecord/offrecord.toml": "x = 1\n", "/var/lib/offrecord/tokens.json": "{}"}
    journal = debian.path("/var/lib/offrecord/journal.sqlite3")
    for name, text in site.items():
        debian.path(name).write_text(text)
    kept = journal.read_bytes() if journal.exists() else b"evidence"
    journal.write_bytes(kept)
    debian.path("/etc/offrecord").chmod(0o700)
    debian.run("dpkg-statoverride --add root offrecord 0700 /etc/offrecord")
    debian.run(f"/var/lib/dpkg/info/offrecord.postinst configure {__version__}")  # once more
    assert mode(debian, "/etc/offrecord") == ("root", "offrecord", 0o700)

    debian.run("dpkg --remove offrecord")
    assert not debian.path("/usr/lib/offrecord").exists()
    assert {name: debian.path(name).read_text() for name in site} == site

    debian.run("dpkg-statoverride --remove /etc/offrecord")
    said = debian.run("dpkg --purge offrecord")
    assert "the journal stays in /var/lib/offrecord" in said
    assert not debian.path("/etc/offrecord").exists()
    assert not debian.path("/var/lib/offrecord/tokens.json").exists()
    assert journal.read_bytes() == kept
    assert mode(debian, "/var/lib/offrecord") == ("offrecord", "offrecord", 0o750)
