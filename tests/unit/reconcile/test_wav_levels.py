# SPDX-License-Identifier: Apache-2.0
"""How loud a recording is: WAV files of every state, and what is read out of them."""

import math
import os
from pathlib import Path

import pytest

from offrecord.reconcile import wav_levels
from offrecord.reconcile.wav_file import MediaUnreadable
from offrecord.reconcile.wav_levels import measure, peaks, read, sound_in
from tests.kits.wav_kit import header, wav

HALF = 0.5 / math.sqrt(2)
"""The level of a tone of half of full scale."""


def spans(found: list[wav_levels.Window]) -> list[tuple[float, float]]:
    return [(round(one.start, 3), round(one.end, 3)) for one in found]


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_a_tone_has_its_level_and_silence_has_none(tmp_path: Path, rate: int) -> None:
    levels = read(wav(tmp_path / "x.wav", [(0.5, 0.5), (0.5, 0.0), (0.25, 0.5)], rate=rate))

    [voice] = levels.channels
    assert (levels.rate, levels.frames) == (rate, rate * 5 // 4)
    assert levels.length == 1.25
    assert levels.window == 0.1
    assert list(voice) == pytest.approx([HALF] * 5 + [0.0] * 5 + [HALF] * 3, abs=0.01)
    assert spans(sound_in(levels, 0, 9)) == [(0.0, 0.5), (1.0, 1.25)]


def test_each_channel_has_its_own_levels_and_any_of_them_is_sound(tmp_path: Path) -> None:
    left, right = [(0.3, 0.5), (0.7, 0.0)], [(0.6, 0.0), (0.4, 0.25)]
    levels = read(wav(tmp_path / "x.wav", left, right))

    assert [[level > 0.1 for level in voice] for voice in levels.channels] == [
        [True] * 3 + [False] * 7,
        [False] * 6 + [True] * 4,
    ]
    assert spans(sound_in(levels, 0, 1)) == [(0.0, 0.3), (0.6, 1.0)]
    assert list(levels.loudest()) == pytest.approx(
        [max(pair) for pair in zip(*levels.channels, strict=True)]
    )


def test_only_what_lies_wholly_inside_counts(tmp_path: Path) -> None:
    levels = read(wav(tmp_path / "x.wav", [(1.0, 0.5), (1.0, 0.0), (1.0, 0.5)]))

    assert sound_in(levels, 1.0, 2.0) == []
    assert spans(sound_in(levels, 0.95, 2.15)) == [(2.0, 2.1)]
    assert spans(sound_in(levels, 0.3, 0.6)) == [(0.3, 0.6)]
    assert sound_in(levels, 0.31, 0.39) == []


def test_what_is_below_the_threshold_is_silence(tmp_path: Path) -> None:
    quiet = 10 ** (-62 / 20) * math.sqrt(2)
    levels = read(wav(tmp_path / "x.wav", [(0.5, quiet), (0.5, quiet * 2)]))

    assert spans(sound_in(levels, 0, 1)) == [(0.5, 1.0)]
    assert spans(sound_in(levels, 0, 1, threshold=0.0001)) == [(0.0, 1.0)]
    [window] = sound_in(levels, 0, 1)
    assert wav_levels.decibels(window.level) == pytest.approx(-56, abs=0.5)
    assert wav_levels.decibels(0.0) == pytest.approx(-96)


@pytest.mark.parametrize("said", [0, 800, 0xFFFFFFFF, 100_000])
def test_a_header_that_is_not_right_yet_does_not_hide_the_rest(tmp_path: Path, said: int) -> None:
    path = wav(tmp_path / "x.wav", [(1.0, 0.5), (0.5, 0.0)], said=said)

    for facts in (read(path), measure(path)):
        assert facts.frames == 12_000
    assert spans(sound_in(read(path), 0, 2)) == [(0.0, 1.0)]


def test_chunks_behind_the_samples_are_no_sound(tmp_path: Path) -> None:
    note = b"LIST" + (6).to_bytes(4, "little") + b"INFOab"
    path = wav(tmp_path / "x.wav", [(0.5, 0.0)], after=note)

    assert read(path).frames == 4000
    assert sound_in(read(path), 0, 1) == []


def test_a_file_cut_off_in_the_middle_of_a_sample_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = wav(tmp_path / "x.wav", [(1.0, 0.5)], [(1.0, 0.5)])
    path.write_bytes(path.read_bytes()[:-3])

    assert read(path).frames == 7999
    assert [len(voice) for voice in read(path).channels] == [10, 10]


@pytest.mark.parametrize("size", [0, 3, 11, 30, 43])
def test_a_header_that_is_not_there_yet_is_said_to_be_empty(tmp_path: Path, size: int) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(header(0)[:size])

    with pytest.raises(MediaUnreadable, match="no whole header yet") as caught:
        read(path)
    assert caught.value.empty


def test_a_file_with_a_header_alone_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(header(0))

    assert (read(path).frames, read(path).length) == (0, 0.0)
    assert peaks(read(path), 3) == [0.0, 0.0, 0.0]


UNREADABLE = {
    "wav49": ("x.WAV", header(650, codec=0x31), "codec GSM"),
    "a-law": ("x.wav", header(650, codec=6, bits=8), "codec A-law"),
    "g722": ("x.g722", b"\xfa" * 100, "g722 is not a format"),
    "gsm": ("x.gsm", b"\xd0" * 33, "gsm is not a format"),
    "sln16": ("x.sln16", b"\0" * 100, "sln16 is not a format"),
    "mp3": ("x.mp3", b"ID3\x04" + b"\0" * 100, "MP3 is not a format"),
    "mp3 called wav": ("x.wav", b"ID3\x04" + b"\0" * 100, "MP3 is not a format"),
    "ogg": ("x.ogg", b"OggS" + b"\0" * 100, "Ogg is not a format"),
    "8 bits": ("x.wav", header(650, bits=8), "8 bits"),
    "no channels": ("x.wav", header(650, channels=0), "0 channels"),
    "text": ("x.wav", b"nothing of the kind", "no WAV file"),
    "damaged": ("x.wav", header(0)[:12] + b"\0" * 100, "damaged"),
    "no format": ("x.wav", header(0)[:12] + header(0)[36:], "says nothing of its format"),
}


@pytest.mark.parametrize(("name", "content", "why"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_listened_to_is_said(
    tmp_path: Path, name: str, content: bytes, why: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(MediaUnreadable, match=why) as caught:
        read(path)
    assert not caught.value.empty
    assert str(path) in str(caught.value)


def test_what_is_no_plain_file_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    for path in (tmp_path / "pipe.wav", tmp_path, tmp_path / "absent.wav"):
        with pytest.raises(MediaUnreadable):
            read(path)


def test_a_picture_shows_the_loudest_of_each_stretch(tmp_path: Path) -> None:
    levels = read(wav(tmp_path / "x.wav", [(1.0, 0.5), (1.0, 0.0)]))

    assert peaks(levels, 4) == pytest.approx([HALF, HALF, 0.0, 0.0], abs=0.01)
    assert [level > 0.1 for level in peaks(levels, 40)] == [True] * 20 + [False] * 20
    assert len(peaks(levels, 7)) == 7
    with pytest.raises(ValueError, match="one column"):
        peaks(levels, 0)


def test_a_long_file_is_breathed_through(tmp_path: Path) -> None:
    breaths: list[None] = []
    path = wav(tmp_path / "x.wav", [(20.0, 0.0)])

    assert read(path, breathe=lambda: breaths.append(None)).length == 20.0
    assert len(breaths) == 13
