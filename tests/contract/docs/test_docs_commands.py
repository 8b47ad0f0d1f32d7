# SPDX-License-Identifier: Apache-2.0
"""Every command of the guides is run and prints what they say, or its target is checked."""

import re
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator
from configparser import ConfigParser
from pathlib import Path

import pytest

from tests.kits.docs_kit import (
    ROOT,
    Block,
    Step,
    all_blocks,
    blocks,
    console_commands,
    guides,
    matches,
)
from tests.kits.docs_site import GIVEN, DocsSite


def unit() -> ConfigParser:
    """Return the systemd unit, as far as each key stands there once."""
    parser = ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(ROOT / "packaging" / "offrecord.service")
    return parser


def make(words: list[str]) -> None:
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(words[1:]) <= set(targets)


def systemd(words: list[str]) -> None:
    assert words[1:3] == ["-u", "offrecord"] or words[-1] == "offrecord"
    assert (ROOT / "packaging" / "offrecord.service").is_file()


def new_user(words: list[str]) -> None:
    assert words[-1] == unit()["Service"]["User"] == unit()["Service"]["Group"]
    assert {"--system", "--group"} <= set(words)


def new_environment(words: list[str]) -> None:
    assert words[:3] == ["python3", "-m", "venv"]
    assert unit()["Service"]["ExecStart"] == f"{words[3]}/bin/offrecord run"


def install(words: list[str]) -> None:
    assert words[1:] == ["install", "--constraint", "constraints.txt", "."]
    assert (ROOT / "constraints.txt").is_file()
    assert (ROOT / "pyproject.toml").is_file()


def owner(words: list[str]) -> None:
    assert words[1] == "root:asterisk"
    assert words[2] == "/etc/asterisk/offrecord-secret.conf"
    assert (
        '"offrecord-secret.conf"'
        in (ROOT / "dialplan-examples" / "manager-offrecord.conf").read_text()
    )


def on_a_real_asterisk(words: list[str]) -> None:
    assert words[1] == "-rx"
    assert len(words) == 3
    assert words[2] in console_commands()


CHECKED_ONLY: dict[str, Callable[[list[str]], None]] = {
    "make": make,
    "systemctl": systemd,
    "journalctl": systemd,
    "adduser": new_user,
    "python3": new_environment,
    "/opt/offrecord/bin/pip": install,
    "chown": owner,
    "asterisk": on_a_real_asterisk,
}
"""Commands that need a whole machine, and what is checked of them here. All others are run.

`make demo` prints what it does: `tests/live/test_docs_live.py` compares. So it is with Asterisk's.
"""


@pytest.fixture
def site() -> Iterator[DocsSite]:
    # A short path: a Unix socket's has 100 bytes at most.
    folder = Path(tempfile.mkdtemp(prefix="docs-"))
    yield DocsSite(folder)
    shutil.rmtree(folder)


def lay(site: DocsSite, block: Block) -> None:
    """Write a block that names its file, and every secret that a configuration names."""
    if block.file.startswith("/"):
        site.path(block.file).parent.mkdir(parents=True, exist_ok=True)
        site.path(block.file).write_text(site.placed(block.text))
    if block.language == "toml":
        for name in re.findall(r'file = "(/[^"]+)"', block.text):
            site.secret(site.path(name), "docs-secret")


async def carry_out(site: DocsSite, block: Block) -> None:
    """Run the commands of a block that can be run; check those that cannot."""
    runnable: list[Step] = []
    for step in block.steps:
        if step.program in CHECKED_ONLY:
            CHECKED_ONLY[step.program](shlex.split(step.command))
        else:
            runnable.append(step)
    ended = await site.run([step.command for step in runnable], block.given) if runnable else []
    assert len(ended) == len(runnable), block
    for step, ran in zip(runnable, ended, strict=True):
        assert ran.code == 0, f"{block}: {step.command}: {ran.printed}"
        assert matches(step.printed, ran.printed), f"{block}: {step.command}:\n{ran.printed}"


@pytest.mark.parametrize("guide", guides())
async def test_the_commands_of_a_guide_do_what_it_says(guide: str, site: DocsSite) -> None:
    for block in blocks(guide):
        if block.language == "console":
            await carry_out(site, block)
        else:
            lay(site, block)


def test_what_is_only_checked_is_in_use() -> None:
    programs = {step.program for block in all_blocks("console") for step in block.steps}

    assert set(CHECKED_ONLY) <= programs


def test_what_a_block_needs_is_known_and_all_of_it_in_use() -> None:
    assert {given for block in all_blocks() for given in block.given} == GIVEN


async def test_a_wrong_transcript_is_noticed(site: DocsSite) -> None:
    good = "$ offrecord resolve SIP/410-12FA7B\n410\n"
    await carry_out(site, Block("-", 1, "console", good, ()))
    for text in (good.replace("\n410", "\n411"), good + "411\n", good.replace("\n410", "")):
        with pytest.raises(AssertionError):
            await carry_out(site, Block("-", 1, "console", text, ()))
    with pytest.raises(AssertionError):
        await carry_out(site, Block("-", 1, "console", "$ make tea\n", ()))
    with pytest.raises(AssertionError):
        await carry_out(site, Block("-", 1, "console", "$ offrecord resolve x\n-\n", ()))


async def test_the_first_site_ends_as_a_configuration_with_its_secrets(site: DocsSite) -> None:
    for block in blocks("README.md"):
        if block.language == "console":
            await carry_out(site, block)
        else:
            lay(site, block)
    secret = site.path("/etc/offrecord/credentials/ami.secret")
    account = site.path("/etc/asterisk/offrecord-secret.conf")

    assert account.read_text() == f"secret = {secret.read_text()}"
    assert len(secret.read_text().strip()) == 48
    assert (secret.stat().st_mode & 0o777, account.stat().st_mode & 0o777) == (0o600, 0o640)
    key = site.path("/etc/offrecord/credentials/noojee.key")
    assert key.stat().st_mode & 0o077 == 0
    handed_over = set(re.findall(r"^LoadCredential=(\S+?):(\S+)$",
                                 site.path("/etc/systemd/system/offrecord.service").read_text(),
                                 re.MULTILINE))  # fmt: skip
    assert handed_over == {
        (path.name, f"/etc/offrecord/credentials/{path.name}") for path in (secret, key)
    }
    named = re.findall(r"\$CREDENTIALS_DIRECTORY/([\w.]+)", site.config.read_text())
    assert set(named) == {name for name, _ in handed_over}
