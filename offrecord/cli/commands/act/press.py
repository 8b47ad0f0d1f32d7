# SPDX-License-Identifier: Apache-2.0
"""`offrecord stop`, `pause`, `resume`, `start` and `objection`: a press from a terminal."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from agi.handover import PressRequest
from bridges.model import Outcome, Verb
from offrecord.base.errors import Exit
from offrecord.cli.completion import targets
from offrecord.cli.options import Command, json_option, print_json, socket_option
from offrecord.model.press import END_OBJECTION


def _objection_option(verb: Verb) -> Callable[[Command], Command]:
    """Return a decorator that adds `--end-objection` to commands that turn a recording on."""
    if verb.silences:
        return lambda command: command
    text = "Go on although the other party objected: they have changed their mind."
    return click.option("--end-objection", is_flag=True, help=text)


def _press_command(verb: Verb, what: str, more: str = "") -> click.Command:
    """Return the command that presses `verb`. `what` is its line in `--help`."""
    target_is = "TARGET is an extension, a uniqueid or a channel."

    @click.command(verb.value, help=f"{what}\n\n{more}{target_is}")
    @click.argument("target", shell_complete=targets)
    @click.option("--agent", help="The recorders' name for the person.")
    @click.option("--recorder", help="Ask this recorder only.")
    @click.option("--wait/--no-wait", default=True, help="Wait for the verdict.")
    @_objection_option(verb)
    @socket_option
    @json_option
    def command(
        target: str,
        agent: str | None,
        recorder: str | None,
        wait: bool,
        socket_path: Path,
        as_json: bool,
        end_objection: bool = False,
    ) -> int:
        from offrecord.cli.ask_daemon import ask  # completing an option needs neither
        from offrecord.model.outcome_codes import EXIT_CODES

        ends = {END_OBJECTION: "yes"} if end_objection else {}
        request = PressRequest(
            way="cli", verb=verb.value, target=target, channel="", uniqueid="",
            agent=agent or "", recorder=recorder or "", wait=10.0 if wait else 0.0,
            options={"user": _user(), **ends},
        )  # fmt: skip
        replies = ask(socket_path, request.message())
        body = {key: value for reply in replies for key, value in reply.items()}
        if body.get("journalled") is False:
            _warn_of_journal(body["press"])
        if as_json:
            print_json(body)
        elif body["outcome"] == "pending":
            click.echo(f"press {body['press']} is on its way: offrecord show {body['press']}")
        else:
            _print_verdict(body)
        if body["outcome"] == "pending":
            return Exit.FAILED if wait else Exit.OK
        return EXIT_CODES[Outcome(body["outcome"])]

    return command


def _warn_of_journal(press: str) -> None:
    """Warn that a press is on no disk yet; on the error stream, which `--json` leaves alone."""
    click.echo(
        f"warning: the journal has not taken press {press}: it is kept in memory, and lost if the"
        " daemon ends before the disk takes it\nfix: see journal_not_written in the daemon's log,"
        " and whether the disk is full",
        err=True,
    )


def _user() -> str:
    """Return the login of the person at the terminal, for the journal."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in many containers
        return f"uid {os.getuid()}"


def _print_verdict(body: Mapping[str, Any]) -> None:
    """Print the verdict, and below it a line for each recorder."""
    click.echo(f"{body['outcome']} ({body['evidence']}, {body['took_ms']} ms): {body['text']}")
    for result in body["recorders"]:
        proof = f"{result['outcome']} ({result['evidence']})"
        click.echo(f"  {result['recorder']}: {proof}, {result['detail']}")


stop = _press_command(Verb.STOP, "Stop every recording of the call of TARGET.")
pause = _press_command(Verb.PAUSE, "Pause every recording of the call of TARGET.")
resume = _press_command(Verb.RESUME, "Resume the paused recordings of the call of TARGET.")
start = _press_command(Verb.START, "Start a recording of the call of TARGET.")
objection = _press_command(
    Verb.OBJECTION, "Stop every recording of the call of TARGET for good.", "No code resumes it. "
)
