# SPDX-License-Identifier: Apache-2.0
"""The one view of the live calls and of who records them, for every face of the daemon.

`offrecord calls` and `top`, the HTTP interface and the page all show what stands here, so that
none of them can tell another story than the next.

==============  ==================================================================================
state           what is so
==============  ==================================================================================
`recording`     the PBX records (or records again, under a stop, and is being silenced); of a
                recorder elsewhere: it was told to start or resume, and said yes
`asking`        a press is under way, and its answer is not there yet
`stopped`       a stop or an objection holds, and the recorder obeyed; `outcome` says how sure it is
`paused`        the same of a pause; `until` says when it ends by itself
`failed`        a stop or a pause holds and the recorder has not obeyed: it may be recording
`idle`          the PBX records no leg of the call
`unknown`       nobody has asked; it holds calls such as this one by its route
==============  ==================================================================================
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from ami.calls.graph import CallGraph
from ami.calls.snapshots import Call
from bridges.model import Outcome, Recorder, Verb
from bridges.routing import Router
from offrecord.model.intents import Intent, Intents
from offrecord.presses.find_call import everything


class RecorderState(StrEnum):
    """What is known of one recorder and one call."""

    RECORDING = "recording"
    ASKING = "asking"
    STOPPED = "stopped"
    PAUSED = "paused"
    FAILED = "failed"
    IDLE = "idle"
    UNKNOWN = "unknown"


class Site(Protocol):
    """What is needed of the configured site; `offrecord.presses.ask_recorders.Site` is one."""

    @property
    def recorders(self) -> Mapping[str, Recorder]:
        """The recorders by name."""

    @property
    def router(self) -> Router:
        """The routes."""


@dataclass(frozen=True, slots=True)
class RecorderStatus:
    """One recorder of one call. `press` is the press that stands behind the state.

    `since` and `until` are milliseconds since the epoch, UTC. `detail` is what the recorder said
    last.
    """

    recorder: str
    kind: str
    state: RecorderState
    press: str | None = None
    verb: str | None = None
    outcome: str | None = None
    evidence: str | None = None
    since: int | None = None
    until: int | None = None
    detail: str = ""

    def as_json(self) -> dict[str, object]:
        """Return it as plain data."""
        told = {name: getattr(self, name) for name in self.__slots__}
        return {**told, "state": self.state.value}


@dataclass(slots=True)
class _Pressed:
    """What the last press on a call came to, by recorder; bodies as the journal has them."""

    press: str
    verb: str
    outcome: str = ""
    answers: dict[str, Mapping[str, Any]] = field(default_factory=dict)


class LiveView:
    """Puts together what the graph, the intents and the presses tell of the live calls.

    `heard` is to be told of every record of the journal. `failing` returns the recorders that have
    not obeyed an intent; `here` the login of an extension, where it is known without asking the
    PBX.
    """

    def __init__(
        self,
        graph: Callable[[], CallGraph],
        site: Callable[[], Site],
        intents: Intents,
        failing: Callable[[str], frozenset[str]],
        here: Callable[[str], str | None] = lambda _extension: None,
    ) -> None:
        self._graph = graph
        self._site = site
        self._intents = intents
        self._failing = failing
        self._here = here
        self._by_press: dict[str, _Pressed] = {}
        self._by_id: dict[str, str] = {}
        self._open: set[str] = set()

    # What is told

    def heard(self, kind: str, press: str, body: Mapping[str, Any]) -> None:
        """Take one record of the journal."""
        if kind == "pressed":
            self._open.add(press)
        if kind in {"pressed", "intent"}:  # an intent alone is of a press before a restart
            self._by_press.setdefault(press, _Pressed(press, str(body.get("verb", ""))))
        one = self._by_press.get(press)
        if one is None:
            return
        match kind:
            case "resolved":
                self._by_id.update((name, press) for name in _ids(body))
            case "answered" | "retried":
                one.answers[str(body["recorder"])] = body
            case "reapplied" | "fallback":
                one.answers.update((str(r["recorder"]), r) for r in body.get("results", ()))
            case "verdict":
                one.outcome = str(body["outcome"])
                self._open.discard(press)

    def prune(self) -> None:
        """Let go of what was kept of calls that are over. Costs as much as there are calls."""
        live = {name for call in self._graph().calls() for name in everything(call)}
        held = {intent.id for intent in self._intents}
        self._by_id = {name: press for name, press in self._by_id.items() if name in live}
        wanted = held.union(self._by_id.values(), self._open)
        self._by_press = {name: one for name, one in self._by_press.items() if name in wanted}

    # What is shown

    def calls(self) -> list[dict[str, object]]:
        """Return every live call as plain data, oldest first."""
        return [self.view(call) for call in self._graph().calls()]

    def view(self, call: Call) -> dict[str, object]:
        """Return one call as plain data."""
        intents = self._intents.all_of(everything(call))
        people = {one: login for one in call.extensions if (login := self._here(one))}
        return {
            "call": call.linkedid,
            "extensions": list(call.extensions),
            "agents": people,
            "channels": [
                {
                    "channel": channel.name,
                    "uniqueid": channel.uniqueid,
                    "extension": channel.extension,
                    "state": channel.state,
                    "bridge": channel.bridge_id,
                    "monitors": channel.monitors,
                    "muted": channel.muted,
                }
                for channel in call.channels
            ],
            "intents": [one.body() for one in intents],
            "recorders": [badge.as_json() for badge in self._badges(call, intents)],
        }

    def _badges(self, call: Call, intents: list[Intent]) -> Iterator[RecorderStatus]:
        site = self._site()
        agent = next((login for e in call.extensions if (login := self._here(e))), None)
        routed = site.router.route(call, agent=agent).recorders
        held = (name for intent in intents for name in intent.recorders)
        told = self._last(call)
        asked = told.answers if told else {}
        for name in dict.fromkeys((*routed, *held, *asked)):
            recorder = site.recorders.get(name)
            if recorder is not None:
                intent = next((one for one in intents if name in one.recorders), None)
                yield self._badge(call, recorder, intent, told)

    def _badge(
        self, call: Call, recorder: Recorder, intent: Intent | None, told: _Pressed | None
    ) -> RecorderStatus:
        name, on_pbx = recorder.name, recorder.capabilities.on_pbx
        made = self._by_press.get(intent.id) if intent else None
        answer = next(
            (one.answers[name] for one in (told, made) if one and name in one.answers), {}
        )
        state = _running(call) if on_pbx else _elsewhere(told, answer)
        until = None
        if intent is not None:
            if name in self._failing(intent.id):
                state = RecorderState.FAILED
            elif not on_pbx or state is not RecorderState.RECORDING or not answer:
                state = self._promised(intent, made, answer)
            # else it started again, and is being silenced
            until = intent.until
        press = intent.id if intent else (told.press if told and answer else None)
        verb = intent.verb.value if intent else (told.verb if told and answer else None)
        return RecorderStatus(
            name, recorder.kind, state, press, verb, answer.get("outcome"), answer.get("evidence"),
            intent.since if intent else None, until, str(answer.get("detail", "")),
        )  # fmt: skip

    def _promised(
        self, intent: Intent, made: _Pressed | None, answer: Mapping[str, Any]
    ) -> RecorderState:
        """Return how a recorder stands to an intent, by its last answer.

        Without one its press is under way, or it was made before the daemon's last start: what
        had not obeyed by then is tried again, and so it is among those that fail.
        """
        if not answer and intent.id in self._open:
            return RecorderState.ASKING
        outcome = answer.get("outcome", made.outcome if made else "")
        if outcome in {Outcome.FAILED.value, Outcome.DENIED.value}:
            return RecorderState.FAILED
        return RecorderState.PAUSED if intent.verb is Verb.PAUSE else RecorderState.STOPPED

    def _last(self, call: Call) -> _Pressed | None:
        """Return the last press that was resolved to a call."""
        known = [self._by_id[name] for name in everything(call) if name in self._by_id]
        return self._by_press.get(max(known)) if known else None  # their ids sort by time


def _running(call: Call) -> RecorderState:
    """Return what the PBX itself does with a call."""
    heard = [channel for channel in call.monitored if not channel.muted]
    if heard:
        return RecorderState.RECORDING
    return RecorderState.UNKNOWN if call.unknown_monitors else RecorderState.IDLE


def _elsewhere(told: _Pressed | None, answer: Mapping[str, Any]) -> RecorderState:
    """Return what is known of a recorder elsewhere that no intent is about."""
    good = answer.get("outcome") in {Outcome.CONFIRMED.value, Outcome.ACCEPTED.value}
    if told is not None and good and told.verb in {Verb.RESUME.value, Verb.START.value}:
        return RecorderState.RECORDING
    return RecorderState.UNKNOWN


def _ids(body: Mapping[str, Any]) -> Iterator[str]:
    """Return every id of the call that a press was resolved to."""
    yield str(body.get("call"))
    yield from (str(one) for one in body.get("lineage", ()))
    yield from (str(one["uniqueid"]) for one in body.get("channels", ()))
