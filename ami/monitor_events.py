# SPDX-License-Identifier: Apache-2.0
"""Finds out whether the PBX tells this account of MixMonitors at all.

Where it does not, a channel of which no event told is no channel that is not recorded. Three
things show it, each after every login:

- the version: before 16.17 and 18.3, and in 17, Asterisk raised no such events;
- an `eventfilter` of the account, read by `AST_CONFIG` where the PBX has that function;
- a StopMixMonitor of ours: it was answered Success, and no MixMonitorStop came before a marker
  behind it. The marker is a presence state that we set: it raises PresenceStateChange (class
  `call`) each time, with our word in it, on 16.28 and 22.10. An event of a channel came before
  its marker 2,000 times of 2,000.
"""

import asyncio
import itertools
import logging
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from ami.calls.graph import CallGraph
from ami.errors import AmiError
from ami.events import filters
from ami.link.supervisor import AmiLink
from ami.versions import Version, raises_mixmonitor_events

log = logging.getLogger(__name__)

MARKER: Final = "PRESENCE_STATE(CustomPresence:offrecord)"
PATIENCE: Final = 2.0
"""Seconds for the marker; without it nothing is concluded."""

MOST_FILTERS: Final = 32
_MIXMONITOR: Final = frozenset(name for name in filters.NEEDED if name.startswith("MixMonitor"))


class MonitorEvents:
    """What is known of the events of one PBX, and the tries of it. `run` it in a task.

    `apply`: applies to the graph whatever events have been read.
    """

    def __init__(self, link: AmiLink, graph: CallGraph, apply: Callable[[], None]) -> None:
        self._link = link
        self._graph = graph
        self._apply = apply
        self._tokens = itertools.count(1)
        self._stopped: dict[str, bool] = {}
        self._login = -1
        self._wake = asyncio.Event()
        self.hidden: tuple[str, ...] = ()
        """The events that an `eventfilter` is known to keep from the account."""
        self.why = ""
        """Why counts of MixMonitors are not known here; empty where they are."""

    async def login(self, version: Version, *, getvar: bool) -> None:
        """Begin again after a login; what was found since it stands when it is called again.

        `getvar`: whether the account may ask for functions. Raises AmiDown, AmiTimeout.
        """
        if self._login == self._link.logins and self.why:
            return
        self._login = self._link.logins
        self.why, self._stopped = "", {}
        lines = await self._filters() if getvar else []
        self.hidden = filters.hidden(lines)
        self._graph.expect_monitor_events(come=True, hidden=self.hidden)
        if not raises_mixmonitor_events(version):
            self._missing(f"Asterisk {'.'.join(map(str, version))} raises no events of MixMonitors")
        elif lost := [name for name in self.hidden if name in _MIXMONITOR]:
            self._missing(f"an eventfilter keeps {', '.join(lost)} from the AMI account")

    def stopped(self, uniqueid: str) -> None:
        """Take that a StopMixMonitor of ours was answered Success: its event must come.

        Costs nothing once the events are known to come, or not to.
        """
        graph = self._graph
        if not graph.counts_monitors or (graph.starts_seen and graph.stops_seen):
            return
        channel = graph.channel(uniqueid)
        # A recording from before the link began with an event that nobody could have read.
        counted = channel is not None and channel.monitors is not None
        self._stopped[uniqueid] = self._stopped.get(uniqueid, False) or counted
        self._wake.set()

    async def run(self) -> None:
        """Judge after each stop, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            stopped, self._stopped = self._stopped, {}
            with suppress(AmiError):
                if stopped and await self._marked():
                    self._apply()
                    self._judge(counted=any(stopped.values()))

    def _judge(self, *, counted: bool) -> None:
        graph = self._graph
        if not graph.counts_monitors:
            return
        if not graph.stops_seen:
            self._missing("a MixMonitor was stopped and no MixMonitorStop came")
        elif counted and not graph.starts_seen:
            self._missing("a MixMonitor was stopped of which no MixMonitorStart had come")

    def _missing(self, why: str) -> None:
        self.why = why
        self._graph.expect_monitor_events(come=False, hidden=self.hidden)
        log.warning(
            "ami events of recordings missing, pbx=%s: %s; a pause stops the recording instead,"
            " and calls under a stop are swept each second", self._link.settings.address, why
        )  # fmt: skip

    async def _marked(self) -> bool:
        """Return whether an event that we caused has come, and with it all events before it."""
        token = f"events-{next(self._tokens)}"
        async with self._link.expect("PresenceStateChange", f"\r\nSubtype: {token}\r\n") as seen:
            answer = await self._link.action(
                "Setvar", {"Variable": MARKER, "Value": f"not_set,{token},"},
                timeout=self._link.settings.action_timeout,
            )  # fmt: skip
            if not answer.ok:
                return False
            done, _ = await asyncio.wait({seen}, timeout=PATIENCE)
            return bool(done) and not seen.cancelled()

    async def _filters(self) -> list[filters.Line]:
        """Return the account's lines `eventfilter`, as far as the PBX tells them."""
        user = self._link.settings.username
        if not re.fullmatch(r"[\w.@+-]+", user):
            return []
        found: list[filters.Line] = []
        for number in range(MOST_FILTERS):
            answer = await self._link.action(
                "Getvar", {"Variable": f"AST_CONFIG(manager.conf,{user},eventfilter,{number})"},
                timeout=self._link.settings.action_timeout,
            )  # fmt: skip
            value = answer.headers.get("Value", "") if answer.ok else ""
            if not value or ("eventfilter", value) in found:
                break
            found.append(("eventfilter", value))
        return found
