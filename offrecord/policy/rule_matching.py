# SPDX-License-Identifier: Apache-2.0
"""The rules about who may press, and whether one fits: pure data and matching."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, get_args

from ami.calls.snapshots import Channel
from bridges.model import Verb
from bridges.shared.correlate import trunks
from bridges.shared.patterns import match, seen
from offrecord.model.press import Press
from offrecord.policy import freepbx
from offrecord.presses.find_call import Resolved, everything

Kind = Literal["phone", "cli", "http"]
"""What ways are to the rules: all those of the phone are one, as a press may be seen by several."""

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

KEYS: Final = ("queue", "trunk", "agent", "extension")
"""The keys of a rule that hold a shell pattern."""


class Allow(StrEnum):
    """What a rule says of the presses it fits."""

    ALLOW = "allow"
    PAUSE_ONLY = "pause_only"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: it fits a press when all that is given fits.

    `queue` is matched against the queues the call is in, `trunk` against the endpoints of its
    channels that are no extension, `agent` against the login of the person who pressed,
    `extension` against the extension that pressed (where no channel pressed: those of the call).
    No `verbs` means every verb. A rule with `allow_trunk` is about presses from the trunk
    itself, which `trunk` then names in full; no other rule can allow those.
    """

    allow: Allow
    queue: str | None = None
    trunk: str | None = None
    agent: str | None = None
    extension: str | None = None
    verbs: tuple[Verb, ...] = ()
    ways: tuple[Kind, ...] = ("phone",)
    allow_trunk: bool = False
    why: str | None = None

    def patterns(self) -> dict[str, str]:
        """Return the patterns that are given, by name."""
        given = {name: getattr(self, name) for name in KEYS}
        return {name: pattern for name, pattern in given.items() if pattern is not None}

    def __str__(self) -> str:
        """Return the rule as people are told of it."""
        parts = [f"{name} = {pattern}" for name, pattern in self.patterns().items()]
        if self.verbs:
            parts.append(f"verb = {' or '.join(self.verbs)}")
        if self.ways != ("phone",):
            parts.append(f"ways = {' or '.join(self.ways)}")
        return ", ".join([*parts, *(["allow_trunk"] if self.allow_trunk else [])]) or "every press"


@dataclass(frozen=True, slots=True)
class Trial:
    """One rule that was looked at, whether it fits and why."""

    rule: str
    matched: bool
    why: str


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, as far as known."""

    agent: str | None = None
    extension: str | None = None

    @property
    def name(self) -> str | None:
        """What presses are counted by: the login, else the extension."""
        return self.agent or self.extension

    def is_same(self, other: "Person") -> bool:
        """Say whether two are known to be one: by the logins where both have one."""
        if self.agent and other.agent:
            return self.agent == other.agent
        return self.extension is not None and self.extension == other.extension


@dataclass(frozen=True, slots=True)
class Facts:
    """What a ruling needs to know of a call and of whoever presses.

    `call` are the ids that mean the call; `extensions`, `trunks` (their endpoints) and `queues`
    are what is on it. `freepbx` are the values of `freepbx.VARIABLE` on its legs, None when they
    were not read. `silenced_by` are those whose stops and pauses are in force on the call. `seen`
    is False when the PBX could not be asked.
    """

    call: frozenset[str]
    presser: Channel | None
    agent: str | None = None
    extensions: tuple[str, ...] = ()
    trunks: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    freepbx: tuple[str, ...] | None = None
    silenced_by: tuple[Person, ...] = ()
    seen: bool = True

    @property
    def person(self) -> Person:
        """Who presses."""
        return Person(self.agent, self.presser.extension if self.presser else None)


def facts_of(resolved: Resolved, silenced_by: Iterable[Person] = ()) -> Facts:
    """Return what a ruling needs of a call that was resolved, with the variables it asks for."""
    call = resolved.call
    return Facts(
        everything(call),
        resolved.presser,
        resolved.who.login,
        call.extensions,
        tuple(dict.fromkeys(channel.endpoint for channel in trunks(call))),
        resolved.queues,
        resolved.facts.get(freepbx.VARIABLE),
        tuple(silenced_by),
        resolved.seen,
    )


def kind_of(way: str) -> Kind:
    """Return what a way is to the rules. One that nobody knows has the least rights: a phone's."""
    return next((kind for kind in KINDS if kind == way), "phone")


def fits(rule: Rule, press: Press, facts: Facts) -> tuple[bool, str]:
    """Say whether a rule fits a press, and why, in words for people."""
    kind, presser = kind_of(press.way), facts.presser
    if kind not in rule.ways:
        return False, f"about {' and '.join(rule.ways)}, and this press is by {kind}"
    if rule.verbs and press.verb not in rule.verbs:
        return False, f"about {' and '.join(rule.verbs)}, and this is {press.verb}"
    if kind == "phone" and presser is not None:
        own = rule.allow_trunk and rule.trunk == presser.endpoint and _is_trunk(presser)
        if rule.allow_trunk and not own:
            return False, f"about presses from {rule.trunk} itself, and {presser.name} pressed"
        if presser.extension is None and not own and rule.allow is not Allow.DENY:
            return False, f"lets nobody press who is no extension, such as {presser.name}"
    who = (presser.extension,) if presser else facts.extensions
    values = {
        "queue": facts.queues,
        "trunk": facts.trunks,
        "agent": tuple(filter(None, [facts.agent])),
        "extension": tuple(filter(None, who)),
    }
    wanted = rule.patterns()
    found = match(wanted, values)
    if found.missed is not None:
        there = seen(values[found.missed])
        return False, f"no {found.missed} of this press ({there}) is {wanted[found.missed]}"
    return True, str(found) or "it fits every press"


def _is_trunk(presser: Channel) -> bool:
    """Say whether a channel is a trunk's. Half a Local channel could be anybody's."""
    return presser.extension is None and presser.technology.upper() != "LOCAL"
