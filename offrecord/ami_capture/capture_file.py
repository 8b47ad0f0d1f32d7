# SPDX-License-Identifier: Apache-2.0
"""Reads and writes the capture file: readable text with a head, a configuration and the stream.

The first line is `offrecord capture 1`. Lines `Name: value` describe the capture; then come the
configuration (TOML, indented), and after `[stream]` one block for each packet or press record:

    0:00:01.250 < Event: BridgeEnter
    BridgeUniqueid: bridge-1

The mark is one of `collect.MARKS`; the time counts from the first block. The last line is `[end]`
with the number of blocks: a truncated file lacks it. A file name that ends in `.gz` is packed by
gzip.
"""

import gzip
import io
import os
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, TextIO

from offrecord.ami_capture.collect import MARKS
from offrecord.base.errors import Exit, UserError

TITLE: Final = "offrecord capture"
VERSION: Final = "1"
MAX_FILE: Final = 256 * 1024 * 1024
"""Most characters of a file, unpacked."""

MAX_LINE: Final = 8192
MAX_LINES: Final = 256
"""Most lines of one block."""

_BLOCK: Final = re.compile(
    rf"([0-9]{{1,4}}):([0-5][0-9]):([0-5][0-9])\.([0-9]{{3}}) ([{''.join(sorted(MARKS))}]) (.+)"
)
_HINT: Final = "have it captured again by `offrecord record`"


class Entry(NamedTuple):
    """One block of the stream: milliseconds since the beginning, mark, headers."""

    at: int
    mark: str
    fields: tuple[tuple[str, str], ...]

    @property
    def packet(self) -> bytes:
        """The bytes of the block as an AMI packet."""
        return "\r\n".join(f"{name}: {value}" for name, value in self.fields).encode()


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a file. `info`: its lines `Name: value`. `configuration`: TOML."""

    info: Mapping[str, str] = field(default_factory=dict)
    configuration: str = ""


def clock(at: int) -> str:
    """Return milliseconds as `h:mm:ss.mmm`, without a long run of digits."""
    seconds, ms = divmod(at, 1000)
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{ms:03d}"


def text(head: Head, entries: Sequence[Entry]) -> Iterator[str]:
    """Yield the lines of a file, without line endings."""
    yield f"{TITLE} {VERSION}"
    yield from (f"{name}: {value}" for name, value in head.info.items())
    yield ""
    yield "[configuration]"
    yield from (f"  {line}" if line else "" for line in head.configuration.splitlines())
    yield ""
    yield "[stream]"
    for entry in entries:
        (name, value), *rest = entry.fields
        yield f"{clock(entry.at)} {entry.mark} {name}: {value}"
        yield from (f"{name}: {value}" for name, value in rest)
        yield ""
    yield f"[end] {len(entries):_}"


def write(path: Path, head: Head, entries: Sequence[Entry]) -> None:
    """Write a file with mode 600. Raises UserError when it cannot be written."""
    fresh = path.with_name(f".{path.name}.part")
    try:
        fresh.unlink(missing_ok=True)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as raw:
            if path.suffix == ".gz":
                # Without name and time of the packed file: both would tell of the site.
                packed = gzip.GzipFile("", "wb", fileobj=raw, mtime=0)
                with io.TextIOWrapper(packed, "ascii", newline="\n") as out:
                    out.writelines(f"{line}\n" for line in text(head, entries))
            else:
                with io.TextIOWrapper(raw, "ascii", newline="\n") as out:
                    out.writelines(f"{line}\n" for line in text(head, entries))
        fresh.replace(path)
    except OSError as problem:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise UserError(
            f"cannot write {path}: {problem.strerror or problem}", "name another file", Exit.USAGE
        ) from problem


class Reader:
    """Reads a file line by line. Raises UserError with the number of a line that is wrong.

    `limit`: characters, unpacked.
    """

    def __init__(self, path: Path, limit: int = MAX_FILE) -> None:
        self._path = path
        self._number = 0
        self._limit = self._left = limit
        try:
            self._file: TextIO = (
                gzip.open(path, "rt", encoding="utf-8")  # noqa: SIM115 - closed by `close`
                if path.suffix == ".gz"
                else path.open(encoding="utf-8")
            )
        except OSError as problem:
            what = f"cannot read {path}: {problem.strerror or problem}"
            raise UserError(what, "name a file of `offrecord record`", Exit.USAGE) from problem

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def head(self) -> Head:
        """Read and return the head. Call it before `entries`."""
        title, _, version = self._line().rpartition(" ")
        if title != TITLE:
            raise self._problem(f"this is no capture: it does not begin with `{TITLE}`")
        if version != VERSION:
            raise self._problem(f"version {version[:20]} of the format is not known here")
        info = dict(self._block())
        if self._line() != "[configuration]":
            raise self._problem("`[configuration]` is expected here")
        lines = []
        while (line := self._line()) != "[stream]":
            if line and not line.startswith("  "):
                raise self._problem("a line of the configuration, or `[stream]`, is expected here")
            lines.append(line[2:])
        return Head(info, "\n".join(lines).rstrip("\n"))

    def entries(self) -> Iterator[Entry]:
        """Yield the blocks of the stream in order. Raises UserError."""
        count, last = 0, 0
        while not (line := self._line()).startswith("[end] "):
            begun = _BLOCK.fullmatch(line)
            if begun is None:
                raise self._problem("a time, a mark and a header are expected here")
            hours, minutes, seconds, ms = (int(begun[place]) for place in range(1, 5))
            at = ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms
            if at < last:
                raise self._problem("this is earlier than what stands before it")
            fields = (self._pair(begun[6]), *self._block())
            yield Entry(at, begun[5], fields)
            count, last = count + 1, at
        if line != f"[end] {count:_}":
            raise self._problem(f"the file has {count:_} blocks, and says {line[6:30]} itself")
        if self._read():  # reading on also has gzip check its checksum
            raise self._problem("something stands behind the end")

    def _block(self) -> Iterator[tuple[str, str]]:
        for _ in range(MAX_LINES):
            line = self._line()
            if not line:
                return
            yield self._pair(line)
        raise self._problem(f"more than {MAX_LINES} lines without an empty one")

    def _pair(self, line: str) -> tuple[str, str]:
        name, colon, value = line.partition(":")
        if not colon or not name:
            raise self._problem("`Name: value` is expected here")
        return name, value.removeprefix(" ")

    def _read(self) -> str:
        self._number += 1
        try:
            return self._file.readline(MAX_LINE + 1)
        except UnicodeDecodeError:
            raise self._problem("this is no text") from None
        except (EOFError, zlib.error, OSError) as problem:
            raise self._problem(f"the file cannot be unpacked: {problem}") from problem

    def _line(self) -> str:
        line = self._read()
        self._left -= len(line)
        if self._left < 0:
            raise self._problem(f"the file is larger than {self._limit / 1024 / 1024:g} MB")
        if len(line) > MAX_LINE:
            raise self._problem(f"the line is longer than {MAX_LINE} characters")
        if not line.endswith("\n"):
            raise self._problem("the file ends in the middle: it was cut, or is still written")
        return line[:-1]

    def _problem(self, what: str) -> UserError:
        return UserError(f"{self._path} line {self._number}: {what}", _HINT, Exit.USAGE)
