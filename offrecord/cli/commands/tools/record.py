# SPDX-License-Identifier: Apache-2.0
"""`offrecord record`: a redacted capture of what the PBX tells; the work is in `record_run`."""

from pathlib import Path

import click

from offrecord.base.errors import Exit, UserError
from offrecord.cli.options import config_option, json_option, socket_option


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--seconds", type=click.FloatRange(0.1, 86_400), help="End after so many seconds.")
@click.option("--presses", type=click.IntRange(1), help="End after so many presses.")
@click.option(
    "--max-mb", type=click.IntRange(1, 200), default=32, show_default=True,
    help="End when so many megabytes of packets are kept.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Replace FILE if there is one.")
@click.option(
    "--show-redactions", is_flag=True, help="Print what was replaced by what; it is in no file."
)
@config_option
@socket_option
@json_option
def record(
    file: Path,
    seconds: float | None,
    presses: int | None,
    max_mb: int,
    force: bool,
    show_redactions: bool,
    config_path: Path,
    socket_path: Path,
    as_json: bool,
) -> None:
    """Record what the PBX tells into FILE, redacted, until Ctrl-C.

    FILE is text, packed if its name ends in .gz. When a daemon runs, the capture is taken from
    its link and holds the presses and the PBX's answers too.
    """
    if file.exists() and not force:
        raise UserError(f"{file} exists", "name another file, or add --force", Exit.USAGE)
    if not file.parent.is_dir():
        raise UserError(f"there is no folder {file.parent}", "name another file", Exit.USAGE)
    from offrecord.cli.commands.tools import record_run

    made, why = record_run.take(
        file, config_path, socket_path, seconds=seconds, presses=presses, max_mb=max_mb
    )
    record_run.report(file, made, why, show_redactions=show_redactions, as_json=as_json)
