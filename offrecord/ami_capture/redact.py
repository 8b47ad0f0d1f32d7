# SPDX-License-Identifier: Apache-2.0
"""The table of replacements for numbers and names in one capture.

The same input has the same replacement throughout a file, and two inputs never share one. The
table is random and not in the file: a capture cannot be reversed, nor two captures be matched. A
number keeps its length, and still matches, or does not match, the site's patterns and its rule for
extensions. Any other word becomes a kind and a count, such as `login-2`.

`forbidden`: all runs of five digits or more in the input. None occurs in a replacement, not even by
chance: a search for a real number in a capture finds nothing.
"""

import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from itertools import product
from typing import Final

from offrecord.base.errors import Exit, UserError

LONG: Final = 5
"""Digits in a row from which on they count as somebody's number."""

_TRIES: Final = 20_000
_NUMBER: Final = re.compile(r"([+*#]?)([0-9]+)")
_CODE: Final = re.compile(r"[+*#]{0,2}[0-9]{0,2}|[*#][0-9]{1,3}")
_RUN: Final = re.compile(f"[0-9]{{{LONG},}}")
_PARTS: Final = re.compile(r"\[[^]]*\]|.", re.DOTALL)
_UNIQUE: Final = re.compile(r"(?:(.*)-)?([0-9]{1,12})\.([0-9]{1,9})")
_WILD: Final = frozenset("*?[")
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"


def digit_runs(text: str) -> list[str]:
    """Return the runs of `LONG` digits or more in a text."""
    return _RUN.findall(text)


def leaks(text: str, forbidden: frozenset[str]) -> bool:
    """Return whether a text holds a forbidden run of digits, also as a part of a longer one."""
    return any(
        run[begin:end] in forbidden
        for run in digit_runs(text)
        for begin in range(len(run) - LONG + 1)
        for end in range(begin + LONG, len(run) + 1)
    )


def is_uniqueid(text: str) -> bool:
    """Return whether a text has the form of a uniqueid made by Asterisk."""
    return _UNIQUE.fullmatch(text) is not None


def format_count(number: int) -> str:
    """Return a count with underscores, without five digits in a row."""
    return f"{number:_}"


class Redactor:
    """The table of one capture.

    `patterns`: the site's shell patterns. `extension`: returns whether the site's rule takes a
    number for an extension. `chance`: the source of randomness, by default the system's.
    """

    def __init__(
        self,
        forbidden: Iterable[str] = (),
        patterns: Iterable[str] = (),
        extension: Callable[[str], bool] = lambda _: True,
        chance: random.Random | None = None,
    ) -> None:
        self._forbidden = frozenset(forbidden)
        self._extension = extension
        self._chance = chance or random.SystemRandom()
        self._words: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}
        self._numbers: dict[str, str] = {}
        self._used: set[str] = set()
        self._epoch = self._serial = (0, 0)
        self._by_number: dict[str, str] = {}
        self._by_word: dict[str, str] = {}
        self.patterns_lost = 0
        """Number of replacements that do not match the patterns that their numbers match."""
        for pattern in dict.fromkeys(patterns):
            self._take_pattern(pattern)

    # results

    @property
    def table(self) -> Iterator[tuple[str, str, str]]:
        """Kind, input and replacement of each entry; not for the file."""
        yield from (("number", old, new) for old, new in self._numbers.items())
        yield from ((kind, old, new) for (kind, old), new in self._words.items())

    @property
    def counts(self) -> Mapping[str, int]:
        """The number of different inputs of each kind that were replaced."""
        return {**({"number": len(self._numbers)} if self._numbers else {}), **self._counts}

    def leaks(self, text: str) -> bool:
        """Return whether a text holds a run of digits of the input."""
        return leaks(text, self._forbidden)

    # words

    def word(self, kind: str, value: str) -> str:
        """Return the replacement of a word of one kind; empty and `<unknown>` stay."""
        if not value or value == "<unknown>":
            return value
        found = self._words.get((kind, value))
        if found is None:
            count = self._counts[kind] = self._counts.get(kind, 0) + 1
            fits = [f".p{place}." for place, p in enumerate(self._by_word) if fnmatchcase(value, p)]
            found = self._words[kind, value] = f"{kind}-{format_count(count)}{''.join(fits)}"
        return found

    def suffix(self, value: str) -> str:
        """Return the replacement of the unique suffix of a channel name: letters only."""
        found = self._words.get(("suffix", value))
        if found is None:
            count = self._counts["suffix"] = self._counts.get("suffix", 0) + 1
            letters, count = "", count - 1
            while count or len(letters) < 4:
                count, place = divmod(count, 26)
                letters = _LETTERS[place] + letters
            found = self._words["suffix", value] = letters
        return found

    # numbers

    def number(self, value: str, kind: str = "text") -> str:
        """Return the replacement of a number, or of a word of `kind`; short codes stay."""
        if _CODE.fullmatch(value):
            return value
        match = _NUMBER.fullmatch(value)
        if match is None:
            return self.word(kind, value)
        return match[1] + self._digits(match[2])

    def _digits(self, digits: str) -> str:
        found = self._numbers.get(digits)
        if found is None:
            if len(digits) <= 2:
                return digits
            found = self._numbers[digits] = self._draw(digits)
            self._used.add(found)
        return found

    def _draw(self, digits: str) -> str:
        """Return an unused number of the same length that matches the same patterns. Random."""
        fits = [p for p in self._by_number if fnmatchcase(digits, p)]
        template = max((self._by_number[p] for p in fits), key=_literal, default="*")
        wanted = [p in fits for p in self._by_number]
        spare = ""
        for candidate in self._candidates(template, len(digits)):
            if candidate in self._used or self.leaks(candidate):
                continue
            if [fnmatchcase(candidate, p) for p in self._by_number.values()] == wanted and (
                self._extension(candidate) == self._extension(digits)
                and (candidate[0] == "0") == (digits[0] == "0")
            ):
                if candidate != digits:
                    return candidate
                continue
            spare = spare or (candidate if candidate != digits else "")
        if not spare:
            raise UserError(
                f"there are not enough numbers of {len(digits)} digits to replace all of them",
                "capture a shorter time",
                Exit.FAILED,
            )
        self.patterns_lost += 1
        return spare

    def _candidates(self, template: str, length: int) -> Iterator[str]:
        if length < LONG:
            every = ["".join(digits) for digits in product("0123456789", repeat=length)]
            self._chance.shuffle(every)
            yield from every
            return
        for _ in range(_TRIES):
            yield self._filled(template, length)
        for _ in range(_TRIES):
            yield self._filled("*", length)

    def _filled(self, template: str, length: int) -> str:
        """Return a random number of a length that fits a template."""
        parts = _PARTS.findall(template)
        spare = length - sum(part != "*" for part in parts)
        made = ""
        for part in parts:
            if part == "*":
                made += self._some(max(spare, 0))
                spare = 0
            else:
                made += part if part.isdecimal() else self._some(1)
        return (made + self._some(max(length - len(made), 0)))[:length]

    def _some(self, length: int) -> str:
        return "".join(self._chance.choice("0123456789") for _ in range(length))

    # patterns

    def pattern(self, pattern: str, kind: str) -> str:
        """Return the replacement of one of `patterns`: it matches the replaced values likewise.

        One without a wildcard is replaced like any word or number of `kind`.
        """
        if not _WILD & set(pattern):
            return self.number(pattern, kind)
        return self._by_number.get(pattern) or self._by_word.get(pattern) or pattern

    def _take_pattern(self, pattern: str) -> None:
        if not _WILD & set(pattern):
            return
        if not any(sign.isalpha() for sign in pattern.replace("[!", "[")):
            self._by_number[pattern] = _RUN.sub(lambda run: self._fresh(len(run[0])), pattern)
        elif pattern.strip("*"):
            self._by_word[pattern] = f"*.p{len(self._by_word)}.*"

    def _fresh(self, length: int) -> str:
        for _ in range(_TRIES):
            made = self._some(length)
            if not self.leaks(made) and made not in self._used:
                return made
        raise UserError("no number is left for a pattern", "capture a shorter time", Exit.FAILED)

    # uniqueids

    def shift_uniqueids(self, uniqueids: Iterable[str]) -> None:
        """Choose random offsets for the uniqueids of the capture. Call it with all of them."""
        matches = [m for one in uniqueids if (m := _UNIQUE.fullmatch(one))]
        epochs, serials = [int(m[2]) for m in matches], [int(m[3]) for m in matches]
        self._epoch, self._serial = (min(epochs, default=0), 0), (min(serials, default=0), 0)
        for _ in range(_TRIES):
            self._epoch = (self._epoch[0], self._chance.randrange(10**9, 11 * 10**8))
            self._serial = (self._serial[0], self._chance.randrange(1, 1000))
            if not any(self.leaks(self.uniqueid(m[0])) for m in matches):
                return
        raise UserError(
            "no offset for the uniqueids is left", "capture a shorter time", Exit.FAILED
        )

    def uniqueid(self, value: str) -> str:
        """Return the replacement of a uniqueid or linkedid; their order stays."""
        match = _UNIQUE.fullmatch(value)
        if match is None:
            return self.word("channel", value)
        epoch = int(match[2]) - self._epoch[0] + self._epoch[1]
        serial = int(match[3]) - self._serial[0] + self._serial[1]
        system = f"{self.word('system', match[1])}-" if match[1] else ""
        return f"{system}{epoch}.{serial}"


def _literal(pattern: str) -> int:
    return sum(sign.isdecimal() for sign in pattern)
