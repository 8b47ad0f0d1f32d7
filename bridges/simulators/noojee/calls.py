# SPDX-License-Identifier: Apache-2.0
"""The simulated PBX behind Noojee: live calls, their recorded legs, and who may stop them.

Channel names are resolved by the vendor's published rules: the last hyphen counts, the
technology is dropped, a Local channel keeps its context and is therefore no extension.
"""

import asyncio
import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

_TECHNOLOGIES = frozenset(
    {"SIP", "PJSIP", "IAX", "IAX2", "DAHDI", "LOCAL", "DIALPLAN", "CONSOLE", "PARKING", "SIPPEER"}
)
_ACTIONS = ("PARKED/", "ASYNCGOTO/", "BRIDGE/")


def end_point(channel: str) -> tuple[str, str] | None:
    """Return technology and end point of a channel name, or None where the vendor has none."""
    name = channel.strip()
    for action in _ACTIONS:
        if name.upper().startswith(action):
            name = name[len(action) :]
            break
    for mark in ("<ZOMBIE>", "<MASQ>"):
        cut = name.upper().find(mark)
        name = name if cut < 0 else name[:cut]
    technology, slash, rest = name.partition("/")
    point, hyphen, sequence = rest.rpartition("-")
    if technology.upper() not in _TECHNOLOGIES or not (slash and hyphen and point and sequence):
        return None
    return technology.upper(), point.replace(" ", "").lower()


@dataclass(slots=True)
class User:
    """A Noojee Contact user. `groups` as the vendor names them, in lower case."""

    name: str
    groups: frozenset[str] = frozenset()
    extension: str = ""
    team: str = ""
    leads: str = ""
    """The team this user leads."""


@dataclass(slots=True)
class Leg:
    """One recorded leg. Times are seconds since the epoch by the simulated clock."""

    number: int
    owner: str
    tag: str
    started: float
    ended: float | None = None


@dataclass(slots=True)
class SimCall:
    """One live channel that Noojee knows, with the legs recorded of it."""

    channel: str
    unique_id: str
    began: float
    legs: list[Leg] = field(default_factory=list)
    stopped: bool = False

    @property
    def extension(self) -> str:
        """The end point of the channel, empty where there is none."""
        found = end_point(self.channel)
        return found[1] if found else ""

    @property
    def recording(self) -> Leg | None:
        """The open leg."""
        return next((leg for leg in self.legs if leg.ended is None), None)


class AmbiguousError(Exception):
    """An extension has several live calls, and the switch says that is an error."""


class SimPbx:
    """The live calls, the ended ones that were recorded, and the users."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.live: list[SimCall] = []
        self.ended: list[SimCall] = []
        self.users: dict[str, User] = {}
        self.sequence = 0
        """Counts every change of a call, as `subscribe` reports it."""
        self._changed = asyncio.Event()

    def _touch(self) -> None:
        self.sequence += 1
        self._changed.set()
        self._changed = asyncio.Event()

    @property
    def next_change(self) -> asyncio.Event:
        """The event that is set at the next change of any call, counted from now."""
        return self._changed

    def add_user(self, name: str, groups: Iterable[str] = (), **more: str) -> User:
        """Make a user known; `more` is extension, team, leads."""
        user = User(name, frozenset(group.lower() for group in groups), **more)
        self.users[name] = user
        return user

    def add_call(
        self, channel: str, unique_id: str, *, recording: bool = True, owner: str = ""
    ) -> SimCall:
        """Begin a call."""
        call = SimCall(channel, unique_id, self._now())
        self.live.append(call)
        self._touch()
        if recording:
            self.start(call, owner, "")
        return call

    def hang_up(self, call: SimCall) -> None:
        """End a call, and its open leg with it."""
        self.stop(call)
        self.live.remove(call)
        self.ended.append(call)
        self._touch()

    def recreate(self, call: SimCall, unique_id: str) -> SimCall:
        """Replace the channel by one of the same name with a new id, as transfers do."""
        self.hang_up(call)
        return self.add_call(call.channel, unique_id)

    def transition(self, call: SimCall, *, restart: bool) -> None:
        """Move the call on, as a transfer does; its recording goes on in a new leg."""
        leg = call.recording
        if leg is not None or (restart and call.stopped):
            self.stop(call)
            call.stopped = False
            last = call.legs[-1] if call.legs else None
            self.start(call, last.owner if last else "", last.tag if last else "")
        self._touch()

    def start(self, call: SimCall, owner: str, tag: str) -> Leg:
        """Begin a new leg; one that is open ends there."""
        if (leg := call.recording) is not None:
            leg.ended = self._now()
        new = Leg(len(call.legs) + 1, owner or self._user_at(call.extension), tag, self._now())
        call.legs.append(new)
        call.stopped = False
        return new

    def stop(self, call: SimCall, tag: str | None = None) -> Leg | None:
        """End the open leg of that channel, if there is one."""
        leg = call.recording
        if leg is not None:
            leg.ended = self._now()
            if tag is not None:
                leg.tag = tag
            call.stopped = True
        return leg

    def resolve(self, text: str, *, tech_prefix: bool, several: str) -> SimCall | None:
        """Return the live call that `extenOrUniqueId` means: by id first, then by extension.

        Raises `AmbiguousError` when several calls match and `several` is `error`.
        """
        for call in self.live:
            if call.unique_id == text:
                return call
        technology, slash, name = text.rpartition("/") if tech_prefix else ("", "", text)
        found = [
            call
            for call in self.live
            if (point := end_point(call.channel)) is not None
            and point[1] == name.lower()
            and (not slash or point[0] == technology.upper())
        ]
        if len(found) > 1 and several == "error":
            raise AmbiguousError(f"{len(found)} live calls")
        if not found:
            return None
        return found[-1] if several == "newest" else found[0]

    def may_stop(self, user: User, call: SimCall) -> bool:
        """Return whether a user may stop a recording: its owner, the phone's user, those above."""
        if user.groups & {"recording manager", "administrators", "administrator"}:
            return True
        leg = call.recording
        owner = leg.owner if leg else ""
        if user.name == owner or (user.extension and user.extension == call.extension):
            return True
        other = self.users.get(owner or self._user_at(call.extension))
        return bool(user.leads and other and other.team == user.leads)

    def _user_at(self, extension: str) -> str:
        names = (u.name for u in self.users.values() if extension and u.extension == extension)
        return next(names, "")


def call_data(call: SimCall) -> dict[str, str]:
    """Return a live call as `subscribe` reports it."""
    return {
        "uniqueCallId": call.unique_id,
        "secondaryUniqueCallId": "",
        "status": "Connected",
        "callerId": "",
        "callStartTime": "",
        "inbound": "false",
    }


def shown(call: SimCall) -> dict[str, Any]:
    """Return a call with its legs, for the simulator's own control surface."""
    return {
        "channel": call.channel,
        "unique_id": call.unique_id,
        "extension": call.extension,
        "recording": call.recording is not None,
        "legs": [asdict(leg) for leg in call.legs],
    }


def metadata(call: SimCall, leg: Leg) -> dict[str, str]:
    """Return a recorded leg as the metadata requests do: every field a text."""
    ended = leg.ended if leg.ended is not None else leg.started
    return {
        "Source": call.extension,
        "Destination": "",
        "UniqueId": call.unique_id,
        "Username": leg.owner,
        "Start": moment(leg.started, "%Y-%m-%d %H:%M:%S.0"),
        "Duration": str(int(ended - leg.started)),
        "Tag": leg.tag,
        "Direction": "2",
        "CallRecordId": call.unique_id.replace(".", ""),
        "DID": "",
        "Leg": str(leg.number),
        "callend": moment(leg.ended, "%Y-%m-%d %H:%M:%S.0"),
    }


def moment(seconds: float | None, shape: str) -> str:
    """Return a time as text, in UTC; empty for one that has not come."""
    if seconds is None:
        return ""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime(shape)
