# SPDX-License-Identifier: Apache-2.0
"""The state of a simulated Imagicle node: accounts, lines, live and completed recordings."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from enum import IntEnum, StrEnum
from typing import Any, Literal


class Level(IntEnum):
    """Rights of an account. The numbers of all but base and complete are invented."""

    NONE = 0
    RECORD_ONLY = 1
    BASE = 2
    COMPLETE = 10


class Method(StrEnum):
    """Recording method of a line."""

    BUILT_IN_BRIDGE = "built_in_bridge"
    DIAL_IN = "dial_in"
    NETWORK = "network"
    SIPREC = "siprec"


@dataclass(slots=True)
class Account:
    """A user of the suite. `number` is the line of its own, `wrong` the passwords that failed."""

    name: str
    password: str
    level: Level = Level.COMPLETE
    number: str = ""
    sso: bool = False
    wrong: int = 0


@dataclass(slots=True)
class Line:
    """A line of the PBX on one device. SIPREC is always automatic."""

    number: str
    device: str
    method: Method = Method.BUILT_IN_BRIDGE
    monitorable: bool = True
    automatic: bool = False


@dataclass(slots=True)
class Recording:
    """A recording, live until `stopped`. Times are seconds since the epoch."""

    id: str
    line: Line
    started: float
    remote: str = ""
    remote_name: str = ""
    username: str = ""
    numeric_id: str = ""
    by_hand: bool = True
    direction: int = 1
    paused: bool = False
    stopped: float | None = None

    @property
    def refusal(self) -> int | None:
        """The reason for which it cannot be stopped, if there is one."""
        if self.line.automatic or self.line.method is Method.SIPREC:
            return 2
        if self.line.method is not Method.DIAL_IN and not self.line.monitorable:
            return 1
        return None

    @property
    def manual_dial_in(self) -> bool:
        """True for a recording that cannot be found by a device."""
        return self.by_hand and self.line.method is Method.DIAL_IN


@dataclass(slots=True)
class ImagicleState:
    """Everything that one node knows. `now` returns its time of day."""

    now: Callable[[], float]
    accounts: dict[str, Account] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    recordings: list[Recording] = field(default_factory=list)

    def other_node(self, *, shared: bool) -> "ImagicleState":
        """Return the other node's: the same accounts and lines, recordings only if `shared`."""
        return ImagicleState(self.now, self.accounts, self.lines, self.recordings if shared else [])

    def add_account(
        self, name: str, password: str, level: Level = Level.COMPLETE, **more: Any
    ) -> Account:
        """Add a user."""
        made = self.accounts[name] = Account(name, password, level, **more)
        return made

    def add_line(self, number: str, device: str = "", **more: Any) -> Line:
        """Add a line, on a device named after it if none is given."""
        made = Line(number, device or f"SEP{number:0>12}", **more)
        self.lines.append(made)
        return made

    def line(self, number: str, device: str = "") -> Line | None:
        """Return the first line that fits."""
        fits = (
            line
            for line in self.lines
            if (not number or line.number == number) and (not device or line.device == device)
        )
        return next(fits, None)

    def record(self, number: str, remote: str = "", **more: Any) -> Recording:
        """Begin a recording on a line, which is added if it is not there."""
        line = self.line(number) or self.add_line(number)
        started = more.pop("started", None)
        found = more.pop("id", None) or str(uuid.uuid4()).upper()
        when = self.now() if started is None else started
        made = Recording(found, line, when, remote, **more)
        self.recordings.append(made)
        return made

    @property
    def live(self) -> list[Recording]:
        """The live recordings, oldest first."""
        return [one for one in self.recordings if one.stopped is None]

    @property
    def completed(self) -> list[Recording]:
        """The ended recordings, newest first."""
        ended = [one for one in self.recordings if one.stopped is not None]
        return sorted(ended, key=lambda one: one.started, reverse=True)

    def listed(self, linger: float) -> list[Recording]:
        """Return what the list of live recordings shows."""
        now = self.now()
        return [o for o in self.recordings if o.stopped is None or now < o.stopped + linger]

    def stop(self, one: Recording) -> None:
        """End a recording."""
        one.stopped = self.now()


def active(
    one: Recording, now: float, form: Literal["zulu", "offset", "naive"], hours: float
) -> dict[str, Any]:
    """Return a recording as the list of live ones has it: neither line nor device is in it."""
    first, _, last = one.remote_name.partition(" ")
    return {
        "id": one.id,
        "duration": duration((one.stopped or now) - one.started),
        "startedAt": moment(one.started, form, hours),
        "localParty": {"username": one.username},
        "remoteParty": {"firstName": first, "lastName": last, "phoneNumber": one.remote},
        "isPaused": one.paused,
    }


def complete(one: Recording, *, detail: bool = False) -> dict[str, Any]:
    """Return a recording as the list of completed ones has it; the names are partly invented."""
    ended = one.stopped or one.started
    shown = {
        "id": one.id,
        "startTime": moment(one.started, "zulu", 0),
        "endTime": moment(ended, "zulu", 0),
        "duration": duration(ended - one.started),
        "direction": one.direction,
        "localPartyNumber": one.line.number,
        "remoteParty": one.remote,
        "ownerUsername": one.username,
    }
    more = {"pbxCallId": "", "owner": one.username, "preservingUser": "", "note": "", "size": 0}
    return {**shown, **more, "hash": ""} if detail else shown


def duration(seconds: float) -> str:
    """Return seconds as an ISO 8601 duration."""
    whole = max(0, int(seconds))
    return f"PT{whole // 3600}H{whole // 60 % 60}M{whole % 60}S"


def moment(at: float, form: Literal["zulu", "offset", "naive"], hours: float) -> str:
    """Return a time as an ISO 8601 date, in UTC or in the server's local time."""
    ahead = timedelta(hours=0 if form == "zulu" else hours)
    text = datetime.fromtimestamp(at, timezone(ahead)).isoformat(timespec="seconds")
    match form:
        case "zulu":
            return text.replace("+00:00", "Z")
        case "naive":
            return text[:19]
    return text
