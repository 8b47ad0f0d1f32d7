# SPDX-License-Identifier: Apache-2.0
"""The words of a policy as frozen data: rules, ways, who may resume, how a pause ends.

The configuration fills them in, `offrecord.policy` matches presses against them.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, get_args

from bridges.model import Verb

ResumeBy = Literal["anyone", "same_person"]
"""Who may resume what somebody silenced."""

AtEnd = Literal["resume", "stay_paused_and_alarm"]
"""What is done when a pause has lasted its time."""

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
