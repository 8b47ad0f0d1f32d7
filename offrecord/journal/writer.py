# SPDX-License-Identifier: Apache-2.0
"""The journal's only writer: a thread that commits records in groups and retries after failures.

While one commit waits for the disk, records queue up; the next commit takes them all. Ten rows
in a commit cost the same as one. A record that could not be written stays in the queue, in order,
and is written when the disk works again.
"""

import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from offrecord.journal.hash_chain import Link, Row, append
from offrecord.journal.opening import open_writer
from offrecord.journal.schema import JournalError, unusable

MAX_WAITING: Final = 10_000
"""Records kept in memory while the disk does not take them; further ones are refused."""

_GROUP: Final = 256
"""Records of one commit."""

_log = logging.getLogger(__name__)


Done = Callable[[int | JournalError], None]
"""Called once, with the record's number, or with the reason why it is not written yet."""

Copy = Callable[[Sequence[Link]], None]
"""Called with the records that the disk has, from the writer's thread; must not block."""

Post = Callable[[Callable[[], None]], None]
"""Runs a function in another thread, such as an event loop's; called from the writer's."""


@dataclass(slots=True)
class _Job:
    row: Row
    done: Done | None


class Worker:
    """Writes rows to the journal at `path` in a thread of its own, in the order of `put`.

    busy: seconds to wait for another program's lock.
    retry: seconds between two attempts after a failure.
    post: runs the callbacks of one commit, all in one call: to wake an event loop for each record
        would cost more than the record.
    copy: is called with the records of each commit.
    """

    def __init__(
        self, path: Path, *, busy: float, retry: float, post: Post, copy: Copy | None = None
    ) -> None:
        self._path = path
        self._busy = busy
        self._retry = retry
        self._post = post
        self._copy = copy
        self._jobs: deque[_Job] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._db: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None  # of the open file
        self._unsure: list[Link] = []  # records of a commit whose result is unknown
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self.trouble: JournalError | None = None
        """Reason why the last attempt to write failed; None if it succeeded."""

    @property
    def waiting(self) -> int:
        """Number of records in memory and not yet on the disk."""
        return len(self._jobs)

    def start(self) -> None:
        """Open the journal and start the thread.

        Raises `JournalError` if the journal cannot be opened. The thread runs nevertheless and
        retries, for a daemon that continues with an alarm.
        """
        try:
            self._open()
        except JournalError as error:
            self.trouble = error
            raise
        finally:
            self._thread.start()

    def put(self, row: Row, done: Done) -> None:
        """Queue a row; call `done` with the result. Raises `JournalError` if the queue is full."""
        with self._wake:
            if self._closing:
                raise JournalError("the journal is closed", "this daemon is shutting down")
            if len(self._jobs) >= MAX_WAITING:
                raise JournalError(
                    f"{MAX_WAITING} records wait for the journal {self._path}",
                    "check the disk; further records are lost",
                )
            self._jobs.append(_Job(row, done))
            self._wake.notify()

    def close(self, timeout: float) -> int:
        """Write the queued rows and stop; return how many records did not reach the disk.

        Waits at most `timeout` seconds, even if the disk hangs.
        """
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(timeout)
        return len(self._jobs)

    def _run(self) -> None:
        going = True
        while going:
            with self._wake:
                new = len(self._jobs) + 1 if self.trouble else 1
                self._wake.wait_for(
                    lambda new=new: self._closing or len(self._jobs) >= new,  # type: ignore[misc]
                    self._retry if self.trouble else None,
                )
                closing = self._closing
            try:
                self._commit()
            except JournalError as error:
                self._failed(error)
                going = not closing
            else:
                self.trouble = None
                going = not closing or bool(self._jobs)
        self._drop()

    def _commit(self) -> None:
        """Write one group from the head of the queue. Raises `JournalError`."""
        jobs = list(islice(self._jobs, _GROUP))
        links = self._write([job.row for job in jobs])
        written = [self._jobs.popleft() for _ in links]
        self._tell([(job, link.seq) for job, link in zip(written, links, strict=True)])
        if links and self._copy is not None:
            self._copy(links)

    def _failed(self, error: JournalError) -> None:
        """Report the error to all callers that wait; the rows stay queued for the next attempt."""
        if self.trouble is None:
            _log.error("journal cannot be written: %s", error)
        self.trouble = error
        with self._wake:
            waiting = list(self._jobs)
        self._tell([(job, error) for job in waiting])

    def _tell(self, news: Sequence[tuple[_Job, int | JournalError]]) -> None:
        calls = [(job.done, result) for job, result in news if job.done]
        for job, _ in news:
            job.done = None

        def tell() -> None:
            for done, result in calls:
                done(result)

        if calls:
            self._post(tell)

    def _write(self, rows: list[Row]) -> list[Link]:
        """Commit rows; return the records as stored. Raises `JournalError`.

        Rows are chained here and not in `put`: after a failure, the previous record is known only
        now.
        """
        try:
            db = self._open()
            settled = self._settle(db)
            if settled or not rows:
                return settled
            db.execute("BEGIN IMMEDIATE")
            links = append(db, rows)
            self._unsure = links
            db.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            self._drop()
            raise unusable(self._path, error) from error
        self._unsure = []
        return links

    def _settle(self, db: sqlite3.Connection) -> list[Link]:
        """Return the records of the last failed commit if they are in the file nevertheless.

        A failed sync says nothing about the contents of the file; writing the rows again could
        duplicate them. The hash identifies the record.
        """
        if not self._unsure:
            return []
        unsure, self._unsure = self._unsure, []
        there = db.execute("SELECT hash FROM records WHERE seq = ?", (unsure[0].seq,)).fetchone()
        return unsure if there == (unsure[0].hash,) else []

    def _open(self) -> sqlite3.Connection:
        """Return the open file; reopen it after a failure, or if it was moved or deleted.

        Without the check of the path, records would go into a file without a name.
        """
        if self._db is not None and self._seen() == self._inode:
            return self._db
        self._drop()
        self._db = open_writer(self._path, busy=self._busy)
        self._inode = self._seen()
        return self._db

    def _seen(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _drop(self) -> None:
        db, self._db = self._db, None
        if db is None:
            return
        try:
            db.close()
        except sqlite3.Error as error:
            _log.warning("journal file did not close cleanly: %s", error)
