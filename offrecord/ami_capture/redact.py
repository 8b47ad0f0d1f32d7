# SPDX-License-Identifier: Apache-2.0
"""Replacements for what tells of people and places: one table for one file.

The same input has the same replacement throughout a file, and two inputs never share one. The
table is made at random and kept in no file, so nobody can go back from a capture, nor put two
captures together. A number keeps its length, and whether the site's patterns and its rule for
extensions take it; any other word becomes a kind and a count, as `login-2`.

`forbidden` are all runs of five digits or more of the input. None of them occurs in a replacement,
not even by chance, so that a search for somebody's number in a capture finds nothing.
"""

import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from itertools import product
from typing import Final

from offrecord.base.errors import Exit, UserError

LONG: Final = 5
"""Digits from which on a run of them is taken for somebody's number."""

_TRIES: Final = 20_000
_NUMBER: Final = re.compile(r"([+*#]?)([0-9]+)")
_CODE: Final = re.compile(r"[+*#]{0,2}[0-9]{0,2}|[*#][0-9]{1,3}")
_RUN: Final = re.compile(f"[0-9]{{{LONG},}}")
_PARTS: Final = re.compile(r"\[[^]]*\]|.", re.DOTALL)
_UNIQUE: Final = re.compile(r"(?:(.*)-)?([0-9]{1,12})\.([0-9]{1,9})")
_WILD: Final = frozenset("*?[")
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"


def runs(text: str) -> list[str]:
    """Return the runs of digits in a text that may be somebody's number."""
    return _RUN.findall(text)


def leaks(text: str, forbidden: frozenset[str]) -> bool:
    """Say whether a text holds a forbidden run of digits, also as a part of a longer one."""
    return any(
        run[begin:end] in forbidden
        for run in runs(text)
        for begin in range(len(run) - LONG + 1)
        for end in range(begin + LONG, len(run) + 1)
    )


def is_unique(text: str) -> bool:
    """Say whether a text is a uniqueid of Asterisk's own making."""
    return _UNIQUE.fullmatch(text) is not None


def counted(number: int) -> str:
    """Return a count as it is written in a capture: never five digits in a row."""
    return f"{number:_}"


class Redactor:
    """The table of one capture.

    `patterns` are the site's shell patterns; `extension` says whether a word is taken for an
    extension by the site's rule. `chance` is random, of the system unless told.
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
        self.lost = 0
        """Numbers for which a pattern could not be kept true."""
        for pattern in dict.fromkeys(patterns):
            self._take_pattern(pattern)

    # what comes out

    @property
    def table(self) -> Iterator[tuple[str, str, str]]:
        """The kind, the input and its replacement of each; for the eyes of the site alone."""
        yield from (("number", old, new) for old, new in self._numbers.items())
        yield from ((kind, old, new) for (kind, old), new in self._words.items())

    @property
    def counts(self) -> Mapping[str, int]:
        """How many different inputs of each kind were replaced."""
        return {**({"number": len(self._numbers)} if self._numbers else {}), **self._counts}

    def leaks(self, text: str) -> bool:
        """Say whether a text holds a run of digits of the input."""
        return leaks(text, self._forbidden)

    # words

    def word(self, kind: str, value: str) -> str:
        """Return the replacement of a word of one kind; nothing and `<unknown>` stay."""
        if not value or value == "<unknown>":
            return value
        found = self._words.get((kind, value))
        if found is None:
            count = self._counts[kind] = self._counts.get(kind, 0) + 1
            fits = [f".p{place}." for place, p in enumerate(self._by_word) if fnmatchcase(value, p)]
            found = self._words[kind, value] = f"{kind}-{counted(count)}{''.join(fits)}"
        return found

    def suffix(self, value: str) -> str:
        """Return the replacement of the unique part of a channel's name: letters alone."""
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
        """Return the replacement of a number; codes and up to two digits stay, words do not."""
        if _CODE.fullmatch(value):
            return value
        told = _NUMBER.fullmatch(value)
        if told is None:
            return self.word(kind, value)
        return told[1] + self._digits(told[2])

    def _digits(self, digits: str) -> str:
        found = self._numbers.get(digits)
        if found is None:
            if len(digits) <= 2:
                return digits
            found = self._numbers[digits] = self._draw(digits)
            self._used.add(found)
        return found

    def _draw(self, digits: str) -> str:
        """Choose a number that nobody has, of the same length, that fits what this one fits."""
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
                "record a shorter time",
                Exit.FAILED,
            )
        self.lost += 1
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
        """Return a number of a length that a pattern may take."""
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
        """Return the replacement of one of `patterns`: it takes what the given one took.

        One without a wildcard is a word, or number, of `kind` like any other.
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
        raise UserError("no number is left for a pattern", "record a shorter time", Exit.FAILED)

    # unique ids

    def shift(self, uniqueids: Iterable[str]) -> None:
        """Choose by how much unique ids are shifted; these are all there are."""
        told = [m for one in uniqueids if (m := _UNIQUE.fullmatch(one))]
        epochs, serials = [int(m[2]) for m in told], [int(m[3]) for m in told]
        self._epoch, self._serial = (min(epochs, default=0), 0), (min(serials, default=0), 0)
        for _ in range(_TRIES):
            self._epoch = (self._epoch[0], self._chance.randrange(10**9, 11 * 10**8))
            self._serial = (self._serial[0], self._chance.randrange(1, 1000))
            if not any(self.leaks(self.uniqueid(m[0])) for m in told):
                return
        raise UserError("no shift of the unique ids is left", "record a shorter time", Exit.FAILED)

    def uniqueid(self, value: str) -> str:
        """Return the replacement of a uniqueid or linkedid: the order of them stays."""
        told = _UNIQUE.fullmatch(value)
        if told is None:
            return self.word("channel", value)
        epoch = int(told[2]) - self._epoch[0] + self._epoch[1]
        serial = int(told[3]) - self._serial[0] + self._serial[1]
        system = f"{self.word('system', told[1])}-" if told[1] else ""
        return f"{system}{epoch}.{serial}"


def _literal(pattern: str) -> int:
    return sum(sign.isdecimal() for sign in pattern)
