# SPDX-License-Identifier: Apache-2.0
"""The judgement of status and body, row by row."""

import pytest

from noojee import Kind
from noojee.answers import judge, judge_array, judge_coded, judge_time
from noojee.errors import NoojeeError, error_for
from noojee.redact import Redactor

REDACT = Redactor("f863246a-973e-11e6-8784-08002718f5b5")
HTML = b"<!DOCTYPE html><html><body>Down for maintenance</body></html>"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b'{"Message":"Channel Hungup","Code":0}', Kind.DONE),
        (200, b'\xef\xbb\xbf {"code":0,"message":"OK"}\r\n', Kind.DONE),
        (200, b'{"CODE":"0"}', Kind.DONE),
        (200, b'{"Code":" 0 "}', Kind.DONE),
        (200, b'{"Message":"note","Code":1}', Kind.WARNING),
        (200, b"", Kind.UNCONFIRMED),
        (200, b" \r\n", Kind.UNCONFIRMED),
        (200, b'{"Message":"Expired TimeStamp","Code":-1}', Kind.EXPIRED),
        (200, b'{"message":" expired timestamp ","code":"-1"}', Kind.EXPIRED),
        (401, b'{"Message":"Expired TimeStamp","Code":-1}', Kind.EXPIRED),
        (200, b'{"Message":"Expired TimeStamp","Code":0}', Kind.DONE),
        (200, b'{"Message":"no such call","Code":-2}', Kind.REFUSED),
        (400, b'{"Message":"no such call","Code":-2}', Kind.REFUSED),
        (500, b'{"Message":"no such call","Code":-2}', Kind.REFUSED),
        (200, HTML, Kind.JUNK),
        (200, b"done", Kind.JUNK),
        (200, b"{}", Kind.JUNK),
        (200, b"[]", Kind.JUNK),
        (200, b"0", Kind.JUNK),
        (200, b'{"Code":null}', Kind.JUNK),
        (200, b'{"Code":false}', Kind.JUNK),
        (200, b'{"Code":0.0}', Kind.JUNK),
        (200, b'{"Code":"zero"}', Kind.JUNK),
        (200, b'{"Code":"-+1"}', Kind.JUNK),
        (200, b'{"Code":0,"code":-1}', Kind.JUNK),
        (200, b'{"Code":0', Kind.JUNK),
        (200, b'{"Message":"\xff","Code":0}', Kind.JUNK),
        (200, b"[" * 100_000, Kind.JUNK),
        (200, b'{"Code":' + b"9" * 5000 + b"}", Kind.JUNK),
        (201, b'{"Code":0}', Kind.JUNK),
        (204, b"", Kind.JUNK),
        (302, b"", Kind.REDIRECT),
        (302, b'{"Code":0}', Kind.REDIRECT),
        (401, b"", Kind.FORBIDDEN),
        (403, HTML, Kind.FORBIDDEN),
        (404, HTML, Kind.CLIENT_ERROR),
        (405, HTML, Kind.CLIENT_ERROR),
        (400, b'{"Message":"DNC","Code":104}', Kind.CLIENT_ERROR),
        (500, HTML, Kind.SERVER_ERROR),
        (503, b"", Kind.SERVER_ERROR),
        (500, b'{"Code":0}', Kind.SERVER_ERROR),
    ],
)
def test_a_verb_is_judged_by_status_and_code_together(status: int, body: bytes, kind: Kind) -> None:
    assert judge(status, body, REDACT).kind is kind


def test_an_empty_answer_is_no_success_where_a_code_is_documented() -> None:
    assert judge_coded(200, b"", REDACT).kind is Kind.JUNK
    assert judge_coded(200, b'{"Code":0}', REDACT).kind is Kind.DONE


def test_metadata_succeeds_by_a_bare_array_alone() -> None:
    assert judge_array(200, b"[]", REDACT).kind is Kind.DONE
    assert judge_array(200, b'{"Code":0}', REDACT).kind is Kind.JUNK
    assert judge_array(200, b"", REDACT).kind is Kind.JUNK
    assert judge_array(200, b'{"Message":"x","Code":-1}', REDACT).kind is Kind.REFUSED
    assert judge_array(429, b"[]", REDACT).kind is Kind.CLIENT_ERROR


@pytest.mark.parametrize("body", [b"1392356108888", b"1392356108888\r\n", b" 1392356108888\n"])
def test_the_server_time_keeps_its_digits_and_loses_its_line_end(body: bytes) -> None:
    answer = judge_time(200, body, REDACT)
    assert (answer.kind, answer.message) == (Kind.DONE, "1392356108888")


@pytest.mark.parametrize(
    "body",
    [b"", b"13923.0", b'"1392356108888"', b"-1", HTML, b'{"Code":0}', b"1" * 21, "١٣".encode()],
)
def test_the_server_time_is_digits_or_nothing(body: bytes) -> None:
    assert judge_time(200, body, REDACT).kind is Kind.JUNK
    assert judge_time(500, body, REDACT).kind is Kind.SERVER_ERROR


def test_the_text_of_a_refusal_is_one_short_line_without_secrets() -> None:
    key = "f863246a-973e-11e6-8784-08002718f5b5"
    text = f"bad\\napiKey={key} hash=abc for 4111 1111 1111 1111 {'x' * 900}"
    answer = judge(200, f'{{"Message":"{text}","Code":-1}}'.encode(), REDACT)
    assert key not in answer.message
    assert "abc" not in answer.message
    assert "4111" not in answer.message
    assert "\n" not in answer.message
    assert len(answer.message) <= 300


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.DONE])
def test_every_kind_but_done_has_an_error_that_names_it(kind: Kind) -> None:
    answer = judge(200, b'{"Message":"m","Code":-3}', REDACT)
    error = error_for(type(answer)(kind, 200, -3, "m"), "stop")
    assert isinstance(error, NoojeeError)
    assert (error.operation, error.status, error.code, error.kind) == ("stop", 200, -3, kind)
    assert error.message.startswith("stop: the server ")
    assert "\n" not in str(error)


def test_a_failed_request_for_the_time_never_counts_as_perhaps_done() -> None:
    answer = judge_time(503, b"", REDACT)
    assert not error_for(answer, "Time").maybe_done
    assert error_for(answer, "stop").maybe_done


def test_an_error_for_another_waiter_says_the_same() -> None:
    error = error_for(judge_time(503, b"", REDACT), "Time")
    copy = error.again()
    assert copy is not error
    assert type(copy) is type(error)
    names = ("message", "operation", "status", "code", "kind", "retryable", "maybe_done")
    assert [getattr(copy, name) for name in names] == [getattr(error, name) for name in names]
