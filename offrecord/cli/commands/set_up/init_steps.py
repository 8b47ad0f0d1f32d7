# SPDX-License-Identifier: Apache-2.0
"""The steps of `offrecord init`: look, ask, show every change, write, say what comes next."""

import secrets as randomness
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import click

from ami.versions import unsupported
from offrecord.base.errors import Exit
from offrecord.base.secrets import Secret
from offrecord.cli.interview import Flags, answer, noojee_key
from offrecord.setup.answers import Answers, Found, Layout, Places, Secrets
from offrecord.setup.apply import Written, preflight, write
from offrecord.setup.changes import Change, Plan, Refused, diff, problem
from offrecord.setup.plan import kept_ari_secret, kept_secret, plan, removal, usual
from offrecord.setup.survey import look

_KIND_COLOURS = {"new": "green", "changed": "yellow", "removed": "red", "mode": "yellow"}
_ROW_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def set_up(
    root: Path,
    asterisk_etc: PurePosixPath,
    config_path: PurePosixPath,
    flags: Mapping[str, Any],
    *,
    yes: bool,
    dry_run: bool,
    remove: bool,
    reload: bool,
) -> int:
    """Set the machine up and return the exit code.

    `flags` are the fields of `Flags`. Raises `Refused` for a machine that cannot be set up, and
    `click.UsageError` when an answer is missing and nobody is there to ask.
    """
    found = look(root, Places(etc=asterisk_etc, config=config_path))
    ask = not (yes or dry_run) and sys.stdin.isatty()
    made = removal(found) if remove else _planned(found, Flags(**flags), ask=ask)
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
    _finish(made, reload=reload)
    return Exit.OK


def _planned(found: Found, flags: Flags, *, ask: bool) -> Plan:
    before = usual(found)
    _say_found(found)
    answers = answer(found, before, flags, ask=ask)
    key = noojee_key(found, answers, flags, ask=ask)
    ami = kept_secret(found) or randomness.token_hex(24)
    ari = Secret(kept_ari_secret(found) or randomness.token_hex(24)) if answers.ari else None
    _say_answers(answers)
    return plan(found, answers, Secrets(Secret(ami), key, ari))


def _say_found(found: Found) -> None:
    version = ".".join(map(str, found.version)) or "of an unknown version"
    kind = "made by FreePBX or Issabel" if found.layout is Layout.FREEPBX else "plain"
    click.echo(f"found: Asterisk {version}, {kind}, phones on {found.technology}, "
               f"{len(found.tree)} files in {found.places.etc}")  # fmt: skip
    if (old := unsupported(found.version)) is not None:
        raise problem(old, "upgrade Asterisk first; nothing was changed")


def _say_answers(answers: Answers) -> None:
    codes = ", ".join(f"{code} {verb.value}" for verb, code in answers.codes.items())
    click.echo(f"codes: {codes}")
    if answers.noojee is not None:
        click.echo(f"Noojee: {answers.noojee.url} as {answers.noojee.agent_login}")


def _show(root: Path, changes: Sequence[Change], *, whole: bool) -> None:
    """Print the changes: diffs of existing files, and with `whole` of new ones too."""
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


def _finish(made: Plan, *, reload: bool) -> None:
    """Reload Asterisk when `--reload` was given, and print the next steps."""
    if made.reload and reload:
        _reload(made.reload)
    commands = [] if reload else [f"asterisk -rx '{command}'" for command in made.reload]
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
