# SPDX-License-Identifier: Apache-2.0
"""The users, extensions and live calls of a simulated VoipNow, and how it writes them."""

import itertools
import random
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Literal

from bridges.simulators.voipnow.switches import VoipNowSwitches

Trigger = Literal["star1", "always", "off"]
HOST = "https://192.0.2.20"
"""The host in links: an address, as in the vendor's samples, and never ours."""
_ALPHABET = string.ascii_lowercase + string.digits


@dataclass(slots=True)
class SimExtension:
    """An extension in its extended form, the user it belongs to, and its recording setting."""

    number: str
    user: str
    trigger: Trigger = "star1"

    @property
    def short(self) -> str:
        """The part after the star."""
        return self.number.rpartition("*")[2]


@dataclass(slots=True)
class SimView:
    """One leg. `recording` is since when; `becomes` what it changes to at `at`, if anything."""

    id: str
    extension: str
    source: str
    destination: str
    status: int = 5
    recording: float | None = None
    becomes: float | None = None
    at: float | None = None


@dataclass(slots=True)
class SimCall:
    """One live call."""

    id: str
    extension: SimExtension
    asterisk_id: str
    published: float
    views: list[SimView] = field(default_factory=list)
    answered: float | None = None

    def recorded(self, now: float) -> list[SimView]:
        """Return the views that are recorded at that time."""
        for view in self.views:
            if view.at is not None and now >= view.at:
                view.recording, view.at = view.becomes, None
        return [view for view in self.views if view.recording is not None]

    def view(self, view_id: str) -> SimView | None:
        """Return a view by its id."""
        return next((view for view in self.views if view.id == view_id), None)

    def parties(self) -> set[str]:
        """Return the short and extended numbers of all extensions of the call."""
        numbers = {self.extension.number, *(view.extension for view in self.views)}
        return numbers | {number.rpartition("*")[2] for number in numbers}


class SimSite:
    """State of a simulated VoipNow. `now` is its clock, `me` the user who authorised the App."""

    def __init__(self, now: Callable[[], float], me: str = "12") -> None:
        self._now = now
        self.me = me
        self.users = {me}
        self.extensions: dict[str, SimExtension] = {}
        self.calls: list[SimCall] = []
        self.done = 0
        """Actions that have changed something."""
        self._random = random.Random(4)  # noqa: S311 - ids of a simulation
        self._count = itertools.count(1)

    def add_extension(
        self, number: str, *, user: str | None = None, trigger: Trigger = "star1"
    ) -> SimExtension:
        """Add an extension by its extended number; also its user, if that one is new."""
        owner = user or self.me
        self.users.add(owner)
        made = self.extensions[number] = SimExtension(number, owner, trigger)
        return made

    def find(self, text: str) -> SimExtension | None:
        """Return the extension of an extended or a short number."""
        if text in self.extensions:
            return self.extensions[text]
        short = [one for one in self.extensions.values() if one.short == text]
        return short[0] if short else None

    def add_call(
        self,
        extension: str,
        remote: str = "0123456",
        *,
        recording: bool = True,
        call_id: str | None = None,
        asterisk_id: str | None = None,
        ago: float = 0.0,
        front: bool = False,
    ) -> SimCall:
        """Begin a call of an extension with a remote party, `ago` seconds in the past.

        Its view `00` is that of the remote party, `01` that of the extension, which is recorded.
        Raises `ValueError` for an extension that is not there.
        """
        own = self.find(extension)
        if own is None:
            raise ValueError(f"no extension {extension}")
        began = self._now() - ago
        number = next(self._count)
        made = SimCall(
            call_id or "".join(self._random.choices(_ALPHABET, k=20)),
            own,
            asterisk_id or f"{int(began)}.{number}",
            began,
            answered=began,
        )
        recorded = (recording and own.trigger == "star1") or own.trigger == "always"
        far = self.find(remote)
        made.views = [
            SimView("00", far.number if far else remote, own.number, remote),
            SimView("01", own.number, remote, own.number, recording=began if recorded else None),
        ]
        self.calls.insert(0 if front else len(self.calls), made)
        return made

    def hang_up(self, call: SimCall) -> None:
        """End a call."""
        self.calls.remove(call)

    def call(self, call_id: str) -> SimCall | None:
        """Return a live call by its id."""
        return next((call for call in self.calls if call.id == call_id), None)

    def act(self, view: SimView, extension: SimExtension, *, start: bool, delay: float) -> str:
        """Begin to record a view or to end it, and say what will come of it."""
        now = self._now()
        if extension.trigger == "always":
            return "kept by policy"
        if extension.trigger == "off":
            return "off by policy"
        coming = view.becomes if view.at is not None else view.recording
        if (coming is not None) is start:
            return "already so"
        view.becomes, view.at = (now if start else None), now + delay
        self.done += 1
        return "started" if start else "stopped"


def shown_call(call: SimCall, now: float, switches: VoipNowSwitches, place: str) -> dict[str, Any]:
    """Return a call as the API writes it; null fields are left out. `place` is user/extension."""
    call.recorded(now)
    shown = {
        "id": call.id,
        "extension": number(call.extension.number, switches),
        "ownerId": "2",
        "ownerName": "Example Ltd",
        "published": moment(call.published, 2),
        "answered": _maybe(call.answered, _answered_hours(switches)),
        "phoneCallView": [_shown_view(view, switches) for view in call.views],
        link_key(switches, stub=False): {"self": link(f"{place}/{call.id}", switches)},
    }
    return {key: value for key, value in shown.items() if value is not None}


def stub(call: SimCall, switches: VoipNowSwitches, place: str) -> dict[str, Any]:
    """Return what a 202 carries: id, extension and link."""
    call_id = "b817d2618fe6f1804333" if switches.other_id else call.id
    return {
        "id": call_id,
        "extension": number(call.extension.number, switches),
        link_key(switches, stub=True): {"self": link(f"{place}/{call_id}", switches)},
    }


def link(path: str, switches: VoipNowSwitches) -> str:
    """Return an absolute link as the samples have them: an address, sometimes a double slash."""
    slash = "//" if switches.link_form == "double_slash" else "/"
    return f"{HOST}{slash}uapi/phoneCalls/{path}"


def link_key(switches: VoipNowSwitches, *, stub: bool) -> str:
    """Return the name of the field with links."""
    if switches.link_key == "documented":
        return "link" if stub else "links"
    return switches.link_key


def number(extension: str, switches: VoipNowSwitches) -> str:
    """Return an extension as answers write it."""
    return extension.rpartition("*")[2] if switches.number_form == "short" else extension


def moment(seconds: float, hours: int) -> str:
    """Return a time with a UTC offset of so many hours."""
    zone = timezone(timedelta(hours=hours))
    return datetime.fromtimestamp(seconds, zone).isoformat(timespec="seconds")


def _answered_hours(switches: VoipNowSwitches) -> int:
    return 3 if switches.offsets == "mixed" else 2


def _maybe(seconds: float | None, hours: int) -> str | None:
    """Return a time; in mixed mode the local time stays and only the offset differs."""
    if seconds is None:
        return None
    return moment(seconds, 2)[:-6] + f"+{hours:02}:00"


def _shown_view(view: SimView, switches: VoipNowSwitches) -> dict[str, Any]:
    hours = _answered_hours(switches)
    flow: int | str = 8
    status: int | str = view.status
    if switches.value_types == "text":
        flow, status = str(flow), str(status)
    shown = {
        "id": view.id,
        "extension": number(view.extension, switches),
        "source": [number(view.source, switches)],
        "destination": [number(view.destination, switches)],
        "flow": flow,
        "status": status,
        "recording": _maybe(view.recording, hours),
        switches.caller_id_key: f"SIM <{number(view.source, switches)}>",
    }
    return {key: value for key, value in shown.items() if value is not None}
