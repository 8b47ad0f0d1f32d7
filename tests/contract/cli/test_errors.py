# SPDX-License-Identifier: Apache-2.0
"""A wrong configuration or command: one line with the thing and the fix, a code of its own."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from lab.daemon import DaemonProcess
from offrecord.base.errors import Exit
from offrecord.cli import main as cli
from offrecord.cli.groups import Entry
from tests.kits.daemon_kit import Ran, house, offrecord, tables
from tests.kits.errors_kit import one_line


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DaemonProcess:
    """Lay out a configuration that works, for commands run in this very process."""
    daemon = DaemonProcess(tmp_path, {})
    daemon.tables = tables(daemon, 5038, "http://127.0.0.1:8088")
    daemon.write_config()
    monkeypatch.setenv("OFFRECORD_CONFIG", str(daemon.config))
    monkeypatch.setenv("OFFRECORD_SOCKET", str(daemon.socket))
    return daemon


def run_here(capsys: pytest.CaptureFixture[str], *words: str) -> Ran:
    with pytest.raises(SystemExit) as left:
        cli.main(words)
    captured = capsys.readouterr()
    assert isinstance(left.value.code, int)
    return Ran(left.value.code, captured.out, captured.err)


# the configuration


def text(broken: str) -> Callable[[DaemonProcess], None]:
    def write(site: DaemonProcess) -> None:
        site.config.write_text(site.config.read_text() + broken)

    return write


def table(section: str, **values: Any) -> Callable[[DaemonProcess], None]:
    def write(site: DaemonProcess) -> None:
        at: dict[str, Any] = site.tables
        for step in section.split("."):
            at = at.setdefault(step, {})
        at.update(values)
        site.write_config()

    return write


def no_file(site: DaemonProcess) -> None:
    site.config.unlink()


def no_secret_file(site: DaemonProcess) -> None:
    (site.folder / "ami.secret").unlink()


def no_account(site: DaemonProcess) -> None:
    del site.tables["ami"]["username"]  # type: ignore[attr-defined]
    site.write_config()


CONFIG: dict[str, tuple[Callable[[DaemonProcess], None], tuple[str, ...]]] = {
    "no file": (no_file, ("offrecord.toml", "there is no such file", "--config")),
    "no TOML": (text("[agi\n"), ("offrecord.toml", "this is not TOML", "line")),
    "an unknown key": (table("ami", sekret=1), ("ami.sekret", "did you mean `secret`?")),
    "an unknown section": (text("[presss]\n"), ("presss", "did you mean `press`?")),
    "a port that is none": (table("agi", port=70000), ("agi.port", "out of range", "4573")),
    "a missing key": (no_account, ("ami.username", "missing", "manager.conf")),
    "a secret in the file": (table("ami", secret="peer-secret"), ("ami.secret", "file", "env")),
    "no file for a secret": (no_secret_file, ("ami.secret", "No such file", "create it")),
    "a secret without its variable": (
        table("ami", secret={"env": "NOPE"}), ("ami.secret", "NOPE"),
    ),
    "a plain secret to another machine": (
        table("ami", host="192.0.2.1"), ("192.0.2.1", "in the clear", "tls = true"),
    ),
    "a kind that nobody has": (
        table("recorders.tape", kind="tape"), ("recorders.tape.kind", "'tape'", "asterisk"),
    ),
    "an unknown option of a recorder": (
        table("recorders.local", fiel="x"), ("recorders.local.fiel", "`file`"),
    ),
    "a route to nobody": (table("routes", default=["nojee"]), ("routes.default", "`noojee`")),
    "codes that hide each other": (
        table("keypad", enabled=True, codes={"1": "stop", "*12": "pause"}),
        ("keypad.codes", "'*12'", "choose codes"),
    ),
    "a key for another machine in the clear": (
        table("recorders.noojee", url="http://noojee.example"), ("recorders.noojee", "https"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("broken", CONFIG)
def test_a_wrong_configuration_is_one_line_with_file_key_and_fix(
    site: DaemonProcess, capsys: pytest.CaptureFixture[str], broken: str
) -> None:
    breaking, words = CONFIG[broken]
    breaking(site)

    one_line(run_here(capsys, "check"), Exit.CONFIG, "offrecord: ", "offrecord.toml", *words)


@pytest.mark.parametrize("broken", ["no file", "a missing key", "codes that hide each other"])
async def test_the_daemon_does_not_start_with_it_either(site: DaemonProcess, broken: str) -> None:
    breaking, words = CONFIG[broken]
    breaking(site)
    ran = await offrecord("run", "--config", site.config)

    one_line(ran, Exit.CONFIG, "offrecord: ", "offrecord.toml", *words)


def test_each_mistake_is_a_line_of_its_own(
    site: DaemonProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    table("agi", port=0, waits=1)(site)
    table("press", budget=-1)(site)
    ran = run_here(capsys, "check")

    assert ran.code == Exit.CONFIG
    assert [line.split(": ")[2] for line in ran.err.splitlines()] == ["agi.waits", "press.budget"]


# commands


COMMANDS: dict[str, tuple[tuple[str, ...], Exit, tuple[str, ...]]] = {
    "no daemon for calls": (("calls",), Exit.DAEMON_DOWN, ("offrecord.sock", "start it")),
    "no daemon for a stop": (("stop", "410"), Exit.DAEMON_DOWN, ("offrecord.sock", "start it")),
    "no daemon for explain": (("explain", "410"), Exit.DAEMON_DOWN, ("systemctl start",)),
    "no journal": (("presses",), Exit.JOURNAL, ("journal.sqlite3", "start the daemon")),
    "no such command": (("stahp",), Exit.USAGE, ("'stahp'", "offrecord --help")),
    "no such option": (("calls", "--jason"), Exit.USAGE, ("--jason", "offrecord calls --help")),
    "no target": (("stop",), Exit.USAGE, ("TARGET", "offrecord stop --help")),
    "no such verb": (("explain", "410", "--verb", "halt"), Exit.USAGE, ("halt", "stop")),
    "no time": (("presses", "--since", "yesterday"), Exit.USAGE, ("--since", "2h")),
    "no pair": (("resolve", "--map", "x", "SIP/1-1"), Exit.USAGE, ("DEVICE=EXTEN",)),
}  # fmt: skip


@pytest.mark.parametrize("asked", COMMANDS)
def test_a_command_that_cannot_be_done_says_so_in_one_line(
    site: DaemonProcess, capsys: pytest.CaptureFixture[str], asked: str
) -> None:
    words, code, told = COMMANDS[asked]

    one_line(run_here(capsys, *words), code, "offrecord: ", *told)


async def test_what_does_not_exist_is_not_found(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        call, recorder, press = await asyncio.gather(
            here.command("explain", "499"),
            here.command("stop", "410", "--recorder", "nojee"),
            here.command("show", "nosuchpress"),
        )

        one_line(call, Exit.NOT_FOUND, "499", "offrecord calls")
        one_line(recorder, Exit.NOT_FOUND, "'nojee'", "known: local, noojee")
        one_line(press, Exit.NOT_FOUND, "nosuchpress", "offrecord presses")


FALLS = Entry("tests.contract.cli_fault", "fall", "")


class _Falls:
    """A module whose command ends with an error that nobody expected."""

    def __init__(self, error: BaseException) -> None:
        @click.command("calls")
        def fall() -> None:
            raise error

        self.fall = fall


@pytest.mark.parametrize("error", [KeyError("odd\nthing"), RecursionError()])
def test_a_fault_is_one_line_that_says_how_to_see_more(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
) -> None:
    monkeypatch.setitem(cli.cli.entries, "calls", FALLS)
    monkeypatch.setitem(sys.modules, "tests.contract.cli_fault", _Falls(error))  # type: ignore[arg-type]
    monkeypatch.delenv("OFFRECORD_DEBUG", raising=False)
    with pytest.raises(SystemExit) as left:
        cli.main(["calls"])
    (line,) = capsys.readouterr().err.splitlines()

    assert left.value.code == Exit.INTERNAL
    assert line.startswith(f"offrecord: a fault in offrecord itself ({type(error).__name__})")
    assert "OFFRECORD_DEBUG=1" in line


def test_an_interrupted_command_says_so_and_nothing_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(cli.cli.entries, "calls", FALLS)
    falls = _Falls(KeyboardInterrupt())
    monkeypatch.setitem(sys.modules, "tests.contract.cli_fault", falls)  # type: ignore[arg-type]
    with pytest.raises(SystemExit) as left:
        cli.main(["calls"])

    assert left.value.code == 130
    assert capsys.readouterr().err.strip() == "offrecord: stopped"


def test_with_the_debug_variable_a_fault_shows_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cli.cli.entries, "calls", FALLS)
    falls = _Falls(KeyError("odd"))
    monkeypatch.setitem(sys.modules, "tests.contract.cli_fault", falls)  # type: ignore[arg-type]
    monkeypatch.setenv("OFFRECORD_DEBUG", "1")
    with pytest.raises(KeyError, match="odd"):
        cli.main(["calls"])


def test_a_command_without_arguments_shows_its_help_as_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main([])
    err = capsys.readouterr().err

    assert left.value.code == Exit.USAGE
    assert err.startswith("Usage: offrecord ")
    assert all(name in err for name in cli.cli.entries)
