# SPDX-License-Identifier: Apache-2.0
"""Finds MixMonitor's local recordings of a call, and checks them for sound in silent windows.

Measured on Asterisk 16.28 and 22.10: MixMonitor writes in blocks of two seconds, completes the file
and its header within 20 ms of its end, and writes nothing while the channel has no audio (while it
rings). A recording is therefore placed in time by its end, which is the file's last change; its
beginning cannot be determined that way.
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
from offrecord.reconcile.wav_file import MediaUnreadable
from offrecord.reconcile.wav_levels import Levels, Window

_LATE: Final = 2000
"""Milliseconds after the end of a call, after which a change is not MixMonitor's."""
_FAR: Final = 1000
"""Milliseconds of tolerance for audio that ends after the file's last change."""
_LEAST: Final = 0.1
"""Seconds of a window that a recording must overlap to be checked."""


@dataclass(frozen=True, slots=True)
class Monitored:
    """One MixMonitor as its events told: its file, as Asterisk names it, and start and stop.

    Both are milliseconds UTC; `stopped` is None if no event told it.
    """

    file: str
    began: int
    stopped: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A recording of the call on this machine; `monitored` if its start was seen."""

    path: Path
    monitored: Monitored | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that was recorded in a silent window.

    what: the kind of incident, as in `docs/reconciliation.md`.
    label: the name of the file or of the leg.
    begin, end: when it was recorded, in milliseconds UTC.
    detail: a sentence for people.
    """

    what: str
    label: str
    window: Silent
    begin: int
    end: int
    detail: str

    def body(self) -> dict[str, object]:
        """Return the incident as the body of a journal record."""
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
    """Return the recordings of a call below `folder`: those seen, and those named after its ids.

    ids: the uniqueids and linkedids of the call.
    seen: the MixMonitors of the call.
    since: milliseconds UTC; no file of the call is older.

    Raises `OSError` if the folder cannot be read.
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
    """Return the file below `folder` that has a name of Asterisk, None if there is none.

    Asterisk may know the folder by another path: the longest end of its path that exists counts.
    """
    parts = PurePosixPath(file).parts
    if ".." in parts:
        return None
    ends = (folder.joinpath(*parts[first:]) for first in range(len(parts)) if parts[first] != "/")
    return next((path for path in ends if path.is_file()), None)


def _files(folder: Path, since: float) -> Iterator["os.DirEntry[str]"]:
    """Yield files below a folder; skip folders that did not change since `since` (seconds)."""
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
    """Return the incidents in one recording of a call that ended at `ended` (milliseconds UTC).

    tolerance: seconds at both ends of a window that are not checked.
    threshold: the level from which on something counts as sound.

    Raises `MediaUnreadable`, also for a file that was changed after the call: its audio cannot be
    placed in time.
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
    """Return the time of the last sample of a recording, in milliseconds UTC."""
    changed = found.path.stat().st_mtime_ns // 1_000_000
    seen = found.monitored
    # The audio lasts at least until then, longer if nothing was written while it rang; but not in a
    # file that existed before and was appended to.
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
    """Sleep a moment for the event loop: the samples are summed up under the interpreter's lock."""
    time.sleep(0.001)
