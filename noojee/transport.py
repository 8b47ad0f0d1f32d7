# SPDX-License-Identifier: Apache-2.0
"""Carry requests: a few connections that are kept, one request on each at a time.

`cause_of` says what a failed exchange means, as a `Cause`, which names no error class of this
package and can be used by other HTTP clients.

`httpx` transports are used without the client above them: that one logs whole URLs at INFO,
follows environment variables, keeps cookies, and its pool becomes slow when many wait in it.
Here every connection is a pool of one (a lane), and the lane used last is taken first, which
keeps as many connections warm as are needed.
"""

import logging
import os
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

import anyio
import httpx

from noojee.errors import (
    WHITELIST_HINT,
    NoAnswerError,
    NoojeeError,
    NotConnectedError,
    NotUnderstoodError,
    UntrustedError,
)

LANES: Final = 8
"""Requests in flight at most."""
KEEPALIVE: Final = 55.0
"""Seconds an idle connection is kept; common servers close theirs at 60."""
CONNECT_TIMEOUT: Final = 5.0
"""Seconds to connect at most, TLS included, within the deadline of the whole exchange."""

TransportFactory = Callable[[], httpx.AsyncBaseTransport]


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer: the HTTP status and every byte of the body."""

    status: int
    body: bytes


class Sent:
    """Learns from the transport whether a request has begun to leave.

    A transport that does not tell is taken to have sent it: the careful reading.
    """

    __slots__ = ("_told", "_written")

    def __init__(self) -> None:
        self._told = False
        self._written = False

    def __bool__(self) -> bool:
        """Return whether the request may have left."""
        return self._written or not self._told

    async def __call__(self, event: str, info: dict[str, Any]) -> None:  # noqa: ARG002
        """Note one trace event of httpcore; its `info` holds the URL and is ignored."""
        self._told = True
        if event.endswith("send_request_headers.started"):
            self._written = True


def no_tls() -> ssl.SSLContext:
    """Return a context that trusts no certificate, for a client of plain HTTP."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def tls_context(ca_file: str | Path | None) -> ssl.SSLContext:
    """Return a context that verifies: by the machine's authorities, or by `ca_file` alone.

    Raises `ValueError` naming the file when it cannot be used.
    """
    try:
        return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except (OSError, ssl.SSLError) as error:
        why = getattr(error, "strerror", None) or "is no certificate in PEM form"
        raise ValueError(f"ca_file {ca_file}: {why}") from None


def quiet_http_loggers() -> None:
    """Keep httpx and httpcore from logging URLs, which hold the key or a hash."""
    for name in ("httpx", "httpcore"):
        logger = logging.getLogger(name)
        if logger.level < logging.WARNING:
            logger.setLevel(logging.WARNING)


def own_transports(context: ssl.SSLContext) -> TransportFactory:
    """Return what makes the transport of one lane."""
    limits = httpx.Limits(
        max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEPALIVE
    )
    return lambda: httpx.AsyncHTTPTransport(verify=context, trust_env=False, limits=limits)


class Lane:
    """One connection to one server, for one request at a time.

    With a transport of our own the request names only the server, and path and query travel
    apart from it: httpx then neither parses nor shows what is secret in them, which is also most of
    the cost of a request. A transport of the caller's own (`shared`) gets whole URLs.
    """

    def __init__(
        self, transport: httpx.AsyncBaseTransport, origin: str, *, shared: bool = False
    ) -> None:
        self.transport = transport
        self.clean = True
        """False after a request, on this lane or another, that did not end well: not used again."""
        self._origin = origin
        self._shared = shared
        self._request = _request(origin)

    async def post(self, target: str, operation: str, sent: Sent, limit: int) -> Reply:
        """POST to path and query with an empty body; the answer has `limit` bytes at most.

        Raises `NotConnectedError`, `UntrustedError`, `NoAnswerError`, `NotUnderstoodError`.
        """
        request = _request(self._origin + target) if self._shared else self._request
        extensions: dict[str, Any] = {"trace": sent, "timeout": {"connect": CONNECT_TIMEOUT}}
        if not self._shared:
            extensions["target"] = target.encode("ascii")
        request.extensions = extensions
        self.clean = False
        try:
            response = await self.transport.handle_async_request(request)
            try:
                assert isinstance(response.stream, AsyncIterable)
                body = await _read(response.stream, limit)
            finally:
                await response.aclose()
        except (httpx.TransportError, OSError) as error:
            problem = _translate(error, operation, self._origin, sent=bool(sent))
        else:
            if body is not None:
                self.clean = True
                return Reply(response.status_code, body)
            problem = NotUnderstoodError(
                f"{operation}: the answer is longer than {limit} bytes",
                operation=operation,
                status=response.status_code,
            )
        # Raised out here, so that no foreign error with the URL in it hangs on as a cause.
        raise problem


def _request(url: str) -> httpx.Request:
    """Return a request as every one of ours is, but for its extensions."""
    parsed = httpx.URL(url)
    return httpx.Request(
        "POST",
        parsed,
        headers={
            "Host": parsed.netloc.decode("ascii"),
            "Content-Type": "application/x-www-form-urlencoded",
            "Content-Length": "0",
            "Accept": "application/json, text/plain",
        },
    )


async def _read(stream: AsyncIterable[bytes], limit: int) -> bytes | None:
    parts: list[bytes] = []
    size = 0
    async for part in stream:
        size += len(part)
        if size > limit:
            return None
        parts.append(part)
    return b"".join(parts)


class Cause(Enum):
    """Reason why an exchange brought no answer."""

    NOT_CONNECTED = "not_connected"
    """There was no connection: nothing was sent."""
    UNTRUSTED = "untrusted"
    """The server's certificate is not trusted: nothing was sent."""
    NO_ANSWER = "no_answer"
    """The request was under way and no whole answer came."""


def cause_of(error: Exception, place: str, *, sent: bool) -> tuple[Cause, str]:
    """Return why an exchange with `place` failed, and that in words without a URL's secrets.

    `sent` says whether the request may have begun to leave.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            said = f"the certificate of {place} is not trusted: {seen.verify_message}"
            return Cause.UNTRUSTED, said
        if isinstance(seen, ssl.SSLError) and not sent:
            return Cause.NOT_CONNECTED, f"{place} does not speak TLS as it should ({seen.reason})"
        seen = seen.__cause__ or seen.__context__
    if isinstance(error, _UNCONNECTED) or not sent:
        return Cause.NOT_CONNECTED, f"cannot connect to {place}{reason(error)}"
    return Cause.NO_ANSWER, f"{place} closed the connection without a whole answer{reason(error)}"


_UNCONNECTED: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)


_ERRORS: Final[Mapping[Cause, type[NoojeeError]]] = {
    Cause.NOT_CONNECTED: NotConnectedError,
    Cause.UNTRUSTED: UntrustedError,
    Cause.NO_ANSWER: NoAnswerError,
}


def _translate(error: Exception, operation: str, place: str, *, sent: bool) -> NoojeeError:
    cause, said = cause_of(error, place, sent=sent)
    silent = cause is Cause.NO_ANSWER or isinstance(error, httpx.ConnectTimeout)
    hint = f"; {WHITELIST_HINT}" if silent else ""
    return _ERRORS[cause](f"{operation}: {said}{hint}", operation=operation)


def reason(error: BaseException) -> str:
    """Return what the operating system said, which never holds a URL."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno:
            # Name look-ups fail with numbers of their own, below zero.
            said = os.strerror(seen.errno) if seen.errno > 0 else seen.strerror
            return f": {said}"
        seen = seen.__cause__ or seen.__context__
    return ""


class Lanes:
    """The connections of one client to `origin`.

    None that is idle is used again once a request did not end well: a firewall or a node that has
    forgotten one connection has as a rule forgotten all, and a retry must not meet the same
    silence.

    `factory` makes a transport for each lane. A `shared` transport of the caller's own serves
    all lanes instead, and is closed with them.
    """

    def __init__(
        self,
        factory: TransportFactory,
        origin: str,
        *,
        count: int = LANES,
        shared: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._factory = factory
        self._shared = shared
        self._free = [
            Lane(shared or factory(), origin, shared=shared is not None) for _ in range(count)
        ]
        self._slots = anyio.Semaphore(count, fast_acquire=True)
        self._count = count
        self._closed = False

    @property
    def in_use(self) -> int:
        """Number of lanes that are held."""
        return self._count - len(self._free)

    @asynccontextmanager
    async def take(self) -> AsyncIterator[Lane]:
        """Wait for a free lane and hold it. Raises `RuntimeError` once closed."""
        async with self._slots:
            if self._closed:
                raise RuntimeError("this client is closed")
            lane = self._free.pop()
            try:
                if self._shared is None and not lane.clean:
                    await self._renew(lane)
                yield lane
            finally:
                self._free.append(lane)
                if self._shared is None and self._spent(lane):
                    for other in self._free:
                        other.clean = False
                    await self._renew(lane)

    def _spent(self, lane: Lane) -> bool:
        return self._closed or not lane.clean

    async def _renew(self, lane: Lane) -> None:
        """Replace a connection whose state is not known, also when cancelled."""
        spent, lane.transport, lane.clean = lane.transport, self._factory(), True
        with anyio.CancelScope(shield=True):
            await spent.aclose()

    async def close(self) -> None:
        """Close every connection; those in use close when their request ends."""
        self._closed = True
        if self._shared is not None:
            await self._shared.aclose()
            return
        for lane in self._free:
            await lane.transport.aclose()
