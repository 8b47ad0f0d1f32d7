# SPDX-License-Identifier: Apache-2.0
"""Compare calls over there with the call here, by number, remote party and time. Pure.

The rules are the same for every vendor. What is compared, each vendor's `find_call` decides: that
is the file to open first when one vendor's wrong call is chosen.

Two systems that share no call id still share who talks with whom, and since when. The one live
call of the other system that fits is chosen, with the reason; several that fit are ambiguous, and
nothing is guessed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from bridges.shared.call_parties import Parties
from bridges.shared.phone_numbers import Match, Numbering, plain

Item = TypeVar("Item")

_WHOLE: Final = 7
"""Digits from which a number is taken for a whole one: short ones may be written in many ways."""


@dataclass(frozen=True, slots=True)
class Candidate(Generic[Item]):
    """A live call or recording of the other system.

    `label` names it to people. `began` are the times, in seconds since the epoch, at any of which
    it may have begun; `numbers` its remote parties.
    """

    item: Item
    label: str
    began: tuple[float, ...] = ()
    numbers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chosen(Generic[Item]):
    """The candidate that fits, and why."""

    item: Item
    why: str


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Several fit, or one of which that cannot be said for sure; `str` is for people."""

    labels: tuple[str, ...]
    why: str

    def __str__(self) -> str:
        """Return the sentence an outcome carries."""
        return f"ambiguous: {self.why}: {', '.join(self.labels)}"


def pick(
    candidates: Sequence[Candidate[Item]],
    told: Parties,
    numbering: Numbering,
    *,
    window: float,
    only: bool,
) -> Chosen[Item] | Ambiguous | None:
    """Choose the candidate that is the call of `told`; None when there is none at all.

    Remote numbers that agree decide first. Of several left, the one decides that began within
    `window` seconds of a channel of the call, if no other did. One that is left over although
    neither number nor time agrees is believed when `only` is set: the line has no other live call
    on this PBX that it could be.
    """
    if not candidates:
        return None
    ranked = [(_agreement(candidate, told, numbering), candidate) for candidate in candidates]
    best = max(match for match, _ in ranked)
    left = [candidate for match, candidate in ranked if match is best]
    by_number = best is not Match.NO
    in_time = [candidate for candidate in left if _near(candidate, told.began, window)]
    if len(left) == 1 and by_number:
        return Chosen(left[0].item, "its remote party is on this call")
    if len(in_time) == 1:
        return Chosen(in_time[0].item, f"it began within {window:g} s of a leg of this call")
    labels = tuple(candidate.label for candidate in (in_time or left))
    if len(left) > 1:
        return Ambiguous(labels, f"{len(labels)} live ones fit this call")
    if only and not (_whole(left[0].numbers) and _whole(told.others)):
        return Chosen(left[0].item, "it is the only live one of a line with one call")
    return Ambiguous(labels, "neither remote party nor time says that it is this call")


def _agreement(candidate: Candidate[Item], told: Parties, numbering: Numbering) -> Match:
    pairs = ((one, other) for one in candidate.numbers for other in told.others)
    return max((numbering.match(one, other) for one, other in pairs), default=Match.NO)


def _whole(numbers: Iterable[str]) -> bool:
    """Return whether any is long enough for a whole number, which would have to agree."""
    return any(len(plain(number)) >= _WHOLE for number in numbers)


def _near(candidate: Candidate[Item], began: Iterable[float], window: float) -> bool:
    return any(abs(one - other) <= window for one in candidate.began for other in began)
