# SPDX-License-Identifier: Apache-2.0
"""What an answer of Genesys means: codes before statuses, and the table's every row."""

import json
import time

import pytest

from bridges.genesys.answers import CODES, TABLE, Answer, Case, Next, read, unavailable
from bridges.model import Evidence
from bridges.shared.http_line import Ending, Exchange


def exchange(status: int, body: object = b"", ending: Ending = Ending.ANSWERED) -> Exchange:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Exchange(time.time(), 0.1, "GET x", f"HTTP {status}", ending, status, {}, raw)


@pytest.mark.parametrize("code", range(21))
@pytest.mark.parametrize("status", [200, 400, 403, 404, 500, 503])
def test_a_documented_code_decides_whatever_the_status(code: int, status: int) -> None:
    answer = read(exchange(status, {"statusCode": code, "statusMessage": "m"}))
    assert (answer.case, answer.code, answer.message) == (CODES[code], code, "m")
    assert answer.case.value == str(code)
    assert read(exchange(status, {"statusCode": str(code)})).case is CODES[code]


@pytest.mark.parametrize(
    ("status", "body", "case"),
    [
        pytest.param(400, {"statusCode": 21}, Case.OTHER, id="other-code"),
        pytest.param(200, {"statusCode": -1}, Case.OTHER, id="negative-code"),
        pytest.param(500, {"statusCode": 99}, Case.OTHER_FAULT, id="other-code-5xx"),
        pytest.param(403, b"Missing or invalid Csrf token", Case.CSRF, id="403-csrf"),
        pytest.param(403, b"", Case.NOT_ALLOWED, id="403-empty"),
        pytest.param(403, b"<html>no</html>", Case.NOT_ALLOWED, id="403-other"),
        pytest.param(403, {"error": "x"}, Case.NOT_ALLOWED, id="403-json-without-code"),
        pytest.param(401, b"", Case.UNAUTHORIZED, id="401"),
        pytest.param(404, b"<html>", Case.NO_PATH, id="404-html"),
        pytest.param(400, b"<html>", Case.BAD_REQUEST, id="400-no-json"),
        pytest.param(429, b"", Case.BUSY, id="429"),
        pytest.param(503, b"down", Case.BUSY, id="503-no-json"),
        pytest.param(502, b"", Case.GATEWAY, id="502"),
        pytest.param(504, b"", Case.GATEWAY, id="504"),
        pytest.param(500, b"oops", Case.FAULT, id="500-no-json"),
        pytest.param(302, b"", Case.REDIRECT, id="3xx"),
        pytest.param(200, b"", Case.JUNK, id="200-empty"),
        pytest.param(200, b"<html>", Case.JUNK, id="200-html"),
        pytest.param(200, {"statusCode": None}, Case.JUNK, id="code-null"),
        pytest.param(200, {"statusCode": True}, Case.JUNK, id="code-bool"),
        pytest.param(200, {"statusCode": 0.0}, Case.JUNK, id="code-float"),
        pytest.param(200, {"statusCode": "zero"}, Case.JUNK, id="code-word"),
        pytest.param(200, b"\xff\xfe", Case.JUNK, id="no-utf-8"),
        pytest.param(200, [], Case.MESSAGES, id="200-list"),
        pytest.param(500, [], Case.FAULT, id="500-list"),
    ],
)
def test_every_other_answer_has_its_case(status: int, body: object, case: Case) -> None:
    assert read(exchange(status, body)).case is case


@pytest.mark.parametrize("ending", [e for e in Ending if e is not Ending.ANSWERED])
def test_every_ending_of_the_network_has_its_case(ending: Ending) -> None:
    assert read(exchange(0, b"", ending)).case.value == ending.value.replace("_", "-")


def test_every_case_has_a_row_for_both_kinds_of_request() -> None:
    assert set(TABLE) == {(request, case) for request in ("read", "command") for case in Case}


def test_only_code_0_is_accepted_and_nothing_is_proven_by_an_answer_to_a_command() -> None:
    for (request, case), row in TABLE.items():
        assert (row.next in {Next.PROVE, Next.USE}) is (case is Case.DONE), case
        if request == "command":
            most = Evidence.ACCEPTED if case is Case.DONE else Evidence.SENT
            assert row.evidence <= most, case
        else:
            assert row.next not in {Next.PROVE, Next.LOOK}, case


@pytest.mark.parametrize("case", [Case.LOGIN, Case.UNAUTHORIZED, Case.PASSWORD])
def test_what_may_lock_an_account_is_never_tried_again_by_itself(case: Case) -> None:
    assert not TABLE["read", case].retryable
    assert not TABLE["command", case].retryable


def test_an_answer_does_not_show_its_body() -> None:
    secret = "4111111111111111"
    answer = read(exchange(200, {"statusCode": 0, "call": {"userData": {"card": secret}}}))
    assert secret not in repr(answer)
    assert answer.member("call") is not None
    assert Answer(Case.JUNK, answer.exchange).member("call") is None


@pytest.mark.parametrize("case", list(Case))
def test_a_failed_probe_names_cause_and_fix(case: Case) -> None:
    cause, fix = unavailable(Answer(case, exchange(200)))
    assert cause in {"unreachable", "untrusted", "refused"}
    assert fix
