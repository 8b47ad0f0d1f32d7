# SPDX-License-Identifier: Apache-2.0
"""The rules about who may press, and whether one fits: pure data and matching."""

from dataclasses import dataclass

from ami.calls.snapshots import Channel
from bridges.shared.patterns import match, seen
from offrecord.model.policy_terms import KINDS, Allow, Kind, Rule
from offrecord.model.press import Press


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
