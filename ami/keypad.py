# SPDX-License-Identifier: Apache-2.0
"""Recognises keypad codes in the digits a phone sends. Pure: the clock is an argument.

Digits may be of a card number and are not kept. For each channel only the part of a code entered
until now is remembered, and dropped as soon as it can no longer become a code.
"""

from collections.abc import Mapping
from typing import Final

DIGITS: Final = frozenset("0123456789*#ABCD")
CHANNELS_KEPT: Final = 10_000
"""Half-entered codes kept at once; beyond it the oldest is dropped. A missed hang-up leaves one
behind, so there must be a limit."""


class Keypad:
    """Finds codes in digits as they arrive, for each channel on its own.

    `codes`: what each code means. `digit_timeout`: seconds that may pass between two of its
    digits. A code is found at its last digit, whatever was pressed before it (`**1` contains
    `*1`); where two codes end in the same digit, the longer one counts. The digits of a found code
    count for no other.

    Raises ValueError for a code that is empty, contains anything but digits, or can never be
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
        """Process one digit and return the meaning of the code it completes, or None.

        `at`: seconds, of any monotonic clock.
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
        """Drop the digits entered on a channel, which hung up or left the bridge."""
        self._entered.pop(uniqueid, None)

    @property
    def pending(self) -> int:
        """Number of channels in the middle of a code."""
        return len(self._entered)


def _check(codes: Mapping[str, str]) -> None:
    for code in codes:
        if not code or not DIGITS.issuperset(code):
            raise ValueError(f"code {code!r}: only digits, *, # and A to D")
        inner = next((other for other in codes if other in code[:-1]), None)
        if inner is not None:
            raise ValueError(f"code {code!r} can never be entered: {inner!r} inside it comes first")


def _automaton(codes: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """Return the transitions (entered until now, digit) to what is entered then.

    The state is always the longest end of the digits with which some code begins: a digit that
    does not continue one code may continue another from a later digit.
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
