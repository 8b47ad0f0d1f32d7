# SPDX-License-Identifier: Apache-2.0
"""Runs AGI commands through pyst2's `AGI` object, for the one-shot script.

The script only: pyst2's constructor installs a handler for SIGHUP. What pyst2 0.5.1 does, and what
this adapter does about it:

- at the end of input or on a `HANGUP` line it raises ValueError, after a 520 it loops for ever and
  grows a list: our input raises AgiHangup, skips the line, and limits the number of lines;
- it takes `100` and `511` for unknown errors: our input reads on, or raises AgiHangup;
- it sends quotes and newlines as they are, and file names without quotes: only `execute` is used,
  with lines from our own encoder;
- it writes arguments, environment and every command to stderr: it gets a stream that discards all;
- it binds the text streams of its import, which fail on a caller name that is not UTF-8: it gets
  our streams over the file descriptors.
"""

import os
import sys

from agi.errors import AgiHangup, AgiRefused
from agi.wire import LineBuffer, ReplyReader, command

# The type checkers know this name; `typing` itself would cost more than the rest of the module.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from agi.wire import Environment

_CHUNK = 4096


class PystChannel:
    """The channel that runs this script, through pyst2.

    `environment`: already read from `infd`. `rest`: bytes that came after it.
    """

    def __init__(
        self, environment: "Environment", *, infd: int, outfd: int, rest: bytes = b""
    ) -> None:
        self._pyst = _load()
        lines = [f"{name}: {value}\n" for name, value in environment.values.items()]
        self._agi = self._pyst.AGI(_Input(infd, [*lines, "\n"], rest), _Output(outfd), _Nothing())

    def execute(self, name: str, *arguments: str) -> str:
        """Run one command, every argument in quotes; return the answer's text in parentheses.

        Raises AgiHangup when the channel is gone, AgiRefused when Asterisk refuses, AgiInjection
        before anything is sent, AgiProtocol when the answer is no AGI.
        """
        line = command(name, *arguments).decode("utf-8").rstrip("\n")
        pyst = self._pyst
        try:
            result, data = self._agi.execute(line)["result"]
        except pyst.AGIHangup as error:
            raise AgiHangup("the channel hung up") from error
        except pyst.AGIAppError as error:
            raise AgiRefused(name, 200, "result=-1") from error
        except pyst.AGIInvalidCommand as error:
            raise AgiRefused(name, 510, "unknown command") from error
        except pyst.AGIUsageError as error:
            raise AgiRefused(name, 520, "wrong usage") from error
        except pyst.AGIError as error:
            raise AgiRefused(name, int(error.args[0]), "unknown answer") from error
        except OSError as error:
            raise AgiHangup(f"the pipe to Asterisk broke: {error.strerror}") from error
        if result.startswith("-"):
            raise AgiRefused(name, 200, f"result={result}")
        return str(data)


def _load() -> "Any":
    """Import pyst2's AGI module without `pprint`.

    pyst2 prints its environment with it, to the stream that discards all. `pprint` imports
    `dataclasses` and `inspect`: 10 ms in which the other party does not hear the presser.
    """
    replaced = "pprint" not in sys.modules
    if replaced:
        module = type(sys)("pprint")
        vars(module)["pformat"] = repr
        sys.modules["pprint"] = module
    try:
        import asterisk.agi
    finally:
        if replaced:
            del sys.modules["pprint"]
    return asterisk.agi


class _Input:
    """The input of pyst2: the environment again, then answers and nothing else."""

    def __init__(self, fd: int, ready: list[str], rest: bytes) -> None:
        self._fd = fd
        self._ready = ready
        self._lines = LineBuffer(rest)

    def readline(self) -> str:
        """Return the next line, skipping those that pyst2 cannot parse."""
        if not self._ready:
            self._ready = self._answer()
        return self._ready.pop(0)

    def _answer(self) -> list[str]:
        reader = ReplyReader()
        usage: list[bytes] = []
        while True:
            line = self._line()
            reply = reader.take(line)
            if reply is None:
                if usage or line.startswith(b"520-"):
                    usage.append(line)
                continue
            if reply.code == 511:
                raise AgiHangup("the channel hung up")
            if reply.code == 520 and not usage:
                usage.append(line)  # pyst2 reads on until a second 520, which a short one lacks
            return [f"{each.decode('utf-8', 'surrogateescape')}\n" for each in (*usage, line)]

    def _line(self) -> bytes:
        while (line := self._lines.take()) is None:
            data = os.read(self._fd, _CHUNK)
            if not data:
                raise AgiHangup("Asterisk closed the pipe")
            self._lines.feed(data)
        return line


class _Output:
    """The command output of pyst2: writes whole lines to the file descriptor."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def write(self, text: str) -> None:
        data = text.encode("utf-8", "surrogateescape")
        while data:
            data = data[os.write(self._fd, data) :]

    def flush(self) -> None:
        """Do nothing: there is no buffer."""


class _Nothing:
    """The stderr of pyst2: discards everything."""

    def write(self, text: str) -> None:
        """Discard the text: it contains numbers and arguments."""
