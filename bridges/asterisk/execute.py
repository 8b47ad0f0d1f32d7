# SPDX-License-Identifier: Apache-2.0
"""Carry out one order on every way in which the PBX may record a call.

What can be stopped without a look is stopped at once: MixMonitors, and Monitors with them. The
look at what the PBX shows of the call runs meanwhile; the other ways follow on it. The verdict is
computed from the reports of all of them (`bridges.asterisk.answers`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from ami import recording_actions
from ami.calls.snapshots import Channel
from ami.errors import AmiError, AmiTimeout
from ami.ports import PbxPort
from bridges.asterisk.answers import Asked, failure, level_of, order_end, unanswered
from bridges.asterisk.look import NO_LOOK, PbxLook, look
from bridges.asterisk.settings import AsteriskSettings
from bridges.asterisk.ways.way import Sweep, Way, WayReport, WayState
from bridges.model import Evidence, Order, Outcome, Step, Verb
from bridges.shared.answer_table import OrderEnd


def recorded_leg(order: Order) -> Channel:
    """Return the channel a new recording is to hang on: the presser's, else a phone's."""
    phones = [channel for channel in order.call.channels if channel.extension]
    return order.presser or (phones or list(order.call.channels))[0]


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways of one PBX.

    Those `at_once` need no look and act beside each other; those `after_look` come one after the
    other, in this order, since one may leave word for the next.
    """

    at_once: tuple[Way, ...]
    after_look: tuple[Way, ...] = ()


@dataclass(slots=True)
class OrderExecution:
    """One order on one PBX. `steps` are the actions sent so far, for the journal.

    `clock` returns seconds since the epoch.
    """

    settings: AsteriskSettings
    pbx: PbxPort
    ways: Ways
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    order: Order
    steps: list[Step] = field(default_factory=list)
    _unsure: list[Evidence] = field(default_factory=list)

    async def carry_out(self) -> OrderEnd:
        """Do what the order's verb asks, within its budget; never raises for what a PBX may do."""
        if self.order.verb is not Verb.START:
            return await self._on_all_ways()
        try:
            async with asyncio.timeout(self.order.budget):
                return await self.start()
        except TimeoutError:
            return OrderEnd(Outcome.FAILED, Evidence.SENT, self._too_slow())
        except AmiError as problem:
            return failure(problem)

    async def _on_all_ways(self) -> OrderEnd:
        until = asyncio.get_running_loop().time() + self.order.budget
        sweep = Sweep(
            self.pbx, self.order, NO_LOOK, self.clock, self.sleep, self.steps
        )  # fmt: skip
        # The first actions leave before the look's questions: tasks run in this order.
        *first, seen = await _together([
            *(self._report(way, sweep, until) for way in self.ways.at_once),
            self._look(until),
        ])  # fmt: skip
        reports = [one for one in first if isinstance(one, WayReport)]
        assert isinstance(seen, PbxLook)
        sweep.look = seen
        reports += [await self._report(way, sweep, until) for way in self.ways.after_look]
        done = order_end(reports, Asked(self.order.verb, len(sweep.answered), self.steps))
        if self._unsure and done.outcome is Outcome.FAILED:
            # what was answered counts for more than what was not
            level = max(done.evidence, *self._unsure)
            return OrderEnd(done.outcome, level, done.detail)
        return done

    async def _look(self, until: float) -> PbxLook:
        try:
            async with asyncio.timeout_at(until):
                return await look(self.pbx)
        except TimeoutError:
            return PbxLook(complete=False, problem=self._too_slow())

    async def _report(self, way: Way, sweep: Sweep, until: float) -> WayReport:
        """Have one way carry out the order; whatever goes wrong is its report."""
        acts = {Verb.STOP: way.stop, Verb.PAUSE: way.pause, Verb.RESUME: way.resume}
        try:
            async with asyncio.timeout_at(until):
                return await acts[self.order.verb](sweep)
        except TimeoutError:
            self._unsure.append(Evidence.SENT)
            return WayReport(way.name, WayState.NOT_SEEN, self._too_slow())
        except AmiTimeout as problem:
            self._unsure.append(Evidence.SENT)
            return unanswered(way.name, problem)
        except AmiError as problem:
            self._unsure.append(level_of(problem))
            return unanswered(way.name, problem)

    def _too_slow(self) -> str:
        return f"the PBX took over {self.order.budget:g} s"

    async def start(self) -> OrderEnd:
        """Begin a new recording on the presser's channel."""
        channel = recorded_leg(self.order)
        file = self.settings.file.format(
            uniqueid=channel.uniqueid,
            linkedid=self.order.call.linkedid,
            extension=channel.extension or "",
        )
        since = self.clock()
        done = await recording_actions.start(
            self.pbx, channel.uniqueid, file, self.settings.options
        )
        sent = f"MixMonitor {channel.uniqueid} ({channel.name}) {file}"
        took = self.clock() - since
        self.steps.append(Step(since, took, sent, done.answer, Evidence.ACCEPTED))
        if done.gone:
            return OrderEnd(Outcome.CALL_ENDED, Evidence.READ_BACK, "its channel has gone")
        detail = f"recording {channel.name} to {file}; whether the file is written is not known"
        return OrderEnd(Outcome.ACCEPTED, Evidence.ACCEPTED, detail)


async def _together(
    jobs: Sequence[Coroutine[Any, Any, WayReport | PbxLook]],
) -> list[WayReport | PbxLook]:
    """Run these beside each other, begun in this order; what one raises ends all of them."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(job) for job in jobs]
    return [task.result() for task in tasks]
