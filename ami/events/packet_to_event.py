# SPDX-License-Identifier: Apache-2.0
"""Decodes the headers of an AMI packet to a typed event: which header becomes which field.

Second of two steps; the first, bytes to headers, is `ami.events.headers`. The events about bridges,
dialling and transfers are in `parties`, those about conferences in `conferences`, those about what
records or listens to a channel in `recordings`.

Most of what Asterisk sends (VarSet, RTCP, Newexten) is of no use to the call graph. `decode` looks
at the event's name in the raw bytes first and decodes only wanted packets: as UTF-8, in one piece,
because a read may end inside a character. Only the headers of that event type are looked up.

Header names are those of Asterisk 16 to 22 (checked on 16.28 and 22.10). They have exactly one
spelling, and lookups are case-sensitive. A header that is missing is an empty string.
"""

from collections.abc import Callable

from ami.events import parties, recordings
from ami.events.conferences import conference_mix
from ami.events.headers import CHANNEL, CONTEXT, UNIQUEID, headers, ids, known, value
from ami.events.types import (
    DTMFEnd,
    Event,
    ExtensionSet,
    FullyBooted,
    Hangup,
    NewAccountCode,
    NewCallerid,
    Newchannel,
    NewConnectedLine,
    Newstate,
    OriginateResponse,
    Rename,
    Shutdown,
    UserEvent,
)

EXTENSION_VARIABLE = "OFFRECORD_EXTENSION"
"""The channel variable by which a dialplan says whose channel this is."""


def decode(packet: bytes) -> Event | None:
    """Return the typed event in one AMI packet, or None for one that is not used here.

    `packet`: one packet without its closing blank line, its lines separated by CR LF. Never
    raises: a packet that is no event, is cut short or lacks its ids gives None.
    """
    decoder = _DECODERS.get(packet.split(b"\r\n", 1)[0])
    return None if decoder is None else decoder(packet)


_STATE = "\r\nChannelStateDesc: "
_CALLER_NUMBER = "\r\nCallerIDNum: "
_CALLER_NAME = "\r\nCallerIDName: "
_CONNECTED_NUMBER = "\r\nConnectedLineNum: "
_ACCOUNT = "\r\nAccountCode: "
_EXTEN = "\r\nExten: "


def _newchannel(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    channel, uniqueid, linkedid = ids(text)
    if not uniqueid or not channel:
        return None
    return Newchannel(
        channel,
        uniqueid,
        linkedid or uniqueid,
        value(text, _STATE),
        known(value(text, _CALLER_NUMBER)),
        known(value(text, _CALLER_NAME)),
        known(value(text, _CONNECTED_NUMBER)),
        value(text, _ACCOUNT),
        value(text, CONTEXT),
        value(text, _EXTEN),
    )


def _newstate(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    channel, uniqueid, linkedid = ids(text)
    return Newstate(channel, uniqueid, linkedid, value(text, _STATE)) if uniqueid else None


def _new_connected_line(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    channel, uniqueid, linkedid = ids(text)
    if not uniqueid:
        return None
    return NewConnectedLine(channel, uniqueid, linkedid, known(value(text, _CONNECTED_NUMBER)))


def _new_callerid(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    channel, uniqueid, linkedid = ids(text)
    if not uniqueid:
        return None
    number = known(value(text, _CALLER_NUMBER))
    return NewCallerid(channel, uniqueid, linkedid, number, known(value(text, _CALLER_NAME)))


def _new_account_code(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    _, uniqueid, linkedid = ids(text)
    return NewAccountCode(uniqueid, linkedid, value(text, _ACCOUNT)) if uniqueid else None


def _rename(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    uniqueid, new_name = value(text, UNIQUEID), value(text, "\r\nNewname: ")
    if not uniqueid or not new_name:
        return None
    return Rename(value(text, CHANNEL), new_name, uniqueid)


def _hangup(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    channel, uniqueid, linkedid = ids(text)
    return Hangup(channel, uniqueid, linkedid, value(text, "\r\nCause: ")) if uniqueid else None


def _dtmf_end(packet: bytes) -> Event | None:
    if b"\r\nDirection: Received" not in packet:
        return None  # what the PBX sends to a phone was pressed by nobody
    text = packet.decode("utf-8", "replace")
    channel, uniqueid, linkedid = ids(text)
    digit = value(text, "\r\nDigit: ")
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
    uniqueid = value(text, UNIQUEID)
    return ExtensionSet(uniqueid, value(text, "\r\nValue: ").strip()) if uniqueid else None


def _fully_booted(packet: bytes) -> Event | None:
    return FullyBooted(value(packet.decode("utf-8", "replace"), "\r\nStatus: "))


def _originate_response(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    context, exten = value(text, CONTEXT), value(text, _EXTEN)
    answered = b"\r\nResponse: Success" in packet
    return OriginateResponse(context, exten, answered) if context else None


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
    b"Event: ConfbridgeStart": conference_mix,
    b"Event: ConfbridgeRecord": conference_mix,
    b"Event: ConfbridgeStopRecord": conference_mix,
    b"Event: DTMFEnd": _dtmf_end,
    b"Event: UserEvent": _user_event,
    b"Event: VarSet": _varset,
    b"Event: FullyBooted": _fully_booted,
    b"Event: OriginateResponse": _originate_response,
    b"Event: Shutdown": _shutdown,
    **parties.DECODERS,
    **recordings.DECODERS,
}
