# SPDX-License-Identifier: Apache-2.0
"""Which of the growing files other calls explain, and which are left over. Pure.

A file is explained, in this order, by a pattern of the site; by name, where another live call is
known to write it, or has one of its ids in the name; by having been open before the call began;
and by count: as many recordings as channels of other calls are in an application that writes
there. Files that differ only in the end of their name (voicemail in several formats) are one
recording. What is known to be of the call itself is never explained by other calls.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from offrecord.witness.folders import ANY, MONITOR, RECORDING, TMP, VOICEMAIL

APPLICATIONS: Final = {
    "Dictate": frozenset({ANY}),
    "MinivmRecord": frozenset({VOICEMAIL, TMP, ANY}),
    "Stasis": frozenset({RECORDING}),
    "VoiceMail": frozenset({VOICEMAIL, TMP, ANY}),
    "VoiceMailMain": frozenset({VOICEMAIL, TMP, ANY}),
}
"""The uses of folders that an application records into without a name that is known."""

CONFERENCE: Final = "ConfBridge"
"""The application of a conference, whose mix may be one recording for all its members."""

LISTENERS: Final = frozenset({"ChanSpy", "ExtenSpy"})
"""Applications that listen to another call; what they record is of that call."""

RECORD: Final = "Record"
"""The application that names its file."""

PLAIN: Final = frozenset({"", "AppDial", "AppQueue", "Bridge", "Dial", "Queue"})
"""Applications of channels that take part in nothing older than their own call."""

SNOOP: Final = "Snoop/"
"""How the name of a channel of ARI begins that listens to the channel whose uniqueid follows."""

_SERIAL: Final = re.compile(r"-[0-9a-f]{8}$")


@dataclass(frozen=True, slots=True)
class Grown:
    """A file that grows. `use` is that of its folder, `seen` seconds since the epoch."""

    path: Path
    use: str
    seen: float


@dataclass(frozen=True, slots=True)
class Row:
    """One live channel, as the PBX lists it now. `data` are the application's arguments.

    `monitor`: whether a Monitor runs on it, or may. `listens_to`: the uniqueid of the channel that
    it was told to listen to, empty when no event told of one.
    """

    uniqueid: str
    linkedid: str
    name: str
    application: str = ""
    data: str = ""
    bridge: str = ""
    monitor: bool = False
    listens_to: str = ""

    @property
    def spied(self) -> str:
        """The uniqueid that a snoop listens to, empty for any other channel."""
        if not self.name.startswith(SNOOP):
            return ""
        return _SERIAL.sub("", self.name.removeprefix(SNOOP))


@dataclass(frozen=True, slots=True)
class Writer:
    """Something of another call that writes recordings.

    `files`: how many. `uses`: the folders that they may be in. `start`: how their names begin,
    empty for any.
    """

    uses: frozenset[str]
    files: int = 1
    start: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """The call whose verdict is looked at.

    `ids`: its linkedids and uniqueids. `began`: seconds since the epoch at which its first channel
    did, None when not known. `silent`: its own recordings that are known go on, with silence.
    """

    ids: frozenset[str]
    began: float | None = None
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Names:
    """The files that channels are known to write, by uniqueid, as this machine sees them."""

    files: dict[str, frozenset[Path]] = field(default_factory=dict)

    def of(self, uniqueids: Collection[str]) -> frozenset[Path]:
        """Return the files of some channels."""
        return frozenset(one for each in uniqueids for one in self.files.get(each, ()))


def left_over(
    growing: Sequence[Grown],
    held: Held,
    rows: Sequence[Row],
    names: Names,
    *,
    others: Collection[str] = (),
    more: Iterable[Writer] = (),
) -> list[Grown]:
    """Return the files that no other call explains.

    `growing`: the files that grow, first seen first. `rows`: every live channel. `others`: the
    site's patterns. `more`: what is known besides of other calls.
    """
    own = {row.uniqueid for row in rows if row.uniqueid in held.ids or row.linkedid in held.ids}
    own |= held.ids
    own |= {row.uniqueid for row in rows if row.spied in own or _listens(row, rows, own)}
    others_ids = {one for row in rows if row.uniqueid not in own for one in _ids(row)} - own
    mine, theirs = names.of(own), names.of(others_ids)
    plain = all(row.application in PLAIN for row in rows if row.uniqueid in own)
    left: list[Grown] = []
    unknown: list[Grown] = []
    for one in growing:
        if matches(one.path, others):
            continue
        if one.path in mine:
            if not held.silent:
                left.append(one)
        elif one.path in theirs:
            continue
        elif _holds(one.path.name, own):
            left.append(one)
        elif not _holds(one.path.name, others_ids) and not (plain and _older(one, held)):
            unknown.append(one)
    writers = [*_writers(rows, own), *more]
    return [*left, *_uncounted(unknown, writers)]


def matches(path: Path, patterns: Collection[str]) -> bool:
    """Return whether a pattern means a file, by its path or by its name."""
    return any(fnmatchcase(str(path), one) or fnmatchcase(path.name, one) for one in patterns)


def _ids(row: Row) -> tuple[str, str]:
    return row.uniqueid, row.linkedid


def _older(one: Grown, held: Held) -> bool:
    return held.began is not None and one.seen < held.began - 1.0


def _listens(row: Row, rows: Iterable[Row], own: Collection[str]) -> bool:
    """Return whether a channel may be listening to the call: it is then taken as part of it.

    Where no event told to whom, ChanSpy's argument says how the names of the channels begin that it
    may listen to; without one, and with ExtenSpy, that may be any.
    """
    if row.listens_to:
        return row.listens_to in own
    if row.application not in LISTENERS:
        return False
    start = row.data.partition(",")[0]
    if row.application != "ChanSpy" or not start:
        return True
    return any(each.uniqueid in own and each.name.startswith(start) for each in rows)


def _holds(name: str, ids: Iterable[str]) -> bool:
    """Return whether a name of a file has one of the ids in it, and not as part of a longer one."""
    return any(
        one in name and re.search(rf"(?<![\d.]){re.escape(one)}(?!\d)", name) is not None
        for one in ids
    )


def _writers(rows: Iterable[Row], own: Collection[str]) -> Iterable[Writer]:
    """Yield what channels of other calls write, by their application."""
    theirs = [row for row in rows if row.uniqueid not in own]
    mixed = {row.bridge for row in theirs if row.application == CONFERENCE and row.bridge}
    yield from (Writer(frozenset({MONITOR, ANY})) for _ in mixed)
    for row in theirs:
        if row.monitor:
            yield Writer(frozenset({MONITOR, ANY}), files=2)
        uses = APPLICATIONS.get(row.application)
        if uses is not None:
            yield Writer(uses)
        elif row.application == RECORD:
            start = re.split(r"[%:,]", row.data, maxsplit=1)[0]
            yield Writer(frozenset(), start=Path(start).name.partition(".")[0])
        elif row.application in LISTENERS and "r(" in row.data:
            yield Writer(frozenset({MONITOR, ANY}))


def _uncounted(unknown: Sequence[Grown], writers: Sequence[Writer]) -> list[Grown]:
    """Return the files that the writers do not account for; they explain the oldest first."""
    free = [writer.files for writer in writers]
    explained: set[str] = set()
    left = []
    for one in unknown:
        recording = str(one.path.with_suffix(""))
        if recording in explained:
            continue
        place = next(
            (at for at, writer in enumerate(writers) if free[at] and _may_write(writer, one)), None
        )
        if place is None:
            left.append(one)
            continue
        free[place] -= 1
        explained.add(recording)
    return left


def _may_write(writer: Writer, one: Grown) -> bool:
    if writer.start:
        return one.path.name.startswith(writer.start)
    return one.use in writer.uses
