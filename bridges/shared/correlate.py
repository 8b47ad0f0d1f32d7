# SPDX-License-Identifier: Apache-2.0
"""Which call over there is the call here: by number, remote party and time. Pure.

Two systems that share no call id still share who talks with whom, and since when. What fits
exactly one live call of the other system is chosen, and why is said; what fits several is
ambiguous and nothing is guessed.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Literal, TypeVar

from ami.calls.snapshots import Call, Channel
from bridges.model import Order
from bridges.shared.phone_numbers import Match, Numbering, plain

Item = TypeVar("Item")
Whose = Literal["presser", "far"]

_WHOLE: Final = 7
"""Digits from which a number is taken for a whole one: short ones may be written in many ways."""

_UNIQUEID: Final = re.compile(r"(?:.*-)?([0-9]{9,11})\.[0-9]+")
"""`[system name-]seconds.count`, as Asterisk makes uniqueids."""


@dataclass(frozen=True, slots=True)
class Parties:
    """A call as another system can know it.

    `number` is the line whose recording is meant; `why` says how it was found. `others` are all
    other numbers of the call. `began` are the times its channels were made, in seconds since the
    epoch, oldest first.
    """

    number: str | None
    why: str
    others: tuple[str, ...]
    began: tuple[float, ...]


def parties(order: Order, whose: Whose = "presser") -> Parties:
    """Return the parties of an order's call.

    `presser` means the line of the phone that pressed, or of the phone on the call. `far` means
    the number beyond the trunk, for a recorder that belongs to the platform over there.
    """
    call = order.call
    phone, why = handset(call, order.presser)
    own = phone.extension if phone else None
    if whose == "far":
        number, why = _beyond(call)
    else:
        number = own
    known = [plain(text) for channel in call.channels for text in _numbers(channel)]
    others = tuple(dict.fromkeys(text for text in known if text and text != plain(number or "")))
    began = sorted({at for channel in call.channels if (at := made_at(channel)) is not None})
    return Parties(number, why, others, tuple(began))


def handset(call: Call, presser: Channel | None) -> tuple[Channel | None, str]:
    """Return the phone a press is about, and why it: the presser's own where it is one."""
    if presser is not None and _is_handset(presser):
        return presser, "the presser's own channel"
    phones = [channel for channel in call.channels if _is_handset(channel)]
    if presser is None:
        why = "the first channel of the call that belongs to an extension"
        return (phones[0] if phones else None), why
    near = {presser.bridge_id}
    if presser.local_peer and (peer := call.channel(presser.local_peer)):
        near.add(peer.bridge_id)
    near.discard(None)
    beside = [channel for channel in phones if channel.bridge_id in near]
    chosen = beside or phones
    why = f"{presser.name} belongs to no extension; this is the phone on its call"
    return (chosen[0] if chosen else None), why


def trunks(call: Call) -> tuple[Channel, ...]:
    """Return the channels of a call that belong to no extension and are no Local halves."""
    return tuple(
        channel
        for channel in call.channels
        if channel.extension is None and channel.technology.upper() != "LOCAL"
    )


def made_at(channel: Channel) -> float | None:
    """Return when a channel was made, in seconds since the epoch, from its uniqueid."""
    found = _UNIQUEID.fullmatch(channel.uniqueid)
    return float(found[1]) if found else None


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
    """The one that fits, and why it."""

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
    """Say whether any is long enough to be a whole number, which has to agree if it is the same."""
    return any(len(plain(number)) >= _WHOLE for number in numbers)


def _near(candidate: Candidate[Item], began: Iterable[float], window: float) -> bool:
    return any(abs(one - other) <= window for one in candidate.began for other in began)


def _beyond(call: Call) -> tuple[str | None, str]:
    """Return the number at the other end of the call's trunk, and why it."""
    outside = trunks(call)
    if not outside:
        return None, "no channel of this call is a trunk's"
    numbers = {plain(trunk.caller_number) for trunk in outside} - {""}
    if len(numbers) == 1:
        return numbers.pop(), f"the number beyond {outside[0].name}"
    said = ", ".join(sorted(numbers)) or "none"
    return None, f"the trunks of this call tell several numbers or none ({said})"


def _numbers(channel: Channel) -> tuple[str, ...]:
    return (
        channel.extension or "",
        channel.caller_number,
        channel.connected_number,
        channel.exten,
    )


def _is_handset(channel: Channel) -> bool:
    return channel.extension is not None and channel.technology.upper() != "LOCAL"
