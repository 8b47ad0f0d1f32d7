# SPDX-License-Identifier: Apache-2.0
"""The terms of a policy as frozen data: rules, kinds of ways, who may resume, how a pause ends.

The configuration supplies them; `offrecord.policy` matches presses against them.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, get_args

from bridges.model import Verb

ResumeBy = Literal["anyone", "same_person"]
"""The people who may resume a recording that somebody stopped or paused."""

AtEnd = Literal["resume", "stay_paused_and_alarm"]
"""Action of the daemon when the time of a pause is over."""

Kind = Literal["phone", "cli", "http"]
"""Ways as rules see them. All ways from a phone are one: several may report the same press."""

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

KEYS: Final = ("queue", "trunk", "agent", "extension")
"""The keys of a rule that hold a shell pattern."""


class Allow(StrEnum):
    """Decision of a rule on the presses that it matches."""

    ALLOW = "allow"
    PAUSE_ONLY = "pause_only"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. It matches a press when every given field matches.

    `queue` is matched against the queues the call is in, `trunk` against the endpoints of its
    channels that are no extension, `agent` against the login of the person who pressed,
    `extension` against the extension that pressed (where no channel pressed: those of the call).
    No `verbs` means every verb. A rule with `allow_trunk` is about presses from the trunk
    itself, which `trunk` names in full; no other rule can allow those.
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
        """Return the given patterns by key."""
        given = {name: getattr(self, name) for name in KEYS}
        return {name: pattern for name, pattern in given.items() if pattern is not None}

    def __str__(self) -> str:
        """Return the rule as shown in reasons and by `explain`."""
        parts = [f"{name} = {pattern}" for name, pattern in self.patterns().items()]
        if self.verbs:
            parts.append(f"verb = {' or '.join(self.verbs)}")
        if self.ways != ("phone",):
            parts.append(f"ways = {' or '.join(self.ways)}")
        return ", ".join([*parts, *(["allow_trunk"] if self.allow_trunk else [])]) or "every press"
