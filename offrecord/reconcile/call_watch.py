# SPDX-License-Identifier: Apache-2.0
"""Watches calls with a silencing press: when they end, and which files MixMonitor wrote for them.

No version of Asterisk names the file in the events of MixMonitor. The channel variable
`MIXMONITOR_FILENAME` holds its full path and stays set. A second MixMonitor on the same channel
overwrites it; therefore it is read at each start (measured on Asterisk 16.28 and 22.10).
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from ami.calls.graph import CallGraph
from ami.errors import AmiError
from ami.events.types import Event, Hangup, MixMonitorStart, MixMonitorStop
from ami.ports import CallVariables
from offrecord.journal.journal import Record
from offrecord.model.press import now_ms
from offrecord.reconcile.local_files import Monitored
from offrecord.reconcile.reconciler import Reconciler
from offrecord.reconcile.silent_windows import SILENCING

VARIABLE: Final = "MIXMONITOR_FILENAME"
EVERY: Final = 1.0
"""Seconds between two checks for calls that have ended."""
ASKED_AT_ONCE: Final = 32
"""Variables read at the same time; files beyond that are found by their names alone."""
SPARE: Final = 100
"""Channels remembered beyond the number of live ones, before the gone ones are removed."""


@dataclass(slots=True)
class _Watched:
    """A call with a silencing press, while it lasts."""

    linkedid: str
    lineage: set[str] = field(default_factory=set)


class CallWatch:
    """Hands each call with a silencing press to the reconciler once its last channel is gone.

    `subscribe` subscribes a callback to the records of the journal: a call is watched from the
    first verdict of a silencing press on. Subscribe `event` to the PBX. `now` returns milliseconds
    since the epoch, UTC; `every` is the number of seconds between two checks.
    """

    def __init__(
        self,
        pbx: CallVariables,
        reconciler: Reconciler,
        subscribe: Callable[[Callable[[Record], None]], object],
        *,
        now: Callable[[], int] = now_ms,
        every: float = EVERY,
    ) -> None:
        self._pbx = pbx
        self._reconciler = reconciler
        self._now = now
        self._every = every
        self._watched: dict[str, _Watched] = {}
        self._running: dict[str, list[Monitored]] = {}
        self._past: dict[str, list[Monitored]] = {}
        self._gone: dict[str, int] = {}
        self._asking: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None
        self._log = structlog.get_logger()
        subscribe(self.on_record)

    def open(self) -> None:
        """Start checking for calls that have ended."""
        if self._task is None:
            self._task = asyncio.create_task(self._sweep(), name="reconcile-watch")

    async def close(self) -> None:
        """Stop checking, and cancel every task."""
        tasks = [*self._asking, *([self._task] if self._task else [])]
        self._task = None
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def on_record(self, record: Record) -> None:
        """Watch the call of a verdict."""
        if record.kind == "verdict":
            self.pressed(str(record.body.get("verb")), record.body.get("call"))

    def pressed(self, verb: str, linkedid: str | None) -> None:
        """Watch the call of a press that has its verdict, if its verb silences."""
        if linkedid is not None and verb in SILENCING:
            self._watched.setdefault(linkedid, _Watched(linkedid, {linkedid}))

    def event(self, event: Event, _graph: CallGraph) -> None:
        """Remember when recordings start and stop, and when channels hang up."""
        match event:
            case MixMonitorStart():
                self._started(event.uniqueid)
            case MixMonitorStop():
                # StopMixMonitor without an id stops the newest one.
                self._end_newest(event.uniqueid)
            case Hangup():
                self._hung_up(event.uniqueid, event.linkedid)
            case _:
                pass

    def _started(self, uniqueid: str) -> None:
        if len(self._asking) >= ASKED_AT_ONCE or not self._reconciler.settings.enabled:
            return
        if self._reconciler.settings.monitor_folder is None:
            return
        task = asyncio.create_task(self._learn(uniqueid, self._now()), name="reconcile-file")
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _learn(self, uniqueid: str, began: int) -> None:
        try:
            file = await self._pbx.getvar(uniqueid, VARIABLE)
        except AmiError as problem:
            self._log.debug("monitor_file_unknown", channel=uniqueid, problem=str(problem))
            return
        if file and self._pbx.graph.channel(uniqueid) is not None:
            self._running.setdefault(uniqueid, []).append(Monitored(file, began))

    def _end_newest(self, uniqueid: str) -> None:
        running = self._running.get(uniqueid, [])
        for place in reversed(range(len(running))):
            if running[place].stopped is None:
                running[place] = replace(running[place], stopped=self._now())
                return

    def _hung_up(self, uniqueid: str, linkedid: str) -> None:
        now = self._now()
        running = self._running.pop(uniqueid, [])
        if self._watched:
            self._gone[linkedid] = now
            ended = [one if one.stopped else replace(one, stopped=now) for one in running]
            self._past.setdefault(linkedid, []).extend(ended)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            self.look()

    def look(self) -> None:
        """Hand the watched calls that are over to the reconciler."""
        graph = self._pbx.graph
        if not graph.known:
            return  # the AMI link is down: a missing call may be alive
        told: set[str] = set()
        for watched in [*self._watched.values()]:
            calls = graph.find(watched.linkedid)
            if calls:
                watched.lineage |= calls[0].lineage
                continue
            del self._watched[watched.linkedid]
            if not watched.lineage & told:  # two that became one are checked once
                self._tell(watched)
            told |= watched.lineage
        self._forget()

    def _tell(self, watched: _Watched) -> None:
        gone = [self._gone[one] for one in watched.lineage if one in self._gone]
        seen = [one for each in watched.lineage for one in self._past.get(each, ())]
        self._reconciler.call_ended(
            watched.linkedid, watched.lineage, ended=max(gone, default=self._now()), seen=seen
        )

    def _forget(self) -> None:
        """Drop what no watched call needs."""
        wanted = {one for watched in self._watched.values() for one in watched.lineage}
        for kept in (self._gone, self._past):
            _keep(kept, wanted)
        graph = self._pbx.graph
        if len(self._running) > graph.size + SPARE:  # hang-ups were missed while the link was down
            live = {uniqueid for uniqueid in self._running if graph.channel(uniqueid)}
            _keep(self._running, live)


def _keep(kept: "dict[str, int] | dict[str, list[Monitored]]", wanted: set[str]) -> None:
    for one in [*kept]:
        if one not in wanted:
            del kept[one]
