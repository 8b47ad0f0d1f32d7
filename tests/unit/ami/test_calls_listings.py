# SPDX-License-Identifier: Apache-2.0
"""The call graph: what a listing repairs, whatever events came around it."""

import dataclasses

from ami.calls.graph import CallGraph, Reconciled
from ami.events.headers import BridgeRow
from ami.events.types import (
    BridgeLeave,
    MixMonitorStart,
    NewConnectedLine,
    Newstate,
    Rename,
    Shutdown,
)
from tests.kits.call_kit import TWO_PHONES, channel, graph, hangup, ids, leave, new, row


def test_a_graph_is_unknown_until_a_listing_and_after_a_loss() -> None:
    made = CallGraph()
    assert not made.known
    assert made.reconcile([row("1.1", "SIP/410-1")]) == Reconciled(gone=(), new=("1.1",))
    assert made.known
    made.apply(Shutdown(restart=True))
    assert not made.known
    assert made.calls() != [], "the last view is still there to be shown"


def test_a_listing_builds_the_same_call_from_nothing() -> None:
    made = CallGraph()
    made.reconcile(
        [
            row("1.4", "SIP/411-4", "1.1", "c"),
            row("1.10", "SIP/412-5", "1.1"),
            row("1.3", "Local/411@inner-0;2", "1.1", "c"),
            row("1.2", "Local/411@inner-0;1", "1.1", "b"),
            row("1.1", "SIP/410-1", "1.1", "b"),
        ],
        {"1.1": 2},
    )
    call = made.call_of("1.4")
    assert ids(call) == ["1.1", "1.2", "1.3", "1.4", "1.10"]
    assert channel(made, "1.3").local_peer == "1.2"
    assert made.two_party("1.1")
    assert channel(made, "1.1") == dataclasses.replace(
        channel(made, "1.4"),
        name="SIP/410-1",
        uniqueid="1.1",
        endpoint="410",
        extension="410",
        bridge_id="b",
        monitors=2,
    )
    assert channel(made, "1.4").application == "Dial"
    assert channel(made, "1.4").monitors is None


def test_a_listing_drops_ghosts_and_takes_up_what_was_missed() -> None:
    made = graph(*TWO_PHONES, MixMonitorStart("", "1.1", "1.1"))
    made.mark_unknown()
    assert channel(made, "1.1").monitors is None
    changed = made.reconcile([row("1.1", "SIP/410-1"), row("2.1", "SIP/412-3")], {"1.1": 1})
    assert changed == Reconciled(gone=("1.2",), new=("2.1",))
    assert made.size == 2
    assert channel(made, "1.1").bridge_id is None
    assert channel(made, "1.1").monitors == 1
    assert channel(made, "2.1").monitors is None


def test_a_ghost_dropped_by_a_faulty_listing_comes_back_with_the_next() -> None:
    made = graph(*TWO_PHONES)
    made.reconcile([row("1.1", "SIP/410-1")])
    assert made.channel("1.2") is None
    made.reconcile([row("1.1", "SIP/410-1"), row("1.2", "SIP/411-2", "1.1")])
    assert ids(made.call_of("1.1")) == ["1.1", "1.2"]


def test_a_hang_up_seen_before_the_listing_was_taken_in_leaves_no_ghost() -> None:
    made = graph(*TWO_PHONES)
    made.mark_unknown()
    made.apply(hangup("1.2"))
    made.apply(hangup("7.7"))
    listed = [row("1.1", "SIP/410-1"), row("1.2", "SIP/411-2", "1.1"), row("7.7", "SIP/413-7")]
    made.reconcile(listed)
    assert ids(made.call_of("1.1")) == ["1.1"]
    assert made.size == 1


def test_a_late_word_of_a_channel_that_no_listing_has_leaves_no_ghost() -> None:
    made = CallGraph()
    made.apply(BridgeLeave("b", "SIP/411-2", "1.2", "1.1"))
    made.apply(NewConnectedLine("SIP/411-2", "1.2", "1.1", "410"))
    made.reconcile([row("1.1", "SIP/410-1")])
    assert made.size == 1
    made.apply(NewConnectedLine("SIP/411-2", "1.2", "1.1", "410"))
    assert made.size == 1, "and none once the view is known"


def test_what_events_told_of_a_channel_before_its_first_listing_is_not_lost() -> None:
    made = CallGraph()
    made.apply(BridgeLeave("b", "SIP/411-2", "1.2", "1.1"))
    made.apply(Rename("SIP/410-1", "SIP/413-1", "1.1"))
    made.reconcile([row("1.1", "SIP/410-1", bridge="b"), row("1.2", "SIP/411-2", "1.1", "b")])
    assert channel(made, "1.2").bridge_id is None
    assert channel(made, "1.2").state == "Up"
    assert channel(made, "1.1").name == "SIP/413-1"
    assert channel(made, "1.1").bridge_id == "b"


def test_a_channel_born_while_the_listing_was_on_its_way_stays() -> None:
    made = graph(*TWO_PHONES)
    made.mark_unknown()
    made.apply(new("2.1", "SIP/412-3"))
    made.apply(MixMonitorStart("", "2.1", "2.1"))
    made.reconcile([row("1.1", "SIP/410-1"), row("1.2", "SIP/411-2", "1.1")], {})
    assert channel(made, "2.1").monitors == 1


def test_events_since_the_listing_was_asked_for_win_over_it() -> None:
    made = graph(*TWO_PHONES, new("1.3", "SIP/412-3", "1.1"))
    made.mark_unknown()
    made.apply(leave("b", "1.2"))
    made.apply(Newstate("SIP/412-3", "1.3", "1.1", "Up"))
    made.apply(Rename("SIP/410-1", "SIP/413-1", "1.1"))
    made.apply(MixMonitorStart("", "1.1", "1.1"))
    stale = [
        row("1.1", "SIP/410-1", "1.1", "b"),
        row("1.2", "SIP/411-2", "1.1", "b"),
        row("1.3", "SIP/412-3", "1.1", "b"),
    ]
    made.reconcile(stale, {"1.1": 0, "1.3": 1})
    assert channel(made, "1.1").name == "SIP/413-1"
    assert channel(made, "1.1").monitors is None, "nobody can tell which came first"
    assert channel(made, "1.2").bridge_id is None
    assert channel(made, "1.3").bridge_id == "b", "the event told nothing of its bridge"
    assert channel(made, "1.3").monitors == 1


def test_a_listing_while_known_keeps_what_events_have_counted() -> None:
    made = graph(*TWO_PHONES, MixMonitorStart("", "1.1", "1.1"))
    made.reconcile([row("1.1", "SIP/410-1"), row("1.2", "SIP/411-2", "1.1")], {"1.1": 0})
    assert channel(made, "1.1").monitors == 1


def test_a_listing_follows_renames_and_merges_that_were_missed() -> None:
    made = graph(*TWO_PHONES, new("2.1", "SIP/412-3"))
    made.mark_unknown()
    made.reconcile([row("1.1", "SIP/413-1", "1.1", "n"), row("2.1", "SIP/412-3", "1.1", "n")])
    (call,) = made.calls()
    assert call.lineage == {"1.1", "2.1"}
    assert call.extensions == ("413", "412")


def test_the_bridges_of_a_listing_tell_a_parking_lot_from_a_call() -> None:
    rows = [row("1.1", "SIP/410-1", bridge="lot"), row("2.1", "SIP/412-3", bridge="lot")]
    made = CallGraph()
    made.reconcile(rows)
    assert len(made.calls()) == 1, "not told what it is, it counts as a talk"
    made.mark_unknown()
    made.reconcile(
        rows,
        bridges=[
            BridgeRow("lot", "parking", "holding_bridge"),
            BridgeRow("other", "basic", "simple_bridge"),
        ],
    )
    assert len(made.calls()) == 2
    assert not made.two_party("1.1")


def test_a_second_loss_forgets_what_was_seen_since_the_first() -> None:
    made = graph(*TWO_PHONES)
    made.mark_unknown()
    made.apply(new("2.1", "SIP/412-3"))
    made.mark_unknown()
    assert made.reconcile([row("1.1", "SIP/410-1")]).gone == ("1.2", "2.1")


def test_odd_uniqueids_in_a_listing_are_no_obstacle() -> None:
    made = CallGraph()
    made.reconcile([row("pbx-a-1.2", "SIP/410-1"), row("my own id", "SIP/411-1"), row("x.y", "a")])
    assert made.size == 3
