# SPDX-License-Identifier: Apache-2.0
"""What can go wrong between Asterisk, the script and the daemon.

::

    AgiError
    ├── AgiInjection     a value would have become a command of its own; nothing was sent
    ├── AgiProtocol      the other side sent no AGI, or more of it than is allowed
    ├── AgiHangup        the channel, or the connection to it, is gone
    ├── AgiRefused       Asterisk answered the command, and the answer is no
    ├── AgiDeadline      the script's own alarm rang
    ├── AgiBind          the FastAGI server cannot listen where it was told to
    └── HandoverError    the daemon did not take the press, or did not say what became of it
"""


class AgiError(Exception):
    """Anything this room raises on purpose."""


class AgiInjection(AgiError):
    """A value holds a control character, or a command is longer than Asterisk reads.

    Raised on this side, before a byte is sent: Asterisk ends a command at a newline and reads
    2,047 bytes of it, and takes what follows for the next command.
    """


class AgiProtocol(AgiError):
    """The peer does not speak AGI, leaves out what every press needs, or exceeds a limit."""


class AgiHangup(AgiError):
    """The channel hung up or its connection ended. A press already handed over is not touched."""


class AgiRefused(AgiError):
    """Asterisk refused a command. `code` is its three digits, `command` the name of it."""

    def __init__(self, command: str, code: int, answer: str) -> None:
        super().__init__(f"{command}: {code} {answer}")
        self.command = command
        self.code = code


class AgiDeadline(AgiError):
    """The one-shot script has lived as long as it may; it leaves the call alone."""


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
