# SPDX-License-Identifier: Apache-2.0
"""Carry out the blocks of a guide: run its commands, or check what those need that are not run."""

import re
import shlex
from collections.abc import Callable
from configparser import ConfigParser

from tests.kits.docs_kit import (
    ROOT,
    Block,
    Step,
    console_commands,
    matches,
)
from tests.kits.docs_site import DocsSite


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
