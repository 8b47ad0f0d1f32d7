# SPDX-License-Identifier: Apache-2.0
"""Commands that speak to the running daemon: `calls`, `explain`, and a press from a terminal."""

import getpass
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.table import Table

from bridges.model import Outcome, Verb
from offrecord.base.errors import Exit, UserError, outcome_exit
from offrecord.cli.completion import targets
from offrecord.cli.options import json_option, print_json, print_table, socket_option
from offrecord.cli.tables import intents_text, recorders_text
from offrecord.control import client
from offrecord.model.press import END_OBJECTION
from offrecord.status.view_types import LiveCalls, from_json

Command = TypeVar("Command", bound=Callable[..., Any])

_PATIENCE = 15.0
"""Seconds to wait for the verdict of a press: more than its budget and any wait before it."""


def _ask(socket_path: Path, request: Mapping[str, object]) -> list[dict[str, Any]]:
    replies = list(client.ask(socket_path, request, _PATIENCE))
    for reply in replies:
        if "error" in reply:
            code = Exit(reply.get("exit", Exit.FAILED))
            raise UserError(str(reply["error"]), str(reply.get("fix", "")), code)
    return replies


@click.command()
@socket_option
@json_option
def calls(socket_path: Path, as_json: bool) -> int:
    """Show the live calls, their channels, and who records them."""
    body = _ask(socket_path, {"op": "calls"})[-1]
    live = from_json(LiveCalls, body)
    if as_json:
        print_json(body)
        return Exit.OK if live.known else Exit.PBX_UNREACHABLE
    if not live.known:
        raise UserError(
            "the calls are not known: the link to the PBX is down",
            "see the daemon's log, or run offrecord check",
            Exit.PBX_UNREACHABLE,
        )
    table = Table(
        "call", "channel", "extension", "uniqueid", "MixMonitors", "recorders", "held", box=None
    )
    for call in live.calls:
        recorders, held = recorders_text(call, time.time()), intents_text(call)
        for channel in call.channels:
            shown = "?" if channel.monitors is None else str(channel.monitors or "-")
            table.add_row(
                call.call, channel.channel, channel.extension or "-", channel.uniqueid,
                f"{shown} (muted)" if channel.muted else shown, recorders, held,
            )  # fmt: skip
    if live.calls:
        print_table(table)
    else:
        click.echo("no call is up")
    return Exit.OK


@click.command()
@click.argument("press")
@socket_option
@json_option
def ack(press: str, socket_path: Path, as_json: bool) -> None:
    """Acknowledge PRESS: its failure tone is repeated no more. Trying goes on all the same."""
    body = _ask(socket_path, {"op": "ack", "press": press})[-1]
    if as_json:
        print_json(body)
    else:
        click.echo(f"press {press}: no more tones; trying goes on")


@click.command()
@click.argument("target", metavar="CHANNEL|EXTEN|UNIQUEID", shell_complete=targets)
@click.option(
    "--verb", type=click.Choice([v.value for v in Verb]), default=Verb.STOP.value,
    show_default=True, help="What is pressed.",
)  # fmt: skip
@click.option("--agent", help="The recorders' name for the person.")
@socket_option
@json_option
def explain(target: str, verb: str, agent: str | None, socket_path: Path, as_json: bool) -> None:
    """Show what a press on TARGET would do: legs, policy, routes, exact requests. Sends nothing."""
    body = _ask(socket_path, {"op": "explain", "target": target, "verb": verb, "agent": agent})[-1]
    if as_json:
        print_json(body)
    else:
        print_explanation(body, verb)


def print_explanation(body: Mapping[str, Any], verb: str) -> None:
    """Print what a press would do, as the engine explains it."""
    who = f"{body['agent']} ({body['agent_from']})" if body["agent"] else "nobody named"
    click.echo(f"call {body['call']}, {verb} by {who}")
    for channel in body["channels"]:
        mark = "*" if channel["channel"] == body["presser"] else " "
        monitors = "?" if channel["monitors"] is None else channel["monitors"]
        click.echo(
            f" {mark} {channel['channel']}  uniqueid {channel['uniqueid']}"
            f"  extension {channel['extension'] or '-'} ({channel['why']})"
            f"  MixMonitors {monitors}"
        )
    if body["queues"]:
        click.echo(f"queue {', '.join(body['queues'])}")
    for name, values in body["facts"].items():
        click.echo(f"variable {name}: {', '.join(values) or 'not set'}")
    _show_policy(body["policy"])
    for route in body["routes"]:
        click.echo(f"route {'->' if route['matched'] else '--'} {route['route']}: {route['why']}")
    for recorder in body["recorders"]:
        kind = f"{recorder['kind']}, {recorder['role']}"
        click.echo(f"recorder {recorder['recorder']} ({kind}): {recorder['target']}")
        for request in recorder["requests"]:
            click.echo(f"    {request}")
        if recorder["refusal"]:
            click.echo(f"    nothing would be sent: {recorder['refusal']}")
    for note in body["notes"]:
        click.echo(f"note: {note}")


def _show_policy(policy: Mapping[str, Any]) -> None:
    for who, ruling in (("policy", policy), ("from the phone", policy["phone"])):
        click.echo(f"{who}: {'allowed' if ruling['allowed'] else 'denied'}, {ruling['why']}")
    for place, rule in enumerate(policy["phone"]["rules"]):
        mark = "->" if rule["matched"] else "--"
        click.echo(f"policy.rule[{place}] {mark} {rule['rule']}: {rule['why']}")


def _objection_option(verb: Verb) -> Callable[[Command], Command]:
    """Return what adds `--end-objection` to the commands that turn a recording on."""
    if verb.silences:
        return lambda command: command
    text = "Go on although the other party objected: they have changed their mind."
    return click.option("--end-objection", is_flag=True, help=text)


def _press_command(verb: Verb, what: str) -> click.Command:
    @click.command(verb.value, help=f"{what}\n\nTARGET is an extension, a uniqueid or a channel.")
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
        ends = {END_OBJECTION: "yes"} if end_objection else {}
        request = {
            "op": "press", "way": "cli", "verb": verb.value, "target": target, "agent": agent,
            "recorder": recorder, "wait": 10.0 if wait else 0.0,
            "options": {"user": _user(), **ends},
        }  # fmt: skip
        replies = _ask(socket_path, request)
        body = {key: value for reply in replies for key, value in reply.items()}
        if body.get("journalled") is False:
            _warn_of_journal(body["press"])
        if as_json:
            print_json(body)
        elif body["outcome"] == "pending":
            click.echo(f"press {body['press']} is on its way: offrecord show {body['press']}")
        else:
            _say(body)
        if body["outcome"] == "pending":
            return Exit.FAILED if wait else Exit.OK
        return outcome_exit(Outcome(body["outcome"]))

    return command


def _warn_of_journal(press: str) -> None:
    """Say that a press is on no disk; on the error stream, so that `--json` stays JSON."""
    click.echo(
        f"warning: the journal has not taken press {press}: it is kept in memory, and lost if the"
        " daemon ends before the disk takes it\nfix: see journal_not_written in the daemon's log,"
        " and whether the disk is full",
        err=True,
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in many containers
        return f"uid {os.getuid()}"


def _say(body: Mapping[str, Any]) -> None:
    click.echo(f"{body['outcome']} ({body['evidence']}, {body['took_ms']} ms): {body['text']}")
    for result in body["recorders"]:
        proof = f"{result['outcome']} ({result['evidence']})"
        click.echo(f"  {result['recorder']}: {proof}, {result['detail']}")


stop = _press_command(Verb.STOP, "Stop every recording of the call of TARGET.")
pause = _press_command(Verb.PAUSE, "Pause every recording of the call of TARGET.")
resume = _press_command(Verb.RESUME, "Resume the paused recordings of the call of TARGET.")
start = _press_command(Verb.START, "Start a recording of the call of TARGET.")
objection = _press_command(
    Verb.OBJECTION, "Stop every recording of the call of TARGET for good: no code resumes it."
)
