# SPDX-License-Identifier: Apache-2.0
"""How loud a recording is, 100 ms by 100 ms: WAV files of 16-bit PCM, read in bounded memory.

Asterisk writes a WAV's lengths into its header when it closes the file, and they stay those of
the first part while more is appended. So the header is believed only where it fits the file's
real size; otherwise everything up to the end of the file counts as audio.
"""

import math
import os
import stat
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Final

WINDOW: Final = 0.1
"""Seconds of one level."""
THRESHOLD: Final = 0.001
"""The level from which on something counts as sound: 60 dB below full scale."""

_FULL_SCALE: Final = 32768.0
_AT_ONCE: Final = 16
"""Windows read in one go."""
_PCM: Final = 1
_EXTENSIBLE: Final = 0xFFFE
_CODECS: Final = {
    0x0002: "ADPCM", 0x0003: "floating point", 0x0006: "A-law", 0x0007: "mu-law",
    0x0031: "GSM (wav49)", 0x0055: "MP3", 0x0064: "G.726", 0x0065: "G.722",
}  # fmt: skip
_OTHERS: Final = ((b"ID3", "MP3"), (b"\xff\xfb", "MP3"), (b"OggS", "Ogg"), (b"fLaC", "FLAC"))
_SUFFIXES: Final = frozenset(
    {"g", "gsm", "ilbc", "siren", "sln", "raw", "ulaw", "alaw", "ul", "al"}
)
"""Formats without a header that says what they are, without the digits behind: g722, sln16."""
_DIGITS: Final = "0123456789"


class MediaUnreadable(Exception):
    """A recording cannot be listened to; says which file and why.

    `empty` is true where the file holds no audio yet, not even a whole header.
    """

    def __init__(self, path: Path, why: str, *, empty: bool = False) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path
        self.why = why
        self.empty = empty


@dataclass(frozen=True, slots=True)
class Levels:
    """How loud each channel of a recording is in each `window` seconds, in file order.

    A level is the root mean square of the samples, 0 to 1 of full scale; the last one may be of
    a shorter piece. `rate` is samples a second, `frames` samples of each channel that are really
    there, `size` the file's bytes. `settled` is False where the header's lengths do not fit the
    file: it was still being written, or never closed.
    """

    channels: tuple["array[float]", ...] = field(repr=False)
    rate: int
    frames: int
    size: int
    window: float
    settled: bool

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
    """A stretch of a recording, in seconds from its beginning; `level` is its loudest."""

    start: float
    end: float
    level: float

    @property
    def length(self) -> float:
        """Seconds from start to end."""
        return self.end - self.start


def read(path: Path, *, breathe: Callable[[], None] = lambda: None) -> Levels:
    """Return the levels of a WAV file of 16-bit PCM, any rate, any number of channels.

    A file that is still being written, or was cut off, is read as far as it goes. `breathe` is
    called every 1.6 s of audio: let it sleep a moment where other threads must not wait.
    Raises `MediaUnreadable` for anything else, also for what is no plain file or cannot be opened.
    """
    with _opened(path) as (file, size):
        return _levels(_open(path, file, size), file, breathe)


def measure(path: Path) -> Levels:
    """Return what `read` does, but listen to nothing: rate, length and size, and no levels.

    Raises `MediaUnreadable`.
    """
    with _opened(path) as (file, size):
        wav = _open(path, file, size)
    frames = (wav.end - wav.begin) // (2 * wav.channels)
    none = tuple(array("f") for _ in range(wav.channels))
    return Levels(none, wav.rate, frames, size, WINDOW, wav.settled)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    try:
        # A named pipe in the folder must not keep the reader waiting for good.
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(number, "rb") as file:  # noqa: PTH123 - it is open already
            facts = os.fstat(number)
            if not stat.S_ISREG(facts.st_mode):
                raise MediaUnreadable(path, "is no plain file")
            yield file, facts.st_size
    except OSError as problem:
        raise MediaUnreadable(path, problem.strerror or str(problem)) from problem


@dataclass(frozen=True, slots=True)
class _Wav:
    """The header of a WAV file: what its samples are, and where they begin and end."""

    rate: int
    channels: int
    begin: int
    end: int
    size: int
    settled: bool


def _open(path: Path, file: BinaryIO, size: int) -> _Wav:
    """Read the chunks up to the samples."""
    _is_wav(path, file.read(12))
    form: tuple[int, int] | None = None
    at = 12
    while True:
        name, length = _chunk(file, at)
        at += 8
        if at > size:
            raise MediaUnreadable(path, f"no whole header yet ({size} bytes)", empty=True)
        if name == b"data":
            break
        if not _is_name(name):
            raise MediaUnreadable(path, "the header of the WAV file is damaged")
        if name == b"fmt ":
            form = _format(path, file.read(min(length, 64)))
        at += length + length % 2
    if form is None:
        raise MediaUnreadable(path, "the WAV file says nothing of its format")
    settled = at + length == size or _fits(file, at + length + length % 2, size)
    return _Wav(*form, begin=at, end=at + length if settled else size, size=size, settled=settled)


def _is_wav(path: Path, head: bytes) -> None:
    suffix = path.suffix[1:].lower()
    name = next((name for magic, name in _OTHERS if head.startswith(magic)), suffix)
    if name != suffix or suffix.rstrip(_DIGITS) in _SUFFIXES:
        raise MediaUnreadable(path, f"{name} is not a format that can be listened to")
    if len(head) < 12 and b"RIFF".startswith(head[:4]):
        raise MediaUnreadable(path, "no whole header yet", empty=True)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        raise MediaUnreadable(path, "is no WAV file")


def _chunk(file: BinaryIO, at: int) -> tuple[bytes, int]:
    file.seek(at)
    return file.read(4), int.from_bytes(file.read(4), "little")


def _is_name(name: bytes) -> bool:
    return name.isascii() and name.decode("ascii").isprintable() and bool(name.strip())


def _format(path: Path, body: bytes) -> tuple[int, int]:
    """Return rate and channels of a `fmt ` chunk of 16-bit PCM."""
    if len(body) < 16:
        raise MediaUnreadable(path, "no whole header yet", empty=True)
    codec = int.from_bytes(body[:2], "little")
    if codec == _EXTENSIBLE and len(body) >= 26:
        codec = int.from_bytes(body[24:26], "little")
    channels, bits = int.from_bytes(body[2:4], "little"), int.from_bytes(body[14:16], "little")
    rate = int.from_bytes(body[4:8], "little")
    if codec != _PCM:
        name = _CODECS.get(codec, f"number {codec}")
        raise MediaUnreadable(path, f"WAV of codec {name} cannot be listened to")
    if bits != 16:
        raise MediaUnreadable(path, f"WAV of {bits} bits cannot be listened to, only of 16")
    if not (1 <= channels <= 16 and 100 <= rate <= 768_000):
        raise MediaUnreadable(path, f"WAV of {channels} channels at {rate} Hz makes no sense")
    return rate, channels


def _fits(file: BinaryIO, at: int, size: int) -> bool:
    """Say whether whole chunks follow from `at` on to the very end of the file."""
    while at < size:
        name, length = _chunk(file, at)
        if not _is_name(name):
            return False
        at += 8 + length + length % 2
    return at == size


def _levels(wav: _Wav, file: BinaryIO, breathe: Callable[[], None]) -> Levels:
    per_window = max(1, round(wav.rate * WINDOW))
    frame = 2 * wav.channels
    left = (wav.end - wav.begin) // frame
    found = tuple(array("f") for _ in range(wav.channels))
    frames = 0
    file.seek(wav.begin)
    while left > 0:
        data = file.read(min(left, per_window * _AT_ONCE) * frame)
        data = data[: len(data) // frame * frame]
        if not data:
            break  # it became shorter while it was read
        _take(data, wav.channels, per_window, found)
        taken = len(data) // frame
        frames += taken
        left -= taken
        breathe()
    return Levels(found, wav.rate, frames, wav.size, per_window / wav.rate, wav.settled)


def _take(data: bytes, channels: int, per_window: int, found: Sequence["array[float]"]) -> None:
    """Add the levels of interleaved samples."""
    samples = array("h")
    samples.frombytes(data)
    if sys.byteorder == "big":
        samples.byteswap()
    for number, levels in enumerate(found):
        voice = samples[number::channels] if channels > 1 else samples
        for start in range(0, len(voice), per_window):
            piece = voice[start : start + per_window]
            # The length of a vector is the one sum of squares that runs in C on every Python.
            levels.append(math.hypot(*piece) / (math.sqrt(len(piece)) * _FULL_SCALE))


def sound_in(
    levels: Levels, start_s: float, end_s: float, threshold: float = THRESHOLD
) -> list[Window]:
    """Return where a recording is at least as loud as `threshold`, from `start_s` to `end_s`.

    Seconds from its beginning. Only levels that lie wholly inside count, so that what was said
    right before or after does not; neighbours are joined. Any channel will do.
    """
    return _runs(levels, start_s, end_s, lambda level: level >= threshold)


def silence(levels: Levels, threshold: float = THRESHOLD, *, at_least: float = 0.0) -> list[Window]:
    """Return where every channel is below `threshold`, for `at_least` so many seconds."""
    runs = _runs(levels, 0.0, levels.length, lambda level: level < threshold)
    return [run for run in runs if run.length >= at_least]


def decibels(level: float) -> float:
    """Return a level in decibels below full scale; silence is -96, the least that 16 bits hold."""
    return 20 * math.log10(max(level, 10 ** (-96 / 20)))


def peaks(levels: Levels, columns: int) -> list[float]:
    """Return the loudest level of each of `columns` equal stretches, 0 to 1, for a picture.

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


def _runs(
    levels: Levels, start: float, end: float, wanted: Callable[[float], bool]
) -> list[Window]:
    loudest, window, length = levels.loudest(), levels.window, levels.length
    # A hair of room: 0.3 / 0.1 is a little less than 3.
    first = max(0, math.ceil(start / window - 1e-6))
    found: list[Window] = []
    for number in range(first, len(loudest)):
        begin, until = number * window, min((number + 1) * window, length)
        if until > end + 1e-6:
            break
        level = loudest[number]
        if not wanted(level):
            continue
        if found and abs(found[-1].end - begin) < 1e-6:
            found[-1] = Window(found[-1].start, until, max(found[-1].level, level))
        else:
            found.append(Window(begin, until, level))
    return found
