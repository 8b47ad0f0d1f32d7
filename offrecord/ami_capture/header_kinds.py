# SPDX-License-Identifier: Apache-2.0
"""Table of AMI headers: the kind of value in each, and how a capture replaces it.

A header that is not listed here is left out. Text from the PBX is kept only if it is one of its
known messages.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from ami.calls import channel_names
from ami.recording_actions import NO_CHANNEL, NONE_LEFT
from bridges.model import Evidence, Outcome, Verb
from bridges.routing import VARIABLE as RECORDERS_VARIABLE
from offrecord.ami_capture.redact import Redactor
from offrecord.model.press import WAYS
from offrecord.policy import freepbx
from offrecord.presses.find_call import AGENT_VARIABLE, APPLICATION, DATA, TAG_VARIABLE

__all__ = ["HeaderRedactor", "Headers"]

Headers = tuple[tuple[str, str], ...]

LEFT_OUT: Final = "(left out)"

_ADDRESS: Final = re.compile(r"(?=.*[.:])[0-9a-fA-F.:]+(?:%\w+)?(?::[0-9]+)?")
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z_ -]{0,30}|[0-9]{1,3}|")
_PORT: Final = re.compile(r"[a-z]?[0-9]{1,2}")
_TECHNOLOGIES: Final = channel_names.PHONES | {
    *("local", "dahdi", "cbrec", "cbann", "console", "message", "motif", "recorder", "announcer"),
    *("multicastrtp", "unicastrtp", "audiosocket", "websocket", "capi", "khomp", "dongle", "phone"),
}
_PLACES: Final = frozenset({*"shitoaTe", "fax", "failed", "hang", "start"})
"""Extensions with a meaning to Asterisk itself."""

_CONTEXTS: Final = frozenset(
    {
        *("default", "from-internal", "from-trunk", "from-pstn", "from-did-direct", "macro-dial"),
        *("from-queue", "ext-queues", "ext-local", "ext-group", "macro-dial-one", "parkedcalls"),
        *("from-internal-xfer", "func-apply-sipheaders", "macro-dialout-trunk", "app-blackhole"),
    }
)
"""Contexts of Asterisk or a distribution; a site's own are replaced."""

_APPLICATIONS: Final = frozenset(
    {
        *("AppDial", "AppDial2", "AppQueue", "Dial", "Queue", "Bridge", "Park", "ParkedCall"),
        *("Parked Call", "ConfBridge", "AGI", "Wait", "Echo", "Playback", "BackGround", "Stasis"),
        *("VoiceMail", "VoiceMailMain", "Answer", "MusicOnHold", "Pickup", "Transferred Call"),
    }
)
_MESSAGES: Final = frozenset(
    {
        *(NONE_LEFT, NO_CHANNEL, "Success", "Permission denied"),
        *("Stopped monitoring channel", "Cannot set mute flag", "Channel not specified"),
        *("MixMonitor stopped", "Monitor stopped", "Conference recording stopped."),
        *("Invalid/unknown command", "No variable specified", "Could not find channel"),
        *("Channels will follow", "Bridge listing will follow", "Queue status will follow"),
        *("Database entry not found", "Result will follow", "Failed to start mixmonitor"),
        *("Setting mute failed", "No Conference bridges found"),
    }
)
"""The messages of answers that are kept; others may hold anything."""


class HeaderRedactor:
    """Redacts the headers of a packet, or of a journal record about a press.

    `recorders`: replacements by the names of the site's recorders. `variable`: the channel variable
    with a channel's extension. `user_event`: the name of the events that are presses.
    """

    def __init__(
        self,
        redactor: Redactor,
        *,
        recorders: Mapping[str, str],
        variable: str = "",
        user_event: str = "offrecord",
    ) -> None:
        self._redactor = redactor
        self._recorders = recorders
        self._variable = variable
        self._user_event = user_event
        self.devices: dict[str, str] = {}
        """The replacement of every channel name seen until now."""

    def packet(self, fields: Headers) -> Headers:
        """Return the headers of a packet, redacted; headers that are not listed are left out."""
        told = dict(reversed(fields))
        made = []
        for name, value in fields:
            if told.get("Event") == "UserEvent" and name.lower() in _AUTHORS:
                name = name.capitalize()  # noqa: PLW2901 - authors write it in any case
            kind = _KINDS.get(name)
            if name == "Value":
                made.append((name, self._value(told.get("Variable", ""), value)))
            elif name == "Val":
                made.append((name, self.login(value)))
            elif name == "Name" and told.get("Event") == "QueueMember":
                made.append((name, self._member(value)))
            elif kind is not None:
                made.append((name, kind(self, value)))
        return tuple(made)

    # kinds of values

    def channel(self, value: str) -> str:
        """Return the replacement of a channel name: each part is replaced, the form stays."""
        if not value or "/" not in value:
            return self._redactor.uniqueid(value) if value else value
        parts = channel_names.parse(value)
        marks = ("<MASQ>" if parts.masquerade else "") + ("<ZOMBIE>" if parts.zombie else "")
        action = f"{parts.action}/" if parts.action else ""
        technology = parts.technology
        if technology.lower() not in _TECHNOLOGIES:
            technology = self._redactor.word("technology", technology)
        if parts.is_local:
            where = f"@{self.context(parts.context)}" if parts.context else ""
            endpoint = f"{self.exten(parts.endpoint)}{where}"
        else:
            endpoint = self.endpoint(parts.endpoint)
        suffix = f"-{self._redactor.suffix(parts.suffix)}" if parts.suffix else ""
        half = f";{parts.half}" if parts.half else ""
        made = f"{action}{technology}/{endpoint}{suffix}{half}{marks}"
        self.devices.setdefault(value, made)
        return made

    def device(self, value: str) -> str:
        """Return the replacement of a device such as `SIP/410`, or of an endpoint alone."""
        technology, slash, endpoint = value.partition("/")
        if not slash:
            return self.endpoint(value)
        if technology.lower() == "local":
            number, at, context = endpoint.partition("@")
            return f"{technology}/{self.exten(number)}{at}{self.context(context.split('/')[0])}"
        if technology.lower() not in _TECHNOLOGIES:
            technology = self._redactor.word("technology", technology)
        return f"{technology}/{self.endpoint(endpoint)}"

    def endpoint(self, value: str) -> str:
        """Return the replacement of an endpoint: a number, an address or a device name."""
        if _ADDRESS.fullmatch(value):
            return self._redactor.word("host", value)
        if "/" in value:
            parts = value.split("/")
            return "/".join(p if _PORT.fullmatch(p) else self.endpoint(p) for p in parts)
        return self._redactor.number(value, "device")

    def exten(self, value: str) -> str:
        """Return the replacement of a dialled extension; Asterisk's special ones stay."""
        return value if value in _PLACES else self._redactor.number(value)

    def number(self, value: str) -> str:
        """Return the replacement of a caller's number."""
        return self._redactor.number(value)

    def person(self, value: str) -> str:
        """Return the replacement of a caller's name; one that is a number, as that number."""
        return self._redactor.number(value, "name")

    def login(self, value: str) -> str:
        """Return the replacement of an agent's login."""
        return self._redactor.number(value, "login")

    def context(self, value: str) -> str:
        """Return the replacement of a dialplan context."""
        return value if value in _CONTEXTS else self._redactor.word("context", value)

    def queue(self, value: str) -> str:
        """Return the replacement of a queue's name."""
        return self._redactor.number(value, "queue")

    def recorder(self, value: str) -> str:
        """Return the replacement of recorder names, separated by commas."""
        words = [word.strip() for word in value.split(",") if word.strip()]
        return ",".join(self._recorders.get(w) or self._redactor.word("recorder", w) for w in words)

    def target(self, value: str) -> str:
        """Return the replacement of a press's target: a channel, a uniqueid or an extension."""
        if "/" in value:
            return self.channel(value)
        return self.number(value) if value.isdecimal() else self._redactor.uniqueid(value)

    def _member(self, value: str) -> str:
        return self.device(value) if "/" in value else self.login(value)

    def _value(self, variable: str, value: str) -> str:
        if not value:
            return value
        if variable in {self._variable, "OFFRECORD_EXTENSION"}:
            return self.number(value.strip())
        known: Mapping[str, Callable[[str], str]] = {
            AGENT_VARIABLE: self.login,
            TAG_VARIABLE: lambda text: self._redactor.word("label", text),
            RECORDERS_VARIABLE: self.recorder,
            APPLICATION: _application,
            DATA: lambda text: self.queue(text.partition(",")[0].strip()),
            "CHANNEL(linkedid)": self._redactor.uniqueid,
            "BRIDGEPEER": lambda text: ",".join(map(self.channel, text.split(","))),
            "MONITORED": lambda text: text if text == "true" else LEFT_OUT,
            freepbx.VARIABLE: lambda text: text if text.lower() in freepbx.WORDS else LEFT_OUT,
        }
        if variable.startswith(_HIDDEN):
            return " ".join(map(self.channel, value.split(" ")))
        return known[variable](value) if variable in known else self._redactor.word("value", value)

    def variable(self, value: str) -> str:
        """Return the replacement of a variable's name; ours and Asterisk's stay."""
        if value == self._variable:
            return "OFFRECORD_EXTENSION"
        ours = {AGENT_VARIABLE, TAG_VARIABLE, RECORDERS_VARIABLE, APPLICATION, DATA,
                freepbx.VARIABLE, "CHANNEL(linkedid)", "OFFRECORD_EXTENSION",
                "BRIDGEPEER", "MONITORED", "MIXMONITOR_FILENAME"}  # fmt: skip
        # the questions for hidden channels hold nothing of the site's
        if value in ours or value.startswith(_HIDDEN):
            return value
        return self._redactor.word("variable", value)

    def event_name(self, value: str) -> str:
        """Return the replacement of a UserEvent's name; the configured one becomes the default."""
        return "offrecord" if value == self._user_event else self._redactor.word("event", value)

    def identity(self, value: str) -> str:
        """Return the replacement of a uniqueid or linkedid."""
        return self._redactor.uniqueid(value)


def _word(_fields: HeaderRedactor, value: str) -> str:
    return value if _WORD.fullmatch(value) else LEFT_OUT


def _application(value: str) -> str:
    return value if value in _APPLICATIONS else "application"


def _one_of(*known: str) -> Callable[[HeaderRedactor, str], str]:
    lowered = {one.lower() for one in known}
    return lambda _fields, value: value if value.lower() in lowered else LEFT_OUT


def _words(kind: str) -> Callable[[HeaderRedactor, str], str]:
    return lambda fields, value: fields._redactor.word(kind, value)  # noqa: SLF001


_AUTHORS: Final = frozenset({"verb", "agent", "recorder"})
"""Headers that the author of a UserEvent sets."""

_HIDDEN: Final = "CHANNELS(^(Recorder|CBRec|"
"""How a question for the channels begins that no listing shows."""

_KIND = Callable[[HeaderRedactor, str], str]

_KINDS: Final[Mapping[str, _KIND]] = {
    **dict.fromkeys(
        ("Event", "Action", "Response", "ChannelStateDesc", "BridgeType", "BridgeTechnology",
         "DialStatus", "Result", "Direction", "State", "Restart", "Status", "Cause", "EventList",
         "Link", "What"), _word,
    ),
    **dict.fromkeys(
        ("Channel", "DestChannel", "Newname", "LocalOneChannel", "LocalTwoChannel",
         "SpyerChannel", "SpyeeChannel"),
        HeaderRedactor.channel,
    ),
    **dict.fromkeys(
        ("Uniqueid", "Linkedid", "DestUniqueid", "DestLinkedid", "TargetUniqueid",
         "TargetLinkedid",
         *(f"{who}{what}" for what in ("Uniqueid", "Linkedid") for who in (
             "LocalOne", "LocalTwo", "Transferer", "Transferee", "OrigTransferer",
             "SecondTransferer", "TransferTarget", "Spyer", "Spyee"))), HeaderRedactor.identity,
    ),
    **dict.fromkeys(("CallerIDNum", "ConnectedLineNum"), HeaderRedactor.number),
    "CallerIDName": HeaderRedactor.person,
    **dict.fromkeys(("Exten", "Extension", "Key"), HeaderRedactor.exten),
    "Context": HeaderRedactor.context,
    "AccountCode": _words("account"),
    "Digit": lambda _fields, value: value,  # masked before, see `digits.mask_digits`
    **dict.fromkeys(
        ("BridgeUniqueid", "BridgeId", "ToBridgeUniqueid", "FromBridgeUniqueid"), _words("bridge")
    ),
    "Conference": _words("conference"),
    "Application": lambda _fields, value: _application(value),
    "ActionID": _words("action"),
    "Message": lambda _fields, value: value if value in _MESSAGES else LEFT_OUT,
    "Variable": HeaderRedactor.variable,
    "UserEvent": HeaderRedactor.event_name,
    "Verb": _one_of(*Verb),
    "Way": _one_of(*WAYS),
    "Agent": HeaderRedactor.login,
    "Recorder": HeaderRedactor.recorder,
    "Queue": HeaderRedactor.queue,
    **dict.fromkeys(("Location", "StateInterface"), HeaderRedactor.device),
    "Family": _words("family"),
    "File": _words("file"),
    "Target": HeaderRedactor.target,
    "Outcome": _one_of(*Outcome),
    "Evidence": _one_of(*(level.label for level in Evidence)),
    **dict.fromkeys(("Press", "Of"), _words("press")),
    "EndObjection": _one_of("yes"),
}  # fmt: skip
"""The redaction of each header. Headers that are not here are left out."""
