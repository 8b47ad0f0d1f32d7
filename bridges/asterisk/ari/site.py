# SPDX-License-Identifier: Apache-2.0
"""What a recorder on the PBX is given of the site's ARI."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from ami.calls.graph import CallGraph
from ami.calls.snapshots import Call, Channel
from bridges.asterisk.ari.client import LiveRecording
from bridges.asterisk.ari.recordings import AriRecordings
from bridges.asterisk.ari.scene import recorded_channels
from bridges.model import Verb

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


NO_ARI: Final = Ari()
"""A site without an ARI account."""


@runtime_checkable
class UsesAri(Protocol):
    """A recorder that works with the site's ARI where there is an account."""

    def use_ari(self, ari: Ari) -> None:
        """Use this from now on."""
