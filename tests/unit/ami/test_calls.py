# SPDX-License-Identifier: Apache-2.0
"""The call graph: which channels are one call, and for how long."""

import pytest

from ami.calls.joined_calls import LINKEDIDS_KEPT
from ami.calls.snapshots import Channel
from ami.events.types import (
    AttendedTransfer,
    BridgeDestroy,
    BridgeMerge,
    DialBegin,
    DialEnd,
    LocalBridge,
    NewAccountCode,
    NewCallerid,
    Newchannel,
    NewConnectedLine,
    Newstate,
)
from tests.kits.call_kit import TWO_PHONES, channel, enter, graph, hangup, ids, leave, new


def test_a_dialled_call_is_both_channels_oldest_first() -> None:
    call = graph(*TWO_PHONES).call_of("1.2")
    assert call is not None
    assert ids(call) == ["1.1", "1.2"]
    assert call.linkedid == "1.1"
    assert call.lineage == {"1.1"}
    assert call.extensions == ("410", "411")
    assert call.channel("1.2") == call.channels[1]
    assert call.channel("9.9") is None


def test_a_channel_tells_what_its_events_told() -> None:
    made = graph(
        Newchannel(
            "PJSIP/410-00000001", "1.1", "1.1", "Ring", "410", "Zoë", "9", "acme", "in", "411"
        ),
        Newstate("PJSIP/410-00000001", "1.1", "1.1", "Up"),
        NewConnectedLine("PJSIP/410-00000001", "1.1", "1.1", "411"),
        NewCallerid("PJSIP/410-00000001", "1.1", "1.1", "4100", "Zoe"),
        NewAccountCode("1.1", "1.1", "other"),
        enter("b", "1.1"),
    )
    assert channel(made, "1.1") == Channel(
        name="PJSIP/410-00000001",
        uniqueid="1.1",
        linkedid="1.1",
        technology="PJSIP",
        endpoint="410",
        extension="410",
        local_peer=None,
        state="Up",
        context="in",
        exten="411",
        caller_number="4100",
        caller_name="Zoe",
        connected_number="411",
        account="other",
        application="",
        bridge_id="b",
        monitors=0,
        muted=False,
    )


def test_exten_is_what_was_dialled_and_not_who_the_channel_is() -> None:
    made = graph(new("1.1", "SIP/my-trunk-1", exten="411"))
    assert channel(made, "1.1").extension is None
    assert channel(made, "1.1").exten == "411"
    assert made.find("411") == []


def test_a_hang_up_takes_the_channel_out_and_the_last_one_ends_the_call() -> None:
    made = graph(*TWO_PHONES, hangup("1.1"))
    assert ids(made.call_of("1.2")) == ["1.2"]
    assert made.find("1.1") == made.calls(), "the linkedid still finds what is left"
    made.apply(hangup("1.2"))
    assert made.calls() == []
    assert made.find("1.1") == []
    assert made.live_on("411") == []
    assert made.size == 0


def test_the_halves_of_a_local_channel_tie_two_bridges_into_one_call() -> None:
    made = graph(
        new("1.1", "SIP/410-1"),
        new("1.2", "Local/411@inner-0;1", "1.2"),
        new("1.3", "Local/411@inner-0;2", "1.3"),
        LocalBridge("Local/411@inner-0;1", "1.2", "1.2", "Local/411@inner-0;2", "1.3", "1.3"),
        new("1.4", "SIP/411-4", "1.3"),
        enter("b", "1.1"),
        enter("b", "1.2"),
        enter("c", "1.3"),
        enter("c", "1.4"),
    )
    call = made.call_of("1.4")
    assert ids(call) == ["1.1", "1.2", "1.3", "1.4"]
    assert channel(made, "1.2").local_peer == "1.3"
    assert channel(made, "1.3").local_peer == "1.2"
    assert call is not None
    assert call.extensions == ("410", "411")
    made.apply(hangup("1.3"))
    assert channel(made, "1.2").local_peer is None


def test_local_halves_are_tied_by_their_event_whatever_their_names_are() -> None:
    made = graph(
        new("1.2", "Local/1@x-0;1"),
        new("1.3", "Local/1@x-7;2"),
        LocalBridge("Local/1@x-0;1", "1.2", "1.2", "Local/1@x-7;2", "1.3", "1.3"),
    )
    assert ids(made.call_of("1.2")) == ["1.2", "1.3"]
    assert channel(made, "1.2").local_peer == "1.3"


def test_halves_are_tied_by_name_when_their_event_was_missed() -> None:
    made = graph(new("1.2", "Local/1@x-0;1"), new("1.3", "Local/1@x-0;2"))
    assert ids(made.call_of("1.3")) == ["1.2", "1.3"]
    assert channel(made, "1.3").local_peer == "1.2"


def test_a_dial_ties_channels_of_two_linkedids() -> None:
    made = graph(
        new("1.1", "SIP/410-1"),
        new("1.2", "SIP/411-2"),
        DialBegin("SIP/410-1", "1.1", "1.1", "SIP/411-2", "1.2", "1.2"),
    )
    assert ids(made.call_of("1.1")) == ["1.1", "1.2"]


def test_two_calls_that_meet_in_a_bridge_are_one_and_both_linkedids_find_it() -> None:
    made = graph(
        new("1.1", "SIP/410-1"), new("2.1", "SIP/412-3"), enter("b", "1.1"), enter("b", "2.1")
    )
    call = made.call_of("2.1")
    assert call is not None
    assert call.lineage == {"1.1", "2.1"}
    assert made.find("2.1") == made.find("1.1") == [call]
    made.apply(leave("b", "2.1"))
    assert made.find("2.1") == made.find("1.1"), "what was one call stays one"


def test_a_changed_linkedid_merges_the_calls_and_the_old_one_still_finds_them() -> None:
    made = graph(*TWO_PHONES, new("2.1", "SIP/412-3"), new("2.2", "SIP/413-4", "2.1"))
    assert len(made.calls()) == 2
    made.apply(Newstate("SIP/412-3", "2.1", "1.1", "Up"))
    (call,) = made.calls()
    assert call.lineage == {"1.1", "2.1"}
    assert ids(call) == ["1.1", "1.2", "2.1", "2.2"]
    assert made.find("2.1") == [call]
    assert channel(made, "2.1").linkedid == "1.1"
    assert channel(made, "2.2").linkedid == "2.1"
    for gone in ("1.1", "1.2", "2.1"):
        made.apply(hangup(gone))
    (rest,) = made.find("1.1")
    assert rest.linkedid == "2.1"


def test_a_linkedid_nobody_had_before_joins_the_lineage() -> None:
    made = graph(*TWO_PHONES, DialEnd("1.1", "0.9", "1.2", "0.9", "ANSWER"))
    (call,) = made.find("0.9")
    assert call.linkedid == "0.9"
    assert call.lineage == {"0.9", "1.1"}


def test_an_attended_transfer_makes_one_call_of_two_only_when_it_succeeds() -> None:
    parties = (("1.2", "1.1"), ("2.1", "2.1"), ("2.2", "2.1"))
    events = (*TWO_PHONES, new("2.1", "SIP/411-3"), new("2.2", "SIP/412-4", "2.1"))
    assert len(graph(*events, AttendedTransfer("Fail", parties)).calls()) == 2
    (call,) = graph(*events, AttendedTransfer("Success", parties)).calls()
    assert ids(call) == ["1.1", "1.2", "2.1", "2.2"]


def test_a_lineage_forgets_its_oldest_unused_linkedids_and_stays_bounded() -> None:
    made = graph(new("1.1", "SIP/410-1"))
    for count in range(LINKEDIDS_KEPT + 50):
        made.apply(Newstate("", "1.1", f"2.{count}", "Up"))
    (call,) = made.calls()
    assert len(call.lineage) == LINKEDIDS_KEPT
    assert call.linkedid == f"2.{LINKEDIDS_KEPT + 49}"
    assert made.find("1.1") != [], "a uniqueid, found as such"
    assert made.find("2.0") == []
    assert made.find("2.51") == [call]


def test_a_lineage_keeps_the_linkedids_its_channels_still_carry() -> None:
    made = graph(*TWO_PHONES)
    for count in range(LINKEDIDS_KEPT + 50):
        made.apply(Newstate("", "1.1", f"2.{count}", "Up"))
    (call,) = made.calls()
    assert "1.1" in call.lineage, "1.2 still carries it"
    assert channel(made, "1.2").linkedid == "1.1"


def test_an_agent_logged_in_all_day_gathers_no_more_than_the_lineage_keeps() -> None:
    made = graph(new("1.1", "SIP/410-1"), enter("b", "1.1"))
    for count in range(LINKEDIDS_KEPT + 50):
        caller = f"2.{count}"
        made.apply(new(caller, "SIP/my-trunk-1"))
        made.apply(enter("b", caller))
        made.apply(hangup(caller))
    (call,) = made.calls()
    assert ids(call) == ["1.1"]
    assert len(call.lineage) == LINKEDIDS_KEPT


def test_a_conference_is_one_call_only_while_it_lasts() -> None:
    made = graph(
        *TWO_PHONES[:2],
        new("2.1", "SIP/412-3"),
        enter("conf", "1.1", kind="base"),
        enter("conf", "2.1", kind="base"),
    )
    (call,) = made.calls()
    assert ids(call) == ["1.1", "1.2", "2.1"]
    assert call.lineage == {"1.1", "2.1"}
    made.apply(leave("conf", "2.1"))
    assert sorted(map(len, (call.channels for call in made.calls()))) == [1, 2]


def test_calls_parked_side_by_side_stay_apart() -> None:
    made = graph(
        new("1.1", "SIP/410-1"),
        new("2.1", "SIP/412-3"),
        enter("lot", "1.1", kind="parking"),
        enter("lot", "2.1", kind="parking"),
    )
    assert len(made.calls()) == 2
    assert not made.two_party("1.1")


def test_merging_bridges_ties_their_calls_before_anyone_has_moved() -> None:
    events = (*TWO_PHONES, new("2.1", "SIP/412-3"), enter("c", "2.1"))
    assert len(graph(*events, BridgeMerge("b", "other")).calls()) == 2
    made = graph(*events, BridgeMerge("b", "c"))
    assert len(made.calls()) == 1
    assert channel(made, "2.1").bridge_id == "c"


def test_a_destroyed_bridge_frees_its_channels() -> None:
    made = graph(*TWO_PHONES, BridgeDestroy("b"))
    assert channel(made, "1.1").bridge_id is None
    made.apply(BridgeDestroy("b"))
    made.apply(leave("b", "1.1"))
    assert channel(made, "1.1").bridge_id is None


def test_leaving_an_old_bridge_late_does_not_leave_the_new_one() -> None:
    made = graph(*TWO_PHONES, enter("new", "1.1"), leave("b", "1.1"))
    assert channel(made, "1.1").bridge_id == "new"


@pytest.mark.parametrize(("kind", "expected"), [("basic", True), ("stasis", True), ("base", False)])
def test_two_parties_are_two_in_a_bridge_made_for_a_call(*, kind: str, expected: bool) -> None:
    made = graph(
        new("1.1", "SIP/410-1"),
        new("1.2", "SIP/411-2", "1.1"),
        new("1.3", "SIP/412-3", "1.1"),
        enter("b", "1.1", kind=kind),
    )
    assert not made.two_party("1.1"), "alone"
    made.apply(enter("b", "1.2", kind=kind))
    assert made.two_party("1.1") is expected
    assert made.two_party("1.2") is expected
    made.apply(enter("b", "1.3", kind=kind))
    assert not made.two_party("1.1"), "three of them"
    assert not made.two_party("9.9")
