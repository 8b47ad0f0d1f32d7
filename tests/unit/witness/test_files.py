# SPDX-License-Identifier: Apache-2.0
"""Which files grow, by the rhythm of each."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offrecord.witness.files import OpenFiles

WAV = Path("/spool/monitor/1.1.wav")


@pytest.mark.parametrize(
    ("name", "rhythm"),
    [("a.wav", 2.05), ("a.ulaw", 4.1), ("a.sln16", 1.03), ("a.WAV", 20.2), ("a.gsm", 19.9)],
)
def test_each_format_has_its_rhythm(name: str, rhythm: float) -> None:
    files = OpenFiles()
    one = files.wrote(Path(name), 10.0)
    assert one.rhythm == rhythm

    assert one.grows(10.0 + 1.4 * rhythm)
    assert not one.grows(10.0 + 2.0 * rhythm + 1)


def test_a_file_that_was_written_to_twice_has_the_rhythm_that_was_seen() -> None:
    files = OpenFiles()
    files.wrote(Path("a.odd"), 10.0)
    assert files.wrote(Path("a.odd"), 17.0).rhythm == 7.0


def test_a_closed_file_does_not_grow_and_its_closing_is_remembered() -> None:
    files = OpenFiles()
    files.opened(WAV, 0.0)
    files.wrote(WAV, 2.0)
    files.closed(WAV, 2.1)

    assert files.growing(2.1) == []
    assert files.closed_at(WAV) == 2.1
    files.wrote(WAV, 3.0)
    assert files.closed_at(WAV) is None


@pytest.mark.parametrize("name", ["a.mp3", "a.txt", "a.FLAC"])
def test_what_asterisk_never_writes_is_no_recording(name: str) -> None:
    files = OpenFiles()
    files.wrote(Path(name), 1.0)
    assert files.growing(1.0) == []


def test_a_file_that_is_made_from_another_at_full_speed_is_no_recording() -> None:
    files = OpenFiles()
    for at in range(100):
        files.wrote(WAV, at / 200)
    assert files.growing(0.5) == []


def test_a_file_whose_closing_was_missed_is_forgotten() -> None:
    files = OpenFiles()
    files.wrote(WAV, 0.0)
    files.opened(Path("b.wav"), 500.0)
    files.prune(700.0)
    assert [one.path.name for one in files] == ["b.wav"]


@given(
    rhythm=st.sampled_from([1.02, 2.04, 4.1, 19.9]),
    late=st.lists(st.floats(-0.2, 0.2), min_size=1, max_size=30),
)
def test_a_file_that_keeps_its_rhythm_grows_at_every_moment(
    rhythm: float, late: list[float]
) -> None:
    names = {1.02: "a.sln16", 2.04: "a.wav", 4.1: "a.ulaw", 19.9: "a.gsm"}
    files = OpenFiles()
    path, at = Path(names[rhythm]), 0.0
    for number, each in enumerate(late):
        at = number * rhythm + each
        assert number == 0 or files.growing(at)
        files.wrote(path, at)
    assert files.growing(at + rhythm)
