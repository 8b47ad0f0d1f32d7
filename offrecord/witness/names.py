# SPDX-License-Identifier: Apache-2.0
"""The files that MixMonitors write, by channel, as the PBX names them.

No version of Asterisk names the file in the events of MixMonitor. The channel variable
`MIXMONITOR_FILENAME` holds its full path and stays set; a second MixMonitor on the same channel
overwrites it, therefore it is read at each start. What began before the link is read when it is
needed.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from ami.calls.graph import CallGraph
from ami.errors import AmiError
from ami.events.types import Event, Hangup, MixMonitorStart
from ami.ports import CallVariables

VARIABLE: Final = "MIXMONITOR_FILENAME"
ASKED_AT_ONCE: Final = 32
"""Variables read at the same time."""
MOST_ASKED: Final = 500
"""Channels of recordings from before the link that are asked at one time."""

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Named:
    """One file of one channel: as the PBX names it, and as this machine sees it, if it does."""

    name: str
    path: Path | None


class RecordedFiles:
    """Which channel writes which files. Subscribe `event` to the PBX.

    `here` returns a file that the PBX names as this machine sees it. `learned` is called with each
    name when it is new.
    """

    def __init__(
        self,
        pbx: CallVariables,
        here: Callable[[str], Path | None],
        learned: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self._pbx = pbx
        self._here = here
        self._learned = learned
        self._files: dict[str, list[Named]] = {}
        self._owners: dict[Path, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def event(self, event: Event, _graph: CallGraph) -> None:
        """Read the name when a MixMonitor starts, and forget those of a channel that is gone."""
        match event:
            case MixMonitorStart():
                if len(self._tasks) < ASKED_AT_ONCE:
                    task = asyncio.create_task(self.ask(event.uniqueid), name="witness-name")
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
            case Hangup():
                for one in self._files.pop(event.uniqueid, ()):
                    if one.path is not None and self._owners.get(one.path) == event.uniqueid:
                        del self._owners[one.path]
            case _:
                pass

    async def close(self) -> None:
        """Cancel what is being read."""
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def ask(self, uniqueid: str) -> None:
        """Read the name of a channel's newest MixMonitor."""
        try:
            name = await self._pbx.getvar(uniqueid, VARIABLE)
        except AmiError as problem:
            _log.debug("monitor_file_unknown", channel=uniqueid, problem=str(problem))
            return
        known = self._files.setdefault(uniqueid, [])
        if not name:
            _log.debug("monitor_file_unknown", channel=uniqueid, problem="no name")
        if not name or any(one.name == name for one in known):
            return
        self._learned(name)
        made = Named(name, self._here(name))
        known.append(made)
        if made.path is not None:
            self._owners[made.path] = uniqueid

    async def ask_unknown(self, uniqueids: Iterable[str], *, every: bool) -> None:
        """Read the names of channels that may have a recording of which no name is known.

        With `every` those too of which no event told yet that they are recorded.
        """
        graph, left = self._pbx.graph, MOST_ASKED
        for uniqueid in uniqueids:
            channel = graph.channel(uniqueid)
            recorded = channel is not None and (every or channel.monitors != 0)
            if not recorded or self._files.get(uniqueid):
                continue
            left -= 1
            if left >= 0:
                await self.ask(uniqueid)

    def owner(self, path: Path) -> str | None:
        """Return the uniqueid of the channel that writes a file, None when none is known."""
        return self._owners.get(path)

    def of(self, uniqueid: str) -> tuple[Named, ...]:
        """Return the files of a channel, those of stopped recordings included."""
        return tuple(self._files.get(uniqueid, ()))

    def paths(self) -> dict[str, frozenset[Path]]:
        """Return the files of every channel that this machine sees, by uniqueid."""
        return {
            uniqueid: frozenset(one.path for one in named if one.path is not None)
            for uniqueid, named in self._files.items()
        }
