# SPDX-License-Identifier: Apache-2.0
"""From what was heard to what is written: masked, replaced, ordered, counted."""

import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from offrecord import __version__
from offrecord.ami_capture import configuration as settings
from offrecord.ami_capture import digits
from offrecord.ami_capture.capture_file import Entry, Head, clock, text
from offrecord.ami_capture.collect import Collector, Raw
from offrecord.ami_capture.header_kinds import Fields
from offrecord.ami_capture.redact import Redactor, counted, is_unique, runs
from offrecord.assembly import build as sites
from offrecord.base.errors import Exit, UserError
from offrecord.config import Config, Loaded
from offrecord.config.validate import leaves

BY_DAEMON = "the daemon's own link, with its presses and answers"
BY_LOGIN = "a login of its own, which sees no press by the dialplan and no answer"

_EVENT_NAME = re.compile(r"[A-Za-z ]{1,40}")


@dataclass(frozen=True, slots=True)
class Made:
    """A capture as it is written, and the table of what was replaced, which is not."""

    head: Head
    entries: list[Entry]
    table: list[tuple[str, str, str]]


def make(
    heard: Collector,
    loaded: Loaded,
    *,
    asterisk: str,
    by_daemon: bool,
    hints: Mapping[str, str],
    chance: random.Random | None = None,
) -> Made:
    """Redact what was heard. `hints` are the PBX's own, devices and extensions.

    Raises `UserError` when that cannot be done, and rather than let a number through.
    """
    config = loaded.config
    rules = sites.name_rules(config, hints)
    items = sorted(heard.items, key=lambda item: item.at)
    items = digits.masked(items, config.keypad.codes, config.keypad.digit_timeout)
    redactor = Redactor(
        _runs(items, config), settings.patterns(config), rules.looks_like_extension, chance
    )
    redactor.shift(_uniqueids(items, heard.view))
    fields = Fields(
        redactor,
        recorders=settings.recorder_names(config),
        variable=config.extensions.variable,
        user_event=config.user_event.name,
    )
    begin = items[0].at if items else 0.0
    entries = [
        Entry(round((item.at - begin) * 1000), item.mark, made)
        for item in items
        if (made := fields.packet(item.fields))
    ]
    entries[:0] = _view(heard.view, redactor)
    configuration = settings.redacted(config, fields, redactor, rules, sites.agents(loaded))
    head = Head(_told(heard, redactor, asterisk, by_daemon, entries), configuration)
    _expect_clean(head, entries, redactor, config)
    return Made(head, entries, list(redactor.table))


def _view(view: Mapping[str, int | None], redactor: Redactor) -> Iterator[Entry]:
    """Yield what was known of MixMonitors at the beginning, which no listing tells."""
    told = tuple(
        ("MixMonitors", f"{redactor.uniqueid(one)} {'?' if count is None else count}")
        for one, count in view.items()
    )
    for begin in range(0, len(told), 100):
        yield Entry(0, "=", told[begin : begin + 100])


def _told(
    heard: Collector,
    redactor: Redactor,
    asterisk: str,
    by_daemon: bool,
    entries: list[Entry],
) -> dict[str, str]:
    out: Counter[str] = Counter()
    for name, n in heard.left_out.items():
        out[name if _EVENT_NAME.fullmatch(name) else "others"] += n
    left = ", ".join(f"{name} {counted(n)}" for name, n in sorted(out.items()))
    what = ", ".join(f"{kind} {counted(n)}" for kind, n in sorted(redactor.counts.items()))
    presses = sum(dict(one.fields).get("What") == "pressed" for one in entries)
    told = {
        "Offrecord": __version__,
        "Asterisk": asterisk or "unknown",
        "Heard-by": BY_DAEMON if by_daemon else BY_LOGIN,
        "Lasted": clock(entries[-1].at if entries else 0),
        "Blocks": counted(len(entries)),
        "Presses": counted(presses),
        "Redacted": f"{what or 'nothing'}; pressed digits that are of no code; every time",
        "Left-out": left or "nothing",
    }
    if redactor.lost:
        told["Not-kept"] = f"patterns of the site for {counted(redactor.lost)} numbers"
    return told


def _runs(items: list[Raw], config: Config) -> frozenset[str]:
    """Return the runs of digits that may be somebody's number, all but those of the codes."""
    found = {run for item in items for _, value in item.fields for run in runs(value)}
    found.update(run for at, value in leaves(config) for run in runs(f"{at} {value}"))
    return frozenset(found - {run for code in config.keypad.codes for run in runs(code)})


def _uniqueids(items: list[Raw], view: Mapping[str, Any]) -> set[str]:
    told = {value for item in items for _, value in item.fields if is_unique(value)}
    return told.union(view)


def _expect_clean(head: Head, entries: list[Entry], redactor: Redactor, config: Config) -> None:
    """Look through every line once more; codes are there on purpose."""
    codes = {run for code in config.keypad.codes for run in runs(code)}
    for number, line in enumerate(text(head, entries), 1):
        if redactor.leaks(line) and not codes.intersection(runs(line)):
            raise UserError(
                f"line {number} of the capture would hold a number of the site; nothing is written",
                "report this, without the capture",
                Exit.INTERNAL,
            )


__all__ = ["BY_DAEMON", "BY_LOGIN", "Made", "make"]
