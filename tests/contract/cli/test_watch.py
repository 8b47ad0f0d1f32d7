# SPDX-License-Identifier: Apache-2.0
"""Watching a real daemon over its control socket: the calls, and what happens as it happens."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from offrecord.base.errors import Exit, UserError
from offrecord.control import client
from tests.kits.daemon_kit import House, house
from tests.kits.waiting import eventually, patience


class Watcher:
    """Reads what the socket tells, in a thread, as a terminal would."""

    def __init__(self, path: Path) -> None:
        self.lines: list[dict[str, Any]] = []
        self.ended: UserError | None = None
        self._path = path
        self._more = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            for line in client.watch(self._path, {"op": "watch"}, patience()):
                self.lines.append(line)
                self._more.set()
        except UserError as problem:
            self.ended = problem
        self._more.set()

    async def until(self, seen: Any) -> None:
        await eventually(seen)

    def kinds(self, press: str) -> Iterator[str]:
        return (line["kind"] for line in self.lines if line.get("press") == press)


@contextlib.asynccontextmanager
async def watched(here: House) -> Any:
    watcher = Watcher(here.daemon.socket)
    await watcher.until(lambda: watcher.lines)
    yield watcher


async def test_a_press_is_seen_as_it_happens_and_the_calls_change(tmp_path: Path) -> None:
    async with house(tmp_path) as here, watched(here) as watcher:
        assert watcher.lines[0]["known"] is True
        (call,) = watcher.lines[0]["calls"]
        assert {one["state"] for one in call["recorders"]} <= {"recording", "idle", "unknown"}
        replies = await asyncio.to_thread(
            lambda: list(client.ask(here.daemon.socket, {
                "op": "press", "verb": "stop", "target": call["call"], "wait": 5}, patience())),
        )  # fmt: skip
        press = replies[0]["press"]
        await watcher.until(lambda: "verdict" in watcher.kinds(press))
        kinds = [*watcher.kinds(press)]
        assert kinds[0] == "pressed"
        assert kinds.index("resolved") < kinds.index("answered") < kinds.index("verdict")

        def shown() -> bool:
            calls = [line["calls"] for line in watcher.lines if line.get("kind") == "calls"]
            badges = calls[-1][0]["recorders"] if calls and calls[-1] else []
            return bool(badges) and all(one["press"] == press for one in badges)

        await watcher.until(shown)


async def test_who_watches_is_told_when_the_daemon_ends(tmp_path: Path) -> None:
    async with house(tmp_path) as here, watched(here) as watcher:
        await here.daemon.stop()
        await watcher.until(lambda: watcher.ended)
        assert watcher.ended is not None
        assert watcher.ended.exit is Exit.DAEMON_DOWN


async def test_watching_without_a_daemon_says_how_to_start_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="systemctl start offrecord"):
        list(client.watch(tmp_path / "none.sock", {"op": "watch"}, 1.0))
