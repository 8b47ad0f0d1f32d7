# SPDX-License-Identifier: Apache-2.0
"""`offrecord ack`: end the failure tone of a press."""

from pathlib import Path

import click

from offrecord.cli.ask_daemon import ask
from offrecord.cli.options import json_option, print_json, socket_option


@click.command()
@click.argument("press")
@socket_option
@json_option
def ack(press: str, socket_path: Path, as_json: bool) -> None:
    """Acknowledge PRESS: its failure tone is repeated no more.

    Its recorders are asked again all the same.
    """
    body = ask(socket_path, {"op": "ack", "press": press})[-1]
    if as_json:
        print_json(body)
    else:
        click.echo(f"press {press}: no more tones; trying goes on")
