# SPDX-License-Identifier: Apache-2.0
"""Decodes the events that connect channels: bridges, Local halves, dialling, transfers, pickup.

A part of `ami.events.packet_to_event`, which calls these decoders. Header names are those of
Asterisk 16 to 22 (checked on 16.28 and 22.10). A packet without the ids it is about gives None.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from ami.events.headers import CONTEXT, ids, value
from ami.events.types import (
    AttendedTransfer,
    BlindTransfer,
    BridgeDestroy,
    BridgeEnter,
    BridgeLeave,
    BridgeMerge,
    DialBegin,
    DialEnd,
    Event,
    LocalBridge,
    Pickup,
)

_BRIDGE_ID = "\r\nBridgeUniqueid: "
_RESULT = "\r\nResult: "


def _local_bridge(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    event = LocalBridge(
        value(text, "\r\nLocalOneChannel: "),
        value(text, "\r\nLocalOneUniqueid: "),
        value(text, "\r\nLocalOneLinkedid: "),
        value(text, "\r\nLocalTwoChannel: "),
        value(text, "\r\nLocalTwoUniqueid: "),
        value(text, "\r\nLocalTwoLinkedid: "),
    )
    return event if event.one_uniqueid and event.two_uniqueid else None


def _bridge_enter(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    channel, uniqueid, linkedid = ids(text)
    bridge_id = value(text, _BRIDGE_ID)
    if not uniqueid or not bridge_id:
        return None
    kind, technology = value(text, "\r\nBridgeType: "), value(text, "\r\nBridgeTechnology: ")
    return BridgeEnter(bridge_id, kind, technology, channel, uniqueid, linkedid)


def _bridge_leave(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    channel, uniqueid, linkedid = ids(text)
    bridge_id = value(text, _BRIDGE_ID)
    return BridgeLeave(bridge_id, channel, uniqueid, linkedid) if uniqueid and bridge_id else None


def _bridge_destroy(packet: bytes) -> Event | None:
    bridge_id = value(packet.decode("utf-8", "replace"), _BRIDGE_ID)
    return BridgeDestroy(bridge_id) if bridge_id else None


def _bridge_merge(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    to_bridge = value(text, "\r\nToBridgeUniqueid: ")
    from_bridge = value(text, "\r\nFromBridgeUniqueid: ")
    return BridgeMerge(to_bridge, from_bridge) if to_bridge and from_bridge else None


def _dial_begin(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    channel, uniqueid, linkedid = ids(text)
    dest_channel = value(text, "\r\nDestChannel: ")
    dest_uniqueid = value(text, "\r\nDestUniqueid: ")
    if not dest_uniqueid:
        return None
    dest_linkedid = value(text, "\r\nDestLinkedid: ")
    return DialBegin(channel, uniqueid, linkedid, dest_channel, dest_uniqueid, dest_linkedid)


def _dial_end(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    _, uniqueid, linkedid = ids(text)
    dest_uniqueid = value(text, "\r\nDestUniqueid: ")
    if not dest_uniqueid:
        return None
    dest_linkedid, status = value(text, "\r\nDestLinkedid: "), value(text, "\r\nDialStatus: ")
    return DialEnd(uniqueid, linkedid, dest_uniqueid, dest_linkedid, status)


def _blind_transfer(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    uniqueid = value(text, "\r\nTransfererUniqueid: ")
    if not uniqueid:
        return None
    return BlindTransfer(
        value(text, _RESULT),
        uniqueid,
        value(text, "\r\nTransfererLinkedid: "),
        value(text, "\r\nTransfereeUniqueid: "),
        value(text, "\r\nTransfereeLinkedid: "),
        value(text, CONTEXT),
        value(text, "\r\nExtension: "),
    )


_PARTIES = tuple(
    (f"\r\n{who}Uniqueid: ", f"\r\n{who}Linkedid: ")
    for who in (
        "OrigTransferer",
        "SecondTransferer",
        "Transferee",
        "TransferTarget",
        "LocalOne",
        "LocalTwo",
    )
)


def _attended_transfer(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    named = ((value(text, uid), value(text, linked)) for uid, linked in _PARTIES)
    parties = tuple(pair for pair in named if pair[0])
    return AttendedTransfer(value(text, _RESULT), parties) if parties else None


def _pickup(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    _, uniqueid, linkedid = ids(text)
    target = value(text, "\r\nTargetUniqueid: ")
    if not uniqueid or not target:
        return None
    return Pickup(uniqueid, linkedid, target, value(text, "\r\nTargetLinkedid: "))


DECODERS: Final[Mapping[bytes, Callable[[bytes], Event | None]]] = MappingProxyType(
    {
        b"Event: LocalBridge": _local_bridge,
        b"Event: BridgeEnter": _bridge_enter,
        b"Event: BridgeLeave": _bridge_leave,
        b"Event: BridgeDestroy": _bridge_destroy,
        b"Event: BridgeMerge": _bridge_merge,
        b"Event: DialBegin": _dial_begin,
        b"Event: DialEnd": _dial_end,
        b"Event: BlindTransfer": _blind_transfer,
        b"Event: AttendedTransfer": _attended_transfer,
        b"Event: Pickup": _pickup,
    }
)
"""The decoder for each packet, by the packet's first line."""
