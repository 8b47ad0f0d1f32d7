# SPDX-License-Identifier: Apache-2.0
"""`offrecord init`: set up a site, show every change before it is made, and undo it again."""

import secrets as randomness
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import click

from offrecord.base.errors import Exit
from offrecord.base.secrets import Secret
from offrecord.cli.interview import Flags, answer, noojee_key
from offrecord.cli.options import DEFAULT_CONFIG
from offrecord.setup.answers import Answers, Found, Layout, Places, Secrets
from offrecord.setup.apply import Written, preflight, write
from offrecord.setup.changes import Change, Plan, Refused, diff, problem
from offrecord.setup.plan import kept_secret, plan, removal, usual
from offrecord.setup.survey import look

_KIND_COLOURS = {"new": "green", "changed": "yellow", "removed": "red", "mode": "yellow"}
_ROW_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags; each question has one."""
    for option in reversed([
        click.option("--pbx", type=click.Choice(["plain", "freepbx", "noojee"]),
                     help="The kind of PBX: Asterisk alone, one that FreePBX or Issabel makes, "
                          "or one beside Noojee. Found out if not given."),
        click.option("--technology", type=click.Choice(["PJSIP", "SIP"]),
                     help="What the phones are to Asterisk: PJSIP, or SIP for chan_sip."),
        click.option("--code", "codes", multiple=True, metavar="VERB=CODE",
                     help="A code of ours, as stop=*91. May be given again."),
        click.option("--move-codes/--keep-codes", "move", default=None,
                     help="Move Asterisk's transfer codes out of the way, or leave them. "
                          "If not given, only those move that the site has not chosen itself."),
        click.option("--phones", metavar="PATTERN",
                     help="The extensions of the ready-made contexts, as _4XX."),
        click.option("--dialplan/--no-dialplan", default=None,
                     help="Write the ready-made contexts, or none for a dialplan of your own."),
        click.option("--trunk", "trunks", multiple=True, metavar="ENDPOINT",
                     help="An endpoint that is a trunk. May be given again."),
        click.option("--noojee-url", metavar="URL", help="The address of Noojee."),
        click.option("--noojee-agent", metavar="LOGIN",
                     help="The Noojee user for presses that name no agent."),
        click.option("--noojee-auth", type=click.Choice(["api_key", "signed"]),
                     help="The generation of Noojee: signed for older ones."),
        click.option("--noojee-ca-file", metavar="FILE",
                     help="The authority that signed Noojee's certificate."),
        click.option("--noojee-key-file", "key_file",
                     type=click.Path(path_type=Path, exists=True, dir_okay=False),
                     help="A file with Noojee's API key, to be copied."),
        click.option("--account", metavar="NAME", help="The name of the AMI account."),
        click.option("--agi", metavar="HOST:PORT", help="Where the daemon listens for FastAGI."),
        click.option("--unit/--no-unit", default=None,
                     help="Let systemd start the daemon, or write no unit."),
        click.option("--overwrite", is_flag=True,
                     help="Write files of ours anew that were changed by hand since."),
        click.option("--remove", is_flag=True, help="Undo what init wrote."),
        click.option("--reload", "reload_", is_flag=True,
                     help="Have Asterisk read its files again afterwards."),
        click.option("-y", "--yes", is_flag=True, help="Ask nothing."),
        click.option("-n", "--dry-run", is_flag=True, help="Show every change and make none."),
        click.option("--root", type=click.Path(path_type=Path, exists=True, file_okay=False),
                     default=Path("/"), envvar="OFFRECORD_ROOT", show_default=True,
                     help="The root folder of the machine to set up."),
        click.option("--asterisk-etc", type=click.Path(path_type=PurePosixPath),
                     default=PurePosixPath("/etc/asterisk"), show_default=True,
                     help="Asterisk's configuration, in that root."),
        click.option("-c", "--config", "config_path", type=click.Path(path_type=PurePosixPath),
                     default=PurePosixPath(DEFAULT_CONFIG), show_default=True,
                     help="Our configuration file, in that root; secrets are kept beside it."),
    ]):  # fmt: skip
        command = option(command)
    return command


@click.command()
@_options
def init(
    root: Path,
    asterisk_etc: PurePosixPath,
    config_path: PurePosixPath,
    *,
    yes: bool,
    dry_run: bool,
    remove: bool,
    reload_: bool,
    **given: Any,
) -> int:
    """Set up this machine: configuration, AMI account, codes, dialplan, systemd unit.

    Asks at a terminal, and shows every change of a file before it makes it. It can be run again:
    what is as it should be stays untouched, and secrets are kept.
    """
    root = root.resolve()
    if reload_ and root != Path("/"):
        raise click.UsageError("--reload is for this machine: leave out --root")
    if not (asterisk_etc.is_absolute() and config_path.is_absolute()):
        raise click.UsageError("--asterisk-etc and --config are whole paths in the root folder")
    found = look(root, Places(etc=asterisk_etc, config=config_path))
    ask = not (yes or dry_run) and sys.stdin.isatty()
    made = removal(found) if remove else _planned(found, _flags(given), ask=ask)
    if made.problems:
        raise Refused(*made.problems)
    for note in made.notes:
        click.echo(f"note: {note}")
    if not made.changes:
        click.echo("nothing to do")
        return Exit.OK
    preflight(root, made.changes)
    _show(root, made.changes, whole=dry_run)
    if dry_run:
        return Exit.OK
    _agree(made.changes, yes=yes, ask=ask)
    _report(write(root, made.changes))
    _finish(made, reload_=reload_)
    return Exit.OK


def _flags(given: dict[str, Any]) -> Flags:
    noojee = {name: given.pop(f"noojee_{name}") for name in ("url", "agent", "auth", "ca_file")}
    return Flags(noojee=noojee, **given)


def _planned(found: Found, flags: Flags, *, ask: bool) -> Plan:
    before = usual(found)
    _say_found(found)
    answers = answer(found, before, flags, ask=ask)
    key = noojee_key(found, answers, flags, ask=ask)
    ami = kept_secret(found) or randomness.token_hex(24)
    _say_answers(answers)
    return plan(found, answers, Secrets(Secret(ami), key))


def _say_found(found: Found) -> None:
    version = ".".join(map(str, found.version)) or "of an unknown version"
    kind = "made by FreePBX or Issabel" if found.layout is Layout.FREEPBX else "plain"
    click.echo(f"found: Asterisk {version}, {kind}, phones on {found.technology}, "
               f"{len(found.tree)} files in {found.places.etc}")  # fmt: skip


def _say_answers(answers: Answers) -> None:
    codes = ", ".join(f"{code} {verb.value}" for verb, code in answers.codes.items())
    click.echo(f"codes: {codes}")
    if answers.noojee is not None:
        click.echo(f"Noojee: {answers.noojee.url} as {answers.noojee.agent_login}")


def _show(root: Path, changes: Sequence[Change], *, whole: bool) -> None:
    """Print what is to happen: a diff of files that are there, with `whole` of new ones too."""
    click.echo()
    for change in changes:
        mark = click.style(f"{change.kind:8}", fg=_KIND_COLOURS[change.kind])
        click.echo(f"{mark} {_seen(root, change.path)}: {change.why}")
    for change in changes:
        if change.kind != "changed" and not whole:
            continue
        click.echo()
        for row in diff(change):
            head = row.startswith(("---", "+++"))
            shown = row.encode("utf-8", "replace").decode()
            click.secho(shown, bold=head or None, fg=None if head else _ROW_COLOURS.get(row[:1]))
    click.echo()


def _seen(root: Path, path: PurePosixPath) -> str:
    return str(path) if root == Path("/") else f"{root}{path}"


def _agree(changes: Sequence[Change], *, yes: bool, ask: bool) -> None:
    if yes:
        return
    if not ask:
        raise click.UsageError("nobody is there to ask: add --yes to write this, or --dry-run")
    if not click.confirm(f"Make these {len(changes)} changes?", default=False):
        click.echo("nothing was changed")
        raise click.Abort


def _report(done: Sequence[Written]) -> None:
    for one in done:
        verb = "removed" if one.change.after is None else "wrote"
        kept = f", the old one is {one.backup.name}" if one.backup else ""
        click.echo(f"{verb} {one.path}{kept}")


def _finish(made: Plan, *, reload_: bool) -> None:
    """Say what comes next, and have Asterisk reload where that was asked for."""
    if made.reload and reload_:
        _reload(made.reload)
    commands = [] if reload_ else [f"asterisk -rx '{command}'" for command in made.reload]
    if commands or made.steps:
        click.echo("\nnext:")
    for step in [*commands, *made.steps]:
        click.echo(f"  {step}")


def _reload(commands: Sequence[str]) -> None:
    program = shutil.which("asterisk")
    if program is None:
        raise problem("there is no program asterisk to reload with", "reload it on the PBX itself")
    for command in commands:
        done = subprocess.run(  # noqa: S603 - the PBX's own program
            [program, "-rx", command], capture_output=True, text=True, check=False, timeout=30
        )
        if done.returncode:
            raise problem(f"asterisk -rx '{command}' failed: {done.stderr or done.stdout}",
                          "see whether Asterisk runs; the files are written")  # fmt: skip
        click.echo(f"asterisk -rx '{command}'")
