# SPDX-License-Identifier: Apache-2.0
"""The time line of one press: a line for each record, in milliseconds from the first."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import click


def clock(at: int) -> str:
    """Return milliseconds since the epoch as a date and time in UTC."""
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{at % 1000:03d}Z"


class Timed(Protocol):
    """A record of a press: one of the journal, or of a replay."""

    @property
    def at(self) -> int:
        """Milliseconds since the epoch, UTC."""

    @property
    def kind(self) -> str:
        """The kind of the record, such as `verdict`."""

    @property
    def body(self) -> Mapping[str, Any]:
        """The fields of the record, by name."""


def print_time_line(records: Sequence[Timed]) -> None:
    """Print the records of one press, in milliseconds from the first."""
    first = records[0].at
    for record in records:
        click.echo(
            f"{record.at - first:>7} ms  {record.kind:<12} {_summary(record.kind, record.body)}"
        )
        for step in record.body.get("steps", ()):
            click.echo(
                f"{step['at'] - first:>7} ms    {step['evidence']} {step['sent']}: {step['answer']}"
            )


def _summary(kind: str, body: Mapping[str, Any]) -> str:
    tell = _SUMMARIES.get(kind)
    try:
        if tell is not None:
            return tell(body)
    except (KeyError, TypeError):
        pass  # written by another version: shown field by field
    return ", ".join(f"{key} {value}" for key, value in body.items())


def _resolved(body: Mapping[str, Any]) -> str:
    legs = ", ".join(channel["channel"] for channel in body["channels"])
    return f"call {body['call']}: {legs}; recorders {', '.join(body['recorders']) or 'none'}"


def _intent(body: Mapping[str, Any]) -> str:
    until = f", until {clock(body['until'])}" if body["until"] else ""
    return f"{body['verb']} holds for the call{until}: {', '.join(body['recorders'])}"


def _closed(body: Mapping[str, Any]) -> str:
    exposed = ", ".join(f"{name} {ms} ms" for name, ms in body["exposed_ms"].items())
    return f"{body['outcome']} ({body['evidence']}), {body['why']}; exposed {exposed or 'nothing'}"


def _by_recorder(body: Mapping[str, Any]) -> str:
    return f"{body['recorder']}: {body['outcome']} ({body['evidence']}), {body['detail']}"


_SUMMARIES: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    **dict.fromkeys(
        ("pressed", "joined"),
        lambda body: f"{body['verb']} by {body['way']} on {body['channel'] or body['target']}",
    ),
    "resolved": _resolved,
    "intent": _intent,
    "intent_ended": lambda body: str(body["why"]),
    "rejoined": lambda body: f"all hear each other again: {body['why']}",
    "extended": lambda body: f"the pause lasts until {clock(body['until'])}",
    "alarm": lambda body: f"{body['what']}: {body['detail']}",
    "answered": _by_recorder,
    "retried": _by_recorder,
    "reapplied": lambda body: f"{body['channel']}: {body['why']}, in {body['took_ms']} ms",
    "fallback": lambda body: f"{body['action']}: {body['outcome']}, {body['detail']}",
    "closed": _closed,
    "file_closed": lambda body: f"{body['file']} ({body['evidence']})",
    "taken_back": lambda body: f"{body['outcome']} ({body['evidence']}), {body['text']}",
    "not_watched": lambda body: str(body["why"]),
    "verdict": lambda body: f"{body['outcome']} ({body['evidence']}), {body['text']}",
}
"""The line for each kind of record; other kinds are shown field by field."""
