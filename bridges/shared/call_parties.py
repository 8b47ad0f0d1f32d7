# SPDX-License-Identifier: Apache-2.0
"""The parties of a call on the PBX: the phone that is meant, trunks, numbers, begin. Pure.

`parties` is what another system can know of our call; `match_call` compares it with calls there.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

from ami.calls.snapshots import Call, Channel
from bridges.model import Order
from bridges.shared.phone_numbers import plain

Whose = Literal["presser", "far"]
"""The line that is meant: the pressing phone's, or the one at the other end of the trunk."""

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
    on_the_bridge = [channel for channel in phones if channel.bridge_id in near]
    chosen = on_the_bridge or phones
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
