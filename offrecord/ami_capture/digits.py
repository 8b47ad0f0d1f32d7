# SPDX-License-Identifier: Apache-2.0
"""Masks pressed digits: those of the configured codes stay, all others become one other digit.

Digits may be of a card number. The digit in their place is in no code: a replay finds the codes
that were pressed and no others.
"""

from collections.abc import Iterable, Sequence

from ami.keypad import DIGITS, Keypad
from offrecord.ami_capture.collect import StreamItem


def mask_digits(
    items: Sequence[StreamItem], codes: Iterable[str], digit_timeout: float
) -> list[StreamItem]:
    """Return the items with their digits masked. `digit_timeout`: seconds."""
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


def _mask(item: StreamItem, digit: str) -> StreamItem:
    fields = tuple((name, digit if name == "Digit" else value) for name, value in item.fields)
    return item._replace(fields=fields)
