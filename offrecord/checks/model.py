# SPDX-License-Identifier: Apache-2.0
"""What a rule is, and what it says: one finding for each thing that it looked at."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from offrecord.base.errors import Exit

if TYPE_CHECKING:
    from offrecord.checks.inputs import CheckInputs


class State(StrEnum):
    """How a thing stands."""

    OK = "ok"
    WARN = "warn"
    """It works and is not as it should be."""
    FAIL = "FAIL"
    """Presses, or some of them, come to nothing."""
    UNSEEN = "skip"
    """It could not be looked at from here; the text says why."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what was found, and what mends it.

    `exit` is what the command leaves with for a failure.
    """

    what: str
    state: State
    text: str
    fix: str = ""
    exit: Exit = Exit.OK

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.state:<4}  {self.what}: {self.said}"

    @property
    def said(self) -> str:
        """What was found and, after a semicolon, the fix."""
        return " ".join((f"{self.text}; {self.fix}" if self.fix else self.text).split())

    def as_json(self) -> dict[str, object]:
        """Return the finding as `--json` prints it."""
        return {
            "what": self.what,
            "state": self.state.value.lower(),
            "ok": self.state is not State.FAIL,
            "warning": self.state is State.WARN,
            "text": self.text,
            "fix": self.fix,
            "exit": int(self.exit),
        }


def well(what: str, text: str) -> Finding:
    """Return that a thing is as it should be."""
    return Finding(what, State.OK, text)


def doubt(what: str, text: str, fix: str) -> Finding:
    """Return that a thing works and should be otherwise."""
    return Finding(what, State.WARN, text, fix)


def broken(what: str, text: str, fix: str, code: Exit) -> Finding:
    """Return that a thing does not work."""
    return Finding(what, State.FAIL, text, fix, code)


def unseen(what: str, text: str, fix: str = "") -> Finding:
    """Return that a thing could not be looked at, and why."""
    return Finding(what, State.UNSEEN, text, fix)


Look = Callable[["CheckInputs"], Awaitable[list[Finding]]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its name, in words what it looks at and when it fails or warns, and the look."""

    name: str
    about: str
    fails: str
    warns: str
    look: Look


def put(line: str, section: str, file: str, reload: str) -> str:
    """Return the fix that is one line in one of Asterisk's files."""
    return f"put `{line}` into [{section}] of {file}, then asterisk -rx '{reload}'"


def some(names: list[str], limit: int = 4) -> str:
    """Return a list for people: the first names, and how many more."""
    more = len(names) - limit
    shown = ", ".join(names[:limit])
    return f"{shown} and {more} more" if more > 0 else shown
