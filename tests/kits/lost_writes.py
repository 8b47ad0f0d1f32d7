# SPDX-License-Identifier: Apache-2.0
"""A disk that is full, and a process that dies right after a record was written."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def disk_full() -> Iterator[None]:
    """Let no file of this process grow: what a full disk does, for real."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


WRITE_AND_DIE = """
import asyncio, os, sys, pathlib
from offrecord.journal.journal import Journal, Record
async def main():
    journal = Journal(pathlib.Path(sys.argv[1]))
    await journal.open()
    await journal.write(Record("p1", "pressed", {"number": 1}, 5))
    os.kill(os.getpid(), 9)
asyncio.run(main())
"""
