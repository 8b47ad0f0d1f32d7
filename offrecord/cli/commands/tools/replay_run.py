# SPDX-License-Identifier: Apache-2.0
"""The work of `offrecord replay`: play a capture, print its calls and presses."""

import logging
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from offrecord.ami_capture.capture_file import Head, Reader, clock
from offrecord.ami_capture.replay import clock as clocks
from offrecord.ami_capture.replay.player import Playback
from offrecord.base import logs
from offrecord.base.errors import Exit, UserError
from offrecord.cli.time_line import print_time_line
from offrecord.journal.journal import Record
from offrecord.presses.find_call import Unresolved


def play(
    file: Path, until: float | None, explain: str | None, *, real_time: bool
) -> dict[str, Any]:
    """Play a capture as far as `until` seconds and return what was seen, as plain data.

    With `explain` the plan of a stop on that channel is under `explained`. Raises `UserError`.
    """
    logs.configure("error", "console")
    logging.disable()  # what became of presses is printed, in full
    with closing(Reader(file)) as reader:
        return clocks.run(_play(reader, reader.head(), until, explain), real_time=real_time)


async def _play(
    reader: Reader, head: Head, until: float | None, target: str | None
) -> dict[str, Any]:
    playback = Playback(head)
    body: dict[str, Any] = {"head": dict(head.info), "not_contacted": playback.elsewhere}
    if target is not None:
        try:
            return body | {"explained": await playback.explained(reader.entries(), target, until)}
        except Unresolved as problem:
            raise UserError(problem.why, "name a channel of the capture", Exit.NOT_FOUND) from None
    await playback.play(reader.entries(), until)
    return body | playback.body()


def report(body: Mapping[str, Any]) -> None:
    """Print the capture's head, each call with its channels, and its presses."""
    head = body["head"]
    click.echo(
        f"Asterisk {head.get('Asterisk', '?')}, offrecord {head.get('Offrecord', '?')},"
        f" {head.get('Lasted', '?')}, heard by {head.get('Heard-by', '?')}"
    )
    if body["not_contacted"]:
        click.echo(f"recorders elsewhere are not contacted: {', '.join(body['not_contacted'])}")
    if body["unanswered"]:
        click.echo(f"actions that the capture holds no answer to: {body['unanswered']}")
    for call in body["calls"]:
        click.echo("")
        click.echo(f"call {call['call']}")
        for one in call["channels"]:
            ends = clock(one["ends_ms"]) if one["ends_ms"] is not None else "the end"
            monitors = "?" if one["monitors"] is None else one["monitors"]
            click.echo(
                f"  {clock(one['begins_ms'])} to {ends}  {one['channel']}"
                f"  uniqueid {one['uniqueid']}  extension {one['extension'] or '-'}"
                f" ({one['why']})  MixMonitors {monitors}"
            )
        for press in call["presses"]:
            _show_press(press)
    for press in body["presses"]:
        click.echo("")
        _show_press(press)


def _show_press(press: Mapping[str, Any]) -> None:
    records = [Record(press["press"], r["kind"], r["body"], r["at"]) for r in press["records"]]
    click.echo(f"press {press['press']}, at {clock(records[0].at)}")
    print_time_line(records)
    if press["then"]:
        told = press["then"]
        click.echo(f"     as it was then: {told['outcome']} ({told['evidence']})")
