# SPDX-License-Identifier: Apache-2.0
"""Parses the command line of the one-shot script, as the dialplan writes it.

By hand: `argparse` costs 10 ms at the start of every press.
"""

from agi.handover import DEFAULT_SOCKET
from agi.verdict_message import FAILURE_SOUND, VERBS

# The type checkers know this name; `typing` itself would cost more than the rest of the module.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

USAGE = f"""\
usage, in the dialplan: AGI(offrecord-agi,VERB[,TONE][,name=value…][,--option=value…])
  VERB               {", ".join(VERBS)}
  TONE               sound played when the press fails, default {FAILURE_SOUND}
  agent=NAME         the recorder's name for the person who presses
  recorder=NAME      the only recorder that is meant
  --socket=PATH      the daemon's socket, default {DEFAULT_SOCKET}
  --wait=SECONDS     how long to stay for the verdict, default 0.7
  --deadline=SECONDS how long the exchange with the daemon may take in all, default 1.2
  --interim=SOUND    sound played when the verdict is not known in time, none by default
  --tone=SOUND       the same as TONE
environment: OFFRECORD_SOCKET, OFFRECORD_TONE
"""


class ArgumentsError(Exception):
    """The dialplan called the script with arguments that it does not know."""


class Arguments:
    """The parsed command line. Times are in seconds."""

    __slots__ = ("deadline", "interim", "options", "socket", "tone", "verb", "wait")

    def __init__(self, environ: "Mapping[str, str]") -> None:
        self.verb = ""
        self.socket = environ.get("OFFRECORD_SOCKET") or DEFAULT_SOCKET
        self.tone = environ.get("OFFRECORD_TONE") or FAILURE_SOUND
        self.interim = ""
        self.wait = 0.7
        self.deadline = 1.2
        self.options: dict[str, str] = {}

    def take(self, words: list[str]) -> None:
        """Parse the words of the command line. Raises ArgumentsError that names the wrong one."""
        plain: list[str] = []
        rest = [word for word in words if word]
        while rest:
            word = rest.pop(0)
            if word.startswith("--"):
                name, equals, value = word.partition("=")
                if not equals:
                    value = rest.pop(0) if rest else ""
                self._set(name, value)
            elif "=" in word:
                name, _, value = word.partition("=")
                self.options[name.strip()] = value.strip()
            else:
                plain.append(word)
        if not plain:
            raise ArgumentsError("no verb")
        if len(plain) > 2:
            raise ArgumentsError(f"one word too many: {plain[2]!r}")
        self.verb = plain[0].lower()
        self.tone = plain[1] if len(plain) == 2 else self.tone

    def _set(self, name: str, value: str) -> None:
        if not value:
            raise ArgumentsError(f"{name} needs a value")
        if name == "--socket":
            self.socket = value
        elif name == "--tone":
            self.tone = value
        elif name == "--interim":
            self.interim = value
        elif name == "--wait":
            self.wait = _seconds(name, value)
        elif name == "--deadline":
            self.deadline = _seconds(name, value)
        else:
            raise ArgumentsError(f"unknown option {name!r}")


def _seconds(name: str, value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 60:
        raise ArgumentsError(f"{name} must be a number of seconds from 0 to 60")
    return seconds
