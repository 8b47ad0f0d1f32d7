# SPDX-License-Identifier: Apache-2.0
"""Frozen snapshots of a channel and of a call, as `ami.calls.graph` hands them out."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Listener:
    """A channel that listens to another: ChanSpy, ExtenSpy or a snoop of ARI.

    `extension`: whose phone it is, None where it belongs to no extension.
    """

    name: str
    uniqueid: str
    extension: str | None = None


@dataclass(frozen=True, slots=True)
class Channel:
    """One Asterisk channel at the moment of the snapshot.

    `extension`: None where the channel belongs to no extension (a trunk, a Local half).
    `local_peer`: uniqueid of the other half of a Local channel. `context`, `exten`: what was
    dialled when the channel was made, not whose it is. `application`: from the last listing, empty
    before one. `bridge_id`: None outside of a bridge. `monitors`: MixMonitors that run on it; None
    while not known (after a resync that could not count them). `muted`: those MixMonitors record
    silence in both directions. `runs_monitor`: a Monitor (Asterisk 20 and older) runs on it; None
    while not known. `listeners`: the channels that listen to it; `listeners_known` is False when
    there may be others, which began before a link that was lost. `mix`: name of the conference it
    is in, when that conference's mix is recorded as well; empty when it is not, None when that is
    not known (a conference that began while the link was down, a bridge of ARI).
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
    runs_monitor: bool | None = False
    listeners: tuple[Listener, ...] = ()
    listeners_known: bool = True
    mix: str | None = ""


@dataclass(frozen=True, slots=True)
class Call:
    """The channels of one call, oldest first, at the moment of the snapshot.

    `linkedid`: the one Asterisk uses now. `lineage`: every linkedid this call has carried, the
    current one included.
    """

    linkedid: str
    lineage: frozenset[str]
    channels: tuple[Channel, ...]

    def channel(self, uniqueid: str) -> Channel | None:
        """Return the channel of this call with that uniqueid, or None."""
        return next(self._where_uniqueid(uniqueid), None)

    @property
    def ids(self) -> frozenset[str]:
        """Every id that means this call: its linkedids and the uniqueid of each channel."""
        return self.lineage.union(channel.uniqueid for channel in self.channels)

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
        """The channels for which it is not known whether they carry a MixMonitor."""
        return tuple(channel for channel in self.channels if channel.monitors is None)

    def _where_uniqueid(self, uniqueid: str) -> Iterator[Channel]:
        return (channel for channel in self.channels if channel.uniqueid == uniqueid)
