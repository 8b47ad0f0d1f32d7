# SPDX-License-Identifier: Apache-2.0
"""`offrecord top`: the live calls, who records them, and presses as they happen."""

import json
import time
from pathlib import Path
from typing import Final

import click

from offrecord.base.errors import Exit
from offrecord.cli.options import json_option, socket_option
from offrecord.control import client

SILENCE: Final = 40.0
"""Seconds without a word from the daemon after which it is taken to be gone."""


@click.command()
@click.option("--once", is_flag=True, help="Show the calls of now and leave.")
@socket_option
@json_option
def top(once: bool, socket_path: Path, as_json: bool) -> int:
    """Follow live calls, their recorders and presses as they happen.

    Ctrl-C ends it. With --json every line is a JSON object: the calls first, then what happens.
    """
    lines = client.watch(socket_path, {"op": "watch"}, SILENCE)
    if as_json:
        for line in lines:
            click.echo(json.dumps(line, ensure_ascii=False))
            if once:
                return Exit.OK if line["known"] else Exit.PBX_UNREACHABLE
    from rich.console import Console

    from offrecord.cli.commands.look.top_screen import View, follow

    view = View()
    view.take(next(lines))
    console = Console(markup=False, emoji=False, highlight=False)
    if once or not console.is_terminal:
        console.print(view.render(time.time(), 10_000))
        if not console.is_terminal and not once:
            click.echo("offrecord: this is no terminal, so nothing is followed; see --json",
                       err=True)  # fmt: skip
        return Exit.OK if view.live.known else Exit.PBX_UNREACHABLE
    follow(view, lines, console)
    return Exit.OK
