# SPDX-License-Identifier: Apache-2.0
"""Receives the packets of a capture: from the running daemon, otherwise over its own AMI login.

Both end when the collector has ended. The login requests the same events as the daemon, lists the
calls, and sends nothing else.
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
from offrecord.ami_capture.daemon_side import KEEPALIVE, PacketQueue
from offrecord.assembly import build as sites
from offrecord.base.errors import Exit, UserError, user_error
from offrecord.config import Loaded
from offrecord.control import client
from offrecord.control.client import MAX_REPLY

LINGER: Final = 1.5
"""Seconds to go on after the last press: the daemon checks its call again a second later."""

OnStart = Callable[[], None]

_STATUS: Final = 5.0
_KNOWN: Final = 10.0


@dataclass(slots=True)
class PbxFacts:
    """Facts about the PBX besides the stream: Asterisk's version, hints by device."""

    asterisk: str = ""
    hints: Mapping[str, str] = field(default_factory=dict)


def daemon_runs(path: Path) -> bool:
    """Return whether a daemon answers on a control socket.

    Raises UserError when there is one that may not be used, or does not answer.
    """
    try:
        list(client.ask(path, {"op": "status"}, _STATUS))
    except UserError as problem:
        if problem.message.startswith("no daemon listens"):
            return False
        raise
    return True


async def collect_from_daemon(path: Path, collector: Collector, on_start: OnStart) -> PbxFacts:
    """Collect the packets of the daemon's link. Calls `on_start` once they arrive.

    Raises UserError.
    """
    facts = PbxFacts()
    reader, writer = await asyncio.open_unix_connection(str(path), limit=MAX_REPLY)
    reading = asyncio.create_task(_read_replies(reader, collector, facts, on_start), name="record")
    try:
        writer.write(encode({"op": "record"}))
        await _wait_until_ended(collector, reading)
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    return facts


async def _read_replies(
    reader: asyncio.StreamReader, collector: Collector, facts: PbxFacts, on_start: OnStart
) -> None:
    gone = UserError("the daemon has ended", "see its log, and start it again", Exit.DAEMON_DOWN)
    while True:
        try:
            # not `wait_for`: on Python 3.11 it swallows a cancellation that comes with a line
            async with asyncio.timeout(2 * KEEPALIVE):
                line = await reader.readline()
        except TimeoutError:
            raise gone from None
        if not line.endswith(b"\n"):
            raise gone
        reply = json.loads(line)
        _collect_reply(reply, collector, facts)
        if "view" in reply:
            on_start()


def _collect_reply(reply: Mapping[str, Any], collector: Collector, facts: PbxFacts) -> None:
    if "error" in reply:
        code = Exit(reply.get("exit", Exit.FAILED))
        raise UserError(str(reply["error"]), str(reply.get("fix", "")), code)
    if "hints" in reply:
        facts.asterisk, facts.hints = reply["asterisk"], reply["hints"]
    if "view" in reply:
        collector.monitors = reply["view"]
    collector.add_left_out(reply.get("left_out", {}))
    for at, mark, packet in reply.get("packets", ()):
        if mark == "!":
            record = json.loads(packet)
            collector.add_record(
                record["kind"], record["at"], record["press"] or "", record["body"]
            )
        else:
            collector.add_packet(at, mark, packet.encode("latin-1"))


async def collect_from_login(loaded: Loaded, collector: Collector, on_start: OnStart) -> PbxFacts:
    """Collect over a second AMI login. Calls `on_start` once the calls are listed.

    Raises UserError.
    """
    config, queue = loaded.config, PacketQueue()
    settings = replace(sites.ami_settings(config), probe_timeout=0.0)
    pbx = Pbx(settings, graph=CallGraph(sites.name_rules(config)))
    pbx.link.packet_listeners.append(queue)
    running = asyncio.create_task(pbx.run(), name="record-pbx")
    collecting = asyncio.create_task(_collect_queued(queue, collector), name="record-queue")
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
        on_start()
        await _wait_until_ended(collector, running, collecting)
    except AmiError as problem:
        raise user_error(problem) from problem
    finally:
        for task in (running, collecting):
            task.cancel()
        await asyncio.gather(running, collecting, return_exceptions=True)
    collector.add_left_out(queue.left_out)
    return PbxFacts(".".join(map(str, pbx.version)), dict(pbx.graph.rules.hints))


async def _collect_queued(queue: PacketQueue, collector: Collector) -> None:
    while True:
        await queue.more.wait()
        for at, mark, packet in queue.take():
            collector.add_packet(at, mark, packet.encode("latin-1"))


async def _wait_until_ended(collector: Collector, *tasks: "asyncio.Task[None]") -> None:
    """Wait until the collector has ended, then `LINGER`. Raises what one of the tasks raises."""
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
