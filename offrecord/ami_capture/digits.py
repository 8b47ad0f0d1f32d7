# SPDX-License-Identifier: Apache-2.0
"""Digits that people pressed: those of the configured codes stay, all others become another one.

They may be of a card number. What stands in their place is in no code, so that a replay finds the
codes that were pressed and no others.
"""

from collections.abc import Iterable, Sequence

from ami.keypad import DIGITS, Keypad
from offrecord.ami_capture.collect import Raw


def masked(items: Sequence[Raw], codes: Iterable[str], digit_timeout: float) -> list[Raw]:
    """Return what was heard with the digits masked; `digit_timeout` is in seconds."""
    codes = [code.upper() for code in codes]
    spare = sorted(DIGITS.difference(*codes)) or [""]
    keypad = Keypad({code: code for code in codes}, digit_timeout)
    kept: set[int] = set()
    pressed: dict[str, list[int]] = {}
    for place, item in enumerate(items):
        told = dict(item.fields)
        if told.get("Event") != "DTMFEnd":
            continue
        here = pressed.setdefault(told.get("Uniqueid", ""), [])
        here.append(place)
        code = keypad.feed(told.get("Uniqueid", ""), told.get("Digit", ""), item.at)
        if code is not None:
            kept.update(here[-len(code) :])
            here.clear()
        del here[:-8]  # no code is longer
    return [
        item if place in kept or ("Event", "DTMFEnd") not in item.fields else _mask(item, spare[0])
        for place, item in enumerate(items)
    ]  # fmt: skip


def _mask(item: Raw, digit: str) -> Raw:
    fields = tuple((name, digit if name == "Digit" else value) for name, value in item.fields)
    return item._replace(fields=fields)
