# SPDX-License-Identifier: Apache-2.0
"""The live recordings of every ARI application: followed by events, and asked for where not known.

Each event comes twice, once for the bridge or channel and once for all of them. A recording that
began before the connection is announced nowhere until it ends, so a connection begins with
questions for the names of all stored recordings. While there is no connection, a press asks them
itself: slower, and as sure.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from bridges.asterisk.ari.client import (
    RECORDING_EVENTS,
    AriClient,
    AriError,
    LiveRecording,
    live_recording,
)
from bridges.asterisk.ari.events import AriEvents
from bridges.model import Step

LISTING: Final = 60.0
"""Seconds for the questions at the beginning of a connection."""

AGAIN: Final = 5.0
"""Seconds before these are asked again when they failed."""

log = logging.getLogger(__name__)


class AriRecordings:
    """The live recordings of one Asterisk. Open it with a running loop; close it.

    `sleep` takes seconds and is a seam.
    """

    def __init__(
        self, client: AriClient, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self.client = client
        self._sleep = sleep
        self._live: dict[str, LiveRecording] = {}
        self._subscribers: list[Callable[[LiveRecording], None]] = []
        self._told: set[str] | None = None
        """Names of events that came while the stored ones are asked for; None at other times."""
        self._task: asyncio.Task[None] | None = None
        self.known = False
        self._events = AriEvents(
            client, connected=self._list, event=self._take, lost=self._lose, sleep=sleep
        )

    @property
    def problem(self) -> str:
        """Why the recordings are not known by events; empty where they are."""
        return "" if self.known else self._events.problem or "they are being listed"

    def open(self) -> None:
        """Follow the recordings from now on."""
        self._task = asyncio.create_task(self._events.run(), name="ari-events")

    def subscribe(self, callback: Callable[[LiveRecording], None]) -> None:
        """Call `callback` once for each recording that starts, and for those found to run."""
        self._subscribers.append(callback)

    async def close(self) -> None:
        """Close every connection. Closing twice does no harm."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self.client.close()

    def seen(self) -> tuple[LiveRecording, ...]:
        """Return what is known now, asking nothing: incomplete unless `known`."""
        return tuple(self._live.values())

    async def live(self, within: float, *, ask: bool = False) -> tuple[LiveRecording, ...]:
        """Return the live recordings: as events told, or asked for where these are not known.

        `ask` asks in any case. Raises `AriError`, also when `within` seconds do not suffice.
        """
        if self.known and not ask:
            return self.seen()
        return await self.client.running(tuple(self._live), within)

    async def find(
        self, name: str, trace: Callable[[Step], None] | None = None
    ) -> LiveRecording | None:
        """Ask for one recording, and keep what ARI answers: no event tells of a pause.

        Returns None when it is over. Raises `AriError`.
        """
        found = await self.client.find(name, trace)
        if found is None:
            self._live.pop(name, None)
        elif name in self._live:
            self._live[name] = found
        return found

    async def _list(self) -> None:
        """Ask for all that runs; what an event told meanwhile is newer than the answers."""
        while True:
            self._told = set()
            try:
                found = await self.client.running(tuple(self._live), LISTING)
            except AriError as problem:
                log.warning("ari recordings not listed, problem=%s", problem)
            else:
                newer = {name: one for name, one in self._live.items() if name in self._told}
                asked = {one.name: one for one in found if one.name not in self._told}
                before, self._live = self._live, asked | newer
                self.known = True
                for name, one in asked.items():
                    if name not in before:
                        self._tell(one)
                return
            finally:
                self._told = None
            await self._sleep(AGAIN)

    def _take(self, event: dict[str, Any]) -> None:
        kind, told = event.get("type"), event.get("recording")
        if kind not in RECORDING_EVENTS or not isinstance(told, dict):
            return
        name = told.get("name")
        if not isinstance(name, str):
            return
        if self._told is not None:
            self._told.add(name)
        began = live_recording(told) if kind == "RecordingStarted" else None
        if began is not None:
            told_before = name in self._live
            self._live[name] = began
            if not told_before:
                self._tell(began)
        else:
            self._live.pop(name, None)

    def _tell(self, one: LiveRecording) -> None:
        for callback in self._subscribers:
            try:
                callback(one)
            except Exception:  # events must go on to be taken
                log.exception("ari subscriber failed, recording=%s", one.name)

    def _lose(self) -> None:
        self.known = False
