# SPDX-License-Identifier: Apache-2.0
"""The commands as data, for the man pages and the guides, from click's own objects."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from dataclasses import dataclass

import click

from offrecord.cli.main import cli


@dataclass(frozen=True, slots=True)
class Told:
    """One option or command: how it is written, and what it means."""

    written: str
    means: str


@dataclass(frozen=True, slots=True)
class Page:
    """One command. `words` are typed to run it; `below` are the commands of a group."""

    words: tuple[str, ...]
    usage: str
    paragraphs: tuple[str, ...]
    options: tuple[Told, ...]
    below: tuple[Told, ...]

    @property
    def name(self) -> str:
        """The words joined by dashes: the name of the man page."""
        return "-".join(self.words)

    @property
    def title(self) -> str:
        """The words joined by blanks, as they are typed."""
        return " ".join(self.words)

    @property
    def brief(self) -> str:
        """The first sentence of its help, without the full stop."""
        return self.paragraphs[0].split(". ")[0].rstrip(".")


@functools.cache
def pages() -> list[Page]:
    """Return every command, each group before the commands below it."""
    top = click.Context(cli, info_name="offrecord", **cli.context_settings)
    return list(_walk(cli, top, ("offrecord",)))


def _walk(command: click.Command, ctx: click.Context, words: tuple[str, ...]) -> Iterator[Page]:
    inner: dict[str, click.Command] = {}
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            found = command.get_command(ctx, name)
            if found is not None and not found.hidden:
                inner[name] = found
    yield Page(
        words,
        " ".join(command.collect_usage_pieces(ctx)),
        _paragraphs(command.help or ""),
        tuple(_options(command, ctx)),
        tuple(Told(name, _paragraphs(one.help or "")[0]) for name, one in inner.items()),
    )
    for name, one in inner.items():
        below = click.Context(one, parent=ctx, info_name=name, **one.context_settings)
        yield from _walk(one, below, (*words, name))


def _paragraphs(text: str) -> tuple[str, ...]:
    clean = inspect.cleandoc(text).replace("\b\n", "")
    return tuple(" ".join(part.split()) for part in clean.split("\n\n") if part.strip())


def _options(command: click.Command, ctx: click.Context) -> Iterator[Told]:
    for parameter in command.get_params(ctx):
        found = parameter.get_help_record(ctx)
        if found is None or not isinstance(parameter, click.Option):
            continue  # arguments stand in the usage, and in the text
        written, means = found
        variable = getattr(parameter, "envvar", None)
        if isinstance(variable, str):
            means = f"{means}  [variable: {variable}]"
        yield Told(written, " ".join(means.split()))
