# SPDX-License-Identifier: Apache-2.0
"""The tables of the guides about what records on the PBX: every way of the code's own table."""

from collections.abc import Iterator
from typing import Final

from bridges.asterisk.ways.table import EVER, SHIPPED, TABLE, WayRow

UNSEEN: Final = (
    ("port mirroring, a session border controller, a recorder on a phone", "no PBX can see it"),
    ("what another PBX on the way of the call records", "route a recorder of that PBX's own"),
)
"""What is not looked for, with the reason."""


def full() -> Iterator[tuple[str, ...]]:
    """Yield the rows of the whole table."""
    for row in TABLE:
        right = "as shipped" if row.right == SHIPPED else row.right.replace(SHIPPED, "as shipped")
        yield (
            row.one, versions(row), row.shown_by, right, row.stopped_by, row.paused_by,
            row.proven_by, row.after_reconnect,
        )  # fmt: skip


def short() -> Iterator[tuple[str, ...]]:
    """Yield what is looked for and what is not, with the stop and its proof."""
    for row in TABLE:
        yield row.one, "yes", row.stopped_by, row.proven_by
    for what, why in UNSEEN:
        yield what, "no", "-", why


def versions(row: WayRow) -> str:
    """Return the versions of Asterisk that have a way, in words."""
    since = "" if row.since == EVER else f"from {_dotted(row.since)} on"
    until = "" if row.until is None else f"before {_dotted(row.until)}"
    return ", ".join(filter(None, (since, until))) or "all"


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
