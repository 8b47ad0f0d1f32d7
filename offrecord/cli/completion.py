# SPDX-License-Identifier: Apache-2.0
"""Shell completion: the script for each shell, and the live calls that complete a TARGET."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
from click.shell_completion import CompletionItem, ShellComplete, get_completion_class

from agi.handover import DEFAULT_SOCKET
from offrecord.base.errors import UserError

SHELLS: Final = ("bash", "zsh", "fish")
"""The shells that click has completion for."""

VARIABLE: Final = "_OFFRECORD_COMPLETE"
"""The variable by which a shell asks; `click` makes its name of the program's."""

_TIMEOUT: Final = 0.3
"""Seconds for the daemon to name the live calls: somebody has pressed TAB and waits."""

_PLAIN: Final = re.compile(r"[\w./@:+-]+", re.ASCII)
"""Names that a shell reads as one word. They come from the PBX, and some of them from callers."""


def script(shell: str) -> str:
    """Return the text that a shell of `SHELLS` reads to complete `offrecord`."""
    made = get_completion_class(shell)
    assert made is not None
    # The text depends on the two names alone. Bash's own `source` would start a bash first, to
    # look at its version.
    return ShellComplete.source(made(click.Command("offrecord"), {}, "offrecord", VARIABLE)) + "\n"


def targets(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return what names a live call and begins with `incomplete`; nothing without a daemon.

    Extensions first, as people know them; uniqueids only once one is begun.
    """
    found: dict[str, str] = {}
    for channel in _channels(_socket(ctx)):
        extension, name = channel["extension"], channel["channel"]
        found[extension or name] = name if extension else channel["uniqueid"]
        if incomplete:
            found.setdefault(name, channel["uniqueid"])
            found.setdefault(channel["uniqueid"], name)
    return [
        CompletionItem(one, help=text)
        for one, text in found.items()
        if one.startswith(incomplete) and _PLAIN.fullmatch(one)
    ]


def _socket(ctx: click.Context) -> Path:
    given = ctx.params.get("socket_path") or os.environ.get("OFFRECORD_SOCKET")
    return Path(given or DEFAULT_SOCKET)


def _channels(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the channels of the live calls; none when the daemon does not answer at once."""
    from offrecord.control import client  # completing a command or an option needs no socket

    try:
        replies = list(client.ask(path, {"op": "calls"}, _TIMEOUT))
    except (UserError, ValueError):
        return  # a shell that completes has no place for a complaint
    for call in replies[-1].get("calls", ()) if replies else ():
        yield from call["channels"]
