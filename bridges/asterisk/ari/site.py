# SPDX-License-Identifier: Apache-2.0
"""What a recorder on the PBX is given of the site's ARI."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final, Protocol, runtime_checkable

from ami.calls.graph import CallGraph
from ami.calls.snapshots import Call, Channel
from bridges.asterisk.ari.client import AriError, LiveRecording
from bridges.asterisk.ari.recordings import AriRecordings
from bridges.asterisk.ari.scene import recorded_channels
from bridges.model import Verb

ASKING: Final = 2.0
"""Seconds for the names of the live recordings, where events do not tell them."""

STARTED: Final = "RecordingStarted"
"""The event of ARI for a recording that starts."""


@dataclass(frozen=True, slots=True)
class Ari:
    """The site's ARI.

    `recordings` is None where no account is configured. `hang_up_recorders`: the site allows that
    the recording of a bridge is ended by hanging up its channel, by AMI.
    """

    recordings: AriRecordings | None = None
    hang_up_recorders: bool = False

    def on_start(
        self, graph: Callable[[], CallGraph], callback: Callable[[Sequence[Channel], str], None]
    ) -> None:
        """Call `callback` for each recording that starts: its live channels, the event's name."""

        def began(one: LiveRecording) -> None:
            callback(recorded_channels(one.target, graph()), STARTED)

        if self.recordings is not None:
            self.recordings.subscribe(began)

    def recorded(self, call: Call, verb: Verb, graph: CallGraph) -> tuple[Channel, ...]:
        """Return the channels of a call that ARI is known to record although `verb` forbids it.

        Asks nothing: empty while the recordings are not known by events.
        """
        known = self.recordings
        if known is None or not known.known:
            return ()
        return tuple(
            channel
            for one in known.seen()
            if not (one.paused and verb is Verb.PAUSE)
            for channel in recorded_channels(one.target, graph)
            if call.channel(channel.uniqueid) is not None
        )

    async def silent(self, files: Collection[Path]) -> frozenset[Path]:
        """Return which files are of recordings that ARI says, asked now, are paused.

        Another client may have had one go on, which no event tells. Empty when ARI cannot be asked.
        """
        known, found = self.recordings, frozenset[Path]()
        if known is None:
            return found
        try:
            for one in await known.live(ASKING):
                mine = [path for path in files if _holds(path, one.name)]
                now = await known.find(one.name) if mine else None
                if now is not None and now.paused:
                    found |= frozenset(mine)
        except AriError:
            return found
        return found


def _holds(path: Path, name: str) -> bool:
    """Return whether a file is the one that ARI records into by a name, which may have folders."""
    wanted = ("recording", *PurePath(name).parts)
    return path.with_suffix("").parts[-len(wanted) :] == wanted


NO_ARI: Final = Ari()
"""A site without an ARI account."""


@runtime_checkable
class UsesAri(Protocol):
    """A recorder that works with the site's ARI where there is an account."""

    def use_ari(self, ari: Ari) -> None:
        """Use this from now on."""
