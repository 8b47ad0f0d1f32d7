# SPDX-License-Identifier: Apache-2.0
"""What the parts of the keeper share: its numbers, its intents, who it tells, and its tasks."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol

import structlog

from ami.ports import PbxPort
from bridges.model import Outcome, RecorderResult, Verb
from offrecord.enforcement.orders import Engine as GivingEngine
from offrecord.enforcement.orders import OrderSender
from offrecord.enforcement.retry_ladder import Note, RetryLadder, VerdictCallback, obeyed
from offrecord.model.intents import EndedBy, Intent, Intents

RUNAWAY: Final = 32
"""Recordings that may start on one call before something is taken to start them without end."""

SLOW: Final = 5.0
"""Seconds between two silencings of a call on which recordings start without end."""

SETTLE: Final = 0.3
"""Seconds that a transfer has to be over with, before recorders elsewhere are asked again."""

PACE: Final = 2.0
"""Seconds between two times that recorders elsewhere are asked again about one call."""

NOTHING_DONE: Final = frozenset({Outcome.NOTHING_TO_STOP, Outcome.CALL_ENDED})
"""Outcomes of a recorder that had nothing to silence."""

_log = structlog.stdlib.get_logger(__name__)


class State(StrEnum):
    """What an agent's lamp is to show of the call."""

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
    """What is being done for one intent.

    `asked`: its press has had its verdict. `seen` are the channels, `linked` the linkedids, that
    recorders elsewhere were asked about. `cause` is what started again and is not yet silenced:
    channel, uniqueid, why, and when. `failures` counts tries in a row that recorders refused;
    before `quiet` no mere look at the call makes another one.
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
    local: "asyncio.Task[None] | None" = None
    remote: "asyncio.Task[None] | None" = None
    ending: "asyncio.Task[None] | None" = None


@dataclass(frozen=True, slots=True)
class Observers:
    """Who hears of what the keeper does; what they raise is logged and harms nobody.

    `state` hears the presser's extension and login with what is so of the call now; `repeat` that
    a press is still unsolved, and `late` that it was solved after all, both with the channel that
    pressed by its name now; `remind` that a pause is about to end.
    """

    state: Callable[[str | None, str | None, State, Intent | None], None] = (
        lambda _extension, _agent, _state, _intent: None
    )
    repeat: VerdictCallback = lambda _press, _verdict, _channel: None
    late: VerdictCallback = lambda _press, _verdict, _channel: None
    remind: Callable[[Intent, str], None] = lambda _intent, _channel: None

    @staticmethod
    def tell(hear: Callable[..., None], *what: object) -> None:
        """Tell one of them."""
        try:
            hear(*what)
        except Exception:  # noqa: BLE001 - a lamp that fails must not fail a stop
            _log.exception("observer_failed")


class Engine(GivingEngine, Protocol):
    """What is needed of the engine; `offrecord.presses.lifecycle.Engine` is one."""

    @property
    def now(self) -> Callable[[], int]:
        """Milliseconds since the epoch, UTC."""

    @property
    def monotonic(self) -> Callable[[], float]:
        """Seconds."""


@dataclass(slots=True)
class EnforcementContext:
    """What the parts of one keeper work on together."""

    pbx: PbxPort
    engine: Engine
    intents: Intents
    note: Note
    sleep: Callable[[float], Awaitable[None]]
    observers: Observers
    giver: OrderSender
    ladder: RetryLadder
    kept: dict[str, IntentWork] = field(default_factory=dict)
    tasks: "set[asyncio.Task[None]]" = field(default_factory=set)

    def of(self, intent: Intent) -> IntentWork:
        """Return what is being done for an intent."""
        return self.kept.setdefault(intent.id, IntentWork())

    def spawn(self, job: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
        """Do a job in a task of its own; a fault in it is logged and harms no other."""
        task = asyncio.create_task(_guarded(job, name), name=f"keeper-{name}")
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def alarm(self, intent: Intent, what: str, detail: str) -> None:
        """Say loudly that something is not as it should be, in the log and in the journal."""
        _log.error("alarm", what=what, intent=intent.id, call=intent.call, detail=detail)
        self.note(intent.id, "alarm", {"what": what, "detail": detail})

    def say(self, intent: Intent, state: State) -> None:
        """Tell what is so now of the call that an intent is about."""
        told = self.observers.state
        self.observers.tell(told, intent.extension, intent.agent, state, intent)

    def recall(self, intent: Intent) -> None:
        """Have it known which channels were recorded when they were muted.

        After a lost link or a restart the PBX cannot be asked that without more rights; a resume
        would then not know what to let hear again.
        """
        for uniqueid in intent.recorded:
            channel = self.pbx.graph.channel(uniqueid)
            if channel is not None and channel.monitors is None:
                self.pbx.graph.set_monitors(uniqueid, 1)

    def disobeyed(self, results: Sequence[RecorderResult]) -> list[RecorderResult]:
        """Return those of recorders that had to obey and did not."""
        return [one for one in results if self.giver.needed(one) and not obeyed(one)]

    def let_go(self, intent: Intent, why: EndedBy) -> "list[asyncio.Task[None]]":
        """Forget an intent and stop working for it; return the tasks that are about to end."""
        self.intents.end(intent.id)
        tasks = self.ladder.end(intent.id, why)
        kept = self.kept.pop(intent.id, None)
        for task in (kept.local, kept.remote, kept.ending) if kept else ():
            if task is not None and task is not asyncio.current_task():
                task.cancel()
                tasks.append(task)
        return tasks

    def end(self, intent: Intent, why: EndedBy) -> "list[asyncio.Task[None]]":
        """End an intent, journalled; return the tasks that are about to end."""
        tasks = self.let_go(intent, why)
        self.note(intent.id, "intent_ended", {"intent": intent.id, "why": why})
        if why == "call_ended":
            self.say(intent, State.OFF)
        return tasks


async def _guarded(job: Coroutine[Any, Any, None], name: str) -> None:
    try:
        await job
    except Exception:  # noqa: BLE001 - see `EnforcementContext.spawn`
        _log.exception("keeper_job_failed", job=name)
