# SPDX-License-Identifier: Apache-2.0
"""The settings of a Noojee recorder refuse what could not work, at once."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bridges.noojee import NoojeeRecorder, NoojeeSettings
from noojee import ApiKey, Signed
from offrecord.base.secrets import Secret

KEY = "f863246a-973e-11e6-8784-08002718f5b5"


def settings(**more: Any) -> NoojeeSettings:
    return NoojeeSettings(**{"url": "https://pbx.example", "api_key": Secret(KEY), **more})


def test_the_way_of_authentication_is_chosen_by_name() -> None:
    assert settings().credentials() == ApiKey(KEY)
    assert settings(auth="signed").credentials() == Signed(KEY)


def test_no_repr_holds_the_key() -> None:
    recorder = NoojeeRecorder("n", settings(), live_on=lambda _: None)
    assert KEY not in repr(settings()) + repr(recorder)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"url": "http://pbx.example"}, "clear"),
        ({"url": "pbx.example"}, "no server address"),
        ({"api_key": KEY}, "SecretText"),
        ({"api_key": Secret(f"{KEY}\n")}, "line ends"),
        ({"auth": "basic"}, "signed"),
        ({"target": "both"}, "presser"),
        ({"timeout": 0}, "greater than 0"),
        ({"agent_login": ""}, "at least 1"),
        ({"ca_file": "ca.pem"}, "absolute"),
        ({"ca_file": "/nowhere/ca.pem"}, "/nowhere/ca.pem"),
        ({"api_path": "/rest?x"}, "base path"),
        ({"agnet_login": "Fred"}, "agnet_login"),
    ],
)
def test_what_cannot_work_is_refused_without_showing_the_key(
    given: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError) as refusal:
        settings(**given)
    assert said in str(refusal.value)
    assert KEY not in str(refusal.value)


def test_a_relative_authority_is_not_looked_for_in_the_working_folder(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="absolute"):
        settings(ca_file=Path("ca.pem"))
