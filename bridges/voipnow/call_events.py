# SPDX-License-Identifier: Apache-2.0
"""Take VoipNow's Call Events, and look up which of its call ids belongs to a call here.

Parameters are those of 4PSA's pages "VoipNow Call Events" and "How to integrate VoipNow with
remote applications using Call Events" (wiki.4psa.com); `CallAPIID` is read by the vendor's own
demo "Secure My Form". Nothing vouches for the sender but a secret at the end of the URL.
"""

import hmac
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bridges.shared.match_call import Candidate
from bridges.shared.phone_numbers import plain
from bridges.voipnow.messages import same, valid_id

LARGEST: Final = 16 * 1024
"""Bytes of a query or body that are read."""
MOST: Final = 10_000
"""Calls that are kept."""
OLDEST: Final = 4 * 3600.0
"""Seconds that a call is kept after its last event."""

_LONGEST: Final = 128
_HANGUPS: Final = frozenset({"ANSWER", "UNKNOWN"})
"""`CallStatus` of a hang-up event; those of dialling and answering are others."""


@dataclass(frozen=True, slots=True)
class ReportedCall:
    """One call that VoipNow reported. `at`: its first event, in seconds since the epoch."""

    call_id: str
    api_id: str
    extensions: tuple[str, ...]
    numbers: tuple[str, ...]
    status: str
    at: float

    def candidate(self) -> "Candidate[ReportedCall]":
        """Return it as something to choose from."""
        numbers = (plain(number) for number in self.numbers + self.extensions)
        label = f"call {self.api_id} (told of {', '.join(self.extensions) or 'no extension'})"
        return Candidate(self, label, (self.at,), tuple(number for number in numbers if number))


class Hook:
    """The calls that VoipNow reported, and the ASGI app that it reports them to.

    `token` is what the last part of the path must be; without one every request is 404. `now` is
    the time of day in seconds, `loose` as in the settings.
    """

    def __init__(
        self, token: str | None, *, loose: bool = False, now: Callable[[], float] = time.time
    ) -> None:
        self._token = token
        self._loose = loose
        self._now = now
        self._calls: OrderedDict[str, ReportedCall] = OrderedDict()
        self._by_id: dict[str, str] = {}

    def __len__(self) -> int:
        """Return how many calls are known."""
        return len(self._calls)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request of VoipNow."""
        if scope["type"] == "http":
            response = Response(status_code=await self._take(scope, receive))
            await response(scope, receive, send)

    def by_ids(self, ids: Iterable[str]) -> ReportedCall | None:
        """Return the call with one of these Asterisk ids, if exactly one was reported."""
        self._expire()
        found = {key for one in ids if (key := self._by_id.get(one)) is not None}
        return self._calls[found.pop()] if len(found) == 1 else None

    def of(self, extension: str) -> list[ReportedCall]:
        """Return the calls that were reported for an extension, oldest first."""
        self._expire()
        return [
            heard
            for heard in self._calls.values()
            if any(same(one, extension) for one in heard.extensions)
        ]

    def tell(self, told: Mapping[str, str]) -> bool:
        """Store the parameters of one event; return whether they named a call."""
        call_id, api_id = _short(told.get("CallID")), _short(told.get("CallAPIID"))
        status = _short(told.get("CallStatus")).upper()
        if status in _HANGUPS:
            self._drop(self._by_id.get(call_id, api_id))
            return bool(call_id or api_id)
        if not valid_id(api_id, loose=self._loose):
            return False
        known = self._calls.get(api_id)
        extensions = _texts(told, "CalledExtension", "CallerExtension")
        numbers = _texts(told, "CallerIDNum", "CalledDID", "CalledNumber")
        if known is not None:
            extensions = tuple(dict.fromkeys(known.extensions + extensions))[:16]
            numbers = tuple(dict.fromkeys(known.numbers + numbers))[:16]
            self._drop(api_id)
            call_id = call_id or known.call_id
        at = known.at if known else self._now()
        self._calls[api_id] = ReportedCall(call_id, api_id, extensions, numbers, status, at)
        if call_id:
            self._by_id[call_id] = api_id
        while len(self._calls) > MOST:
            self._drop(next(iter(self._calls)))
        return True

    def _drop(self, api_id: str) -> None:
        gone = self._calls.pop(api_id, None)
        if gone is not None and self._by_id.get(gone.call_id) == api_id:
            del self._by_id[gone.call_id]

    def _expire(self) -> None:
        before = self._now() - OLDEST
        for key in [key for key, heard in self._calls.items() if heard.at < before]:
            self._drop(key)

    async def _take(self, scope: Scope, receive: Receive) -> int:
        given = scope["path"].rpartition("/")[2].encode()
        if self._token is None or not hmac.compare_digest(given, self._token.encode()):
            return 404
        if scope["method"] not in {"GET", "POST"}:
            return 405
        raw = scope.get("query_string", b"")
        if scope["method"] == "POST":
            body = await _read(receive)
            if body is None:
                return 413
            raw = body or raw
        if len(raw) > LARGEST:
            return 413
        try:
            told = dict(parse_qsl(raw.decode(), max_num_fields=64))
        except ValueError:
            return 400
        return 204 if self.tell(told) else 400


async def _read(receive: Receive) -> bytes | None:
    """Return a request's body; None for one that is too long."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > LARGEST:
            return None
        if not message.get("more_body", False):
            return b"".join(parts)


def _short(value: str | None) -> str:
    text = (value or "").strip()
    return text if len(text) <= _LONGEST and text.isprintable() else ""


def _texts(told: Mapping[str, str], *names: str) -> tuple[str, ...]:
    texts = (_short(told.get(name)).partition("@")[0] for name in names)
    return tuple(dict.fromkeys(text for text in texts if text))
