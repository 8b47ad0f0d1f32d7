# SPDX-License-Identifier: Apache-2.0
"""Noojee's times of recorded legs, in both dialects, as moments."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from bridges.noojee.ended_calls import piece_of, seconds
from noojee.recordings import RecordingLeg

MELBOURNE = ZoneInfo("Australia/Melbourne")
SEPTEMBER = dt.datetime(2021, 9, 14, 5, 3, 30, tzinfo=dt.UTC).timestamp()


@pytest.mark.parametrize(
    "text",
    ["2021-09-14 15:03:30.0", "2021-09-14 15:03:30", "2021-09-14T15:03:30",
     "Tue Sep 14 15:03:30 AEST 2021", "Tue Sep 14 15:03:30 2021", "Tue Sep 14 05:03:30 UTC 2021"],
)  # fmt: skip
def test_local_times_are_read_in_the_zone_of_the_site(text: str) -> None:
    assert seconds(text, MELBOURNE) == SEPTEMBER


def test_without_a_zone_it_is_that_of_this_machine() -> None:
    assert seconds("2021-09-14 15:03:30.0", None) == dt.datetime(2021, 9, 14, 15, 3, 30).timestamp()  # noqa: DTZ001


@pytest.mark.parametrize(
    "text", ["", "later", "2021-09-14", "2021-13-14 15:03:30", "Tue Foo 14 15:03:30 2021",
             "2021-09-14 15:03:30+10:00", "0000-00-00 00:00:00.0"]
)  # fmt: skip
def test_what_is_no_time_is_none(text: str) -> None:
    assert seconds(text, MELBOURNE) is None


def test_a_leg_ends_after_its_duration() -> None:
    leg = RecordingLeg(unique_id="1.2", start="2021-09-14 15:03:30.0", duration="90", leg="3")

    piece = piece_of(leg, MELBOURNE)

    assert (piece.began, piece.ended) == (SEPTEMBER, SEPTEMBER + 90)
    assert piece.label == "leg 3 of 1.2, start 2021-09-14 15:03:30.0"


def test_a_leg_without_a_duration_ends_with_the_call() -> None:
    leg = RecordingLeg(start="2021-09-14 15:03:30.0", call_end="2021-09-14 15:04:30.0")

    assert piece_of(leg, MELBOURNE).ended == SEPTEMBER + 60


def test_times_are_turned_to_our_clock() -> None:
    leg = RecordingLeg(start="2021-09-14 15:03:30.0", duration="90")

    piece = piece_of(leg, MELBOURNE, ahead=7.5)

    assert (piece.began, piece.ended) == (SEPTEMBER - 7.5, SEPTEMBER + 82.5)


def test_what_is_not_told_is_none() -> None:
    assert (piece_of(RecordingLeg(duration="90"), None).began) is None
    assert piece_of(RecordingLeg(start="2021-09-14 15:03:30.0"), None).ended is None
