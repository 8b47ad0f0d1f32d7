# SPDX-License-Identifier: Apache-2.0
"""Decodes the bytes of an AMI packet to headers, and the rows of listings. First of two steps.

A header that is split, cut or converted wrongly is wrong here. Which header becomes which field of
an event is in `ami.events.packet_to_event`.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

CHANNEL: Final = "\r\nChannel: "
UNIQUEID: Final = "\r\nUniqueid: "
LINKEDID: Final = "\r\nLinkedid: "
CONTEXT: Final = "\r\nContext: "
_CRLF: Final = "\r\n"


class ChannelRow(NamedTuple):
    """One live channel of a CoreShowChannels listing. `bridge_id` is empty outside of a bridge.

    `application_data`: the arguments that the dialplan gave the application.
    """

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
    application_data: str = ""


class BridgeRow(NamedTuple):
    """One bridge of a BridgeList listing: what made it and how it mixes."""

    bridge_id: str
    bridge_type: str
    technology: str


def headers(packet: bytes) -> list[tuple[str, str]]:
    """Return every header of a packet in order, repeated ones included.

    Bytes that are not UTF-8 become U+FFFD. A line without a colon is returned as a name with an
    empty value.
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
        application_data=get("ApplicationData", ""),
    )


def bridge_row(fields: Mapping[str, str] | Iterable[tuple[str, str]]) -> BridgeRow | None:
    """Return the row in the headers of a BridgeListItem event, or None if it names no bridge."""
    get = dict(fields).get
    bridge_id = get("BridgeUniqueid", "")
    if not bridge_id:
        return None
    return BridgeRow(bridge_id, get("BridgeType", ""), get("BridgeTechnology", ""))


def known(value: str) -> str:
    """Return the value, empty for the `<unknown>` that Asterisk writes for a missing number."""
    return "" if value == "<unknown>" else value


def value(text: str, key: str) -> str:
    r"""Return the value of one header. `key` is its name with CR LF before and `: ` after it."""
    return text.partition(key)[2].partition(_CRLF)[0]


def ids(text: str) -> tuple[str, str, str]:
    """Return channel, uniqueid and linkedid of a packet. Asterisk writes the last two together."""
    channel = text.partition(CHANNEL)[2].partition(_CRLF)[0]
    uniqueid, _, rest = text.partition(UNIQUEID)[2].partition(_CRLF)
    if rest.startswith("Linkedid: "):
        return channel, uniqueid, rest[10:].partition(_CRLF)[0]
    return channel, uniqueid, value(text, LINKEDID)
