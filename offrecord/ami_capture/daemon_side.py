# SPDX-License-Identifier: Apache-2.0
"""The daemon's side of a capture: streams the packets of its AMI link to one socket client.

The daemon's own link is better than a second login: the daemon decided by the order in which it
sent and received. Packets leave unredacted; only root and the daemon's own user may have them, not
everyone who may use the control socket.
"""

import asyncio
import json
import os
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from ami.errors import AmiError
from offrecord import __version__
from offrecord.ami_capture.collect import RECORDS, is_relevant
from offrecord.assembly.service import DaemonService
from offrecord.base.errors import Exit, UserError
from offrecord.status.event_feed import Listener
from offrecord.status.view_types import to_json

MAX_BEHIND: Final = 16 * 1024 * 1024
"""Bytes queued for a client above which the capture fails."""

LISTING_TIMEOUT: Final = 5.0
"""Seconds for the PBX to list its calls."""

KEEPALIVE: Final = 15.0
"""Seconds without a packet after which an `alive` reply is sent."""


class PacketQueue:
    """Queues the packets of one link for one client. `limit`: bytes."""

    def __init__(self, limit: int = MAX_BEHIND) -> None:
        self._limit = limit
        self._waiting: deque[tuple[float, str, bytes]] = deque()
        self._size = 0
        self.left_out: Counter[str] = Counter()
        self.overrun = False
        self.more = asyncio.Event()

    def __call__(self, mark: str, packet: bytes) -> None:
        """Queue one packet with the current time, or count it in `left_out`."""
        if self.overrun:
            return
        if not is_relevant(mark, packet):
            self.left_out[packet[7 : packet.find(b"\r\n")].decode("ascii", "replace")] += 1
            return
        self.put(time.time(), mark, packet)

    def put(self, at: float, mark: str, packet: bytes) -> None:
        """Queue one item. `at`: seconds since the epoch."""
        self._size += len(packet)
        self.overrun = self._size > self._limit
        self._waiting.append((at, mark, packet))
        self.more.set()

    def take(self) -> list[tuple[float, str, str]]:
        """Empty the queue and return its items as JSON values: time, mark and packet."""
        found = [(at, mark, packet.decode("latin-1")) for at, mark, packet in self._waiting]
        self._waiting.clear()
        self._size = 0
        self.more.clear()
        return found


async def serve_capture(
    service: DaemonService, request: Mapping[str, Any]
) -> AsyncIterator[Mapping[str, object]]:
    """Serve the operation `record` of the control socket until the client disconnects.

    The first reply has `asterisk`, `offrecord` and `hints`. Then come `packets` (time, mark and
    text of each; with mark `!` the text is a journal record), once `view` (MixMonitors by uniqueid,
    after a listing), `left_out` and `alive`. Raises UserError.
    """
    if request["peer"]["uid"] not in {0, os.geteuid()}:
        raise UserError(
            "only root and the daemon's own user may record: packets come to them unredacted",
            "use sudo",
            Exit.DENIED,
        )
    pbx, queue = service.components.pbx, PacketQueue()
    yield {
        "offrecord": __version__,
        "asterisk": ".".join(map(str, pbx.version)),
        "hints": dict(pbx.graph.rules.hints),
    }
    with service.feed.listen() as records:
        pbx.link.packet_listeners.append(queue)
        queueing = asyncio.create_task(_queue_records(records, queue), name="record-journal")
        try:
            for name in ("CoreShowChannels", "BridgeList"):
                await pbx.link.action_list(name, timeout=LISTING_TIMEOUT)
            yield {"packets": queue.take()}
            yield {"view": _monitors(service)}
            async for reply in _replies(queue):
                yield reply
        except AmiError as problem:
            raise UserError(
                f"the PBX's calls cannot be listed: {problem.message}", problem.fix,
                Exit.PBX_UNREACHABLE,
            ) from problem  # fmt: skip
        finally:
            pbx.link.packet_listeners.remove(queue)
            queueing.cancel()
            await asyncio.gather(queueing, return_exceptions=True)


async def _replies(queue: PacketQueue) -> AsyncIterator[Mapping[str, object]]:
    while True:
        try:
            # not `wait_for`: on Python 3.11 it swallows a cancellation that comes with a packet
            async with asyncio.timeout(KEEPALIVE):
                await queue.more.wait()
        except TimeoutError:
            yield {"alive": True}
            continue
        if queue.overrun:
            what = "the capture does not keep up with the PBX"
            raise UserError(what, "capture a shorter time", Exit.INTERNAL)
        if queue.left_out:
            counts, queue.left_out = queue.left_out, Counter()
            yield {"left_out": dict(counts)}
        yield {"packets": queue.take()}


async def _queue_records(records: Listener, queue: PacketQueue) -> None:
    """Queue the journal records that are kept, each with its own time."""
    async for one in records:
        if one.kind in RECORDS:
            queue.put(one.at / 1000, "!", json.dumps(to_json(one)).encode())


def _monitors(service: DaemonService) -> dict[str, int | None]:
    """Return the number of MixMonitors by uniqueid; None where it is not known."""
    calls = service.components.pbx.graph.calls()
    return {channel.uniqueid: channel.monitors for call in calls for channel in call.channels}
