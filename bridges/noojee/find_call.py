# SPDX-License-Identifier: Apache-2.0
"""Choose the call that a request to Noojee names: by unique id, or by extension. Pure.

A unique id goes before an extension: by extension Noojee picks one of the live calls of that
handset by itself, and a stop that comes late would hit the next call.
"""

from dataclasses import dataclass

from ami.calls.snapshots import Call, Channel
from bridges.model import Order
from bridges.noojee.settings import TargetRule
from bridges.shared.call_parties import handset
from bridges.shared.pbx_view import LiveOn
from noojee import Extension, Target, UniqueId


@dataclass(frozen=True, slots=True)
class Aim:
    """The channel or extension that a request names, and why it."""

    target: Target
    why: str

    @property
    def by_id(self) -> bool:
        """True when exactly one channel is meant, now and later."""
        return isinstance(self.target, UniqueId)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Reason why nothing is sent."""

    why: str


def choose(order: Order, rule: TargetRule, live_on: LiveOn) -> Aim | Refusal:
    """Return the channel or extension that a request for `order` names.

    `presser` is the unique id of the handset's channel: the presser's own when it belongs to an
    extension, else (a trunk or a Local half pressed, or nobody) that of an extension in the
    call. `linkedid` is the unique id of the call's first channel. `extension` is for a Noojee
    that follows another PBX, whose unique ids are not ours; it is used only while it means
    exactly one live call, as it also is for an id that Noojee would not take for one.
    """
    phone, why = handset(order.call, order.presser)
    if rule == "linkedid":
        aim = _by_id(order.call.linkedid, "the call's first channel")
    elif rule == "extension":
        aim = None
    elif phone is not None:
        aim = _by_id(phone.uniqueid, why)
    else:
        aim = _by_id(order.call.linkedid, "no channel of this call belongs to an extension")
    return aim or _by_extension(order.call, phone, live_on)


def _by_id(uniqueid: str, why: str) -> Aim | None:
    try:
        return Aim(UniqueId(uniqueid), why)
    except ValueError:
        return None


def _by_extension(call: Call, phone: Channel | None, live_on: LiveOn) -> Aim | Refusal:
    if phone is None or phone.extension is None:
        return Refusal("no channel of this call belongs to an extension")
    number = phone.extension
    live = live_on(number)
    if live is None:
        return Refusal(f"the PBX's calls are not known, so {number} may mean another call")
    others = [channel for channel in live if channel.linkedid not in call.lineage]
    if others:
        names = ", ".join(f"{channel.name} ({channel.uniqueid})" for channel in live)
        return Refusal(f"ambiguous: extension {number} is on several live calls: {names}")
    if not live:
        return Refusal(f"no live call on extension {number}")
    try:
        return Aim(Extension(number), f"the only live call of extension {number}")
    except ValueError as error:
        return Refusal(str(error))
