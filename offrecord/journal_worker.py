# SPDX-License-Identifier: Apache-2.0
"""The journal's one writer: a thread that commits in groups, so that the event loop stays free.

While one commit waits for the disk, records queue up; the next commit takes them all. Ten rows
in a commit cost the same as one. A record that could not be written is kept in memory, in order,
and written when the disk is back.
"""

import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from offrecord.journal_file import JournalError, open_writer, unusable

MAX_WAITING: Final = 10_000
"""Records kept in memory while the disk is away; further ones are refused."""

_GROUP: Final = 256

_log = logging.getLogger(__name__)


class Row(NamedTuple):
    """One record as it is stored: `at` is milliseconds since the epoch, `body` is JSON."""

    press: str
    at: int
    kind: str
    body: str


Done = Callable[[int | JournalError], None]
"""Called once, with the record's number or with why it has none yet."""

Post = Callable[[Callable[[], None]], None]
"""Runs a function elsewhere, such as on an event loop; called from the writer's thread."""


@dataclass(slots=True)
class _Job:
    row: Row
    done: Done | None


class Worker:
    """Writes rows to the journal at `path` from a thread of its own, in the order given.

    `busy` is how many seconds a lock of another program is waited for, `retry` how many pass
    between two attempts while the disk is away. `post` runs all the news of one group at once,
    because waking an event loop for each record would cost more than the record.
    """

    def __init__(self, path: Path, *, busy: float, retry: float, post: Post) -> None:
        self._path = path
        self._busy = busy
        self._retry = retry
        self._post = post
        self._jobs: deque[_Job] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._db: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None  # of the open file
        self._unsure: tuple[int, int] | None = None  # first number and count of a doubtful commit
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self.trouble: JournalError | None = None
        """Why the last attempt to write failed; None while all is well."""

    @property
    def waiting(self) -> int:
        """How many records are in memory and not on the disk yet."""
        return len(self._jobs)

    def start(self) -> None:
        """Open the journal, then start the thread. Raises `JournalError`; it runs all the same.

        The thread goes on trying, so a daemon may choose to work with an alarm instead.
        """
        try:
            self._open()
        except JournalError as error:
            self.trouble = error
            raise
        finally:
            self._thread.start()

    def put(self, row: Row, done: Done) -> None:
        """Queue a row; `done` hears of it. Raises `JournalError` when too much is queued."""
        with self._wake:
            if self._closing:
                raise JournalError("the journal is closed", "this daemon is shutting down")
            if len(self._jobs) >= MAX_WAITING:
                raise JournalError(
                    f"{MAX_WAITING} records wait for the journal {self._path}",
                    "check the disk; what comes now is lost",
                )
            self._jobs.append(_Job(row, done))
            self._wake.notify()

    def close(self, timeout: float) -> int:
        """Write what is queued, stop, and return how many records never reached the disk.

        Waits at most `timeout` seconds, also for a disk that hangs.
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
        first, count = self._write([job.row for job in jobs])
        written = [self._jobs.popleft() for _ in range(count)]
        self._tell([(job, number) for number, job in enumerate(written, first)])

    def _failed(self, error: JournalError) -> None:
        """Tell everyone who waits; the rows stay queued and are tried again."""
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

    def _write(self, rows: list[Row]) -> tuple[int, int]:
        """Commit rows; return the number of the first and how many. Raises `JournalError`."""
        try:
            db = self._open()
            settled = self._settle(db, rows)
            if settled or not rows:
                return settled or (0, 0)
            db.execute("BEGIN IMMEDIATE")
            first = int(db.execute("SELECT coalesce(max(seq), 0) + 1 FROM records").fetchone()[0])
            db.executemany(
                "INSERT INTO records (seq, press, at, kind, body) VALUES (?, ?, ?, ?, ?)",
                [(seq, *row) for seq, row in enumerate(rows, first)],
            )
            self._unsure = (first, len(rows))
            db.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            self._drop()
            raise unusable(self._path, error) from error
        self._unsure = None
        return first, len(rows)

    def _settle(self, db: sqlite3.Connection, rows: list[Row]) -> tuple[int, int] | None:
        """After a commit that ended in an error: find out whether its rows are there all the same.

        A failed sync says nothing about what the file holds; writing the rows again could double
        them.
        """
        if self._unsure is None:
            return None
        (first, count), self._unsure = self._unsure, None
        there = db.execute(
            "SELECT press, at, kind, body FROM records WHERE seq >= ? AND seq < ? ORDER BY seq",
            (first, first + count),
        ).fetchall()
        return (first, count) if there == rows[:count] else None

    def _open(self) -> sqlite3.Connection:
        """Return the open file; anew when it was moved or deleted under us, or failed before.

        Without this look at the path, records would go on into a file that nobody can find.
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
