# SPDX-License-Identifier: Apache-2.0
"""A verdict that was taken back is told as loudly as one that failed."""

from dataclasses import dataclass, field

from bridges.model import Evidence, Outcome, Verb
from offrecord.journal.journal import Record
from offrecord.model.press import Press
from offrecord.model.verdict import Verdict
from offrecord.notify.taken_back import TellTakenBack
from offrecord.status.event_feed import EventFeed

PRESSED = {
    "verb": "stop", "way": "fastagi", "target": "1.1", "uniqueid": "1.1", "channel": "SIP/410-1",
    "agent": None, "recorder": None, "options": {},
}  # fmt: skip
BACK = {"call": "1.1", "reason": "/spool/x.wav still grows", "outcome": "failed"}


@dataclass
class Heard:
    """A notifier that keeps what it is told."""

    late_: list[tuple[Press, Verdict, str | None]] = field(default_factory=list)
    states: list[tuple[str | None, str]] = field(default_factory=list)

    def late(self, press: Press, verdict: Verdict, channel_name: str | None) -> None:
        self.late_.append((press, verdict, channel_name))

    def state(self, extension: str | None, state: str) -> None:
        self.states.append((extension, state))


def told(*records: Record) -> Heard:
    heard, feed = Heard(), EventFeed()
    TellTakenBack(heard, feed.subscribe, lambda: 50.0, lambda: 4_000)  # type: ignore[arg-type]
    for record in records:
        feed.publish(record)
    return heard


def test_tone_lamp_event_and_webhook_tell_of_it() -> None:
    heard = told(
        Record("p", "pressed", PRESSED, 1_000),
        Record("p", "intent", {"extension": "410"}, 1_001),
        Record("p", "taken_back", BACK, 4_000),
    )

    [(press, verdict, channel)] = heard.late_
    assert (press.id, press.uniqueid, press.way, channel) == ("p", "1.1", "fastagi", "SIP/410-1")
    assert (verdict.outcome, verdict.verb, verdict.evidence) == (
        Outcome.FAILED, Verb.STOP, Evidence.MEDIA
    )  # fmt: skip
    assert verdict.took == 3.0
    assert "/spool/x.wav still grows" in verdict.text
    assert heard.states == [("410", "failed")]


def test_of_a_press_from_before_a_restart_the_lamp_alone_tells() -> None:
    heard = told(
        Record("p", "intent", {"extension": "410"}, 1_001), Record("p", "taken_back", BACK, 4_000)
    )

    assert heard.late_ == []
    assert heard.states == [("410", "failed")]
