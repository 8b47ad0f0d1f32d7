# SPDX-License-Identifier: Apache-2.0
"""What holds for every answer, id, parameter and key, and not just for the examples."""

import contextlib
import hashlib
import json
from urllib.parse import parse_qsl

from hypothesis import example, given
from hypothesis import strategies as st

from noojee import Extension, Kind, UniqueId, sign
from noojee.answers import judge, judge_array, judge_time
from noojee.recordings import read_legs, read_poll
from noojee.redact import Redactor
from noojee.wire import query

KEYS = st.text(st.characters(codec="utf-8", categories=("L", "N")), min_size=8, max_size=40)
TEXTS = st.text(st.characters(codec="utf-8"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
REDACT = Redactor("f863246a-973e-11e6-8784-08002718f5b5")


@given(st.integers(100, 599), st.binary(max_size=200))
@example(200, b'{"Code":0}')
@example(200, b'{"code":"0"}')
def test_done_is_only_ever_a_200_with_a_code_of_zero(status: int, body: bytes) -> None:
    answer = judge(status, body, REDACT)
    if answer.kind is Kind.DONE:
        document = {key.lower(): value for key, value in json.loads(body).items()}
        assert status == 200
        assert int(document["code"]) == 0
    if answer.kind is Kind.UNCONFIRMED:
        assert (status, body.strip()) == (200, b"")


@given(st.integers(100, 599), JSON)
def test_any_json_is_judged_without_a_crash(status: int, document: object) -> None:
    body = json.dumps(document).encode()
    for judged in (judge, judge_array, judge_time):
        assert judged(status, body, REDACT).status == status
    read_poll(document)
    if isinstance(document, list):
        read_legs(document)


@given(st.sampled_from(["Code", "code", "CODE"]), st.integers(-999_999, 999_999), TEXTS)
def test_the_sign_of_the_code_decides_in_any_case_and_as_a_text(
    name: str, code: int, text: str
) -> None:
    for written in (code, str(code)):
        kind = judge(200, json.dumps({name: written, "Message": text}).encode(), REDACT).kind
        if code < 0:
            assert kind in {Kind.REFUSED, Kind.EXPIRED}
        else:
            assert kind is (Kind.WARNING if code else Kind.DONE)


@given(KEYS, TEXTS, TEXTS, st.integers(0, 2**63))
def test_no_answer_shows_the_key_or_a_hash_it_echoes(
    key: str, before: str, after: str, stamp: int
) -> None:
    redactor = Redactor(key)
    digest = sign(key, str(stamp))
    for secret in (key, digest):
        body = json.dumps({"Message": f"{before} {secret} {after}", "Code": -1}).encode()
        for status, sent in ((200, body), (500, f"{before} {secret} {after}".encode())):
            message = judge(status, sent, redactor).message
            assert secret not in message
            assert "\n" not in message
            assert len(message) <= 300


@given(st.lists(st.tuples(st.sampled_from("abc"), TEXTS)))
def test_parameters_survive_and_are_plain_ascii_without_plus(
    parameters: list[tuple[str, str]],
) -> None:
    written = query(parameters)
    assert written.isascii()
    assert not set(written) & set("+ \r\n\0#\"'<>")
    assert parse_qsl(written, keep_blank_values=True) == parameters


@given(TEXTS)
@example("12347811.214")
@example("410")
def test_no_text_is_both_an_extension_and_a_unique_id(text: str) -> None:
    taken = 0
    for kind in (Extension, UniqueId):
        with contextlib.suppress(ValueError):
            assert str(kind(text)) == text
            taken += 1
    assert taken <= 1


@given(KEYS, st.integers(0, 10**19))
def test_the_signature_is_the_hash_of_the_two_texts(key: str, stamp: int) -> None:
    expected = hashlib.sha256(key.encode() + b":" + str(stamp).encode()).hexdigest()
    assert sign(key, str(stamp)) == expected
