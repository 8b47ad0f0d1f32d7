# SPDX-License-Identifier: Apache-2.0
"""`offrecord record` and `offrecord replay`: a redacted capture, and what offrecord makes of it."""

import asyncio
import logging
import os
import signal
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from offrecord.ami_capture import sources
from offrecord.ami_capture.capture_file import Head, Reader, clock, write
from offrecord.ami_capture.collect import Collector
from offrecord.ami_capture.make import Capture, make_capture
from offrecord.ami_capture.replay import clock as clocks
from offrecord.ami_capture.replay.player import Playback
from offrecord.assembly import build as sites
from offrecord.base import logs
from offrecord.base.errors import Exit, UserError
from offrecord.cli.commands.look.calls import print_explanation
from offrecord.cli.commands.look.presses import print_time_line
from offrecord.cli.options import (
    config_option,
    json_option,
    print_json,
    print_table,
    socket_option,
)
from offrecord.config import Loaded, load
from offrecord.journal.journal import Record
from offrecord.presses.find_call import Unresolved

_FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))


@click.command()
@_FILE
@click.option("--seconds", type=click.FloatRange(0.1, 86_400), help="End after so many seconds.")
@click.option("--presses", type=click.IntRange(1), help="End after so many presses.")
@click.option(
    "--max-mb", type=click.IntRange(1, 200), default=32, show_default=True,
    help="End when so many megabytes of packets are kept.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Replace FILE if there is one.")
@click.option(
    "--show-redactions", is_flag=True, help="Print what was replaced by what; it is in no file."
)
@config_option
@socket_option
@json_option
def record(
    file: Path,
    seconds: float | None,
    presses: int | None,
    max_mb: int,
    force: bool,
    show_redactions: bool,
    config_path: Path,
    socket_path: Path,
    as_json: bool,
) -> None:
    """Record what the PBX tells into FILE, redacted, until Ctrl-C.

    FILE is text, packed if its name ends in .gz. Beside a running daemon its own link is heard,
    so the presses and the PBX's answers are in it.
    """
    if file.exists() and not force:
        raise UserError(f"{file} exists", "name another file, or add --force", Exit.USAGE)
    if not file.parent.is_dir():
        raise UserError(f"there is no folder {file.parent}", "name another file", Exit.USAGE)
    logs.configure("error", "console")
    loaded = load(config_path, os.environ)
    by_daemon = sources.daemon_runs(socket_path)
    if not by_daemon:
        click.echo(
            "no daemon runs: a login of its own is heard, which sees no press by the dialplan"
            " and no answer of the PBX",
            err=True,
        )
    collector = Collector(max_mb * 1024 * 1024, presses or 0)
    facts = asyncio.run(_hear(loaded, socket_path, collector, by_daemon=by_daemon, seconds=seconds))
    made = make_capture(
        collector, loaded, asterisk=facts.asterisk, by_daemon=by_daemon, hints=facts.hints
    )
    write(file, made.head, made.entries)
    _tell(file, made, collector.why, show_redactions=show_redactions, as_json=as_json)


async def _hear(
    loaded: Loaded, socket_path: Path, collector: Collector, *, by_daemon: bool,
    seconds: float | None,
) -> sources.PbxFacts:  # fmt: skip
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, collector.end, "told to end")
    if seconds is not None:
        loop.call_later(seconds, collector.end, f"{seconds:g} s are over")
    if by_daemon:
        return await sources.collect_from_daemon(socket_path, collector, _begun)
    collector.keypad = sites.keypad(loaded)
    collector.user_event = loaded.config.user_event.name
    return await sources.collect_from_login(loaded, collector, _begun)


def _begun() -> None:
    click.echo("recording; Ctrl-C ends it", err=True)


def _tell(file: Path, made: Capture, why: str, *, show_redactions: bool, as_json: bool) -> None:
    if as_json:
        table = [{"kind": k, "was": w, "is": i} for k, w, i in made.table]
        more = {"redactions": table} if show_redactions else {}
        print_json({"file": str(file), "ended": why, **made.head.info, **more})
        return
    if show_redactions:
        shown = Table("kind", "was", "is now", box=None)
        for row in made.table:
            shown.add_row(*row)
        print_table(shown)
    told = made.head.info
    click.echo(
        f"{file}: {told['Blocks']} blocks in {told['Lasted']}, {told['Presses']} presses ({why})"
    )
    click.echo(f"redacted: {told['Redacted']}")
    click.echo("look through it before you send it; offrecord replay shows what is seen in it")


@click.command()
@_FILE
@click.option("--until", type=click.FloatRange(0), help="Play as far as so many seconds.")
@click.option(
    "--explain", metavar="CHANNEL",
    help="Show what a stop on CHANNEL would do then: at --until, else just before it hangs up.",
)  # fmt: skip
@click.option("--real-time", is_flag=True, help="Take as long as it took.")
@json_option
def replay(
    file: Path, until: float | None, explain: str | None, real_time: bool, as_json: bool
) -> None:
    """Play a capture offline and show what offrecord makes of its calls and presses."""
    logs.configure("error", "console")
    logging.disable()  # what became of presses is printed, in full
    with closing(Reader(file)) as reader:
        head = reader.head()
        body = clocks.run(_play(reader, head, until, explain), real_time=real_time)
    if as_json:
        print_json({key: value for key, value in body.items() if key != "playback"})
    elif explain is not None:
        print_explanation(body["explained"], "stop")
    else:
        _show(body)


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


def _show(body: Mapping[str, Any]) -> None:
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
