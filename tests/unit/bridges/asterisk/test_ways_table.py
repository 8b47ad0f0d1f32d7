# SPDX-License-Identifier: Apache-2.0
"""Every way of the table has a live test that exists, and a look of its own."""

import ast
from pathlib import Path

import pytest

from bridges.asterisk.ways.look_only import LISTENERS, LOOKS
from bridges.asterisk.ways.table import TABLE, WayRow

LIVE = Path(__file__).parents[3] / "live"


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_every_way_has_a_live_test(row: WayRow) -> None:
    file, _, test = row.live_test.partition("::")
    assert test, f"{row.name} has no live test: name one as FILE::TEST in the table"
    path = LIVE / file
    assert path.is_file(), f"{row.name}: there is no tests/live/{file}"
    made = {
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert test in made, f"{row.name}: tests/live/{file} has no {test}"


def test_every_way_is_looked_for_also_where_no_route_asks_the_pbx() -> None:
    assert {row.name for row in TABLE} == {*LOOKS} | LISTENERS
