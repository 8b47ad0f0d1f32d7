# SPDX-License-Identifier: Apache-2.0
"""Metadata and live calls are read as the server writes them."""

from noojee.recordings import read_legs, read_poll


def test_both_dialects_of_a_leg_are_read_as_texts() -> None:
    legs = read_legs(
        [
            {"Source": "410", "UniqueId": "1.2", "Start": "2014-02-13", "Direction": "2"},
            {"source": "411", "Direction": "Inbound", "callend": "later", "Leg": 3, "Tag": None,
             "CallRecordId": "9", "DID": "0383208100", "new": "field"},
        ]
    )  # fmt: skip
    assert legs is not None
    assert (legs[0].source, legs[0].unique_id, legs[0].direction) == ("410", "1.2", "2")
    assert (legs[1].leg, legs[1].tag, legs[1].call_end) == ("3", "", "later")
    assert (legs[1].call_record_id, legs[1].did) == ("9", "0383208100")


def test_an_entry_that_is_no_object_makes_the_answer_unreadable() -> None:
    assert read_legs([]) == ()
    assert read_legs([{}, "x"]) is None


def test_a29_the_sequence_beside_the_data_wins_over_the_one_inside() -> None:
    entry = {"CallData": {"uniqueCallId": "1.2", "status": "Connected", "seq": 3}, "Code": 0}
    outer = read_poll({"Data": {"410": [entry]}, "seq": 7, "Code": 0})
    inner = read_poll({"Data": {"410": [entry]}, "Code": 0})
    assert outer is not None
    assert inner is not None
    assert (outer.sequence, inner.sequence) == (7, 3)
    assert [(c.extension, c.unique_id, c.status) for c in outer.calls] == [
        ("410", "1.2", "Connected")
    ]


def test_a_poll_without_any_sequence_is_unreadable_rather_than_a_loss_of_events() -> None:
    for document in ({}, {"Data": {}}, {"Data": None, "seq": True}, {"Data": [], "seq": "x"}, None):
        assert read_poll(document) is None
    assert read_poll({"Data": {}, "seq": "12"}) is not None
