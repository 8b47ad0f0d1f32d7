# SPDX-License-Identifier: Apache-2.0
"""Watches folders and all folders below them for files that are written to and closed: inotify.

`inotify_simple` reads the kernel's events; here is which folders are watched, new ones included.
Why this library is in docs/decisions/0017.
"""

import asyncio
import errno
import os
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Final

import structlog
from inotify_simple import INotify, flags

MOST_FOLDERS: Final = 10_000
"""Folders that are watched; the ones that changed last come first."""

_MASK: Final = (
    flags.MODIFY | flags.CLOSE_WRITE | flags.CREATE | flags.MOVED_TO | flags.MOVED_FROM
    | flags.DELETE | flags.ONLYDIR | flags.EXCL_UNLINK
)  # fmt: skip

_log = structlog.stdlib.get_logger(__name__)


class Change(Enum):
    """What happened to a file."""

    OPENED = 1
    """It was made, moved here, or found in a new folder."""
    WROTE = 2
    CLOSED = 3
    """Its writer closed it."""
    GONE = 4


class FolderWatch:
    """Calls `changed(path, change)` for the files of every folder that was added, in order.

    `open` needs a running loop; `add` may be called in a thread.
    """

    def __init__(self, changed: Callable[[Path, Change], None]) -> None:
        self.events = 0
        """Events read."""
        self.overflows = 0
        """Times that the kernel lost events because they were not read in time."""
        self._changed = changed
        self._inotify: Any = None
        self._folders: dict[int, Path] = {}
        self._by_path: dict[Path, int] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def __len__(self) -> int:
        """Return how many folders are watched."""
        return len(self._folders)

    def watches(self, folder: Path) -> bool:
        """Return whether a folder is watched."""
        return folder in self._by_path

    def open(self) -> None:
        """Begin to read events. Raises `OSError` when the kernel gives no more instances."""
        if self._inotify is None:
            self._inotify = INotify(nonblocking=True)
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._inotify.fileno(), self._read)

    def close(self) -> None:
        """Stop reading, and watch nothing any more."""
        made, self._inotify = self._inotify, None
        if made is not None:
            if self._loop is not None:
                self._loop.remove_reader(made.fileno())
            made.close()
        self._folders.clear()
        self._by_path.clear()

    def add(self, folder: Path, *, below: bool = True) -> str:
        """Watch a folder, and those below it; return why some cannot be, empty when all are."""
        found = sorted(_folders(folder), reverse=True) if below else [(0.0, folder)]
        problem = ""
        for _, path in found:
            if len(self._folders) >= MOST_FOLDERS:
                return f"more than {MOST_FOLDERS} folders"
            problem = self._watch(path) or problem
        return problem

    def _watch(self, folder: Path) -> str:
        """Watch one folder; return why not, empty when it is watched or has gone."""
        if folder in self._by_path or self._inotify is None:
            return ""
        try:
            number = self._inotify.add_watch(folder, _MASK)
        except OSError as error:
            if error.errno in {errno.ENOENT, errno.ENOTDIR}:
                return ""
            if error.errno == errno.ENOSPC:
                return "the kernel's limit fs.inotify.max_user_watches is reached"
            return f"{folder}: {error.strerror}"
        self._folders[number], self._by_path[folder] = folder, number
        return ""

    def _read(self) -> None:
        for event in self._inotify.read(timeout=0):
            self.events += 1
            if event.mask & flags.Q_OVERFLOW:
                self.overflows += 1
                _log.warning("witness_events_lost", problem="the kernel's queue was full")
                continue
            folder = self._folders.get(event.wd)
            if folder is None:
                continue
            if event.mask & flags.IGNORED:
                self._drop(event.wd)
            elif event.mask & flags.ISDIR:
                self._folder(folder / event.name, event.mask)
            elif event.name:
                self._file(folder / event.name, event.mask)

    def _file(self, path: Path, mask: int) -> None:
        if mask & (flags.DELETE | flags.MOVED_FROM):
            self._changed(path, Change.GONE)
        elif mask & flags.MODIFY:
            self._changed(path, Change.WROTE)
        elif mask & flags.CLOSE_WRITE:
            self._changed(path, Change.CLOSED)
        elif mask & (flags.CREATE | flags.MOVED_TO):
            self._changed(path, Change.OPENED)

    def _folder(self, path: Path, mask: int) -> None:
        if mask & (flags.CREATE | flags.MOVED_TO):
            problem = self.add(path)
            if problem:
                _log.warning("witness_folder_not_watched", folder=str(path), problem=problem)
            for file in _files(path):  # made before the folder was watched
                self._changed(file, Change.OPENED)
        elif mask & flags.MOVED_FROM:
            for folder, number in [*self._by_path.items()]:
                if folder.is_relative_to(path):
                    self._inotify.rm_watch(number)
                    self._drop(number)

    def _drop(self, number: int) -> None:
        folder = self._folders.pop(number, None)
        if folder is not None:
            self._by_path.pop(folder, None)


def _folders(top: Path) -> Iterator[tuple[float, Path]]:
    """Yield a folder and all below it, each with the time of its last change."""
    for root, names, _ in os.walk(top):
        for name in [*names]:
            if (Path(root) / name).is_symlink():
                names.remove(name)
        try:
            yield Path(root).stat().st_mtime, Path(root)
        except OSError:
            continue  # removed meanwhile


def _files(top: Path) -> Iterator[Path]:
    for root, _, names in os.walk(top):
        yield from (Path(root) / name for name in names)
