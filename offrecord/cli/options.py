# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share, and how a command prints JSON and tables."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from agi.handover import DEFAULT_SOCKET

DEFAULT_CONFIG = Path("/etc/offrecord/offrecord.toml")

Command = TypeVar("Command", bound=Callable[..., Any])


def config_option(command: Command) -> Command:
    """Add `--config`."""
    return click.option(
        "-c", "--config", "config_path", envvar="OFFRECORD_CONFIG",
        type=click.Path(path_type=Path, dir_okay=False), default=DEFAULT_CONFIG,
        show_default=True, help="The configuration file.",
    )(command)  # fmt: skip


def socket_option(command: Command) -> Command:
    """Add `--socket`."""
    return click.option(
        "--socket", "socket_path", envvar="OFFRECORD_SOCKET",
        type=click.Path(path_type=Path), default=DEFAULT_SOCKET, show_default=True,
        help="The daemon's control socket.",
    )(command)  # fmt: skip


def json_option(command: Command) -> Command:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def print_json(body: Mapping[str, Any] | list[Any]) -> None:
    """Print plain data as JSON, for programs and people alike."""
    click.echo(json.dumps(body, indent=2, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table as wide as the terminal; into a pipe or file without cutting anything.

    A cell is text, or a `rich.text.Text` with a style.
    """
    from rich.console import Console  # completing an option needs neither of them
    from rich.table import Table

    table = Table(*columns, box=None)
    for row in rows:
        table.add_row(*row)
    # Names from outside are text: a bracket in one is no markup.
    console = Console(markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = 400
    console.print(table)
