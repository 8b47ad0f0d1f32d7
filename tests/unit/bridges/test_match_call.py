# SPDX-License-Identifier: Apache-2.0
"""Which call over there is the call here."""

from typing import Any

import pytest

from ami.calls.snapshots import Call, Channel
from bridges.model import Order, Verb
from bridges.shared.call_parties import Parties, made_at, parties, trunks
from bridges.shared.match_call import Ambiguous, Candidate, Chosen, pick
from bridges.shared.phone_numbers import Numbering

PHONE = Channel(
    "PJSIP/410-1", "1700000010.7", "1700000002.5", "PJSIP", "410", "410",
    caller_number="410", connected_number="0455551234",
)  # fmt: skip
TRUNK = Channel(
    "PJSIP/gw-2", "1700000002.5", "1700000002.5", "PJSIP", "gw", None,
    exten="5551000", caller_number="0455551234",
)  # fmt: skip
CALL = Call("1700000002.5", frozenset({"1700000002.5"}), (TRUNK, PHONE))


def order(call: Call = CALL, presser: Channel | None = PHONE) -> Order:
    return Order("press-1", Verb.STOP, call, presser)


def test_the_line_of_who_pressed_and_everyone_else_on_the_call() -> None:
    told = parties(order())
    assert (told.number, told.why) == ("410", "the presser's own channel")
    assert told.others == ("0455551234", "5551000")
    assert told.began == (1700000002.0, 1700000010.0)


def test_the_far_line_is_the_number_beyond_the_trunk() -> None:
    told = parties(order(), "far")
    assert (told.number, told.why) == ("0455551234", "the number beyond PJSIP/gw-2")
    assert told.others == ("5551000", "410")


def test_no_far_line_is_guessed() -> None:
    inside = Call("1.1", frozenset({"1.1"}), (PHONE,))
    assert parties(order(inside), "far").number is None
    other = Channel("PJSIP/gw-3", "3.3", "1.1", "PJSIP", "gw", None, caller_number="0477")
    several = Call("1.1", frozenset({"1.1"}), (TRUNK, PHONE, other))
    told = parties(order(several), "far")
    assert told.number is None
    assert "0455551234, 0477" in told.why


def test_a_local_half_is_no_trunk() -> None:
    half = Channel("Local/410@inner-1;1", "2.2", "1.1", "Local", "410@inner", None)
    assert trunks(Call("1.1", frozenset(), (half, TRUNK))) == (TRUNK,)


@pytest.mark.parametrize(
    ("uniqueid", "at"),
    [("1700000002.5", 1700000002.0), ("pbx-1-1700000002.5", 1700000002.0), ("auto-1", None)],
)
def test_a_channel_tells_by_its_uniqueid_when_it_was_made(uniqueid: str, at: float | None) -> None:
    assert made_at(Channel("x", uniqueid, "1.1")) == at


TOLD = Parties("410", "", ("0455551234", "5551000"), (1000.0, 1008.0))


def one(label: str, *numbers: str, began: float = 5000.0) -> Candidate[str]:
    return Candidate(label, label, (began,), numbers)


def picked(*candidates: Candidate[str], only: bool = False, told: Parties = TOLD) -> Any:
    return pick(candidates, told, Numbering(), window=30, only=only)


def test_nothing_live_is_nothing() -> None:
    assert picked() is None
    assert picked(only=True) is None


@pytest.mark.parametrize(
    ("candidates", "only", "item"),
    [
        ([one("a", "0455551234"), one("b", "0477")], False, "a"),
        ([one("a", "+390455551234"), one("b", "0477", began=1001)], False, "a"),
        ([one("a", began=1030), one("b", began=1050)], False, "a"),
        ([one("a", "0455551234", began=100), one("b", "0455551234", began=1030)], False, "b"),
        ([one("a", "0455551234"), one("b", "+390455551234")], False, "a"),
        ([one("a")], True, "a"),
        ([one("a", "0477")], True, "a"),
        ([one("a", "0477", began=1020)], False, "a"),
    ],
)
def test_what_fits_one_call_only_is_chosen(
    candidates: list[Candidate[str]], only: bool, item: str
) -> None:
    found = picked(*candidates, only=only)
    assert isinstance(found, Chosen)
    assert found.item == item
    assert found.why


@pytest.mark.parametrize(
    ("candidates", "only", "names"),
    [
        ([one("a"), one("b")], True, ("a", "b")),
        ([one("a", began=1001), one("b", began=1007), one("c")], True, ("a", "b")),
        ([one("a", "0455551234"), one("b", "0455551234"), one("c")], True, ("a", "b")),
        ([one("a", "0477")], False, ("a",)),
        ([one("a")], False, ("a",)),
        ([one("a", "0455559999")], True, ("a",)),
    ],
)
def test_what_fits_several_or_none_for_sure_is_never_guessed(
    candidates: list[Candidate[str]], only: bool, names: tuple[str, ...]
) -> None:
    found = picked(*candidates, only=only)
    assert isinstance(found, Ambiguous)
    assert found.labels == names
    assert str(found).startswith("ambiguous: ")
    assert all(name in str(found) for name in names)


def test_a_candidate_with_several_times_fits_by_any_of_them() -> None:
    shifted = Candidate("a", "a", (5000.0, 1005.0))
    assert isinstance(picked(shifted, one("b")), Chosen)
