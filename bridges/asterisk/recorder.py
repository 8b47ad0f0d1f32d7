# SPDX-License-Identifier: Apache-2.0
"""Asterisk's own recordings: every MixMonitor on every channel of a call.

A MixMonitor hangs on one channel, and which one depends on the dialplan, so a stop sweeps the
whole call: each channel is drained by uniqueid until the PBX answers that none is left there.
That answer is the proof (L2); that it was given for every channel of the call is L4.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Self

from ami import recording_actions
from ami.calls.snapshots import Call, Channel
from ami.errors import AmiDenied, AmiDown, AmiError, AmiInjection, AmiUnsafe
from ami.ports import CallActions
from bridges.model import (
    ORDERS,
    Capabilities,
    Evidence,
    Order,
    Outcome,
    Plan,
    RecorderResult,
    RecorderUnavailable,
    Step,
    Verb,
)

_ROUNDS = 4
"""How often a call is swept again because a recording started on it meanwhile."""

_TICK = 0.02
"""Seconds between two looks at the call, for events that are on their way."""

_MUTE_TICKS = 25
"""How often the call is looked at for the event that proves a mute."""


@dataclass(frozen=True, slots=True)
class MixMonitorSettings:
    """Settings of a `mixmonitor` recorder.

    `file` names the recording that `start` makes, relative to Asterisk's monitor folder;
    `{uniqueid}`, `{linkedid}` and `{extension}` are filled in, and `options` are MixMonitor's
    own. Starting needs the AMI privilege `system`; stopping and pausing do not.
    """

    file: str = "{uniqueid}-restarted.wav"
    options: str = ""

    def __post_init__(self) -> None:
        """Refuse a file name that cannot be filled in, or that could run a command."""
        try:
            made = self.file.format(uniqueid="1.0", linkedid="1.0", extension="410")
        except (KeyError, IndexError, ValueError):
            raise ValueError(
                "file: only {uniqueid}, {linkedid} and {extension} can be filled in"
            ) from None
        if not recording_actions.is_plain_file(made):
            raise ValueError("file: a plain file name is needed, without , ` $ | ; or &")
        if not recording_actions.are_plain_options(self.options):
            raise ValueError("options: letters with arguments in brackets are needed, as a or v(2)")


class MixMonitorRecorder:
    """The recorder of kind `mixmonitor`.

    `clock` returns seconds since the epoch; it and `sleep` are seams.
    """

    kind = "mixmonitor"
    Settings = MixMonitorSettings
    capabilities = Capabilities(frozenset(ORDERS), Evidence.NOTHING_ELSE)

    def __init__(
        self,
        name: str,
        settings: MixMonitorSettings,
        pbx: CallActions,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name = name
        self._settings = settings
        self._pbx = pbx
        self._clock = clock
        self._sleep = sleep

    @classmethod
    def build(cls, name: str, settings: MixMonitorSettings, pbx: CallActions) -> Self:
        """Return the recorder called `name` on one PBX."""
        return cls(name, settings, pbx)

    async def open(self) -> None:
        """Nothing to open: the PBX's link is the daemon's."""

    async def close(self) -> None:
        """Nothing to close."""

    async def probe(self) -> str:
        """Say that the PBX's calls are known; raise `RecorderUnavailable` when they are not."""
        if not self._pbx.graph.known:
            raise RecorderUnavailable(
                self.name, "unreachable", "the PBX's calls are not known", "see the AMI link"
            )
        return f"{len(self._pbx.graph.calls())} calls in view"

    def plan(self, order: Order) -> Plan:
        """Say what `act` would send, sending nothing."""
        action, aims = _PLANS[order.verb](order)
        return Plan(
            self.name,
            self.kind,
            ", ".join(channel.name for channel in aims) or "-",
            tuple(f"{action} Channel={channel.uniqueid} ({channel.name})" for channel in aims),
            None if aims else "no channel of this call is known to carry a MixMonitor",
        )

    async def act(self, order: Order) -> RecorderResult:
        """Carry out one order and say what is proven."""
        run = _Run(self.name, self._settings, self._pbx, self._clock, self._sleep, order)
        try:
            async with asyncio.timeout(order.budget):
                return await _VERBS[order.verb](run)
        except TimeoutError:
            return run.result(
                Outcome.FAILED, Evidence.SENT, f"the PBX took over {order.budget:g} s"
            )
        except AmiError as problem:
            evidence = Evidence.SENT if _was_sent(problem) else Evidence.NONE
            return run.result(Outcome.FAILED, evidence, str(problem))


def _was_sent(problem: AmiError) -> bool:
    if isinstance(problem, AmiDown):
        return problem.sent
    return not isinstance(problem, AmiInjection | AmiUnsafe)


def _unknown(call: Call) -> str:
    names = ", ".join(channel.name for channel in call.unknown_monitors)
    return f"it is not known whether {names} is recorded"


def _recorded_leg(order: Order) -> Channel:
    """Return the channel a new recording is to hang on: the presser's, else a phone's."""
    phones = [channel for channel in order.call.channels if channel.extension]
    return order.presser or (phones or list(order.call.channels))[0]


@dataclass(slots=True)
class _Run:
    """One order being carried out: what was sent, and what it brought."""

    name: str
    settings: MixMonitorSettings
    pbx: CallActions
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    order: Order
    steps: list[Step] = field(default_factory=list)

    def result(self, outcome: Outcome, evidence: Evidence, detail: str) -> RecorderResult:
        return RecorderResult(
            self.name, MixMonitorRecorder.kind, outcome, evidence, detail, tuple(self.steps),
            retryable=outcome is Outcome.FAILED,
        )  # fmt: skip

    def note(self, since: float, sent: str, answer: str, evidence: Evidence) -> None:
        self.steps.append(Step(since, self.clock() - since, sent, answer, evidence))

    def call_now(self) -> Call | None:
        """Return the call as it is now, or None when none of its channels is left."""
        for channel in self.order.call.channels:
            found = self.pbx.graph.call_of(channel.uniqueid)
            if found is not None:
                return found
        return None

    async def stop(self) -> RecorderResult:
        """Drain every channel of the call, again for as long as recordings start on it."""
        stopped = 0
        for sweep in range(_ROUNDS):
            seen = self.call_now()
            call = seen or self.order.call
            since = self.clock()
            swept = await recording_actions.stop_call(self.pbx, call.channels[0].uniqueid)
            self._note_sweep(since, call, swept)
            stopped += swept.stopped
            # Events that came with the answers are on their way to the graph.
            await self.sleep(_TICK if sweep else 0)
            now, known = self.call_now(), self.pbx.graph.known
            again = known and now is not None and (now.monitored or now.unknown_monitors)
            if swept.proven and not again:
                whole = known and (seen is not None or swept.gone)
                done = self._swept(stopped, swept, ended=now is None, whole=whole)
                return await self._mixes(done, now) if now is not None else done
        return self.result(
            Outcome.FAILED,
            Evidence.ACCEPTED,
            f"recordings keep starting on this call ({stopped} were stopped)",
        )

    def _note_sweep(self, since: float, call: Call, swept: recording_actions.CallDrained) -> None:
        for uniqueid, drained in swept.channels.items():
            channel = call.channel(uniqueid)
            name = f" ({channel.name})" if channel else ""
            sent = f"StopMixMonitor {uniqueid}{name}, {drained.stopped} stopped"
            self.note(since, sent, drained.answer, Evidence.READ_BACK)

    def _swept(
        self, stopped: int, swept: recording_actions.CallDrained, *, ended: bool, whole: bool
    ) -> RecorderResult:
        looked_at = f"{len(swept.channels)} channel{'s' if len(swept.channels) > 1 else ''}"
        if not whole:
            detail = (
                f"{stopped} stopped on {looked_at}, but the PBX's calls are not known: another"
                " channel of this call may be recorded"
            )
            return self.result(Outcome.FAILED, Evidence.READ_BACK, detail)
        if stopped:
            detail = f"{stopped} stopped, none left on {looked_at}"
            return self.result(Outcome.CONFIRMED, Evidence.NOTHING_ELSE, detail)
        if ended:
            return self.result(Outcome.CALL_ENDED, Evidence.READ_BACK, "its channels have gone")
        detail = f"none was running on {looked_at}"
        return self.result(Outcome.NOTHING_TO_STOP, Evidence.NOTHING_ELSE, detail)

    async def _mixes(self, done: RecorderResult, call: Call) -> RecorderResult:
        """Also end what records a conference as a whole: that hangs on a channel nobody shows."""
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
                return self.result(Outcome.FAILED, Evidence.READ_BACK, detail)
            self.note(since, f"ConfbridgeStopRecord {name}", drained.answer, Evidence.READ_BACK)
            stopped += drained.stopped
        if None in mixes:
            detail = f"{done.detail}; whether the conference as a whole is recorded is not known"
            return self.result(Outcome.ACCEPTED, Evidence.READ_BACK, detail)
        if stopped:
            detail = f"{done.detail}; the recording of the conference was stopped"
            return self.result(Outcome.CONFIRMED, Evidence.NOTHING_ELSE, detail)
        return done

    async def pause(self) -> RecorderResult:
        """Mute what is known to record; where that is not known or not safe, stop instead."""
        call = self.call_now() or self.order.call
        if not self.pbx.graph.known:
            return await self._stop_instead("the PBX's calls are not known")
        if call.unknown_monitors:
            return await self._stop_instead(_unknown(call))
        if any(channel.mix != "" for channel in call.channels):
            return await self._stop_instead("the recording of a conference cannot be muted")
        if not call.monitored:
            return self._none("no channel of this call is recorded")
        try:
            return await self._set_muted(muted=True)
        except AmiUnsafe as problem:
            return await self._stop_instead(problem.message)

    async def _stop_instead(self, why: str) -> RecorderResult:
        done = await self.stop()
        detail = f"stopped instead of paused, as {why}: {done.detail}"
        return self.result(done.outcome, done.evidence, detail)

    async def resume(self) -> RecorderResult:
        """Let muted recordings hear again. One that was stopped stays so: that is `start`."""
        call = self.call_now() or self.order.call
        if not call.monitored:
            if call.unknown_monitors:
                why = f"{_unknown(call)}, so nothing was resumed"
                return self.result(Outcome.FAILED, Evidence.NONE, why)
            return self._none("no recording of this call is paused")
        if any(channel.muted for channel in call.monitored):
            return await self._set_muted(muted=False)
        # A pause from before the last connection is not known here; unmuting harms nobody.
        try:
            await self._switch(call.monitored, muted=False)
        except AmiUnsafe:
            return self._none("no recording of this call is paused")
        detail = "no pause was known; the PBX accepted that its recordings go on"
        return self.result(Outcome.ACCEPTED, Evidence.ACCEPTED, detail)

    def _none(self, detail: str) -> RecorderResult:
        return self.result(Outcome.NOTHING_TO_STOP, Evidence.NOTHING_ELSE, detail)

    async def _switch(self, channels: Sequence[Channel], *, muted: bool) -> None:
        for channel in channels:
            since = self.clock()
            act = recording_actions.mute if muted else recording_actions.unmute
            done = await act(self.pbx, channel.uniqueid)
            sent = f"MixMonitorMute {channel.uniqueid} ({channel.name}) State={int(muted)}"
            self.note(since, sent, done.answer, Evidence.ACCEPTED)

    async def _set_muted(self, *, muted: bool) -> RecorderResult:
        """Switch what records, and wait for the events that prove it: no answer alone does."""
        word, asked = "muted" if muted else "resumed", set[tuple[str, int | None]]()
        for _ in range(_MUTE_TICKS):
            call = self.call_now()
            if call is None:
                return self.result(Outcome.CALL_ENDED, Evidence.ACCEPTED, "its channels have gone")
            if not call.monitored:
                return self._none("its recordings have ended meanwhile")
            waiting = [channel for channel in call.monitored if channel.muted is not muted]
            if not waiting:
                detail = f"{len(call.monitored)} recordings {word}"
                return self.result(Outcome.CONFIRMED, Evidence.NOTHING_ELSE, detail)
            # A recording that starts meanwhile is one more, and not muted.
            fresh = [c for c in waiting if (c.uniqueid, c.monitors) not in asked]
            await self._switch(fresh, muted=muted)
            asked.update((channel.uniqueid, channel.monitors) for channel in fresh)
            await self.sleep(_TICK)
        detail = f"the PBX accepted, and raised no event to prove that they are {word}"
        return self.result(Outcome.ACCEPTED, Evidence.ACCEPTED, detail)

    async def start(self) -> RecorderResult:
        """Begin a new recording on the presser's channel."""
        channel = _recorded_leg(self.order)
        file = self.settings.file.format(
            uniqueid=channel.uniqueid,
            linkedid=self.order.call.linkedid,
            extension=channel.extension or "",
        )
        since = self.clock()
        done = await recording_actions.start(
            self.pbx, channel.uniqueid, file, self.settings.options
        )
        self.note(since, f"MixMonitor {channel.uniqueid} ({channel.name}) {file}", done.answer,
                  Evidence.ACCEPTED)  # fmt: skip
        if done.gone:
            return self.result(Outcome.CALL_ENDED, Evidence.READ_BACK, "its channel has gone")
        detail = f"recording {channel.name} to {file}; whether the file is written is not known"
        return self.result(Outcome.ACCEPTED, Evidence.ACCEPTED, detail)


_VERBS: dict[Verb, Callable[[_Run], Awaitable[RecorderResult]]] = {
    Verb.STOP: _Run.stop,
    Verb.PAUSE: _Run.pause,
    Verb.RESUME: _Run.resume,
    Verb.START: _Run.start,
}

_PLANS: dict[Verb, Callable[[Order], tuple[str, Sequence[Channel]]]] = {
    Verb.STOP: lambda order: ("StopMixMonitor", order.call.channels),
    Verb.PAUSE: lambda order: ("MixMonitorMute State=1", order.call.monitored),
    Verb.RESUME: lambda order: ("MixMonitorMute State=0", order.call.monitored),
    Verb.START: lambda order: ("MixMonitor", (_recorded_leg(order),)),
}
