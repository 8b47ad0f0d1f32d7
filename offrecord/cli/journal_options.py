# SPDX-License-Identifier: Apache-2.0
"""Options of commands that read the journal: which file, and which span of time."""

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def journal_file(config_path: Path, given: Path | None) -> Path:
    """Return the journal's file: the one given by `--journal`, else the configured one.

    Raises `UserError` when the configuration cannot be used.
    """
    from offrecord.config import journal_path  # 0.2 s, which completing an option need not wait

    return journal_path(config_path, os.environ) if given is None else given


def since(_context: click.Context, _option: click.Parameter, value: str | None) -> int:
    """Return a span (`2h`) or a time as milliseconds since the epoch; 0 when none is given.

    Raises `click.BadParameter` for anything else.
    """
    if value is None:
        return 0
    span = re.fullmatch(r"(\d+)([smhd])", value)
    if span:
        try:
            past = timedelta(seconds=int(span[1]) * _UNITS[span[2]])
            return int((datetime.now(UTC) - past).timestamp() * 1000)
        except (OverflowError, ValueError):
            return 0  # since before there was a calendar: everything
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(
            "give a span such as 2h or a time such as 2026-03-01T09:30"
        ) from None
    return int(moment.astimezone(UTC).timestamp() * 1000)


journal_option = click.option(
    "--journal", "journal_file", type=click.Path(path_type=Path, dir_okay=False),
    help="The journal's file, when it is not the configured one.",
)  # fmt: skip
