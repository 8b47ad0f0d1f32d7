# SPDX-License-Identifier: Apache-2.0
"""What every answer of Imagicle means: the table, the reasons, the cases of exchanges."""

import pytest

from bridges.imagicle.answers import TABLE, Case, Next, case_of, reason
from bridges.imagicle.messages import Op
from bridges.model import Evidence, Outcome
from bridges.shared.http_line import Ending, Exchange

STOPS = (Op.STOP_ID, Op.STOP_LINE)
CHANGES = (Op.PAUSE_ID, Op.PAUSE_LINE, Op.RESUME_ID, Op.RESUME_LINE)


def exchange(status: int = 0, body: bytes = b"", ending: Ending = Ending.ANSWERED) -> Exchange:
    return Exchange(0.0, 0.0, "sent", "said", ending, status, {}, body)


def test_every_request_and_case_has_its_row() -> None:
    assert set(TABLE) == {(op, case) for op in Op for case in Case}


def test_only_a_yes_is_ever_more_than_failed() -> None:
    for (op, case), row in TABLE.items():
        yes = case is Case.DONE or (case is Case.STATE and op in CHANGES)
        assert (row.next is Next.VERIFY) is yes, (op, case)
        assert row.outcome is (Outcome.ACCEPTED if yes else Outcome.FAILED), (op, case)


@pytest.mark.parametrize(
    ("op", "case", "step", "retryable"),
    [
        pytest.param(op, case, step, retryable, id=f"{op}-{case}")
        for op in STOPS
        for case, step, retryable in (
            (Case.DONE, Next.VERIFY, True),
            (Case.REASON_0, Next.END if op is Op.STOP_ID else Next.READDRESS, False),
            (Case.REASON_1, Next.CONTAIN, False),
            (Case.REASON_2, Next.CONTAIN, False),
            (Case.REASON_OTHER, Next.END, False),
            (Case.UNAUTHORIZED, Next.END, False),
            (Case.FORBIDDEN, Next.END, False),
            (Case.NOT_FOUND, Next.END, False),
            (Case.CONFLICT, Next.LOOK, True),
            (Case.STATE, Next.END, False),
            (Case.SERVER_ERROR, Next.REPEAT, True),
            (Case.UNLICENSED, Next.END, False),
            (Case.SHORTAGE, Next.ELSEWHERE, True),
            (Case.SERVICE_AWAY, Next.ELSEWHERE, True),
            (Case.NO_ANSWER, Next.ELSEWHERE, True),
            (Case.NOT_CONNECTED, Next.ELSEWHERE, True),
            (Case.UNTRUSTED, Next.END, False),
            (Case.HELD_BACK, Next.END, False),
        )
    ],
)
def test_a_row_of_the_table_for_stops(op: Op, case: Case, step: Next, *, retryable: bool) -> None:
    row = TABLE[op, case]
    assert (row.next, row.retryable) == (step, retryable)


def test_only_what_left_and_was_not_refused_may_have_been_done() -> None:
    maybe = {Case.DONE, Case.SERVER_ERROR, Case.UNKNOWN, Case.NO_ANSWER}
    for op in (*STOPS, Op.START):
        assert {case for case in Case if TABLE[op, case].maybe_done} == maybe


@pytest.mark.parametrize(
    ("op", "status", "body", "case"),
    [
        (Op.STOP_ID, 204, b"", Case.DONE),
        (Op.STOP_ID, 200, b"", Case.UNKNOWN),
        (Op.STOP_LINE, 202, b"", Case.UNKNOWN),
        (Op.PAUSE_ID, 200, b"{}", Case.UNKNOWN),
        (Op.LIST, 200, b"[]", Case.DONE),
        (Op.LIST, 204, b"", Case.UNKNOWN),
        (Op.START, 201, b'{"id": "75A90276-E47E-4e9e-B463-E3C743D5FF3A"}', Case.DONE),
        (Op.START, 201, b'{"id": 7}', Case.UNKNOWN),
        (Op.START, 201, b"", Case.UNKNOWN),
        (Op.START, 204, b"", Case.UNKNOWN),
        (Op.STOP_ID, 302, b"", Case.UNKNOWN),
        (Op.STOP_ID, 400, b"", Case.REASON_OTHER),
        (Op.STOP_ID, 401, b"", Case.UNAUTHORIZED),
        (Op.STOP_ID, 403, b"", Case.FORBIDDEN),
        (Op.STOP_ID, 404, b"", Case.NOT_FOUND),
        (Op.STOP_ID, 409, b"", Case.CONFLICT),
        (Op.STOP_ID, 429, b"", Case.STATE),
        (Op.STOP_ID, 500, b"", Case.SERVER_ERROR),
        (Op.STOP_ID, 501, b"", Case.UNLICENSED),
        (Op.STOP_ID, 502, b"", Case.UNKNOWN),
        (Op.STOP_ID, 503, b"", Case.SHORTAGE),
        (Op.STOP_ID, 504, b"", Case.SERVICE_AWAY),
    ],
)
def test_a_status_is_a_case(op: Op, status: int, body: bytes, case: Case) -> None:
    assert case_of(op, exchange(status, body)) is case


@pytest.mark.parametrize(
    ("ending", "case"),
    [
        (Ending.NOT_CONNECTED, Case.NOT_CONNECTED),
        (Ending.UNTRUSTED, Case.UNTRUSTED),
        (Ending.NO_ANSWER, Case.NO_ANSWER),
        (Ending.TOO_LONG, Case.UNKNOWN),
    ],
)
def test_an_exchange_without_an_answer_is_a_case(ending: Ending, case: Case) -> None:
    assert case_of(Op.STOP_ID, exchange(ending=ending)) is case


@pytest.mark.parametrize(
    ("op", "body", "case"),
    [
        (Op.STOP_ID, b'{"reason": 0}', Case.REASON_0),
        (Op.STOP_ID, b'{"reason": 1, "deviceName": "SEP1"}', Case.REASON_1),
        (Op.STOP_ID, b'{"Reason": 2}', Case.REASON_2),
        (Op.STOP_ID, b'{"reason": "2"}', Case.REASON_2),
        (Op.STOP_ID, b'{"reason": "LineNotTapiMonitored"}', Case.REASON_1),
        (Op.STOP_LINE, b'{"reason": "DeviceAutomaticRecording"}', Case.REASON_2),
        (Op.STOP_LINE, b'{"reason": "MissingParameters"}', Case.REASON_0),
        (Op.STOP_ID, b'{"reason": "InvalidGuid"}', Case.REASON_0),
        (Op.START, b'{"reason": "InvalidMode"}', Case.REASON_2),
        (Op.START, b'{"reason": 3}', Case.REASON_3),
        (Op.START, b'{"reason": 4}', Case.REASON_4),
        (Op.STOP_ID, b'{"reason": 3}', Case.REASON_OTHER),
        (Op.START, b'{"reason": 5}', Case.REASON_OTHER),
        (Op.STOP_ID, b'{"reason": -1}', Case.REASON_OTHER),
        (Op.STOP_ID, b'{"reason": true}', Case.REASON_OTHER),
        (Op.STOP_ID, b'{"reason": 1.0}', Case.REASON_OTHER),
        (Op.STOP_ID, b'{"reason": null}', Case.REASON_OTHER),
        (Op.STOP_ID, b'{"reason": "Surprise"}', Case.REASON_OTHER),
        (Op.STOP_ID, b'{"reason": "TapiAuto"}', Case.REASON_OTHER),
        (Op.STOP_ID, b"{}", Case.REASON_OTHER),
        (Op.STOP_ID, b"[0]", Case.REASON_OTHER),
        (Op.STOP_ID, b"<html>", Case.REASON_OTHER),
        (Op.STOP_ID, b"\xff", Case.REASON_OTHER),
    ],
)
def test_a_reason_is_a_number_digits_or_a_name_of_its_request(
    op: Op, body: bytes, case: Case
) -> None:
    assert reason(op, body) is case


@pytest.mark.parametrize(
    ("one", "case", "op", "level"),
    [
        (exchange(204), Case.DONE, Op.STOP_ID, Evidence.ACCEPTED),
        (exchange(200), Case.DONE, Op.LIST, Evidence.READ_BACK),
        (exchange(500), Case.SERVER_ERROR, Op.STOP_ID, Evidence.SENT),
        (exchange(ending=Ending.NO_ANSWER), Case.NO_ANSWER, Op.STOP_ID, Evidence.SENT),
        (exchange(ending=Ending.NOT_CONNECTED), Case.NOT_CONNECTED, Op.LIST, Evidence.NONE),
        (exchange(ending=Ending.UNTRUSTED), Case.UNTRUSTED, Op.LIST, Evidence.NONE),
    ],
)
def test_an_exchange_proves_no_more_than_it_says(
    one: Exchange, case: Case, op: Op, level: Evidence
) -> None:
    assert one.step(TABLE[op, case].evidence).evidence is level
