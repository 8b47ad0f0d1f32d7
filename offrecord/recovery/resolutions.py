# SPDX-License-Identifier: Apache-2.0
"""What becomes of what a daemon left open when it died: a pure decision over its records.

A press is carried on only while the same call is still up, and only where that repeats nothing a
recorder may have done already. Everything else is closed, with the truth about it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, cast

from bridges.model import (
    Capabilities,
    Evidence,
    Order,
    Outcome,
    Plan,
    Recorder,
    RecorderResult,
    Verb,
)
from offrecord.model.press import WAYS, Press, Way

INTERRUPTED: Final = "interrupted: the daemon ended before this was done"

_DONE: Final = frozenset({Outcome.CONFIRMED, Outcome.ACCEPTED, Outcome.CONTAINED})

_UNSOLVED: Final = frozenset({Outcome.FAILED, Outcome.DENIED})

_CHANNELS: Final = ("channel", "uniqueid")


@dataclass(frozen=True, slots=True)
class OpenPress:
    """A press that was accepted and is not closed.

    `ids` is everything its call is known to have gone by. `answered` holds the last answer of each
    recorder, as the journal has it, later tries included; `verdict` the outcome of the last
    verdict, None where there is none yet. `allowed`: the recorders of its call were being asked.
    `overridden`: recording was turned on again by a later press on its call. `ours` is False for
    a record that this version cannot read.
    """

    press: Press
    call: str | None
    ids: frozenset[str]
    answered: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    verdict: Outcome | None = None
    allowed: bool = False
    overridden: bool = False
    ours: bool = True


@dataclass(frozen=True, slots=True)
class OpenIntent:
    """An intent that has not ended: its record's body, `until` as it was last extended."""

    press: str
    at: int
    body: Mapping[str, Any]
    ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class OpenWork:
    """What a daemon left open."""

    presses: tuple[OpenPress, ...] = ()
    intents: tuple[OpenIntent, ...] = ()

    def __bool__(self) -> bool:
        """Say whether there is anything."""
        return bool(self.presses or self.intents)


class Resolution(StrEnum):
    """What becomes of one press."""

    FINISH = "finish"
    """It is carried out now."""
    RETRY = "retry"
    """It had ended badly, and is tried again until its call ends."""
    FAIL = "fail"
    """It is closed as `failed`."""
    CALL_ENDED = "call_ended"
    """It is closed as `call_ended`."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one press, and why."""

    left: OpenPress
    fate: Resolution
    why: str


@dataclass(frozen=True, slots=True)
class Decisions:
    """What becomes of everything: of each press, and of the intents."""

    presses: tuple[Decision, ...]
    restore: tuple[OpenIntent, ...]
    end: tuple[OpenIntent, ...]


def decide(left: OpenWork, live: frozenset[str] | None, unknown: str = "") -> Decisions:
    """Decide about everything that was left open.

    `live` holds every id by which a live call is known, None where the PBX could not say; then
    `unknown` is why, and intents are neither restored nor ended.
    """
    presses = tuple(_fate(one, live, unknown) for one in left.presses)
    if live is None:
        return Decisions(presses, (), ())
    up = [bool(one.ids & live) for one in left.intents]
    restore = tuple(one for one, is_up in zip(left.intents, up, strict=True) if is_up)
    end = tuple(one for one, is_up in zip(left.intents, up, strict=True) if not is_up)
    return Decisions(presses, restore, end)


def _fate(left: OpenPress, live: frozenset[str] | None, unknown: str) -> Decision:
    press, fate = left.press, Resolution.FAIL
    nameless = left.call is None and press.uniqueid is None
    if not left.ours:
        why = f"{INTERRUPTED}, and its record cannot be read"
    elif live is None:
        why = f"{INTERRUPTED}, and {unknown}"
    elif not left.ids & live and nameless:
        why = f"{INTERRUPTED}, and nobody knows which call {press.target} was"
    elif not left.ids & live:
        fate, why = Resolution.CALL_ENDED, "the call had ended when the daemon was back"
    elif left.verdict is not None:
        fate, why = Resolution.RETRY, "the call is still up"
    elif left.overridden:
        why = f"{INTERRUPTED}, and recording was turned on again by a later press"
    elif not press.verb.silences:
        # Nobody is harmed by silence; a second start would make a second recording.
        why = f"{INTERRUPTED}, and a {press.verb.value} is not repeated"
    else:
        fate, why = Resolution.FINISH, "the call is still up"
    return Decision(left, fate, why)


def retarget(left: OpenPress, live: frozenset[str]) -> Press:
    """Return the press so that it means the call it meant, and no other one.

    An extension may be on another call by now, and the channel that pressed may have left while
    its call goes on.
    """
    press = left.press
    if press.uniqueid in live or (press.uniqueid is not None and not left.allowed):
        return press
    there = sorted(left.ids & live)
    if not there:
        return press
    target = left.call if left.call in there else there[0]
    return replace(press, way="cli", target=str(target), uniqueid=None)


def open_presses(
    records: Mapping[str, Sequence[tuple[str, int, Mapping[str, Any]]]],
    now: int,
    monotonic: float,
) -> tuple[OpenPress, ...]:
    """Return the open ones of some presses.

    `records` holds those of each press as `(kind, at, body)`, oldest first. `now` is milliseconds
    since the epoch, `monotonic` seconds, both of this moment.
    """
    made = (_open_press(id_, each, now, monotonic) for id_, each in records.items())
    return tuple(one for one in made if one is not None)


def mark_overridden(
    presses: Iterable[OpenPress],
    later: Mapping[str, Sequence[tuple[str, int, Mapping[str, Any]]]],
) -> tuple[OpenPress, ...]:
    """Return open presses, marked where one of the `later` ones turned recording on again.

    `later` holds the records of presses that start or resume; ids of presses sort by time.
    """
    turned_on = [
        (id_, ids_of(*(body for _, _, body in each)))
        for id_, each in later.items()
        if any(kind == "verdict" and outcome_of(body) in _DONE for kind, _, body in each)
    ]
    return tuple(
        replace(one, overridden=any(id_ > one.press.id and ids & one.ids for id_, ids in turned_on))
        for one in presses
    )


def _open_press(
    id_: str, records: Sequence[tuple[str, int, Mapping[str, Any]]], now: int, monotonic: float
) -> OpenPress | None:
    by_kind: dict[str, list[Mapping[str, Any]]] = {}
    for kind, _, body in records:
        by_kind.setdefault(kind, []).append(body)
    if "pressed" not in by_kind or "closed" in by_kind:
        return None
    verdict = outcome_of(by_kind["verdict"][-1]) if "verdict" in by_kind else None
    if verdict is not None and "joined" in by_kind:
        return None  # what is tried again is the press it was joined to
    if verdict is not None and not _tried_again(by_kind["pressed"][0], by_kind["verdict"][-1]):
        return None
    at = next(at for kind, at, _ in records if kind == "pressed")
    press, ours = _press(id_, at, by_kind["pressed"][0], monotonic - (now - at) / 1000)
    called = [*by_kind.get("resolved", ()), *by_kind.get("intent", ())]
    ids = ids_of(*called) | {one for one in (press.uniqueid, press.target) if one}
    call = next((str(body["call"]) for body in reversed(called) if body.get("call")), None)
    told = [*by_kind.get("answered", ()), *by_kind.get("retried", ())]
    answered = {str(body.get("recorder")): body for body in told}
    allowed = bool(told) or "intent" in by_kind
    return OpenPress(press, call, ids, MappingProxyType(answered), verdict, allowed, ours=ours)


def _tried_again(pressed: Mapping[str, Any], verdict: Mapping[str, Any]) -> bool:
    """Say whether a press is one of those that are tried again until their call ends."""
    silences = str(pressed.get("verb")) in {verb.value for verb in Verb if verb.silences}
    return silences and outcome_of(verdict) in _UNSOLVED and bool(_list(verdict.get("recorders")))


def open_intents(
    records: Mapping[str, Sequence[tuple[str, int, Mapping[str, Any]]]],
) -> tuple[OpenIntent, ...]:
    """Return the intents in the records of some presses that have not ended."""
    found: dict[str, OpenIntent] = {}
    for id_, each in records.items():
        for kind, at, body in each:
            name = str(body.get("intent", id_))
            if kind == "intent":
                found[name] = OpenIntent(id_, at, body, ids_of(body))
            elif kind == "extended" and name in found:
                later = {**found[name].body, "until": body.get("until"), "extended": True}
                found[name] = replace(found[name], body=MappingProxyType(later))
            elif kind == "intent_ended":
                found.pop(name, None)
    every = {one.press: ids_of(*(body for _, _, body in records[one.press]))
             for one in found.values()}  # fmt: skip
    return tuple(replace(one, ids=one.ids | every[one.press]) for one in found.values())


def ids_of(*bodies: Mapping[str, Any]) -> frozenset[str]:
    """Return every id of a call in the bodies of records: linkedids, uniqueids, channels."""
    found: set[object] = set()
    for body in bodies:
        found.add(body.get("call"))
        found.update(_list(body.get("lineage")))
        for channel in _list(body.get("channels")):
            if isinstance(channel, Mapping):
                found.add(channel.get("uniqueid"))
    return frozenset(one for one in found if isinstance(one, str) and one)


def _list(value: object) -> Iterable[Any]:
    return value if isinstance(value, list | tuple) else ()


def outcome_of(body: Mapping[str, Any]) -> Outcome:
    """Return the outcome in a record's body, `failed` for a word that nobody knows."""
    word = str(body.get("outcome"))
    return Outcome(word) if word in set(Outcome) else Outcome.FAILED


def _press(id_: str, at: int, body: Mapping[str, Any], received: float) -> tuple[Press, bool]:
    """Return a press from its record, and whether that could be read."""
    verb, way = str(body.get("verb")), str(body.get("way"))
    ours = verb in set(Verb) and way in WAYS
    texts = {key: str(body[key]) for key in (*_CHANNELS, "agent", "recorder") if body.get(key)}
    options = body.get("options")
    press = Press(
        id_, Verb(verb) if ours else Verb.STOP, cast("Way", way) if ours else "cli",
        str(body.get("target", "")), at, received,
        options=MappingProxyType(dict(options) if isinstance(options, Mapping) else {}),
        **cast("Any", texts),
    )  # fmt: skip
    return press, ours


class NoRepeatRecorder:
    """A recorder that is asked for a press which a crash cut short: nothing is done twice.

    One whose state can be read is asked: its `act` begins by reading. One that can not (its best
    evidence is below L2) is asked only where a repetition is harmless: a stop that names the call
    by an id of its own. What it had accepted before the crash counts as it was.
    """

    def __init__(self, recorder: Recorder, answered: Mapping[str, Any] | None) -> None:
        self._recorder = recorder
        self._answered = answered

    @property
    def name(self) -> str:
        """The configured name."""
        return self._recorder.name

    @property
    def kind(self) -> str:
        """The kind."""
        return self._recorder.kind

    @property
    def capabilities(self) -> Capabilities:
        """What this kind can do."""
        return self._recorder.capabilities

    async def open(self) -> None:
        """Nothing to open: the recorder itself is."""

    async def close(self) -> None:
        """Nothing to close."""

    async def probe(self) -> str:
        """As the recorder itself."""
        return await self._recorder.probe()

    def plan(self, order: Order) -> Plan:
        """As the recorder itself."""
        return self._recorder.plan(order)

    async def act(self, order: Order) -> RecorderResult:
        """Ask the recorder, or say why it is not asked again."""
        if self.capabilities.best_evidence >= Evidence.READ_BACK:
            return await self._recorder.act(order)
        if self._answered is not None:
            before = result_of(self._answered, self._recorder)
            if before.outcome is not Outcome.FAILED or not before.retryable:
                return before
        elif not order.verb.silences or not _by_own_id(self.plan(order), order):
            detail = f"{INTERRUPTED}; it may have been asked, and a repetition could do harm"
            return RecorderResult(self.name, self.kind, Outcome.FAILED, Evidence.NONE, detail)
        return await self._recorder.act(order)


def careful(
    recorders: Mapping[str, Recorder], answered: Mapping[str, Mapping[str, Any]]
) -> dict[str, Recorder]:
    """Return the recorders so that none of them does anything twice."""
    return {name: NoRepeatRecorder(one, answered.get(name)) for name, one in recorders.items()}


def _by_own_id(plan: Plan, order: Order) -> bool:
    """Say whether a plan's target is an id of the call: that can never mean another call."""
    return plan.target.partition(" ")[0] in order.call.ids


def result_of(body: Mapping[str, Any], recorder: Recorder) -> RecorderResult:
    """Return the result of a recorder as its record has it, without the steps."""
    labels = {level.label: level for level in Evidence}
    return RecorderResult(
        recorder.name, recorder.kind, outcome_of(body),
        labels.get(str(body.get("evidence")), Evidence.NONE),
        f"{body.get('detail', '')} (answered before the daemon ended)",
        retryable=bool(body.get("retryable")),
    )  # fmt: skip
