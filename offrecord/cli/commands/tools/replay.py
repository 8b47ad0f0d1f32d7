# SPDX-License-Identifier: Apache-2.0
"""`offrecord replay`: play a capture offline; the work is in `replay_run`."""

from pathlib import Path

import click

from offrecord.cli.options import json_option, print_json


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--until", type=click.FloatRange(0), help="Play as far as so many seconds.")
@click.option(
    "--explain", metavar="CHANNEL",
    help="Show what a stop on CHANNEL would do then: at --until, else just before it hangs up.",
)  # fmt: skip
@click.option("--real-time", is_flag=True, help="Take as long as it took.")
@json_option
def replay(
    file: Path, until: float | None, explain: str | None, real_time: bool, as_json: bool
) -> None:
    """Play a capture offline and show its calls and presses."""
    from offrecord.cli.commands.look.explain import print_explanation
    from offrecord.cli.commands.tools import replay_run

    body = replay_run.play(file, until, explain, real_time=real_time)
    if as_json:
        print_json({key: value for key, value in body.items() if key != "playback"})
    elif explain is not None:
        print_explanation(body["explained"], "stop")
    else:
        replay_run.report(body)
