# SPDX-License-Identifier: Apache-2.0
"""WAV files made of tones and silence, with whatever header a test wants."""

import math
import struct
import sys
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path

Part = tuple[float, float]
"""Seconds, and the amplitude of a 440 Hz tone, 0 to 1; 0 is silence."""


def tone(parts: Iterable[Part], rate: int = 8000) -> "array[int]":
    samples: array[int] = array("h")
    for seconds, amplitude in parts:
        samples.extend(
            round(amplitude * 32767 * math.sin(2 * math.pi * 440 * at / rate))
            for at in range(round(seconds * rate))
        )
    return samples


def header(
    size: int, *, rate: int = 8000, channels: int = 1, codec: int = 1, bits: int = 16
) -> bytes:
    frame = channels * bits // 8
    form = struct.pack("<HHIIHH", codec, channels, rate, rate * frame, frame, bits)
    return (
        b"RIFF" + struct.pack("<I", min(36 + size, 0xFFFFFFFF)) + b"WAVE"
        + b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", size)
    )  # fmt: skip


def body(voices: Sequence["array[int]"]) -> bytes:
    """Interleave the samples of voices of one length."""
    mixed = array("h", bytes(2 * len(voices) * len(voices[0])))
    for number, voice in enumerate(voices):
        mixed[number :: len(voices)] = voice
    if sys.byteorder == "big":
        mixed.byteswap()
    return mixed.tobytes()


def wav(
    path: Path,
    *voices: Iterable[Part],
    rate: int = 8000,
    said: int | None = None,
    after: bytes = b"",
) -> Path:
    """Write a file; `said` is what its header says is the size of the samples."""
    data = body([tone(voice, rate) for voice in voices])
    said = len(data) if said is None else said
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header(said, rate=rate, channels=len(voices)) + data + after)
    return path
