# SPDX-License-Identifier: Apache-2.0
"""A short fault run, part of every test; `make faults` runs a long one."""

from pathlib import Path

import pytest

from tests.kits.faults.figures import table
from tests.kits.faults.run import fault_run


@pytest.mark.timeout(600)
async def test_nothing_is_lost_doubled_falsely_claimed_or_left_open(tmp_path: Path) -> None:
    figures = await fault_run(tmp_path, presses=200, seed=1, calls=12, kill_every=6.0)

    assert figures.good, table(figures)
    # A run in which nothing went wrong, or nobody was helped, would prove nothing.
    for name in ("kill -9", "AMI cut", "disk full", "vendor fault", "PBX fault"):
        assert figures.events.get(name), name
    assert figures.recovered
    assert figures.outcomes["confirmed"] > 5
    assert figures.outcomes["failed"] > 5
