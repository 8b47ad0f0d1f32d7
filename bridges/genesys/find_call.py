# SPDX-License-Identifier: Apache-2.0
"""Choose the account of an order, and find the order's call among that agent's calls. Pure.

By the UUID that Genesys' SIP Server puts into `X-Genesys-CallUUID`, else by the agent's device
and the remote party. There is no list of all live calls, and an id is never made of a `connId`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from bridges.genesys.messages import (
    Device,
    GenesysCall,
    calls_of,
    devices_of,
    is_call_uuid,
)
from bridges.genesys.settings import Account, GenesysSettings
from bridges.model import Order
from bridges.shared.call_parties import Parties, parties
from bridges.shared.match_call import Ambiguous, Candidate, Chosen, pick
from bridges.shared.pbx_view import LiveOn, is_only_call
from bridges.shared.phone_numbers import Match, Numbering

SEARCH: Final = "/me?subresources=devices,calls"
"""The agent's devices and calls in one request."""


@dataclass(frozen=True, slots=True)
class Found:
    """The call over there, and why it was chosen."""

    call: GenesysCall
    why: str


@dataclass(frozen=True, slots=True)
class Missing:
    """Reason why no call is known. `retryable`: it may be known later. `gone`: there is none."""

    why: str
    retryable: bool = True
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Login:
    """The account an order takes, by the key it was found under."""

    key: str
    account: Account
    why: str


def login_for(order: Order, accounts: Mapping[str, Account]) -> Login | Missing:
    """Return the account of an order: by its agent, the presser's phone, the far number."""
    near, far = parties(order, "presser").number, parties(order, "far").number
    tried = ((order.agent, "the press's agent"), (near, "the phone's extension"),
             (far, "the number beyond the trunk"))  # fmt: skip
    for key, why in tried:
        if key and key in accounts:
            return Login(key, accounts[key], why)
    names = " or ".join(dict.fromkeys(key for key, _ in tried if key)) or "this press"
    return Missing(
        f"no Genesys account is configured for {names}, so nobody was asked", retryable=False
    )


def uuids_of(order: Order, variable: str) -> tuple[str, ...] | Missing:
    """Return the call UUIDs that the channels of the call carry, each once; none is fine."""
    told = dict.fromkeys(value.strip() for value in order.facts.get(variable, ()) if value.strip())
    good = tuple(value for value in told if is_call_uuid(value))
    if told and not good:
        shown = ", ".join(value[:40] for value in told)
        return Missing(f"{variable} holds no call UUID of 32 letters and digits: {shown}")
    return good


def one_of(readable: Sequence[GenesysCall], told: Sequence[str]) -> Found | Missing:
    """Return the call of the UUIDs that the agent's account can read."""
    if len(readable) > 1:
        labels = tuple(call.label for call in readable)
        return Missing(str(Ambiguous(labels, f"this call carries {len(labels)} live call UUIDs")))
    if readable:
        return Found(readable[0], "its UUID came with the call")
    return Missing(f"Genesys knows no call {' or '.join(told)} of this agent", gone=True)


def search(
    user: Any, order: Order, settings: GenesysSettings, live_on: LiveOn, now: float
) -> Found | Missing:
    """Return the call among the agent's own.

    `user` is the server's document, `now` seconds since the epoch.

    A call that is talking goes before one that is held, if remote party or time say that it is
    the one.
    """
    told = parties(order, cast("Literal['presser', 'far']", settings.whose))
    if told.number is None:
        return Missing(f"no number to look for at Genesys: {told.why}")
    numbering = settings.numbering
    number = numbering.outward(told.number)
    user = user if isinstance(user, dict) else {}
    devices = devices_of(user.get("devices"))
    on = _device(devices, number, numbering)
    if isinstance(on, Missing):
        return on
    calls = [
        call for call in calls_of(user.get("calls")) if call.device == on.id and not call.ended
    ]
    if not calls:
        return Missing(f"Genesys knows no live call on device {number} of this agent", gone=True)
    only = settings.whose == "presser" and is_only_call(order, told.number, live_on)
    found = _pick(calls, told, numbering, settings.window, now, only=only)
    if isinstance(found, Ambiguous):
        return Missing(str(found))
    assert found is not None
    return Found(found.item, found.why)


def _pick(
    calls: list[GenesysCall],
    told: Parties,
    numbering: Numbering,
    window: float,
    now: float,
    *,
    only: bool,
) -> Chosen[GenesysCall] | Ambiguous | None:
    found = pick([_candidate(c, now) for c in calls], told, numbering, window=window, only=only)
    for state in ("Established", "Held"):
        narrowed = [call for call in calls if call.state == state]
        if not isinstance(found, Ambiguous) or not narrowed:
            continue
        made = [_candidate(call, now) for call in narrowed]
        better = pick(made, told, numbering, window=window, only=False)
        found = better if isinstance(better, Chosen) else found
    return found


def _candidate(call: GenesysCall, now: float) -> Candidate[GenesysCall]:
    began = () if call.lasted is None else (now - call.lasted,)
    return Candidate(call, call.label, began, call.parties)


def _device(devices: Sequence[Device], number: str, numbering: Numbering) -> Device | Missing:
    """Return the one device of a number: the same number, or the only one with this ending."""
    ranked = [
        (max((numbering.match(one, number) for one in device.numbers), default=Match.NO), device)
        for device in devices
    ]
    best = max((match for match, _ in ranked), default=Match.NO)
    fit = [device for match, device in ranked if match is best and best is not Match.NO]
    if len(fit) == 1:
        return fit[0]
    names = ", ".join(device.numbers[0] if device.numbers else device.id for device in devices)
    if not fit:
        return Missing(f"this agent has no device {number} at Genesys (has {names or 'none'})")
    return Missing(str(Ambiguous(tuple(names.split(", ")), f"several devices fit {number}")))
