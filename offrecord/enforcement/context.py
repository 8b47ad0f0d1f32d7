# SPDX-License-Identifier: Apache-2.0
"""State shared by the enforcement tasks of one PBX: constants, intents, observers, tasks."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import structlog

from ami.ports import PbxPort
from bridges.model import Outcome, RecorderResult, Verb
from offrecord.enforcement.orders import OrderSender
from offrecord.enforcement.retry_ladder import RetryLadder, VerdictCallback, obeyed
from offrecord.model.intents import EndedBy, Intent, Intents
from offrecord.model.press import Press
from offrecord.presses.records import WriteRecord

RUNAWAY: Final = 32
"""Recordings that may start on one call before an alarm says that they start without end."""

SLOW: Final = 5.0
"""Seconds between two orders for a call on which recordings start without end."""

BLIND: Final = 1.0
"""Seconds between two orders for a call of which the PBX raises no events of recordings."""

SETTLE: Final = 0.3
"""Seconds from a change of a call to the order for recorders elsewhere: a transfer takes time."""

PACE: Final = 2.0
"""Seconds between two orders for recorders elsewhere about one call."""

NOTHING_DONE: Final = frozenset({Outcome.NOTHING_TO_STOP, Outcome.CALL_ENDED})
"""Outcomes of a recorder that had nothing to stop."""

_log = structlog.stdlib.get_logger(__name__)


class State(StrEnum):
    """The recording state of a call, as an agent's lamp shows it."""

    RECORDING = "recording"
    STOPPED = "stopped"
    PAUSED = "paused"
    FAILED = "failed"
    OFF = "off"


STATES: Final[Mapping[Verb, State]] = {
    Verb.STOP: State.STOPPED,
    Verb.OBJECTION: State.STOPPED,
    Verb.PAUSE: State.PAUSED,
}


@dataclass(slots=True)
class IntentWork:
    """The state of the work for one intent.

    `asked`: its press has its verdict. `restarts` counts recordings that started under it. `seen`
    are the channels, `linked` the linkedids, that recorders elsewhere were asked about. `cause` is
    the recording that started and is not stopped yet: channel, uniqueid, why, and monotonic
    seconds. `failures` counts refused tries in a row; the periodic check makes no other one before
    `quiet`, in monotonic seconds. `told`: the newest press on all recorders, and their results.
    `local`, `remote` and `ending` are the tasks that run.
    """

    asked: bool = False
    restarts: int = 0
    alarmed: bool = False
    unseen: bool = False
    reminded: bool = False
    quiet: float = 0.0
    failures: int = 0
    changed: str = ""
    cause: tuple[str, str, str, float] | None = None
    seen: set[str] = field(default_factory=set)
    linked: set[str] = field(default_factory=set)
    told: tuple[Press, Sequence[RecorderResult]] | None = None
    local: "asyncio.Task[None] | None" = None
    remote: "asyncio.Task[None] | None" = None
    ending: "asyncio.Task[None] | None" = None


@dataclass(frozen=True, slots=True)
class Observers:
    """Callbacks for lamps, tones and reminders. An exception in one is logged, then ignored.

    `state(extension, state)` is called when the recording state of a call changes; `extension` is
    the presser's. `repeat(press, verdict, channel)` is called while a press is unsolved, `late`
    with the same arguments once it was solved after all; `channel` is the presser's, by the name
    it has now. `remind(channel, uniqueid)` is called before a pause ends.
    """

    state: Callable[[str | None, State], None] = lambda _extension, _state: None
    repeat: VerdictCallback = lambda _press, _verdict, _channel: None
    late: VerdictCallback = lambda _press, _verdict, _channel: None
    remind: Callable[[str, str], None] = lambda _channel, _uniqueid: None

    @staticmethod
    def notify(callback: Callable[..., None], *arguments: object) -> None:
        """Call one of them."""
        try:
            callback(*arguments)
        except Exception:  # noqa: BLE001 - a lamp that fails must not fail a stop
            _log.exception("observer_failed")


@dataclass(slots=True)
class EnforcementContext:
    """State shared by the enforcement tasks of one PBX.

    `write` writes a record to the journal. `now` returns milliseconds since the epoch, UTC,
    `monotonic` seconds. `work` is the state of the work by intent.
    """

    pbx: PbxPort
    orders: OrderSender
    intents: Intents
    write: WriteRecord
    observers: Observers
    retry_ladder: RetryLadder
    now: Callable[[], int]
    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    work: dict[str, IntentWork] = field(default_factory=dict)
    tasks: "set[asyncio.Task[None]]" = field(default_factory=set)

    def work_for(self, intent: Intent) -> IntentWork:
        """Return the state of the work for an intent."""
        return self.work.setdefault(intent.id, IntentWork())

    def spawn(self, job: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
        """Run a job in a task of its own; an exception in it is logged and ends no other task."""
        task = asyncio.create_task(_guarded(job, name), name=f"enforcer-{name}")
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def alarm(self, intent: Intent, what: str, detail: str) -> None:
        """Log and journal that something is wrong and a person has to look at it."""
        _log.error("alarm", what=what, intent=intent.id, call=intent.call, detail=detail)
        self.write(intent.id, "alarm", {"what": what, "detail": detail})

    def report_state(self, intent: Intent, state: State) -> None:
        """Report the call's current recording state to the observers."""
        self.observers.notify(self.observers.state, intent.extension, state)

    def restore_monitors(self, intent: Intent) -> None:
        """Restore the MixMonitor count of channels that were recorded when they were muted.

        After a reconnect or a restart the count is unknown, and `resume` needs it.
        """
        for uniqueid in intent.recorded:
            channel = self.pbx.graph.channel(uniqueid)
            if channel is not None and channel.monitors is None:
                self.pbx.graph.set_monitors(uniqueid, 1)

    def disobeyed(self, results: Sequence[RecorderResult]) -> list[RecorderResult]:
        """Return the results of recorders that had to obey and did not."""
        return [one for one in results if self.orders.needed(one) and not obeyed(one)]

    def drop(self, intent: Intent, why: EndedBy) -> "list[asyncio.Task[None]]":
        """Remove an intent and stop working for it; return the tasks that are about to end."""
        self.intents.end(intent.id)
        tasks = self.retry_ladder.end(intent.id, why)
        work = self.work.pop(intent.id, None)
        for task in (work.local, work.remote, work.ending) if work else ():
            if task is not None and task is not asyncio.current_task():
                task.cancel()
                tasks.append(task)
        return tasks

    def end(self, intent: Intent, why: EndedBy) -> "list[asyncio.Task[None]]":
        """End an intent, journalled; return the tasks that are about to end."""
        tasks = self.drop(intent, why)
        self.write(intent.id, "intent_ended", {"intent": intent.id, "why": why})
        if why == "call_ended":
            self.report_state(intent, State.OFF)
        return tasks


async def _guarded(job: Coroutine[Any, Any, None], name: str) -> None:
    try:
        await job
    except Exception:  # noqa: BLE001 - see `EnforcementContext.spawn`
        _log.exception("enforcer_job_failed", job=name)
