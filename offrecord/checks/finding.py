# SPDX-License-Identifier: Apache-2.0
"""Result of a rule: one finding for each thing that it looked at."""

from dataclasses import dataclass
from enum import StrEnum

from offrecord.base.errors import Exit


class State(StrEnum):
    """The result for one thing."""

    OK = "ok"
    WARN = "warn"
    """It works and is not as it should be."""
    FAIL = "FAIL"
    """Presses, or some of them, come to nothing."""
    SKIPPED = "skip"
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
        """The finding in words and, after a semicolon, the fix."""
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


def ok(what: str, text: str) -> Finding:
    """Return the finding for a thing that is as it should be."""
    return Finding(what, State.OK, text)


def warning(what: str, text: str, fix: str) -> Finding:
    """Return the finding for a thing that works and should be different."""
    return Finding(what, State.WARN, text, fix)


def failure(what: str, text: str, fix: str, code: Exit) -> Finding:
    """Return the finding for a thing that does not work; `code` is the exit code."""
    return Finding(what, State.FAIL, text, fix, code)


def skipped(what: str, text: str, fix: str = "") -> Finding:
    """Return the finding for a thing that could not be looked at; `text` says why."""
    return Finding(what, State.SKIPPED, text, fix)


def put(line: str, section: str, file: str, reload: str) -> str:
    """Return a fix: one line in a section of one of Asterisk's files, and the reload after it."""
    return f"put `{line}` into [{section}] of {file}, then asterisk -rx '{reload}'"


def some(names: list[str], limit: int = 4) -> str:
    """Return a list of names for a finding: the first `limit`, and how many more."""
    more = len(names) - limit
    shown = ", ".join(names[:limit])
    return f"{shown} and {more} more" if more > 0 else shown
