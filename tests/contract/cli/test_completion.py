# SPDX-License-Identifier: Apache-2.0
"""What a shell completes: commands, options, and the calls that a daemon names in time."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from offrecord.cli.completion import SHELLS, script
from offrecord.control.server import ControlServer
from tests.kits.daemon_kit import offrecord

BIN = Path(sys.executable).parent
CHANNELS = [
    ("PJSIP/410-00000000", "410", "1795318388.0"),
    ("PJSIP/411-00000001", "411", "1795318388.1"),
    ("PJSIP/trunk-00000002", None, "1795318388.2"),
    ("PJSIP/x$(reboot)-00000003", None, "1795318388.3"),
    ("Local/412@members-00000004;1", None, "1795318388.4"),
]


@pytest.fixture
def folder() -> Iterator[Path]:
    # A short path: a Unix socket's has 100 bytes at most.
    with tempfile.TemporaryDirectory(prefix="tab-") as path:
        yield Path(path)


async def completed(folder: Path, line: str) -> list[str]:
    """Return what bash offers at the end of a line."""
    words = line.split(" ")
    asked = (
        f"source {folder / 'offrecord.bash'}\n"
        f"COMP_WORDS=({' '.join(map(repr, words))}); COMP_CWORD={len(words) - 1}\n"
        '_offrecord_completion offrecord\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    (folder / "offrecord.bash").write_text(script("bash"))
    shell = await asyncio.create_subprocess_exec(
        "bash", "--norc", "-c", asked, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={"PATH": f"{BIN}:{os.environ['PATH']}", "OFFRECORD_SOCKET": str(folder / "socket")},
    )  # fmt: skip
    out, wrong = await shell.communicate()
    assert wrong == b""
    return out.decode().split()


async def calls(_request: Mapping[str, Any]) -> AsyncIterator[Mapping[str, object]]:
    channels = [{"channel": c, "extension": e, "uniqueid": u} for c, e, u in CHANNELS]
    yield {"known": True, "calls": [{"channels": channels}]}


async def silence(_request: Mapping[str, Any]) -> AsyncIterator[Mapping[str, object]]:
    await asyncio.sleep(60)
    yield {}


async def refusal(_request: Mapping[str, Any]) -> AsyncIterator[Mapping[str, object]]:
    yield {"error": "not now", "fix": "wait"}


@asynccontextmanager
async def served(folder: Path, answer: Any) -> AsyncIterator[None]:
    """Answer `calls` in some way on a daemon's socket."""
    server = ControlServer(folder / "socket", {"calls": answer})
    await server.start()
    try:
        yield
    finally:
        await server.close()


async def test_commands_are_completed(folder: Path) -> None:
    assert await completed(folder, "offrecord st") == ["stop", "start"]


async def test_commands_of_a_group_are_completed(folder: Path) -> None:
    assert await completed(folder, "offrecord token re") == ["revoke"]


async def test_options_and_their_words_are_completed(folder: Path) -> None:
    assert await completed(folder, "offrecord stop --a") == ["--agent"]
    assert await completed(folder, "offrecord explain --verb re") == ["resume"]


async def test_a_target_is_completed_from_the_live_calls(folder: Path) -> None:
    async with served(folder, calls):
        everything = await completed(folder, "offrecord stop ")
        channels = await completed(folder, "offrecord explain PJSIP/4")
        uniqueids = await completed(folder, "offrecord pause 1795318388.")

    assert everything == ["410", "411", "PJSIP/trunk-00000002"]
    assert channels == ["PJSIP/410-00000000", "PJSIP/411-00000001"]
    assert uniqueids == [f"1795318388.{number}" for number in range(5)]


async def test_a_name_that_a_shell_would_carry_out_is_not_offered(folder: Path) -> None:
    async with served(folder, calls):
        assert await completed(folder, "offrecord stop PJSIP/x") == []


async def test_without_a_daemon_nothing_is_offered_and_nothing_is_said(folder: Path) -> None:
    assert await completed(folder, "offrecord stop 4") == []


@pytest.mark.parametrize("answer", [silence, refusal])
async def test_a_daemon_that_does_not_tell_is_not_complained_about(
    folder: Path, answer: Any
) -> None:
    async with served(folder, answer):
        assert await completed(folder, "offrecord stop 4") == []


@pytest.mark.parametrize("shell", SHELLS)
async def test_the_command_prints_what_a_shell_reads(shell: str) -> None:
    ran = await offrecord("completion", shell)

    assert (ran.code, ran.err) == (0, "")
    assert ran.out == script(shell)
    assert f"_OFFRECORD_COMPLETE={shell}_complete" in ran.out


async def test_another_shell_is_refused() -> None:
    ran = await offrecord("completion", "csh")

    assert ran.code == 2
    assert "'csh' is not one of 'bash', 'zsh', 'fish'" in ran.err
