# SPDX-License-Identifier: Apache-2.0
"""`offrecord explain`: what a press would do."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from bridges.model import Verb
from offrecord.cli.ask_daemon import ask
from offrecord.cli.completion import targets
from offrecord.cli.options import json_option, print_json, socket_option


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
    """Show what a press on TARGET would do, and send nothing.

    Prints the legs of the call, the policy, the routes, and the exact requests to the recorders.
    """
    body = ask(socket_path, {"op": "explain", "target": target, "verb": verb, "agent": agent})[-1]
    if as_json:
        print_json(body)
    else:
        print_explanation(body, verb)


def print_explanation(body: Mapping[str, Any], verb: str) -> None:
    """Print the plan of a press, as the daemon or a replay returns it."""
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
    if body.get("beside"):
        click.echo(f"the press would fail: {body['beside']}")
    for note in body["notes"]:
        click.echo(f"note: {note}")


def _show_policy(policy: Mapping[str, Any]) -> None:
    for who, ruling in (("policy", policy), ("from the phone", policy["phone"])):
        click.echo(f"{who}: {'allowed' if ruling['allowed'] else 'denied'}, {ruling['why']}")
    for place, rule in enumerate(policy["phone"]["rules"]):
        mark = "->" if rule["matched"] else "--"
        click.echo(f"policy.rule[{place}] {mark} {rule['rule']}: {rule['why']}")
