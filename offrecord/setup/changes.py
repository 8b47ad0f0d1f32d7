# SPDX-License-Identifier: Apache-2.0
"""A plan as data: the changes of files, and their diffs without secrets. Pure."""

import difflib
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Final

from offrecord.base.errors import Exit, UserError
from offrecord.base.secrets import MASK

_SECRET_LINE: Final = re.compile(
    r"^(\s*[\w-]*(?:secret|pass|md5|token|api_?key)[\w-]*\s*=>?\s*)(?!\s*\{)\S.*$",
    re.IGNORECASE,
)
_PIN: Final = re.compile(r"((?:Authenticate|DISA)\()[^)]*", re.IGNORECASE)


class Owner(StrEnum):
    """Owner and readers of a new file. An existing file keeps its own."""

    ROOT = "root"
    """Owned by root, readable by all."""
    SECRET = "secret"  # noqa: S105 - the name of a kind
    """Owned by root, readable by root alone."""
    ASTERISK = "asterisk"
    """Like the other files of Asterisk's folder."""
    ASTERISK_SECRET = "asterisk-secret"  # noqa: S105
    """Owned by root, readable by Asterisk's group."""

    @property
    def secret(self) -> bool:
        """True when the content is secret."""
        return self in {Owner.SECRET, Owner.ASTERISK_SECRET}


@dataclass(frozen=True, slots=True)
class Change:
    """One file before and after; None where it does not exist. `why` is for people."""

    path: PurePosixPath
    before: str | None = field(repr=False)
    after: str | None = field(repr=False)
    owner: Owner
    why: str

    @property
    def kind(self) -> str:
        """Return `new`, `removed`, `changed`, or `mode` where only the mode changes."""
        if self.before is None:
            return "new"
        if self.after is None:
            return "removed"
        return "changed" if self.before != self.after else "mode"


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes to write, in this order, with notes and manual steps for the administrator.

    While there are `problems`, nothing may be written.
    """

    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    reload: tuple[str, ...] = ()
    problems: tuple[UserError, ...] = ()


class Refused(UserError):
    """A plan that must not be written; `problems` has one entry for each reason."""

    def __init__(self, *problems: UserError) -> None:
        self.problems = problems
        super().__init__("; ".join(map(str, problems)), "", Exit.CONFIG)


def problem(message: str, fix: str) -> UserError:
    """Return a problem that stops a plan, with its fix."""
    return UserError(message, fix, Exit.CONFIG)


def diff(change: Change) -> Iterator[str]:
    """Yield the lines of a unified diff of one change, secrets masked."""
    before, after = (
        [] if text is None else _shown(text, change.owner) for text in (change.before, change.after)
    )
    name = str(change.path).lstrip("/")
    rows = difflib.unified_diff(
        before, after,
        "/dev/null" if change.before is None else f"a/{name}",
        "/dev/null" if change.after is None else f"b/{name}",
        lineterm="",
    )  # fmt: skip
    found = list(rows)
    if not found and change.before != change.after:
        found = [f"--- a/{name}", f"+++ b/{name}", "@@ the secret @@", f"-{MASK}", f"+{MASK}"]
    yield from found


def _shown(text: str, owner: Owner) -> list[str]:
    return [MASK] if owner is Owner.SECRET else [masked(row) for row in text.splitlines()]


def masked(row: str) -> str:
    """Return a line of a file with passwords and PINs masked."""
    return _PIN.sub(rf"\g<1>{MASK}", _SECRET_LINE.sub(rf"\g<1>{MASK}", row))


def fingerprint(text: str) -> str:
    """Return the SHA-256 that tells whether a file was changed since it was written."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
