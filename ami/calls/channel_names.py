# SPDX-License-Identifier: Apache-2.0
"""Parses Asterisk channel names and finds the extension a channel belongs to, if any.

Pure functions over strings. A name is `[Action/]Technology/Endpoint-suffix[;half]`, followed while
a masquerade goes on by `<MASQ>` and after it by `<ZOMBIE>`. The endpoint may hold dashes, slashes,
dots and `@`, so only the LAST dash parts it from the suffix.

The default rule is Noojee's: strip technology and suffix, and what is left is the extension
(`SIP/410-12FA7B` is `410`). Sites do not always name devices after extensions, so a channel
variable, a configured map or a hint overrides it, in that order. Where there is no extension the
result is None with the reason; nothing is guessed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

ACTIONS: Final = frozenset({"parked", "asyncgoto", "bridge", "surrogate"})
"""Prefixes Asterisk puts before a name while it moves the channel to another thread or place."""

PHONES: Final = frozenset(
    {
        *("sip", "pjsip", "iax", "iax2", "sccp", "skinny", "mgcp", "unistim", "ustm"),
        *("h323", "ooh323"),
    }
)
"""Technologies, in lower case, whose endpoints are accounts that a site may name after extensions.

DAHDI is not among them: its endpoints are port and span numbers (`1`, `i1/0383208100`), which only
the configured map can give to an extension.
"""

PATTERN: Final = r"[+*#]?[0-9]{1,20}"
"""The pattern of an endpoint that counts as an extension: digits, perhaps after one sign.

A login such as `fred` or `410@acme`, an address such as `10.0.0.5` and a trunk such as `my-trunk`
do not match; the first two become extensions through the map alone.
"""


class ChannelName(NamedTuple):
    """The parts of a channel name. A part that is not there is an empty string.

    `endpoint` of a Local channel is the number dialled, `context` where it was dialled. `half` is
    "1" or "2" for channels that come in pairs. `action` is the leading `Parked`, `AsyncGoto`,
    `Bridge` or `Surrogate`.
    """

    raw: str
    technology: str
    endpoint: str
    suffix: str
    half: str = ""
    context: str = ""
    action: str = ""
    masquerade: bool = False
    zombie: bool = False

    @property
    def is_local(self) -> bool:
        """True for a half of a Local channel, which connects two bridges and is no phone."""
        return self.technology.lower() == "local"

    @property
    def device(self) -> str:
        """The device as Asterisk's hints name it: `SIP/410`."""
        return f"{self.technology}/{self.endpoint}"


class Resolution(NamedTuple):
    """The extension a channel belongs to, or None, and in one sentence why."""

    extension: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Rules:
    """How a site names its devices.

    `endpoints` maps `endpoint` or `technology/endpoint` to an extension; the longer form wins.
    `trunks` holds endpoints, in either form, that are never an extension, even if digits.
    `hints` maps devices (`technology/endpoint`) to extensions, as the dialplan's hints do.
    `pattern` is the regular expression an endpoint must match as a whole to be an extension by
    the default rule, `technologies` (lower case) those the default rule applies to. Names are
    compared without regard to case. Raises `ValueError` for a pattern that is no regular
    expression.
    """

    endpoints: Mapping[str, str] = field(default_factory=dict)
    trunks: frozenset[str] = frozenset()
    hints: Mapping[str, str] = field(default_factory=dict)
    pattern: str = PATTERN
    technologies: frozenset[str] = PHONES
    _matcher: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile the pattern and lower the case of all names once."""
        try:
            matcher = re.compile(self.pattern)
        except re.error as problem:
            raise ValueError(f"extension pattern {self.pattern!r}: {problem}") from None
        put = object.__setattr__
        put(self, "_matcher", matcher)
        put(self, "endpoints", {name.lower(): exten for name, exten in self.endpoints.items()})
        put(self, "trunks", frozenset(name.lower() for name in self.trunks))
        put(self, "hints", {name.lower(): exten for name, exten in self.hints.items()})
        put(self, "technologies", frozenset(name.lower() for name in self.technologies))

    def looks_like_extension(self, text: str) -> bool:
        """Return whether a whole endpoint looks like an extension."""
        return self._matcher.fullmatch(text) is not None


DEFAULT_RULES: Final = Rules()


def parse(name: str) -> ChannelName:
    """Return the parts of a channel name. Never raises: a name without a slash has no technology.

    >>> parse("Local/412@inner-00000000;1").context
    'inner'
    """
    rest = name.strip()
    zombie = masquerade = False
    if rest.endswith(">"):
        marks = {mark.upper() for mark in _MARKS.findall(rest)}
        zombie, masquerade = "ZOMBIE" in marks, "MASQ" in marks
        rest = _MARKS.split(rest, maxsplit=1)[0]
    action = ""
    technology, slash, rest = rest.partition("/")
    if technology.lower() in ACTIONS and "/" in rest:
        action = technology
        technology, slash, rest = rest.partition("/")
    if not slash:
        return ChannelName(name, "", technology, "", masquerade=masquerade, zombie=zombie)
    half = ""
    if rest[-2:] in {";1", ";2"}:
        rest, half = rest[:-2], rest[-1]
    endpoint, _, suffix = rest.rpartition("-")
    if not endpoint or not suffix:
        endpoint, suffix = rest, ""  # a device such as Console/dsp, or no channel name at all
    context = ""
    if technology.lower() == "local":
        endpoint, _, context = endpoint.partition("@")
    return ChannelName(
        name, technology, endpoint, suffix, half, context, action, masquerade, zombie
    )


def resolve(
    name: str | ChannelName,
    rules: Rules = DEFAULT_RULES,
    *,
    variable: str | None = None,
) -> Resolution:
    """Return which extension a channel belongs to and why, or why to none.

    `variable`: what the dialplan set on the channel itself (`OFFRECORD_EXTENSION`), if anything.
    A Local half, a zombie and a configured trunk belong to none, whatever the variable holds:
    channels that are not the person's phone inherit channel variables.
    """
    parts = parse(name) if isinstance(name, str) else name
    if _complete(parts):
        return (
            _nobody(parts, rules)
            or _told(parts, rules, variable)
            or _unfit(parts, rules)
            or Resolution(parts.endpoint, f"technology and unique suffix cut off {parts.raw}")
        )
    return Resolution(None, f"{parts.raw!r} is no channel name: technology/endpoint-suffix")


def extension(
    name: str | ChannelName,
    rules: Rules = DEFAULT_RULES,
    *,
    variable: str | None = None,
) -> str | None:
    """Return the extension a channel belongs to, or None; `resolve` without the reason."""
    return resolve(name, rules, variable=variable).extension


_MARKS: Final = re.compile("<(ZOMBIE|MASQ)>", re.IGNORECASE)


def _complete(parts: ChannelName) -> bool:
    """Return whether a name has a technology, and an endpoint that is more than its dash."""
    return bool(parts.technology and parts.endpoint.strip("-"))


def _nobody(parts: ChannelName, rules: Rules) -> Resolution | None:
    """Return why a channel cannot be a phone, or None if it can."""
    if parts.zombie:
        return Resolution(None, f"a zombie: what a masquerade left behind of {parts.device}")
    if parts.masquerade:
        return Resolution(None, f"in mid-masquerade: {parts.device} moves to another channel")
    if parts.is_local:
        return Resolution(
            None, "half of a Local channel: it joins two bridges, nobody speaks there"
        )
    trunks = rules.trunks
    if trunks and (parts.endpoint.lower() in trunks or parts.device.lower() in trunks):
        return Resolution(None, f"{parts.device} is configured as a trunk")
    return None


def _told(parts: ChannelName, rules: Rules, variable: str | None) -> Resolution | None:
    """Return the extension that dialplan, configuration or hints give a channel, if any."""
    if variable:
        return Resolution(variable, f"the dialplan says so on channel {parts.raw}")
    device = parts.device.lower()
    exten = rules.endpoints.get(device) or rules.endpoints.get(parts.endpoint.lower())
    if exten:
        return Resolution(exten, f"the configuration gives {parts.device} to extension {exten}")
    exten = rules.hints.get(device)
    if exten:
        return Resolution(exten, f"the hint of extension {exten} watches {parts.device}")
    return None


def _unfit(parts: ChannelName, rules: Rules) -> Resolution | None:
    """Return why the default rule finds no extension in a name, or None if it does."""
    if parts.technology.lower() not in rules.technologies:
        why = f"{parts.technology} endpoints are not named after extensions, and none is mapped"
        return Resolution(None, why)
    if not rules.looks_like_extension(parts.endpoint):
        why = f"{parts.endpoint!r} does not look like an extension, and none is mapped to it"
        return Resolution(None, why)
    return None
