# SPDX-License-Identifier: Apache-2.0
"""The look beside a press knows every way of the table."""

from bridges.asterisk.ways.look_only import LISTENERS, LOOKS
from bridges.asterisk.ways.table import TABLE


def test_every_way_is_looked_for_also_where_no_route_asks_the_pbx() -> None:
    assert {row.name for row in TABLE} == {*LOOKS} | LISTENERS
