# SPDX-License-Identifier: Apache-2.0
"""The journal: what was pressed, asked, answered and proven, synced to disk as it happens.

Records are only ever added. Those of one press share its id; `kind` says what happened:

=============  ==================================================================================
`pressed`      the press as it came in (`Press.body()`); written before anything is sent
`joined`       another sighting of a press, under an id of its own; `of` is that of the first
`resolved`     the call: `call` (linkedid), `lineage`, `agent`, `channels` (`channel`, `uniqueid`)
`answered`     what it made of it: `recorder`, `kind`, `outcome`, `evidence`, `detail`, `steps`
`verdict`      what the person is told: `outcome`, `evidence`, `text`, `took_ms`; the last counts
=============  ==================================================================================

Other kinds may be added; readers show what they do not know as it is. Two of them are about the
journal itself and name no press: `migrated` and `sealed`, see `offrecord.audit`.

Each record holds the hash of the one before it: see `offrecord.journal.hash_chain`.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from offrecord.journal.hash_chain import Row
from offrecord.journal.reader import PressSummary, StoredRecord, presses, show
from offrecord.journal.schema import JournalError
from offrecord.journal.writer import Copy, Worker

__all__ = [
    "Journal",
    "JournalError",
    "PressSummary",
    "Record",
    "StoredRecord",
    "presses",
    "show",
]

DEFAULT_TIMEOUT: Final = 1.0


def utc_ms() -> int:
    """Return the time in milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000


def utc_offset() -> int:
    """Return how many seconds the host's clock on the wall is ahead of UTC now."""
    return time.localtime().tm_gmtoff


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that happened to one press. `at` is milliseconds since the epoch, UTC.

    `body` holds what JSON holds. It is stored as it is: secrets do not belong in it.
    """

    press: str
    kind: str
    body: Mapping[str, Any]
    at: int

    def row(self) -> Row:
        """Return the record as it is stored. Raises TypeError or ValueError for what JSON lacks."""
        body = json.dumps(self.body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        # Asterisk passes bytes on that are no UTF-8; they arrive as lone surrogates, which SQLite
        # cannot store.
        clean = body.encode("utf-8", "backslashreplace").decode()
        return Row(self.press, self.at, utc_offset(), self.kind, clean)


class Journal:
    """The daemon's side of the journal at `path`.

    In seconds: `write` waits `timeout` for the disk, `close` waits `grace`, and `retry` passes
    between two attempts while the disk is away. `copy` hears of each record once the disk has it,
    in the writer's thread, which it must not hold up. Use it in an `async with`, or `open` and
    `close` it.
    """

    def __init__(
        self,
        path: Path,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        grace: float = 2.0,
        retry: float = 1.0,
        copy: Copy | None = None,
    ) -> None:
        self.path = path
        self._timeout = timeout
        self._grace = grace
        # A lock is waited for less than the caller waits, so that the cause can be told.
        self._worker = Worker(path, busy=timeout / 2, retry=retry, post=self._post, copy=copy)
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Self:
        """Open."""
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()

    @property
    def trouble(self) -> JournalError | None:
        """Why records do not reach the disk at present; None while they do."""
        return self._worker.trouble

    @property
    def waiting(self) -> int:
        """How many records are in memory and not on the disk yet."""
        return self._worker.waiting

    async def open(self) -> None:
        """Open the file and start the writer.

        Raises `JournalError` when the file cannot be used. The writer runs all the same and goes
        on trying: whoever carries on must `close` it too.
        """
        self._loop = asyncio.get_running_loop()
        await asyncio.to_thread(self._worker.start)

    async def write(self, record: Record) -> int:
        """Append a record; return its number once the disk has it.

        Raises `JournalError` after `timeout` seconds at the latest. The record is then kept in
        memory and written when the disk is back; it must not be written again. Records reach the
        file in the order of these calls. Cancelling leaves the record queued.
        """
        loop = asyncio.get_running_loop()
        written: asyncio.Future[int] = loop.create_future()

        def settle(result: int | JournalError) -> None:
            if written.done():
                return  # the caller has gone: timed out, or cancelled
            if isinstance(result, JournalError):
                written.set_exception(result)
            else:
                written.set_result(result)

        self._worker.put(record.row(), settle)
        # A timer of our own: `wait_for` costs as much as all the rest of this call.
        alarm = loop.call_later(self._timeout, settle, self._late())
        try:
            return await written
        finally:
            alarm.cancel()

    def _late(self) -> JournalError:
        return JournalError(
            f"the journal {self.path} did not take a record within {self._timeout:g} s",
            "check the disk; the record is kept in memory until then",
        )

    async def close(self) -> int:
        """Write what is queued and close; return how many records never reached the disk.

        Waits at most the grace time, also for a disk that hangs.
        """
        return await asyncio.to_thread(self._worker.close, self._grace)

    def _post(self, function: Callable[[], None]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function)
