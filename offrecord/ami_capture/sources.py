# SPDX-License-Identifier: Apache-2.0
"""Where a recording hears what it keeps: the running daemon, else a login of its own.

Both end when the collector has enough. The login asks for the events the daemon asks for, lists
the calls, and sends nothing else.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from agi.handover import encode
from ami.calls.graph import CallGraph
from ami.errors import AmiError
from ami.pbx import Pbx
from offrecord.ami_capture.collect import Collector
from offrecord.ami_capture.daemon_side import ALIVE, Tapped
from offrecord.assembly import build as sites
from offrecord.base.errors import Exit, UserError, user_error
from offrecord.config import Loaded
from offrecord.control import client
from offrecord.control.client import MAX_REPLY

LINGER: Final = 1.5
"""Seconds that go on being recorded after the last press: its call is swept a second later."""

Begun = Callable[[], None]

_STATUS: Final = 5.0
_KNOWN: Final = 10.0


@dataclass(slots=True)
class Heard:
    """What was told beside the stream."""

    asterisk: str = ""
    hints: Mapping[str, str] = field(default_factory=dict)


def daemon_runs(path: Path) -> bool:
    """Say whether a daemon answers on a control socket.

    Raises `UserError` when there is one that may not be used, or does not answer.
    """
    try:
        list(client.ask(path, {"op": "status"}, _STATUS))
    except UserError as problem:
        if problem.message.startswith("no daemon listens"):
            return False
        raise
    return True


async def from_daemon(path: Path, collector: Collector, begun: Begun) -> Heard:
    """Hear the daemon's own link; `begun` is told when it is heard. Raises `UserError`."""
    heard = Heard()
    reader, writer = await asyncio.open_unix_connection(str(path), limit=MAX_REPLY)
    reading = asyncio.create_task(_replies(reader, collector, heard, begun), name="record")
    try:
        writer.write(encode({"op": "record"}))
        await _enough(collector, reading)
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    return heard


async def _replies(
    reader: asyncio.StreamReader, collector: Collector, heard: Heard, begun: Begun
) -> None:
    gone = UserError("the daemon has ended", "see its log, and start it again", Exit.DAEMON_DOWN)
    while True:
        try:
            # not `wait_for`: on Python 3.11 it swallows a cancellation that comes with a line
            async with asyncio.timeout(2 * ALIVE):
                line = await reader.readline()
        except TimeoutError:
            raise gone from None
        if not line.endswith(b"\n"):
            raise gone
        told = json.loads(line)
        _take(told, collector, heard)
        if "view" in told:
            begun()


def _take(told: Mapping[str, Any], collector: Collector, heard: Heard) -> None:
    if "error" in told:
        code = Exit(told.get("exit", Exit.FAILED))
        raise UserError(str(told["error"]), str(told.get("fix", "")), code)
    if "hints" in told:
        heard.asterisk, heard.hints = told["asterisk"], told["hints"]
    if "view" in told:
        collector.view = told["view"]
    collector.left(told.get("left_out", {}))
    for at, mark, packet in told.get("packets", ()):
        if mark == "!":
            news = json.loads(packet)
            collector.news(news["kind"], news["at"], news["press"] or "", news["body"])
        else:
            collector.packet(at, mark, packet.encode("latin-1"))


async def from_login(loaded: Loaded, collector: Collector, begun: Begun) -> Heard:
    """Log in beside whoever else does, and hear what the PBX tells. Raises `UserError`."""
    config, tap = loaded.config, Tapped()
    settings = replace(sites.ami_settings(config), probe_timeout=0.0)
    pbx = Pbx(settings, graph=CallGraph(sites.name_rules(config)))
    pbx.link.packet_listeners.append(tap)
    running = asyncio.create_task(pbx.run(), name="record-pbx")
    taking = asyncio.create_task(_tapped(tap, collector), name="record-tap")
    try:
        waiting = asyncio.create_task(pbx.wait_known(_KNOWN), name="record-known")
        await asyncio.wait({waiting, running}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if running.done():
            running.result()
        if not pbx.graph.known:
            raise pbx.link.problem or UserError(
                "the PBX's calls could not be listed", "see offrecord check", Exit.PBX_UNREACHABLE
            )
        begun()
        await _enough(collector, running, taking)
    except AmiError as problem:
        raise user_error(problem) from problem
    finally:
        for task in (running, taking):
            task.cancel()
        await asyncio.gather(running, taking, return_exceptions=True)
    collector.left(tap.left_out)
    return Heard(".".join(map(str, pbx.version)), dict(pbx.graph.rules.hints))


async def _tapped(tap: Tapped, collector: Collector) -> None:
    while True:
        await tap.more.wait()
        for at, mark, packet in tap.take():
            collector.packet(at, mark, packet.encode("latin-1"))


async def _enough(collector: Collector, *tasks: "asyncio.Task[None]") -> None:
    """Wait until there is enough, and a moment more. What a task raises meanwhile is raised."""
    ended = asyncio.create_task(collector.ended.wait(), name="record-ended")
    try:
        await asyncio.wait({ended, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        if collector.ended.is_set() and collector.presses:
            await asyncio.wait(tasks, timeout=LINGER, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        ended.cancel()
