# SPDX-License-Identifier: Apache-2.0
"""One HTTP line to a recorder's server: every exchange has a deadline and an ending, none raises.

What a network may do is data here: a kind can have it in one table with the answers that its
vendor documents. What is shown of an exchange is free of secrets.
"""

import asyncio
import json
import time
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any, Final

import anyio
import httpx

from bridges.model import Evidence, Step
from noojee import wire
from noojee.redact import Redactor
from noojee.transport import Cause, Sent, cause_of, no_tls, quiet_http_loggers, tls_context

LIMIT: Final = 8 * 1024 * 1024
"""Bytes of one answer that are read."""

_SHOWN: Final = 500
_ISSUED: Final = 64
"""Issued secrets that are remembered; older ones have long expired."""


class Ending(StrEnum):
    """Result of an exchange: an answer, or the reason why there is none."""

    ANSWERED = "answered"
    NOT_CONNECTED = "not_connected"
    """Nothing was sent."""
    UNTRUSTED = "untrusted"
    """Nothing was sent: the server's certificate is not trusted."""
    NO_ANSWER = "no_answer"
    """It was sent, and no whole answer came: whether it was carried out is not known."""
    TOO_LONG = "too_long"
    """More than `LIMIT` bytes were answered."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and how it ended.

    `at` is seconds since the epoch, `took` seconds. `sent` and `said` are for people and the
    journal: one line each, secrets masked. `status`, `headers` and `body` are there when
    `ending` is `ANSWERED`.
    """

    at: float
    took: float
    sent: str
    said: str
    ending: Ending
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    @property
    def left(self) -> bool:
        """True when the request may have left this machine."""
        return self.ending not in {Ending.NOT_CONNECTED, Ending.UNTRUSTED}

    def json(self) -> Any:
        """Return the body's JSON value. Raises `ValueError` when it holds none."""
        return json.loads(self.body.decode("utf-8"))

    @property
    def retry_after(self) -> float | None:
        """The seconds that the server asks to wait (RFC 9110, in seconds only), if it does."""
        told = self.headers.get("retry-after", "").strip()
        return float(told) if told.isdecimal() and len(told) < 6 else None

    def step(self, evidence: Evidence) -> Step:
        """Return the exchange as the journal keeps it.

        `evidence` is what it proves, if it left this machine; else it proves nothing.
        """
        proven = evidence if self.left else Evidence.NONE
        return Step(self.at, self.took, self.sent, self.said, proven)


_DOUBTFUL: Final = frozenset({Ending.NO_ANSWER, Ending.NOT_CONNECTED})
"""Endings after which the connections that are kept may be as dead as the one that was used."""


@dataclass(slots=True, eq=False)
class _Pool:
    """Connections that are kept together, and how many requests go over them now."""

    client: httpx.AsyncClient
    users: int = 0


class HttpLine:
    """The connections to one server, at `base_url`.

    No connection is used again once a request over the line had no answer: a firewall or a node
    that has forgotten one has as a rule forgotten all, and a retry must not wait for the same
    silence. The next request opens a new one; those that are
    still under way end where they are.

    `ca_file` replaces the machine's authorities; verification cannot be turned off. `plain_http`
    allows `http://` to another machine. `keepalive` is how many seconds an idle connection is
    kept: less than the server keeps it. `secrets` are masked in everything that is shown, as
    is what `hide` and `hide_issued` add. Cookies are kept when `cookies` is set, redirects never
    followed, the environment never looked at.
    `transport`, `clock` (monotonic) and `now` (time of day) are seams. A transport that is given
    stays the one whatever happens.

    Raises `ValueError` for an unusable address or CA file.
    """

    def __init__(
        self,
        base_url: str,
        *,
        ca_file: str | Path | None = None,
        plain_http: bool = False,
        keepalive: float = 25.0,
        secrets: tuple[str, ...] = (),
        cookies: bool = False,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.origin = wire.origin(base_url, plain_http=plain_http)
        self._own = secrets
        self._issued = deque[str](maxlen=_ISSUED)
        self._redactor = Redactor(*secrets)
        self._keeps_cookies = cookies
        self._clock = clock
        self._now = now
        quiet_http_loggers()
        context = tls_context(ca_file) if self.origin.startswith("https:") else no_tls()
        self._jar = CookieJar()

        def pool() -> _Pool:
            return _Pool(
                httpx.AsyncClient(
                    transport=transport
                    or httpx.AsyncHTTPTransport(
                        verify=context,
                        trust_env=False,
                        limits=httpx.Limits(max_connections=32, keepalive_expiry=keepalive),
                    ),
                    trust_env=False,
                    follow_redirects=False,
                    cookies=self._jar,
                    timeout=None,  # noqa: S113 - `ask` sets the one deadline that counts
                )
            )

        self._new_pool = None if transport is not None else pool
        self._pool = pool()
        self._closed = False

    def __repr__(self) -> str:
        """Return the server, never a secret."""
        return f"HttpLine({self.origin!r})"

    @property
    def cookies(self) -> httpx.Cookies:
        """The cookies of this line; `clear` forgets them."""
        return self._pool.client.cookies

    def hide(self, *secrets: str) -> None:
        """Mask these too from now on: a user's password."""
        self._own = tuple({*self._own, *filter(None, secrets)})
        self._redactor = Redactor(*self._own, *self._issued)

    def hide_issued(self, *secrets: str) -> None:
        """Mask what a server has just issued, such as a token, until many more were issued."""
        new = [secret for secret in secrets if secret and secret not in self._issued]
        if new:
            self._issued.extend(new)
            self._redactor = Redactor(*self._own, *self._issued)

    def mask(self, text: str) -> str:
        """Return a text from a server as one short line without secrets."""
        return self._redactor.server_text(text)

    def masked(self, text: str) -> str:
        """Return a text of our own, such as an outcome's, without secrets."""
        return self._redactor.own(text)

    async def close(self) -> None:
        """Close every connection."""
        self._closed = True
        await self._pool.client.aclose()

    def shown(self, method: str, target: str, content: bytes = b"") -> str:
        """Return a request as it may be shown, for `explain` and the journal."""
        body = f" {content[:_SHOWN].decode('utf-8', 'replace')}" if content else ""
        return self._redactor.own(f"{method} {self.origin}{target}{body}")

    async def ask(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        content: bytes = b"",
        *,
        within: float,
        private: bool = False,
    ) -> Exchange:
        """Make one request and return how it ended, within `within` seconds.

        `target` is path and query as they go over the wire, percent-encoded by the caller.
        `private` keeps both bodies out of what is shown: they hold credentials.
        """
        pool = self._pool
        pool.users += 1
        try:
            exchange = await self._ask(
                pool.client, method, target, headers, content, within=within, private=private
            )
            if exchange.ending in _DOUBTFUL:
                self._leave(pool)
            return exchange
        finally:
            pool.users -= 1
            if pool is not self._pool and not pool.users:
                with anyio.CancelScope(shield=True):
                    await pool.client.aclose()

    def _leave(self, pool: _Pool) -> None:
        """Open new connections from now on, unless that was done since these were taken."""
        if pool is self._pool and self._new_pool is not None and not self._closed:
            self._pool = self._new_pool()

    async def _ask(
        self,
        client: httpx.AsyncClient,
        method: str,
        target: str,
        headers: Mapping[str, str],
        content: bytes,
        *,
        within: float,
        private: bool,
    ) -> Exchange:
        sent, at, began = Sent(), self._now(), self._clock()
        shown = self.shown(method, target, b"" if private else content)
        ending, said = Ending.NO_ANSWER, ""
        try:
            async with asyncio.timeout(within):
                async with client.stream(
                    method,
                    self.origin + target,
                    headers=headers,
                    content=content or None,
                    extensions={"trace": sent},
                ) as response:
                    body = await _read(response)
                if not self._keeps_cookies:
                    client.cookies.clear()
        except TimeoutError:
            ending = Ending.NO_ANSWER if sent else Ending.NOT_CONNECTED
            what = "no answer" if sent else "no connection"
            said = f"{what} from {self.origin} within {within:g} s"
        except (httpx.HTTPError, httpx.InvalidURL, httpx.CookieConflict, OSError) as error:
            ending, said = _ending(error, self.origin, sent=bool(sent))
        else:
            took = self._clock() - began
            if body is None:
                said = f"HTTP {response.status_code}, longer than {LIMIT} bytes"
                return Exchange(at, took, shown, said, Ending.TOO_LONG, response.status_code)
            text = "" if private else self.mask(body.decode("utf-8", "replace"))
            return Exchange(
                at, took, shown, f"HTTP {response.status_code} {text}".rstrip(), Ending.ANSWERED,
                response.status_code, dict(response.headers), body,
            )  # fmt: skip
        return Exchange(at, self._clock() - began, shown, said, ending)


def basic(user: str, password: str) -> str:
    """Return the value of an `Authorization` header (RFC 7617, UTF-8)."""
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


async def _read(response: httpx.Response) -> bytes | None:
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > LIMIT:
            return None
        parts.append(part)
    return b"".join(parts)


_ENDINGS: Final = {
    Cause.UNTRUSTED: Ending.UNTRUSTED,
    Cause.NOT_CONNECTED: Ending.NOT_CONNECTED,
    Cause.NO_ANSWER: Ending.NO_ANSWER,
}


def _ending(error: Exception, origin: str, *, sent: bool) -> tuple[Ending, str]:
    cause, said = cause_of(error, origin, sent=sent)
    return _ENDINGS[cause], said
