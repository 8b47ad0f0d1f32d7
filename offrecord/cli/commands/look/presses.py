# SPDX-License-Identifier: Apache-2.0
"""`offrecord presses`: the presses in the journal, with or without a daemon."""

from pathlib import Path

import click

from bridges.model import Outcome
from offrecord.cli.journal_options import journal_file as path_of
from offrecord.cli.journal_options import journal_option
from offrecord.cli.journal_options import since as since_of
from offrecord.cli.options import config_option, json_option, print_json, print_table
from offrecord.cli.time_line import clock

_COLUMNS = ("press", "at", "verb", "way", "target", "agent", "outcome", "ms")


@click.command()
@click.option("--since", callback=since_of, metavar="SPAN|TIME", help="Such as 2h, 7d, 2026-03-01.")
@click.option("--call", help="A linkedid, uniqueid, channel or target.")
@click.option("--agent", help="The recorders' name for the person.")
@click.option("--outcome", type=click.Choice([outcome.value for outcome in Outcome]),
              help="Only presses that ended so.")  # fmt: skip
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True,
              help="So many at most.")  # fmt: skip
@config_option
@journal_option
@json_option
def presses(
    since: int,
    call: str | None,
    agent: str | None,
    outcome: str | None,
    limit: int,
    config_path: Path,
    journal_file: Path | None,
    as_json: bool,
) -> None:
    """List presses from the journal, newest first."""
    from rich.text import Text

    from offrecord import journal
    from offrecord.cli.tables import OUTCOMES
    from offrecord.status.view_types import to_json

    wanted = Outcome(outcome) if outcome else None
    found = journal.presses(
        path_of(config_path, journal_file),
        since=since, call=call, agent=agent, outcome=wanted, limit=limit,
    )  # fmt: skip
    if as_json:
        print_json([to_json(summary) for summary in found])
        return
    if not found:
        click.echo("no press matches")
        return
    rows = [
        (
            one.press, clock(one.at), one.verb, one.way, one.target, one.agent or "-",
            Text(one.outcome or "open", OUTCOMES.get(one.outcome or "", "yellow")),
            "-" if one.took_ms is None else f"{one.took_ms:g}",
        )
        for one in found
    ]  # fmt: skip
    print_table(_COLUMNS, rows)
