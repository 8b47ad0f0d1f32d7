# SPDX-License-Identifier: Apache-2.0
"""Keypad codes in the digits a phone sends. Pure: the clock is an argument.

Digits may belong to a card number, so none is kept: of what a channel pressed, only how much of a
code it has entered so far is remembered, and nothing of it once it is no code.
"""

from collections.abc import Mapping
from typing import Final

DIGITS: Final = frozenset("0123456789*#ABCD")
CHANNELS_KEPT: Final = 10_000
"""Half-entered codes kept at once; beyond it the oldest is dropped. A hang-up that was missed
leaves one behind, so the number must have an end."""


class Keypad:
    """Finds codes in digits as they come, channel by channel.

    `codes` maps each code to what it means; `digit_timeout` is how many seconds may pass between
    two of its digits. A code is found at its last digit, whatever was pressed before it (`**1`
    holds `*1`); where two codes end in the same digit, the longer one is meant. The digits of a
    found code count for no other.

    Raises `ValueError` for a code that is empty, has something else than a digit, or can never be
    entered because a shorter one inside it is found first, and for a timeout that is not positive.
    """

    def __init__(self, codes: Mapping[str, str], digit_timeout: float = 2.0) -> None:
        if not digit_timeout > 0:
            raise ValueError(f"digit timeout {digit_timeout!r}: must be more than 0 seconds")
        meanings = {code.upper(): meaning for code, meaning in codes.items()}
        if len(meanings) < len(codes):
            raise ValueError("a code is given twice, in capitals and in small letters")
        _check(meanings)
        self._timeout = digit_timeout
        self._meanings = meanings
        self._next = _automaton(meanings)
        self._entered: dict[str, tuple[str, float]] = {}

    def feed(self, uniqueid: str, digit: str, at: float) -> str | None:
        """Take one digit pressed on a channel at `at` seconds; return what a finished code means.

        `at` is of any clock that does not go back.
        """
        entered, last = self._entered.pop(uniqueid, ("", at))
        if at - last > self._timeout:
            entered = ""
        entered = self._next.get((entered, digit.upper()), "")
        meaning = self._meanings.get(entered)
        if meaning is None and entered:
            self._entered[uniqueid] = (entered, at)
            if len(self._entered) > CHANNELS_KEPT:
                del self._entered[next(iter(self._entered))]
        return meaning

    def forget(self, uniqueid: str) -> None:
        """Drop what a channel has entered: it hung up, or left the bridge."""
        self._entered.pop(uniqueid, None)

    @property
    def pending(self) -> int:
        """How many channels are in the middle of a code."""
        return len(self._entered)


def _check(codes: Mapping[str, str]) -> None:
    for code in codes:
        if not code or not DIGITS.issuperset(code):
            raise ValueError(f"code {code!r}: only digits, *, # and A to D")
        inner = next((other for other in codes if other in code[:-1]), None)
        if inner is not None:
            raise ValueError(f"code {code!r} can never be entered: {inner!r} inside it comes first")


def _automaton(codes: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """Return where a digit leads: from (entered so far, digit) to what is entered then.

    What is entered is always the longest end of the digits that some code begins with, so a
    digit that does not go on with one code may still go on with a shorter beginning.
    """
    beginnings = {code[:length] for code in codes for length in range(len(code) + 1)}
    table = {}
    for entered in beginnings:
        for digit in DIGITS:
            pressed = entered + digit
            while pressed not in beginnings:
                pressed = pressed[1:]
            if pressed:
                table[entered, digit] = pressed
    return table
