# SPDX-License-Identifier: Apache-2.0
"""Tells of a verdict that was taken back, as loudly as of one that failed: tone, lamp, event, hook.

The witness on the disk writes the record `taken_back`; this follows it.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from bridges.model import Evidence, Outcome, Verb
from offrecord.journal.journal import Record
from offrecord.model.press import Press, now_ms
from offrecord.model.verdict import Verdict
from offrecord.notify.notifier import Notifier

KEPT: Final = 2000
"""Presses that are remembered; of an older one only the lamp tells, if any."""

FAILED: Final = "failed"
"""The state of the lamp."""


class TellTakenBack:
    """Has the notifier tell of each `taken_back` among the records.

    `subscribe` subscribes a callback to the records of the journal. `monotonic` returns seconds,
    `now` milliseconds since the epoch, UTC.
    """

    def __init__(
        self,
        notifier: Notifier,
        subscribe: Callable[[Callable[[Record], None]], object],
        monotonic: Callable[[], float],
        now: Callable[[], int] = now_ms,
    ) -> None:
        self._notifier = notifier
        self._monotonic = monotonic
        self._now = now
        self._presses: OrderedDict[str, tuple[int, Mapping[str, Any]]] = OrderedDict()
        self._extensions: dict[str, str | None] = {}
        subscribe(self.on_record)

    def on_record(self, record: Record) -> None:
        """Take one record of the journal."""
        match record.kind:
            case "pressed":
                self._presses[record.press] = (record.at, record.body)
                while len(self._presses) > KEPT:
                    self._presses.popitem(last=False)
            case "intent":
                self._extensions[record.press] = record.body.get("extension")
            case "intent_ended":
                self._extensions.pop(record.press, None)
            case "taken_back":
                self._tell(record)
            case _:
                pass

    def _tell(self, record: Record) -> None:
        self._notifier.state(self._extensions.get(record.press), FAILED)
        at, pressed = self._presses.get(record.press, (record.at, None))
        if pressed is None:
            return
        took = max(0.0, (self._now() - at) / 1000)
        verb = Verb(str(pressed["verb"]))
        press = Press(
            record.press, verb, pressed["way"], str(pressed["target"]), at,
            self._monotonic() - took, pressed.get("uniqueid"), pressed.get("channel"),
            pressed.get("agent"), pressed.get("recorder"),
            MappingProxyType(dict(pressed.get("options") or {})),
        )  # fmt: skip
        verdict = Verdict(
            record.press, verb, Outcome.FAILED, Evidence.MEDIA, str(record.body["reason"]), took,
            record.body.get("call"), (), press.agent,
        )  # fmt: skip
        self._notifier.late(press, verdict, press.channel)
