# SPDX-License-Identifier: Apache-2.0
"""Colours and cells of calls and presses on a terminal, shared by `calls`, `presses` and `top`.

Which state a recorder is in is found in `offrecord.status.live_view`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from rich.table import Table
from rich.text import Text

from offrecord.status.view_types import CallView, IntentView, RecorderState, RecorderStatus

STYLES: Final[Mapping[RecorderState, str]] = {
    RecorderState.RECORDING: "bold red",
    RecorderState.ASKING: "yellow",
    RecorderState.STOPPED: "green",
    RecorderState.PAUSED: "cyan",
    RecorderState.FAILED: "bold white on red",
    RecorderState.IDLE: "dim",
    RecorderState.UNKNOWN: "dim",
}
"""Colour of each state, which is always shown as a word, too."""

_OBEYED: Final = frozenset({RecorderState.STOPPED, RecorderState.PAUSED})

OUTCOMES: Final[Mapping[str, str]] = {
    "confirmed": "green",
    "accepted": "yellow",
    "contained": "yellow",
    "nothing_to_stop": "dim",
    "denied": "magenta",
    "call_ended": "dim",
    "failed": "bold white on red",
}
"""Colour of each outcome."""


def recorder_text(one: RecorderStatus, now: float) -> Text:
    """Return one recorder's state, as `noojee paused 2:31 left`.

    `now` is seconds since the epoch, for the time that is left of a pause.
    """
    words = f"{one.recorder} {one.state}"
    if one.until:
        left = max(0, round(one.until / 1000 - now))
        words += f" {left // 60}:{left % 60:02d} left"
    elif one.state in _OBEYED and one.outcome not in {None, "confirmed"}:
        words += f" ({one.outcome})"
    return Text(words, STYLES[one.state])


def recorders_text(call: CallView, now: float) -> Text:
    """Return the states of all recorders of a call on one line."""
    return Text(", ").join(recorder_text(one, now) for one in call.recorders) or Text("-")


def intents_text(call: CallView) -> str:
    """Return what presses hold for a call, as `pause until 09:33:08Z by fred`; `-` for nothing."""
    return ", ".join(map(_in_force, call.intents)) or "-"


def _in_force(intent: IntentView) -> str:
    until = intent.until
    end = f" until {datetime.fromtimestamp(until / 1000, UTC):%H:%M:%S}Z" if until else ""
    who = f" by {intent.agent}" if intent.agent else ""
    return f"{intent.verb}{end}{who}"


def people(call: CallView) -> str:
    """Return who is on a call: extensions with their logins, other channels, who listens."""
    named = [
        f"{one} ({call.agents[one]})" if one in call.agents else one for one in call.extensions
    ]
    others = [one.channel for one in call.channels if not one.extension]
    listening = [f"listening: {one}" for one in call.listeners]
    return ", ".join([*named, *others, *listening])


def calls_table(calls: Sequence[CallView], now: float) -> Table:
    """Return one line a call, for a live view. `now` is seconds since the epoch."""
    table = Table("call", "who", "recorders", "in force", box=None, expand=True, pad_edge=False)
    for call in calls:
        recorders, in_force = recorders_text(call, now), Text(intents_text(call))
        table.add_row(Text(call.call), Text(people(call)), recorders, in_force)
    return table
