# SPDX-License-Identifier: Apache-2.0
"""Encodes actions to bytes and parses answers. The only place where text becomes AMI.

An action is `Name: value` lines ended by CR LF and closed by an empty line. A line break inside a
value, such as a caller's name, would inject a header or another action. Such a value is refused,
never repaired.

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
    """Return the headers as pairs; a sequence becomes a repeated header."""
    pairs: list[tuple[str, str]] = []
    for name, value in fields.items():
        if isinstance(value, str):
            pairs.append((name, value))
        else:
            pairs.extend((name, each) for each in value)
    return pairs


def encode(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Return the bytes of one action.

    Raises AmiInjection when a name is no header name, a name or value contains CR, LF or NUL, text
    cannot be encoded, a line is too long for Asterisk or there are too many headers.
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
    """The answer to one action, or one row of a list.

    `ok`: Asterisk says that it did the action. `message`: its sentence, or empty. `headers`: names
    as they were spelled; the values of a repeated header are joined by line feeds. `output`: the
    lines a CLI command printed.
    """

    ok: bool
    message: str
    headers: Mapping[str, str]
    output: tuple[str, ...] = ()


def response(pairs: Iterable[tuple[str, str]]) -> Response:
    """Return these headers as an answer. A row of a list is `ok`."""
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
