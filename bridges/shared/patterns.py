# SPDX-License-Identifier: Apache-2.0
"""Match the facts of a call against the shell patterns of a rule. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True)
class Match:
    """Result of matching a rule's patterns: what each found, up to the first that found nothing.

    `missed` is the key of that one, None when all fit. `str` is for people, as `queue support
    and agent fred`.
    """

    found: Mapping[str, str]
    missed: str | None = None

    def __str__(self) -> str:
        """Return what was found."""
        return " and ".join(f"{key} {value}" for key, value in self.found.items())


def match(patterns: Mapping[str, str], values: Mapping[str, Iterable[str]]) -> Match:
    """Try each pattern (`my-trunk*`, `4??`; case counts) on the values of its key; all must fit."""
    found: dict[str, str] = {}
    for key, pattern in patterns.items():
        hit = next((value for value in values[key] if fnmatchcase(value, pattern)), None)
        if hit is None:
            return Match(found, missed=key)
        found[key] = hit
    return Match(found)


def seen(values: Iterable[str]) -> str:
    """Return what there was to fit, for people: the values, or `none`."""
    return ", ".join(filter(None, values)) or "none"
