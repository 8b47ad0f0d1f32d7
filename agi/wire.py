# SPDX-License-Identifier: Apache-2.0
"""The AGI wire format: encodes commands, parses environment and answers. No socket, no clock.

Asterisk first sends the environment: lines `agi_name: value`, ended by an empty line. Then we send
one command a line and it answers each with `200 result=…`, possibly after `100 Trying...`. `510` is
an unknown command, `511` one that a hung-up channel cannot run, `520` a wrong one, followed by its
usage over several lines. A line `HANGUP` may come in between at any time (FastAGI only).

Facts are from Asterisk's `res_agi.c`, versions 16 and 22: a command ends at a newline, at most
2,047 bytes of it are read, a backslash protects the next character, quotes hold spaces together.
"""

from agi.errors import AgiInjection, AgiProtocol

MAX_ENVIRONMENT = 16 * 1024
"""Most bytes of an environment. A real one has about 600."""

MAX_ENVIRONMENT_LINES = 256
"""Most lines of an environment. A real one has about 22, and one more for each argument."""

MAX_REPLY_LINE = 8 * 1024
"""Most bytes of one line of an answer."""

MAX_STRAY_LINES = 128
"""Most lines within one answer that are not the answer: usage, HANGUP, 100."""

MAX_COMMAND = 2047
"""Bytes of a command that Asterisk reads, newline included."""

_UNKNOWN = "unknown"  # what Asterisk writes for a caller id it does not have


class Environment:
    """The environment of the channel that runs this AGI.

    `channel` and `uniqueid` are never empty. `arguments`: the dialplan's, in order. `get` reads
    everything else. Of a name that occurs twice the first line counts: Asterisk writes the
    channel's own names before the caller's, and a caller name with a newline in it must not rename
    the channel.
    """

    __slots__ = ("arguments", "channel", "uniqueid", "values")

    def __init__(self, values: dict[str, str], arguments: tuple[str, ...]) -> None:
        self.values = values
        self.arguments = arguments
        self.channel = _identity(values, "agi_channel")
        self.uniqueid = _identity(values, "agi_uniqueid")

    def get(self, name: str) -> str:
        """Return a value, or an empty string where Asterisk has none."""
        value = self.values.get(name, "")
        return "" if value == _UNKNOWN else value


def _identity(values: dict[str, str], name: str) -> str:
    value = values.get(name, "")
    if not value:
        raise AgiProtocol(f"the environment has no {name}: this is no AGI request")
    if _has_control(value):
        raise AgiProtocol(f"{name} holds a control character")
    return value


class EnvironmentBuffer:
    """Collects bytes until the environment is complete."""

    __slots__ = ("_data", "_scanned")

    def __init__(self) -> None:
        self._data = bytearray()
        self._scanned = 0

    def feed(self, data: bytes) -> Environment | None:
        """Add bytes; return the environment once its empty line has come, otherwise None.

        Raises AgiProtocol when it grows past its limits or names no channel.
        """
        self._data += data
        end, size = _empty_line(self._data, self._scanned)
        if end < 0:
            if len(self._data) > MAX_ENVIRONMENT:
                raise AgiProtocol(f"more than {MAX_ENVIRONMENT} bytes of environment")
            # The empty line may be incomplete: scan the last two bytes again.
            self._scanned = max(0, len(self._data) - 2)
            return None
        block = bytes(self._data[:end])
        del self._data[: end + size]
        return parse_environment(block)

    @property
    def rest(self) -> bytes:
        """The bytes that came after the environment."""
        return bytes(self._data)


def _empty_line(data: bytearray, start: int) -> tuple[int, int]:
    """Return where the first empty line ends the block (-1: nowhere), and its bytes."""
    for mark in (b"\n", b"\r\n"):
        if data.startswith(mark):
            return 0, len(mark)
    found = [
        (at, len(mark)) for mark in (b"\n\n", b"\n\r\n") if (at := data.find(mark, start)) >= 0
    ]
    return min(found) if found else (-1, 0)


def parse_environment(block: bytes) -> Environment:
    """Return the environment in a block without its closing empty line.

    Bytes that are not UTF-8 become U+FFFD. Arguments count only at the end of the block, where
    Asterisk writes them: one before that was injected by a caller name. Raises AgiProtocol when the
    block is too large or names no channel.
    """
    if len(block) > MAX_ENVIRONMENT:
        raise AgiProtocol(f"more than {MAX_ENVIRONMENT} bytes of environment")
    lines = block.decode("utf-8", "replace").split("\n")
    if len(lines) > MAX_ENVIRONMENT_LINES:
        raise AgiProtocol(f"more than {MAX_ENVIRONMENT_LINES} lines of environment")
    parts = [line.partition(":") for line in lines if line[:4] == "agi_"]
    # From the last line to the first: of two lines with one name the first is kept.
    values = {name: value.strip() for name, _, value in reversed(parts)}
    return Environment(values, _tail_arguments(parts))


def _tail_arguments(parts: list[tuple[str, str, str]]) -> tuple[str, ...]:
    first = len(parts)
    while first and parts[first - 1][0].startswith("agi_arg_"):
        first -= 1
    return tuple(value.strip() for _, _, value in parts[first:])


def command(name: str, *arguments: str) -> bytes:
    """Return the bytes of one command, every argument in quotes.

    Raises AgiInjection when a part contains a control character or the command is too long.
    """
    line = " ".join([_plain(name), *(quote(argument) for argument in arguments)])
    data = line.encode("utf-8", "replace") + b"\n"
    if len(data) > MAX_COMMAND:
        raise AgiInjection(f"{name} with {len(data)} bytes: Asterisk reads {MAX_COMMAND}")
    return data


def quote(argument: str) -> str:
    """Return an argument in quotes and escaped: Asterisk reads exactly this text.

    Raises AgiInjection when it contains a control character.
    """
    escaped = _plain(argument).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def printable(text: str, limit: int = 400) -> str:
    """Return text for a VERBOSE line: control characters as spaces, at most `limit` characters."""
    line = text
    if _has_control(text):
        line = "".join(" " if _is_control(char) else char for char in text)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _plain(text: str) -> str:
    if _has_control(text):
        # Without the text: it may be a caller's name, and the message goes to logs.
        raise AgiInjection("a control character inside an AGI command")
    return text


def _has_control(text: str) -> bool:
    # `isprintable` is one call in C and enough for nearly every text, but refuses harmless ones.
    return not text.isprintable() and any(_is_control(char) for char in text)


def _is_control(char: str) -> bool:
    return char < " " or char == "\x7f"


class LineBuffer:
    """Splits a stream of bytes into lines of at most `limit` bytes."""

    __slots__ = ("_data", "_limit", "_scanned")

    def __init__(self, data: bytes = b"", limit: int = MAX_REPLY_LINE) -> None:
        self._data = bytearray(data)
        self._limit = limit
        self._scanned = 0

    def feed(self, data: bytes) -> None:
        """Add bytes."""
        self._data += data

    def take(self) -> bytes | None:
        """Return the next complete line without its ending, or None if there is none yet.

        Raises AgiProtocol when a line is longer than the limit.
        """
        end = self._data.find(b"\n", self._scanned)
        if max(end, len(self._data) if end < 0 else 0) > self._limit:
            raise AgiProtocol(f"a line of more than {self._limit} bytes")
        if end < 0:
            self._scanned = len(self._data)
            return None
        line = bytes(self._data[:end])
        del self._data[: end + 1]
        self._scanned = 0
        return line.removesuffix(b"\r")


class Reply:
    """One answer of Asterisk.

    `code`: its three digits. `result`: the text after `result=`. `data`: the text in parentheses.
    `text`: the line without the code; for a 520 the usage, in lines.
    """

    __slots__ = ("code", "data", "result", "text")

    def __init__(self, code: int, text: str, result: str = "", data: str = "") -> None:
        self.code = code
        self.text = text
        self.result = result
        self.data = data

    def __repr__(self) -> str:
        """Return code and text."""
        return f"Reply({self.code}, {self.text!r})"


def reply_code(line: bytes) -> int | None:
    """Return the three digits that a line of an answer starts with, or None."""
    head, tail = line[:3], line[3:4]
    if len(head) == 3 and head.isdigit() and tail in (b"", b" ", b"-"):
        return int(head)
    return None


def parse_reply(line: bytes) -> Reply:
    """Return a one-line answer, `200 result=1 (value)` or `510 Invalid or unknown command`.

    Raises AgiProtocol when the line does not start with three digits.
    """
    code = reply_code(line)
    if code is None:
        raise AgiProtocol("an answer without a code")
    text = line[4:].decode("utf-8", "replace")
    if not text.startswith("result="):
        return Reply(code, text)
    result, _, tail = text.removeprefix("result=").partition(" ")
    opened, closed = tail.find("("), tail.rfind(")")
    data = tail[opened + 1 : closed] if 0 <= opened < closed else ""
    return Reply(code, text, result, data)


class ReplyReader:
    """Finds the answer to one command among the lines that arrive.

    Use one for each command. `hung_up` is True once a HANGUP line was seen.
    """

    __slots__ = ("_seen", "_usage", "hung_up")

    def __init__(self) -> None:
        self._usage: list[bytes] | None = None
        self._seen = 0
        self.hung_up = False

    def take(self, line: bytes) -> Reply | None:
        """Process one line; return the answer when this line completes it, otherwise None.

        Raises AgiProtocol after too many lines that are no answer.
        """
        self._seen += 1
        if self._seen > MAX_STRAY_LINES:
            raise AgiProtocol(f"more than {MAX_STRAY_LINES} lines without an answer")
        if self._usage is not None:
            self._usage.append(line)
            if not line.startswith(b"520 "):
                return None
            return Reply(520, b"\n".join(self._usage).decode("utf-8", "replace"))
        if line == b"HANGUP":
            self.hung_up = True
            return None
        code = reply_code(line)
        if code is None or code == 100:
            return None
        if code == 520 and line.startswith(b"520-"):
            self._usage = [line[4:]]
            return None
        return parse_reply(line)
