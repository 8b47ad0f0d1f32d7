# SPDX-License-Identifier: Apache-2.0
"""Secrets are named, never written, and never shown; recorder options are checked by their kind."""

import copy
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pytest
from pydantic import BaseModel, ConfigDict

from offrecord.base.secrets import Secret, SecretError, resolve
from offrecord.config import ConfigError, Loaded, load, recorder_settings

HIDDEN = "f863246a-973e-11e6"


def named(reference: object, folder: Path, env: Mapping[str, str] | None = None) -> Secret:
    return resolve(reference, env or {}, folder, lambda _: None)


def test_a_secret_shows_in_no_way_of_printing_it() -> None:
    secret = Secret(HIDDEN)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>40}", f"{secret:>40}"]
    assert all(HIDDEN not in text for text in [*shown, repr([secret]), "%s" % secret])  # noqa: UP031
    assert secret.reveal() == HIDDEN


def test_a_secret_is_equal_to_its_like_only() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1


def test_a_secret_cannot_be_pickled_or_copied_out_of_sight() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Secret(HIDDEN))
    with pytest.raises(TypeError):
        copy.copy(Secret(HIDDEN))


def test_a_secret_comes_from_a_file_beside_the_configuration_less_its_line_end(
    tmp_path: Path,
) -> None:
    (tmp_path / "key").write_bytes(b" pass word \r\n")
    assert named({"file": "key"}, tmp_path).reveal() == " pass word "


def test_a_secret_comes_from_systemd_s_credentials(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("x")
    reference = {"file": "$CREDENTIALS_DIRECTORY/key"}
    env = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert named(reference, Path("/elsewhere"), env).reveal() == "x"
    with pytest.raises(SecretError, match="LoadCredential="):
        named(reference, tmp_path)


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        (HIDDEN, "must not be written in the configuration"),
        (7, "no reference to a secret"),
        ({}, "no reference to a secret"),
        ({"file": "a", "env": "b"}, "no reference to a secret"),
        ({"file": ""}, "the name after `file` is missing"),
        ({"env": "UNSET"}, "environment variable UNSET is not set"),
        ({"env": "EMPTY"}, "environment variable EMPTY is empty"),
        ({"file": "missing"}, "missing: No such file"),
        ({"file": "two-lines"}, "line break"),
        ({"file": "binary"}, "not UTF-8"),
        ({"file": "huge"}, "too large"),
    ],
)
def test_what_is_no_usable_secret_says_why_without_showing_it(
    tmp_path: Path, reference: object, why: str
) -> None:
    (tmp_path / "two-lines").write_text(f"{HIDDEN}\nb\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "huge").write_bytes(b"a" * 70000)
    with pytest.raises(SecretError) as caught:
        named(reference, tmp_path, {"EMPTY": ""})
    assert why in str(caught.value)
    assert HIDDEN not in str(caught.value)


@pytest.mark.parametrize(
    ("mode", "readers"),
    [(0o600, None), (0o400, None), (0o640, "its group"), (0o604, "everyone")],
)
def test_a_secret_file_that_others_read_is_warned_of(
    tmp_path: Path, mode: int, readers: str | None
) -> None:
    path = tmp_path / "key"
    path.write_text("x")
    path.chmod(mode)
    warnings: list[str] = []
    resolve({"file": "key"}, {}, tmp_path, warnings.append)
    wanted = [f"the secret in {path} can be read by {readers}; chmod 600 {path}"]
    assert warnings == (wanted if readers else [])


def loaded(folder: Path, options: str) -> Loaded:
    text = f"""
    [ami]
    username = "u"
    secret = {{ env = "S" }}
    [recorders.nj]
    kind = "noojee"
    {options}
    """
    path = folder / "offrecord.toml"
    path.write_text(text)
    return load(path, {"S": "x", "KEY": HIDDEN})


@pytest.mark.parametrize("key", ["api_key", "apikey", "secret", "auth_token", "password"])
def test_a_recorder_s_secret_must_not_be_written_out_either(tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, f'{key} = "{HIDDEN}"')
    assert f"recorders.nj.{key}: a secret must not be written" in str(caught.value)
    assert HIDDEN not in str(caught.value)


class ModelSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")
    url: str
    api_key: Secret


@dataclass(frozen=True)
class DataSettings:
    url: str
    api_key: Secret


def function_settings(options: Mapping[str, Any]) -> DataSettings:
    if "url" not in options:
        raise ValueError("url: this is missing; add the recorder's address")
    return DataSettings(**options)


def test_all_secrets_in_use_are_listed_for_redaction(tmp_path: Path) -> None:
    options = 'api_key = { env = "KEY" }\nmore = { deep = { env = "KEY" } }'
    assert [s.reveal() for s in loaded(tmp_path, options).secrets] == ["x", HIDDEN, HIDDEN]


KINDS = [ModelSettings, DataSettings, function_settings]


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_gets_its_options_with_secrets_resolved(tmp_path: Path, kind: Any) -> None:
    options = 'url = "https://nj"\napi_key = { env = "KEY" }'
    settings = recorder_settings(loaded(tmp_path, options), "nj", kind)
    assert (settings.url, settings.api_key) == ("https://nj", Secret(HIDDEN))


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_s_own_complaint_names_file_and_key(tmp_path: Path, kind: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        recorder_settings(loaded(tmp_path, 'api_key = { env = "KEY" }'), "nj", kind)
    line = str(caught.value)
    assert line.startswith(f"{tmp_path}/offrecord.toml: recorders.nj.url: this is missing")


@pytest.mark.parametrize("kind", [ModelSettings, DataSettings])
def test_an_option_that_the_kind_does_not_know_gets_a_suggestion(tmp_path: Path, kind: Any) -> None:
    options = 'url = "a"\nurll = "b"\napi_key = { env = "KEY" }'
    with pytest.raises(ConfigError, match=r"recorders\.nj\.urll: unknown key; did you mean `url`"):
        recorder_settings(loaded(tmp_path, options), "nj", kind)


@runtime_checkable
class Revealing(Protocol):
    def reveal(self) -> str: ...


class ProtocolSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)
    url: str
    api_key: Revealing | None = None


def test_a_kind_that_asks_for_something_to_reveal_gets_the_secret_itself(tmp_path: Path) -> None:
    given = loaded(tmp_path, 'api_key = { env = "KEY" }\nurl = "https://nj"')
    settings = recorder_settings(given, "nj", ProtocolSettings)
    assert settings.api_key == Secret(HIDDEN)
    assert HIDDEN not in repr(settings)


@dataclass(frozen=True)
class PlainSettings:
    """Settings of a kind that knows nothing of offrecord."""

    api_key: str
    url: str = ""

    def __post_init__(self) -> None:
        """Check across fields."""
        if not self.url.startswith("https:"):
            raise ValueError(f"url: {self.url!r} for {self.api_key} is no https address")


def test_a_kind_that_knows_no_secret_type_gets_the_text(tmp_path: Path) -> None:
    given = loaded(tmp_path, 'api_key = { env = "KEY" }\nurl = "https://nj"')
    assert recorder_settings(given, "nj", PlainSettings) == PlainSettings(HIDDEN, "https://nj")


def test_a_check_across_fields_names_the_key_it_begins_with_and_no_secret(tmp_path: Path) -> None:
    given = loaded(tmp_path, 'api_key = { env = "KEY" }\nurl = "http://nj"')
    with pytest.raises(ConfigError) as caught:
        recorder_settings(given, "nj", PlainSettings)
    assert str(caught.value) == (
        f"{tmp_path}/offrecord.toml: recorders.nj.url: 'http://nj' for ******** is no https address"
    )


def test_a_kind_s_complaint_without_a_key_holds_no_secret_either(tmp_path: Path) -> None:
    def refuse(options: Mapping[str, Any]) -> None:
        raise ValueError(f"{options['api_key'].reveal()} is no key")

    given = loaded(tmp_path, 'api_key = { env = "KEY" }')
    with pytest.raises(ConfigError, match=r"recorders\.nj: \*+ is no key"):
        recorder_settings(given, "nj", refuse)


def test_a_value_of_the_wrong_type_is_not_shown_either(tmp_path: Path) -> None:
    given = loaded(tmp_path, 'api_key = { env = "KEY" }\nurl = [1]')
    with pytest.raises(ConfigError, match=r"recorders\.nj\.url: this is not a text"):
        recorder_settings(given, "nj", PlainSettings)
