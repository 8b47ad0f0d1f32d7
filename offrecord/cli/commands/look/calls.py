# SPDX-License-Identifier: Apache-2.0
"""`offrecord calls`: the live calls, from the running daemon."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from offrecord.base.errors import Exit, UserError
from offrecord.cli.ask_daemon import ask
from offrecord.cli.options import json_option, print_json, print_table, socket_option
from offrecord.status.view_types import LiveCalls, from_json

_COLUMNS = ("call", "channel", "extension", "uniqueid", "MixMonitors", "recorders", "in force")


@click.command()
@socket_option
@json_option
def calls(socket_path: Path, as_json: bool) -> int:
    """Show the live calls, their channels, and who records them."""
    body = ask(socket_path, {"op": "calls"})[-1]
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
    if live.calls:
        print_table(_COLUMNS, _rows(live, time.time()))
    else:
        click.echo("no call is up")
    return Exit.OK


def _rows(live: LiveCalls, now: float) -> Iterator[tuple[Any, ...]]:
    """Yield a row for each channel. `now` is seconds since the epoch."""
    from offrecord.cli.tables import intents_text, recorders_text

    for call in live.calls:
        recorders, intents = recorders_text(call, now), intents_text(call)
        for channel in call.channels:
            shown = "?" if channel.monitors is None else str(channel.monitors or "-")
            yield (
                call.call, channel.channel, channel.extension or "-", channel.uniqueid,
                f"{shown} (muted)" if channel.muted else shown, recorders, intents,
            )  # fmt: skip
