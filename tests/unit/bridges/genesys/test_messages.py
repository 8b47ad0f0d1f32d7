# SPDX-License-Identifier: Apache-2.0
"""Genesys' resources read from JSON, and what a call's state says before anything is sent."""

from typing import Any

import pytest

from bridges.genesys.messages import (
    OPERATIONS,
    Ready,
    call_of,
    calls_of,
    devices_of,
    is_call_uuid,
    outcome_of,
    proves,
    ready,
)
from bridges.genesys.notifications import CallWatch, RecordingChange, Uncertain, notification_of
from bridges.model import ORDERS, Outcome, Verb

CALL: dict[str, Any] = {
    "id": "01RCC3N118B1V0SL8O7GK2LAES00000V",
    "state": "Established",
    "callType": "Inbound",
    "deviceUri": "http://127.0.0.1:8080/api/v2/devices/d1",
    "participants": [{"phoneNumber": "15001", "digits": "15001", "e164Number": "+3215001"}],
    "capabilities": ["Hold", "StopCallRecording"],
    "recordingState": "Recording",
    "duration": "353",
}


def call(**more: Any) -> Any:
    found = call_of(CALL | more)
    assert found is not None
    return found


def test_the_shape_of_now_is_read() -> None:
    found = call()
    assert (found.device, found.parties, found.lasted) == ("d1", ("15001", "+3215001"), 353.0)
    assert "15001" in found.label
    assert "15001" not in found.told, "the journal needs no numbers of the other party"


def test_a18_the_older_shape_is_read() -> None:
    old = {"participants": ["15001"], "participantsInfo": [{"phoneNumber": "15001"}], "duration": 9}
    assert (call(**old).parties, call(**old).lasted) == (("15001",), 9.0)


@pytest.mark.parametrize("value", [None, [], "x", {}, {"id": 7}, {"id": ""}])
def test_what_is_no_call_is_none(value: object) -> None:
    assert call_of(value) is None
    assert calls_of([value, CALL]) == [call()]
    assert calls_of(value) == []


@pytest.mark.parametrize(
    "more",
    [
        {"participants": None, "capabilities": None, "duration": None, "deviceUri": 7},
        {"participants": [3, {"digits": 3}], "capabilities": [3], "duration": "soon"},
        {"recordingState": 3, "duration": True},
    ],
)
def test_members_of_another_type_are_absent(more: dict[str, Any]) -> None:
    assert call(**more).lasted is None or "duration" not in more


def test_devices_are_read() -> None:
    told = [{"id": "d1", "phoneNumber": "15000", "e164Number": ""}, {"id": 3}, "x"]
    assert [(d.id, d.numbers) for d in devices_of(told)] == [("d1", ("15000",))]
    assert devices_of(None) == []


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("01RCC3N118B1V0SL8O7GK2LAES00000V", True),
        ("007102719818001f", False),
        ("", False),
        ("0" * 33, False),
        ("../../../../../../../../../../../", False),
        ("01RCC3N118B1V0SL8O7GK2LAES00000\n", False),
    ],
)
def test_a4_only_32_letters_and_digits_are_a_uuid(text: str, *, good: bool) -> None:
    assert is_call_uuid(text) is good


STATES = ("Recording", "Paused", "Stopped", "", "Pausing")
SEND = {
    (Verb.STOP, "Recording"), (Verb.STOP, "Paused"), (Verb.PAUSE, "Recording"),
    (Verb.RESUME, "Paused"), (Verb.START, "Stopped"),
}  # fmt: skip


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("verb", list(ORDERS))
def test_every_state_and_verb(verb: Verb, state: str) -> None:
    what, why = ready(verb, call(recordingState=state, capabilities=[]))
    assert why
    if state == "":
        assert what is Ready.NOT_RECORDABLE
    elif state == "Pausing":  # nobody documents it: the proof decides
        assert what is Ready.SEND
    else:
        assert (what is Ready.SEND) is ((verb, state) in SEND)
        assert not (what is Ready.NOTHING and verb.silences and state == "Recording")


def test_what_is_not_told_but_offered_is_sent() -> None:
    for verb, operation in OPERATIONS.items():
        found = call(recordingState=None, capabilities=[operation])
        assert ready(verb, found)[0] is Ready.SEND


def test_only_a_state_that_was_read_is_nothing_to_stop() -> None:
    assert [w for w in Ready if outcome_of(w) is Outcome.NOTHING_TO_STOP] == [Ready.NOTHING]


def test_what_proves_a_verb() -> None:
    assert {(v, s) for v in ORDERS for s in STATES if proves(v, s)} == {
        (Verb.STOP, "Stopped"), (Verb.PAUSE, "Paused"), (Verb.PAUSE, "Stopped"),
        (Verb.RESUME, "Recording"), (Verb.START, "Recording"),
    }  # fmt: skip


# events


def event(kind: str = "CallRecordingStateChange", **more: Any) -> dict[str, Any]:
    return {"messageType": "CallStateChangeMessage", "notificationType": kind, "call": CALL | more}


def test_events_of_recordings_ends_and_errors_are_told_apart() -> None:
    assert notification_of("/v2/me/calls", event()) == RecordingChange(call())
    assert notification_of("/v2/me/calls", event("StatusChange")) is None
    assert notification_of("/v2/me/calls", event("AttachedDataChanged")) is None
    assert isinstance(
        notification_of("/v2/me/calls", event("StatusChange", state="Released")), Uncertain
    )
    error = notification_of("/v2/me/devices", {"messageType": "ErrorMessage"})
    assert isinstance(error, Uncertain)
    assert error.call_id is None
    for odd in ({}, {"messageType": "X"}, event() | {"call": None}):
        assert notification_of("/v2/me/calls", odd) is None


def test_a_watch_hears_its_own_call_alone() -> None:
    watch = CallWatch(CALL["id"])
    watch(RecordingChange(call(id="another")))
    watch(Uncertain("gone", "another"))
    assert (watch.state, watch.uncertain, watch.news.is_set()) == (None, [], False)
    watch(RecordingChange(call(recordingState="Stopped")))
    assert (watch.state, watch.news.is_set()) == ("Stopped", True)
    watch(Uncertain("an error"))
    assert watch.uncertain == ["an error"]
    watch.reset()
    assert (watch.state, watch.uncertain, watch.news.is_set()) == (None, [], False)
