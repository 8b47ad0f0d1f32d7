# SPDX-License-Identifier: Apache-2.0
"""The simulator's own parts: names, legs, permissions, faults and switches."""

import pytest

from bridges.simulators.faults import Faults, set_switch
from bridges.simulators.harness import SimClock
from bridges.simulators.noojee.calls import SimPbx, User, end_point
from bridges.simulators.noojee.switches import NOOJEE_FAULTS, NoojeeSwitches


@pytest.mark.parametrize(
    ("name", "point"),
    [
        ("SIP/410-12FA7B", ("SIP", "410")),
        ("sip/410-12fa7b", ("SIP", "410")),
        ("PJSIP/410-00000012", ("PJSIP", "410")),
        ("SIP/my-trunk-0000001a", ("SIP", "my-trunk")),
        ("SIP/10.0.0.5-0000002b", ("SIP", "10.0.0.5")),
        ("Local/410@from-internal-0000001c;2", ("LOCAL", "410@from-internal")),
        ("DAHDI/i1/0383208100-3", ("DAHDI", "i1/0383208100")),
        ("Parked/SIP/410-0000abcd", ("SIP", "410")),
        ("AsyncGoto/SIP/410-0000abcd<ZOMBIE>", ("SIP", "410")),
        ("SIP/410-0000abcd<MASQ>", ("SIP", "410")),
        ("IAX2/test-5226", ("IAX2", "test")),
        ("SIP/410", None),
        ("SIP/-0001", None),
        ("SIP/410-", None),
        ("410", None),
        ("SCCP/410-00000001", None),
        ("Message/ast_msg_queue", None),
    ],
)
def test_channel_names_are_read_by_the_vendors_rules(
    name: str, point: tuple[str, str] | None
) -> None:
    assert end_point(name) == point


def pbx() -> SimPbx:
    return SimPbx(lambda: 1000.0)


def test_a12_the_oldest_or_the_newest_call_of_an_extension_is_meant() -> None:
    calls = pbx()
    old = calls.add_call("PJSIP/410-00000001", "1.1")
    new = calls.add_call("PJSIP/410-00000002", "1.2")
    assert calls.resolve("410", tech_prefix=True, several="oldest") is old
    assert calls.resolve("410", tech_prefix=True, several="newest") is new
    assert calls.resolve("1.2", tech_prefix=True, several="oldest") is new


def test_a_channel_made_anew_under_its_old_name_has_a_new_id() -> None:
    calls = pbx()
    old = calls.add_call("PJSIP/410-00000001", "1.1")
    new = calls.recreate(old, "1.9")
    assert calls.resolve("1.1", tech_prefix=True, several="oldest") is None
    assert calls.resolve("410", tech_prefix=True, several="oldest") is new


def test_a_technology_before_the_extension_must_be_that_of_the_channel() -> None:
    calls = pbx()
    call = calls.add_call("PJSIP/410-00000001", "1.1")
    assert calls.resolve("PJSIP/410", tech_prefix=True, several="oldest") is call
    assert calls.resolve("SIP/410", tech_prefix=True, several="oldest") is None
    assert calls.resolve("PJSIP/410", tech_prefix=False, several="oldest") is None


@pytest.mark.parametrize(
    ("user", "may"),
    [
        (User("owner"), True),
        (User("x", extension="410"), True),
        (User("x", leads="sales"), True),
        (User("x", groups=frozenset({"recording manager"})), True),
        (User("x", groups=frozenset({"administrators"})), True),
        (User("x"), False),
        (User("x", extension="411"), False),
        (User("x", leads="support"), False),
        (User("x", groups=frozenset({"inbound agent"})), False),
    ],
)
def test_a9_owner_phone_user_leader_manager_and_administrator_may_stop(
    user: User, may: bool
) -> None:
    calls = pbx()
    calls.add_user("owner", team="sales")
    call = calls.add_call("PJSIP/410-00000001", "1.1", owner="owner")
    assert calls.may_stop(user, call) is may


def test_a30_a_transition_after_a_stop_begins_a_leg_only_where_rules_say_so() -> None:
    calls = pbx()
    call = calls.add_call("PJSIP/410-00000001", "1.1")
    calls.stop(call)
    calls.transition(call, restart=False)
    assert call.recording is None
    calls.transition(call, restart=True)
    assert call.recording is not None
    assert [leg.number for leg in call.legs] == [1, 2]


def test_a_fault_is_written_as_kind_value_operation_and_times() -> None:
    faults = Faults(NOOJEE_FAULTS)
    faults.add("stall=11@stop*1")
    assert str(faults.active[0]) == "stall=11@stop*1"
    assert faults.take("Time") is None
    taken = faults.take("stop")
    assert taken is not None
    assert taken.value == 11
    assert faults.take("stop") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [("stal", "did you mean 'stall'"), ("stall=x", "is not KIND"), ("reset*x", "is not KIND")],
)
def test_a_fault_nobody_knows_is_refused_with_the_nearest(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Faults(NOOJEE_FAULTS).add(text)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("allow_get", "on", True),
        ("error_status", "500", 500),
        ("latency", "0.5", 0.5),
        ("hour_from", "sliding", "sliding"),
    ],
)
def test_a_switch_is_set_by_the_type_of_its_field(name: str, text: str, value: object) -> None:
    switches = NoojeeSwitches()
    set_switch(switches, name, text)
    assert getattr(switches, name) == value


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("allow_gett", "on", "did you mean 'allow_get'"),
        ("allow_get", "perhaps", "true or false"),
        ("error_status", "x", "number"),
        ("hour_from", "noon", "one of first_use"),
    ],
)
def test_a_switch_that_cannot_be_set_says_what_it_takes(name: str, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        set_switch(NoojeeSwitches(), name, text)


def test_the_simulated_clock_moves_when_told() -> None:
    clock = SimClock(skew=-5.0, source=lambda: 100.0)
    assert (clock.now(), clock.millis()) == (95.0, 95_000)
    clock.advance(10)
    assert clock.now() == 105.0
