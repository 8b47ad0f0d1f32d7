# SPDX-License-Identifier: Apache-2.0
"""Write records to the journal, then publish them to those that only listen."""

import asyncio
from collections.abc import Callable, Mapping

import structlog

from offrecord.journal import JournalError
from offrecord.journal.journal import Journal, Record
from offrecord.model.press import now_ms

WriteRecord = Callable[[str, str, Mapping[str, object]], "asyncio.Future[bool]"]
"""Writes a record: the press's id, the kind, the body. See `Records.write`."""

_log = structlog.stdlib.get_logger(__name__)


class Records:
    """The records of one daemon on their way to the journal.

    `publish` is called with each record once the journal has it in its queue; it must not raise.
    `now` returns milliseconds since the epoch, UTC.
    """

    def __init__(
        self,
        journal: Journal,
        publish: Callable[[Record], object] = lambda _record: None,
        now: Callable[[], int] = now_ms,
    ) -> None:
        self.journal = journal
        self.failures = 0
        """Records that did not reach the disk in time."""
        self._publish = publish
        self._now = now
        self._pending: set[asyncio.Future[bool]] = set()

    def write(self, press: str, kind: str, body: Mapping[str, object]) -> "asyncio.Future[bool]":
        """Queue a record; return a future with whether it reached the disk. Nobody has to wait.

        Records reach the journal in the order of these calls. A journal that is broken raises
        nothing here, because it must not prevent a stop: it is counted and logged as critical.
        """
        record = Record(press, kind, body, self._now())
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        try:
            written = self.journal.write(record)
        except (JournalError, TypeError, ValueError) as problem:
            self._failed(kind, problem)
            stored.set_result(False)
        else:
            self._pending.add(stored)
            written.add_done_callback(lambda done: self._written(kind, stored, done))
        self._publish(record)
        return stored

    async def flush(self) -> None:
        """Wait until the journal has answered for every record, well or not."""
        while self._pending:
            await asyncio.wait([*self._pending])

    def _written(
        self, kind: str, stored: "asyncio.Future[bool]", done: "asyncio.Future[int]"
    ) -> None:
        self._pending.discard(stored)
        problem = done.exception()
        if problem is not None:
            self._failed(kind, problem)
        if not stored.done():
            stored.set_result(problem is None)

    def _failed(self, kind: str, problem: BaseException) -> None:
        self.failures += 1
        _log.critical("journal_not_written", kind=kind, problem=str(problem))
