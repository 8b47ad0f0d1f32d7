# SPDX-License-Identifier: Apache-2.0
"""The live calls in the order and with the buttons of the board. Pure.

Who is on a call and what each recorder does is found in `offrecord.status.live_view`; the words and
shapes are in `labels`, the HTML of a card in `templates/card.html`.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from bridges.model import Verb
from offrecord.status.view_types import CallView, IntentView, LiveCalls, RecorderState
from offrecord.web.page import labels
from offrecord.web.page.labels import Look

SHOWN: Final = 200
"""Calls that are shown at most."""

_URGENT: Final = tuple(labels.STATES)


@dataclass(frozen=True, slots=True)
class Card:
    """One call. `name` is the call for people, `verbs` those that make sense for it now."""

    view: CallView
    name: str
    worst: RecorderState
    verbs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """The live calls. `known` is False while the PBX cannot be asked.

    `total` counts all live calls, `fit` those that the filter lets through; `cards` are at most
    `SHOWN`. `counts` are calls by their most urgent state.
    """

    known: bool
    cards: tuple[Card, ...]
    total: int
    fit: int
    counts: tuple[tuple[Look, int], ...]


def board(live: LiveCalls, wanted: str = "") -> Board:
    """Return the board of the live calls; `wanted` is part of a name or number.

    While the calls are not known none is shown, as those known before may be over. Calls with a
    recorder that failed come first, then all by age.
    """
    if not live.known:
        return Board(known=False, cards=(), total=0, fit=0, counts=())
    fitting = [view for view in live.calls if fits(view, wanted)]
    ordered = sorted(fitting, key=lambda view: _worst(view) is not RecorderState.FAILED)
    counted = Counter(map(_worst, live.calls))
    counts = tuple(
        (look, counted[state]) for state, look in labels.STATES.items() if counted[state]
    )
    cards = tuple(map(card, ordered[:SHOWN]))
    return Board(known=True, cards=cards, total=len(live.calls), fit=len(fitting), counts=counts)


def fits(view: CallView, wanted: str) -> bool:
    """Return whether `wanted` is part of an extension, agent, channel or id of a call."""
    sought = wanted.strip().casefold()
    return not sought or any(sought in one.casefold() for one in _names(view))


def _names(view: CallView) -> Iterable[str]:
    yield view.call
    yield from view.extensions
    yield from view.agents.values()
    for channel in view.channels:
        yield channel.channel
        yield channel.uniqueid


def card(view: CallView) -> Card:
    """Return one call as a card."""
    people = [f"{one} {view.agents[one]}" if one in view.agents else one for one in view.extensions]
    name = ", ".join(people) or ", ".join(one.channel for one in view.channels) or view.call
    return Card(view, name, _worst(view), _verbs(view.intents))


def _worst(view: CallView) -> RecorderState:
    """Return the most urgent state of a call's recorders."""
    states = {one.state for one in view.recorders}
    return next((state for state in _URGENT if state in states), RecorderState.UNKNOWN)


def _verbs(intents: Sequence[IntentView]) -> tuple[str, ...]:
    """Return the verbs to offer. No button resumes a recording that a party objected to."""
    held = {one.verb for one in intents}
    if Verb.OBJECTION.value in held:
        return (Verb.STOP.value,)
    usual = (Verb.STOP.value, Verb.PAUSE.value)
    return (*usual, Verb.RESUME.value) if held else usual
