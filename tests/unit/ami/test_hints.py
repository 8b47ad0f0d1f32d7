# SPDX-License-Identifier: Apache-2.0
"""Whose a device is by the dialplan's hints: told where it is plain, and never guessed."""

import pytest

from ami.calls.channel_names import Rules, resolve
from ami.hints import owners


def _rows(*hints: tuple[str, str]) -> list[dict[str, str]]:
    return [{"Exten": exten, "Context": "phones", "Hint": hint} for exten, hint in hints]


def test_a_hint_tells_the_owner_of_a_device_with_a_name_of_its_own() -> None:
    found = owners(_rows(("470", "PJSIP/fred"), ("471", "SIP/wilma")))

    assert found == {"PJSIP/fred": "470", "SIP/wilma": "471"}
    assert resolve("PJSIP/Fred-0000001a", Rules(hints=found)).extension == "470"


def test_states_beside_the_device_do_not_count() -> None:
    assert owners(_rows(("470", "PJSIP/fred&Custom:DND470"))) == {"PJSIP/fred": "470"}


@pytest.mark.parametrize(
    "rows",
    [
        _rows(("470", "PJSIP/fred"), ("480", "PJSIP/fred")),
        _rows(("600", "PJSIP/fred&PJSIP/wilma")),
        _rows(("*80470", "PJSIP/fred")),
        _rows(("_4XX", "PJSIP/fred")),
        _rows(("470", "Custom:DND470")),
        _rows(("470", "")),
        [{"Exten": "470"}, {"Hint": "PJSIP/fred"}, {}],
    ],
    ids=["two owners", "a group", "a feature", "a pattern", "no device", "empty", "half a row"],
)
def test_what_names_no_single_owner_is_passed_over(rows: list[dict[str, str]]) -> None:
    assert owners(rows) == {}


def test_one_extension_in_two_contexts_is_one_owner() -> None:
    twice = [{"Exten": "470", "Context": c, "Hint": "PJSIP/fred"} for c in ("a", "b")]

    assert owners(twice) == {"PJSIP/fred": "470"}


def test_a_feature_code_beside_the_extension_changes_nothing() -> None:
    rows = _rows(("*80470", "PJSIP/fred"), ("470", "PJSIP/fred&Custom:DND470"))

    assert owners(rows) == {"PJSIP/fred": "470"}
