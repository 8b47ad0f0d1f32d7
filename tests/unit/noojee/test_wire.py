# SPDX-License-Identifier: Apache-2.0
"""How requests are written, where they may go, and what is shown of them."""

from pathlib import Path

import pytest

import noojee
from noojee import wire
from noojee.redact import Redactor
from noojee.transport import tls_context

KEY = "f863246a-973e-11e6-8784-08002718f5b5"


def test_a_space_is_percent_twenty_and_everything_else_is_encoded() -> None:
    encoded = wire.query([("tag", "a b+c&d=e/é%"), ("exten", "*98#")])
    assert encoded == "tag=a%20b%2Bc%26d%3De%2F%C3%A9%25&exten=%2A98%23"


def test_half_a_surrogate_pair_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(ValueError, match="surrogate"):
        wire.query([("tag", "\ud800")])


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://pbx.example", "https://pbx.example"),
        ("https://pbx.example:8080/", "https://pbx.example:8080"),
        ("https://[::1]:8443", "https://[::1]:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost", "http://localhost"),
    ],
)
def test_the_origin_is_scheme_host_and_port(url: str, origin: str) -> None:
    assert wire.origin(url, plain_http=False) == origin


@pytest.mark.parametrize(
    "url",
    [
        "pbx.example",
        "ftp://pbx.example",
        "https://",
        "https://user:pass@pbx.example",
        "https://pbx.example/servicemanager/rest",
        "https://pbx.example?apiKey=x",
        "https://pbx.example:port",
        "http://pbx.example",
    ],
)
def test_an_address_that_is_more_or_less_than_that_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"address|server|clear"):
        wire.origin(url, plain_http=False)


def test_plain_http_to_another_machine_is_sent_only_when_said() -> None:
    assert wire.origin("http://pbx.example", plain_http=True) == "http://pbx.example"


def test_a_base_path_is_given_with_or_without_slashes() -> None:
    assert wire.path("servicemanager/rest/") == "/servicemanager/rest"
    assert wire.path("/") == ""
    with pytest.raises(ValueError, match="base path"):
        wire.path("/rest?x")


def test_a_url_echoed_by_the_server_is_shown_without_key_and_hash() -> None:
    echoed = f"https://h/stop?apiKey={KEY}&hash={'a' * 64}&timeStamp=1#{KEY.upper()}"
    shown = Redactor(KEY).server_text(echoed)
    assert shown == "https://h/stop?apiKey=***&hash=***&timeStamp=1#***"


def test_a_secret_cut_by_the_limit_of_a_long_text_is_not_shown_in_part() -> None:
    text = f"{KEY} " * 100
    for start in range(40):
        shown = Redactor(KEY).server_text(text[start:])
        assert not [part for part in shown.split()[1:] if part.strip("*…")]


def test_ids_of_a_call_stay_readable() -> None:
    text = "stopped 12347811.214 and pbx1-1700000000.7 on 410"
    assert Redactor(KEY).server_text(text) == text


def test_an_authority_that_is_no_certificate_is_named(tmp_path: Path) -> None:
    missing, junk = tmp_path / "missing.pem", tmp_path / "junk.pem"
    junk.write_text("junk")
    for path in (missing, junk):
        with pytest.raises(ValueError, match=str(path)):
            tls_context(path)


def test_every_exported_name_is_there() -> None:
    assert len(set(noojee.__all__)) == len(noojee.__all__)
    assert all(hasattr(noojee, name) for name in noojee.__all__)
