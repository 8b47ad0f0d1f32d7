# SPDX-License-Identifier: Apache-2.0
"""Lists the calls of a replay with their channels, also after transfers joined them."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ami.calls import channel_names
from ami.calls.graph import CallGraph
from ami.calls.snapshots import Call
from offrecord.ami_capture.capture_file import Entry


@dataclass(slots=True)
class ChannelSeen:
    """One channel. `begins`, `ends`: milliseconds. `monitors`: the most MixMonitors at one time."""

    channel: str
    uniqueid: str
    extension: str | None
    why: str
    begins: int
    ends: int | None = None
    monitors: int | None = None

    def body(self) -> dict[str, object]:
        """Return it as plain data."""
        return {
            "channel": self.channel,
            "uniqueid": self.uniqueid,
            "extension": self.extension,
            "why": self.why,
            "begins_ms": self.begins,
            "ends_ms": self.ends,
            "monitors": self.monitors,
        }


@dataclass(slots=True)
class CallSeen:
    """One call: all uniqueids and linkedids that meant it, and its channels by uniqueid."""

    call: str
    ids: set[str] = field(default_factory=set)
    channels: dict[str, ChannelSeen] = field(default_factory=dict)

    def body(self) -> dict[str, object]:
        """Return it as plain data."""
        return {"call": self.call, "channels": [one.body() for one in self.channels.values()]}


class CallsSeen:
    """Follows the calls of a graph: call `before` and `after` for each block of the stream."""

    def __init__(self, graph: CallGraph) -> None:
        self._graph = graph
        self._by_id: dict[str, CallSeen] = {}

    def all(self) -> list[CallSeen]:
        """Return the calls, in the order they began."""
        return list({id(one): one for one in self._by_id.values()}.values())

    def of(self, ids: Iterable[str]) -> CallSeen | None:
        """Return the call that any of these ids means."""
        return next((self._by_id[one] for one in ids if one in self._by_id), None)

    def before(self, entry: Entry) -> None:
        """Note the end of a channel, before a hang-up removes it from the graph."""
        told = dict(entry.fields)
        if told.get("Event") == "Hangup":
            uniqueid = told.get("Uniqueid", "")
            seen = self.of([uniqueid])
            if seen is not None and uniqueid in seen.channels:
                seen.channels[uniqueid].ends = entry.at

    def after(self, entry: Entry) -> None:
        """Note the channels that a block is about, as the graph has them now."""
        if entry.mark != "<":
            return
        told = dict(entry.fields)
        if told.get("EventList", "").lower() == "complete":
            for call in self._graph.calls():
                self._note(call, entry.at)
            return
        for name in ("Uniqueid", "DestUniqueid", "LocalOneUniqueid"):
            found = self._graph.call_of(told[name]) if name in told else None
            if found is not None:
                self._note(found, entry.at)

    def _note(self, call: Call, at: int) -> None:
        ids = call.ids
        known = list(
            {id(self._by_id[one]): self._by_id[one] for one in ids if one in self._by_id}.values()
        )
        seen = known[0] if known else CallSeen(call.linkedid)
        for other in known[1:]:
            seen.ids |= other.ids
            seen.channels |= other.channels
        seen.ids |= ids
        self._by_id.update(dict.fromkeys(seen.ids, seen))
        for channel in call.channels:
            one = seen.channels.get(channel.uniqueid)
            if one is None:
                why = channel_names.resolve(channel.name, self._graph.rules).reason
                one = ChannelSeen(channel.name, channel.uniqueid, channel.extension, why, at)
                seen.channels[channel.uniqueid] = one
            one.extension = channel.extension
            if channel.monitors is not None:
                one.monitors = max(one.monitors or 0, channel.monitors)
