# SPDX-License-Identifier: Apache-2.0
"""The daemon's side of the journal: every step of a press is synced to disk as it happens.

Records are only appended. The records of one press share its id; `kind` says what happened:

=============  ==================================================================================
`pressed`      the press as it came in (`Press.body()`); written before anything is sent
`joined`       another sighting of a press, under an id of its own; `of` is that of the first
`resolved`     the call: `call` (linkedid), `lineage`, `agent`, `channels` (`channel`, `uniqueid`)
`answered`     a recorder's result: `recorder`, `kind`, `outcome`, `evidence`, `detail`, `steps`
`verdict`      what the presser is told: `outcome`, `evidence`, `text`, `took_ms`; the last counts
`taken_back`   a file contradicts the verdict: `outcome`, `evidence`, `text`, `files`
=============  ==================================================================================

There are further kinds, see docs/events.md; readers show unknown ones unchanged. One is about the
journal itself and names no press: `sealed`, see `offrecord.audit`.

Each record holds the hash of the previous one: see `offrecord.journal.hash_chain`.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from offrecord.journal.hash_chain import Row
from offrecord.journal.schema import JournalError
from offrecord.journal.writer import Copy, Worker

DEFAULT_TIMEOUT: Final = 1.0
"""Seconds that `Journal.write` waits for the disk."""


def utc_ms() -> int:
    """Return the time in milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000


def utc_offset() -> int:
    """Return how many seconds the host's local time is ahead of UTC now."""
    return time.localtime().tm_gmtoff


@dataclass(frozen=True, slots=True)
class Record:
    """One step of one press. `at` is milliseconds since the epoch, UTC.

    `body` holds JSON values and is stored unchanged: it must not contain secrets.
    """

    press: str
    kind: str
    body: Mapping[str, Any]
    at: int

    def row(self) -> Row:
        """Return the row to store. Raises TypeError or ValueError if the body is not JSON."""
        body = json.dumps(self.body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        # Bytes from Asterisk that are no UTF-8 arrive as lone surrogates, which SQLite refuses.
        clean = body.encode("utf-8", "backslashreplace").decode()
        return Row(self.press, self.at, utc_offset(), self.kind, clean)


class Journal:
    """Appends records to the journal at `path`; used in an `async with`, or by `open` and `close`.

    timeout: seconds that `write` waits for the disk.
    grace: seconds that `close` waits for the disk.
    retry: seconds between two attempts after the disk failed.
    copy: is called with the records that the disk has, in the writer's thread; must not block.
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
        # Shorter than the caller's own wait, to report the lock as the cause.
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
        """Reason why records do not reach the disk at present; None if they do."""
        return self._worker.trouble

    @property
    def waiting(self) -> int:
        """Number of records in memory and not yet on the disk."""
        return self._worker.waiting

    async def open(self) -> None:
        """Open the file and start the writer.

        Raises `JournalError` if the file cannot be used. The writer runs nevertheless and retries;
        a caller that continues must `close` the journal.
        """
        self._loop = asyncio.get_running_loop()
        await asyncio.to_thread(self._worker.start)

    def write(self, record: Record) -> "asyncio.Future[int]":
        """Queue a record; return a future with its number, done once the disk has it.

        The future fails with `JournalError` after `timeout` seconds at the latest. The record then
        stays queued and is written when the disk works again; the caller must not write it a
        second time. Records reach the file in the order of these calls. Cancelling the future
        leaves the record queued. Raises `JournalError` when the journal is closed or its queue is
        full, TypeError or ValueError for a body that JSON lacks.
        """
        loop = asyncio.get_running_loop()
        written: asyncio.Future[int] = loop.create_future()

        def settle(result: int | JournalError) -> None:
            if written.done():
                return  # the caller timed out or was cancelled
            if isinstance(result, JournalError):
                written.set_exception(result)
            else:
                written.set_result(result)

        self._worker.put(record.row(), settle)
        # `asyncio.wait_for` costs as much as the rest of this call.
        alarm = loop.call_later(self._timeout, settle, self._late())
        written.add_done_callback(lambda _done: alarm.cancel())
        return written

    def _late(self) -> JournalError:
        return JournalError(
            f"the journal {self.path} did not take a record within {self._timeout:g} s",
            "check the disk; the record is kept in memory until then",
        )

    async def close(self) -> int:
        """Write the queued records and close; return how many records did not reach the disk.

        Waits at most the grace time, even if the disk hangs.
        """
        return await asyncio.to_thread(self._worker.close, self._grace)

    def _post(self, function: Callable[[], None]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function)
