# SPDX-License-Identifier: Apache-2.0
"""`offrecord --help`: headings, and a line for each command, which is the command's own."""

import click
import pytest
from click.testing import CliRunner

from offrecord.cli.main import SECTIONS, cli


@pytest.mark.parametrize("name", cli.entries)
def test_the_line_of_a_command_is_the_first_of_its_own_help(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)

    assert command is not None
    assert command.name == name
    assert (command.help or "").splitlines()[0] == cli.entries[name].brief


def test_every_command_is_listed_under_its_heading() -> None:
    shown = CliRunner().invoke(cli, ["--help"], terminal_width=80).output
    parts = {
        part.splitlines()[0].rstrip(":"): [
            line.split()[0] for line in part.splitlines()[1:] if line
        ]
        for part in shown.split("\n\n")
    }

    assert {heading: parts[heading] for heading in SECTIONS} == {
        heading: list(entries) for heading, entries in SECTIONS.items()
    }


def test_no_line_is_cut_or_wrapped_at_80_columns() -> None:
    lines = CliRunner().invoke(cli, ["--help"], terminal_width=80).output.splitlines()

    assert all(
        any(line.split() == [name, *entry.brief.split()] for line in lines)
        for name, entry in cli.entries.items()
    )
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("group", ["audit", "noojee", "token"])
def test_no_line_of_a_group_is_cut(group: str) -> None:
    shown = CliRunner().invoke(cli, [group, "--help"], terminal_width=80).output

    assert "..." not in shown.partition("Commands:")[2]


def test_the_lines_of_the_commands_begin_in_one_column() -> None:
    lines = CliRunner().invoke(cli, ["--help"], terminal_width=80).output.splitlines()
    columns = {line.index(entry.brief) for entry in cli.entries.values() for line in lines
               if entry.brief in line}  # fmt: skip

    assert len(columns) == 1
