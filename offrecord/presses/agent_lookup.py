# SPDX-License-Identifier: Apache-2.0
"""Find the login of an extension, by which recorders know a person.

The first of these that has one wins: the press itself, the channel variable, the table
`[agents]`, the agents' file, AstDB, the name of the queue member.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from ami.astdb_and_queues import database_entry, queue_members
from ami.calls.snapshots import Channel
from ami.errors import AmiError
from ami.ports import Actions

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Who:
    """The login of a person, None when nobody knows it, and where it was found."""

    login: str | None = None
    source: str = "nobody knows"


NOBODY = Who()


class AgentFile:
    """A file of lines `extension,login`, read again whenever it has changed.

    Lines that begin with `#` and empty ones are passed over. Raises `ValueError` naming the line,
    and OSError, when it is first read; later a broken file is said in the log and the last good
    one goes on counting.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen = self._stamp()
        self._logins = _read(path)

    def get(self, extension: str) -> str | None:
        """Return the login behind an extension."""
        try:
            stamp = self._stamp()
            if stamp != self._seen:
                self._seen = stamp
                self._logins = _read(self.path)
        except (OSError, ValueError) as problem:
            _log.error(
                "agents_file_not_read", file=str(self.path), problem=str(problem),
                kept="what it said before",
            )  # fmt: skip
        return self._logins.get(extension)

    def _stamp(self) -> tuple[int, int, int]:
        found = self.path.stat()
        return found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: Path) -> dict[str, str]:
    logins: dict[str, str] = {}
    with path.open(encoding="utf-8", newline="") as lines:
        for number, row in enumerate(csv.reader(lines), 1):
            cells = [cell.strip() for cell in row]
            if not any(cells) or cells[0].startswith("#"):
                continue
            if len(cells) != 2 or not all(cells):
                raise ValueError(f"{path} line {number}: this is not `extension,login`")
            extension, login = cells
            if logins.setdefault(extension, login) != login:
                raise ValueError(f"{path} line {number}: {extension} has another login above")
    return logins


@dataclass(frozen=True, slots=True)
class Agents:
    """Where logins are looked for.

    `table` and `file` are asked first. `astdb` is the family of the PBX's database that holds
    logins by extension; `queue_members` says that the names of queue members are logins.
    """

    table: Mapping[str, str] = field(default_factory=dict)
    file: AgentFile | None = None
    astdb: str | None = None
    queue_members: bool = False

    def known(self, extension: str | None) -> Who:
        """Return what is known without asking the PBX."""
        if not extension:
            return NOBODY
        if (login := self.table.get(extension)) is not None:
            return Who(login, "[agents]")
        if self.file is not None and (login := self.file.get(extension)) is not None:
            return Who(login, str(self.file.path))
        return NOBODY

    async def ask(self, pbx: Actions, channel: Channel) -> tuple[Who, tuple[str, ...]]:
        """Ask the PBX who is at a channel; also return, in sentences, what could not be learnt."""
        notes: list[str] = []
        if self.astdb is not None and channel.extension:
            try:
                login = await database_entry(pbx, self.astdb, channel.extension)
            except AmiError as error:
                notes.append(f"AstDB {self.astdb}/{channel.extension} could not be read: {error}")
            else:
                if login:
                    return Who(login, f"AstDB {self.astdb}/{channel.extension}"), ()
        if self.queue_members:
            try:
                members = await queue_members(pbx)
            except AmiError as error:
                notes.append(f"the queues' members could not be read: {error}")
            else:
                here = [member for member in members if member.named and member.is_at(channel)]
                names = list(dict.fromkeys(member.name for member in here))
                if len(names) == 1:
                    return Who(names[0], f"member of queue {here[0].queue}"), tuple(notes)
                if names:
                    said = ", ".join(f"{member.name} in {member.queue}" for member in here)
                    notes.append(f"the queues know {channel.name} by several names: {said}")
        return NOBODY, tuple(notes)
