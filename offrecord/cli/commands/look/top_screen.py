# SPDX-License-Identifier: Apache-2.0
"""The screen of `offrecord top`: takes lines of the daemon, returns what a terminal shows."""

import queue
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from offrecord.base.errors import UserError
from offrecord.cli.tables import OUTCOMES, calls_table
from offrecord.status.event_feed import FeedEvent
from offrecord.status.view_types import LiveCalls, from_json

KEPT: Final = 100
"""Presses that the view remembers."""

_REFRESH: Final = 0.5
_LOST: Final = "the calls are not known: the link to the PBX is down"

_WORDS: Final[Mapping[str, str]] = {
    "pressed": "pressed",
    "resolved": "call found",
    "intent": "asking the recorders",
    "answered": "asking the recorders",
    "retried": "trying again",
    "reapplied": "silenced again",
    "fallback": "fallback taken",
    "extended": "pause extended",
    "alarm": "ALARM",
    "incident": "INCIDENT",
}
"""The state of a press, by the kind of its latest record."""


_NOTHING: Final = LiveCalls(known=False, calls=())


@dataclass(slots=True)
class _Press:
    """One press on the screen. `at` is milliseconds since the epoch, `took` milliseconds."""

    at: int
    verb: str = ""
    channel: str = ""
    target: str = ""
    doing: str = ""
    outcome: str = ""
    text: str = ""
    took: float | None = None

    def take(self, kind: str, body: Mapping[str, Any]) -> None:
        """Take one record of the journal."""
        self.verb = str(body.get("verb", self.verb))
        self.channel = str(body.get("channel", self.channel) or "")
        self.target = str(body.get("target", self.target) or "")
        if kind in {"verdict", "closed", "taken_back"}:
            self.outcome = str(body["outcome"])
            self.text = str(body.get("text") or body.get("reason", ""))
            self.took = body.get("took_ms", self.took)
        elif kind in _WORDS:
            self.doing = _WORDS[kind]
            if kind != "answered":
                self.text = str(body.get("detail", self.text))


@dataclass(slots=True)
class View:
    """The contents of the screen, updated by the lines of the daemon's `watch`."""

    live: LiveCalls = _NOTHING
    presses: dict[str, _Press] = field(default_factory=dict)

    def take(self, line: Mapping[str, Any]) -> None:
        """Take one line. Raises `UserError` for one that this version does not understand."""
        if "calls" in line:
            self.live = from_json(LiveCalls, line)
        if line.get("press") is None or line.get("kind") == "joined":
            return
        event = from_json(FeedEvent, line)
        one = self.presses.setdefault(str(event.press), _Press(event.at))
        one.take(event.kind, event.body)
        if len(self.presses) > KEPT:
            del self.presses[min(self.presses)]  # the ids of presses sort by their time

    def render(self, now: float, height: int) -> Group:
        """Return the screen. `now` is seconds since the epoch, `height` its lines."""
        room = max(3, height - 6)
        calls = self.live.calls
        shown = calls[: max(1, room // 2)]
        more = len(calls) - len(shown)
        head = Text(f"{datetime.fromtimestamp(now, UTC):%H:%M:%S}Z  {_count(len(calls))} up")
        if not self.live.known:
            head.append(f"  {_LOST}", "bold white on red")
        last = room - len(shown)
        return Group(
            head,
            Text(),
            calls_table(shown, now),
            Text(f"… and {more} more: see offrecord calls" if more > 0 else ""),
            self._presses(last),
        )

    def _presses(self, count: int) -> Table:
        table = Table("press", "at", "verb", "who", "outcome", "ms", "", box=None, expand=True,
                      pad_edge=False)  # fmt: skip
        for name in sorted(self.presses, reverse=True)[:count]:
            one = self.presses[name]
            at = datetime.fromtimestamp(one.at / 1000, UTC)
            outcome = one.outcome or one.doing
            table.add_row(
                name, f"{at:%H:%M:%S}Z", one.verb, Text(one.channel or one.target or "-"),
                Text(outcome, OUTCOMES.get(outcome, "yellow")),
                "-" if one.took is None else f"{one.took:g}",
                Text(one.text, overflow="ellipsis", no_wrap=True),
            )  # fmt: skip
        return table


def _count(calls: int) -> str:
    return "1 call" if calls == 1 else f"{calls} calls"


def follow(view: View, lines: Iterator[Mapping[str, Any]], console: Console) -> None:
    """Draw until the daemon ends or Ctrl-C. Raises `UserError` when the daemon is gone."""
    told: queue.Queue[Mapping[str, Any] | UserError] = queue.Queue()

    def read() -> None:
        try:
            for line in lines:
                told.put(line)
        except UserError as problem:
            told.put(problem)

    threading.Thread(target=read, daemon=True).start()
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(view.render(time.time(), console.height), refresh=True)
            try:
                one = told.get(timeout=_REFRESH)
                while True:
                    if isinstance(one, UserError):
                        raise one
                    view.take(one)
                    one = told.get_nowait()
            except queue.Empty:
                continue
