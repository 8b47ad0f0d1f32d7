# SPDX-License-Identifier: Apache-2.0
"""Who may press."""

import pytest

from ami.calls import Channel
from ami.names import Rules
from bridges.model import Verb
from offrecord.policy import PHONE_WAYS, may
from offrecord.press import WAYS, Press, Way

RULES = Rules(trunks=frozenset({"0299"}))
PHONE = Channel("PJSIP/410-01", "1.0", "1.0", "PJSIP", "410", "410")
TRUNK = Channel("PJSIP/my-trunk-02", "1.1", "1.0", "PJSIP", "my-trunk", None)


def _press(way: Way) -> Press:
    return Press("p", Verb.STOP, way, "1.0", 0, 0.0)


@pytest.mark.parametrize("way", sorted(PHONE_WAYS))
def test_a_known_extension_may_press_by_every_way_of_the_phone(way: Way) -> None:
    assert may(_press(way), PHONE, RULES).allowed


@pytest.mark.parametrize("way", sorted(PHONE_WAYS))
def test_the_other_end_of_a_trunk_may_not(way: Way) -> None:
    ruling = may(_press(way), TRUNK, RULES)

    assert not ruling.allowed
    assert "PJSIP/my-trunk-02" in ruling.why
    assert "extensions.map" in ruling.why


def test_a_press_of_nobody_knows_whom_is_refused() -> None:
    assert not may(_press("fastagi"), None, RULES).allowed


@pytest.mark.parametrize("way", sorted(WAYS - PHONE_WAYS))
def test_other_ways_have_rights_of_their_own(way: Way) -> None:
    assert may(_press(way), None, RULES).allowed
