# SPDX-License-Identifier: Apache-2.0
"""Read recordings and live calls from the server's answers into typed values. Pure.

All fields are the server's own texts. Two dialects of `Start` and `Direction` are in the field
(`2014-02-13 17:06:52.0` and `Tue Sep 14 15:03:30 AEST 2021`; `2` and `Inbound`); they are not
interpreted here.
"""

from dataclasses import dataclass, field, fields
from typing import Any

from noojee.answers import fold


@dataclass(frozen=True, slots=True)
class RecordingLeg:
    """One leg of a recorded call; a call is cut into legs at every transition.

    Empty where the server said nothing. `tag` is what `start` was given ("External Reference").
    """

    source: str = ""
    destination: str = ""
    unique_id: str = ""
    username: str = ""
    start: str = ""
    duration: str = ""
    tag: str = ""
    direction: str = ""
    call_record_id: str = ""
    did: str = ""
    leg: str = ""
    call_end: str = ""


_LEG_NAMES = {name.name.replace("_", ""): name.name for name in fields(RecordingLeg)}


@dataclass(frozen=True, slots=True)
class LiveCall:
    """One live call as `subscribe` reports it; `unique_id` is that of the handset's channel."""

    extension: str
    unique_id: str
    status: str
    caller_id: str = ""
    secondary_unique_id: str = ""
    inbound: str = ""
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Poll:
    """One answer of `subscribe`. Pass `sequence` to the next one, or events are lost."""

    sequence: int
    calls: tuple[LiveCall, ...]


def read_legs(document: list[Any]) -> tuple[RecordingLeg, ...] | None:
    """Return the legs of a metadata answer, or None when an entry is no object."""
    legs: list[RecordingLeg] = []
    for entry in document:
        if not isinstance(entry, dict):
            return None
        known = {
            _LEG_NAMES[name]: value for name, value in fold(entry).items() if name in _LEG_NAMES
        }
        legs.append(RecordingLeg(**{name: _text(value) for name, value in known.items()}))
    return tuple(legs)


def read_poll(document: object) -> Poll | None:
    """Return the calls of a `subscribe` answer, or None when it has no sequence number.

    `seq` stands next to `Data`, or inside a `CallData`: both are documented. The first wins.
    """
    top = fold(document)
    data = top.get("data")
    calls: list[LiveCall] = []
    inner: list[int] = []
    for extension, entries in data.items() if isinstance(data, dict) else ():
        for entry in entries if isinstance(entries, list) else [entries]:
            call = fold(fold(entry).get("calldata"))
            if not call:
                continue
            if (number := _number(call.get("seq"))) is not None:
                inner.append(number)
            calls.append(_live_call(str(extension), call))
    sequence = _number(top.get("seq"))
    if sequence is None:
        sequence = max(inner, default=None)
    return None if sequence is None else Poll(sequence, tuple(calls))


def _live_call(extension: str, call: dict[str, Any]) -> LiveCall:
    return LiveCall(
        extension=extension,
        unique_id=_text(call.get("uniquecallid")),
        status=_text(call.get("status")),
        caller_id=_text(call.get("callerid")),
        secondary_unique_id=_text(call.get("secondaryuniquecallid")),
        inbound=_text(call.get("inbound")),
        raw=call,
    )


def _number(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value[:18])
    return None


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
