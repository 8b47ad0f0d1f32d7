# SPDX-License-Identifier: Apache-2.0
"""What of one call ARI can record, from what the PBX shows. Pure.

Measured on 16.28 and 22.10. ARI records a bridge (of type `stasis`) through a hidden channel in
it, `Recorder/ARI-…`; a channel only while it is alone in Stasis, which shows nowhere; and a call
that is not in Stasis through a Snoop channel alone, whose name holds the spied channel's uniqueid.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from ami.calls.graph import CallGraph
from ami.calls.snapshots import Call, Channel
from ami.events.headers import ChannelRow
from bridges.asterisk.look import HiddenChannel, PbxLook

_RECORDER: Final = "Recorder/"
_SNOOP: Final = "Snoop/"
_STASIS: Final = "stasis"


@dataclass(frozen=True, slots=True)
class AriScene:
    """One call as ARI can record it.

    `targets`: what a recording of this call names as its target, with words for people; `snoops`
    of them are those of Snoop channels, by target with the uniqueid. `recorders`: the hidden
    channels that record a bridge of this call, one name each. `alone`: the names of its channels
    that are in Stasis and in no bridge. `legs`: the uniqueid of one channel in each of its bridges
    that is of ARI. `alive`: some channel of it is up. `problem`: why the PBX could not be looked
    at, and `fix` what can be done about that; empty otherwise.
    """

    targets: Mapping[str, str]
    snoops: Mapping[str, str]
    recorders: tuple[str, ...]
    alone: tuple[str, ...]
    legs: tuple[str, ...]
    alive: bool
    problem: str
    fix: str

    @property
    def possible(self) -> bool:
        """Whether ARI can record this call at all, as it is now."""
        return bool(self.recorders or self.alone or self.snoops or self.legs or self.problem)


def scene_of(call: Call, look: PbxLook) -> AriScene:
    """Return how ARI can record `call`, as the PBX showed it."""
    rows = [look.rows[one.uniqueid] for one in call.channels if one.uniqueid in look.rows]
    snoops = _snoops(call, look.rows.values())
    names = {one.uniqueid: one.name for one in call.channels}
    names |= {one.uniqueid: one.channel for one in snoops}
    bridges: dict[str, list[str]] = {}
    legs: dict[str, str] = {}
    for row in (*rows, *snoops):
        if row.bridge_id:
            bridges.setdefault(row.bridge_id, []).append(row.channel)
            legs[row.bridge_id] = row.uniqueid
    if look.problem:
        for channel in call.channels:
            if channel.bridge_id:
                bridges.setdefault(channel.bridge_id, []).append(channel.name)
    targets = {f"channel:{uniqueid}": name for uniqueid, name in names.items()}
    targets |= {f"bridge:{one}": f"the bridge of {', '.join(of)}" for one, of in bridges.items()}
    return AriScene(
        targets,
        {f"channel:{row.uniqueid}": row.uniqueid for row in snoops},
        recorders_of(call, look.hidden),
        tuple(
            row.channel for row in rows if row.application.lower() == _STASIS and not row.bridge_id
        ),
        tuple(leg for bridge_id, leg in legs.items() if _is_stasis(look, bridge_id)),
        bool(rows),
        look.problem,
        look.fix,
    )


def _is_alone(row: ChannelRow) -> bool:
    return row.application.lower() == _STASIS and not row.bridge_id


def _is_stasis(look: PbxLook, bridge_id: str) -> bool:
    found = look.bridges.get(bridge_id)
    return found is not None and found.bridge_type == _STASIS


def _snoops(call: Call, rows: Iterable[ChannelRow]) -> tuple[ChannelRow, ...]:
    """Return the Snoop channels on this call, and those on such Snoop channels."""
    spies = [row for row in rows if row.channel.startswith(_SNOOP)]
    spied = {one.uniqueid for one in call.channels}
    found: dict[str, ChannelRow] = {}
    for _ in spies:
        found |= {one.uniqueid: one for one in spies if _spied(one.channel) in spied}
        spied |= set(found)
    return tuple(found.values())


def _spied(name: str) -> str:
    return name.removeprefix(_SNOOP).rpartition("-")[0]


def recorded_channels(target: str, graph: CallGraph) -> tuple[Channel, ...]:
    """Return the channels that a recording of `target` is about, by what events told alone.

    For a Snoop that is the channel it listens to. Empty when none of them is known.
    """
    kind, _, name = target.partition(":")
    if kind == "bridge":
        call = graph.call_in(name)
        left = [one for one in call.channels if one.bridge_id == name] if call else []
    else:
        left = [one for one in (graph.channel(name),) if one is not None]
    found: dict[str, Channel] = {}
    while left:
        channel = left.pop()
        if channel.uniqueid in found:
            continue
        found[channel.uniqueid] = channel
        if channel.name.startswith(_SNOOP):
            spied = graph.heard_by(channel.uniqueid) or graph.channel(_spied(channel.name))
            left += [spied] if spied is not None else []
    return tuple(one for one in found.values() if not one.name.startswith(_SNOOP))


def recorders_of(call: Call, hidden: Iterable[HiddenChannel]) -> tuple[str, ...]:
    """Return the recorders of this call's bridges; both halves of one are one of them."""
    names = {channel.name for channel in call.channels}
    return recorders(
        one.name
        for one in hidden
        if one.linkedid in call.lineage or not names.isdisjoint(one.peers)
    )


def recorders(names: Iterable[str]) -> tuple[str, ...]:
    """Return the recorders among these channels, one name for the two halves of each."""
    found: dict[str, str] = {}
    for name in names:
        if name.startswith(_RECORDER):
            found.setdefault(name.partition(";")[0], name)
    return tuple(found.values())
