# SPDX-License-Identifier: Apache-2.0
"""Reads WAV files of 16-bit PCM in blocks, also files that are still being written.

Asterisk writes the lengths into the header when it closes the file, and they stay those of the
first part while more is appended. Therefore the header counts only if it fits the file's real size;
otherwise everything up to the end of the file is taken as audio.
"""

import os
import stat
import sys
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

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
"""Suffixes of formats without a header; a trailing number is ignored, as in g722 and sln16."""
_DIGITS: Final = "0123456789"


class MediaUnreadable(Exception):
    """Raised for a recording that cannot be read as 16-bit PCM; says which file and why.

    `empty` is True if the file holds no audio yet, not even a whole header.
    """

    def __init__(self, path: Path, why: str, *, empty: bool = False) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path
        self.why = why
        self.empty = empty


@dataclass(frozen=True, slots=True)
class WavFile:
    """An open WAV file.

    rate: samples per second of each channel.
    begin, end: the samples' first byte in the file, and the byte after the last.
    """

    rate: int
    channels: int
    begin: int
    end: int
    file: BinaryIO = field(repr=False)

    @property
    def frames(self) -> int:
        """The number of samples of each channel."""
        return (self.end - self.begin) // (2 * self.channels)

    def blocks(self, frames: int) -> Iterator["array[int]"]:
        """Yield the interleaved samples, at most `frames` of each channel at a time.

        Ends early if the file was truncated meanwhile.
        """
        size = 2 * self.channels
        left = self.frames
        self.file.seek(self.begin)
        while left > 0:
            data = self.file.read(min(left, frames) * size)
            samples = array("h")
            samples.frombytes(data[: len(data) // size * size])
            if not samples:
                return
            if sys.byteorder == "big":
                samples.byteswap()
            left -= len(samples) // self.channels
            yield samples


@contextmanager
def open_wav(path: Path) -> Iterator[WavFile]:
    """Open a WAV file of 16-bit PCM, with any rate and number of channels.

    Raises `MediaUnreadable` for everything else, for what is not a regular file, and for errors of
    the operating system, those in the `with` block included.
    """
    try:
        # Without O_NONBLOCK a named pipe would block the reader for ever.
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(number, "rb") as file:  # noqa: PTH123 - it is open already
            facts = os.fstat(number)
            if not stat.S_ISREG(facts.st_mode):
                raise MediaUnreadable(path, "is no plain file")
            yield _open(path, file, facts.st_size)
    except OSError as problem:
        raise MediaUnreadable(path, problem.strerror or str(problem)) from problem


def _open(path: Path, file: BinaryIO, size: int) -> WavFile:
    """Read the chunks up to the samples."""
    _expect_wav(path, file.read(12))
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
    return WavFile(*form, at, at + length if settled else size, file)


def _expect_wav(path: Path, head: bytes) -> None:
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
    """Return whether complete chunks follow from `at` to the very end of the file."""
    while at < size:
        name, length = _chunk(file, at)
        if not _is_name(name):
            return False
        at += 8 + length + length % 2
    return at == size
