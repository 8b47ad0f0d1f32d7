# SPDX-License-Identifier: Apache-2.0
"""The call graph: what runs on a channel, what it is called, and how it is found."""

from ami.calls.channel_names import Rules
from ami.calls.joined_calls import GONE_KEPT
from ami.events.types import (
    BridgeEnter,
    DialBegin,
    DTMFEnd,
    ExtensionSet,
    FullyBooted,
    MixMonitorMute,
    MixMonitorStart,
    MixMonitorStop,
    Newstate,
    Pickup,
    Rename,
)
from tests.kits.call_kit import TWO_PHONES, channel, graph, hangup, ids, new


def test_a_rename_moves_the_name_and_the_extension_with_it() -> None:
    made = graph(new("1.1", "SIP/410-1"), Rename("SIP/410-1", "SIP/411-1", "1.1"))
    assert made.by_name("SIP/410-1") is None
    assert made.by_name("SIP/411-1") == channel(made, "1.1")
    assert made.live_on("410") == []
    assert made.live_on("411") == [channel(made, "1.1")]


def test_a_masquerade_leaves_the_phone_with_the_heir_and_a_zombie_without_extension() -> None:
    made = graph(
        new("1.1", "SIP/410-1"),
        new("1.2", "SIP/412-2"),
        Rename("SIP/412-2", "SIP/412-2<MASQ>", "1.2"),
        Rename("SIP/410-1", "SIP/412-2", "1.1"),
        Rename("SIP/412-2<MASQ>", "SIP/410-1<ZOMBIE>", "1.2"),
    )
    assert [found.uniqueid for found in made.live_on("412")] == ["1.1"]
    assert made.live_on("410") == []
    assert channel(made, "1.2").extension is None
    found = made.by_name("SIP/412-2")
    assert found is not None
    assert found.uniqueid == "1.1"


def test_two_channels_of_one_name_for_a_moment_do_no_harm() -> None:
    made = graph(new("1.1", "SIP/410-1"), new("1.2", "SIP/410-1"), hangup("1.1"))
    assert made.by_name("SIP/410-1") == channel(made, "1.2")
    assert made.live_on("410") == [channel(made, "1.2")]


def test_mixmonitors_are_counted_up_and_down() -> None:
    start, stop = MixMonitorStart("", "1.1", "1.1"), MixMonitorStop("", "1.1", "1.1")
    made = graph(*TWO_PHONES, start, start, stop)
    call = made.call_of("1.2")
    assert call is not None
    assert call.monitored == (channel(made, "1.1"),)
    assert call.unknown_monitors == ()
    assert channel(made, "1.1").monitors == 1
    for event in (stop, stop):
        made.apply(event)
    assert channel(made, "1.1").monitors == 0


def test_muted_means_both_directions_and_ends_with_the_recording() -> None:
    def mute(direction: str, *, muted: bool = True) -> MixMonitorMute:
        return MixMonitorMute("", "1.1", "1.1", direction, muted)

    start, stop = MixMonitorStart("", "1.1", "1.1"), MixMonitorStop("", "1.1", "1.1")
    made = graph(*TWO_PHONES, start, mute("read"))
    assert not channel(made, "1.1").muted
    made.apply(mute("write"))
    assert channel(made, "1.1").muted
    made.apply(mute("both", muted=False))
    assert not channel(made, "1.1").muted
    made.apply(mute("both"))
    made.apply(start)
    assert not channel(made, "1.1").muted, "the second recording hears"
    for event in (mute("both"), stop, stop):
        made.apply(event)
    assert not channel(made, "1.1").muted


def test_a_pickup_ties_the_calls_and_moves_the_recordings_of_the_phone_that_rang() -> None:
    made = graph(
        *TWO_PHONES[:3],
        MixMonitorStart("", "1.2", "1.1"),
        new("2.1", "SIP/412-3"),
        MixMonitorStart("", "2.1", "2.1"),
        Pickup("2.1", "2.1", "1.2", "1.1"),
    )
    assert len(made.calls()) == 1
    assert channel(made, "2.1").monitors == 2
    assert channel(made, "1.2").monitors == 0


def test_a_pickup_of_an_unknown_count_leaves_it_unknown() -> None:
    made = graph(*TWO_PHONES[:3])
    made.mark_unknown()
    made.apply(new("2.1", "SIP/412-3"))
    made.apply(Pickup("2.1", "2.1", "1.2", "1.1"))
    assert channel(made, "2.1").monitors is None


def test_events_about_an_ended_channel_do_not_bring_it_back() -> None:
    made = graph(*TWO_PHONES, hangup("1.2"))
    for event in (
        Newstate("SIP/411-2", "1.2", "1.1", "Up"),
        MixMonitorStart("SIP/411-2", "1.2", "1.1"),
        DialBegin("SIP/410-1", "1.1", "1.1", "SIP/411-2", "1.2", "1.1"),
        BridgeEnter("b", "basic", "simple_bridge", "SIP/411-2", "1.2", "1.1"),
        Pickup("1.2", "1.1", "1.1", "1.1"),
    ):
        made.apply(event)
    assert ids(made.call_of("1.1")) == ["1.1"]


def test_a_new_channel_may_use_the_id_of_an_ended_one() -> None:
    made = graph(*TWO_PHONES, hangup("1.2"), new("1.2", "SIP/413-2", "1.1"))
    assert [found.uniqueid for found in made.live_on("413")] == ["1.2"]


def test_only_so_many_ended_channels_are_remembered() -> None:
    made = graph(*(hangup(f"3.{count}") for count in range(GONE_KEPT + 1)))
    made.apply(Newstate("SIP/410-1", "3.0", "3.0", "Up"))
    made.apply(Newstate("SIP/411-1", "3.1", "3.1", "Up"))
    assert made.size == 1


def test_a_channel_first_heard_of_in_mid_call_is_taken_up_with_monitors_unknown() -> None:
    made = graph(MixMonitorStart("SIP/410-1", "1.1", "1.1"))
    assert channel(made, "1.1").monitors is None
    call = made.call_of("1.1")
    assert call is not None
    assert call.unknown_monitors == call.channels
    assert call.monitored == ()
    made.set_monitors("1.1", 0)
    assert channel(made, "1.1").monitors == 0
    made.set_monitors("9.9", 1)
    assert made.size == 1


def test_events_without_use_for_the_graph_change_nothing() -> None:
    made = graph(*TWO_PHONES)
    before = made.calls()
    made.apply(FullyBooted("Fully Booted"))
    made.apply(DTMFEnd("SIP/410-1", "1.1", "1.1", "1"))
    made.apply(hangup("9.9"))
    assert made.calls() == before


def test_find_takes_name_uniqueid_linkedid_and_extension() -> None:
    made = graph(*TWO_PHONES, new("2.1", "SIP/410-3"))
    (call,) = made.find("SIP/411-2")
    assert made.find("1.2") == made.find("1.1") == made.find("411") == [call]
    assert [ids(found) for found in made.find("410")] == [["1.1", "1.2"], ["2.1"]]
    assert made.find("SIP/410") == []
    assert made.find("412") == []
    assert [found.uniqueid for found in made.live_on("410")] == ["1.1", "2.1"]


def test_two_channels_of_one_extension_in_one_call_are_one_call() -> None:
    made = graph(new("1.1", "SIP/410-1"), new("1.2", "SIP/410-2", "1.1"))
    assert len(made.find("410")) == 1


def test_rules_and_the_channel_variable_decide_the_extension() -> None:
    rules = Rules(endpoints={"fred": "410"}, trunks=frozenset({"411"}))
    made = graph(new("1.1", "SIP/fred-1"), new("1.2", "SIP/411-2", "1.1"), rules=rules)
    (call,) = made.find("410")
    assert call.extensions == ("410",)
    made.apply(ExtensionSet("1.1", "4100"))
    assert made.find("410") == []
    assert made.find("4100") == made.calls()
    made.apply(ExtensionSet("1.1", ""))
    made.use_rules(Rules())
    assert made.find("410") == []
    assert made.find("411") == made.calls()
