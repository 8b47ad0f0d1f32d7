# SPDX-License-Identifier: Apache-2.0
"""Exit codes of every command, and the error that carries a fix and an exit code.

A script that calls `offrecord stop` learns the outcome from the exit code alone: 0 is a proven
stop, 10 to 19 are the other outcomes, 20 and above name the obstacle.
"""

from enum import IntEnum
from types import MappingProxyType

from ami.errors import AmiError, AmiInjection, AmiInsecure, AmiRefused, AmiUntrusted


class Exit(IntEnum):
    """Exit codes of the commands. The numbers are stable: none is ever given another meaning."""

    OK = 0
    """Done; for a press: `confirmed`."""
    INTERNAL = 1
    """A fault in offrecord itself."""
    USAGE = 2
    """The command line was wrong (click uses the same number)."""

    # The codes by outcome; the table is `offrecord.model.outcome_codes.EXIT_CODES`.
    ACCEPTED = 10
    CONTAINED = 11
    NOTHING_TO_STOP = 12
    DENIED = 13
    CALL_ENDED = 14
    FAILED = 15

    CONFIG = 20
    """The configuration cannot be used."""
    PBX_SECRET = 21
    """The PBX refused the manager user or its secret."""
    PBX_UNREACHABLE = 22
    """Nothing answers at the PBX's manager port."""
    PBX_UNTRUSTED = 23
    """The PBX's certificate is not trusted."""
    PBX_PRIVILEGES = 24
    """The manager user lacks a privilege that is needed."""
    RECORDER_UNREACHABLE = 25
    RECORDER_UNTRUSTED = 26
    RECORDER_REFUSED = 27
    DAEMON_DOWN = 28
    """No daemon answers on the control socket."""
    NOT_FOUND = 29
    """The named call, press, channel or recorder does not exist."""
    JOURNAL = 30
    """The journal cannot be read or written."""
    PORT_IN_USE = 31
    """An address that the daemon is to listen on is taken."""
    LAB = 32
    """The demo's own PBX could not be set up."""
    TAMPERED = 33
    """The journal, or an archive of it, was changed after it was written."""
    PBX_SETUP = 34
    """The setup of the PBX keeps a code from working: features, dialplan, phones."""


RECORDER_EXITS = MappingProxyType(
    {
        "unreachable": Exit.RECORDER_UNREACHABLE,
        "untrusted": Exit.RECORDER_UNTRUSTED,
        "refused": Exit.RECORDER_REFUSED,
    }
)
"""The exit code of each `bridges.model.RecorderUnavailable.cause`."""


class UserError(Exception):
    """An error that the person at the terminal can fix.

    `message` says what is wrong, `fix` what to do, `exit` is the exit code. The command line
    prints `str(error)`, which is always one line, and no traceback.
    """

    def __init__(self, message: str, fix: str, exit: Exit) -> None:  # noqa: A002
        self.message = " ".join(message.split())
        self.fix = " ".join(fix.split())
        self.exit = exit
        super().__init__(f"{self.message}; {self.fix}" if self.fix else self.message)


_PBX_EXITS: tuple[tuple[type[AmiError], Exit], ...] = (
    (AmiInsecure, Exit.CONFIG),
    (AmiInjection, Exit.CONFIG),
    (AmiRefused, Exit.PBX_SECRET),
    (AmiUntrusted, Exit.PBX_UNTRUSTED),
)


def user_error(problem: AmiError) -> UserError:
    """Return an AMI error as a `UserError` with the exit code of its kind."""
    codes = (code for kind, code in _PBX_EXITS if isinstance(problem, kind))
    return UserError(f"PBX: {problem.message}", problem.fix, next(codes, Exit.PBX_UNREACHABLE))
