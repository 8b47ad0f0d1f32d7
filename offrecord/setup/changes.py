# SPDX-License-Identifier: Apache-2.0
"""A plan: the changes of files as data, and how they are shown. Pure."""

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
    """Whose a new file is, and who may read it. A file that is there keeps what it has."""

    ROOT = "root"
    """root's, readable by all."""
    SECRET = "secret"  # noqa: S105 - the name of a kind
    """root's alone."""
    ASTERISK = "asterisk"
    """As the other files of its folder."""
    ASTERISK_SECRET = "asterisk-secret"  # noqa: S105
    """root's, readable by Asterisk's group."""

    @property
    def secret(self) -> bool:
        """True when nobody else may read it."""
        return self in {Owner.SECRET, Owner.ASTERISK_SECRET}


@dataclass(frozen=True, slots=True)
class Change:
    """One file before and after; None is a file that is not there. `why` is for people."""

    path: PurePosixPath
    before: str | None = field(repr=False)
    after: str | None = field(repr=False)
    owner: Owner
    why: str

    @property
    def kind(self) -> str:
        """Say in a word what happens to the file."""
        if self.before is None:
            return "new"
        if self.after is None:
            return "removed"
        return "changed" if self.before != self.after else "mode"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be written, in this order, and what a person should know and do.

    `problems` stand in the way: nothing may be written while there is one.
    """

    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    reload: tuple[str, ...] = ()
    problems: tuple[UserError, ...] = ()


class Refused(UserError):
    """A set-up that must not be written; `problems` says why, one by one."""

    def __init__(self, *problems: UserError) -> None:
        self.problems = problems
        super().__init__("; ".join(map(str, problems)), "", Exit.CONFIG)


def problem(message: str, fix: str) -> UserError:
    """Return one thing that stands in the way, and how to mend it."""
    return UserError(message, fix, Exit.CONFIG)


def diff(change: Change) -> Iterator[str]:
    """Yield a unified diff of one change, without line ends; secrets are stars."""
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
    """Return a line of a file as it may be shown: without passwords and PINs."""
    return _PIN.sub(rf"\g<1>{MASK}", _SECRET_LINE.sub(rf"\g<1>{MASK}", row))


def fingerprint(text: str) -> str:
    """Return the SHA-256 by which an untouched file is known again."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
