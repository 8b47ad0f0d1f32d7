# SPDX-License-Identifier: Apache-2.0
"""Read calls and devices from the vendor's JSON, in every shape seen. Pure.

Source: "Call Resource" of the vendor's API, in its 8.5.2 and its older shape. Fields that are
missing or of another type are taken for absent; nothing here raises.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from bridges.model import Outcome, Verb

_UUID: Final = re.compile(r"[0-9A-Za-z]{32}")
_ENDED: Final = frozenset({"released", "completed"})

OPERATIONS: Final = {
    Verb.STOP: "StopCallRecording",
    Verb.PAUSE: "PauseCallRecording",
    Verb.RESUME: "ResumeCallRecording",
    Verb.START: "StartCallRecording",
}
"""The vendor's operation for each verb."""

_PROVES: Final = {
    Verb.STOP: {"Stopped"},
    # What is stopped is not recorded either, which is what a pause is for.
    Verb.PAUSE: {"Paused", "Stopped"},
    Verb.RESUME: {"Recording"},
    Verb.START: {"Recording"},
}


def proves(verb: Verb, state: str) -> bool:
    """Return whether a recording state is what the verb asks for."""
    return state in _PROVES[verb]


def is_call_uuid(text: str) -> bool:
    """Return whether a text can be a call UUID: 32 letters and digits, which a `connId` is not."""
    return _UUID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class GenesysCall:
    """A call of one agent, as the server tells it. An absent field is empty.

    `lasted` is seconds.
    """

    id: str
    state: str
    kind: str
    recording: str
    capabilities: frozenset[str]
    device: str
    parties: tuple[str, ...]
    lasted: float | None

    @property
    def ended(self) -> bool:
        """True when the server itself calls it over."""
        return self.state.casefold() in _ENDED

    @property
    def label(self) -> str:
        """The call in words for people: its id, state, kind and other parties."""
        told = [text for text in (self.state, self.kind) if text]
        others = ", ".join(self.parties)
        return f"{self.id} ({' '.join(told)}{f' with {others}' if others else ''})"

    @property
    def told(self) -> str:
        """The states that matter, as the journal shows a read."""
        recording = self.recording or "absent"
        offered = sorted(self.capabilities & set(OPERATIONS.values()))
        return f"{self.id} state={self.state} recordingState={recording} offers={offered}"


def call_of(value: Any) -> GenesysCall | None:
    """Return a call resource, None for what is none."""
    if not isinstance(value, dict) or not (ident := _text(value.get("id"))):
        return None
    offered = value.get("capabilities")
    return GenesysCall(
        id=ident,
        state=_text(value.get("state")),
        kind=_text(value.get("callType")),
        recording=_text(value.get("recordingState")),
        capabilities=frozenset(map(_text, offered if isinstance(offered, list) else ())),
        device=_text(value.get("deviceUri")).rstrip("/").rpartition("/")[2],
        parties=tuple(dict.fromkeys(_parties(value))),
        lasted=_seconds(value.get("duration")),
    )


def calls_of(value: Any) -> list[GenesysCall]:
    """Return the calls of a list, leaving out what is none."""
    found = (call_of(item) for item in (value if isinstance(value, list) else ()))
    return [call for call in found if call is not None]


@dataclass(frozen=True, slots=True)
class Device:
    """A device of an agent; `id` is what `deviceUri` of a call ends with."""

    id: str
    numbers: tuple[str, ...]


def devices_of(value: Any) -> list[Device]:
    """Return the devices of a list, leaving out what is none."""
    found = []
    for item in value if isinstance(value, list) else ():
        if isinstance(item, dict) and (ident := _text(item.get("id"))):
            told = (_text(item.get(name)) for name in ("phoneNumber", "e164Number"))
            found.append(Device(ident, tuple(dict.fromkeys(number for number in told if number))))
    return found


def _parties(value: dict[str, Any]) -> Iterable[str]:
    """Yield the other parties' numbers: objects now, plain texts with a second list before."""
    for name in ("participants", "participantsInfo"):
        told = value.get(name)
        for item in told if isinstance(told, list) else ():
            if isinstance(item, str):
                yield item
            elif isinstance(item, dict):
                numbers = (_text(item.get(key)) for key in ("phoneNumber", "digits", "e164Number"))
                yield from (number for number in numbers if number)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _seconds(value: object) -> float | None:
    """Return a duration: the documents print it as a text of seconds."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
        return float(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9:
        return float(value)
    return None


class Ready(StrEnum):
    """Result of looking at a call's own state before anything is sent."""

    SEND = "send"
    NOTHING = "nothing"
    """It is as asked already, or there is nothing to do it to."""
    NOT_RECORDABLE = "not recordable"
    WRONG = "wrong"


_NOTHING: Final = {
    (Verb.STOP, "Stopped"): "its recording is stopped already",
    (Verb.PAUSE, "Stopped"): "its recording is stopped already",
    (Verb.PAUSE, "Paused"): "its recording is paused already",
    (Verb.RESUME, "Recording"): "it is being recorded already",
    (Verb.RESUME, "Stopped"): "no recording of it is paused; a stopped one is started again",
    (Verb.START, "Recording"): "it is being recorded already",
}
_WRONG: Final = {(Verb.START, "Paused"): "its recording is paused: resume it instead"}


def ready(verb: Verb, call: GenesysCall) -> tuple[Ready, str]:
    """Return what is to be done for a verb on a call, and why."""
    state = (verb, call.recording)
    if state in _NOTHING:
        return Ready.NOTHING, _NOTHING[state]
    if state in _WRONG:
        return Ready.WRONG, _WRONG[state]
    if not call.recording and OPERATIONS[verb] not in call.capabilities:
        return Ready.NOT_RECORDABLE, (
            "not recordable: Genesys tells no recordingState and offers no recording of this call;"
            " the agent lacks api-voice-recording, or the device's option `record` is off"
        )
    return Ready.SEND, f"its recordingState is {call.recording or 'not told'}"


def outcome_of(found: Ready) -> Outcome:
    """Return the outcome of what is not sent."""
    return Outcome.NOTHING_TO_STOP if found is Ready.NOTHING else Outcome.FAILED
