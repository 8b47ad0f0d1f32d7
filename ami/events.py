# SPDX-License-Identifier: Apache-2.0
"""AMI packets as typed events, cheaply.

Most of what Asterisk sends (VarSet, RTCP, Newexten) is of no use to the call graph, so `decode`
looks at the event's name in the raw bytes first and leaves the rest untouched. What is wanted is
decoded as UTF-8 in one piece, so no character split by a read is lost, and only the headers of
that event type are looked up.

Header names are those of Asterisk 16 to 22 (checked on 16.28 and 22.10); they come with exactly
one spelling, so lookups are case-sensitive. A header that is missing reads as an empty string.
"""

from collections.abc import Callable

from ami.event_types import (
    AttendedTransfer,
    BlindTransfer,
    BridgeDestroy,
    BridgeEnter,
    BridgeLeave,
    BridgeMerge,
    ConferenceMix,
    DialBegin,
    DialEnd,
    DTMFEnd,
    Event,
    ExtensionSet,
    FullyBooted,
    Hangup,
    LocalBridge,
    MixMonitorMute,
    MixMonitorStart,
    MixMonitorStop,
    NewAccountCode,
    NewCallerid,
    Newchannel,
    NewConnectedLine,
    Newstate,
    Pickup,
    Rename,
    Shutdown,
    UserEvent,
)
from ami.mixes import conference_mix
from ami.packets import BridgeRow, ChannelRow, bridge_row, channel_row, headers, known

__all__ = [
    "EXTENSION_VARIABLE",
    "AttendedTransfer",
    "BlindTransfer",
    "BridgeDestroy",
    "BridgeEnter",
    "BridgeLeave",
    "BridgeMerge",
    "BridgeRow",
    "ChannelRow",
    "ConferenceMix",
    "DTMFEnd",
    "DialBegin",
    "DialEnd",
    "Event",
    "ExtensionSet",
    "FullyBooted",
    "Hangup",
    "LocalBridge",
    "MixMonitorMute",
    "MixMonitorStart",
    "MixMonitorStop",
    "NewAccountCode",
    "NewCallerid",
    "NewConnectedLine",
    "Newchannel",
    "Newstate",
    "Pickup",
    "Rename",
    "Shutdown",
    "UserEvent",
    "bridge_row",
    "channel_row",
    "decode",
    "headers",
]

EXTENSION_VARIABLE = "OFFRECORD_EXTENSION"
"""The channel variable by which a dialplan says whose channel this is."""

_CRLF = "\r\n"


def decode(packet: bytes) -> Event | None:
    """Return the typed event in one AMI packet, or None when nobody here has use for it.

    `packet` is one packet without its closing blank line, its lines parted by CR LF. Never
    raises: what is no event, is cut short or lacks its ids is None.
    """
    decoder = _DECODERS.get(packet.split(b"\r\n", 1)[0])
    return None if decoder is None else decoder(packet)


def _value(text: str, key: str) -> str:
    """Return the value behind `key`, which is a header name with its CR LF and its colon."""
    return text.partition(key)[2].partition(_CRLF)[0]


_CHANNEL = "\r\nChannel: "
_UNIQUEID = "\r\nUniqueid: "
_LINKEDID = "\r\nLinkedid: "
_STATE = "\r\nChannelStateDesc: "
_CALLER_NUMBER = "\r\nCallerIDNum: "
_CALLER_NAME = "\r\nCallerIDName: "
_CONNECTED_NUMBER = "\r\nConnectedLineNum: "
_ACCOUNT = "\r\nAccountCode: "
_CONTEXT = "\r\nContext: "
_EXTEN = "\r\nExten: "
_BRIDGE_ID = "\r\nBridgeUniqueid: "
_RESULT = "\r\nResult: "


def _ids(text: str) -> tuple[str, str, str]:
    """Return channel, uniqueid, linkedid. The last two are neighbours in what Asterisk writes."""
    channel = text.partition(_CHANNEL)[2].partition(_CRLF)[0]
    uniqueid, _, rest = text.partition(_UNIQUEID)[2].partition(_CRLF)
    if rest.startswith("Linkedid: "):
        return channel, uniqueid, rest[10:].partition(_CRLF)[0]
    return channel, uniqueid, _value(text, _LINKEDID)


def _newchannel(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    channel, uniqueid, linkedid = _ids(text)
    if not uniqueid or not channel:
        return None
    return Newchannel(
        channel,
        uniqueid,
        linkedid or uniqueid,
        _value(text, _STATE),
        known(_value(text, _CALLER_NUMBER)),
        known(_value(text, _CALLER_NAME)),
        known(_value(text, _CONNECTED_NUMBER)),
        _value(text, _ACCOUNT),
        _value(text, _CONTEXT),
        _value(text, _EXTEN),
    )


def _newstate(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    channel, uniqueid, linkedid = _ids(text)
    return Newstate(channel, uniqueid, linkedid, _value(text, _STATE)) if uniqueid else None


def _new_connected_line(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    channel, uniqueid, linkedid = _ids(text)
    if not uniqueid:
        return None
    return NewConnectedLine(channel, uniqueid, linkedid, known(_value(text, _CONNECTED_NUMBER)))


def _new_callerid(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    channel, uniqueid, linkedid = _ids(text)
    if not uniqueid:
        return None
    number = known(_value(text, _CALLER_NUMBER))
    return NewCallerid(channel, uniqueid, linkedid, number, known(_value(text, _CALLER_NAME)))


def _new_account_code(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    _, uniqueid, linkedid = _ids(text)
    return NewAccountCode(uniqueid, linkedid, _value(text, _ACCOUNT)) if uniqueid else None


def _rename(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    uniqueid, new_name = _value(text, _UNIQUEID), _value(text, "\r\nNewname: ")
    if not uniqueid or not new_name:
        return None
    return Rename(_value(text, _CHANNEL), new_name, uniqueid)


def _hangup(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    channel, uniqueid, linkedid = _ids(text)
    return Hangup(channel, uniqueid, linkedid, _value(text, "\r\nCause: ")) if uniqueid else None


def _local_bridge(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    event = LocalBridge(
        _value(text, "\r\nLocalOneChannel: "),
        _value(text, "\r\nLocalOneUniqueid: "),
        _value(text, "\r\nLocalOneLinkedid: "),
        _value(text, "\r\nLocalTwoChannel: "),
        _value(text, "\r\nLocalTwoUniqueid: "),
        _value(text, "\r\nLocalTwoLinkedid: "),
    )
    return event if event.one_uniqueid and event.two_uniqueid else None


def _bridge_enter(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    channel, uniqueid, linkedid = _ids(text)
    bridge_id = _value(text, _BRIDGE_ID)
    if not uniqueid or not bridge_id:
        return None
    kind, technology = _value(text, "\r\nBridgeType: "), _value(text, "\r\nBridgeTechnology: ")
    return BridgeEnter(bridge_id, kind, technology, channel, uniqueid, linkedid)


def _bridge_leave(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    channel, uniqueid, linkedid = _ids(text)
    bridge_id = _value(text, _BRIDGE_ID)
    return BridgeLeave(bridge_id, channel, uniqueid, linkedid) if uniqueid and bridge_id else None


def _bridge_destroy(packet: bytes) -> Event | None:
    bridge_id = _value(packet.decode("utf-8", "replace"), _BRIDGE_ID)
    return BridgeDestroy(bridge_id) if bridge_id else None


def _bridge_merge(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    to_bridge = _value(text, "\r\nToBridgeUniqueid: ")
    from_bridge = _value(text, "\r\nFromBridgeUniqueid: ")
    return BridgeMerge(to_bridge, from_bridge) if to_bridge and from_bridge else None


def _dial_begin(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    channel, uniqueid, linkedid = _ids(text)
    dest_channel = _value(text, "\r\nDestChannel: ")
    dest_uniqueid = _value(text, "\r\nDestUniqueid: ")
    if not dest_uniqueid:
        return None
    dest_linkedid = _value(text, "\r\nDestLinkedid: ")
    return DialBegin(channel, uniqueid, linkedid, dest_channel, dest_uniqueid, dest_linkedid)


def _dial_end(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    _, uniqueid, linkedid = _ids(text)
    dest_uniqueid = _value(text, "\r\nDestUniqueid: ")
    if not dest_uniqueid:
        return None
    dest_linkedid, status = _value(text, "\r\nDestLinkedid: "), _value(text, "\r\nDialStatus: ")
    return DialEnd(uniqueid, linkedid, dest_uniqueid, dest_linkedid, status)


def _blind_transfer(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    uniqueid = _value(text, "\r\nTransfererUniqueid: ")
    if not uniqueid:
        return None
    return BlindTransfer(
        _value(text, _RESULT),
        uniqueid,
        _value(text, "\r\nTransfererLinkedid: "),
        _value(text, "\r\nTransfereeUniqueid: "),
        _value(text, "\r\nTransfereeLinkedid: "),
        _value(text, _CONTEXT),
        _value(text, "\r\nExtension: "),
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
    named = ((_value(text, uid), _value(text, linked)) for uid, linked in _PARTIES)
    parties = tuple(pair for pair in named if pair[0])
    return AttendedTransfer(_value(text, _RESULT), parties) if parties else None


def _pickup(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    _, uniqueid, linkedid = _ids(text)
    target = _value(text, "\r\nTargetUniqueid: ")
    if not uniqueid or not target:
        return None
    return Pickup(uniqueid, linkedid, target, _value(text, "\r\nTargetLinkedid: "))


def _mixmonitor_start(packet: bytes) -> Event | None:
    channel, uniqueid, linkedid = _ids(packet.decode("utf-8", "replace"))
    return MixMonitorStart(channel, uniqueid, linkedid) if uniqueid else None


def _mixmonitor_stop(packet: bytes) -> Event | None:
    channel, uniqueid, linkedid = _ids(packet.decode("utf-8", "replace"))
    return MixMonitorStop(channel, uniqueid, linkedid) if uniqueid else None


def _mixmonitor_mute(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    channel, uniqueid, linkedid = _ids(text)
    if not uniqueid:
        return None
    direction, state = _value(text, "\r\nDirection: "), _value(text, "\r\nState: ")
    return MixMonitorMute(channel, uniqueid, linkedid, direction.lower(), state not in {"0", ""})


def _dtmf_end(packet: bytes) -> Event | None:
    if b"\r\nDirection: Received" not in packet:
        return None  # what the PBX sends to a phone was pressed by nobody
    text = packet.decode("utf-8", "replace")
    channel, uniqueid, linkedid = _ids(text)
    digit = _value(text, "\r\nDigit: ")
    return DTMFEnd(channel, uniqueid, linkedid, digit) if uniqueid and digit else None


_SNAPSHOT_HEADERS = frozenset(
    {
        *("Event", "Privilege", "UserEvent", "SequenceNumber", "Timestamp", "SystemName", "File"),
        *("Line", "Func", "ActionID", "Channel", "ChannelState", "ChannelStateDesc"),
        *("CallerIDNum", "CallerIDName", "ConnectedLineNum", "ConnectedLineName", "Language"),
        *("AccountCode", "Context", "Exten", "Priority", "Uniqueid", "Linkedid"),
    }
)


def _user_event(packet: bytes) -> Event | None:
    pairs = headers(packet)
    # Of a repeated header the first wins: what an author adds cannot pose as what Asterisk says.
    named = dict(reversed(pairs))
    name = named.get("UserEvent", "")
    if not name:
        return None
    own = {key: value for key, value in pairs if key not in _SNAPSHOT_HEADERS}
    get = named.get
    return UserEvent(name, get("Channel", ""), get("Uniqueid", ""), get("Linkedid", ""), own)


_VARIABLE_WANTED = f"\r\nVariable: {EXTENSION_VARIABLE}\r\n".encode()


def _varset(packet: bytes) -> Event | None:
    if _VARIABLE_WANTED not in packet:
        return None
    text = packet.decode("utf-8", "replace")
    uniqueid = _value(text, _UNIQUEID)
    return ExtensionSet(uniqueid, _value(text, "\r\nValue: ").strip()) if uniqueid else None


def _fully_booted(packet: bytes) -> Event | None:
    return FullyBooted(_value(packet.decode("utf-8", "replace"), "\r\nStatus: "))


def _shutdown(packet: bytes) -> Event | None:
    return Shutdown(b"\r\nRestart: True" in packet)


_DECODERS: dict[bytes, Callable[[bytes], Event | None]] = {
    b"Event: Newchannel": _newchannel,
    b"Event: Newstate": _newstate,
    b"Event: NewConnectedLine": _new_connected_line,
    b"Event: NewCallerid": _new_callerid,
    b"Event: NewAccountCode": _new_account_code,
    b"Event: Rename": _rename,
    b"Event: Hangup": _hangup,
    b"Event: LocalBridge": _local_bridge,
    b"Event: BridgeEnter": _bridge_enter,
    b"Event: BridgeLeave": _bridge_leave,
    b"Event: BridgeDestroy": _bridge_destroy,
    b"Event: ConfbridgeStart": conference_mix,
    b"Event: ConfbridgeRecord": conference_mix,
    b"Event: ConfbridgeStopRecord": conference_mix,
    b"Event: BridgeMerge": _bridge_merge,
    b"Event: DialBegin": _dial_begin,
    b"Event: DialEnd": _dial_end,
    b"Event: BlindTransfer": _blind_transfer,
    b"Event: AttendedTransfer": _attended_transfer,
    b"Event: Pickup": _pickup,
    b"Event: MixMonitorStart": _mixmonitor_start,
    b"Event: MixMonitorStop": _mixmonitor_stop,
    b"Event: MixMonitorMute": _mixmonitor_mute,
    b"Event: DTMFEnd": _dtmf_end,
    b"Event: UserEvent": _user_event,
    b"Event: VarSet": _varset,
    b"Event: FullyBooted": _fully_booted,
    b"Event: Shutdown": _shutdown,
}
