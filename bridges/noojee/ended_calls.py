# SPDX-License-Identifier: Apache-2.0
"""Noojee's recorded legs as pieces of a call that has ended.

Noojee's recording API returns legs by the unique id of a channel, without a limit on how often.
Two dialects of `Start` are in the field: `2014-02-13 17:06:52.0`, and `Tue Sep 14 15:03:30 AEST
2021`. Both are local times; an abbreviation such as AEST is not unique in the world, so it is not
believed, unless it is UTC or GMT. `Duration` is whole seconds.
"""

import datetime as dt
import re
from collections.abc import Callable
from typing import Final

from bridges.model import RecorderUnavailable
from bridges.noojee.answers import unavailable
from bridges.shared.ended_calls import EndedCall, Piece
from noojee import NoojeeClient, NoojeeError, UniqueId
from noojee.recordings import RecordingLeg

MOST: Final = 16
"""Channels of one call that are asked for; a call has a handful."""

_UTC: Final = frozenset({"UTC", "GMT", "Z"})
_LONG: Final = re.compile(
    r"[A-Za-z]{3} (?P<month>[A-Za-z]{3}) +(?P<day>\d{1,2}) (?P<time>\d\d:\d\d:\d\d)"
    r"(?: (?P<zone>[A-Za-z]+))? (?P<year>\d{4})"
)
_SHORT: Final = re.compile(r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)(?:\.\d*)?")
_MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)


async def pieces(
    name: str, client: NoojeeClient, call: EndedCall, now: Callable[[], float]
) -> list[Piece]:
    """Ask for the legs of each channel of a call, and turn their times to our clock.

    `now` is seconds since the epoch. Raises `RecorderUnavailable`.
    """
    try:
        ahead = int(await client.time()) / 1000 - now()
        legs: dict[RecordingLeg, None] = {}
        for one in sorted(call.uniqueids)[:MOST]:
            try:
                wanted = UniqueId(one)
            except ValueError:
                continue  # an id of another PBX's making: Noojee holds none of that form
            legs.update(dict.fromkeys(await client.recordings_by_unique_id(wanted)))
    except NoojeeError as error:
        cause, fix = unavailable(error)
        raise RecorderUnavailable(name, cause, error.message, fix) from None
    return [piece_of(leg, call.zone, ahead) for leg in legs]


def piece_of(leg: RecordingLeg, zone: dt.tzinfo | None, ahead: float = 0.0) -> Piece:
    """Return when a leg was recorded, as far as it says so.

    `ahead` is by how many seconds the server's clock is ahead of ours.
    """
    began = seconds(leg.start, zone)
    ended = None
    if began is not None and re.fullmatch(r"\d{1,9}(\.\d+)?", leg.duration):
        ended = began + float(leg.duration)
    elif leg.call_end:
        ended = seconds(leg.call_end, zone)
    words = ("leg", leg.leg, "of", leg.unique_id or leg.call_record_id)
    told = f"{' '.join(filter(None, words))}, start {leg.start or 'not told'}"
    return Piece(
        told,
        None if began is None else began - ahead,
        None if ended is None else ended - ahead,
    )


def seconds(text: str, zone: dt.tzinfo | None) -> float | None:
    """Return a time of Noojee's as seconds since the epoch, or None for what is no time."""
    text = text.strip()
    if (long := _LONG.fullmatch(text)) is not None and long["month"].title() in _MONTHS:
        month = _MONTHS.index(long["month"].title()) + 1
        text = f"{long['year']}-{month:02}-{int(long['day']):02} {long['time']}"
        if (long["zone"] or "").upper() in _UTC:
            zone = dt.UTC
    short = _SHORT.fullmatch(text)
    if short is None:
        return None
    try:
        # Without a zone Python takes this machine's.
        return dt.datetime.fromisoformat(short[1]).replace(tzinfo=zone).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
