# SPDX-License-Identifier: Apache-2.0
"""`offrecord resolve`: which extension a channel name belongs to, and why."""

import click

from ami.calls import channel_names
from offrecord.base.errors import Exit
from offrecord.cli.options import json_option, print_json


@click.command()
@click.argument("channels", nargs=-1, required=True, metavar="CHANNEL...")
@click.option(
    "--trunk", "trunks", multiple=True, metavar="ENDPOINT", help="An endpoint that is a trunk."
)
@click.option(
    "--map", "mapped", multiple=True, metavar="DEVICE=EXTEN",
    help="A device and its extension, as in [extensions.map].",
)  # fmt: skip
@click.option("--why", is_flag=True, help="Say how each one was decided.")
@json_option
def resolve(
    channels: tuple[str, ...],
    trunks: tuple[str, ...],
    mapped: tuple[str, ...],
    why: bool,
    as_json: bool,
) -> int:
    """Print the extension of each CHANNEL, such as SIP/410-12FA7B.

    Prints `-` for a channel of none. Leaves with 29 when any of them belongs to no extension.
    """
    pairs = {}
    for pair in mapped:
        device, equals, exten = pair.partition("=")
        if not (device and equals and exten):
            raise click.BadParameter(f"{pair!r} is not DEVICE=EXTEN", param_hint="--map")
        pairs[device] = exten
    rules = channel_names.Rules(endpoints=pairs, trunks=frozenset(trunks))
    found = [
        (channel, channel_names.parse(channel), channel_names.resolve(channel, rules))
        for channel in channels
    ]
    if as_json:
        print_json(
            [
                {
                    "channel": channel,
                    "extension": resolution.extension,
                    "technology": parts.technology,
                    "endpoint": parts.endpoint,
                    "suffix": parts.suffix,
                    "why": resolution.reason,
                }
                for channel, parts, resolution in found
            ]
        )
    else:
        for _, _, resolution in found:
            line = resolution.extension or "-"
            click.echo(f"{line}\t{resolution.reason}" if why else line)
    missing = any(resolution.extension is None for _, _, resolution in found)
    return Exit.NOT_FOUND if missing else Exit.OK
