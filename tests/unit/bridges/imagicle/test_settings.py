# SPDX-License-Identifier: Apache-2.0
"""The settings of an Imagicle recorder refuse what could not work, at once."""

from typing import Any

import pytest
from pydantic import ValidationError

from bridges.imagicle import ImagicleRecorder, ImagicleSettings
from bridges.model import ORDERS, Evidence
from bridges.registry import find
from offrecord.base.secrets import Secret

PASSWORD = "pass-word-of-fred"


def settings(**more: Any) -> ImagicleSettings:
    given = {"url": "https://a.example", "username": "fred", "password": Secret(PASSWORD), **more}
    return ImagicleSettings(**given)


def test_it_is_found_by_its_kind() -> None:
    assert find("imagicle") is ImagicleRecorder
    assert ImagicleRecorder.capabilities.verbs == frozenset(ORDERS)
    assert ImagicleRecorder.capabilities.best_evidence is Evidence.READ_BACK


async def test_no_repr_holds_the_password() -> None:
    one = ImagicleRecorder("i", settings(), live_on=lambda _: None)
    await one.close()
    assert PASSWORD not in repr(settings()) + repr(one) + repr(one._nodes)


def test_nodes_come_after_the_address() -> None:
    assert settings(nodes=["https://b.example"]).addresses == (
        "https://a.example",
        "https://b.example",
    )


def test_modes_are_counted_as_the_vendor_does() -> None:
    assert (settings().mode, settings(start_mode="dial_in").mode) == (0, 1)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"url": "http://a.example"}, "clear"),
        ({"nodes": ["http://b.example"]}, "clear"),
        ({"nodes": ["b.example"]}, "no server address"),
        ({"nodes": ["https://a.example/"]}, "twice"),
        ({"username": ""}, "at least 1"),
        ({"username": "fred:x"}, "pattern"),
        ({"password": PASSWORD}, "SecretText"),
        ({"devices": {"410": ""}}, "empty"),
        ({"devices": {"": "SEP1"}}, "empty"),
        ({"time_zone": "Mars/Olympus"}, "no zone"),
        ({"time_zone": "../etc/passwd"}, "no zone"),
        ({"start_mode": "2"}, "dial_in"),
        ({"ca_file": "ca.pem"}, "absolute"),
        ({"timeout": 0}, "greater than 0"),
        ({"usrname": "fred"}, "usrname"),
    ],
)
def test_what_cannot_work_is_refused_without_showing_the_password(
    given: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError) as refusal:
        settings(**given)
    assert said in str(refusal.value)
    assert PASSWORD not in str(refusal.value)


def test_plain_http_is_allowed_when_told() -> None:
    assert settings(url="http://a.example", allow_plain_http=True).url == "http://a.example"
