# SPDX-License-Identifier: Apache-2.0
"""Codes in digits: found at their last digit, and nothing else remembered."""

import pytest

from ami.keypad import CHANNELS_KEPT, Keypad

CODES = {"*1": "stop", "*2": "pause", "*3": "resume"}


def press(keypad: Keypad, digits: str, *, uniqueid: str = "1.1", gap: float = 0.3) -> list[str]:
    found = (keypad.feed(uniqueid, digit, count * gap) for count, digit in enumerate(digits))
    return [meaning for meaning in found if meaning is not None]


@pytest.mark.parametrize(
    ("digits", "expected"),
    [
        ("*1", ["stop"]),
        ("*1*3", ["stop", "resume"]),
        ("**1", ["stop"]),
        ("***1", ["stop"]),
        ("55*2", ["pause"]),
        ("*91", []),
        ("1*", []),
        ("*#1", []),
        ("*4*1", ["stop"]),
    ],
)
def test_a_code_is_found_at_its_last_digit_whatever_came_before(
    digits: str, expected: list[str]
) -> None:
    assert press(Keypad(CODES), digits) == expected


@pytest.mark.parametrize(
    ("digits", "expected"),
    [
        ("**1", ["two stars"]),
        ("*1", ["one star"]),
        ("***1", ["two stars"]),
        ("*1*1", 2 * ["one star"]),
    ],
)
def test_of_two_codes_that_end_together_the_longer_is_meant(
    digits: str, expected: list[str]
) -> None:
    assert press(Keypad({"*1": "one star", "**1": "two stars"}), digits) == expected


def test_a_wrong_digit_falls_back_to_the_longest_beginning_still_possible() -> None:
    assert press(Keypad({"1213": "found"}), "121213") == ["found"]
    assert press(Keypad({"112": "found"}), "11112") == ["found"]
    assert press(Keypad({"1213": "a", "22": "b"}), "12122") == ["b"]


def test_the_digits_of_a_found_code_count_for_no_other() -> None:
    assert press(Keypad({"1*": "a", "*2": "b"}), "1*2") == ["a"]


def test_a_pause_longer_than_the_timeout_starts_anew() -> None:
    keypad = Keypad(CODES, digit_timeout=2.0)
    assert keypad.feed("1.1", "*", 10.0) is None
    assert keypad.feed("1.1", "1", 12.0) == "stop", "just in time"
    keypad.feed("1.1", "*", 20.0)
    assert keypad.feed("1.1", "1", 22.001) is None
    keypad.feed("1.1", "*", 30.0)
    keypad.feed("1.1", "*", 33.0)
    assert keypad.feed("1.1", "1", 34.0) == "stop", "counted from the last digit"


def test_channels_do_not_mix() -> None:
    keypad = Keypad(CODES)
    keypad.feed("1.1", "*", 0.0)
    assert keypad.feed("1.2", "1", 0.1) is None
    assert keypad.feed("1.1", "1", 0.2) == "stop"


def test_a_forgotten_channel_starts_anew() -> None:
    keypad = Keypad(CODES)
    keypad.feed("1.1", "*", 0.0)
    keypad.forget("1.1")
    keypad.forget("1.1")
    assert keypad.feed("1.1", "1", 0.1) is None
    assert keypad.pending == 0


def test_digits_that_are_no_code_are_kept_nowhere() -> None:
    keypad = Keypad({"*1": "stop", "4199": "pause"})
    card = "4111111111111111"
    assert press(keypad, card + "#") == []
    assert keypad.pending == 0
    assert press(keypad, card) == []
    assert keypad.pending == 0
    press(keypad, card + "41")
    assert keypad._entered["1.1"][0] == "41", "only as much of a code as may go on"


def test_half_entered_codes_are_bounded_and_the_oldest_goes_first() -> None:
    keypad = Keypad(CODES)
    for count in range(CHANNELS_KEPT + 1):
        keypad.feed(f"1.{count}", "*", 0.0)
    assert keypad.pending == CHANNELS_KEPT
    assert keypad.feed("1.0", "1", 0.1) is None
    assert keypad.feed("1.1", "1", 0.1) == "stop"


def test_letters_of_the_keypad_are_digits_in_either_case() -> None:
    assert press(Keypad({"*a": "stop"}), "*A") == ["stop"]
    assert press(Keypad({"*A": "stop"}), "*a") == ["stop"]


def test_something_that_is_no_digit_breaks_a_code() -> None:
    keypad = Keypad(CODES)
    keypad.feed("1.1", "*", 0.0)
    keypad.feed("1.1", "", 0.1)
    assert keypad.feed("1.1", "1", 0.2) is None


def test_no_codes_find_nothing() -> None:
    assert press(Keypad({}), "*1*2*3") == []


@pytest.mark.parametrize("code", ["", "*x", "* 1", "*1\n", "E"])
def test_a_code_of_other_than_digits_is_refused(code: str) -> None:
    with pytest.raises(ValueError, match="only digits, "):
        Keypad({code: "stop"})


@pytest.mark.parametrize("longer", ["*12", "9*12", "*1*"])
def test_a_code_that_can_never_be_entered_is_refused(longer: str) -> None:
    with pytest.raises(ValueError, match="can never be entered: '\\*1' inside it comes first"):
        Keypad({"*1": "stop", longer: "pause"})


def test_one_code_in_two_spellings_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        Keypad({"*a": "stop", "*A": "pause"})


@pytest.mark.parametrize("timeout", [0.0, -1.0, float("nan")])
def test_a_timeout_that_is_not_positive_is_refused(timeout: float) -> None:
    with pytest.raises(ValueError, match="digit timeout"):
        Keypad(CODES, digit_timeout=timeout)
