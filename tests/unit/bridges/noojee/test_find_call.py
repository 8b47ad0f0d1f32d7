# SPDX-License-Identifier: Apache-2.0
"""Which channel or extension a request to Noojee names."""

from collections.abc import Sequence
from typing import Any

import pytest

from ami.calls.snapshots import Call, Channel
from bridges.model import Order, Verb
from bridges.noojee.find_call import Aim, Refusal, choose
from noojee import Extension, UniqueId


def channel(name: str, uniqueid: str, **more: Any) -> Channel:
    more.setdefault("linkedid", "1700.1")
    return Channel(name, uniqueid, technology=name.split("/", maxsplit=1)[0], **more)


AGENT = channel("PJSIP/410-00000001", "1700.1", extension="410", bridge_id="b1")
TRUNK = channel("PJSIP/my-trunk-00000002", "1700.2", bridge_id="b1")
HALF_1 = channel("Local/412@q-0000;1", "1700.3", local_peer="1700.4", bridge_id="b1")
HALF_2 = channel("Local/412@q-0000;2", "1700.4", local_peer="1700.3", bridge_id="b2")
FAR = channel("PJSIP/412-00000005", "1700.5", extension="412", bridge_id="b2")


def order(*channels: Channel, presser: Channel | None = None, verb: Verb = Verb.STOP) -> Order:
    return Order("p1", verb, Call("1700.1", frozenset({"1700.1"}), channels), presser)


def nobody(_number: str) -> Sequence[Channel]:
    raise AssertionError("no extension is to be looked up")


def by_id(asked: Order, rule: Any = "presser") -> str:
    aim = choose(asked, rule, nobody)
    assert isinstance(aim, Aim)
    assert isinstance(aim.target, UniqueId)
    return str(aim.target)


def test_the_presser_with_an_extension_is_the_primary_channel() -> None:
    assert by_id(order(TRUNK, AGENT, presser=AGENT)) == AGENT.uniqueid


def test_a_trunk_that_pressed_stands_for_the_phone_it_is_bridged_with() -> None:
    other = channel("PJSIP/409-00000009", "1700.0", extension="409", bridge_id="b9")
    assert by_id(order(other, TRUNK, AGENT, presser=TRUNK)) == AGENT.uniqueid


def test_a_local_half_that_pressed_stands_for_the_phone_at_either_end() -> None:
    other = channel("PJSIP/409-00000009", "1700.0", extension="409", bridge_id="b9")
    for half in (HALF_1, HALF_2):
        assert by_id(order(other, TRUNK, HALF_1, HALF_2, FAR, presser=half)) == FAR.uniqueid


def test_a_local_half_is_no_handset_even_with_an_extension() -> None:
    half = channel("Local/410@q-0000;1", "1700.3", extension="410")
    assert by_id(order(half, FAR, presser=half)) == FAR.uniqueid


def test_nobody_pressing_means_the_first_phone_of_the_call() -> None:
    assert by_id(order(TRUNK, FAR, AGENT)) == FAR.uniqueid


def test_a_call_without_any_extension_goes_by_its_first_channel() -> None:
    assert by_id(order(TRUNK, HALF_1, presser=TRUNK)) == "1700.1"


def test_the_linkedid_is_sent_where_so_configured() -> None:
    assert by_id(order(TRUNK, FAR, presser=FAR), "linkedid") == "1700.1"


def test_an_extension_is_sent_while_it_means_exactly_one_live_call() -> None:
    twin = channel("PJSIP/410-00000008", "1700.8", extension="410")  # the same call, forked
    aim = choose(order(AGENT, presser=AGENT), "extension", lambda _: [AGENT, twin])
    assert isinstance(aim, Aim)
    assert aim.target == Extension("410")
    assert not aim.by_id


def test_an_extension_with_another_live_call_is_ambiguous_and_names_them() -> None:
    other = channel("PJSIP/410-00000009", "1701.1", extension="410", linkedid="1701.1")
    refusal = choose(order(AGENT, presser=AGENT), "extension", lambda _: [AGENT, other])
    assert isinstance(refusal, Refusal)
    for name in ("ambiguous", AGENT.name, AGENT.uniqueid, other.name, other.uniqueid):
        assert name in refusal.why


@pytest.mark.parametrize(
    ("live", "why"), [(None, "not known"), ([], "no live call on extension 410")]
)
def test_an_extension_nobody_can_vouch_for_is_not_sent(
    live: Sequence[Channel] | None, why: str
) -> None:
    refusal = choose(order(AGENT, presser=AGENT), "extension", lambda _: live)
    assert isinstance(refusal, Refusal)
    assert why in refusal.why


def test_no_extension_in_the_call_leaves_nothing_to_send_by_extension() -> None:
    refusal = choose(order(TRUNK, presser=TRUNK), "extension", nobody)
    assert isinstance(refusal, Refusal)


def test_a10_an_id_noojee_would_not_take_for_one_falls_to_the_extension() -> None:
    odd = channel("PJSIP/410-00000001", "nodot", extension="410")
    aim = choose(order(odd, presser=odd), "presser", lambda _: [odd])
    assert isinstance(aim, Aim)
    assert aim.target == Extension("410")


def test_an_extension_that_is_none_for_noojee_is_refused_with_the_reason() -> None:
    odd = channel("SIP/a.b-00000001", "nodot", extension="a.b")
    refusal = choose(order(odd, presser=odd), "presser", lambda _: [odd])
    assert isinstance(refusal, Refusal)
    assert "a.b" in refusal.why
