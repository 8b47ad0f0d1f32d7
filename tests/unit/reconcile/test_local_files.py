# SPDX-License-Identifier: Apache-2.0
"""Local recordings held against silent windows: which files, placed in time, and what is found."""

import os
from pathlib import Path

import pytest

from offrecord.reconcile.local_files import Found, Incident, Monitored, check, find, here
from offrecord.reconcile.silent_windows import Silent
from offrecord.reconcile.wav_file import MediaUnreadable
from tests.kits.wav_kit import Part, header, wav

T = 1_700_000_000_000
"""When the call began, in ms UTC; it lasts 20 s."""
END = T + 20_000


def silent(
    begin: float, end: float = 20.0, verb: str = "stop", outcome: str = "confirmed"
) -> Silent:
    times = (T + round(begin * 1000), T + round(end * 1000))
    return Silent("press-1", verb, "local", "asterisk", outcome, *times)


def recorded(folder: Path, *parts: Part, until: float) -> Path:
    """Write a recording whose last sample was heard `until` seconds after the call began."""
    path = wav(folder / "1700000000.1.wav", parts)
    os.utime(path, ns=(0, (T + round(until * 1000)) * 1_000_000))
    return path


def found(
    path: Path, *windows: Silent, monitored: Monitored | None = None, ended: int = END
) -> list[Incident]:
    one = Found(path, monitored)
    return check(one, windows, ended, tolerance=0.3, threshold=0.001)


def test_a_recording_that_ended_with_the_proof_is_no_incident(tmp_path: Path) -> None:
    assert found(recorded(tmp_path, (5.2, 0.5), until=5.2), silent(5.0)) == []


def test_a_recording_that_went_on_is_one_and_both_are_named(tmp_path: Path) -> None:
    path = recorded(tmp_path, (5.0, 0.5), (1.0, 0.0), (3.0, 0.5), until=9.0)

    [incident] = found(path, silent(5.0))

    body = incident.body()
    assert body["what"] == "file_went_on"
    assert (body["file"], body["press"]) == (str(path), "press-1")
    assert (body["from"], body["to"]) == (T + 6_000, T + 9_000)
    assert body["window"] == [T + 5_000, END]
    assert "3.0 s of sound, the loudest at -9 dBFS" in str(body["detail"])


def test_a_recording_that_went_on_in_silence_is_one_too(tmp_path: Path) -> None:
    [incident] = found(recorded(tmp_path, (5.0, 0.5), (4.0, 0.0), until=9.0), silent(5.0))

    assert incident.what == "file_went_on"
    assert "without sound" in incident.detail


def test_a_recording_begun_in_the_window_is_told_from_one_that_went_on(tmp_path: Path) -> None:
    [incident] = found(recorded(tmp_path, (3.0, 0.5), until=11.0), silent(5.0))

    assert incident.what == "file_begun_in_window"
    assert (incident.begin, incident.end) == (T + 8_000, T + 11_000)


def test_a_pause_with_zeros_in_it_is_no_incident_and_one_with_sound_is(tmp_path: Path) -> None:
    path = recorded(tmp_path, (5.0, 0.5), (4.0, 0.0), (11.0, 0.5), until=20.0)

    assert found(path, silent(5.0, 9.0, "pause")) == []
    [incident] = found(path, silent(5.0, 12.0, "pause"))
    assert incident.what == "sound_in_window"
    assert (incident.begin, incident.end) == (T + 9_000, T + 11_700)


def test_a_recording_that_could_only_be_muted_may_go_on_in_silence(tmp_path: Path) -> None:
    path = recorded(tmp_path, (5.0, 0.5), (15.0, 0.0), until=20.0)

    assert found(path, silent(5.0, outcome="contained")) == []
    assert found(path, silent(5.0))


def test_what_is_said_after_a_resume_is_no_incident(tmp_path: Path) -> None:
    path = recorded(tmp_path, (8.0, 0.5), until=20.0)

    assert found(path, silent(5.0, 12.0)) == []


def test_the_tolerance_is_for_both_ends(tmp_path: Path) -> None:
    path = recorded(tmp_path, (20.0, 0.5), until=20.0)

    assert found(path, silent(5.0, 5.6, "pause")) == []
    assert found(path, silent(5.0, 5.9, "pause"))


def test_time_without_audio_before_the_answer_does_not_move_the_windows(tmp_path: Path) -> None:
    """It rang for 4 s: the file holds 12 s of a recording that ran for 16."""
    path = recorded(tmp_path, (6.0, 0.5), (4.0, 0.0), (2.0, 0.5), until=16.0)
    rang = Monitored("x.wav", T, stopped=T + 16_000)

    assert found(path, silent(10.0, 14.0, "pause"), monitored=rang) == []
    assert found(path, silent(8.0, 14.0, "pause"), monitored=rang)


def test_a_file_changed_after_the_call_is_placed_by_when_it_began(tmp_path: Path) -> None:
    path = recorded(tmp_path, (9.0, 0.5), until=300.0)

    [incident] = found(path, silent(5.0), monitored=Monitored("x.wav", T))
    assert (incident.begin, incident.end) == (T + 5_300, T + 9_000)
    assert found(path, silent(9.0), monitored=Monitored("x.wav", T, T + 9_000)) == []
    with pytest.raises(MediaUnreadable, match="cannot be placed in time"):
        found(path, silent(5.0))


def test_a_monitor_thought_stopped_whose_audio_goes_on_is_found(tmp_path: Path) -> None:
    path = recorded(tmp_path, (9.0, 0.5), until=9.0)

    assert found(path, silent(5.0), monitored=Monitored("x.wav", T, stopped=T + 5_000))


def test_what_was_appended_to_an_older_file_does_not_look_longer(tmp_path: Path) -> None:
    path = recorded(tmp_path, (12.0, 0.5), until=5.0)

    assert found(path, silent(5.0), monitored=Monitored("x.wav", T)) == []
    assert found(path, silent(5.0), monitored=Monitored("x.wav", T, T + 5_000)) == []


def test_a_file_without_audio_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(header(0))

    assert found(path, silent(5.0)) == []


def touched(path: Path, at: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    os.utime(path, (at, at))
    return path


def test_files_are_found_by_the_ids_in_their_names(tmp_path: Path) -> None:
    ours = [
        touched(tmp_path / "2024/05/01/out-0123-410-1700000000.12.wav", 1_700_000_050),
        touched(tmp_path / "pbx1-1700000000.12-second.wav", 1_700_000_050),
    ]
    touched(tmp_path / "1700000000.123.wav", 1_700_000_050)
    touched(tmp_path / "11700000000.12.wav", 1_700_000_050)
    touched(tmp_path / "other.wav", 1_700_000_050)

    got = find(tmp_path, {"1700000000.12"}, (), T)

    assert [one.path for one in got] == sorted(ours)
    assert find(tmp_path, set(), (), T) == []


def test_folders_without_a_new_file_are_passed_over(tmp_path: Path) -> None:
    old = touched(tmp_path / "old/1700000000.12.wav", 1_600_000_000)
    os.utime(old.parent, (1_600_000_000, 1_600_000_000))
    new = touched(tmp_path / "old/deeper/1700000000.12.wav", 1_700_000_000)
    os.utime(old.parent, (1_600_000_000, 1_600_000_000))

    assert [one.path for one in find(tmp_path, {"1700000000.12"}, (), T)] == [new]


def test_a_file_that_was_seen_needs_no_id_in_its_name(tmp_path: Path) -> None:
    path = touched(tmp_path / "2024/mine.wav", 1_700_000_000)
    seen = Monitored("/var/spool/asterisk/monitor/2024/mine.wav", T)

    assert find(tmp_path, (), [seen, Monitored("/gone.wav", T)], T) == [Found(path, seen)]


def test_asterisks_path_is_found_wherever_the_folder_is_mounted(tmp_path: Path) -> None:
    inner = touched(tmp_path / "sub/a.wav", 0)
    outer = touched(tmp_path / "a.wav", 0)

    assert here(tmp_path, "/var/spool/asterisk/monitor/sub/a.wav") == inner
    assert here(tmp_path, "/var/spool/asterisk/monitor/a.wav") == outer
    assert here(tmp_path, str(inner)) == inner
    assert here(tmp_path, "/var/spool/../sub/a.wav") is None
    assert here(tmp_path, "") is None
