# SPDX-License-Identifier: Apache-2.0
"""Match a rule of the policy with a press, and the facts that this is decided on. Pure."""

from dataclasses import dataclass

from ami.calls.snapshots import Channel
from bridges.shared.patterns import match, seen
from offrecord.model.policy_terms import KINDS, Allow, Kind, Rule
from offrecord.model.press import Press


@dataclass(frozen=True, slots=True)
class Trial:
    """One rule that was tried, whether it matched, and why."""

    rule: str
    matched: bool
    why: str


@dataclass(frozen=True, slots=True)
class Person:
    """A person, identified by login, extension or both."""

    agent: str | None = None
    extension: str | None = None

    @property
    def name(self) -> str | None:
        """The name that presses are counted under: the login, else the extension."""
        return self.agent or self.extension

    def is_same(self, other: "Person") -> bool:
        """Return whether both are the same person; logins decide where both have one."""
        if self.agent and other.agent:
            return self.agent == other.agent
        return self.extension is not None and self.extension == other.extension


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts about a call and the presser that a ruling needs.

    `call`: the ids of the call. `extensions`, `trunks` (as endpoints) and `queues` are those of
    the call. `freepbx`: the values of `freepbx.VARIABLE` on its legs, None when they were not
    read. `silenced_by`: the people whose stops and pauses are in force on the call. `seen` is
    False when the PBX could not be asked.
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
        """The presser."""
        return Person(self.agent, self.presser.extension if self.presser else None)


def kind_of(way: str) -> Kind:
    """Return the kind of a way. An unknown way counts as a phone, which has the fewest rights."""
    return next((kind for kind in KINDS if kind == way), "phone")


def fits(rule: Rule, press: Press, facts: Facts) -> tuple[bool, str]:
    """Return whether a rule matches a press, and a sentence that says why."""
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
    """Return whether a channel is a trunk's. A Local half counts as none: its owner is unknown."""
    return presser.extension is None and presser.technology.upper() != "LOCAL"
