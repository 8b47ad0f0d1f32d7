# SPDX-License-Identifier: Apache-2.0
"""Looks people up on the PBX: AstDB entries and queue members.

Measured on Asterisk 16.28 and 22.10. `Getvar` of `DB(…)` answers Success with an empty value, since
reading the database from outside the dialplan counts as dangerous; `DBGet` does it, with `write =
reporting` or `system`. `QueueStatus` needs no privilege; its filter `Member` compares interface and
name and never the state interface, so all rows are requested and matched here.
"""

from dataclasses import dataclass
from typing import Final

from ami.calls.snapshots import Channel
from ami.errors import AmiDenied
from ami.ports import Actions

NO_ENTRY: Final = "Database entry not found"
_TIMEOUT: Final = 1.0


@dataclass(frozen=True, slots=True)
class QueueMember:
    """One member of one queue. `name` is the interface where the queue was given none."""

    queue: str
    name: str
    interface: str
    state_interface: str

    def is_at(self, channel: Channel) -> bool:
        """Return whether the member is the phone of a channel: its device, or a Local to it."""
        device = f"{channel.technology}/{channel.endpoint}"
        local = f"Local/{channel.extension}@" if channel.extension else None
        return device in {self.interface, self.state_interface} or bool(
            local and self.interface.startswith(local)
        )

    @property
    def named(self) -> bool:
        """True when the queue has a name for the member other than its interface."""
        return bool(self.name) and self.name != self.interface


async def database_entry(pbx: Actions, family: str, key: str) -> str:
    """Return an entry of AstDB, empty when there is none.

    Raises AmiDenied (the account may not), AmiDown, AmiTimeout, AmiInjection.
    """
    try:
        rows = await pbx.action_list("DBGet", {"Family": family, "Key": key}, timeout=_TIMEOUT)
    except AmiDenied as error:
        if error.answer == NO_ENTRY:
            return ""
        raise
    return next((row.headers["Val"] for row in rows if "Val" in row.headers), "")


async def queue_members(pbx: Actions) -> list[QueueMember]:
    """Return the members of every queue. Raises AmiDenied, AmiDown, AmiTimeout."""
    rows = await pbx.action_list("QueueStatus", {}, timeout=_TIMEOUT)
    return [
        QueueMember(
            row.headers.get("Queue", ""),
            row.headers.get("Name", ""),
            row.headers.get("Location", ""),
            row.headers.get("StateInterface", ""),
        )
        for row in rows
        if row.headers.get("Event") == "QueueMember"
    ]
