# SPDX-License-Identifier: Apache-2.0
"""A second AMI session on an Asterisk, independent of the daemon's own link.

The demo and the live tests check the daemon by it: it shares no code with the daemon. It keeps the
raw stream, from which recorded fixtures are made.
"""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from lab.patience import patience

Packet = dict[str, str]


@dataclass(slots=True)
class SecondAmi:
    """One AMI session as the account `lab`.

    `events` holds every event with the monotonic time it came at; `raw` every byte read.
    """

    port: int
    username: str = "lab"
    secret: str = "lab"  # noqa: S105 - the laboratory's own account on loopback
    events: list[tuple[float, Packet]] = field(default_factory=list)
    raw: bytearray = field(default_factory=bytearray)
    _writer: asyncio.StreamWriter | None = None
    _task: asyncio.Task[None] | None = None
    _answers: dict[str, asyncio.Future[Packet]] = field(default_factory=dict)
    _ids: "itertools.count[int]" = field(default_factory=itertools.count)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def __aenter__(self) -> Self:
        reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)
        await reader.readline()
        self._task = asyncio.create_task(self._read(reader), name="lab-tap")
        answer = await self.action("Login", Username=self.username, Secret=self.secret)
        if answer.get("Response") != "Success":
            raise PermissionError(f"the lab account was refused: {answer}")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()

    async def action(self, name: str, **fields: str | list[str]) -> Packet:
        """Send one action and return its first answer. Raises `TimeoutError`."""
        ident = f"tap-{next(self._ids)}"
        lines = [f"Action: {name}", f"ActionID: {ident}"]
        for key, value in fields.items():
            lines += [f"{key}: {one}" for one in (value if isinstance(value, list) else [value])]
        future = asyncio.get_running_loop().create_future()
        self._answers[ident] = future
        assert self._writer is not None
        self._writer.write("\r\n".join([*lines, "", ""]).encode())
        return await asyncio.wait_for(future, patience())

    async def wait_for(
        self, wanted: Callable[[Packet], bool], *, since: int = 0
    ) -> tuple[float, Packet]:
        """Return the first event, from number `since` on, that `wanted` says yes to.

        Raises `TimeoutError`.
        """
        seen = since
        async with asyncio.timeout(patience()):
            while True:
                while seen < len(self.events):
                    if wanted(self.events[seen][1]):
                        return self.events[seen]
                    seen += 1
                self._news.clear()
                await self._news.wait()

    def named(self, name: str, **fields: str) -> list[Packet]:
        """Return the events of one name so far whose fields have these values."""
        return [
            packet
            for _, packet in self.events
            if packet.get("Event") == name
            and all(packet.get(key) == value for key, value in fields.items())
        ]

    async def channels(self) -> list[Packet]:
        """Return a row for each live channel, from `CoreShowChannels`."""
        start = len(self.events)
        await self.action("CoreShowChannels")
        await self.wait_for(lambda p: p.get("Event") == "CoreShowChannelsComplete", since=start)
        return [p for _, p in self.events[start:] if p.get("Event") == "CoreShowChannel"]

    async def _read(self, reader: asyncio.StreamReader) -> None:
        pending = b""
        while chunk := await reader.read(65536):
            now = time.monotonic()
            self.raw += chunk
            pending += chunk
            *packets, pending = pending.split(b"\r\n\r\n")
            for packet in packets:
                self._take(now, packet)
            self._news.set()

    def _take(self, now: float, packet: bytes) -> None:
        fields: Packet = {}
        for line in packet.decode("utf-8", "replace").split("\r\n"):
            key, _, value = line.partition(": ")
            fields[key.rstrip(":")] = f"{fields[key]}\n{value}" if key in fields else value
        future = self._answers.pop(fields.get("ActionID", ""), None)
        if "Event" in fields:
            self.events.append((now, fields))
            if future is not None:
                self._answers[fields["ActionID"]] = future
        elif future is not None and not future.done():
            future.set_result(fields)
