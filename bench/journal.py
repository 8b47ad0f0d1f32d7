# SPDX-License-Identifier: Apache-2.0
"""The journal against its rival: one commit a row in a thread pool, on the same disk, in one run.

The rival is plain `sqlite3` with the same settings (WAL, synchronous=FULL), each row a
transaction of its own, sent through `asyncio.to_thread` to one connection behind a lock; that is
what a straightforward asynchronous wrapper does. Three measures, rounds of both interleaved:

- one: a press at a time, from the call to its return (synced);
- burst: 50 rows at once, until the last is synced;
- loop: how late the event loop gets to a timer of 1 ms while 20 rows come at once every 20 ms.

Times in milliseconds. Run from the repository's root: `python -m bench.journal [FOLDER]`, with a
folder on the disk that counts. About 10 s.
"""

import asyncio
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from offrecord.journal.journal import Journal, Record

ROUNDS = 5
SINGLES = 100
BURSTS = 10
BURST = 50
PACED = 20

Write = Callable[[int], Awaitable[object]]

BODY = {
    "verb": "stop",
    "way": "fastagi",
    "target": "1700000000.7",
    "uniqueid": "1700000000.7",
    "channel": "PJSIP/410-00000002",
    "agent": "s.tanaka",
}


class Rival:
    """A commit for each row, in a thread of the pool."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute(
            "CREATE TABLE records (seq INTEGER PRIMARY KEY, press TEXT, at INTEGER,"
            " kind TEXT, body TEXT)"
        )
        self._db.execute("CREATE INDEX records_of_press ON records (press, seq)")
        self._lock = threading.Lock()

    def _insert(self, record: Record) -> None:
        row = record.row()
        with self._lock:
            self._db.execute(
                "INSERT INTO records (press, at, kind, body) VALUES (?, ?, ?, ?)",
                (row.press, row.at, row.kind, row.body),
            )

    async def write(self, record: Record) -> None:
        """Insert one row in a thread of the pool."""
        await asyncio.to_thread(self._insert, record)

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def record(number: int) -> Record:
    """Return a record like those of a real press."""
    return Record(f"press{number:09}", "pressed", BODY, 1_700_000_000_000 + number)


async def one(write: Write) -> list[float]:
    """Time presses one at a time."""
    took = []
    for number in range(SINGLES):
        begun = time.perf_counter()
        await write(number)
        took.append((time.perf_counter() - begun) * 1000)
    return took


async def burst(write: Write) -> list[float]:
    """Time bursts, each until its last row is synced."""
    took = []
    for _ in range(BURSTS):
        begun = time.perf_counter()
        await asyncio.gather(*(write(number) for number in range(BURST)))
        took.append((time.perf_counter() - begun) * 1000)
    return took


async def lateness(write: Write) -> list[float]:
    """Return how late a timer of 1 ms was, each time, under the same paced load."""
    late: list[float] = []

    async def watch() -> None:
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(0.001)
            late.append((time.perf_counter() - begun - 0.001) * 1000)

    watching = asyncio.create_task(watch())
    writing: list[asyncio.Future[list[object]]] = []
    for _ in range(BURSTS):
        writing.append(asyncio.gather(*(write(number) for number in range(PACED))))
        await asyncio.sleep(0.02)
    await asyncio.gather(*writing)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    return late


async def run(folder: Path) -> None:
    """Run all measures and print them."""
    rival = Rival(folder / "rival.sqlite3")
    async with Journal(folder / "journal.sqlite3", timeout=30) as journal:
        ways: dict[str, Write] = {
            "journal": lambda number: journal.write(record(number)),
            "rival": lambda number: rival.write(record(number)),
        }
        measures = {"one": one, "burst": burst, "loop": lateness}
        found: dict[tuple[str, str], list[float]] = {}
        for turn in range(ROUNDS + 1):
            for what, measure in measures.items():
                for name, write in ways.items():
                    took = await measure(write)
                    if turn:  # the first round warms both up
                        found.setdefault((what, name), []).extend(took)
    rival.close()
    print(f"{'ms':8}{'p50':>20}{'p99':>20}")
    for what in measures:
        cells = [f"{what:8}"]
        for share in (50, 99):
            mine, theirs = (quantile(found[what, name], share) for name in ways)
            cells.append(f"{mine:8.2f} / {theirs:8.2f} ")
        print(" ".join(cells))
    print("journal / rival")


def quantile(values: list[float], share: int) -> float:
    """Return a percentile."""
    return statistics.quantiles(values, n=100)[share - 1]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as made:
        asyncio.run(run(Path(made)))
