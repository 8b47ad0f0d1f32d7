# SPDX-License-Identifier: Apache-2.0
"""Tokens: made once, kept as hashes, found, expired, revoked, and never readable by others."""

import json
from pathlib import Path

import pytest

from offrecord.base.errors import Exit, UserError
from offrecord.web.tokens import PREFIX, Scope, Tokens


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens(tmp_path / "lib" / "tokens.json")


def test_a_token_is_found_and_its_text_is_kept_nowhere(tokens: Tokens) -> None:
    token = tokens.add("crm", ["press", "read"])
    assert token.startswith(PREFIX)
    assert len(token) > 40
    client = tokens.find(token)
    assert client is not None
    assert (client.name, client.scopes) == ("crm", ("read", "press"))
    assert client.may(Scope.PRESS)
    assert not client.may(Scope.AUDIT)
    assert token not in tokens.path.read_text()
    assert tokens.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("given", ["", "or_", "or_" + "A" * 43, "crm", "Bearer x", "\x00é"])
def test_anything_else_is_nobodys(tokens: Tokens, given: str) -> None:
    tokens.add("crm", ["read"])
    assert tokens.find(given) is None


def test_a_token_ends_in_its_time(tokens: Tokens) -> None:
    token = tokens.add("crm", ["read"], expires=1000)
    assert tokens.find(token, now=999.9) is not None
    assert tokens.find(token, now=1000) is None


def test_what_another_process_changes_counts_at_once(tokens: Tokens) -> None:
    daemon = Tokens(tokens.path)
    assert daemon.clients() == []
    token = tokens.add("crm", ["read"])
    assert daemon.find(token) is not None
    tokens.revoke("crm")
    assert daemon.find(token) is None
    again = tokens.add("crm", ["read"])
    tokens.path.unlink()
    assert daemon.find(again) is None


@pytest.mark.parametrize(
    ("name", "scopes", "says"),
    [
        ("", ["read"], "cannot be called"),
        ("a b", ["read"], "cannot be called"),
        ("../x", ["read"], "cannot be called"),
        ("x" * 65, ["read"], "cannot be called"),
        ("crm", ["read"], "crm has a token"),
        ("other", [], "good for nothing"),
        ("other", ["everything"], "good for nothing"),
    ],
)
def test_what_cannot_be_is_refused(tokens: Tokens, name: str, scopes: list[str], says: str) -> None:
    token = tokens.add("crm", ["read"])
    with pytest.raises(UserError, match=says):
        tokens.add(name, scopes)
    assert [one.name for one in tokens.clients()] == ["crm"]
    assert tokens.find(token) is not None


def test_only_who_has_one_can_lose_it(tokens: Tokens) -> None:
    tokens.add("crm", ["read"])
    with pytest.raises(UserError, match="there are: crm") as caught:
        tokens.revoke("board")
    assert caught.value.exit is Exit.NOT_FOUND


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"tokens": [{}]}', '{"tokens": [{"name": "a", "scopes": 3}]}', "\x00"]
)
def test_a_broken_file_opens_nothing_and_says_where(tokens: Tokens, text: str) -> None:
    token = tokens.add("crm", ["read"])
    tokens.path.write_text(text)
    with pytest.raises(UserError, match="it is no file of tokens") as caught:
        tokens.find(token)
    assert str(tokens.path) in str(caught.value)


def test_a_file_that_others_can_read_is_not_used(tokens: Tokens) -> None:
    token = tokens.add("crm", ["read"])
    tokens.path.chmod(0o640)
    with pytest.raises(UserError, match="chmod 600"):
        tokens.find(token)


def test_the_file_is_plain_json(tokens: Tokens) -> None:
    tokens.add("crm", ["read", "metrics"], expires=5)
    (one,) = json.loads(tokens.path.read_text())["tokens"]
    assert (one["name"], one["scopes"], one["expires"]) == ("crm", ["read", "metrics"], 5)
    assert len(one["hash"]) == 64
