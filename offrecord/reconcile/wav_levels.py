# SPDX-License-Identifier: Apache-2.0
"""Measures how loud a recording is, in steps of 100 ms and in bounded memory."""

import math
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final

from offrecord.reconcile.wav_file import open_wav

WINDOW: Final = 0.1
"""Seconds of one level."""
THRESHOLD: Final = 0.001
"""The level from which on something counts as sound: 60 dB below full scale."""

_FULL_SCALE: Final = 32768.0
_AT_ONCE: Final = 16
"""Windows read at a time."""


@dataclass(frozen=True, slots=True)
class Levels:
    """The levels of each channel of a recording, one for every `window` seconds, in file order.

    channels: root mean squares of the samples, 0 to 1 of full scale; the last one of each channel
        may cover a shorter time.
    rate: samples per second.
    frames: how many samples of each channel the file really has.
    """

    channels: tuple["array[float]", ...] = field(repr=False)
    rate: int
    frames: int
    window: float

    @property
    def length(self) -> float:
        """Seconds of audio."""
        return self.frames / self.rate

    def loudest(self) -> "array[float]":
        """Return for each window the level of the loudest channel."""
        if len(self.channels) == 1:
            return self.channels[0]
        return array("f", map(max, *self.channels))


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a recording, in seconds from its beginning; `level` is its loudest level."""

    start: float
    end: float
    level: float

    @property
    def length(self) -> float:
        """Seconds from start to end."""
        return self.end - self.start


def read(path: Path, *, breathe: Callable[[], None] = lambda: None) -> Levels:
    """Return the levels of a WAV file, as far as it goes if it is incomplete.

    `breathe` is called after each 1.6 s of audio: let it sleep a moment where other threads must
    not wait. Raises `MediaUnreadable`, see `open_wav`.
    """
    with open_wav(path) as wav:
        per_window = max(1, round(wav.rate * WINDOW))
        found = tuple(array("f") for _ in range(wav.channels))
        frames = 0
        for samples in wav.blocks(per_window * _AT_ONCE):
            _append(samples, per_window, found)
            frames += len(samples) // wav.channels
            breathe()
        return Levels(found, wav.rate, frames, per_window / wav.rate)


def measure(path: Path) -> Levels:
    """Return what `read` does, without any levels: only the header is read.

    Raises `MediaUnreadable`, see `open_wav`.
    """
    with open_wav(path) as wav:
        none = tuple(array("f") for _ in range(wav.channels))
        return Levels(none, wav.rate, wav.frames, WINDOW)


def _append(samples: "array[int]", per_window: int, found: Sequence["array[float]"]) -> None:
    """Append the levels of interleaved samples to those of each channel."""
    for number, levels in enumerate(found):
        voice = samples[number :: len(found)] if len(found) > 1 else samples
        for start in range(0, len(voice), per_window):
            piece = voice[start : start + per_window]
            # The length of a vector is the one sum of squares that runs in C on every Python.
            levels.append(math.hypot(*piece) / (math.sqrt(len(piece)) * _FULL_SCALE))


def sound_in(
    levels: Levels, start_s: float, end_s: float, threshold: float = THRESHOLD
) -> list[Window]:
    """Return where a recording is at least as loud as `threshold`, from `start_s` to `end_s`.

    Both are seconds from its beginning. Only windows that lie wholly inside count, to leave out
    what was said right before or after; adjacent ones are joined. The loudest channel counts.
    """
    loudest, window = levels.loudest(), levels.window
    # The tolerance is for rounding: 0.3 / 0.1 is a little less than 3.
    first = max(0, math.ceil(start_s / window - 1e-6))
    found: list[Window] = []
    for number in range(first, len(loudest)):
        begin, until = number * window, min((number + 1) * window, levels.length)
        if until > end_s + 1e-6:
            break
        level = loudest[number]
        if level < threshold:
            continue
        if found and abs(found[-1].end - begin) < 1e-6:
            found[-1] = Window(found[-1].start, until, max(found[-1].level, level))
        else:
            found.append(Window(begin, until, level))
    return found


def decibels(level: float) -> float:
    """Return a level in decibels relative to full scale; silence is -96, the limit of 16 bits."""
    return 20 * math.log10(max(level, 10 ** (-96 / 20)))


def peaks(levels: Levels, columns: int) -> list[float]:
    """Return the loudest level of each of `columns` equal parts, 0 to 1, for a picture.

    A recording without audio gives zeros. Raises `ValueError` below one column.
    """
    if columns < 1:
        raise ValueError("a picture has at least one column")
    loudest = levels.loudest()
    count = len(loudest)
    if not count:
        return [0.0] * columns
    edges = [column * count // columns for column in range(columns + 1)]
    return [max(loudest[begin : max(end, begin + 1)]) for begin, end in pairwise(edges)]
