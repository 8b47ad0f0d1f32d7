# SPDX-License-Identifier: Apache-2.0
"""The tones in a recording: how strong one frequency is in each slice of a WAV file."""

import math
from array import array
from collections.abc import Sequence
from pathlib import Path

from offrecord.reconcile.wav_file import MediaUnreadable, open_wav

RATE = 8000
"""Samples per second of Asterisk's `wav` format, 16 bit, one channel."""


def samples(path: Path) -> "array[int]":
    """Return the samples of a WAV file that may still be growing; none if it has no header yet.

    Raises `MediaUnreadable`.
    """
    found = array("h")
    try:
        with open_wav(path) as wav:
            for block in wav.blocks(RATE):
                found += block
    except MediaUnreadable as problem:
        if not problem.empty:
            raise
    return found


def goertzel(window: Sequence[int], hertz: float, rate: int = RATE) -> float:
    """Return the amplitude of one frequency in a window, 0 to 32767 (Goertzel's algorithm)."""
    if not window:
        return 0.0
    turn = 2 * math.cos(2 * math.pi * hertz / rate)
    before = last = 0.0
    for sample in window:
        before, last = last, sample + turn * last - before
    power = before * before + last * last - turn * before * last
    return 2 * math.sqrt(max(power, 0.0)) / len(window)


def heard(path: Path, hertz: float, *, window: float = 0.1, threshold: float = 300) -> list[bool]:
    """Return for each window of `window` seconds whether the tone of `hertz` is in it."""
    taken = samples(path)
    size = int(RATE * window)
    return [
        goertzel(taken[start : start + size], hertz) > threshold
        for start in range(0, len(taken) - size + 1, size)
    ]


def stretches(path: Path, hertz: float, *, window: float = 0.1) -> list[tuple[float, float]]:
    """Return from when to when the tone of `hertz` is in a file, in seconds, window by window."""
    found: list[tuple[float, float]] = []
    for number, there in enumerate(heard(path, hertz, window=window)):
        begin, end = round(number * window, 6), round((number + 1) * window, 6)
        if not there:
            continue
        if found and found[-1][1] == begin:
            found[-1] = (found[-1][0], end)
        else:
            found.append((begin, end))
    return found


def length(path: Path) -> float:
    """Return how many seconds of audio are in a file."""
    return len(samples(path)) / RATE
