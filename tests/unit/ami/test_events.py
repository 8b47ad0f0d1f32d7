# SPDX-License-Identifier: Apache-2.0
"""Packets as Asterisk writes them, and the typed events they become."""

import pytest

from ami.events.headers import BridgeRow, ChannelRow, bridge_row, channel_row, headers
from ami.events.packet_to_event import EXTENSION_VARIABLE, decode
from ami.events.types import (
    AttendedTransfer,
    BlindTransfer,
    BridgeDestroy,
    BridgeEnter,
    BridgeLeave,
    BridgeMerge,
    ChanSpyStart,
    ChanSpyStop,
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
    MonitorStart,
    MonitorStop,
    NewAccountCode,
    NewCallerid,
    Newchannel,
    NewConnectedLine,
    Newstate,
    OriginateResponse,
    Pickup,
    PresenceStateChange,
    Rename,
    Shutdown,
    UserEvent,
)


def snapshot(prefix: str = "", *, name: str, uniqueid: str, linkedid: str) -> list[str]:
    """Return the headers with which Asterisk describes a channel in any event."""
    return [
        f"{prefix}Channel: {name}",
        f"{prefix}ChannelState: 6",
        f"{prefix}ChannelStateDesc: Up",
        f"{prefix}CallerIDNum: 410",
        f"{prefix}CallerIDName: Zoë Ånd",
        f"{prefix}ConnectedLineNum: <unknown>",
        f"{prefix}ConnectedLineName: <unknown>",
        f"{prefix}Language: en",
        f"{prefix}AccountCode: acme",
        f"{prefix}Context: phones",
        f"{prefix}Exten: 411",
        f"{prefix}Priority: 2",
        f"{prefix}Uniqueid: {uniqueid}",
        f"{prefix}Linkedid: {linkedid}",
    ]


def packet(event: str, *lines: str) -> bytes:
    return "\r\n".join([f"Event: {event}", "Privilege: call,all", *lines]).encode()


ONE = snapshot(name="SIP/410-1", uniqueid="7.1", linkedid="7.0")
IDS = ("SIP/410-1", "7.1", "7.0")
SPYING = [
    *snapshot("Spyer", name="SIP/490-3", uniqueid="8.1", linkedid="8.1"),
    *snapshot("Spyee", name="SIP/410-1", uniqueid="7.1", linkedid="7.0"),
]
BRIDGE = [
    "BridgeUniqueid: b-1",
    "BridgeType: basic",
    "BridgeTechnology: simple_bridge",
    "BridgeCreator: <unknown>",
    "BridgeName: <unknown>",
    "BridgeNumChannels: 2",
]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (
            packet("Newchannel", *ONE),
            Newchannel(*IDS, "Up", "410", "Zoë Ånd", "", "acme", "phones", "411"),
        ),
        (packet("Newstate", *ONE), Newstate(*IDS, "Up")),
        (packet("NewConnectedLine", *ONE), NewConnectedLine(*IDS, "")),
        (packet("NewCallerid", *ONE), NewCallerid(*IDS, "410", "Zoë Ånd")),
        (packet("NewAccountCode", *ONE, "OldAccountCode: x"), NewAccountCode("7.1", "7.0", "acme")),
        (
            packet("Rename", "Channel: SIP/a-1", "Newname: SIP/b-1", "Uniqueid: 7.1"),
            Rename("SIP/a-1", "SIP/b-1", "7.1"),
        ),
        (
            packet("Hangup", *ONE, "Cause: 16", "Cause-txt: Normal Clearing"),
            Hangup(*IDS, "16"),
        ),
        (
            packet(
                "LocalBridge",
                *snapshot("LocalOne", name="Local/1@x-0;1", uniqueid="7.2", linkedid="7.0"),
                *snapshot("LocalTwo", name="Local/1@x-0;2", uniqueid="7.3", linkedid="7.0"),
                "LocalOptimization: No",
            ),
            LocalBridge("Local/1@x-0;1", "7.2", "7.0", "Local/1@x-0;2", "7.3", "7.0"),
        ),
        (
            packet("BridgeEnter", *BRIDGE, *ONE),
            BridgeEnter("b-1", "basic", "simple_bridge", *IDS),
        ),
        (packet("BridgeLeave", *BRIDGE, *ONE), BridgeLeave("b-1", *IDS)),
        (packet("BridgeDestroy", *BRIDGE), BridgeDestroy("b-1")),
        (
            packet("BridgeMerge", *(f"To{x}" for x in BRIDGE), "FromBridgeUniqueid: b-2"),
            BridgeMerge("b-1", "b-2"),
        ),
        (
            packet(
                "DialBegin",
                *ONE,
                *snapshot("Dest", name="SIP/411-2", uniqueid="7.2", linkedid="7.0"),
                "DialString: 411",
            ),
            DialBegin(*IDS, "SIP/411-2", "7.2", "7.0"),
        ),
        (
            packet("DialBegin", *snapshot("Dest", name="SIP/411-2", uniqueid="7.2", linkedid="7")),
            DialBegin("", "", "", "SIP/411-2", "7.2", "7"),
        ),
        (
            packet(
                "DialEnd",
                *ONE,
                *snapshot("Dest", name="SIP/411-2", uniqueid="7.2", linkedid="7.0"),
                "DialStatus: ANSWER",
            ),
            DialEnd("7.1", "7.0", "7.2", "7.0", "ANSWER"),
        ),
        (
            packet(
                "BlindTransfer",
                "Result: Success",
                *snapshot("Transferer", name="SIP/410-1", uniqueid="7.1", linkedid="7.0"),
                *snapshot("Transferee", name="SIP/411-2", uniqueid="7.2", linkedid="7.0"),
                "IsExternal: No",
                "Context: phones",
                "Extension: 412",
            ),
            BlindTransfer("Success", "7.1", "7.0", "7.2", "7.0", "phones", "412"),
        ),
        (
            packet(
                "AttendedTransfer",
                "Result: Success",
                *snapshot("OrigTransferer", name="SIP/410-1", uniqueid="7.1", linkedid="7.0"),
                *snapshot("SecondTransferer", name="SIP/410-3", uniqueid="8.1", linkedid="8.1"),
                *snapshot("TransferTarget", name="SIP/412-4", uniqueid="8.2", linkedid="8.1"),
                "DestType: Bridge",
            ),
            AttendedTransfer("Success", (("7.1", "7.0"), ("8.1", "8.1"), ("8.2", "8.1"))),
        ),
        (
            packet(
                "Pickup",
                *ONE,
                *snapshot("Target", name="SIP/411-2", uniqueid="7.2", linkedid="7.9"),
            ),
            Pickup("7.1", "7.0", "7.2", "7.9"),
        ),
        (packet("MixMonitorStart", *ONE), MixMonitorStart(*IDS)),
        (packet("MixMonitorStop", *ONE), MixMonitorStop(*IDS)),
        (
            packet("MixMonitorMute", *ONE, "Direction: both", "State: 1"),
            MixMonitorMute(*IDS, "both", muted=True),
        ),
        (
            packet("MixMonitorMute", *ONE, "Direction: read", "State: 0"),
            MixMonitorMute(*IDS, "read", muted=False),
        ),
        (packet("MonitorStart", *ONE), MonitorStart(*IDS)),
        (packet("MonitorStop", *ONE), MonitorStop(*IDS)),
        (packet("ChanSpyStart", *SPYING), ChanSpyStart("SIP/490-3", "8.1", "8.1", *IDS)),
        (packet("ChanSpyStop", *SPYING), ChanSpyStop("SIP/490-3", "8.1", "8.1", *IDS)),
        (
            packet(
                "PresenceStateChange",
                "Presentity: CustomPresence:offrecord",
                "Status: not_set",
                "Subtype: 7f3a",
                "Message: ",
            ),
            PresenceStateChange("CustomPresence:offrecord", "not_set", "7f3a", ""),
        ),
        (
            packet("DTMFEnd", *ONE, "Digit: *", "DurationMs: 120", "Direction: Received"),
            DTMFEnd(*IDS, "*"),
        ),
        (
            packet("UserEvent", "UserEvent: offrecord", *ONE, "Verb: stop", "Agent: Zoë"),
            UserEvent("offrecord", *IDS, {"Verb": "stop", "Agent": "Zoë"}),
        ),
        (
            packet("UserEvent", "UserEvent: other", "Key: a: b"),
            UserEvent("other", "", "", "", {"Key": "a: b"}),
        ),
        (
            packet("VarSet", *ONE, f"Variable: {EXTENSION_VARIABLE}", "Value: 411"),
            ExtensionSet("7.1", "411"),
        ),
        (
            packet("OriginateResponse", "Response: Failure", "Context: lobby", "Exten: play"),
            OriginateResponse("lobby", "play", answered=False),
        ),
        (
            packet("OriginateResponse", "Response: Success", "Context: lobby", "Exten: play"),
            OriginateResponse("lobby", "play", answered=True),
        ),
        (packet("FullyBooted", "Uptime: 3", "Status: Fully Booted"), FullyBooted("Fully Booted")),
        (packet("Shutdown", "Shutdown: Cleanly", "Restart: True"), Shutdown(restart=True)),
        (packet("Shutdown", "Shutdown: Uncleanly", "Restart: False"), Shutdown(restart=False)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, tuple) else "",
)
def test_each_event_is_decoded_to_its_type(raw: bytes, expected: Event) -> None:
    found = decode(raw)
    assert type(found) is type(expected)
    assert found == expected


@pytest.mark.parametrize(
    "raw",
    [
        packet("Newexten", *ONE, "Application: Dial"),
        packet("RTCPSent", *ONE),
        packet("VarSet", *ONE, "Variable: SIPCALLID", "Value: x"),
        packet("VarSet", *ONE, f"Variable: __{EXTENSION_VARIABLE}", "Value: 410"),
        packet("DTMFEnd", *ONE, "Digit: 1", "Direction: Sent"),
        packet("CoreShowChannel", *ONE),
        b"Response: Success\r\nEvent: Hangup\r\nUniqueid: 1.1",
        b"event: Hangup\r\nUniqueid: 1.1",
        b"Event: Hangup",
        b"Event: ",
        b"",
    ],
)
def test_what_nobody_here_uses_is_none(raw: bytes) -> None:
    assert decode(raw) is None


@pytest.mark.parametrize(
    "name",
    [
        *("Newchannel", "Newstate", "NewConnectedLine", "NewCallerid", "NewAccountCode", "Rename"),
        *("Hangup", "LocalBridge", "BridgeEnter", "BridgeLeave", "BridgeDestroy", "BridgeMerge"),
        *("DialBegin", "DialEnd", "BlindTransfer", "AttendedTransfer", "Pickup", "DTMFEnd"),
        *("MixMonitorStart", "MixMonitorStop", "MixMonitorMute", "UserEvent", "VarSet"),
        "OriginateResponse",
    ],
)
def test_an_event_without_its_ids_is_none(name: str) -> None:
    assert (
        decode(packet(name, "Direction: Received", f"Variable: {EXTENSION_VARIABLE}", "")) is None
    )


def test_a_character_outside_ascii_survives_and_broken_bytes_become_a_mark() -> None:
    raw = packet("NewCallerid", *ONE).replace("Ånd".encode(), b"\xc5\x8a\xff\xe2\x82")
    found = decode(raw)
    assert isinstance(found, NewCallerid)
    assert found.caller_name == "Zoë Ŋ\ufffd\ufffd"


def test_a_header_name_inside_a_value_is_not_taken_for_the_header() -> None:
    raw = packet("Hangup", "CallerIDName: Uniqueid: 9.9", *ONE, "Cause: 16")
    assert decode(raw) == Hangup(*IDS, "16")


def test_a_bridge_event_keeps_bridge_and_channel_ids_apart() -> None:
    found = decode(packet("BridgeLeave", *BRIDGE, *ONE))
    assert isinstance(found, BridgeLeave)
    assert (found.bridge_id, found.uniqueid) == ("b-1", "7.1")


def test_a_user_event_cannot_pose_as_another_channel() -> None:
    raw = packet("UserEvent", "UserEvent: offrecord", *ONE, "Uniqueid: 6.6", "UserEvent: x")
    found = decode(raw)
    assert isinstance(found, UserEvent)
    assert (found.name, found.uniqueid) == ("offrecord", "7.1")


def test_the_repr_of_a_digit_and_of_user_fields_keeps_the_values_back() -> None:
    digit = decode(packet("DTMFEnd", *ONE, "Digit: 7", "Direction: Received"))
    assert repr(digit) == "DTMFEnd(channel='SIP/410-1', uniqueid='7.1', digit=hidden)"
    told = decode(packet("UserEvent", "UserEvent: paid", *ONE, "Card: 4111111111111111"))
    assert "Card" in repr(told)
    assert "4111" not in repr(told)


def test_headers_keep_order_repeats_empty_values_and_odd_lines() -> None:
    raw = b"Output: a\r\nOutput: b: c\r\nExten: \r\nContext:\r\nodd line\r\nName:x"
    assert headers(raw) == [
        ("Output", "a"),
        ("Output", "b: c"),
        ("Exten", ""),
        ("Context", ""),
        ("odd line", ""),
        ("Name", "x"),
    ]


def test_a_listing_row_is_built_from_headers_in_either_form() -> None:
    raw = packet("CoreShowChannel", *ONE, "Application: Dial", "BridgeId: b-1")
    expected = ChannelRow(*IDS, "Up", "410", "Zoë Ånd", "", "acme", "phones", "411", "Dial", "b-1")
    assert channel_row(headers(raw)) == expected
    assert channel_row(dict(headers(raw))) == expected


def test_a_row_without_linkedid_is_its_own_call_and_one_without_ids_is_none() -> None:
    row = channel_row({"Channel": "SIP/410-1", "Uniqueid": "7.1"})
    assert row is not None
    assert row.linkedid == "7.1"
    assert channel_row({"Channel": "SIP/410-1"}) is None
    assert channel_row({"Uniqueid": "7.1"}) is None


def test_a_bridge_row_tells_what_made_the_bridge() -> None:
    raw = packet("BridgeListItem", *BRIDGE)
    assert bridge_row(headers(raw)) == BridgeRow("b-1", "basic", "simple_bridge")
    assert bridge_row({}) is None
