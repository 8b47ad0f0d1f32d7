# SPDX-License-Identifier: Apache-2.0
"""Choose the recorders that hold a call, with the reason for each route tried. Pure.

The first of these that matches decides: a channel variable set in the dialplan; the rules
about trunks and DIDs; those about queues; those about agents and extensions; the default. A call
with several trunks (or queues, or extensions) is held by the recorders of all of them, each of
which goes by the first rule that matches it: a call that crosses two platforms is recorded on
both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ami.calls.snapshots import Call
from bridges.shared.call_parties import trunks
from bridges.shared.patterns import match, seen
from bridges.shared.phone_numbers import plain

VARIABLE = "OFFRECORD_RECORDERS"
"""Channel variable that names the recorders of a call, separated by commas."""


class RuleClass(StrEnum):
    """Class of a routing rule; the classes are tried in this order."""

    TRUNK = "trunks and DIDs"
    QUEUE = "queues"
    PERSON = "agents and extensions"


@dataclass(frozen=True, slots=True)
class Rule:
    """One routing rule: all its patterns must match.

    `trunk` is matched against the endpoint and `did` against the dialled number of a channel that
    is no extension, `queue` against the queues the call is in, `agent` against the login of the
    person who pressed, `extension` against the extensions of the call. All are shell patterns
    (`my-trunk*`, `4??`) and case-sensitive. The first of them that is given says what class the
    rule is of.
    """

    recorders: tuple[str, ...]
    trunk: str | None = None
    extension: str | None = None
    did: str | None = None
    queue: str | None = None
    agent: str | None = None

    @property
    def about(self) -> RuleClass:
        """The class of the rule."""
        if self.trunk is not None or self.did is not None:
            return RuleClass.TRUNK
        return RuleClass.QUEUE if self.queue is not None else RuleClass.PERSON

    def patterns(self) -> dict[str, str]:
        """Return the patterns that are given, by name."""
        given = {name: getattr(self, name) for name in KEYS}
        return {name: pattern for name, pattern in given.items() if pattern is not None}

    def __str__(self) -> str:
        """Return the rule as `explain` shows it."""
        return ", ".join(f"{name} = {pattern}" for name, pattern in self.patterns().items())


KEYS = ("trunk", "did", "queue", "agent", "extension")
"""The keys that a rule can match on, most telling first."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One way to a recorder that was looked at, whether it matched and why."""

    route: str
    matched: bool
    why: str


@dataclass(frozen=True, slots=True)
class Routed:
    """The recorders of a call, and every route that was tried on the way to them."""

    recorders: tuple[str, ...]
    trials: tuple[Trial, ...]


_Subject = dict[str, str]
"""One trunk, queue or extension of a call, by the keys of a rule that it answers to."""


@dataclass(frozen=True, slots=True)
class Router:
    """The routes of one site.

    `known` are the names of all configured recorders: a channel variable that names another is
    passed over and said, because a slip in the dialplan must not leave a call recorded.
    """

    known: tuple[str, ...]
    default: tuple[str, ...]
    rules: Sequence[Rule] = ()

    def route(
        self, call: Call, named: str = "", *, queues: Sequence[str] = (), agent: str | None = None
    ) -> Routed:
        """Return the recorders of `call`.

        `named` is the value of the channel variable, `queues` are the queues the call is in, and
        `agent` the login of the person who pressed.
        """
        by_name = self._named(named)
        if by_name.matched:
            return Routed(_words(named), (by_name,))
        trials = [by_name]
        everywhere = facts(call, queues, agent)
        decided: RuleClass | None = None
        recorders: list[str] = []
        for about in RuleClass:
            rules = [rule for rule in self.rules if rule.about is about]
            if decided is not None:
                why = f"rules about {decided} decided already"
                trials += [Trial(f"rule {rule}", matched=False, why=why) for rule in rules]
                continue
            for rule, why, taken in _judge(rules, _subjects(about, call, queues), everywhere):
                trials.append(Trial(f"rule {rule}", taken, why))
                if taken:
                    decided = about
                    recorders += rule.recorders
        if decided is not None:
            return Routed(tuple(dict.fromkeys(recorders)), tuple(trials))
        trials.append(Trial("default", matched=True, why="no rule before it matched"))
        return Routed(self.default, tuple(trials))

    def _named(self, named: str) -> Trial:
        route, wanted = f"variable {VARIABLE}", _words(named)
        strangers = ", ".join(name for name in wanted if name not in self.known)
        if strangers:
            return Trial(route, matched=False, why=f"no recorder is called {strangers}")
        if wanted:
            return Trial(route, matched=True, why=f"names {', '.join(wanted)}")
        return Trial(route, matched=False, why="not set")


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def facts(call: Call, queues: Sequence[str], agent: str | None) -> dict[str, list[str]]:
    """Return what a call has of each of `KEYS`, wherever on it that is."""
    outside = trunks(call)
    return {
        "trunk": [channel.endpoint for channel in outside],
        "did": [did for channel in outside if (did := plain(channel.exten))],
        "queue": list(queues),
        "agent": [agent] if agent else [],
        "extension": list(call.extensions),
    }


def _subjects(about: RuleClass, call: Call, queues: Sequence[str]) -> list[_Subject]:
    """Return what the rules of one class are about, each of which takes the first that fits."""
    match about:
        case RuleClass.TRUNK:
            return [{"trunk": one.endpoint, "did": plain(one.exten)} for one in trunks(call)]
        case RuleClass.QUEUE:
            return [{"queue": queue} for queue in queues]
    return [{"extension": extension} for extension in call.extensions] or [{}]


def _judge(
    rules: Sequence[Rule], subjects: list[_Subject], everywhere: dict[str, list[str]]
) -> list[tuple[Rule, str, bool]]:
    """Return every rule of one class with why, and whether any subject goes by it."""
    left, judged = list(subjects), []
    for rule in rules:
        found = [(subject, _fits(rule, subject, everywhere)) for subject in subjects]
        hits = [(subject, why) for subject, (fits, why) in found if fits]
        fresh = [(subject, why) for subject, why in hits if subject in left]
        left = [subject for subject in left if all(subject is not hit for hit, _ in hits)]
        if fresh:
            judged.append((rule, f"{fresh[0][1]} on the call", True))
        elif hits:
            judged.append((rule, f"{hits[0][1]} goes by an earlier rule", False))
        else:
            why = found[0][1][1] if found else _fits(rule, {}, everywhere)[1]
            judged.append((rule, why, False))
    return judged


def _fits(rule: Rule, subject: _Subject, everywhere: dict[str, list[str]]) -> tuple[bool, str]:
    """Return whether a rule fits one subject, and why; other keys match the whole call."""
    wanted = rule.patterns()
    found = match(wanted, {**everywhere, **{key: [value] for key, value in subject.items()}})
    if found.missed is not None:
        key = found.missed
        return False, f"no {key} of the call ({seen(everywhere[key])}) is {wanted[key]}"
    return True, str(found)
