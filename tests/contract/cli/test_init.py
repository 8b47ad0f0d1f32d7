# SPDX-License-Identifier: Apache-2.0
"""`offrecord init` on folders as machines have them: by flags, at a terminal, again, undone."""

import os
import pty
import re
import select
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from offrecord.base.errors import Exit, UserError
from offrecord.cli.main import cli
from offrecord.config import load
from offrecord.setup.changes import Refused
from tests.kits.init_kit import FREEPBX, PLAIN, machine, snapshot
from tests.kits.waiting import patience

KEY = "f863246a-973e-11e6-8784-08002718f5b5"
CREDENTIALS = "etc/offrecord/credentials"
CONFIG = "etc/offrecord/offrecord.toml"


def run(root: Path, *words: str) -> Result:
    return CliRunner().invoke(
        cli, ["init", "--root", str(root), *words], standalone_mode=False, catch_exceptions=True
    )


def said(result: Result) -> str:
    """Return what a refused run says, as the command line prints it."""
    assert isinstance(result.exception, UserError), result.output
    problems = getattr(result.exception, "problems", (result.exception,))
    return "\n".join(map(str, problems))


def test_a_first_run_writes_a_site_that_the_daemon_can_read(tmp_path: Path) -> None:
    machine(tmp_path)
    done = run(tmp_path, "--yes", "--trunk", "my-trunk")
    assert done.return_value == Exit.OK, done.output

    loaded = load(tmp_path / CONFIG, {"CREDENTIALS_DIRECTORY": str(tmp_path / CREDENTIALS)})
    assert loaded.warnings == ()
    assert loaded.config.extensions.trunks == ("my-trunk",)
    secret = loaded.config.ami.secret.reveal()
    assert re.fullmatch(r"[0-9a-f]{48}", secret)
    assert (tmp_path / "etc/asterisk/offrecord-secret.conf").read_text() == f"secret = {secret}\n"
    assert secret not in done.output
    assert "yabba-dabba-doo" not in done.output


def test_a_pbx_that_is_too_old_is_refused_in_one_line_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    machine(tmp_path)
    status = tmp_path / "var/lib/dpkg/status"
    status.parent.mkdir(parents=True)
    status.write_text("Package: asterisk\nStatus: installed\nVersion: 1:11.25.3~dfsg-1\n\n")
    before = snapshot(tmp_path)
    refused = run(tmp_path, "--yes")
    assert said(refused).startswith("Asterisk 11.25 is not supported: 13.5 or newer is needed")
    assert snapshot(tmp_path) == before
    assert run(tmp_path, "--yes", "--remove").return_value == Exit.OK


def test_files_are_for_those_who_need_them(tmp_path: Path) -> None:
    etc = machine(tmp_path)
    (tmp_path / "etc/group").write_text("root:x:0:\nasterisk:x:4711:\n")
    run(tmp_path, "--yes")
    modes = {name: mode for name, (_, mode) in snapshot(tmp_path).items()}

    assert modes[f"{CREDENTIALS}/ami.secret"] == 0o600
    assert modes["etc/asterisk/offrecord-secret.conf"] == 0o640
    assert modes["etc/asterisk/manager.conf"] == 0o640
    assert modes["etc/asterisk/features-offrecord.conf"] == 0o640  # as its neighbours
    assert stat.S_IMODE((tmp_path / CREDENTIALS).stat().st_mode) == 0o700
    if os.geteuid() == 0:
        assert (etc / "offrecord-secret.conf").stat().st_gid == 4711
        assert (etc / "offrecord-secret.conf").stat().st_uid == 0


def test_the_second_run_has_nothing_to_do(tmp_path: Path) -> None:
    machine(tmp_path)
    run(tmp_path, "--yes")
    before = snapshot(tmp_path)
    again = run(tmp_path, "--yes")

    assert again.output.endswith("nothing to do\n")
    assert snapshot(tmp_path) == before


def test_what_was_there_is_kept_as_a_numbered_backup(tmp_path: Path) -> None:
    etc = machine(tmp_path)
    run(tmp_path, "--yes")
    run(tmp_path, "--remove", "--yes")

    assert (etc / "manager.conf.~1~").read_text() == PLAIN["manager.conf"]
    assert "#include" in (etc / "manager.conf.~2~").read_text()
    assert not list((tmp_path / "etc/offrecord").rglob("*~"))


def test_a_changed_answer_changes_that_alone_and_keeps_the_secret(tmp_path: Path) -> None:
    machine(tmp_path)
    run(tmp_path, "--yes")
    secret = (tmp_path / CREDENTIALS / "ami.secret").read_text()
    done = run(tmp_path, "--yes", "--code", "stop=*71")

    wrote = re.findall(r"^wrote (\S+?),?(?: |$)", done.output, re.MULTILINE)
    assert [Path(name).name for name in wrote] == ["features-offrecord.conf", "init.json"]
    assert re.findall(r"^[+-](offrecord-stop.*)$", done.output, re.MULTILINE) == [
        "offrecord-stop => *1,self/both,AGI,agi://${OFFRECORD_AGI}/stop",
        "offrecord-stop => *71,self/both,AGI,agi://${OFFRECORD_AGI}/stop",
    ]
    assert (tmp_path / CREDENTIALS / "ami.secret").read_text() == secret


@pytest.mark.parametrize("files", [PLAIN, FREEPBX], ids=["plain", "freepbx"])
def test_remove_leaves_the_machine_as_it_was(tmp_path: Path, files: dict[str, str]) -> None:
    machine(tmp_path, files)
    before = snapshot(tmp_path)
    run(tmp_path, "--yes")
    assert snapshot(tmp_path) != before
    run(tmp_path, "--remove", "--yes")

    assert snapshot(tmp_path) == before
    assert not (tmp_path / CREDENTIALS).exists()
    assert run(tmp_path, "--remove", "--yes").output.endswith("nothing to do\n")


def test_a_dry_run_shows_everything_and_changes_nothing(tmp_path: Path) -> None:
    machine(tmp_path)
    before = snapshot(tmp_path)
    done = run(tmp_path, "--dry-run", "--yes")

    assert done.return_value == Exit.OK
    assert snapshot(tmp_path) == before
    assert '+#include "manager-offrecord.conf"' in done.output
    assert "+atxferabort = #9" in done.output
    assert "+secret = ********" in done.output


def test_without_a_terminal_nothing_is_written_unasked(tmp_path: Path) -> None:
    machine(tmp_path)
    before = snapshot(tmp_path)
    done = run(tmp_path)

    assert "add --yes" in str(done.exception)
    assert snapshot(tmp_path) == before


def test_generated_files_of_freepbx_are_never_touched(tmp_path: Path) -> None:
    etc = machine(tmp_path, FREEPBX)
    run(tmp_path, "--yes")
    made = {name for name in FREEPBX if "_custom" not in name}

    assert {name: (etc / name).read_text() for name in made} == {n: FREEPBX[n] for n in made}
    assert "offrecord-stop => *91," in (etc / "features_applicationmap_custom.conf").read_text()


def test_noojee_beside_the_pbx(tmp_path: Path) -> None:
    machine(tmp_path)
    key = tmp_path / "key"
    key.write_text(f"{KEY}\n")
    done = run(tmp_path, "--yes", "--pbx", "noojee", "--noojee-url", "https://noojee.example",
               "--noojee-agent", "fred", "--noojee-auth", "signed",
               "--noojee-key-file", str(key))  # fmt: skip
    loaded = load(tmp_path / CONFIG, {"CREDENTIALS_DIRECTORY": str(tmp_path / CREDENTIALS)})
    options = loaded.config.recorders["noojee"].options

    assert (options["url"], options["agent_login"], options["auth"]) == (
        "https://noojee.example", "fred", "signed",
    )  # fmt: skip
    assert options["api_key"].reveal() == KEY
    assert KEY not in done.output
    assert run(tmp_path, "--yes").output.endswith("nothing to do\n")


# what cannot be done


def link(root: Path) -> None:
    path = root / "etc/asterisk/features.conf"
    path.rename(root / "real.conf")
    path.symlink_to(root / "real.conf")


def read_only(root: Path) -> None:
    (root / "etc/asterisk/manager.conf").chmod(0o440)


def no_folder(root: Path) -> None:
    (root / "etc/asterisk").rename(root / "elsewhere")


def no_manager(root: Path) -> None:
    (root / "etc/asterisk/manager.conf").unlink()


def no_toml(root: Path) -> None:
    (root / "etc/offrecord").mkdir()
    (root / CONFIG).write_text("[ami\n")


def clash(root: Path) -> None:
    (root / "etc/asterisk/features.conf").write_text("[applicationmap]\nx => *1,self,NoOp\n")


def no_list(root: Path) -> None:
    (root / "etc/offrecord").mkdir()
    (root / "etc/offrecord/init.json").write_text("[]")


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (link, ("features.conf is a symbolic link", "put a file in place")),
        (read_only, ("manager.conf is read-only", "chmod u+w")),
        (no_folder, ("etc/asterisk is not there", "--asterisk-etc")),
        (no_manager, ("manager.conf is not there", "--asterisk-etc")),
        (no_toml, ("offrecord.toml is no TOML", "line 1")),
        (clash, ("x is *1", "features.conf:2", "--code stop=*91")),
        (no_list, ("init.json is no list", "take it away")),
    ],
)
def test_what_stands_in_the_way_is_named_and_nothing_is_written(
    tmp_path: Path, broken: Callable[[Path], None], words: tuple[str, ...]
) -> None:
    machine(tmp_path)
    broken(tmp_path)
    before = snapshot(tmp_path)
    problem = said(run(tmp_path, "--yes"))

    assert all(word in problem for word in words), problem
    assert snapshot(tmp_path) == before


def test_what_fails_halfway_is_put_back(tmp_path: Path) -> None:
    etc = machine(tmp_path)
    before = snapshot(tmp_path)
    # A folder where the last file of Asterisk's is to be: no rename gets over it.
    (etc / "extensions-offrecord.conf").mkdir()
    done = run(tmp_path, "--yes")

    assert isinstance(done.exception, Refused)
    assert "extensions-offrecord.conf cannot be written" in said(done)
    assert "put back" in said(done)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--code", "halt=*1"), "names no verb"),
        (("--code", "stop=12x"), "0-9, *, #, A-D"),
        (("--code", "stop=*9"), "can never be dialled"),
        (("--phones", "_4XX,1"), "--phones"),
        (("--trunk", "my trunk"), "--trunk"),
        (("--agi", "localhost"), "host:port"),
        (("--pbx", "noojee"), "--noojee-url"),
        (("--noojee-url", "noojee.example"), "--noojee-url"),
        (("--noojee-url", "https://noojee.example"), "--noojee-key-file"),
        (("--account", "a]b"), "--account"),
        (("--reload",), "leave out --root"),
        (("--config", "here.toml"), "whole paths"),
    ],
)
def test_a_wrong_flag_is_named(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    machine(tmp_path)
    before = snapshot(tmp_path)
    done = run(tmp_path, "--yes", *words)

    assert says in str(done.exception)
    assert snapshot(tmp_path) == before


# at a terminal


class Terminal:
    """A person at a terminal: waits for words, types answers."""

    def __init__(self, *words: str) -> None:
        self._master, slave = pty.openpty()
        self.seen = ""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "offrecord", "init", *words],
            stdin=slave, stdout=slave, stderr=slave, close_fds=True,
            env={**os.environ, "TERM": "xterm"},
        )  # fmt: skip
        os.close(slave)

    def expect(self, words: str, then: str | None = None) -> None:
        deadline, start = time.monotonic() + 20, len(self.seen)
        while words not in self.seen[start:]:
            assert time.monotonic() < deadline, self.seen
            if select.select([self._master], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self._master, 65536).decode(errors="replace")
                except OSError:
                    break
        assert words in self.seen[start:], self.seen
        if then is not None:
            os.write(self._master, f"{then}\n".encode())

    def end(self) -> int:
        while True:
            try:
                more = os.read(self._master, 65536)
            except OSError:
                break
            if not more:
                break
            self.seen += more.decode(errors="replace")
        code = self._process.wait(patience())
        os.close(self._master)
        return code


def test_a_person_at_a_terminal_is_asked_and_shown_every_change(tmp_path: Path) -> None:
    machine(tmp_path)
    there = Terminal("--root", str(tmp_path))
    there.expect("Kind of PBX", "noojee")
    there.expect("Channel technology", "")
    there.expect("Extensions for", "_5XX")
    there.expect("Endpoints that are trunks", "my-trunk")
    there.expect("Move Asterisk's codes", "move")
    there.expect("Make an ARI account", "")
    there.expect("Address of Noojee", "https://noojee.example")
    there.expect("Noojee user", "")
    there.expect("How Noojee takes its key", "")
    there.expect("API key", KEY)
    there.expect("changes?", "y")
    assert there.end() == 0, there.seen

    assert KEY not in there.seen
    assert '\x1b[32m+#include "manager-offrecord.conf"' in there.seen  # coloured
    assert (tmp_path / CREDENTIALS / "noojee.key").read_text() == f"{KEY}\n"
    dialplan = (tmp_path / "etc/asterisk/extensions-offrecord.conf").read_text()
    assert "exten => _5XX,1" in dialplan
    assert run(tmp_path, "--yes").output.endswith("nothing to do\n")


def test_a_person_can_take_other_codes_and_say_no(tmp_path: Path) -> None:
    machine(tmp_path, FREEPBX)
    before = snapshot(tmp_path)
    there = Terminal("--root", str(tmp_path), "--code", "stop=*1")
    there.expect("Kind of PBX", "")
    there.expect("Endpoints", "")
    there.expect("Make an ARI account", "")
    there.expect("apprecord is *1")
    assert there.end() == Exit.CONFIG

    there = Terminal("--root", str(tmp_path))
    there.expect("Kind of PBX", "")
    there.expect("Endpoints", "")
    there.expect("Make an ARI account", "n")
    there.expect("changes?", "n")
    assert there.end() == 130
    assert "nothing was changed" in there.seen
    assert snapshot(tmp_path) == before


def test_an_ari_account_is_told_as_what_it_is_and_taken_back(tmp_path: Path) -> None:
    etc = machine(tmp_path)
    before = snapshot(tmp_path)
    done = run(tmp_path, "--yes", "--ari")
    assert done.return_value == Exit.OK, done.output
    assert "can place calls" in done.output
    loaded = load(tmp_path / CONFIG, {"CREDENTIALS_DIRECTORY": str(tmp_path / CREDENTIALS)})
    secret = loaded.config.ari.secret
    assert secret is not None
    assert (etc / "offrecord-ari-secret.conf").read_text() == f"password = {secret.reveal()}\n"
    assert secret.reveal() not in done.output
    assert (
        "LoadCredential=ari.secret:"
        in (tmp_path / "etc/systemd/system/offrecord.service").read_text()
    )

    assert run(tmp_path, "--yes").output.endswith("nothing to do\n")
    assert "--remove" in str(run(tmp_path, "--yes", "--no-ari").exception)
    assert run(tmp_path, "--yes", "--remove").return_value == Exit.OK
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    ("groups", "joins"),
    [
        ("root:x:0:\nasterisk:x:117:\n", True),
        ("asterisk:x:117:www-data,freepbx\n", True),
        ("asterisk:x:117:www-data,offrecord\n", False),
        ("root:x:0:\n", False),
        (None, False),
    ],
)
def test_the_daemon_may_read_the_recordings(
    tmp_path: Path, groups: str | None, joins: bool
) -> None:
    machine(tmp_path)
    if groups is not None:
        (tmp_path / "etc/group").write_text(groups)
    before = snapshot(tmp_path)
    assert run(tmp_path, "--yes").return_value == Exit.OK
    unit = (tmp_path / "etc/systemd/system/offrecord.service").read_text()
    assert ("SupplementaryGroups=asterisk" in unit.splitlines()) is joins
    assert run(tmp_path, "--yes").output.endswith("nothing to do\n")
    assert run(tmp_path, "--yes", "--remove").return_value == Exit.OK
    assert snapshot(tmp_path) == before


# reload


def test_reload_tells_asterisk_to_read_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    etc = machine(tmp_path)
    program = tmp_path / "bin/asterisk"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/told\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    done = run(
        Path("/"), "--yes", "--reload", "--no-unit", "--asterisk-etc", str(etc),
        "--config", str(tmp_path / "offrecord.toml"),
    )  # fmt: skip

    assert done.return_value == Exit.OK, done.output
    assert (tmp_path / "told").read_text().splitlines()[-3:] == [
        "-rx manager reload", "-rx dialplan reload", "-rx module reload features",
    ]  # fmt: skip


def test_the_next_commands_are_told(tmp_path: Path) -> None:
    machine(tmp_path)
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    output = run(tmp_path, "--yes").output

    for command in (
        "asterisk -rx 'manager reload'", "adduser --system", "offrecord check",
        "systemctl enable --now offrecord",
    ):  # fmt: skip
        assert f"  {command}" in output or command in output.partition("next:")[2]
