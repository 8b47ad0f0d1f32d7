# SPDX-License-Identifier: Apache-2.0
"""Build requests to Imagicle, and read its list of live recordings. Pure.

Sources: the vendor's pages "Stop Recording" (kbp.imagicle.com/kb/stop-recording_534.html), "Start
Recording" (…/start-recording_533.html), "Get Active Recordings"
(…/get-active-recordings_615.html), "Stop a Recording" and "Pause/Resume Recording"
(kbp.imagicle.com/ucxcr/…).
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import Any, Final
from urllib.parse import quote

BASE: Final = "/fw/Apps/Recorder/WebAPI/LiveRecordings"

_GUID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_DURATION: Final = re.compile(
    r"P(?:([0-9]+)D)?(?:T(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+(?:\.[0-9]+)?)S)?)?"
)


class Op(StrEnum):
    """Kind of request. Reasons of a 400 mean different things for each."""

    LIST = "list"
    STOP_ID = "stop_id"
    STOP_LINE = "stop_line"
    PAUSE_ID = "pause_id"
    PAUSE_LINE = "pause_line"
    RESUME_ID = "resume_id"
    RESUME_LINE = "resume_line"
    START = "start"


class Key(StrEnum):
    """The names of query parameters."""

    NUMBER = "directoryNumber"
    MISSPELT = "directoryNumberr"
    """The key as the vendor's page on stopping prints it in its URL, against its own table."""
    DEVICE = "deviceName"
    USER = "username"


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, ready to be sent."""

    op: Op
    method: str
    target: str
    content: bytes = b""


def is_guid(text: str) -> bool:
    """Return whether a text is a GUID, in any case: nothing else is put into a path."""
    return _GUID.fullmatch(text) is not None


def listing(key: Key | None = None, value: str = "") -> Ask:
    """Return the request for the live recordings of one line or user, or of all."""
    return Ask(Op.LIST, "GET", BASE if key is None else f"{BASE}?{_pair(key, value)}")


_BY_ID: Final = {
    Op.STOP_ID: ("DELETE", ""),
    Op.PAUSE_ID: ("PUT", "/Pause"),
    Op.RESUME_ID: ("PUT", "/Resume"),
}
_BY_LINE: Final = {
    Op.STOP_LINE: ("DELETE", ""),
    Op.PAUSE_LINE: ("PUT", "/Pause"),
    Op.RESUME_LINE: ("PUT", "/Resume"),
}


def by_id(op: Op, recording: str) -> Ask:
    """Return the request about one recording. Raises `ValueError` when its id is no GUID."""
    if not is_guid(recording):
        raise ValueError(f"{recording[:60]!r} is no GUID")
    method, tail = _BY_ID[op]
    return Ask(op, method, f"{BASE}/{recording}{tail}")


def by_line(op: Op, key: Key, value: str) -> Ask:
    """Return the request about what one line or device records: one key, never an empty value.

    With both keys, a server that does not know the one ignores it and goes by the other alone.
    Raises `ValueError` for an empty value.
    """
    method, tail = _BY_LINE[op]
    return Ask(op, method, f"{BASE}{tail}?{_pair(key, value)}")


def start(number: str, mode: int) -> Ask:
    """Return the request that starts a recording of a line. Raises `ValueError` without one."""
    if not number:
        raise ValueError("a directory number is needed")
    body = {Key.NUMBER.value: number, "mode": mode}
    return Ask(Op.START, "POST", BASE, json.dumps(body).encode())


def preview(op: Op) -> str:
    """Return method and target of a request whose id must first be asked for."""
    method, tail = _BY_ID[op]
    return f"{method} {BASE}/{{recordingId}}{tail}"


def _pair(key: Key, value: str) -> str:
    if not value:
        raise ValueError(f"{key} is empty")
    return f"{key}={quote(value, safe='')}"


@dataclass(frozen=True, slots=True)
class Live:
    """One recording in the list.

    `began` are the times it may have begun, in seconds since the epoch: as the server tells it,
    and now less its duration, which is free of zones and of the server's clock.
    """

    id: str
    remote: str = ""
    began: tuple[float, ...] = ()
    paused: bool = False

    def is_(self, recording: str) -> bool:
        """Return whether it has that id; the vendor mixes the case of GUIDs."""
        return self.id.lower() == recording.lower()

    def label(self, mask: Callable[[str], str]) -> str:
        """Return it as people see it; `mask` hides what is too much like a card's number."""
        return f"{self.id} (with {mask(self.remote) or 'an unknown party'})"


def read_list(body: bytes, *, now: float, zone: tzinfo) -> tuple[Live, ...]:
    """Return the recordings of a list. Raises `ValueError` for anything that is none.

    `now` is when the answer came, `zone` that of times without one.
    """
    items = json.loads(body.decode("utf-8"))
    if not isinstance(items, list):
        raise ValueError("no list")  # noqa: TRY004 - one error for whatever the server sent
    return tuple(_live(item, now, zone) for item in items)


def read_id(body: bytes) -> str:
    """Return the id in the answer to a start. Raises `ValueError` when it holds no GUID."""
    document = json.loads(body.decode("utf-8"))
    found = document.get("id") if isinstance(document, dict) else None
    if not isinstance(found, str) or not is_guid(found):
        raise ValueError("no id")
    return found


def _live(item: Any, now: float, zone: tzinfo) -> Live:
    found = item.get("id") if isinstance(item, dict) else None
    if not isinstance(found, str) or not is_guid(found):
        raise ValueError("a recording without a GUID")
    paused = item.get("isPaused", False)
    if not isinstance(paused, bool):
        raise ValueError("isPaused is neither true nor false")  # noqa: TRY004 - same
    party = item.get("remoteParty")
    remote = party.get("phoneNumber") if isinstance(party, dict) else None
    times = (_moment(item.get("startedAt"), zone), _ago(item.get("duration"), now))
    return Live(
        found,
        remote if isinstance(remote, str) else "",
        tuple(at for at in times if at is not None),
        paused,
    )


def _moment(text: Any, zone: tzinfo) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def _ago(text: Any, now: float) -> float | None:
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if found is None or not any(found.groups()):
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return now - (((days * 24 + hours) * 60 + minutes) * 60 + seconds)
