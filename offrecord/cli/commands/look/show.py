# SPDX-License-Identifier: Apache-2.0
"""`offrecord show`: one press, with or without a daemon."""

from pathlib import Path

import click

from offrecord.base.errors import Exit, UserError
from offrecord.cli.journal_options import journal_file as path_of
from offrecord.cli.journal_options import journal_option
from offrecord.cli.options import config_option, json_option, print_json
from offrecord.cli.time_line import clock, print_time_line


@click.command()
@click.argument("press")
@config_option
@journal_option
@json_option
def show(press: str, config_path: Path, journal_file: Path | None, as_json: bool) -> None:
    """Show what the journal has of one PRESS, as a time line."""
    from offrecord import journal
    from offrecord.status.view_types import RecordView, to_json

    records = journal.show(path_of(config_path, journal_file), press)
    if not records:
        raise UserError(
            f"the journal has no press {press}", "see offrecord presses for ids", Exit.NOT_FOUND
        )
    if as_json:
        print_json([to_json(RecordView(r.seq, r.at, r.kind, r.body)) for r in records])
        return
    click.echo(f"press {press}, {clock(records[0].at)}")
    print_time_line(records)
