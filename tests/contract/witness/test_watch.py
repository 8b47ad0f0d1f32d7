# SPDX-License-Identifier: Apache-2.0
"""Folders watched by the kernel's own inotify."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from offrecord.witness.watch import Change, FolderWatch


class Seen(list[tuple[str, Change]]):
    """The changes, by name of file; wait for one with `until`."""

    def take(self, path: Path, change: Change) -> None:
        self.append((path.name, change))

    async def until(self, name: str, change: Change) -> None:
        async with asyncio.timeout(10):
            while (name, change) not in self:
                await asyncio.sleep(0.002)


@pytest.fixture
async def watching(tmp_path: Path) -> AsyncIterator[Callable[[], tuple[FolderWatch, Seen]]]:
    seen = Seen()
    watch = FolderWatch(seen.take)
    watch.open()
    assert watch.add(tmp_path) == ""
    yield lambda: (watch, seen)
    watch.close()


async def test_each_write_and_the_closing_are_seen(
    watching: Callable[[], tuple[FolderWatch, Seen]], tmp_path: Path
) -> None:
    _, seen = watching()
    with (tmp_path / "a.wav").open("wb", buffering=0) as file:
        await seen.until("a.wav", Change.OPENED)
        file.write(b"x")
        await seen.until("a.wav", Change.WROTE)
        assert ("a.wav", Change.CLOSED) not in seen
    await seen.until("a.wav", Change.CLOSED)


async def test_new_folders_are_watched_with_what_is_in_them_already(
    watching: Callable[[], tuple[FolderWatch, Seen]], tmp_path: Path
) -> None:
    watch, seen = watching()
    day = tmp_path / "2026" / "11" / "27"
    day.mkdir(parents=True)
    with (day / "early.wav").open("wb", buffering=0) as file:
        await seen.until("early.wav", Change.OPENED)
        file.write(b"x")
        await seen.until("early.wav", Change.WROTE)
    assert watch.watches(day)


async def test_a_removed_folder_and_a_moved_one_are_watched_no_more(
    watching: Callable[[], tuple[FolderWatch, Seen]], tmp_path: Path
) -> None:
    watch, seen = watching()
    for name in ("old", "away"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.wav").touch()
    await seen.until("a.wav", Change.OPENED)
    async with asyncio.timeout(10):
        while len(watch) < 3:
            await asyncio.sleep(0.002)
        (tmp_path / "old" / "a.wav").unlink()
        (tmp_path / "old").rmdir()
        (tmp_path / "away").rename(tmp_path.parent / f"{tmp_path.name}-away")
        while len(watch) > 1:
            await asyncio.sleep(0.002)
    assert ("a.wav", Change.GONE) in seen


async def test_existing_folders_below_are_watched(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    watch = FolderWatch(lambda _path, _change: None)
    watch.open()
    try:
        watch.add(tmp_path)
        assert len(watch) == 3
    finally:
        watch.close()
