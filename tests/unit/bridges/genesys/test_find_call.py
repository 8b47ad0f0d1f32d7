# SPDX-License-Identifier: Apache-2.0
"""Whose account an order takes, and which of an agent's calls it means."""

from typing import Any

import pytest

from ami.calls.snapshots import Channel
from bridges.genesys import GenesysSettings
from bridges.genesys.find_call import Found, Login, Missing, login_for, one_of, search, uuids_of
from bridges.genesys.settings import Account
from bridges.model import Order
from offrecord.base.secrets import Secret
from tests.kits.genesys_kit import OTHER_UUID, PHONE, UUID, VARIABLE, order

NOW = 1_700_000_010.0


def account(name: str) -> Account:
    return Account(username=name, password=Secret("abcdef"))


def settings(**more: Any) -> GenesysSettings:
    return GenesysSettings(url="https://gws.example", accounts={"fred": account("f")}, **more)


def their(uuid: str, *parties: str, state: str = "Established", lasted: str = "500") -> Any:
    return {
        "id": uuid, "state": state, "deviceUri": "x/devices/d1", "duration": lasted,
        "participants": [{"phoneNumber": number} for number in parties],
    }  # fmt: skip


def found(*calls: Any, devices: Any = None, live: Any = (PHONE,), **more: Any) -> Found | Missing:
    told = devices if devices is not None else [{"id": "d1", "phoneNumber": "15000"}]
    user = {"devices": told, "calls": list(calls)}
    return search(user, order(uuids=()), settings(**more), lambda _: live, NOW)


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        (("15001", "15000", "fred"), "fred"),
        (("15001", "15000"), "15000"),
        (("15001",), "15001"),
        (("wilma",), None),
    ],
)
def test_an_account_is_looked_up_by_agent_phone_and_far_number(
    keys: tuple[str, ...], key: str | None
) -> None:
    login = login_for(order(), {name: account(name) for name in keys})
    assert (login.key if isinstance(login, Login) else None) == key
    if isinstance(login, Missing):
        assert "fred or 15000 or 15001" in login.why


def test_uuids_come_from_the_channel_variable_each_once() -> None:
    def told(*values: str) -> Any:
        return uuids_of(order(uuids=values), VARIABLE)

    assert told() == told("", " ") == ()
    assert told(UUID, OTHER_UUID, UUID, "") == (UUID, OTHER_UUID)
    assert told("short", UUID) == (UUID,)
    odd = told("../../etc/passwd" * 9)
    assert isinstance(odd, Missing)
    assert len(odd.why) < 150
    assert uuids_of(Order("p", order().verb, order().call), VARIABLE) == ()


def test_none_of_the_uuids_readable_is_gone() -> None:
    missing = one_of((), (UUID,))
    assert isinstance(missing, Missing)
    assert missing.gone


def test_the_remote_party_decides() -> None:
    end = found(their(UUID, "15009"), their(OTHER_UUID, "15001"))
    assert isinstance(end, Found)
    assert end.call.id == OTHER_UUID


def test_the_time_decides_where_no_party_agrees() -> None:
    end = found(their(UUID, lasted="500"), their(OTHER_UUID, lasted="9"))
    assert isinstance(end, Found)
    assert end.call.id == OTHER_UUID


@pytest.mark.parametrize(
    ("live", "sure"),
    [
        ((PHONE,), True),
        (None, False),
        ((PHONE, Channel("PJSIP/15000-9", "1.9", "1.9", extension="15000")), False),
    ],
)
def test_the_only_call_is_believed_while_the_phone_has_one_call_here(
    live: Any, *, sure: bool
) -> None:
    end = found(their(UUID, "15009"), live=live)
    assert isinstance(end, Found) is sure
    if isinstance(end, Missing):
        assert end.why.startswith("ambiguous: ")
        assert UUID in end.why


def test_calls_of_another_device_and_ended_ones_do_not_count() -> None:
    away = their(UUID, "15001") | {"deviceUri": "x/devices/d2"}
    over = their(OTHER_UUID, "15001", state="Released")
    end = found(away, over)
    assert isinstance(end, Missing)
    assert end.gone


def test_a_device_is_known_by_its_number_or_by_the_end_of_it() -> None:
    both = [{"id": "d2", "phoneNumber": "99915000"}, {"id": "d1", "phoneNumber": "15000"}]
    assert isinstance(found(their(UUID, "15001"), devices=both), Found)
    longer = [{"id": "d1", "phoneNumber": "+3215000"}]
    assert isinstance(found(their(UUID, "15001"), devices=longer), Found)
    twice = [{"id": "d1", "phoneNumber": "115000"}, {"id": "d2", "phoneNumber": "215000"}]
    end = found(their(UUID, "15001"), devices=twice)
    assert isinstance(end, Missing)
    assert end.why == "ambiguous: several devices fit 15000: 115000, 215000"


def test_a_mask_makes_the_number_of_the_device() -> None:
    devices = [{"id": "d1", "phoneNumber": "7715000"}]
    assert isinstance(found(their(UUID, "15001"), devices=devices, mask="77XXXXX"), Found)


@pytest.mark.parametrize("user", [None, [], {}, {"devices": 3, "calls": 3}])
def test_an_answer_of_another_shape_finds_nothing(user: Any) -> None:
    end = search(user, order(uuids=()), settings(), lambda _: None, NOW)
    assert isinstance(end, Missing)
    assert "no device 15000" in end.why
