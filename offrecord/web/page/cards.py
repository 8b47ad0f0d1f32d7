# SPDX-License-Identifier: Apache-2.0
"""The live calls as the board shows them: cards made of what `Inside.calls` says. Pure."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bridges.model import Verb
from offrecord.status.live_view import RecorderState
from offrecord.web.page import labels
from offrecord.web.page.labels import Look

SHOWN: Final = 200
"""Calls that are shown at most."""

_URGENT: Final = tuple(labels.STATES)


@dataclass(frozen=True, slots=True)
class Person:
    """One extension of a call, and its agent where it is known."""

    extension: str
    agent: str | None


@dataclass(frozen=True, slots=True)
class Badge:
    """One recorder of a call: `look` says its state, `proof` how sure that is."""

    recorder: str
    kind: str
    look: Look
    proof: str
    evidence: str | None
    detail: str
    press: str | None
    until: int | None


@dataclass(frozen=True, slots=True)
class Hold:
    """What a press holds for a call."""

    verb: str
    press: str
    agent: str | None
    since: int
    until: int | None


@dataclass(frozen=True, slots=True)
class Card:
    """One call. `key` changes whenever anything that is shown of it does.

    `name` is how a person would call it. `verbs` are those that make sense for it now.
    """

    call: str
    key: str
    name: str
    people: tuple[Person, ...]
    channels: tuple[Mapping[str, Any], ...]
    badges: tuple[Badge, ...]
    holds: tuple[Hold, ...]
    worst: RecorderState
    verbs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """What is shown of the live calls. `known` is False while the PBX cannot be asked.

    `total` are all live calls, `fit` those that fit the filter; `cards` are at most `SHOWN`.
    """

    known: bool
    cards: tuple[Card, ...]
    total: int
    fit: int
    counts: tuple[tuple[Look, int], ...]


def board(calls: Mapping[str, Any], wanted: str = "") -> Board:
    """Return the board of what `Inside.calls` says; `wanted` is part of a name or number.

    While the calls are not known none is shown: what was true once may not be so now. Calls with
    a recorder that failed come first, then all by age.
    """
    if not calls["known"]:
        return Board(known=False, cards=(), total=0, fit=0, counts=())
    views: Sequence[Mapping[str, Any]] = calls["calls"]
    fitting = [view for view in views if fits(view, wanted)]
    ordered = sorted(fitting, key=lambda view: _worst(view) is not RecorderState.FAILED)
    counted = Counter(_worst(view) for view in views)
    counts = tuple(
        (look, counted[state]) for state, look in labels.STATES.items() if counted[state]
    )
    cards = tuple(card(view) for view in ordered[:SHOWN])
    return Board(known=True, cards=cards, total=len(views), fit=len(fitting), counts=counts)


def fits(view: Mapping[str, Any], wanted: str) -> bool:
    """Say whether an extension, agent, channel or id of a call has `wanted` in it."""
    sought = wanted.strip().casefold()
    return not sought or any(sought in one.casefold() for one in _names(view))


def _names(view: Mapping[str, Any]) -> Iterable[str]:
    yield view["call"]
    yield from view["extensions"]
    yield from view["agents"].values()
    for channel in view["channels"]:
        yield channel["channel"]
        yield channel["uniqueid"]


def card(view: Mapping[str, Any]) -> Card:
    """Return one call of `Inside.calls` as a card."""
    people = tuple(Person(one, view["agents"].get(one)) for one in view["extensions"])
    called = [f"{one.extension} {one.agent}" if one.agent else one.extension for one in people]
    intents = view["intents"]
    holds = tuple(
        Hold(one["verb"], one["intent"], one["agent"], one["since"], one["until"])
        for one in intents
    )
    packed = json.dumps(view, sort_keys=True, default=str).encode()
    return Card(
        view["call"],
        hashlib.sha256(packed).hexdigest()[:16],
        ", ".join(called) or ", ".join(one["channel"] for one in view["channels"]) or view["call"],
        people,
        tuple(view["channels"]),
        tuple(_badge(one) for one in view["recorders"]),
        holds,
        _worst(view),
        _verbs(holds),
    )


def _badge(given: Mapping[str, Any]) -> Badge:
    look = labels.STATES[RecorderState(given["state"])]
    # The outcome says how sure a state is that a press brought about, and nothing of the others.
    outcome = given["outcome"] if look.tone in {"good", "held", "bad"} else None
    label = given["evidence"] if outcome else None
    word = labels.outcome(outcome).word if outcome else ""
    told = word if word != look.word else ""
    proof = " ".join(part for part in (told, label if label != "-" else "") if part)
    return Badge(
        given["recorder"], given["kind"], look, proof, label,
        given["detail"] if look.tone == "bad" else "", given["press"],
        given["until"] if look.tone == "held" else None,
    )  # fmt: skip


def _worst(view: Mapping[str, Any]) -> RecorderState:
    """Return the most urgent state of a call's recorders."""
    states = {RecorderState(one["state"]) for one in view["recorders"]}
    return next((state for state in _URGENT if state in states), RecorderState.UNKNOWN)


def _verbs(holds: Sequence[Hold]) -> tuple[str, ...]:
    """Return the verbs to offer. No button resumes what a party objected to."""
    held = {one.verb for one in holds}
    if Verb.OBJECTION.value in held:
        return (Verb.STOP.value,)
    usual = (Verb.STOP.value, Verb.PAUSE.value)
    return (*usual, Verb.RESUME.value) if held else usual
