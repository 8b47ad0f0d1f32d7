# SPDX-License-Identifier: Apache-2.0
"""How fast the machine is just now: what a promise in seconds means while others use it too.

The live tests hold the product to times, such as half a second from a recording's start to its
stop. Those are times of a machine that has nothing else to do. A small process measures all the
while how much longer 10 ms of work take than 10 ms; a limit is that many times longer.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_METER = """
import os, sys, time
parent = os.getppid()
while os.getppid() == parent:
    begun, used = time.perf_counter(), time.process_time()
    while time.process_time() - used < 0.01:
        pass
    print(time.monotonic(), (time.perf_counter() - begun) / 0.01, flush=True)
    time.sleep(0.25)
"""
_WINDOW = 20.0
"""Seconds before now whose slowest moment counts: as long as nearly every live test takes."""

_file: Path | None = None


@contextmanager
def measured() -> Iterator[None]:
    """Measure the machine until the block ends. A block inside another one shares its meter."""
    global _file  # noqa: PLW0603 - one meter a process
    if _file is not None:
        yield
        return
    with tempfile.NamedTemporaryFile(prefix="pace-") as file:
        _file = Path(file.name)
        meter = subprocess.Popen([sys.executable, "-c", _METER], stdout=file)
        try:
            yield
        finally:
            _file = None
            meter.kill()
            meter.wait()


def in_time(seconds: float, since: float | None = None) -> float:
    """Return what a limit of so many seconds is on the machine as it was.

    `since` is a time of the monotonic clock, 20 s ago unless another is given.
    """
    assert _file is not None, "the live tests measure the machine; see tests/live/conftest.py"
    slowest = 1.0
    since = time.monotonic() - _WINDOW if since is None else since
    for line in _file.read_text().splitlines():
        at, times = map(float, line.split())
        if at >= since:
            slowest = max(slowest, times)
    return seconds * slowest
