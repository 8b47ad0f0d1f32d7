# SPDX-License-Identifier: Apache-2.0
"""Which files are open and grow, and the rhythm of each. Pure: the time is given with each change.

Asterisk writes a recording in blocks of 32 KiB, whatever records: MixMonitor, Monitor, ARI,
`Record()`, voicemail. The time between two writes of a file is therefore its format's rhythm:
measured on 16.28 and 22.10 2.04 s for wav, 1.02 for sln16, 4.1 for ulaw, 20 for gsm and WAV. A
file that has not been written to for longer is not known to grow.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

BLOCK: Final = 32_768
"""Bytes that Asterisk collects before it writes them to a recording."""

RHYTHMS: Final = {
    ".WAV": 20.2, ".alaw": 4.1, ".g722": 4.1, ".gsm": 19.9, ".pcm": 4.1, ".raw": 2.05,
    ".sln": 2.05, ".sln16": 1.03, ".ulaw": 4.1, ".wav": 2.05, ".wav16": 1.03, ".wav49": 20.2,
}  # fmt: skip
"""Seconds between two writes, by the end of the name; case matters to Asterisk."""

UNKNOWN_RHYTHM: Final = 20.2
"""Seconds assumed for a file of another format until it has been written to twice."""

SLACK: Final = 0.5
"""Seconds that a write may be late on a busy machine, beside half of the rhythm."""

CLOSED_KEPT: Final = 2000
"""Files whose closing is remembered."""

FASTEST: Final = 60.0
"""Writes a second beyond which a file is no recording of a call, but made from one that is over."""

FOREIGN: Final = frozenset({
    ".bz2", ".flac", ".gz", ".json", ".log", ".m4a", ".mp3", ".mp4", ".opus", ".txt", ".xml",
    ".zip",
})  # fmt: skip
"""Ends of names of files that Asterisk itself never records into."""

STALE: Final = 600.0
"""Seconds without a write after which a file is forgotten: its closing was missed."""


@dataclass(slots=True)
class OpenFile:
    """One file that is open for writing. Times are seconds of the same clock.

    `seen`: when it was first seen. `wrote`: its last write, None before the first. `gap`: seconds
    between its last two writes. `writes` counts them.
    """

    path: Path
    seen: float
    wrote: float | None = None
    gap: float | None = None
    writes: int = 0

    @property
    def recorded(self) -> bool:
        """Whether it can be a recording: not made by another program after one has ended."""
        if self.path.suffix.lower() in FOREIGN:
            return False
        since = 0.0 if self.wrote is None else self.wrote - self.seen
        return self.writes <= FASTEST or self.writes <= FASTEST * since

    @property
    def rhythm(self) -> float:
        """Seconds between two writes: as measured, else as usual for its format."""
        usual = RHYTHMS.get(self.path.suffix, UNKNOWN_RHYTHM)
        # A burst (a header written again, audio that was held back) must not shorten it.
        return usual if self.gap is None else max(self.gap, min(usual, 2.05))

    def grows(self, now: float) -> bool:
        """Return whether its last write is recent enough for it to be still recorded into."""
        if self.wrote is None or not self.recorded:
            return False
        return now - self.wrote <= 1.5 * self.rhythm + SLACK


class OpenFiles:
    """The files that are open for writing, and when the last of them were closed."""

    def __init__(self) -> None:
        self._open: dict[Path, OpenFile] = {}
        self._closed: OrderedDict[Path, float] = OrderedDict()

    def __len__(self) -> int:
        """Return how many files are open."""
        return len(self._open)

    def __iter__(self) -> Iterator[OpenFile]:
        """Iterate over the open files."""
        return iter([*self._open.values()])

    def get(self, path: Path) -> OpenFile | None:
        """Return an open file, or None."""
        return self._open.get(path)

    def opened(self, path: Path, at: float) -> None:
        """Take that a file was made, or found, at a time."""
        self._closed.pop(path, None)
        self._open.setdefault(path, OpenFile(path, at))

    def wrote(self, path: Path, at: float) -> OpenFile:
        """Take a write, and return the file."""
        self._closed.pop(path, None)
        one = self._open.setdefault(path, OpenFile(path, at))
        if one.wrote is not None and at > one.wrote:
            one.gap = at - one.wrote
        one.wrote = at
        one.writes += 1
        return one

    def closed(self, path: Path, at: float) -> None:
        """Take that a file was closed by its writer."""
        self._open.pop(path, None)
        self._closed[path] = at
        self._closed.move_to_end(path)
        while len(self._closed) > CLOSED_KEPT:
            self._closed.popitem(last=False)

    def gone(self, path: Path) -> None:
        """Take that a file was removed, or moved out of the watched folders."""
        self._open.pop(path, None)

    def closed_at(self, path: Path) -> float | None:
        """Return when a file was closed, None while it is open or when that was not seen."""
        return self._closed.get(path)

    def growing(self, now: float) -> list[OpenFile]:
        """Return the files that grow, the one that was seen first first."""
        return sorted((one for one in self if one.grows(now)), key=lambda one: one.seen)

    def prune(self, now: float) -> None:
        """Forget files whose closing was missed."""
        for one in self:
            if now - (one.seen if one.wrote is None else one.wrote) > STALE:
                del self._open[one.path]
