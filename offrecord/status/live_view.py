# SPDX-License-Identifier: Apache-2.0
"""The live calls and the state of each of their recorders, from the call graph and the journal.

`offrecord calls` and `top`, the HTTP API and the page all show what `LiveView` returns, and so
cannot contradict each other. The types and the meaning of each state are in `view_types`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ami.calls.graph import CallGraph
from ami.calls.snapshots import Call
from bridges.asterisk.look import NO_LOOK
from bridges.asterisk.ways.listeners import find_taps
from bridges.model import Evidence, Outcome, Recorder, Verb
from offrecord.journal.journal import Record
from offrecord.model.intents import Intent, Intents
from offrecord.presses.site_settings import SiteSettings
from offrecord.status.event_feed import Subscriber
from offrecord.status.view_types import (
    CallView,
    ChannelView,
    IntentView,
    RecorderState,
    RecorderStatus,
)


@dataclass(slots=True)
class _Pressed:
    """The last press on a call. `answers` are journal bodies by recorder."""

    press: str
    verb: str
    outcome: str = ""
    taken_back: str = ""
    """Why the verdict was taken back, empty while it stands."""
    answers: dict[str, Mapping[str, Any]] = field(default_factory=dict)


class LiveView:
    """Combines the call graph, the intents and the presses to one view of the live calls.

    `subscribe` subscribes a callback to the records of the journal. `failing`: from a press id to
    the recorders that have not obeyed its intent. `here`: from an extension to its login, None
    where that is not known without asking the PBX.
    """

    def __init__(
        self,
        subscribe: Callable[[Subscriber], object],
        graph: Callable[[], CallGraph],
        site: Callable[[], SiteSettings],
        intents: Intents,
        failing: Callable[[str], frozenset[str]],
        *,
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
        subscribe(self.on_record)

    # Records

    def on_record(self, record: Record) -> None:
        """Take one record of the journal."""
        kind, press, body = record.kind, record.press, record.body
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
                one.outcome, one.taken_back = str(body["outcome"]), ""
                self._open.discard(press)
            case "closed" if body.get("why") == "solved":
                one.taken_back = ""
            case "taken_back":
                one.outcome, one.taken_back = str(body["outcome"]), str(body["reason"])

    def prune(self) -> None:
        """Forget the presses of calls that are over. Takes time in proportion to the live calls."""
        live = {name for call in self._graph().calls() for name in call.ids}
        held = {intent.id for intent in self._intents}
        self._by_id = {name: press for name, press in self._by_id.items() if name in live}
        wanted = held.union(self._by_id.values(), self._open)
        self._by_press = {name: one for name, one in self._by_press.items() if name in wanted}

    # What is shown

    def calls(self) -> tuple[CallView, ...]:
        """Return every live call, oldest first."""
        return tuple(self.call_view(call) for call in self._graph().calls())

    def call_view(self, call: Call) -> CallView:
        """Return one call as it is shown."""
        intents = self._intents.all_of(call.ids)
        people = {one: login for one in call.extensions if (login := self._here(one))}
        channels = tuple(
            ChannelView(
                one.name, one.uniqueid, one.extension, one.state, one.bridge_id, one.monitors,
                one.muted,
            )
            for one in call.channels
        )  # fmt: skip
        listening = find_taps(self._graph(), call, NO_LOOK)
        return CallView(
            call.linkedid, tuple(call.extensions), people, channels,
            tuple(map(_intent_view, intents)), tuple(self._recorders(call, intents)),
            tuple(f"{one.shown} {one.how}" for one in listening),
        )  # fmt: skip

    def _recorders(self, call: Call, intents: list[Intent]) -> Iterator[RecorderStatus]:
        site = self._site()
        agent = next((login for e in call.extensions if (login := self._here(e))), None)
        routed = site.router.route(call, agent=agent).recorders
        held_names = [name for intent in intents for name in intent.recorders]
        told = self._last(call)
        asked = told.answers if told else {}
        for name in dict.fromkeys((*routed, *held_names, *asked)):
            recorder = site.recorders.get(name)
            if recorder is not None:
                intent = next((one for one in intents if name in one.recorders), None)
                yield self._recorder(call, recorder, intent, told)
        local = (name in site.recorders and site.recorders[name].capabilities.on_pbx
                 for name in (*routed, *held_names))  # fmt: skip
        if site.pbx is not None and not any(local) and _running(call) is RecorderState.RECORDING:
            yield RecorderStatus(
                site.pbx.name, site.pbx.kind, RecorderState.RECORDING, None, None, None, None, None,
                None, "it records on this PBX and no route stops it",
            )  # fmt: skip

    def _recorder(
        self, call: Call, recorder: Recorder, intent: Intent | None, told: _Pressed | None
    ) -> RecorderStatus:
        name, on_pbx = recorder.name, recorder.capabilities.on_pbx
        back = told if told and told.taken_back and (on_pbx or not self._any_on_pbx(told)) else None
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
            # else the recording came back, and is being muted again
            until = intent.until
        if back is not None:
            state = RecorderState.FAILED
            answer = {**answer, "outcome": back.outcome, "detail": back.taken_back,
                      "evidence": Evidence.MEDIA.label}  # fmt: skip
        press = intent.id if intent else (told.press if told and answer else None)
        verb = intent.verb.value if intent else (told.verb if told and answer else None)
        return RecorderStatus(
            name, recorder.kind, state, press, verb, answer.get("outcome"), answer.get("evidence"),
            intent.since if intent else None, until, str(answer.get("detail", "")),
        )  # fmt: skip

    def _any_on_pbx(self, told: _Pressed) -> bool:
        """Return whether a press asked a recorder of the PBX: its files are what was seen."""
        known = self._site().recorders
        return any(name in known and known[name].capabilities.on_pbx for name in told.answers)

    def _promised(
        self, intent: Intent, made: _Pressed | None, answer: Mapping[str, Any]
    ) -> RecorderState:
        """Return the state of a recorder under an intent, by its last answer.

        Without an answer the press is under way, or it was made before the daemon's last start.
        Recorders that had not obeyed by then are retried, and `failing` names them.
        """
        if not answer and intent.id in self._open:
            return RecorderState.ASKING
        outcome = answer.get("outcome", made.outcome if made else "")
        if outcome in {Outcome.FAILED.value, Outcome.DENIED.value}:
            return RecorderState.FAILED
        return RecorderState.PAUSED if intent.verb is Verb.PAUSE else RecorderState.STOPPED

    def _last(self, call: Call) -> _Pressed | None:
        """Return the last press that was resolved to a call."""
        known = [self._by_id[name] for name in call.ids if name in self._by_id]
        return self._by_press.get(max(known)) if known else None  # their ids sort by time


def _running(call: Call) -> RecorderState:
    """Return the state of the PBX's own recorder for a call."""
    heard = [channel for channel in call.monitored if not channel.muted]
    if heard or any(channel.runs_monitor or channel.mix for channel in call.channels):
        return RecorderState.RECORDING
    return RecorderState.UNKNOWN if call.unknown_monitors else RecorderState.IDLE


def _elsewhere(told: _Pressed | None, answer: Mapping[str, Any]) -> RecorderState:
    """Return the state of a recorder outside the PBX that no intent names."""
    good = answer.get("outcome") in {Outcome.CONFIRMED.value, Outcome.ACCEPTED.value}
    if told is not None and good and told.verb in {Verb.RESUME.value, Verb.START.value}:
        return RecorderState.RECORDING
    return RecorderState.UNKNOWN


def _intent_view(intent: Intent) -> IntentView:
    return IntentView(
        intent=intent.id,
        verb=intent.verb.value,
        call=intent.call,
        lineage=tuple(sorted(intent.lineage)),
        recorders=intent.recorders,
        agent=intent.agent,
        since=intent.since,
        until=intent.until,
        maximum=intent.maximum,
        at_end=intent.at_end,
        home=tuple(sorted(intent.home)),
        presser=intent.presser,
        extension=intent.extension,
        facts=dict(intent.facts),
        extended=intent.extended,
        recorded=tuple(sorted(intent.recorded)),
    )


def _ids(body: Mapping[str, Any]) -> Iterator[str]:
    """Yield every id of the call that a press was resolved to."""
    yield str(body.get("call"))
    yield from (str(one) for one in body.get("lineage", ()))
    yield from (str(one["uniqueid"]) for one in body.get("channels", ()))
