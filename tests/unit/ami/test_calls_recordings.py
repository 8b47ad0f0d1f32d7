# SPDX-License-Identifier: Apache-2.0
"""The call graph: which channel a Monitor runs on, and which channels listen to which."""

from ami.calls.snapshots import Listener
from ami.events.types import ChanSpyStart, ChanSpyStop, MonitorStart, MonitorStop, Pickup
from tests.kits.call_kit import TWO_PHONES, channel, graph, hangup, new, row

SPIES = ChanSpyStart("SIP/490-3", "3.1", "3.1", "SIP/410-1", "1.1", "1.1")
SPIES_NO_MORE = ChanSpyStop("SIP/490-3", "3.1", "3.1", "SIP/410-1", "1.1", "1.1")
SUPERVISOR = new("3.1", "SIP/490-3")


def test_a_monitor_is_followed_by_its_events() -> None:
    made = graph(*TWO_PHONES)
    assert channel(made, "1.1").runs_monitor is False
    made.apply(MonitorStart("SIP/410-1", "1.1", "1.1"))
    assert channel(made, "1.1").runs_monitor is True
    assert channel(made, "1.2").runs_monitor is False
    made.apply(MonitorStop("SIP/410-1", "1.1", "1.1"))
    assert channel(made, "1.1").runs_monitor is False


def test_after_a_loss_a_monitor_is_unknown_until_an_event_of_it() -> None:
    made = graph(*TWO_PHONES, MonitorStart("SIP/410-1", "1.1", "1.1"))
    made.mark_unknown()
    made.apply(new("2.1", "SIP/412-3"))
    rows = [row("1.1", "SIP/410-1"), row("1.2", "SIP/411-2", "1.1"), row("2.1", "SIP/412-3")]
    made.reconcile(rows)
    assert channel(made, "1.1").runs_monitor is None
    assert channel(made, "2.1").runs_monitor is False, "it is younger than the loss"
    made.apply(MonitorStop("SIP/410-1", "1.1", "1.1"))
    made.apply(MonitorStart("SIP/411-2", "1.2", "1.1"))
    assert channel(made, "1.1").runs_monitor is False
    assert channel(made, "1.2").runs_monitor is True


def test_a_monitor_is_not_known_after_a_pickup() -> None:
    made = graph(*TWO_PHONES, MonitorStart("SIP/411-2", "1.2", "1.1"), new("2.1", "SIP/412-3"))
    made.apply(Pickup("2.1", "2.1", "1.2", "1.1"))
    assert channel(made, "2.1").runs_monitor is None


def test_it_is_known_which_channels_listen_to_which() -> None:
    made = graph(*TWO_PHONES, SUPERVISOR, SPIES)
    assert channel(made, "1.1").listeners == (Listener("SIP/490-3", "3.1", "490"),)
    assert channel(made, "1.2").listeners == ()
    # it goes on to the next one
    made.apply(SPIES_NO_MORE)
    made.apply(SPIES._replace(spyee_channel="SIP/411-2", spyee_uniqueid="1.2"))
    assert channel(made, "1.1").listeners == ()
    assert [each.uniqueid for each in channel(made, "1.2").listeners] == ["3.1"]
    made.apply(hangup("1.2"))
    made.apply(SPIES)
    made.apply(hangup("3.1"))
    assert channel(made, "1.1").listeners == ()
    assert channel(made, "1.1").listeners_known


def test_after_a_loss_others_may_listen() -> None:
    made = graph(*TWO_PHONES, SUPERVISOR, SPIES)
    made.mark_unknown()
    made.reconcile([row("1.1", "SIP/410-1"), row("3.1", "SIP/490-3")])
    assert channel(made, "1.1").listeners == ()
    assert not channel(made, "1.1").listeners_known
    made.apply(SPIES_NO_MORE)
    made.apply(SPIES)
    assert [each.uniqueid for each in channel(made, "1.1").listeners] == ["3.1"]
    made.apply(new("4.1", "SIP/412-4"))
    assert channel(made, "4.1").listeners_known


def test_a_spying_that_is_told_of_a_channel_that_hung_up_revives_nothing() -> None:
    made = graph(*TWO_PHONES, SUPERVISOR, hangup("1.1"), SPIES)
    assert made.channel("1.1") is None
    assert made.channel("3.1") is not None
