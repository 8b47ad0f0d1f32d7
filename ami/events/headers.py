# SPDX-License-Identifier: Apache-2.0
"""AMI packets as plain headers, a cheap look at single ones, and rows of a channel listing."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

CHANNEL: Final = "\r\nChannel: "
UNIQUEID: Final = "\r\nUniqueid: "
LINKEDID: Final = "\r\nLinkedid: "
CONTEXT: Final = "\r\nContext: "
_CRLF: Final = "\r\n"


class ChannelRow(NamedTuple):
    """One live channel as a CoreShowChannels listing tells it. `bridge_id` is empty outside."""

    channel: str
    uniqueid: str
    linkedid: str
    state: str
    caller_number: str
    caller_name: str
    connected_number: str
    account: str
    context: str
    exten: str
    application: str
    bridge_id: str


class BridgeRow(NamedTuple):
    """One bridge as a BridgeList listing tells it: what made it and how it mixes."""

    bridge_id: str
    bridge_type: str
    technology: str


def headers(packet: bytes) -> list[tuple[str, str]]:
    """Return every header of a packet in order, repeated ones kept.

    Bytes that are no UTF-8 become U+FFFD. A line without a colon is kept as a name with an
    empty value, so that nothing vanishes.
    """
    found = []
    for line in packet.decode("utf-8", "replace").split("\r\n"):
        if line:
            name, _, value = line.partition(":")
            found.append((name, value.removeprefix(" ")))
    return found


def channel_row(fields: Mapping[str, str] | Iterable[tuple[str, str]]) -> ChannelRow | None:
    """Return the row in the headers of a CoreShowChannel event, or None if it names no channel."""
    row = dict(fields)
    get = row.get
    if not get("Channel") or not get("Uniqueid"):
        return None
    return ChannelRow(
        channel=row["Channel"],
        uniqueid=row["Uniqueid"],
        linkedid=get("Linkedid") or row["Uniqueid"],
        state=get("ChannelStateDesc", ""),
        caller_number=known(get("CallerIDNum", "")),
        caller_name=known(get("CallerIDName", "")),
        connected_number=known(get("ConnectedLineNum", "")),
        account=get("AccountCode", ""),
        context=get("Context", ""),
        exten=get("Exten", ""),
        application=get("Application", ""),
        bridge_id=get("BridgeId", ""),
    )


def bridge_row(fields: Mapping[str, str] | Iterable[tuple[str, str]]) -> BridgeRow | None:
    """Return the row in the headers of a BridgeListItem event, or None if it names no bridge."""
    get = dict(fields).get
    bridge_id = get("BridgeUniqueid", "")
    if not bridge_id:
        return None
    return BridgeRow(bridge_id, get("BridgeType", ""), get("BridgeTechnology", ""))


def known(value: str) -> str:
    """Asterisk writes `<unknown>` for a number or name it does not have."""
    return "" if value == "<unknown>" else value


def value(text: str, key: str) -> str:
    """Return the value behind `key`, which is a header name with its CR LF and its colon."""
    return text.partition(key)[2].partition(_CRLF)[0]


def ids(text: str) -> tuple[str, str, str]:
    """Return channel, uniqueid, linkedid. The last two are neighbours in what Asterisk writes."""
    channel = text.partition(CHANNEL)[2].partition(_CRLF)[0]
    uniqueid, _, rest = text.partition(UNIQUEID)[2].partition(_CRLF)
    if rest.startswith("Linkedid: "):
        return channel, uniqueid, rest[10:].partition(_CRLF)[0]
    return channel, uniqueid, value(text, LINKEDID)
