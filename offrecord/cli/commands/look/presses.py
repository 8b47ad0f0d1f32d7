# SPDX-License-Identifier: Apache-2.0
"""`offrecord presses` and `offrecord show`: read the journal, with or without a daemon."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

import click
from rich.table import Table
from rich.text import Text

from bridges.model import Outcome
from offrecord import journal
from offrecord.base.errors import Exit, UserError
from offrecord.cli.options import config_option, json_option, print_json, print_table
from offrecord.cli.tables import OUTCOMES
from offrecord.config import journal_path
from offrecord.status.view_types import RecordView, to_json

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _journal_file(config_path: Path, given: Path | None) -> Path:
    return journal_path(config_path, os.environ) if given is None else given


def _since(_context: click.Context, _option: click.Parameter, value: str | None) -> int:
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


def clock(at: int) -> str:
    """Return milliseconds since the epoch as people and auditors read them, in UTC."""
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{at % 1000:03d}Z"


class Timed(Protocol):
    """A record of a press: one of the journal, or of a replay."""

    @property
    def at(self) -> int:
        """Milliseconds since the epoch, UTC."""

    @property
    def kind(self) -> str:
        """What happened."""

    @property
    def body(self) -> Mapping[str, Any]:
        """What is known of it."""


_JOURNAL = click.option(
    "--journal", "journal_file", type=click.Path(path_type=Path, dir_okay=False),
    help="The journal's file, when it is not the configured one.",
)  # fmt: skip


@click.command()
@click.option("--since", callback=_since, metavar="SPAN|TIME", help="Such as 2h, 7d, 2026-03-01.")
@click.option("--call", help="A linkedid, uniqueid, channel or target.")
@click.option("--agent", help="The recorders' name for the person.")
@click.option("--outcome", type=click.Choice([outcome.value for outcome in Outcome]),
              help="Only presses that ended so.")  # fmt: skip
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True,
              help="So many at most.")  # fmt: skip
@config_option
@_JOURNAL
@json_option
def presses(
    since: int,
    call: str | None,
    agent: str | None,
    outcome: str | None,
    limit: int,
    config_path: Path,
    journal_file: Path | None,
    as_json: bool,
) -> None:
    """List presses from the journal, newest first."""
    wanted = Outcome(outcome) if outcome else None
    found = journal.presses(
        _journal_file(config_path, journal_file),
        since=since, call=call, agent=agent, outcome=wanted, limit=limit,
    )  # fmt: skip
    if as_json:
        print_json([to_json(summary) for summary in found])
        return
    table = Table("press", "at", "verb", "way", "target", "agent", "outcome", "ms", box=None)
    for one in found:
        took = "-" if one.took_ms is None else f"{one.took_ms:g}"
        table.add_row(one.press, clock(one.at), one.verb, one.way, one.target, one.agent or "-",
                      Text(one.outcome or "open", OUTCOMES.get(one.outcome or "", "yellow")),
                      took)  # fmt: skip
    if found:
        print_table(table)
    else:
        click.echo("no press matches")


@click.command()
@click.argument("press")
@config_option
@_JOURNAL
@json_option
def show(press: str, config_path: Path, journal_file: Path | None, as_json: bool) -> None:
    """Show everything the journal knows of one PRESS, as a time line."""
    records = journal.show(_journal_file(config_path, journal_file), press)
    if not records:
        raise UserError(
            f"the journal has no press {press}", "see offrecord presses for ids", Exit.NOT_FOUND
        )
    if as_json:
        print_json([to_json(RecordView(r.seq, r.at, r.kind, r.body)) for r in records])
        return
    click.echo(f"press {press}, {clock(records[0].at)}")
    print_time_line(records)


def print_time_line(records: Sequence[Timed]) -> None:
    """Print what happened to one press, in milliseconds from its first record on."""
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
        pass  # of another version: it is shown as it is
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
    "verdict": lambda body: f"{body['outcome']} ({body['evidence']}), {body['text']}",
}
"""One line for people of each kind of record; other kinds are shown as they are."""
