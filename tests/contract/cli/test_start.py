# SPDX-License-Identifier: Apache-2.0
"""What `--version`, `--help` and completion import: it is all that they take time for."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from offrecord.cli.main import cli
from tests.kits.waiting import patience

OURS = ("agi", "ami", "bridges", "noojee", "offrecord")
SLOW = {"asyncio", "fastapi", "httpx", "pydantic", "rich", "sqlite3", "structlog"}
"""Libraries that take longer to import than all of `--version`."""

NAMES_ONLY = 16
"""Modules of ours that name the commands: `offrecord.cli.main` and what its errors import."""

ONE_COMMAND = 32
"""Modules of ours with one command: its options, and the client of the control socket."""

LOOK = """
import json, sys
from offrecord.cli.main import main
try:
    main(json.loads(sys.argv[1]))
except SystemExit:
    pass
print(json.dumps(sorted(sys.modules)))
"""


@dataclass(frozen=True)
class Started:
    """What a command line has printed, and the modules it has imported."""

    lines: list[str]
    modules: set[str]

    @property
    def ours(self) -> list[str]:
        return sorted(name for name in self.modules if name.split(".")[0] in OURS)


def start(*words: str, **environment: str) -> Started:
    done = subprocess.run(
        [sys.executable, "-c", LOOK, json.dumps(words)],
        capture_output=True, text=True, check=True, timeout=patience(), env=environment,
    )  # fmt: skip
    *lines, modules = done.stdout.splitlines()
    return Started(lines, set(json.loads(modules)))


def complete(line: str) -> Started:
    words: Mapping[str, str] = {
        "_OFFRECORD_COMPLETE": "zsh_complete",
        "COMP_WORDS": line, "COMP_CWORD": str(line.count(" ")),
        "OFFRECORD_SOCKET": "/nonexistent/offrecord.sock",
    }  # fmt: skip
    return start(**words)


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_an_option_of_offrecord_itself_imports_no_command(option: str) -> None:
    started = start(option)

    assert len(started.ours) <= NAMES_ONLY, started.ours
    assert not any(name.startswith("offrecord.cli.commands") for name in started.modules)
    assert not started.modules & SLOW


def test_completing_the_name_of_a_command_imports_none_and_shows_its_line() -> None:
    started = complete("offrecord a")

    assert started.lines == [
        "plain", "ack", cli.entries["ack"].brief, "plain", "audit", cli.entries["audit"].brief,
    ]  # fmt: skip
    assert len(started.ours) <= NAMES_ONLY, started.ours
    assert not started.modules & SLOW


def test_completing_a_target_imports_the_client_of_the_daemon_and_no_more() -> None:
    started = complete("offrecord stop ")

    assert "offrecord.control.client" in started.modules
    assert len(started.ours) <= ONE_COMMAND, started.ours
    assert not started.modules & SLOW


@pytest.mark.parametrize(
    "words",
    [
        *cli.entries, "audit verify", "audit export", "noojee stop", "noojee sign", "token add",
    ],
)  # fmt: skip
def test_completing_an_option_imports_the_declaration_of_its_command_alone(words: str) -> None:
    started = complete(f"offrecord {words} --he")

    assert "--help" in started.lines
    assert len(started.ours) <= ONE_COMMAND, started.ours
    assert not started.modules & SLOW


@pytest.mark.parametrize("group", ["audit", "noojee", "token"])
def test_the_help_of_a_group_imports_what_its_commands_declare(group: str) -> None:
    started = start(group, "--help")

    assert "Commands:" in started.lines
    assert len(started.ours) <= ONE_COMMAND, started.ours
    assert not started.modules & SLOW
