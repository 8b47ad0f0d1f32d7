# SPDX-License-Identifier: Apache-2.0
"""The daemon of a fault run, whose journal is on a disk of its own that can be filled."""

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.daemon import DaemonProcess

_ROOM: Final = 768 * 1024 * 1024
_PAGE: Final = 4096


@dataclass(slots=True)
class Disk:
    """A disk for one file. As root it is a tmpfs that shrinks to what is used: then it is full.

    For others the daemon itself may write no file beyond a size (RLIMIT_FSIZE).
    """

    path: Path
    mounted: bool = False

    def make(self) -> None:
        """Make it."""
        self.path.mkdir()
        if os.geteuid() == 0:
            words = ["mount", "-t", "tmpfs", "-o", f"size={_ROOM}", "tmpfs", str(self.path)]
            self.mounted = subprocess.run(words, check=False, capture_output=True).returncode == 0

    def fill(self, pid: int | None) -> None:
        """Leave no room on it."""
        if self.mounted:
            # The daemon may write between the look and the change: less than is used is refused.
            while not self._resized(self._used()):
                pass
        elif pid is not None:
            self._limit(pid, _PAGE)

    def clear(self, pid: int | None) -> None:
        """Give it room again."""
        if self.mounted:
            assert self._resized(_ROOM)
        elif pid is not None:
            self._limit(pid, resource.RLIM_INFINITY)

    def remove(self) -> None:
        """Take it away; what is on it is lost."""
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.path)], check=False, capture_output=True)

    def _used(self) -> int:
        found = os.statvfs(self.path)
        return (found.f_blocks - found.f_bfree) * found.f_frsize

    def _resized(self, size: int) -> bool:
        words = ["mount", "-o", f"remount,size={max(size, _PAGE)}", str(self.path)]
        return subprocess.run(words, check=False, capture_output=True).returncode == 0

    @staticmethod
    def _limit(pid: int, size: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@dataclass(slots=True)
class FaultDaemon(DaemonProcess):
    """A daemon whose log goes through a pipe: the limit on its files must not fall on the log."""

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self.folder / "disk" / "journal.sqlite3"

    @property
    def pid(self) -> int | None:
        """The process, None when there is none."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if self._process is not None and running else None

    async def kill(self) -> None:
        """End it with -9."""
        await self.stop(signal.SIGKILL)

    async def _spawn(self, notify: Path) -> None:
        out, into = os.pipe()
        try:
            with self.log.open("ab") as log:
                await asyncio.create_subprocess_exec("cat", stdin=out, stdout=log)
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "offrecord", "run", "--config", str(self.config),
                env={**os.environ, "NOTIFY_SOCKET": str(notify), **self.environment},
                stdout=into, stderr=into,
            )  # fmt: skip
        finally:
            os.close(out)
            os.close(into)
