# SPDX-License-Identifier: Apache-2.0
"""The sections about the journal: its file, how long records stay in it, and their copy."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, field_validator

from offrecord.config.fields import AnyPath, Section, Text

_PLACE: Final = re.compile(r"(?:(udp)://)?(?:\[([^\]]+)\]|([^:\[\]/\s]+)):(\d{1,5})")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the copy of the records is sent: a Unix socket's path, or a host and port."""

    way: Literal["unix", "tcp", "udp"]
    host: str
    port: int = 0


def place(given: str) -> Place:
    """Parse `/dev/log`, `host:514` (TCP) or `udp://host:514`. Raises `ValueError`."""
    if given.startswith("/"):
        return Place("unix", given)
    found = _PLACE.fullmatch(given)
    if found is None or not 0 < int(found[4]) < 65536:
        raise ValueError("a path as /dev/log, or host:port, or udp://host:port is needed")
    return Place("udp" if found[1] else "tcp", found[2] or found[3], int(found[4]))


class JournalConfig(Section):
    """`[journal]`: the file that presses are recorded in."""

    path: AnyPath = Field(
        default=Path("/var/lib/offrecord/journal.sqlite3"),
        description="the path of the journal's file",
    )


class AuditConfig(Section):
    """`[audit]`: when presses are sealed into archives, where a copy of each record is sent."""

    keep_days: int | None = Field(
        default=None,
        ge=1,
        le=36_500,
        description="days (1 to 36500) that presses stay in the journal; without it all stay",
    )
    archive_folder: AnyPath | None = Field(
        default=None, description="the folder of the archives, else `archives` beside the journal"
    )
    syslog: Text | None = Field(
        default=None,
        description="where a copy goes: `/dev/log`, `host:port` (TCP) or `udp://host:port`",
    )

    @field_validator("syslog")
    @classmethod
    def _is_a_place(cls, given: str | None) -> str | None:
        if given is not None:
            place(given)
        return given
