# SPDX-License-Identifier: Apache-2.0
"""What a `voipnow` recorder may be told, and what it refuses."""

from typing import Any

import pytest
from pydantic import ValidationError

from bridges.registry import find
from bridges.voipnow import VoipNowRecorder, VoipNowSettings
from offrecord.base.secrets import Secret

GOOD: dict[str, Any] = {
    "url": "https://voipnow.example",
    "client_id": "5~2wKMPg9h~GExN3s01-7wX2XmLI_Xbz",
    "client_secret": Secret("the-apps-secret"),
}


def test_three_keys_are_enough() -> None:
    settings = VoipNowSettings(**GOOD)
    assert (settings.whose, settings.loose_ids, settings.read_back) == ("presser", False, 4.0)
    assert find("voipnow") is VoipNowRecorder


def test_no_secret_is_shown() -> None:
    token = "a-hook-token-of-the-tests"
    text = repr(VoipNowSettings(**GOOD, hook_token=Secret(token)))
    assert "the-apps-secret" not in text
    assert token not in text


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": ""}, {"client_id": "two words"}, {"client_secret": "plain text"},
        {"user_id": "@me"}, {"user_id": "12/13"}, {"client_prefix": "0003*"},
        {"client_prefix": "x"}, {"read_back": -1}, {"keep_warm": -1},
        {"url": "http://voipnow.example"}, {"url": "https://voipnow.example/uapi"},
        {"hook_token": Secret("short")}, {"hook_token": Secret("with/a/slash/and/more")},
        {"hook_token": Secret("x" * 129)}, {"clientid": "x"},
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_without_showing_it(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as problem:
        VoipNowSettings(**(GOOD | wrong))
    assert "with/a/slash" not in str(problem.value)
