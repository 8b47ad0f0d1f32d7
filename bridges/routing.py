# SPDX-License-Identifier: Apache-2.0
"""Which recorders hold a call: pure rules, first match wins, and why is always said.

Order: a channel variable set in the dialplan, then the rules in the order of the file (by trunk
and by extension), then the default.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ami.calls import Call

VARIABLE = "OFFRECORD_RECORDERS"
"""Channel variable that names the recorders of a call, separated by commas."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One routing rule: every given pattern must match one channel of the call.

    `trunk` is matched against the endpoints of channels that are no extension, `extension` against
    the extensions of the call; both are shell patterns (`my-trunk*`, `4??`) and case-sensitive.
    """

    recorders: tuple[str, ...]
    trunk: str | None = None
    extension: str | None = None

    def __str__(self) -> str:
        """Return the rule as `explain` shows it."""
        parts = [
            f"{key} = {value}"
            for key, value in (("trunk", self.trunk), ("extension", self.extension))
            if value is not None
        ]
        return ", ".join(parts)


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


@dataclass(frozen=True, slots=True)
class Router:
    """The routes of one site.

    `known` are the names of all configured recorders: a channel variable that names another is
    passed over and said, because a slip in the dialplan must not leave a call recorded.
    """

    known: tuple[str, ...]
    default: tuple[str, ...]
    rules: Sequence[Rule] = ()

    def route(self, call: Call, named: str = "") -> Routed:
        """Return the recorders of `call`; `named` is the value of the channel variable."""
        trials: list[Trial] = []
        wanted = tuple(word.strip() for word in named.split(",") if word.strip())
        strangers = tuple(name for name in wanted if name not in self.known)
        if strangers:
            why = f"no recorder is called {', '.join(strangers)}"
            trials.append(Trial(f"variable {VARIABLE}", matched=False, why=why))
        elif wanted:
            trials.append(Trial(f"variable {VARIABLE}", matched=True, why=f"names {named}"))
            return Routed(tuple(dict.fromkeys(wanted)), tuple(trials))
        else:
            trials.append(Trial(f"variable {VARIABLE}", matched=False, why="not set"))
        for rule in self.rules:
            matched, why = _matches(rule, call)
            trials.append(Trial(f"rule {rule}", matched, why))
            if matched:
                return Routed(rule.recorders, tuple(trials))
        trials.append(Trial("default", matched=True, why="no rule before it matched"))
        return Routed(self.default, tuple(trials))


def _matches(rule: Rule, call: Call) -> tuple[bool, str]:
    found: list[str] = []
    trunks = [
        channel.endpoint
        for channel in call.channels
        if channel.extension is None and channel.technology != "Local"
    ]
    for what, pattern, values in (
        ("trunk", rule.trunk, trunks),
        ("extension", rule.extension, list(call.extensions)),
    ):
        if pattern is None:
            continue
        hit = next((value for value in values if fnmatchcase(value, pattern)), None)
        if hit is None:
            return False, f"no {what} of the call ({', '.join(values) or 'none'}) is {pattern}"
        found.append(f"{what} {hit}")
    return True, f"{' and '.join(found)} on the call"
