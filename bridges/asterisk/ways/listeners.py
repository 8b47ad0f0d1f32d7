# SPDX-License-Identifier: Apache-2.0
"""Who else listens to a call: ChanSpy, ARI snoops, legs that are no party but a listener. Pure.

What the PBX shows of them (measured on 16.28 and 22.10):
- ChanSpy and ExtenSpy: the events ChanSpyStart and ChanSpyStop name both channels. After a
  reconnect only the spy's row of CoreShowChannels is left: its application, and in its arguments a
  prefix of the channels that it is for, which may be empty. A spy that found nobody shows the same.
- a snoop of ARI is a channel `Snoop/UNIQUEID-…` with the uniqueid of the channel that it is on.
- external media of ARI (`UnicastRTP/…`), `AudioSocket/…` and `WebSocket/…` are ordinary legs in
  the bridge, and hear it as any party does.

Whether one of them records cannot be told: what it hears leaves Asterisk.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from ami.calls.channel_names import parse
from ami.calls.graph import CallGraph
from ami.calls.snapshots import Call, Channel
from ami.events.headers import ChannelRow
from bridges.asterisk.look import PbxLook

SPIES: Final[Mapping[str, str]] = MappingProxyType({"chanspy": "ChanSpy", "extenspy": "ExtenSpy"})
"""Applications that listen to other channels, in lower case, and how Asterisk writes them."""

LEGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "unicastrtp": "external media of ARI",
        "multicastrtp": "multicast RTP",
        "audiosocket": "an AudioSocket",
        "websocket": "a WebSocket",
    }
)
"""Technologies of channels that take what is said out of the PBX, in lower case."""

PROGRAMS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "audiosocket": "AudioSocket",
        "eagi": "EAGI",
        "jack": "JACK",
        "mrcprecog": "MRCPRecog",
        "speechbackground": "SpeechBackground",
        "synthandrecog": "SynthAndRecog",
    }
)
"""Applications by which a program hears the very channel that runs them."""

SNOOPING: Final = "a snoop of ARI"

_BRACKETS: Final = re.compile(r"\([^)]*\)")
_SNOOP: Final = re.compile(r"Snoop/(.+)-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class Tap:
    """One channel by which somebody who is no party hears a call.

    `shown` is for people, as `PJSIP/490 (490)`; `how` as `by ChanSpy`. `app` is the application of
    ARI that the channel is in. `sure` is False for a spy of which it is not known whom it hears;
    `aimed` tells whether its arguments name a channel of this call then. `party`: the channel is
    itself a party of the call, and must not be hung up. `records`: its arguments say that it does.
    """

    uniqueid: str
    shown: str
    how: str
    extension: str | None = None
    context: str = ""
    app: str = ""
    sure: bool = True
    aimed: bool = True
    party: bool = False
    records: bool = False


def find_taps(graph: CallGraph, call: Call, look: PbxLook) -> tuple[Tap, ...]:
    """Return who listens to a call or may do, each once; our own whispers and music are none."""
    found: dict[str, Tap] = {}
    for one in (*_by_events(graph, call, look), *_by_rows(graph, call, look)):
        if one.uniqueid not in graph.own_channels:
            found.setdefault(one.uniqueid, one)
    return tuple(found.values())


def recording_listeners(graph: CallGraph, call: Call, look: PbxLook) -> tuple[str, ...]:
    """Return the uniqueids of channels outside of a call on which a recording records it too.

    They are the channels that listen, those in one bridge with them, those behind their Local
    halves, and those that listen to any of them. A spy that may be for anybody is not among them:
    its recording may be of another call.
    """
    of_call = {channel.uniqueid for channel in call.channels}
    found: dict[str, None] = {}
    waiting = [one.uniqueid for one in find_taps(graph, call, look) if one.aimed]
    while waiting:
        uniqueid = waiting.pop(0)
        if uniqueid in of_call or uniqueid in found:
            continue
        found[uniqueid] = None
        channel = graph.channel(uniqueid)
        if channel is not None:
            alone = Call(channel.linkedid, frozenset({channel.linkedid}), (channel,))
            also = find_taps(graph, alone, look)
            waiting += [one.uniqueid for one in also if one.aimed]
            waiting += [one.uniqueid for one in _hear_the_same(graph, channel)]
    return tuple(found)


def shown(channel: Channel | ChannelRow, extension: str | None) -> str:
    """Return how a channel is named to people: its device, and the extension it belongs to."""
    name = channel.name if isinstance(channel, Channel) else channel.channel
    parts = parse(name)
    device = name if parts.technology.lower() in {*LEGS, "snoop"} else parts.device
    return f"{device} ({extension})" if extension else device


def _hear_the_same(graph: CallGraph, channel: Channel) -> Iterator[Channel]:
    """Return the channels that hear what a listening channel hears."""
    peer = graph.channel(channel.local_peer) if channel.local_peer else None
    if peer is not None:
        yield peer
    together = graph.call_in(channel.bridge_id) if channel.bridge_id else None
    if together is not None:
        yield from (one for one in together.channels if one.bridge_id == channel.bridge_id)


def _by_events(graph: CallGraph, call: Call, look: PbxLook) -> Iterator[Tap]:
    for channel in call.channels:
        for uniqueid in (one.uniqueid for one in channel.listeners):
            row, live = look.rows.get(uniqueid), graph.channel(uniqueid)
            if row is None and live is None:
                continue  # it has hung up
            name = live.name if live is not None else row.channel if row is not None else ""
            application = row.application.lower() if row is not None else ""
            by = SNOOPING if _SNOOP.fullmatch(name) else SPIES.get(application, "ChanSpy")
            yield _tap(graph, uniqueid, row, f"by {by}")


def _by_rows(graph: CallGraph, call: Call, look: PbxLook) -> Iterator[Tap]:
    own = {channel.uniqueid: channel for channel in call.channels}
    for uniqueid, channel in own.items():
        leg = LEGS.get(channel.technology.lower())
        if leg is not None:
            yield _tap(graph, uniqueid, look.rows.get(uniqueid), f"as {leg}")
    busy: set[str] | None = None
    for uniqueid, row in look.rows.items():
        application = row.application.lower()
        spied = _SNOOP.fullmatch(row.channel)
        if spied is not None:
            if spied[1] in own:
                yield _tap(graph, uniqueid, row, f"by {SNOOPING}")
        elif application in SPIES:
            busy = _spying(graph) if busy is None else busy
            aimed = _is_aimed(row, call, look)
            if uniqueid not in busy and _may_hear(row, call, aimed=aimed):
                how = f"by {SPIES[application]}"
                yield _tap(graph, uniqueid, row, how, sure=False, aimed=aimed)
        elif application in PROGRAMS and uniqueid in own:
            yield _tap(graph, uniqueid, row, f"by {PROGRAMS[application]}()", party=True)


def _tap(
    graph: CallGraph,
    uniqueid: str,
    row: ChannelRow | None,
    how: str,
    *,
    sure: bool = True,
    aimed: bool = True,
    party: bool = False,
) -> Tap:
    """Return a listener by what is known of its channel; behind a Local half it is the phone."""
    live = graph.channel(uniqueid)
    person = graph.speaker(uniqueid) or live
    extension = person.extension if person is not None else None
    named: Channel | ChannelRow | None = person or row
    in_stasis = row is not None and row.application.lower() == "stasis"
    return Tap(
        uniqueid,
        uniqueid if named is None else shown(named, extension),
        how,
        extension,
        (row.context if row is not None else "") or (live.context if live is not None else ""),
        row.application_data.partition(",")[0] if row is not None and in_stasis else "",
        sure,
        aimed,
        party,
        row is not None and row.application.lower() in SPIES and _writes_a_file(row),
    )


def _spying(graph: CallGraph) -> set[str]:
    """Return the uniqueids of every channel that is known to listen to another one."""
    return {
        one.uniqueid
        for call in graph.calls()
        for channel in call.channels
        for one in channel.listeners
    }


def _may_hear(row: ChannelRow, call: Call, *, aimed: bool) -> bool:
    """Return whether a spy may be listening to a call, of which no event told.

    Where every event since a channel of the call began was seen, a spy for anybody listens to
    none of it. One that is for a channel of this call by its arguments begins at once: its event
    was kept from us, or is on its way.
    """
    if aimed:
        return True
    unknown = any(not channel.listeners_known for channel in call.channels)
    return unknown and not _target(row)


def _is_aimed(row: ChannelRow, call: Call, look: PbxLook) -> bool:
    """Return whether the arguments of a spy name a channel of a call."""
    target = _target(row)
    if not target:
        return False
    if row.application.lower() == "chanspy":
        names = _names(call, look)
        return any(name.lower().startswith(target.lower()) for name in names)
    exten, _, context = target.partition("@")
    rows = filter(None, (look.rows.get(channel.uniqueid) for channel in call.channels))
    return any(one.exten == exten and one.context == (context or row.context) for one in rows)


def _names(call: Call, look: PbxLook) -> Iterable[str]:
    for channel in call.channels:
        row = look.rows.get(channel.uniqueid)
        yield channel.name if row is None else row.channel


def _target(row: ChannelRow) -> str:
    """Return whom a spy is for, by its arguments; empty for anybody."""
    target = row.application_data.partition(",")[0].strip()
    return "" if target == "all" else target


def _writes_a_file(row: ChannelRow) -> bool:
    """Return whether a spy has the option `r`, by which it records what it hears."""
    options = row.application_data.partition(",")[2]
    return "r" in _BRACKETS.sub("", options)
