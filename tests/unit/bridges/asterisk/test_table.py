# SPDX-License-Identifier: Apache-2.0
"""The table of the ways to record: every row has its live test, and every way its row."""

import re
from pathlib import Path

import pytest

from bridges.asterisk.ways.table import BY_NAME, TABLE, WayRow

LIVE = Path(__file__).parents[3] / "live"

AWAITED: frozenset[str] = frozenset()
"""Rows whose live test is not written yet."""


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_every_way_is_shown_by_a_live_test(row: WayRow) -> None:
    if row.name in AWAITED:
        assert not row.live_test, "take it from AWAITED"
        return
    file, _, test = row.live_test.partition("::")
    assert re.search(rf"^async def {re.escape(test)}\b", (LIVE / file).read_text(), re.MULTILINE)


def test_a_monitor_exists_until_20() -> None:
    monitor = BY_NAME["monitor"]
    assert [monitor.exists_on(one) for one in ((), (16, 28), (20, 15), (21,), (22, 10, 1))] == [
        True, True, True, False, False,
    ]  # fmt: skip


def test_names_are_said_once_and_counted() -> None:
    assert len(BY_NAME) == len(TABLE)
    assert BY_NAME["mixmonitor"].counted(1) == "1 MixMonitor"
    assert BY_NAME["mixmonitor"].counted(2) == "2 MixMonitors"
