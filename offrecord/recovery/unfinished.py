# SPDX-License-Identifier: Apache-2.0
"""Presses and intents that the previous daemon process left unfinished, by their records. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final, cast

from bridges.model import Outcome, Verb
from offrecord.model.press import WAYS, Press, Way

Records = Sequence[tuple[str, int, Mapping[str, Any]]]
"""The records of one press as (kind, at, body), oldest first."""

_DONE: Final = frozenset({Outcome.CONFIRMED, Outcome.ACCEPTED, Outcome.CONTAINED})

_UNSOLVED: Final = frozenset({Outcome.FAILED, Outcome.DENIED})

_CHANNELS: Final = ("channel", "uniqueid")


@dataclass(frozen=True, slots=True)
class OpenPress:
    """A press that was accepted and is not closed.

    `ids` are all ids that its call is known to have had. `answered` holds the last answer of each
    recorder, as the journal has it, later tries included; `verdict` the outcome of the last
    verdict, None where there is none yet. `allowed` says that the recorders were being asked,
    `overridden` that a later press on the call turned recording on again. `ours` is False for a
    record that this version cannot read.
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
    """The presses and intents that the previous daemon process left unfinished."""

    presses: tuple[OpenPress, ...] = ()
    intents: tuple[OpenIntent, ...] = ()

    def __bool__(self) -> bool:
        """Return whether there is anything."""
        return bool(self.presses or self.intents)


def open_presses(
    records: Mapping[str, Records],
    now: int,
    monotonic: float,
) -> tuple[OpenPress, ...]:
    """Return the presses that are not finished.

    `records` are those of each press, by its id. `now` is milliseconds
    since the epoch, UTC, `monotonic` seconds, both of this moment.
    """
    made = (_open_press(id_, each, now, monotonic) for id_, each in records.items())
    return tuple(one for one in made if one is not None)


def mark_overridden(
    presses: Iterable[OpenPress],
    later: Mapping[str, Records],
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


def _open_press(id_: str, records: Records, now: int, monotonic: float) -> OpenPress | None:
    by_kind: dict[str, list[Mapping[str, Any]]] = {}
    for kind, _, body in records:
        by_kind.setdefault(kind, []).append(body)
    if "pressed" not in by_kind or "closed" in by_kind:
        return None
    verdict = outcome_of(by_kind["verdict"][-1]) if "verdict" in by_kind else None
    if verdict is not None and "joined" in by_kind:
        return None  # the press that it joined is the one that is retried
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
    """Return whether a press is one that is retried until its call ends."""
    silences = str(pressed.get("verb")) in {verb.value for verb in Verb if verb.silences}
    return silences and outcome_of(verdict) in _UNSOLVED and bool(_list(verdict.get("recorders")))


def open_intents(
    records: Mapping[str, Records],
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
    """Return the outcome in a record's body, `failed` for an unknown word."""
    word = str(body.get("outcome"))
    return Outcome(word) if word in set(Outcome) else Outcome.FAILED


def _press(id_: str, at: int, body: Mapping[str, Any], received: float) -> tuple[Press, bool]:
    """Return a press from its record, and whether this version could read it."""
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
