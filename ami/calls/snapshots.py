# SPDX-License-Identifier: Apache-2.0
"""A channel and a call as they stood at one moment: frozen, safe to hand to anyone."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Channel:
    """One Asterisk channel at the moment of the snapshot.

    `extension` is None where the channel belongs to no extension (a trunk, a Local half).
    `local_peer` is the uniqueid of the other half of a Local channel. `context`, `exten` are what
    was dialled when the channel was made, not who the channel is. `application` is what the last
    listing told, empty before one. `bridge_id` is None outside of a bridge. `monitors` counts the
    MixMonitors that run on it; None means not known (after a resync that could not tell). `muted`
    says that those MixMonitors record silence in both directions. `mix` is the name of the
    conference it is in, when that one's mix is recorded as well; empty when it is not, None when
    nobody knows (a conference that began while nobody listened, a bridge of ARI).
    """

    name: str
    uniqueid: str
    linkedid: str
    technology: str = ""
    endpoint: str = ""
    extension: str | None = None
    local_peer: str | None = None
    state: str = ""
    context: str = ""
    exten: str = ""
    caller_number: str = ""
    caller_name: str = ""
    connected_number: str = ""
    account: str = ""
    application: str = ""
    bridge_id: str | None = None
    monitors: int | None = 0
    muted: bool = False
    mix: str | None = ""


@dataclass(frozen=True, slots=True)
class Call:
    """Every channel that belongs together, oldest first, at the moment of the snapshot.

    `linkedid` is the one Asterisk uses now; `lineage` every one this call has gone by, the
    current one included.
    """

    linkedid: str
    lineage: frozenset[str]
    channels: tuple[Channel, ...]

    def channel(self, uniqueid: str) -> Channel | None:
        """Return the channel of this call with that uniqueid, or None."""
        return next(self._where_uniqueid(uniqueid), None)

    @property
    def extensions(self) -> tuple[str, ...]:
        """The extensions on this call, each once, oldest channel first."""
        return tuple(dict.fromkeys(c.extension for c in self.channels if c.extension))

    @property
    def monitored(self) -> tuple[Channel, ...]:
        """The channels known to carry at least one MixMonitor."""
        return tuple(channel for channel in self.channels if channel.monitors)

    @property
    def unknown_monitors(self) -> tuple[Channel, ...]:
        """The channels of which nobody can say whether they carry a MixMonitor."""
        return tuple(channel for channel in self.channels if channel.monitors is None)

    def _where_uniqueid(self, uniqueid: str) -> Iterator[Channel]:
        return (channel for channel in self.channels if channel.uniqueid == uniqueid)
