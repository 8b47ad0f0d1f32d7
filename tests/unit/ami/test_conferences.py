# SPDX-License-Identifier: Apache-2.0
"""The recording of a conference as a whole: when it is known of."""

import pytest

from ami.events.packet_to_event import decode
from ami.events.types import BridgeDestroy, ConferenceMix
from tests.kits.call_kit import channel, enter, graph, new

TWO_MEET = (
    new("1.1", "SIP/410-1"),
    new("2.1", "SIP/411-2"),
    enter("c", "1.1", "1.1", "base"),
    enter("c", "2.1", "2.1", "base"),
)
RECORDED, BEGUN = ConferenceMix("c", "7001", recorded=True), ConferenceMix("c", "7001", None)


@pytest.mark.parametrize(
    ("name", "recorded"),
    [("ConfbridgeStart", None), ("ConfbridgeRecord", True), ("ConfbridgeStopRecord", False)],
)
def test_the_events_of_a_conference_are_decoded(name: str, recorded: bool | None) -> None:
    packet = f"Event: {name}\r\nPrivilege: call,all\r\nConference: 7001\r\nBridgeUniqueid: c"
    assert decode(packet.encode()) == ConferenceMix("c", "7001", recorded)
    assert decode(f"Event: {name}\r\nConference: 7001".encode()) is None


@pytest.mark.parametrize(
    ("told", "mix"),
    [
        ((RECORDED, BEGUN), "7001"),
        ((BEGUN,), ""),
        ((RECORDED, BEGUN, ConferenceMix("c", "7001", recorded=False)), ""),
        ((), None),
    ],
)
def test_who_is_in_a_conference_knows_whether_its_mix_is_recorded(
    told: tuple[ConferenceMix, ...], mix: str | None
) -> None:
    # The news comes before anybody is in the bridge, and later to those who are.
    for events in ((*told, *TWO_MEET), (*TWO_MEET, *told)):
        made = graph(*events)
        assert channel(made, "1.1").mix == mix
        made.apply(enter("b", "1.1", "1.1"))
        assert channel(made, "1.1").mix == ""


def test_a_conference_that_is_gone_tells_nothing_of_the_next_one() -> None:
    made = graph(RECORDED, BEGUN, *TWO_MEET, BridgeDestroy("c"))
    made.apply(enter("c", "1.1", "1.1", "base"))
    assert channel(made, "1.1").mix is None


def test_a_mix_that_the_pbx_says_is_stopped_is_known_to_be() -> None:
    made = graph(RECORDED, BEGUN, *TWO_MEET)
    made.set_mix_stopped("7001")
    assert channel(made, "1.1").mix == ""
    made.apply(RECORDED)
    assert channel(made, "1.1").mix == "7001"
