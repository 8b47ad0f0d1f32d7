# SPDX-License-Identifier: Apache-2.0
"""Groups of commands: help that cuts no line, and a group that imports a command when it is run."""

import importlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem

_LONGEST_SENTENCE = 1000
"""Characters: no first sentence of a command is as long, and `click` cuts it there."""


class Group(click.Group):
    """A group whose help shows the first sentence of each command uncut."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands of the group, as `click` asks for it."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [
            (name, command.get_short_help_str(_LONGEST_SENTENCE))
            for name, command in found
            if command is not None and not command.hidden
        ]
        _write(formatter, "Commands", rows)


class Entry(NamedTuple):
    """Place where a command is defined, and its line in the help of its group."""

    module: str
    object: str
    brief: str


class LazyGroup(click.Group):
    """A group that knows its commands by a table, and imports a command when it is run.

    `sections` maps a heading to the commands under it, by name.
    """

    def __init__(
        self, *args: Any, sections: Mapping[str, Mapping[str, Entry]], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.sections = sections
        self.entries = {name: entry for one in sections.values() for name, entry in one.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; return None when there is none of that name."""
        if cmd_name not in self.entries:
            return None
        entry = self.entries[cmd_name]
        command = getattr(importlib.import_module(entry.module), entry.object)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands under their headings, from the table alone."""
        widest = max(map(len, self.entries))
        for heading, entries in self.sections.items():
            rows = [(name.ljust(widest), entry.brief) for name, entry in entries.items()]
            _write(formatter, heading, rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the names that begin with `incomplete`, from the table, and the options."""
        names = [
            CompletionItem(name, help=entry.brief)
            for name, entry in self.entries.items()
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; name the nearest one when there is none like that."""
        if args and not args[0].startswith("-") and args[0] not in self.entries:
            import difflib  # 5 ms, for a mistake alone

            near = difflib.get_close_matches(args[0], self.entries, n=1)
            hint = f". Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {args[0]!r}{hint}")
        return super().resolve_command(ctx, args)


def _write(formatter: click.HelpFormatter, heading: str, rows: Iterable[tuple[str, str]]) -> None:
    with formatter.section(heading):
        formatter.write_dl(list(rows))
