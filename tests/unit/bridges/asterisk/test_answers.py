# SPDX-License-Identifier: Apache-2.0
"""What the reports of the ways mean together."""

import pytest

from bridges.asterisk.answers import Asked, order_end
from bridges.asterisk.ways.way import WayReport, WayState
from bridges.model import Evidence, Outcome, Step, Verb

STOP = Asked(Verb.STOP, 2, (Step(0, 0, "StopMixMonitor 1.1", "none left", Evidence.READ_BACK),))
NOTHING = WayReport("mixmonitor", WayState.NOTHING, "")
STOPPED = WayReport("mixmonitor", WayState.STOPPED, "", 1)
MONITORS = WayReport("monitor", WayState.STOPPED, "", 2)
TOLD = WayReport("monitor", WayState.TOLD, "1 Monitor told to pause", 1)
RECORDS = WayReport("taps", WayState.RECORDS, "490 listens", fix="name it")
UNSEEN = WayReport("ari", WayState.NOT_SEEN, "not known", fix="ask")
ENDED = WayReport("monitor", WayState.ENDED, "its channels have gone")


@pytest.mark.parametrize(
    ("reports", "outcome", "evidence", "detail"),
    [
        ((STOPPED, NOTHING), Outcome.CONFIRMED, Evidence.NOTHING_ELSE,
         "1 MixMonitor stopped, none left on 2 channels"),
        ((STOPPED, MONITORS), Outcome.CONFIRMED, Evidence.NOTHING_ELSE,
         "1 MixMonitor and 2 Monitors stopped, none left on 2 channels"),
        ((NOTHING, WayReport("monitor", WayState.NOTHING, "")), Outcome.NOTHING_TO_STOP,
         Evidence.NOTHING_ELSE, "no MixMonitor or Monitor on 2 channels"),
        ((NOTHING, ENDED), Outcome.CALL_ENDED, Evidence.READ_BACK, "its channels have gone"),
        ((STOPPED, ENDED), Outcome.CONFIRMED, Evidence.NOTHING_ELSE,
         "1 MixMonitor stopped, none left on 2 channels"),
        ((STOPPED, TOLD), Outcome.ACCEPTED, Evidence.ACCEPTED,
         "1 MixMonitor stopped, none left on 2 channels; 1 Monitor told to pause"),
        ((STOPPED, RECORDS, UNSEEN), Outcome.FAILED, Evidence.READ_BACK,
         "490 listens; name it; not known; ask; 1 MixMonitor stopped, none left on 2 channels"),
        ((NOTHING, UNSEEN, ENDED), Outcome.FAILED, Evidence.READ_BACK,
         "not known; ask"),
    ],
)  # fmt: skip
def test_the_reports_of_the_ways_are_one_verdict(
    reports: tuple[WayReport, ...], outcome: Outcome, evidence: Evidence, detail: str
) -> None:
    end = order_end(reports, STOP)
    assert (end.outcome, end.evidence, end.detail) == (outcome, evidence, detail)


def test_a_word_of_the_sites_stands_in_a_proven_verdict() -> None:
    named = WayReport("taps", WayState.NOTHING, "SIP/490-1 listens, as [taps] names it")
    end = order_end((STOPPED, named), STOP)
    assert end.outcome is Outcome.CONFIRMED
    assert end.detail.endswith("; SIP/490-1 listens, as [taps] names it")
    end = order_end((NOTHING, named), STOP)
    assert end.outcome is Outcome.NOTHING_TO_STOP
    assert end.detail.endswith("; SIP/490-1 listens, as [taps] names it")


def test_what_is_the_same_for_every_way_is_said_once() -> None:
    lost = [WayReport(way, WayState.NOT_SEEN, "no link", fix="wait") for way in ("a", "b")]
    assert order_end(lost, Asked(Verb.STOP, 0)).detail == "no link; wait"
