# SPDX-License-Identifier: Apache-2.0
"""Errors between Asterisk, the one-shot script and the daemon.

::

    AgiError
    ├── AgiInjection     a value would have become another command; nothing was sent
    ├── AgiProtocol      the other side sent no AGI, or more of it than is allowed
    ├── AgiHangup        the channel, or the connection to it, is gone
    ├── AgiRefused       Asterisk refused the command
    ├── AgiBind          the FastAGI server cannot listen on its address
    └── HandoverError    the daemon did not accept the press, or sent no verdict
"""


class AgiError(Exception):
    """Base class of the errors in this package."""


class AgiInjection(AgiError):
    """A value contains a control character, or a command is longer than Asterisk reads.

    Raised before a byte is sent: Asterisk ends a command at a newline, reads 2,047 bytes of it, and
    takes the rest for the next command.
    """


class AgiProtocol(AgiError):
    """The peer does not speak AGI, names no channel, or exceeds a limit."""


class AgiHangup(AgiError):
    """The channel hung up or its connection ended. A press already accepted is not affected."""


class AgiRefused(AgiError):
    """Asterisk refused a command. `code`: its three digits. `command`: the command's name."""

    def __init__(self, command: str, code: int, answer: str) -> None:
        super().__init__(f"{command}: {code} {answer}")
        self.command = command
        self.code = code


class AgiBind(AgiError):
    """The FastAGI address cannot be listened on. `fix` is what the administrator can do."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        fix = "stop what listens there, or set another agi.host or agi.port"
        super().__init__(f"FastAGI cannot listen on {host}:{port}: {reason}; {fix}")
        self.host = host
        self.port = port
        self.reason = reason
        self.fix = fix


class HandoverError(AgiError):
    """The exchange with the daemon failed.

    `cause` is `missing` (no socket), `refused` (nobody listens on it), `forbidden` (no permission),
    `timeout`, `closed` (the daemon went away), `protocol` (what came is not ours) or `declined`
    (the daemon answered with an error of its own). `fix` is what the administrator can do.
    """

    def __init__(self, cause: str, message: str, fix: str) -> None:
        super().__init__(message)
        self.cause = cause
        self.fix = fix
