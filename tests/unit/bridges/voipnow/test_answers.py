# SPDX-License-Identifier: Apache-2.0
"""What every ending of a request to VoipNow is, and what it means."""

import json
from typing import Any, get_args

import pytest

from bridges.model import Evidence, Outcome
from bridges.shared.http_line import Ending, Exchange
from bridges.voipnow import VoipNowRecorder
from bridges.voipnow.answers import ACTIONS, TABLE, Case, Next, Request, error_code, read


def answer(status: int, body: bytes = b"") -> Exchange:
    return Exchange(0.0, 0.0, "GET x", "said", Ending.ANSWERED, status, {}, body)


def error(code: object) -> bytes:
    return json.dumps({"error": {"code": code, "message": "m"}}).encode()


CODED = [case for case in Case if case.value.startswith("400-") and case is not Case.CDR]


def test_every_request_and_case_has_its_row() -> None:
    assert set(TABLE) == {(request, case) for request in get_args(Request) for case in Case}


@pytest.mark.parametrize("case", CODED, ids=lambda case: case.value)
def test_a_documented_code_is_its_own_case(case: Case) -> None:
    assert read(answer(400, error(case.value.removeprefix("400-")))).case is case


@pytest.mark.parametrize(
    "code",
    [
        "cdr_start_date_invalid", "cdr_end_date_invalid", "cdr_source_invalid",
        "cdr_destination_invalid", "cdr_flow_invalid", "cdr_disposition_invalid",
        "cdr_save_start_date_invalid", "cdr_save_end_date_invalid", "cdr_invalid_date_parameters",
        "cdr_invalid_filter_by_answered", "cdr_invalid_filter_by_published",
        "cdr_invalid_filter_by_source", "cdr_invalid_filter_by_destination",
    ],
)  # fmt: skip
def test_the_codes_of_call_records_are_one_case(code: str) -> None:
    assert read(answer(400, error(code))).case is Case.CDR


@pytest.mark.parametrize(
    ("status", "body", "case"),
    [
        (200, b'{"id": "a"}', Case.OK),
        (200, b"[]", Case.OK),
        (200, b"", Case.JUNK),
        (200, b"<html>", Case.JUNK),
        (200, b'"text"', Case.JUNK),
        (200, b"7", Case.JUNK),
        (200, b"\xff", Case.JUNK),
        (200, b"[" * 100_000, Case.JUNK),
        (200, error("access_denied"), Case.JUNK),
        (200, b'{"error": "invalid_client"}', Case.JUNK),
        (201, b"{}", Case.JUNK),
        (206, b"{}", Case.JUNK),
        (202, b"{}", Case.ACCEPTED),
        (202, b"", Case.JUNK),
        (204, b"", Case.NO_CONTENT),
        (204, b"not looked at", Case.NO_CONTENT),
        (400, error("pce_id_invalid"), Case.BAD_REQUEST),
        (400, error(7), Case.BAD_REQUEST),
        (400, b"", Case.BAD_REQUEST),
        (400, b'{"error": "invalid_grant"}', Case.BAD_REQUEST),
        (401, error("access_denied"), Case.UNAUTHORISED),
        (401, error("access_denided"), Case.UNAUTHORISED),
        (401, b"", Case.UNAUTHORISED),
        (403, error("x"), Case.FORBIDDEN),
        (404, b"<html>", Case.NOT_FOUND),
        (405, b"", Case.CLIENT_ERROR),
        (409, b"", Case.CONFLICT),
        (413, b"", Case.TOO_LARGE),
        (429, b"", Case.TOO_MANY),
        (500, error("internal_server_error"), Case.SERVER_ERROR),
        (500, b"", Case.SERVER_ERROR),
        (501, error("request_not_implemented"), Case.NOT_IMPLEMENTED),
        (502, b"", Case.GATEWAY),
        (503, b"", Case.GATEWAY),
        (504, b"", Case.GATEWAY),
        (505, b"", Case.SERVER_ERROR),
        (301, b"", Case.REDIRECT),
        (308, b"", Case.REDIRECT),
        (101, b"", Case.JUNK),
        (600, b"", Case.JUNK),
    ],
)
def test_a_status_and_a_body_make_a_case(status: int, body: bytes, case: Case) -> None:
    assert read(answer(status, body)).case is case


@pytest.mark.parametrize("ending", [ending for ending in Ending if ending is not Ending.ANSWERED])
def test_an_ending_without_an_answer_is_a_case_of_its_name(ending: Ending) -> None:
    assert read(Exchange(0.0, 0.0, "", "", ending)).case.value == ending.value


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"error": {"code": "user_invalid", "message": "m"}}, "user_invalid"),
        ({"error": "invalid_client"}, "invalid_client"),
        ({"error": {}}, "unnamed"),
        ({"error": None}, ""),
        ({"id": "a"}, ""),
        ([], ""),
        (None, ""),
    ],
)
def test_an_error_is_read_in_both_of_its_shapes(document: Any, code: str) -> None:
    assert error_code(document) == code


def test_no_row_says_confirmed_and_only_a_success_is_a_yes() -> None:
    for (request, case), row in TABLE.items():
        assert row.outcome in {Outcome.ACCEPTED, Outcome.FAILED, Outcome.CALL_ENDED}
        if request in ACTIONS and row.outcome is Outcome.ACCEPTED:
            assert case in {Case.OK, Case.ACCEPTED, Case.NO_CONTENT}
            assert row.next in {Next.READ, Next.READ_AGAIN}
            assert row.evidence is Evidence.ACCEPTED
        assert row.evidence <= VoipNowRecorder.capabilities.best_evidence


def test_only_a_stop_is_repeated_when_it_may_have_been_done() -> None:
    again = {key for key, row in TABLE.items() if row.next is Next.READ_AGAIN}
    assert {request for request, _ in again} == {"stop"}
    for action in ACTIONS:
        certain = {case for (request, case), row in TABLE.items()
                   if request == action and row.next is Next.AGAIN}  # fmt: skip
        assert certain == {Case.CONFLICT, Case.TOO_MANY, Case.NOT_CONNECTED}


def test_nothing_is_sent_where_nobody_is_trusted_or_reached() -> None:
    for case in (Case.NOT_CONNECTED, Case.UNTRUSTED):
        for request in get_args(Request):
            assert TABLE[request, case].evidence is Evidence.NONE
