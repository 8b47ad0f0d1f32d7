# SPDX-License-Identifier: Apache-2.0
# (a deadline for each action is part of what these promise)
"""One PBX as the daemon sees it: the link, the live calls, and what the AMI account may do.

How the view of the calls stays correct:
- the link's sink only enqueues; one consumer applies events in the order they came, then calls
  the subscribers, and yields to the event loop between slices: a flood of events delays no press;
- the view is unknown from the moment the link is lost, or an event is, until a listing requested
  after that moment has been reconciled. The queue has a mark at that moment, and events from
  before it never count as newer than the listing;
- before a listing is reconciled, all events that came before its last answer are applied.
"""

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from ami import hints, recording_actions
from ami.account_check import AccountCheck
from ami.calls.graph import CallGraph
from ami.errors import AmiDenied, AmiError, AmiUnsupported
from ami.events.headers import bridge_row, channel_row
from ami.events.types import Event, FullyBooted
from ami.link.supervisor import AmiLink, LinkState, Response
from ami.monitor_events import MonitorEvents
from ami.privileges import Missing, PrivilegeReport
from ami.settings import AmiSettings

log = logging.getLogger(__name__)

Subscriber = Callable[[Event, CallGraph], None]

SLICE: Final = 200
"""Events applied before the event loop continues: about a millisecond of work."""
LISTING_TIMEOUT: Final = 5.0
COUNTABLE: Final = 1000
"""Channels above which MixMonitors are not counted after a reconnect; a stop finds them anyway."""
RETRY_FIRST: Final = 0.25
RETRY_CAP: Final = 30.0


class Pbx:
    """One PBX. `run` it once, in a task of its own; it keeps the link up until `close`.

    `graph`: pass one to use its rules for extensions. `clock`: monotonic seconds. `chance`: a
    random number from 0 to 1.
    """

    def __init__(
        self,
        settings: AmiSettings,
        *,
        graph: CallGraph | None = None,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.settings = settings
        self.graph = CallGraph() if graph is None else graph
        self.link = AmiLink(
            settings,
            sink=self._take,
            on_state=self._on_state,
            on_gap=self._on_gap,
            clock=clock,
            chance=chance,
        )
        self.dropped = 0
        """Events lost because the queue was full."""
        self.faults = 0
        """Exceptions of subscribers or of the graph; each was logged."""
        self._subscribers: tuple[Subscriber, ...] = ()
        self._queue: deque[list[Event] | None] = deque()  # None: the view is unknown from here on
        self._queued = 0
        self._wake = asyncio.Event()
        self._known = asyncio.Event()
        self._stale = asyncio.Event()
        self._account = AccountCheck(self.link, self._on_privileges)
        self.monitor_events = MonitorEvents(self.link, self.graph, self._apply_queued)
        """Whether the PBX tells of MixMonitors, and why not."""
        self._epoch = 0
        self._blind = False  # the account reads no events, and no listing stays correct

    # life

    async def run(self) -> None:
        """Keep the link up and the view current until `close`. Raises as `AmiLink.run` does."""
        jobs = (
            (self.link.run(), "ami link"),
            (self._consume(), "ami consumer"),
            (self._keep_in_step(), "ami resync"),
            (self._account.run(), "ami account"),
            (self.monitor_events.run(), "ami monitor events"),
        )
        tasks = [asyncio.create_task(job, name=name) for job, name in jobs]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._apply_queued()
        for task in done:
            task.result()

    async def close(self) -> None:
        """End `run` and wait until the connection is closed."""
        await self.link.close()

    @property
    def version(self) -> tuple[int, ...]:
        """Asterisk's version, such as (22, 10, 1); empty when not known."""
        return self._account.version

    @property
    def unsupported(self) -> str | None:
        """The sentence for a PBX whose version is too old, None for any other."""
        return self._account.unsupported

    @property
    def lacks(self) -> str:
        """What this PBX cannot tell, in a sentence; empty where nothing is missing."""
        return self.unsupported or self.monitor_events.why

    @property
    def privileges(self) -> PrivilegeReport | None:
        """The report on the account's privileges; None until checked after a login."""
        return self._account.report

    @property
    def missing_privileges(self) -> tuple[Missing, ...]:
        """The privileges that the account lacks, as far as known."""
        return self.privileges.missing if self.privileges else ()

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Call `callback(event, graph)` for every event, in order, after it has been applied.

        Returns a function that unsubscribes. `callback` must not block. An exception in it is
        logged and counted in `faults`, and affects no other subscriber.
        """
        self._subscribers = (*self._subscribers, callback)

        def end() -> None:
            self._subscribers = tuple(each for each in self._subscribers if each is not callback)

        return end

    async def wait_known(self, timeout: float) -> bool:
        """Wait until the live calls are known; return False if not within `timeout` seconds.

        A link that is down is retried at once.
        """
        if not self._is_up():
            self.link.nudge()
        return await _within(self._known, timeout)

    async def wait_privileges(self, timeout: float) -> PrivilegeReport | None:
        """Return what the account may do; None if that is not known within `timeout` seconds."""
        return self.privileges if await _within(self._account.checked, timeout) else None

    # actions

    async def action(
        self,
        name: str,
        fields: Mapping[str, str | Sequence[str]] | None = None,
        *,
        timeout: float | None = None,
    ) -> Response:
        """Send one action; see `AmiLink.action`. Without `timeout`: `settings.action_timeout`."""
        seconds = self.settings.action_timeout if timeout is None else timeout
        answer = await self.link.action(name, fields, timeout=seconds)
        if name == "StopMixMonitor" and answer.ok and fields is not None:
            self.monitor_events.stopped(str(fields.get("Channel", "")))
        return answer

    async def action_list(
        self, name: str, fields: Mapping[str, str | Sequence[str]], *, timeout: float
    ) -> list[Response]:
        """Send an action that is answered by a list and return its rows; see the link's."""
        return await self.link.action_list(name, fields, timeout=timeout)

    async def getvar(self, uniqueid: str, name: str) -> str:
        """Return a channel variable or the value of a function; empty when it is not set.

        Raises AmiDenied (`No such channel` once it has hung up), AmiDown, AmiTimeout.
        """
        answer = await self.action("Getvar", {"Channel": uniqueid, "Variable": name})
        if not answer.ok:
            raise AmiDenied("Getvar", answer.message)
        return answer.headers.get("Value", "")

    # events in

    def _take(self, events: list[Event]) -> None:
        if self._queued + len(events) > self.settings.queue_limit:
            self.dropped += len(events)
            self._on_gap(f"the queue is full, {self.dropped} events dropped so far")
            return
        self._queue.append(events)
        self._queued += len(events)
        self._wake.set()

    def _on_state(self, state: LinkState) -> None:
        if state is LinkState.UP:
            self._stale.set()
            self._account.request()
        else:
            self._break()

    def _on_gap(self, reason: str) -> None:
        log.warning("ami view lost, pbx=%s reason=%s", self.settings.address, reason)
        self._break()
        self._stale.set()

    def _break(self) -> None:
        """Mark the view as unknown from this point in the stream of events on."""
        self._epoch += 1
        self._known.clear()
        self.graph.mark_unknown()
        if not self._queue or self._queue[-1] is not None:
            self._queue.append(None)
            self._wake.set()

    async def _consume(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                self._apply_next()
                await asyncio.sleep(0)

    def _apply_queued(self) -> None:
        while self._queue:
            self._apply_next()

    def _apply_next(self) -> None:
        batch = self._queue.popleft()
        if batch is None:
            self.graph.mark_unknown()
            return
        if len(batch) > SLICE:
            self._queue.appendleft(batch[SLICE:])
            batch = batch[:SLICE]
        self._queued -= len(batch)
        graph = self.graph
        for event in batch:
            try:
                graph.apply(event)
            except Exception:
                self.faults += 1
                log.exception("ami event not applied, event=%s", type(event).__name__)
                self._on_gap(f"{type(event).__name__} could not be applied")
            for tell in self._subscribers:
                try:
                    tell(event, graph)
                except Exception:
                    self.faults += 1
                    log.exception("ami subscriber failed, event=%s", type(event).__name__)
        if not self.graph.known:
            self._known.clear()
        if any(isinstance(event, FullyBooted) for event in batch):
            self._account.booted()

    # listings

    def _is_up(self) -> bool:
        return self.link.state is LinkState.UP

    async def _keep_in_step(self) -> None:
        failures = 0
        while True:
            await self._stale.wait()
            self._stale.clear()
            if not self._is_up():
                continue
            try:
                in_step = await self._resync()
            except AmiUnsupported as error:
                log.error("%s, pbx=%s", error.message, self.settings.address)  # noqa: TRY400
                continue  # until another login, perhaps of another version
            except AmiError as error:
                failures += 1
                if not self._is_up():
                    continue  # the next login repeats this
                log.warning("ami view not taken, pbx=%s reason=%s", self.settings.address, error)
                in_step = False
            else:
                failures = 0 if in_step else failures + 1
            if not in_step:
                await asyncio.sleep(min(RETRY_CAP, RETRY_FIRST * 2 ** min(failures - 1, 16)))
                self._stale.set()

    async def _resync(self) -> bool:
        """List the calls and reconcile the graph; return False if the view became unknown again."""
        epoch, started = self._epoch, asyncio.get_running_loop().time()
        await self._account.list_actions()
        if self.unsupported is not None:
            raise AmiUnsupported(self.unsupported)
        await self.monitor_events.login(self.version, getvar="Getvar" in self._account.granted)
        if hints.LIST in self._account.granted:
            self._use_hints(await hints.read(self.link))
        listed = await self.link.action_list("CoreShowChannels", timeout=LISTING_TIMEOUT)
        rows = [row for each in listed if (row := channel_row(each.headers))]
        listed = await self.link.action_list("BridgeList", timeout=LISTING_TIMEOUT)
        bridges = [bridge for each in listed if (bridge := bridge_row(each.headers))]
        counted = None
        if "Command" in self._account.granted and len(rows) <= COUNTABLE:
            counted = await recording_actions.count(self, rows)
            # one more answer: events about what was counted come before it
            await self.action("Ping")
        self._apply_queued()
        if epoch != self._epoch:
            return False
        if self._blind:
            return True
        changed = self.graph.reconcile(rows, counted, bridges)
        self._known.set()
        log.info(
            "ami view taken, pbx=%s channels=%d new=%d gone=%d monitors_counted=%s seconds=%.3f",
            self.settings.address,
            len(rows),
            len(changed.new),
            len(changed.gone),
            counted is not None,
            asyncio.get_running_loop().time() - started,
        )
        return True

    def _use_hints(self, owners: Mapping[str, str] | None) -> None:
        rules = self.graph.rules
        if owners is not None and (new := replace(rules, hints=owners)) != rules:
            self.graph.use_rules(new)

    def _on_privileges(self, report: PrivilegeReport) -> None:
        """Trust no listing while the account reads no call events, which would correct it."""
        blind = any(lack.names("read", "call") for lack in report.missing)
        if blind and not self._blind:
            self._break()
        elif self._blind and not blind:
            self._stale.set()
        self._blind = blind


async def _within(event: asyncio.Event, timeout: float) -> bool:
    try:
        async with asyncio.timeout(timeout):
            await event.wait()
    except TimeoutError:
        return False
    return True
