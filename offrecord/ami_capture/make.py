# SPDX-License-Identifier: Apache-2.0
"""Makes the capture out of collected items: sorts, masks digits, redacts, checks for leaks."""

import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from offrecord import __version__
from offrecord.ami_capture import configuration, digits
from offrecord.ami_capture.capture_file import Entry, Head, clock, text
from offrecord.ami_capture.collect import Collector, StreamItem
from offrecord.ami_capture.header_kinds import HeaderRedactor
from offrecord.ami_capture.redact import Redactor, digit_runs, format_count, is_uniqueid
from offrecord.assembly import build as sites
from offrecord.base.errors import Exit, UserError
from offrecord.config import Config, Loaded
from offrecord.config.validate import leaves

BY_DAEMON = "the daemon's own link, with its presses and answers"
BY_LOGIN = "a login of its own, which sees no press by the dialplan and no answer"

_EVENT_NAME = re.compile(r"[A-Za-z ]{1,40}")


@dataclass(frozen=True, slots=True)
class Capture:
    """A redacted capture. `table` (kind, was, is now) is never written to the file."""

    head: Head
    entries: list[Entry]
    table: list[tuple[str, str, str]]


def make_capture(
    collected: Collector,
    loaded: Loaded,
    *,
    asterisk: str,
    by_daemon: bool,
    hints: Mapping[str, str],
    chance: random.Random | None = None,
) -> Capture:
    """Return the redacted capture of collected items. `hints`: the PBX's, extensions by device.

    Raises UserError when that is not possible, or when the result would still hold a number.
    """
    config = loaded.config
    rules = sites.name_rules(config, hints)
    items = sorted(collected.items, key=lambda item: item.at)
    items = digits.mask_digits(items, config.keypad.codes, config.keypad.digit_timeout)
    redactor = Redactor(
        _digit_runs(items, config),
        configuration.patterns(config),
        rules.looks_like_extension,
        chance,
    )
    redactor.shift_uniqueids(_uniqueids(items, collected.monitors))
    headers = HeaderRedactor(
        redactor,
        recorders=configuration.recorder_names(config),
        variable=config.extensions.variable,
        user_event=config.user_event.name,
    )
    begin = items[0].at if items else 0.0
    entries = [
        Entry(round((item.at - begin) * 1000), item.mark, made)
        for item in items
        if (made := headers.packet(item.fields))
    ]
    entries[:0] = _monitor_entries(collected.monitors, redactor)
    written = configuration.redacted(config, headers, redactor, rules, sites.agents(loaded))
    head = Head(_info(collected, redactor, asterisk, by_daemon, entries), written)
    _expect_clean(head, entries, redactor, config)
    return Capture(head, entries, list(redactor.table))


def _monitor_entries(monitors: Mapping[str, int | None], redactor: Redactor) -> Iterator[Entry]:
    """Yield the MixMonitors at the beginning, which are in no listing."""
    told = tuple(
        ("MixMonitors", f"{redactor.uniqueid(one)} {'?' if count is None else count}")
        for one, count in monitors.items()
    )
    for begin in range(0, len(told), 100):
        yield Entry(0, "=", told[begin : begin + 100])


def _info(
    collected: Collector,
    redactor: Redactor,
    asterisk: str,
    by_daemon: bool,
    entries: list[Entry],
) -> dict[str, str]:
    out: Counter[str] = Counter()
    for name, n in collected.left_out.items():
        out[name if _EVENT_NAME.fullmatch(name) else "others"] += n
    left = ", ".join(f"{name} {format_count(n)}" for name, n in sorted(out.items()))
    what = ", ".join(f"{kind} {format_count(n)}" for kind, n in sorted(redactor.counts.items()))
    presses = sum(dict(one.fields).get("What") == "pressed" for one in entries)
    told = {
        "Offrecord": __version__,
        "Asterisk": asterisk or "unknown",
        "Heard-by": BY_DAEMON if by_daemon else BY_LOGIN,
        "Lasted": clock(entries[-1].at if entries else 0),
        "Blocks": format_count(len(entries)),
        "Presses": format_count(presses),
        "Redacted": f"{what or 'nothing'}; pressed digits that are of no code; every time",
        "Left-out": left or "nothing",
    }
    if redactor.patterns_lost:
        told["Not-kept"] = (
            f"patterns of the site for {format_count(redactor.patterns_lost)} numbers"
        )
    return told


def _digit_runs(items: list[StreamItem], config: Config) -> frozenset[str]:
    """Return the runs of digits that may be phone numbers, without those of the codes."""
    found = {run for item in items for _, value in item.fields for run in digit_runs(value)}
    found.update(run for at, value in leaves(config) for run in digit_runs(f"{at} {value}"))
    return frozenset(found - {run for code in config.keypad.codes for run in digit_runs(code)})


def _uniqueids(items: list[StreamItem], monitors: Mapping[str, Any]) -> set[str]:
    told = {value for item in items for _, value in item.fields if is_uniqueid(value)}
    return told.union(monitors)


def _expect_clean(head: Head, entries: list[Entry], redactor: Redactor, config: Config) -> None:
    """Raise UserError if any line still holds a run of the input, other than a code's."""
    codes = {run for code in config.keypad.codes for run in digit_runs(code)}
    for number, line in enumerate(text(head, entries), 1):
        if redactor.leaks(line) and not codes.intersection(digit_runs(line)):
            raise UserError(
                f"line {number} of the capture would hold a number of the site; nothing is written",
                "report this, without the capture",
                Exit.INTERNAL,
            )


__all__ = ["BY_DAEMON", "BY_LOGIN", "Capture", "make_capture"]
