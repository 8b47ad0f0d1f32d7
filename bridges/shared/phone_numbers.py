# SPDX-License-Identifier: Apache-2.0
"""Compare telephone numbers as two systems write them. Pure."""

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

_DIGITS: Final = re.compile(r"[^0-9+]")
_SHORTEST_TAIL: Final = 3
"""Digits that the shorter of two numbers needs to count as the end of the longer one."""


class Match(IntEnum):
    """Degree to which two numbers agree; compare with `>`."""

    NO = 0
    TAIL = 1
    """One is the end of the other, as an extension is of its direct-dial number."""
    SAME = 2


@dataclass(frozen=True, slots=True)
class Numbering:
    """Formats of telephone numbers at a site and in another system.

    `region` is the ISO 3166 code of the country whose national numbers are dialled; without one
    only international numbers are understood as more than digits. `strip` are dialling prefixes
    that another system does not know. `mask` is how that system writes an extension, its `X`
    filled from the right.
    """

    region: str | None = None
    strip: tuple[str, ...] = ()
    mask: str | None = None

    def __post_init__(self) -> None:
        """Load the library now and not with the first press; without numbers it is never loaded."""
        import phonenumbers  # noqa: F401

    def outward(self, number: str) -> str:
        """Return a number of ours as the other system writes it: prefix off, mask on."""
        digits = plain(number)
        for prefix in self.strip:
            if digits.startswith(prefix) and len(digits) > len(prefix):
                digits = digits.removeprefix(prefix)
                break
        if self.mask is None or digits.startswith("+"):
            return digits
        places = self.mask.count("X")
        if len(digits) > places:
            return digits
        fixed, tail = self.mask.rstrip("X"), digits.rjust(places, "0")
        return fixed + tail

    def match(self, one: str, other: str) -> Match:
        """Return how well two spellings agree; an empty one agrees with nothing."""
        a, b = plain(one), plain(other)
        if not a or not b:
            return Match.NO
        if a == b or self._same_line(a, b):
            return Match.SAME
        short, long = sorted((a.lstrip("+"), b.lstrip("+")), key=len)
        tail = len(short) >= _SHORTEST_TAIL and long.endswith(short)
        return Match.TAIL if tail else Match.NO

    def _same_line(self, a: str, b: str) -> bool:
        import phonenumbers

        try:
            first, second = (phonenumbers.parse(number, self.region) for number in (a, b))
        except phonenumbers.NumberParseException:
            return False
        found = phonenumbers.is_number_match(first, second)
        same = phonenumbers.MatchType.EXACT_MATCH, phonenumbers.MatchType.NSN_MATCH
        return found in same


def plain(number: str) -> str:
    """Return the digits of a number, with a leading plus if it has one; empty for a name.

    `*` parts two halves of an extension (`0003*210` at VoipNow) and is no part of a number: what
    follows the last one is the extension itself.
    """
    own = number.rpartition("*")[2].strip()
    kept = _DIGITS.sub("", own)
    sign = "+" if kept.startswith("+") else ""
    digits = kept.replace("+", "")
    if not digits or re.search(r"[A-Za-z]", own.partition("@")[0]):
        return ""
    return sign + digits
