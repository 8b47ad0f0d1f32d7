# SPDX-License-Identifier: Apache-2.0
"""A TCP relay on loopback whose connections can be cut, and allowed again."""

import asyncio
import contextlib
from collections.abc import Coroutine
from types import TracebackType
from typing import Self

End = tuple[asyncio.StreamReader, asyncio.StreamWriter]
"""One end of a connection."""


class CuttableLink:
    """Relays connections to a port of loopback; `cut` ends them all and refuses new ones."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> Self:
        """Listen on a free port."""
        await self.mend()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Cut and stay cut."""
        await self.cut()

    async def mend(self) -> None:
        """Accept connections, on the same port as before."""
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """End every connection at once, and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for end in self._ends:
            end.transport.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._ends.clear()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._ends.add(writer)
        with contextlib.suppress(ConnectionError):
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
            self._ends.add(back)
            for job in self._directions((reader, writer), (there, back)):
                task = asyncio.create_task(job, name="link")
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def _directions(self, client: End, target: End) -> tuple[Coroutine[None, None, None], ...]:
        """Return what relays each direction of one connection: to the target, and back."""
        return self._pump(client[0], target[1]), self._pump(target[0], client[1])

    @staticmethod
    async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        sink.close()
