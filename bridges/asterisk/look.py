# SPDX-License-Identifier: Apache-2.0
"""What the PBX shows of one call when an order comes: applications, hidden channels, bridges.

One listing of the live channels, one of the bridges, and one question for the channels that no
listing shows. Measured on 16.28 and 22.10 with the account as shipped (read = call, write =
call,reporting), 100 channels: CoreShowChannels 0.7 ms, BridgeList and the question 0.1 ms each.

`CHANNELS(expression)` names channels that Asterisk hides from its listings, among them those that
record a bridge (`Recorder/ARI-…`) and a conference (`CBRec/…`). Its value is cut at about 1,000
characters: where it comes near that, the channels are asked for by the last digit of their names,
and one of those values that is still near it is `complete = False`.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ami.errors import AmiDenied, AmiError
from ami.events.headers import BridgeRow, ChannelRow, bridge_row, channel_row
from ami.ports import PbxPort

HIDDEN: Final = "CHANNELS(^(Recorder|CBRec|CBAnn|Announcer)/)"
"""The question for the channels that no listing shows."""

HIDDEN_BY_DIGIT: Final = "CHANNELS(^(Recorder|CBRec|CBAnn|Announcer)/.*{digit}(;[12])?$)"
"""The question for those of them whose names end in one hexadecimal digit."""

CUT: Final = 900
"""Characters from which on the answer to `HIDDEN` may have been cut."""

LISTING_TIMEOUT: Final = 2.0
"""Seconds for a listing."""

_NAME: Final = re.compile(r"[A-Za-z0-9]+/[^\s,&|]{1,100}")


@dataclass(frozen=True, slots=True)
class HiddenChannel:
    """A channel that no listing shows.

    `linkedid` is that of the call for a `Recorder/` of ARI, its own for a `CBRec/`; `peers` are the
    names of the channels in its bridge.
    """

    name: str
    linkedid: str
    peers: frozenset[str]


@dataclass(frozen=True, slots=True)
class PbxLook:
    """The answers, or why there are none.

    `rows` by uniqueid; `bridges` by bridge id. `problem` is empty when all three were answered,
    and `fix` says what the administrator can do about one. `complete` is False when
    the hidden channels may be more than those named.
    """

    rows: Mapping[str, ChannelRow] = field(default_factory=dict)
    bridges: Mapping[str, BridgeRow] = field(default_factory=dict)
    hidden: tuple[HiddenChannel, ...] = ()
    complete: bool = True
    problem: str = ""
    fix: str = ""


NO_LOOK: Final = PbxLook(complete=False, problem="the PBX was not asked")
"""What stands for a look where none is taken: what events told is all there is."""


async def look(pbx: PbxPort) -> PbxLook:
    """Ask the PBX what it shows; a question that is refused or not answered is a `problem`."""
    try:
        return await _ask(pbx)
    except AmiError as problem:
        return PbxLook(complete=False, problem=problem.message, fix=problem.fix)


async def answered(pbx: PbxPort, seen: PbxLook) -> PbxLook:
    """Return `seen` where every question was answered, else a new look. Raises AmiError."""
    return await _ask(pbx) if seen.problem else seen


async def _ask(pbx: PbxPort) -> PbxLook:
    channels, bridges, (hidden, complete) = await asyncio.gather(
        pbx.action_list("CoreShowChannels", {}, timeout=LISTING_TIMEOUT),
        pbx.action_list("BridgeList", {}, timeout=LISTING_TIMEOUT),
        hidden_channels(pbx),
    )
    rows = (channel_row(one.headers) for one in channels)
    found = (bridge_row(one.headers) for one in bridges)
    return PbxLook(
        {row.uniqueid: row for row in rows if row is not None},
        {row.bridge_id: row for row in found if row is not None},
        hidden,
        complete,
    )


async def hidden_channels(pbx: PbxPort) -> tuple[tuple[HiddenChannel, ...], bool]:
    """Return the channels that no listing shows, and whether these are all of them.

    Raises AmiDenied, AmiDown, AmiTimeout.
    """
    values = [await _named(pbx, HIDDEN)]
    if len(values[0]) >= CUT:
        digits = (HIDDEN_BY_DIGIT.format(digit=digit) for digit in "0123456789abcdef")
        values = await asyncio.gather(*(_named(pbx, question) for question in digits))
    names = [name for value in values for name in value.split(" ") if _NAME.fullmatch(name)]
    found = await asyncio.gather(*(_describe(pbx, name) for name in dict.fromkeys(names)))
    complete = all(len(value) < CUT for value in values)
    return tuple(one for one in found if one is not None), complete


async def is_live(pbx: PbxPort, uniqueid: str) -> bool:
    """Return whether a channel is there by the PBX's own answer: events may be behind."""
    try:
        await pbx.getvar(uniqueid, "CHANNEL(state)")
    except AmiDenied:
        return False
    return True


async def _named(pbx: PbxPort, question: str) -> str:
    answer = await pbx.action("Getvar", {"Variable": question})
    if not answer.ok:
        raise AmiDenied("Getvar", answer.message)
    return answer.headers.get("Value", "")


async def _describe(pbx: PbxPort, name: str) -> HiddenChannel | None:
    try:
        linkedid = await pbx.getvar(name, "CHANNEL(linkedid)")
        peers = await pbx.getvar(name, "BRIDGEPEER")
    except AmiDenied:
        return None  # it has gone
    return HiddenChannel(name, linkedid, frozenset(filter(None, peers.split(","))))
