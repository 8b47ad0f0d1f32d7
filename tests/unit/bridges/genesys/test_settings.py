# SPDX-License-Identifier: Apache-2.0
"""The settings of a Genesys recorder, and its accounts from the table and from a file."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bridges.genesys import GenesysSettings
from offrecord.base.secrets import Secret
from offrecord.config import load, recorder_settings

FRED = {"fred": {"username": "f.flint", "password": Secret("yabba-dabba")}}


def settings(**more: Any) -> GenesysSettings:
    return GenesysSettings(**({"url": "https://gws.example:8090", "accounts": FRED} | more))


def test_the_origin_is_that_of_the_address_unless_told() -> None:
    assert settings().sent_origin == "https://gws.example:8090"
    assert settings(origin="https://pbx.example").sent_origin == "https://pbx.example"
    assert settings(api_path="/api/v2/").api_path == "/api/v2"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"accounts": {}}, "nobody can log in"),
        ({"origin": "https://pbx.example/path"}, "origin"),
        ({"api_path": "api"}, "no path"),
        ({"api_path": "/api?x"}, "no path"),
        ({"url": "http://gws.example"}, "http"),
        ({"keep_warm": 30}, "25"),
        ({"uuid_variable": "a b"}, "pattern"),
        ({"accounts": {"fred": {"username": "f:x", "password": Secret("abcdef")}}}, "pattern"),
        ({"accounts": {"fred": {"username": "f", "password": "abcdef"}}}, "SecretText"),
        ({"unknown": 1}, "Extra"),
        ({"accounts_file": "/nowhere/accounts"}, "accounts_file"),
    ],
)
def test_what_cannot_work_is_refused(more: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said) as refused:
        settings(**more)
    assert "abcdef" not in str(refused.value)


def accounts(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    path = tmp_path / "accounts"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_file_of_accounts_is_read_and_the_table_wins(tmp_path: Path) -> None:
    path = accounts(tmp_path, "# agents\n\nwilma:w.flint:pass:word \nfred:other:x\n15002:barney:\n")
    made = settings(accounts_file=path)
    found = {key: (one.username, one.password.reveal()) for key, one in made.logins().items()}
    assert found == {
        "wilma": ("w.flint", "pass:word "),
        "fred": ("f.flint", "yabba-dabba"),
        "15002": ("barney", ""),
    }
    assert "pass:word" not in repr(made.logins()) + str(made.logins()["wilma"].password)


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("fred:f:x", 0o640, "chmod 600"),
        ("fred:f:x", 0o604, "chmod 600"),
        ("fred f x", 0o600, "line 1"),
        ("fred:f:x\nwilma:w", 0o600, "line 2"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(
    tmp_path: Path, text: str, mode: int, said: str
) -> None:
    with pytest.raises(ValidationError, match=said) as refused:
        settings(accounts_file=accounts(tmp_path, text, mode))
    assert ":x" not in str(refused.value)


def test_passwords_of_the_table_are_named_in_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "fred.pw").write_text("yabba-dabba\n")
    (tmp_path / "fred.pw").chmod(0o600)
    config = tmp_path / "offrecord.toml"
    config.write_text(
        '[ami]\nusername = "x"\nsecret = { env = "S" }\n[recorders.g]\nkind = "genesys"\n'
        'url = "https://gws.example"\n'
        '[recorders.g.accounts.fred]\nusername = "f"\npassword = { file = "fred.pw" }\n'
        '[recorders.g.accounts."15000"]\nusername = "g"\npassword = { env = "G" }\n'
    )
    loaded = load(config, {"S": "abcdef", "G": "bedrock"})
    made = recorder_settings(loaded, "g", GenesysSettings)
    found = {key: one.password.reveal() for key, one in made.logins().items()}
    assert found == {"fred": "yabba-dabba", "15000": "bedrock"}
    assert "yabba-dabba" not in repr(made)
    assert {secret.reveal() for secret in loaded.secrets} == {"abcdef", "yabba-dabba", "bedrock"}
