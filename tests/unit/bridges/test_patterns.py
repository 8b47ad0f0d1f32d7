# SPDX-License-Identifier: Apache-2.0
"""Shell patterns of rules."""

import pytest

from bridges.shared.patterns import match, seen

THERE = {"queue": ["sales", "support-1", "VIP"], "agent": ["fred"], "trunk": []}


@pytest.mark.parametrize(
    ("patterns", "found", "missed"),
    [
        ({}, {}, None),
        ({"queue": "support-*"}, {"queue": "support-1"}, None),
        ({"queue": "s*"}, {"queue": "sales"}, None),
        ({"queue": "SALES"}, {}, "queue"),
        ({"queue": "sale"}, {}, "queue"),
        ({"queue": "vip"}, {}, "queue"),
        ({"queue": "sale[st]", "agent": "f???"}, {"queue": "sales", "agent": "fred"}, None),
        ({"agent": "fred", "trunk": "*"}, {"agent": "fred"}, "trunk"),
        ({"trunk": "*", "agent": "fred"}, {}, "trunk"),
    ],
)
def test_all_patterns_must_fit_and_the_first_that_does_not_is_named(
    patterns: dict[str, str], found: dict[str, str], missed: str | None
) -> None:
    result = match(patterns, THERE)

    assert (result.found, result.missed) == (found, missed)


def test_what_was_found_is_said_in_words() -> None:
    assert str(match({"queue": "s*", "agent": "*"}, THERE)) == "queue sales and agent fred"
    assert seen(["410", "", "411"]) == "410, 411"
    assert seen([]) == "none"
