# SPDX-License-Identifier: Apache-2.0
"""Colours and cells of calls and presses, shared by `calls`, `presses` and `top`."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from rich.table import Table
from rich.text import Text

STYLES: Final[Mapping[str, str]] = {
    "recording": "bold red",
    "asking": "yellow",
    "stopped": "green",
    "paused": "cyan",
    "failed": "bold white on red",
    "idle": "dim",
    "unknown": "dim",
}
"""The colour of each state of `offrecord.status.live_view`. The word is always shown with it."""

OUTCOMES: Final[Mapping[str, str]] = {
    "confirmed": "green",
    "accepted": "yellow",
    "contained": "yellow",
    "nothing_to_stop": "dim",
    "denied": "magenta",
    "call_ended": "dim",
    "failed": "bold white on red",
}
"""The colour of each outcome."""


def badge(one: Mapping[str, Any], now: float | None = None) -> Text:
    """Return one recorder's state, as `noojee paused 2:31 left`. `now` is seconds, for pauses."""
    words = f"{one['recorder']} {one['state']}"
    if one["until"] and now is not None:
        left = max(0, round(one["until"] / 1000 - now))
        words += f" {left // 60}:{left % 60:02d} left"
    elif one["state"] in {"stopped", "paused"} and one["outcome"] not in {None, "confirmed"}:
        words += f" ({one['outcome']})"
    return Text(words, STYLES.get(one["state"], ""))


def badges(call: Mapping[str, Any], now: float | None = None) -> Text:
    """Return the states of all recorders of a call on one line."""
    return Text(", ").join(badge(one, now) for one in call["recorders"]) or Text("-")


def in_force(intent: Mapping[str, Any]) -> str:
    """Return one intent of a call, as `pause until 09:33:08Z by fred`."""
    until = intent["until"]
    end = f" until {datetime.fromtimestamp(until / 1000, UTC):%H:%M:%S}Z" if until else ""
    who = f" by {intent['agent']}" if intent["agent"] else ""
    return f"{intent['verb']}{end}{who}"


def people(call: Mapping[str, Any]) -> str:
    """Return who is on a call: extensions with their logins, other channels by name."""
    named = [
        f"{one} ({call['agents'][one]})" if one in call["agents"] else one
        for one in call["extensions"]
    ]
    others = [one["channel"] for one in call["channels"] if not one["extension"]]
    return ", ".join([*named, *others])


def calls_table(calls: Sequence[Mapping[str, Any]], now: float) -> Table:
    """Return one line a call, for a live view."""
    table = Table("call", "who", "recorders", "in force", box=None, expand=True, pad_edge=False)
    for call in calls:
        intents = ", ".join(in_force(one) for one in call["intents"]) or "-"
        table.add_row(Text(call["call"]), Text(people(call)), badges(call, now), Text(intents))
    return table
