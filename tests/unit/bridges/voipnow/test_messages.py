# SPDX-License-Identifier: Apache-2.0
"""VoipNow's calls as its documents give them, and the addresses that are made for them."""

from typing import Any

import pytest

from bridges.voipnow.messages import (
    PhoneCall,
    Place,
    extensions,
    read_call,
    read_page,
    same,
    some_call,
    valid_id,
)

ME = Place("@me", "0003*210")
VIEW = {"id": "01", "extension": "0003*210", "source": ["555"], "destination": ["0003*210"]}
CALL: dict[str, Any] = {"id": "b817d2618fe6f1804333", "phoneCallView": [VIEW]}


def page(document: Any, start: int = 0) -> Any:
    return read_page(document, ME, start, loose=False)


# addresses


def test_star_and_at_stand_as_they_are_in_a_path() -> None:
    assert ME.call("444444") == "/uapi/phoneCalls/@me/0003*210/444444"
    assert ME.calls(count=1000) == "/uapi/phoneCalls/@me/0003*210?count=1000"
    assert Place("@owner", "@self").calls() == "/uapi/phoneCalls/@owner/@self"


def test_a_query_is_escaped() -> None:
    assert ME.calls(filterValue="2014-02-14T05:00:00+00:00").endswith(
        "?filterValue=2014-02-14T05%3A00%3A00%2B00%3A00"
    )


@pytest.mark.parametrize("call_id", ["", " ", "a/b", "..", "a?b", "a%2Fb", "é", "a" * 65, "@self"])
def test_no_address_is_made_for_an_empty_or_odd_id(call_id: str) -> None:
    with pytest.raises(ValueError, match="no id"):
        ME.call(call_id)


@pytest.mark.parametrize("call_id", ["3584709739-6d522972:9_e"])
def test_ids_with_other_characters_need_the_switch(call_id: str) -> None:
    assert valid_id(call_id, loose=True)
    assert not valid_id(call_id, loose=False)


@pytest.mark.parametrize(
    ("user", "extension"),
    [("@you", "210"), ("", "210"), ("12/3", "210"), ("@me", ""), ("@me", "21a"), ("@me", "1*2*3"),
     ("@me", "../210"), ("@me", "12345678901"), ("@me", "@all")],
)  # fmt: skip
def test_no_place_is_made_of_what_is_no_user_or_extension(user: str, extension: str) -> None:
    with pytest.raises(ValueError, match="of VoipNow"):
        Place(user, extension)


@pytest.mark.parametrize(
    ("number", "prefix", "forms"),
    [
        ("210", "0003", ("0003*210", "210")),
        ("210", None, ("210",)),
        ("0003*210", None, ("0003*210", "210")),
        ("0009*210", "0003", ("0009*210", "210")),
        ("210@sip.example", "0003", ("0003*210", "210")),
        ("+390273210", "0003", ("390273210",)),
        ("reception", "0003", ()),
        ("", "0003", ()),
    ],
)
def test_an_extension_is_asked_for_in_full_first(
    number: str, prefix: str | None, forms: tuple[str, ...]
) -> None:
    assert extensions(number, prefix) == forms


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("0003*210", "210", True),
        ("210", "0003*210", True),
        ("0003*210", "0003*210", True),
        ("0003*210", "0004*210", False),
        ("0003*210@sip.example", "210", True),
        ("210", "211", False),
        ("1210", "210", False),
        ("", "", False),
        ("0003*210", "", False),
    ],
)
def test_short_and_extended_numbers_are_one_extension(one: str, other: str, *, alike: bool) -> None:
    assert same(one, other) is alike


# documents


@pytest.mark.parametrize(
    "document",
    [
        CALL,
        [CALL],
        {"entry": [CALL]},
        {"entry": CALL},
        {"entry": {CALL["id"]: CALL}},
        {"entry": {CALL["id"]: {"phoneCallView": [VIEW]}}},
        [{**CALL, "phoneCallView": VIEW}],
        [{**CALL, "phoneCallView": {"01": VIEW}}],
    ],
)
def test_a_call_is_unwrapped_from_every_envelope(document: Any) -> None:
    [call] = page(document).calls
    assert (call.id, call.views[0].id) == (CALL["id"], "01")
    read = read_call(document, CALL["id"], loose=False)
    assert read == call


@pytest.mark.parametrize(
    "document",
    [[], {"entry": []}, {"entry": {}}, {"entry": None}, {"totalResults": "0"}, {"totalResults": 0}],
)
def test_an_empty_list_is_one(document: Any) -> None:
    assert page(document).calls == ()
    assert read_call(document, "a", loose=False) is None


@pytest.mark.parametrize(
    "document",
    [
        {}, 7, "text", None, {"sim": 1}, {"totalResults": 3}, {"entry": 7}, {"entry": "x"}, [7],
        [{}], [{"id": ""}], [{"id": "a/b"}], [{"id": "a", "phoneCallView": 7}],
        [{"id": "a", "phoneCallView": ["x"]}], [{"id": "a", "phoneCallView": [{"id": ""}]}],
        [{"id": "a", "phoneCallView": [{"id": 'x"}'}]}], {"entry": {"a": 7}},
    ],
)  # fmt: skip
def test_what_is_no_list_of_calls_is_an_error(document: Any) -> None:
    with pytest.raises(ValueError):
        page(document)


@pytest.mark.parametrize("document", [{}, [], {"entry": []}, 7, None, [7], {"link": {}}])
def test_an_action_that_answers_without_a_call_is_an_error(document: Any) -> None:
    with pytest.raises(ValueError):
        some_call(document)


def test_the_id_that_was_asked_for_stays_the_truth() -> None:
    call = read_call(CALL, "444444", loose=False)
    assert call is not None
    assert call.id == "444444"
    other = {**CALL, "id": "other"}
    with pytest.raises(ValueError, match="several"):
        read_call([CALL, other], "444444", loose=False)
    named = read_call([other, CALL], CALL["id"], loose=False)
    assert named is not None
    assert named.id == CALL["id"]


@pytest.mark.parametrize(
    ("view", "recorded"),
    [
        ({"recording": "2012-06-13T15:52:19+02:00"}, True),
        ({"recording": "whatever"}, True),
        ({"recording": 1}, True),
        ({}, False),
        ({"recording": None}, False),
        ({"recording": ""}, False),
    ],
)
def test_a_view_is_recorded_while_the_field_is_there(view: Any, *, recorded: bool) -> None:
    [call] = page([{**CALL, "phoneCallView": [VIEW | view]}]).calls
    assert bool(call.recorded) is recorded
    assert not call.without("01").recorded


def test_leading_zeros_of_a_views_id_stay() -> None:
    [call] = page([{**CALL, "phoneCallView": [{"id": "00"}]}]).calls
    assert call.views[0].id == "00"


def test_views_on_a_call_come_first() -> None:
    views = [{**VIEW, "id": "00", "status": "3"}, {**VIEW, "id": "01", "status": 5}]
    [call] = page([{**CALL, "phoneCallView": views}]).calls
    assert [view.id for view in call.of("210")] == ["01", "00"]


def test_numbers_are_short_lines() -> None:
    odd = {"id": "01", "extension": "2\r\n10", "source": "x" * 500, "destination": [None, 7]}
    [call] = page([{**CALL, "phoneCallView": [odd]}]).calls
    assert call.views[0].extension == "210"
    assert len(call.views[0].source[0]) == 64
    assert call.views[0].destination == ("7",)


def test_times_are_read_with_their_offset_and_shifted_by_whole_hours() -> None:
    call = {
        **CALL,
        "published": "2012-06-13T15:52:19+02:00",
        "answered": "2012-06-13T15:52:21+03:00",
    }
    [read] = page([call]).calls
    assert read.times == (1339595539.0, 1339595541.0 - 3600)
    exact, shifted = (read.candidate("210", shifted=shift).began for shift in (False, True))
    assert exact == read.times
    assert 1339595541.0 in shifted
    assert len(shifted) == 50


@pytest.mark.parametrize("time", ["", "yesterday", 7, None, "9999-99-99", [1]])
def test_a_time_that_is_none_is_left_out(time: Any) -> None:
    [call] = page([{**CALL, "published": time}]).calls
    assert call.times == ()


def test_the_remote_party_of_a_call_is_who_is_not_the_extension() -> None:
    [call] = page([CALL]).calls
    assert call.candidate("210").numbers == ("555",)
    assert call.involves("210")
    assert not call.involves("211")
    assert call.id in call.label
    assert PhoneCall("a").label == "call a"


# links


@pytest.mark.parametrize(
    ("link", "place"),
    [
        ("https://192.0.2.1/uapi/phoneCalls/@me/0003*210/a", ME),
        ("https://192.0.2.1//uapi/phoneCalls//@me/0003*210/a", ME),
        ("https://192.0.2.1/uapi/phoneCalls/%40me/0003%2A210/a/", ME),
        ("https://192.0.2.1/uapi/phoneCalls/@me/a", None),
        ("https://192.0.2.1/uapi/phoneCalls/@you/0003*210/a", None),
        ("https://192.0.2.1/other/phoneCalls/@me/0003*210/a", None),
        ("http://[broken", None),
        (7, None),
    ],
)
def test_of_a_calls_link_only_the_place_is_taken(link: Any, place: Place | None) -> None:
    for key in ("link", "links"):
        [call] = page([{**CALL, key: {"self": link}}]).calls
        assert call.place == place


@pytest.mark.parametrize(
    ("link", "following"),
    [
        ("https://192.0.2.1//uapi/phoneCalls/@me/0003*210?count=1&startIndex=1", 1),
        ("/uapi/phoneCalls/%40me/0003%2A210/?startIndex=5", 5),
        ("https://192.0.2.1/uapi/phoneCalls/@me/0003*210?startIndex=0", None),
        ("https://192.0.2.1/uapi/phoneCalls/@me/0003*210?startIndex=-1", None),
        ("https://192.0.2.1/uapi/phoneCalls/@me/0003*210?startIndex=1000000000", None),
        ("https://192.0.2.1/uapi/phoneCalls/@me/9*9?startIndex=1", None),
        ("https://192.0.2.1/steal?startIndex=1", None),
        ("http://[broken", None),
        (7, None),
    ],
)
def test_of_a_link_to_the_next_page_only_the_index_is_taken(
    link: Any, following: int | None
) -> None:
    assert page({"entry": [CALL], "paging": {"next": link}}).following == following
    assert page({"entry": [CALL], "next": link}).following == following


@pytest.mark.parametrize(
    ("total", "start", "following"), [(1, 0, None), ("2", 0, 1), (2, 1, None), ("x", 0, None)]
)
def test_without_a_link_the_total_says_whether_there_is_more(
    total: Any, start: int, following: int | None
) -> None:
    assert page({"entry": [CALL], "totalResults": total}, start).following == following
