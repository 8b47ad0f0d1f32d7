# SPDX-License-Identifier: Apache-2.0
"""Local recordings held against the times in which they were to be silent.

Measured on Asterisk 16.28 and 22.10: a MixMonitor writes in blocks of two seconds, puts the rest
and the right header into the file within 20 ms of its end, and writes nothing while its channel
has no audio (while it rings). So a recording is placed in time by its end, which is the file's
last change; its beginning cannot be had that way.
"""

import os
import re
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from offrecord.reconcile import wav_levels
from offrecord.reconcile.silent_windows import Silent
from offrecord.reconcile.wav_levels import Levels, MediaUnreadable, Window

HEADER: Final = 44
"""Bytes of a WAV file that holds no audio."""
_LATE: Final = 2000
"""Milliseconds after the end of a call from which on a change is not MixMonitor's any more."""
_FAR: Final = 1000
"""Milliseconds by which a file's audio cannot reach beyond its last change."""
_LEAST: Final = 0.1


@dataclass(frozen=True, slots=True)
class Monitored:
    """What was seen of one MixMonitor while it ran: its file, and when it began and ended.

    `file` is as Asterisk names it. Milliseconds UTC; `stopped` is None where it was not seen.
    """

    file: str
    began: int
    stopped: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A recording of the call on this machine; `monitored` where it was seen to begin."""

    path: Path
    monitored: Monitored | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """Something was recorded in a window. Milliseconds UTC.

    `label` names the file or leg, `what` says which kind of thing it is, `detail` is for people.
    """

    what: str
    label: str
    window: Silent
    begin: int
    end: int
    detail: str

    def body(self) -> dict[str, object]:
        """Return the incident as the journal keeps it."""
        return {
            "what": self.what,
            "leg" if self.what == "leg_in_window" else "file": self.label,
            "press": self.window.press,
            "verb": self.window.verb,
            "recorder": self.window.recorder,
            "outcome": self.window.outcome,
            "window": [self.window.begin, self.window.end],
            "from": self.begin,
            "to": self.end,
            "detail": self.detail,
        }


def find(folder: Path, ids: Collection[str], seen: Sequence[Monitored], since: int) -> list[Found]:
    """Return the recordings of a call below `folder`: those seen, and those named after it.

    `ids` are the uniqueids and linkedids of the call; `since` is ms UTC before which no file of
    it was made. Raises `OSError` when the folder cannot be read.
    """
    found: dict[Path, Found] = {}
    for one in seen:
        path = here(folder, one.file)
        if path is not None:
            found[path] = Found(path, one)
    if ids:
        name = re.compile("|".join(rf"(?<!\d){re.escape(one)}(?!\d)" for one in sorted(ids)))
        for entry in _files(folder, since / 1000):
            if name.search(entry.name):
                path = Path(entry.path)
                found.setdefault(path, Found(path))
    return sorted(found.values(), key=lambda one: one.path)


def here(folder: Path, file: str) -> Path | None:
    """Return a file below `folder` by the name that Asterisk has for it, or None.

    Asterisk may see the folder by another path: the longest end of its path that is there counts.
    """
    parts = PurePosixPath(file).parts
    if ".." in parts:
        return None
    ends = (folder.joinpath(*parts[first:]) for first in range(len(parts)) if parts[first] != "/")
    return next((path for path in ends if path.is_file()), None)


def _files(folder: Path, since: float) -> Iterator["os.DirEntry[str]"]:
    """Yield files below a folder, but not of folders in which none was made since then."""
    facts = folder.stat()
    if facts.st_mtime < since and facts.st_nlink == 2:
        return  # no folders in it either
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(Path(entry.path), since)
            elif facts.st_mtime >= since and entry.is_file(follow_symlinks=False):
                yield entry


def check(
    found: Found, silent: Iterable[Silent], ended: int, *, tolerance: float, threshold: float
) -> list[Incident]:
    """Return what one recording holds that it must not, for a call that ended at `ended`.

    `tolerance` is in seconds, `threshold` a level. Raises `MediaUnreadable`, also for a file whose
    audio cannot be placed in time because it was changed later.
    """
    facts = wav_levels.measure(found.path)
    if not facts.frames:
        return []
    until = _until(found, facts, ended)
    began = until - round(facts.length * 1000)
    slack = round(tolerance * 1000)
    levels: Levels | None = None
    incidents = []
    for window in silent:
        begin, end = max(window.begin + slack, began), min(window.end - slack, until)
        if window.end >= ended:
            end = until
        if (end - begin) / 1000 < _LEAST:
            continue
        levels = levels or wav_levels.read(found.path, breathe=_breathe)
        sound = wav_levels.sound_in(levels, (begin - began) / 1000, (end - began) / 1000, threshold)
        if sound or window.ended_recording:
            new = began >= window.begin
            incidents.append(_incident(found, window, sound, (began, begin, end), new=new))
    return incidents


def _until(found: Found, facts: Levels, ended: int) -> int:
    """Return when the last sample of a recording was heard, in ms UTC."""
    changed = found.path.stat().st_mtime_ns // 1_000_000
    seen = found.monitored
    # Its audio reaches at least so far; more where nothing came while it rang. Not where the file
    # was there before and only more was appended.
    sure = seen.began + round(facts.length * 1000) if seen else None
    if sure is not None and sure > changed + _FAR:
        sure = None
    if seen is not None and seen.stopped is not None:
        return max(seen.stopped, sure or 0)
    if changed <= ended + _LATE:
        return changed
    if sure is not None:
        return sure
    why = "it was changed after the call, so its audio cannot be placed in time"
    raise MediaUnreadable(found.path, why)


def _incident(
    found: Found, window: Silent, sound: Sequence[Window], times: tuple[int, int, int], *, new: bool
) -> Incident:
    began, begin, end = times
    heard = sum(one.length for one in sound)
    if sound:
        loudest = max(one.level for one in sound)
        told = f"{heard:.1f} s of sound, the loudest at {wav_levels.decibels(loudest):.0f} dBFS"
        begin, end = began + round(sound[0].start * 1000), began + round(sound[-1].end * 1000)
    else:
        told = f"{(end - begin) / 1000:.1f} s without sound"
    what = "sound_in_window"
    if window.ended_recording:
        what = "file_begun_in_window" if new else "file_went_on"
    return Incident(what, str(found.path), window, begin, end,
                    f"{_SAID[what]}: {told}")  # fmt: skip


_SAID: Final = {
    "sound_in_window": "the recording holds sound although it was to be silent",
    "file_went_on": "the recording went on although it was proven stopped",
    "file_begun_in_window": "another recording began although the call was not to be recorded",
}


def _breathe() -> None:
    """Let the presses through: samples are summed up with the interpreter's lock held."""
    time.sleep(0.001)
