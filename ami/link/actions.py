# SPDX-License-Identifier: Apache-2.0
"""Actions as bytes, answers as data. The one place where text becomes AMI, so the one to guard.

An action is `Name: value` lines ended by CR LF and closed by an empty line. A line break inside a
value would begin a header, or another action, of somebody else's choosing: a caller's name is
enough to do it. Such a value is refused, never repaired.

Limits measured on Asterisk 16.28 and 22.10: a line of 1020 bytes is taken and one of 1024 refused;
128 headers are taken and 129 refused.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ami.errors import AmiInjection

MAX_LINE: Final = 1020
"""Bytes in one header line, without its CR LF."""
MAX_HEADERS: Final = 128

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*", re.ASCII)
_FORBIDDEN = re.compile(r"[\r\n\0]")


def flatten(fields: Mapping[str, str | Sequence[str]]) -> list[tuple[str, str]]:
    """Return the headers one by one; a sequence is a header that is repeated."""
    pairs: list[tuple[str, str]] = []
    for name, value in fields.items():
        if isinstance(value, str):
            pairs.append((name, value))
        else:
            pairs.extend((name, each) for each in value)
    return pairs


def encode(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Return the bytes of one action.

    Raises AmiInjection when a name is no header name, a name or value holds CR, LF or NUL, text
    is not encodable, a line is too long for Asterisk or there are too many headers.
    """
    lines = [_line(name, value) for name, value in pairs]
    if not lines:
        raise AmiInjection("Action", "is missing")
    if len(lines) > MAX_HEADERS:
        raise AmiInjection("Action", f"has more than {MAX_HEADERS} headers")
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _line(name: str, value: str) -> bytes:
    if _FORBIDDEN.search(name) or not _NAME.fullmatch(name):
        raise AmiInjection(name[:40], "is no header name")
    if _FORBIDDEN.search(value):
        raise AmiInjection(name, "holds a line break or a NUL")
    try:
        line = f"{name}: {value}".encode()
    except UnicodeEncodeError as error:
        raise AmiInjection(name, "holds text that is no Unicode") from error
    if len(line) > MAX_LINE:
        raise AmiInjection(name, f"is longer than {MAX_LINE} bytes")
    return line


_OK: Final = frozenset({"Success", "Follows", "Goodbye", "Pong"})


@dataclass(frozen=True, slots=True)
class Response:
    """What the PBX answered to one action, or one row of a list it answered with.

    `ok` is True only for the answers Asterisk gives to what it has done. `message` is its sentence,
    empty when it gave none. `headers` are spelled as they came; values of a repeated header are
    joined by line feeds. `output` are the lines a command printed.
    """

    ok: bool
    message: str
    headers: Mapping[str, str]
    output: tuple[str, ...] = ()


def response(pairs: Iterable[tuple[str, str]]) -> Response:
    """Return the answer made of these headers. A row of a list is `ok`."""
    found: dict[str, str] = {}
    output: list[str] = []
    for name, value in pairs:
        if name == "Output":
            output.append(value)
        elif name in found:
            found[name] += f"\n{value}"
        else:
            found[name] = value
    ok = found["Response"] in _OK if "Response" in found else "Event" in found
    return Response(ok, found.get("Message", ""), found, tuple(output))
