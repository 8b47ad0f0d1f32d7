# SPDX-License-Identifier: Apache-2.0
"""The asynchronous client: one server, one key, a few warm connections."""

import datetime as dt
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import anyio
import httpx

from noojee import wire
from noojee.answers import Answer, Kind, judge, judge_array, judge_coded, judge_time
from noojee.errors import NoojeeError, NotUnderstoodError, TooSoonError, error_for
from noojee.ids import Extension, Target, UniqueId
from noojee.recordings import Poll, RecordingLeg, read_legs, read_poll
from noojee.send_request import BULK_BODY, Ask, Judge, RequestSender
from noojee.signing import Auth, Signed
from noojee.timestamp_pairs import HANDSHAKES, Pairs
from noojee.transport import Lanes, no_tls, own_transports, quiet_http_loggers, tls_context

TIMEOUT: Final = 5.0
"""Seconds for one whole call of a method, unless another time is given."""
HOUR_INTERVAL: Final = 60.0
"""Seconds between two requests by hour; the server takes one a minute."""


class Agent(Enum):
    """Sentinel: its one member makes a stop go without `agentLoginName`."""

    NONE = "none"


WITHOUT_AGENT: Final = Agent.NONE


def check_server(
    base_url: str,
    *,
    api_path: str = wire.API_PATH,
    ca_file: str | Path | None = None,
    plain_http: bool = False,
) -> None:
    """Raise `ValueError` for what `NoojeeClient` would not take, and connect to nothing."""
    wire.origin(base_url, plain_http=plain_http)
    wire.path(api_path)
    if ca_file is not None:
        tls_context(ca_file)


class NoojeeClient:
    """A client of one Noojee server.

    ::

        async with NoojeeClient("https://pbx.example", auth=Signed(key)) as client:
            await client.stop(UniqueId("12347811.214"), agent_login_name="Fred")

    All times are in seconds. `timeout` is the deadline of a whole call, from queueing to the
    last byte, refreshes included. `ca_file` replaces the machine's authorities; verification
    cannot be turned off. `plain_http` allows `http://` to another machine. `strict` raises
    `UnprovenError` for an empty 200 and for a positive `Code`. At most eight requests are in
    flight, at most `handshakes` (1 to 5) of them with a pair that is not yet proven.
    `transport`, `clock` (monotonic), `now` (time of day), `sleep` and `draw` (0 to 1, for
    jitter) are seams. The environment (proxies, netrc) is not looked at, redirects are not
    followed.

    One client serves any number of tasks. Raises `ValueError` for unusable arguments.
    """

    def __init__(
        self,
        base_url: str,
        *,
        auth: Auth,
        timeout: float = TIMEOUT,
        ca_file: str | Path | None = None,
        api_path: str = wire.API_PATH,
        admin_path: str = wire.ADMIN_PATH,
        plain_http: bool = False,
        strict: bool = False,
        handshakes: int = HANDSHAKES,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._origin = wire.origin(base_url, plain_http=plain_http)
        self._api = wire.path(api_path)
        self._admin = wire.path(admin_path)
        if not 0 < timeout < float("inf"):
            raise ValueError("timeout is a number of seconds above 0")
        self._auth = auth
        self._timeout = timeout
        self._strict = strict
        self._clock = clock
        self._sleep = sleep
        self._hour_free_at = -float("inf")
        quiet_http_loggers()
        # Reading the machine's authorities takes a while, and plain HTTP has no use for them.
        needs_tls = self._origin.startswith("https:") or ca_file is not None
        context = tls_context(ca_file) if needs_tls else no_tls()
        self._lanes = Lanes(own_transports(context), self._origin, shared=transport)
        pairs = (
            Pairs(auth.api_key, clock=clock, sleep=sleep, draw=draw, handshakes=handshakes)
            if isinstance(auth, Signed)
            else None
        )
        self._sender = RequestSender(
            self._origin,
            f"{self._api}/{wire.TIME}",
            auth,
            lanes=self._lanes,
            pairs=pairs,
            clock=clock,
            now=now,
        )

    def __repr__(self) -> str:
        """Return the server and the way of authentication, never the key."""
        return f"NoojeeClient({self._origin!r}, auth={self._auth!r})"

    async def __aenter__(self) -> Self:
        """Return the client; the first request connects."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self.aclose()

    @property
    def in_flight(self) -> int:
        """Number of requests on the wire right now; at most eight are."""
        return self._lanes.in_use

    async def aclose(self) -> None:
        """Close the connections. A request made afterwards raises `RuntimeError`."""
        await self._lanes.close()

    async def time(self, *, within: float | None = None) -> str:
        """Return the server's time: milliseconds, in the text that it sent.

        Needs no authentication: it proves the address, the certificate and the network, not the
        key. Raises `NoojeeError`.
        """
        ask = Ask("Time", self._call_path(wire.TIME), (), judge_time, signed=False)
        return (await self._run(ask, within)).message

    async def stop(
        self, target: Target, *, agent_login_name: str | Agent, within: float | None = None
    ) -> Answer:
        """Stop the recording of a call. Never repeated after a timeout: see `maybe_done`.

        `agent_login_name` is the Noojee user on whose behalf it is stopped; newer servers decide
        by it whether the recording may be stopped, and `WITHOUT_AGENT` leaves it out
        explicitly. The answer's kind is `DONE`, `UNCONFIRMED` (an empty 200) or `WARNING`;
        none of them proves that nothing is recorded any more. Whether the leg or the whole
        call's recording ends is not documented, and a later transition of the call may begin a
        new leg. Raises `NoojeeError`.
        """
        return await self._run(self._stop(target, agent_login_name), within)

    def preview_stop(self, target: Target, *, agent_login_name: str | Agent) -> tuple[str, ...]:
        """Return the requests that `stop` would make, without key and hash."""
        return self._sender.preview(self._stop(target, agent_login_name))

    async def start(
        self,
        target: Target,
        *,
        agent_login_name: str | None = None,
        tag: str | None = None,
        within: float | None = None,
    ) -> Answer:
        """Start recording a call; on a call that is recorded already it begins a new leg.

        `agent_login_name` becomes the owner of the leg; without one the server looks for the
        user of the extension. `tag` is kept with the recording ("External Reference"). Raises
        `NoojeeError`.
        """
        return await self._run(self._start(target, agent_login_name, tag), within)

    def preview_start(
        self, target: Target, *, agent_login_name: str | None = None, tag: str | None = None
    ) -> tuple[str, ...]:
        """Return the requests that `start` would make, without key and hash."""
        return self._sender.preview(self._start(target, agent_login_name, tag))

    async def hangup(self, target: Target, *, within: float | None = None) -> Answer:
        """Hang up a call. By extension it may be the wrong one of several. Raises `NoojeeError`."""
        parameters = (("extenOrUniqueId", _sendable(target)),)
        return await self._run(self._ask("hangup", wire.HANGUP, parameters, judge_coded), within)

    async def recordings_by_tag(
        self, tag: str, *, within: float | None = None
    ) -> tuple[RecordingLeg, ...]:
        """Return the recorded legs with a tag. Raises `NoojeeError`."""
        return await self._legs("recordings_by_tag", wire.BY_TAG, (("tag", tag),), within)

    async def recordings_by_unique_id(
        self, unique_id: UniqueId, *, within: float | None = None
    ) -> tuple[RecordingLeg, ...]:
        """Return the recorded legs of a call. Raises `NoojeeError`."""
        if not isinstance(unique_id, UniqueId):
            raise TypeError("recordings_by_unique_id takes a UniqueId")
        parameters = (("uniqueId", str(unique_id)),)
        return await self._legs("recordings_by_unique_id", wire.BY_UNIQUE_ID, parameters, within)

    async def recordings_by_hour(
        self, day: dt.date, hour: int, *, wait: bool = False, within: float | None = None
    ) -> tuple[RecordingLeg, ...]:
        """Return the legs that ended in one hour (0 to 23) of the server's day.

        The server takes this once a minute: asked sooner, it raises `TooSoonError` with
        `retry_after` and sends nothing, or waits for its turn when `wait` is true. Ask a few
        minutes after the hour is over. Raises `NoojeeError`.
        """
        if isinstance(hour, bool) or not 0 <= hour <= 23:
            raise ValueError("hour is 0 to 23")
        await self._turn_of_the_minute(wait=wait)
        parameters = (("date", f"{day:%Y/%m/%d}"), ("hour", str(hour)))
        return await self._legs("recordings_by_hour", wire.BY_HOUR, parameters, within)

    async def subscribe(
        self, extensions: Sequence[Extension], *, after: int = 0, wait: int = 10
    ) -> Poll:
        """Ask for the state of calls on extensions, once; the server answers a change or idles.

        `after` is the `sequence` of the last poll, 0 for the first one. The server waits `wait`
        seconds for a change, and this call five more for its answer. At most four polls
        and metadata requests are in flight, which leaves connections for stops. Raises
        `NoojeeError`.
        """
        if not extensions or not all(isinstance(one, Extension) for one in extensions):
            raise TypeError("subscribe takes one or more Extensions")
        parameters = (
            ("exten", ",".join(map(str, extensions))),
            ("lastSequenceNumber", str(after)),
            ("timeOut", str(wait)),
        )
        path = self._call_path(wire.SUBSCRIBE)
        ask = Ask("subscribe", path, parameters, judge_coded, BULK_BODY, bulk=True)
        answer = await self._run(ask, wait + TIMEOUT)
        poll = read_poll(answer.document)
        if poll is None:
            raise _unreadable(answer, "subscribe", "no sequence number")
        return poll

    def _stop(self, target: Target, agent: str | Agent) -> Ask:
        parameters = [("extenOrUniqueId", _sendable(target))]
        if not isinstance(agent, Agent):
            parameters.append(("agentLoginName", _login(agent)))
        return self._ask("stop", wire.STOP, tuple(parameters))

    def _start(self, target: Target, agent: str | None, tag: str | None) -> Ask:
        parameters = [("extenOrUniqueId", _sendable(target))]
        if agent is not None:
            parameters.append(("agentLoginName", _login(agent)))
        if tag is not None:
            parameters.append(("tag", tag))
        return self._ask("start", wire.START, tuple(parameters))

    def _ask(
        self,
        operation: str,
        path: str,
        parameters: tuple[tuple[str, str], ...],
        judged_by: Judge = judge,
    ) -> Ask:
        return Ask(operation, self._call_path(path), parameters, judged_by)

    def _call_path(self, path: str) -> str:
        return f"{self._api}/{path}"

    async def _legs(
        self,
        operation: str,
        path: str,
        parameters: tuple[tuple[str, str], ...],
        within: float | None,
    ) -> tuple[RecordingLeg, ...]:
        ask = Ask(operation, f"{self._admin}/{path}", parameters, judge_array, BULK_BODY, bulk=True)
        answer = await self._run(ask, within)
        legs = read_legs(answer.document)
        if legs is None:
            raise _unreadable(answer, operation, "an entry is no object")
        return legs

    async def _run(self, ask: Ask, within: float | None) -> Answer:
        answer = await self._sender.run(ask, self._timeout if within is None else within)
        if answer.kind is Kind.DONE or (answer.kind.good and not self._strict):
            return answer
        raise error_for(answer, ask.operation)

    async def _turn_of_the_minute(self, *, wait: bool) -> None:
        left = self._hour_free_at - self._clock()
        if left > 0 and not wait:
            error = TooSoonError(
                f"recordings_by_hour: the server takes this once a minute; ask in {left:.0f} s",
                operation="recordings_by_hour",
            )
            error.retry_after = left
            raise error
        # The turn is taken before the wait, so that two who wait do not go at the same time.
        self._hour_free_at = max(self._clock(), self._hour_free_at) + HOUR_INTERVAL
        if left > 0:
            await self._sleep(left)


def _sendable(target: Target) -> str:
    if not isinstance(target, Extension | UniqueId):
        raise TypeError("the target is an Extension or a UniqueId, never a plain text")
    return str(target)


def _login(name: str) -> str:
    if not isinstance(name, str):
        raise TypeError("agent_login_name is a text; without one say WITHOUT_AGENT")
    if not name.strip():
        raise ValueError("agent_login_name is a name; without one say WITHOUT_AGENT")
    return name


def _unreadable(answer: Answer, operation: str, why: str) -> NoojeeError:
    error = NotUnderstoodError(
        f"{operation}: the answer cannot be read: {why}",
        operation=operation,
        status=answer.status,
        code=answer.code,
        maybe_done=False,
    )
    error.exchanges = answer.exchanges
    return error
