# SPDX-License-Identifier: Apache-2.0
"""Classify an answer of the server by status and body. Pure.

House rule of the vendor: `Code` is 0 for success, negative for an error, positive for a warning
or notice, and an error may come inside a 200. What a stop or start answers on success is not
documented beyond the 200: an empty 200 is accepted and unconfirmed, and anything that cannot
be read (HTML from a proxy, other text, JSON without a `Code`) is never a success.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from noojee.redact import Redactor
from noojee.wire import Exchange

_EXPIRED: Final = "expired timestamp"
"""The one documented text of a refused pair."""

_NUMBER: Final = re.compile(r"\s*[+-]?[0-9]{1,9}\s*")


class Kind(StrEnum):
    """Kind of an answer, by status and body together."""

    DONE = "done"
    """200 and `Code` 0."""
    WARNING = "warning"
    """200 and a positive `Code`: a notice by the vendor's house rule."""
    UNCONFIRMED = "unconfirmed"
    """200 and an empty body: accepted, with nothing to confirm it."""
    EXPIRED = "expired"
    """The documented refusal of a pair that is too old."""
    REFUSED = "refused"
    """A negative `Code`, whatever the status."""
    FORBIDDEN = "forbidden"
    """401 or 403 without a negative `Code`."""
    CLIENT_ERROR = "client_error"
    """Another 4xx: wrong address, wrong method."""
    SERVER_ERROR = "server_error"
    """5xx."""
    REDIRECT = "redirect"
    """3xx; it is never followed."""
    JUNK = "junk"
    """Anything else: HTML, text, JSON without a readable `Code`, an undocumented status."""

    @property
    def good(self) -> bool:
        """True when the server may be said to have accepted the request."""
        return self in {Kind.DONE, Kind.WARNING, Kind.UNCONFIRMED}


@dataclass(frozen=True, slots=True)
class Answer:
    """One judged answer.

    `message` is the server's text, redacted and on one line. `document` is the parsed JSON as it
    came, not redacted. `exchanges` are the requests that were made for it, in order.
    """

    kind: Kind
    status: int
    code: int | None = None
    message: str = ""
    document: Any = field(default=None, repr=False)
    exchanges: tuple[Exchange, ...] = field(default=(), repr=False)


def judge(status: int, body: bytes, redactor: Redactor) -> Answer:
    """Judge the answer to a verb."""
    if not body.strip():
        kind = Kind.UNCONFIRMED if status == 200 else _by_status(status)
        return Answer(kind, status)
    document = read_json(body)
    code = read_code(document)
    if code is None:
        kind = Kind.JUNK if status == 200 else _by_status(status)
        return Answer(kind, status, None, _excerpt(body, redactor), document)
    text = _text(fold(document).get("message"))
    return Answer(_by_code(status, code, text), status, code, redactor.server_text(text), document)


def judge_coded(status: int, body: bytes, redactor: Redactor) -> Answer:
    """Judge the answer to a request whose success is documented to carry a `Code`."""
    answer = judge(status, body, redactor)
    return replace(answer, kind=Kind.JUNK) if answer.kind is Kind.UNCONFIRMED else answer


def judge_array(status: int, body: bytes, redactor: Redactor) -> Answer:
    """Judge the answer to a request for recording metadata: a bare JSON array is success."""
    if status == 200 and isinstance(document := read_json(body), list):
        return Answer(Kind.DONE, status, None, "", document)
    answer = judge(status, body, redactor)
    return replace(answer, kind=Kind.JUNK) if answer.kind.good else answer


def judge_time(status: int, body: bytes, redactor: Redactor) -> Answer:
    """Judge the answer to `Time`; on success `message` is the timestamp, digit for digit."""
    stamp = body.strip()
    if status == 200 and 1 <= len(stamp) <= 20 and stamp.isdigit():
        return Answer(Kind.DONE, status, None, stamp.decode())
    answer = judge(status, body, redactor)
    return replace(answer, kind=Kind.JUNK) if answer.kind.good else answer


def _by_code(status: int, code: int, text: str) -> Kind:
    if code < 0:
        return Kind.EXPIRED if text.strip().lower() == _EXPIRED else Kind.REFUSED
    if status != 200:
        return _by_status(status)
    return Kind.WARNING if code else Kind.DONE


def _by_status(status: int) -> Kind:
    if status in {401, 403}:
        return Kind.FORBIDDEN
    return {3: Kind.REDIRECT, 4: Kind.CLIENT_ERROR, 5: Kind.SERVER_ERROR}.get(
        status // 100, Kind.JUNK
    )


class _ConflictError(ValueError):
    """One object says two different things under one name."""


def _pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object whose `Code` and `code`, say, differ: either could be the true one."""
    seen: dict[str, Any] = {}
    for key, value in items:
        low = key.lower()
        if low in seen and low in {"code", "message"} and seen[low] != value:
            raise _ConflictError(low)
        seen[low] = value
    return dict(items)


def read_json(body: bytes) -> Any:
    """Return the JSON document of a body, or None when it is none that can be trusted."""
    try:
        return json.loads(body.decode("utf-8-sig"), object_pairs_hook=_pairs)
    except (ValueError, RecursionError):
        # UnicodeDecodeError and JSONDecodeError are ValueErrors; deep nesting is a RecursionError.
        return None


def fold(document: object) -> dict[str, Any]:
    """Return an object with its names in lower case; the vendor writes both `Code` and `code`."""
    if not isinstance(document, Mapping):
        return {}
    return {str(key).lower(): value for key, value in document.items()}


def read_code(document: object) -> int | None:
    """Return the `Code` of a document: an integer, or one written as a text."""
    code = fold(document).get("code")
    if isinstance(code, bool):
        return None
    if isinstance(code, int):
        return code
    if isinstance(code, str) and _NUMBER.fullmatch(code):
        return int(code)
    return None


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _excerpt(body: bytes, redactor: Redactor) -> str:
    return redactor.server_text(body[:16384].decode("utf-8", "replace"))
