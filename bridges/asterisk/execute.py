# SPDX-License-Identifier: Apache-2.0
"""Carry out one order on the MixMonitors of a call, until the PBX has proven it.

A MixMonitor hangs on one channel, and which one depends on the dialplan, so a stop sweeps the
whole call: each channel is drained by uniqueid until the PBX answers that none is left there.
That answer is the proof (L2); that it was given for every channel of the call is L4.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from ami import recording_actions
from ami.calls.snapshots import Call, Channel
from ami.errors import AmiDenied, AmiError, AmiUnsafe
from ami.ports import CallActions
from bridges.asterisk.answers import failure, none_recorded, swept_call, unknown
from bridges.asterisk.settings import MixMonitorSettings
from bridges.model import Evidence, Order, Outcome, Step, Verb
from bridges.shared.answer_table import OrderEnd

_ROUNDS: Final = 4
"""How often a call is swept again because a recording started on it meanwhile."""

_TICK: Final = 0.02
"""Seconds between two looks at the call, for events that are on their way."""

_MUTE_TICKS: Final = 25
"""How often the call is looked at for the event that proves a mute."""


def recorded_leg(order: Order) -> Channel:
    """Return the channel a new recording is to hang on: the presser's, else a phone's."""
    phones = [channel for channel in order.call.channels if channel.extension]
    return order.presser or (phones or list(order.call.channels))[0]


@dataclass(slots=True)
class OrderExecution:
    """One order on one PBX. `steps` are the actions sent so far, for the journal.

    `clock` returns seconds since the epoch.
    """

    settings: MixMonitorSettings
    pbx: CallActions
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    order: Order
    steps: list[Step] = field(default_factory=list)

    async def carry_out(self) -> OrderEnd:
        """Do what the order's verb asks, within its budget; never raises for what a PBX may do."""
        try:
            async with asyncio.timeout(self.order.budget):
                return await _VERBS[self.order.verb](self)
        except TimeoutError:
            detail = f"the PBX took over {self.order.budget:g} s"
            return OrderEnd(Outcome.FAILED, Evidence.SENT, detail)
        except AmiError as problem:
            return failure(problem)

    def _note(self, since: float, sent: str, answer: str, evidence: Evidence) -> None:
        self.steps.append(Step(since, self.clock() - since, sent, answer, evidence))

    def _call_now(self) -> Call | None:
        """Return the call as it is now, or None when none of its channels is left."""
        for channel in self.order.call.channels:
            found = self.pbx.graph.call_of(channel.uniqueid)
            if found is not None:
                return found
        return None

    async def stop(self) -> OrderEnd:
        """Drain every channel of the call, again for as long as recordings start on it."""
        stopped = 0
        for sweep in range(_ROUNDS):
            seen = self._call_now()
            call = seen or self.order.call
            since = self.clock()
            swept = await recording_actions.stop_call(self.pbx, call.channels[0].uniqueid)
            self._note_sweep(since, call, swept)
            stopped += swept.stopped
            # Events that came with the answers are on their way to the graph.
            await self.sleep(_TICK if sweep else 0)
            now, known = self._call_now(), self.pbx.graph.known
            again = known and now is not None and self._may_record(now, swept)
            if swept.proven and not again:
                whole = known and (seen is not None or swept.gone)
                done = swept_call(stopped, len(swept.channels), ended=now is None, whole=whole)
                return await self._mixes(done, now) if now is not None else done
        return OrderEnd(
            Outcome.FAILED,
            Evidence.ACCEPTED,
            f"recordings keep starting on this call ({stopped} were stopped)",
        )

    def _may_record(self, call: Call, swept: recording_actions.CallDrained) -> bool:
        """Return whether a channel of the call may carry a MixMonitor that began meanwhile."""
        unknown = list(call.unknown_monitors)
        if not self.pbx.graph.counts_monitors:  # then no answer of the PBX makes a count known
            unknown = [channel for channel in unknown if channel.uniqueid not in swept.channels]
        return bool(call.monitored or unknown)

    def _note_sweep(self, since: float, call: Call, swept: recording_actions.CallDrained) -> None:
        for uniqueid, drained in swept.channels.items():
            channel = call.channel(uniqueid)
            name = f" ({channel.name})" if channel else ""
            sent = f"StopMixMonitor {uniqueid}{name}, {drained.stopped} stopped"
            self._note(since, sent, drained.answer, Evidence.READ_BACK)

    async def _mixes(self, done: OrderEnd, call: Call) -> OrderEnd:
        """Also end the recording of a whole conference: its channel is not listed."""
        if done.outcome is Outcome.FAILED:
            return done
        mixes = {channel.mix for channel in call.channels}
        stopped = 0
        for name in sorted(mix for mix in mixes if mix):
            since = self.clock()
            try:
                drained = await recording_actions.stop_mix(self.pbx, name)
            except AmiDenied as problem:
                detail = (
                    f"{done.detail}, but conference {name} records all of it and could not be"
                    f" stopped ({problem.answer}): give the AMI account write = system"
                )
                return OrderEnd(Outcome.FAILED, Evidence.READ_BACK, detail)
            self._note(since, f"ConfbridgeStopRecord {name}", drained.answer, Evidence.READ_BACK)
            stopped += drained.stopped
        if None in mixes:
            detail = f"{done.detail}; whether the conference as a whole is recorded is not known"
            return OrderEnd(Outcome.ACCEPTED, Evidence.READ_BACK, detail)
        if stopped:
            detail = f"{done.detail}; the recording of the conference was stopped"
            return OrderEnd(Outcome.CONFIRMED, Evidence.NOTHING_ELSE, detail)
        return done

    async def pause(self) -> OrderEnd:
        """Mute what is known to record; where that is not known or not safe, stop instead."""
        call = self._call_now() or self.order.call
        if not self.pbx.graph.known:
            return await self._stop_instead("the PBX's calls are not known")
        if call.unknown_monitors:
            return await self._stop_instead(unknown(call))
        if any(channel.mix != "" for channel in call.channels):
            return await self._stop_instead("the recording of a conference cannot be muted")
        if not call.monitored:
            return await self._none_seen(call)
        try:
            return await self._set_muted(muted=True)
        except AmiUnsafe as problem:
            return await self._stop_instead(problem.message)

    async def _none_seen(self, call: Call) -> OrderEnd:
        """Return the end of a pause of a call of which no event told that it is recorded.

        While no such event has ever come, an `eventfilter` of the account may keep them from us:
        then a channel that names a file of a MixMonitor may be recorded, and is stopped.
        """
        if not self.pbx.graph.starts_seen:
            since = self.clock()
            files = await recording_actions.named_files(self.pbx, call.channels)
            for uniqueid, file in files.items():
                sent = f"Getvar {uniqueid} MIXMONITOR_FILENAME"
                self._note(since, sent, file, Evidence.READ_BACK)
            if files:
                return await self._stop_instead("a recording may have begun without an event")
        return none_recorded("no channel of this call is recorded")

    async def _stop_instead(self, why: str) -> OrderEnd:
        done = await self.stop()
        detail = f"stopped instead of paused, as {why}: {done.detail}"
        return OrderEnd(done.outcome, done.evidence, detail)

    async def resume(self) -> OrderEnd:
        """Unmute muted recordings. One that was stopped stays stopped: `start` is for that."""
        call = self._call_now() or self.order.call
        if not call.monitored:
            if call.unknown_monitors:
                why = f"{unknown(call)}, so nothing was resumed"
                return OrderEnd(Outcome.FAILED, Evidence.NONE, why)
            return none_recorded("no recording of this call is paused")
        if any(channel.muted for channel in call.monitored):
            return await self._set_muted(muted=False)
        # A pause from before the last connection is not known here; unmuting harms nobody.
        try:
            await self._switch(call.monitored, muted=False)
        except AmiUnsafe:
            return none_recorded("no recording of this call is paused")
        detail = "no pause was known; the PBX accepted that its recordings go on"
        return OrderEnd(Outcome.ACCEPTED, Evidence.ACCEPTED, detail)

    async def _switch(self, channels: Sequence[Channel], *, muted: bool) -> None:
        for channel in channels:
            since = self.clock()
            act = recording_actions.mute if muted else recording_actions.unmute
            done = await act(self.pbx, channel.uniqueid)
            sent = f"MixMonitorMute {channel.uniqueid} ({channel.name}) State={int(muted)}"
            self._note(since, sent, done.answer, Evidence.ACCEPTED)

    async def _set_muted(self, *, muted: bool) -> OrderEnd:
        """Switch what records, and wait for the events that prove it: no answer alone does."""
        word, asked = "muted" if muted else "resumed", set[tuple[str, int | None]]()
        for _ in range(_MUTE_TICKS):
            call = self._call_now()
            if call is None:
                return OrderEnd(Outcome.CALL_ENDED, Evidence.ACCEPTED, "its channels have gone")
            if not call.monitored:
                return none_recorded("its recordings have ended meanwhile")
            waiting = [channel for channel in call.monitored if channel.muted is not muted]
            if not waiting:
                detail = f"{len(call.monitored)} recordings {word}"
                return OrderEnd(Outcome.CONFIRMED, Evidence.NOTHING_ELSE, detail)
            # A recording that starts meanwhile is one more, and not muted.
            fresh = [c for c in waiting if (c.uniqueid, c.monitors) not in asked]
            await self._switch(fresh, muted=muted)
            asked.update((channel.uniqueid, channel.monitors) for channel in fresh)
            await self.sleep(_TICK)
        detail = f"the PBX accepted, and raised no event to prove that they are {word}"
        return OrderEnd(Outcome.ACCEPTED, Evidence.ACCEPTED, detail)

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
        self._note(since, f"MixMonitor {channel.uniqueid} ({channel.name}) {file}", done.answer,
                  Evidence.ACCEPTED)  # fmt: skip
        if done.gone:
            return OrderEnd(Outcome.CALL_ENDED, Evidence.READ_BACK, "its channel has gone")
        detail = f"recording {channel.name} to {file}; whether the file is written is not known"
        return OrderEnd(Outcome.ACCEPTED, Evidence.ACCEPTED, detail)


_VERBS: Final[dict[Verb, Callable[[OrderExecution], Awaitable[OrderEnd]]]] = {
    Verb.STOP: OrderExecution.stop,
    Verb.PAUSE: OrderExecution.pause,
    Verb.RESUME: OrderExecution.resume,
    Verb.START: OrderExecution.start,
}
