# SPDX-License-Identifier: Apache-2.0
"""The daemon's side of a recording: what goes over its own AMI link, told to one client.

The daemon's link is the better place than a login beside it: the order in which the daemon sent
and heard is the order it decided by. Packets leave unredacted, so only root and the daemon's own
user get them; whoever else may use the control socket may not.
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
from offrecord.ami_capture.collect import NEWS, of_use
from offrecord.assembly.service import DaemonService
from offrecord.base.errors import Exit, UserError
from offrecord.status.event_feed import Listener

BEHIND: Final = 16 * 1024 * 1024
"""Bytes that a client may be behind before it is given up."""

LISTING: Final = 5.0
"""Seconds that the PBX has to list its calls."""

ALIVE: Final = 15.0
"""Seconds after which a client is told that nothing happened."""


class Tapped:
    """Packets of one link that wait for one client. `limit` is in bytes."""

    def __init__(self, limit: int = BEHIND) -> None:
        self._limit = limit
        self._waiting: deque[tuple[float, str, bytes]] = deque()
        self._size = 0
        self.left_out: Counter[str] = Counter()
        self.overrun = False
        self.more = asyncio.Event()

    def __call__(self, mark: str, packet: bytes) -> None:
        """Take note of one packet."""
        if self.overrun:
            return
        if not of_use(mark, packet):
            self.left_out[packet[7 : packet.find(b"\r\n")].decode("ascii", "replace")] += 1
            return
        self.note(time.time(), mark, packet)

    def note(self, at: float, mark: str, packet: bytes) -> None:
        """Have something told; `at` is seconds since the epoch."""
        self._size += len(packet)
        self.overrun = self._size > self._limit
        self._waiting.append((at, mark, packet))
        self.more.set()

    def take(self) -> list[tuple[float, str, str]]:
        """Return what waits: time, mark and packet of each, as JSON holds them."""
        found = [(at, mark, packet.decode("latin-1")) for at, mark, packet in self._waiting]
        self._waiting.clear()
        self._size = 0
        self.more.clear()
        return found


async def tapped(
    inside: DaemonService, request: Mapping[str, Any]
) -> AsyncIterator[Mapping[str, object]]:
    """Serve the operation `record` of the control socket, until the client leaves.

    The first reply holds `asterisk`, `offrecord` and `hints`; then come `packets` (each its time,
    mark and text; marked `!` it is a record of the journal), once `view` (MixMonitors by uniqueid,
    after a listing), `left_out` and `alive`. Raises `UserError`.
    """
    if request["peer"]["uid"] not in {0, os.geteuid()}:
        raise UserError(
            "only root and the daemon's own user may record: packets come to them unredacted",
            "use sudo",
            Exit.DENIED,
        )
    pbx, tap = inside.parts.pbx, Tapped()
    yield {
        "offrecord": __version__,
        "asterisk": ".".join(map(str, pbx.version)),
        "hints": dict(pbx.graph.rules.hints),
    }
    with inside.feed.listen() as news:
        pbx.link.packet_listeners.append(tap)
        hearing = asyncio.create_task(_hear(news, tap), name="record-news")
        try:
            for name in ("CoreShowChannels", "BridgeList"):
                await pbx.link.action_list(name, timeout=LISTING)
            yield {"packets": tap.take()}
            yield {"view": _view(inside)}
            async for reply in _replies(tap):
                yield reply
        except AmiError as problem:
            raise UserError(
                f"the PBX's calls cannot be listed: {problem.message}", problem.fix,
                Exit.PBX_UNREACHABLE,
            ) from problem  # fmt: skip
        finally:
            pbx.link.packet_listeners.remove(tap)
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)


async def _replies(tap: Tapped) -> AsyncIterator[Mapping[str, object]]:
    while True:
        try:
            # not `wait_for`: on Python 3.11 it swallows a cancellation that comes with a packet
            async with asyncio.timeout(ALIVE):
                await tap.more.wait()
        except TimeoutError:
            yield {"alive": True}
            continue
        if tap.overrun:
            what = "the recording does not keep up with the PBX"
            raise UserError(what, "record a shorter time", Exit.INTERNAL)
        if tap.left_out:
            counts, tap.left_out = tap.left_out, Counter()
            yield {"left_out": dict(counts)}
        yield {"packets": tap.take()}


async def _hear(news: Listener, tap: Tapped) -> None:
    """Put the records of the journal that are kept among the packets, at their own time."""
    async for one in news:
        if one.kind in NEWS:
            tap.note(one.at / 1000, "!", json.dumps(one.as_json()).encode())


def _view(inside: DaemonService) -> dict[str, int | None]:
    """Return the MixMonitors by uniqueid, as they are known now."""
    calls = inside.parts.pbx.graph.calls()
    return {channel.uniqueid: channel.monitors for call in calls for channel in call.channels}
