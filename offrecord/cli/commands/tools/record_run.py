# SPDX-License-Identifier: Apache-2.0
"""The work of `offrecord record`: listen to the PBX, redact, write the file, report on it."""

import asyncio
import os
import signal
from pathlib import Path

import click

from offrecord.ami_capture import sources
from offrecord.ami_capture.capture_file import write
from offrecord.ami_capture.collect import Collector
from offrecord.ami_capture.make import Capture, make_capture
from offrecord.assembly import build as sites
from offrecord.base import logs
from offrecord.cli.options import print_json, print_table
from offrecord.config import Loaded, load


def take(
    file: Path, config_path: Path, socket_path: Path, *, seconds: float | None,
    presses: int | None, max_mb: int,
) -> tuple[Capture, str]:  # fmt: skip
    """Record into `file` until told to end; return what was recorded, and why it ended.

    Listens on the link of a running daemon, else on a login of its own. Ends after `seconds`,
    after so many presses, or at `max_mb` megabytes. Raises `UserError`.
    """
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
    return made, collector.why


async def _hear(
    loaded: Loaded, socket_path: Path, collector: Collector, *, by_daemon: bool,
    seconds: float | None,
) -> sources.PbxFacts:  # fmt: skip
    """Collect packets from the daemon, or from a login of its own, until the collector ends."""
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


def report(file: Path, made: Capture, why: str, *, show_redactions: bool, as_json: bool) -> None:
    """Print what the file holds, and with `show_redactions` what was replaced by what."""
    if as_json:
        table = [{"kind": k, "was": w, "is": i} for k, w, i in made.table]
        more = {"redactions": table} if show_redactions else {}
        print_json({"file": str(file), "ended": why, **made.head.info, **more})
        return
    if show_redactions:
        print_table(("kind", "was", "is now"), made.table)
    told = made.head.info
    click.echo(
        f"{file}: {told['Blocks']} blocks in {told['Lasted']}, {told['Presses']} presses ({why})"
    )
    click.echo(f"redacted: {told['Redacted']}")
    click.echo("look through it before you send it; offrecord replay shows what is seen in it")
