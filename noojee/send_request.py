# SPDX-License-Identifier: Apache-2.0
"""Send one request: over a free connection, signed, with one deadline, its answer classified."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

import anyio

from noojee import wire
from noojee.answers import Answer, Kind, judge_time
from noojee.errors import NoAnswerError, NoojeeError, error_for
from noojee.redact import MASK, Redactor
from noojee.signing import Auth
from noojee.timestamp_pairs import Pair, Pairs
from noojee.transport import Lane, Lanes, Sent
from noojee.wire import Exchange

BODY: Final = 64 * 1024
"""Bytes of a verb's answer at most."""
BULK_BODY: Final = 32 * 1024 * 1024
"""Bytes of recording metadata at most."""
BULK_IN_FLIGHT: Final = 4
"""Long polls and metadata requests at the same time; a stop always finds a free lane."""

_log = logging.getLogger("noojee")

Judge = Callable[[int, bytes, Redactor], Answer]


@dataclass(slots=True)
class Ask:
    """One thing asked of the server, and every request made for it so far."""

    operation: str
    path: str
    parameters: tuple[tuple[str, str], ...]
    judge: Judge
    limit: int = BODY
    bulk: bool = False
    signed: bool = True
    """False for `Time`, which takes no authentication."""
    exchanges: list[Exchange] = field(default_factory=list)
    query: str = field(init=False)

    def __post_init__(self) -> None:
        """Encode the parameters once. Raises `ValueError` for what UTF-8 cannot carry."""
        self.query = wire.query(self.parameters)

    def target(self, secret: str) -> str:
        """Return path and query with what authenticates at its end."""
        query = "&".join(part for part in (self.query, secret) if part)
        return f"{self.path}?{query}" if query else self.path


class RequestSender:
    """Carries out asks over the lanes of one client.

    `clock` is monotonic and `now` the time of day, both in seconds.
    """

    def __init__(
        self,
        origin: str,
        time_path: str,
        auth: Auth,
        *,
        lanes: Lanes,
        pairs: Pairs | None,
        clock: Callable[[], float],
        now: Callable[[], float],
    ) -> None:
        self._origin = origin
        self._time_path = time_path
        self._auth = auth
        self._lanes = lanes
        self._pairs = pairs
        self._clock = clock
        self._now = now
        self._bulk = anyio.Semaphore(BULK_IN_FLIGHT, fast_acquire=True)
        self.redactor = Redactor(auth.api_key)

    def preview(self, ask: Ask) -> tuple[str, ...]:
        """Return the requests that an ask would make, without key and hash."""
        if not ask.signed:
            return (self._shown(ask, NO_SECRET),)
        if self._pairs is None:
            return (self._shown(ask, _key(self._auth.api_key)),)
        later = Secret("", f"timeStamp=(the server's)&hash={MASK}")
        return (self._shown(self._time(), NO_SECRET), self._shown(ask, later))

    async def run(self, ask: Ask, seconds: float) -> Answer:
        """Carry out an ask within `seconds`, queueing and refreshing included.

        Returns every kind of answer; raises `NoojeeError` where there is none.
        """
        try:
            with anyio.move_on_after(seconds):
                answer = await self._queued(ask)
                return replace(answer, exchanges=tuple(ask.exchanges))
            raise self._late(ask, seconds)
        except NoojeeError as error:
            error.exchanges = tuple(ask.exchanges)
            raise

    async def _queued(self, ask: Ask) -> Answer:
        if not ask.bulk:
            return await self._authenticated(ask)
        async with self._bulk:
            return await self._authenticated(ask)

    async def _authenticated(self, ask: Ask) -> Answer:
        if self._pairs is not None and ask.signed:
            return await self._signed(ask, self._pairs)
        secret = _key(self._auth.api_key) if ask.signed else NO_SECRET
        async with self._lanes.take() as lane:
            return await self._exchange(lane, ask, ask, secret)

    async def _signed(self, ask: Ask, pairs: Pairs) -> Answer:
        refreshed = False
        while True:
            async with (
                pairs.use(lambda: self._stamp(ask)) as pair,
                self._lanes.take() as lane,
            ):
                if not pairs.usable(pair):
                    continue  # it grew too old while this request waited for a lane
                answer = await self._exchange(lane, ask, ask, _both(pair))
                pairs.judged(pair, answer.kind)
            if answer.kind is not Kind.EXPIRED or refreshed:
                return answer
            # The server refused it before doing anything, so once more is safe for any verb.
            refreshed = True

    def _time(self) -> Ask:
        return Ask("Time", self._time_path, (), judge_time, signed=False)

    async def _stamp(self, ask: Ask) -> str:
        """Ask the server's time, on behalf of `ask`. Raises `NoojeeError`."""
        async with self._lanes.take() as lane:
            answer = await self._exchange(lane, self._time(), ask, NO_SECRET)
        if answer.kind is not Kind.DONE:
            raise error_for(answer, "Time")
        return answer.message

    async def _exchange(self, lane: Lane, ask: Ask, owner: Ask, secret: "Secret") -> Answer:
        """Make one request and note it with the ask that it is made for."""
        sent = Sent()
        at, began = self._now(), self._clock()
        said, status = "no answer", None
        try:
            reply = await lane.post(ask.target(secret.sent), ask.operation, sent, ask.limit)
            answer = ask.judge(reply.status, reply.body, self.redactor)
            said, status = _said(answer), reply.status
        except NoojeeError as error:
            said, status = error.message, error.status
            if ask is not owner:
                error.maybe_done = False  # this was Time: the verb itself has not left
            raise
        else:
            return answer
        finally:
            took = self._clock() - began
            shown = self._shown(ask, secret)
            left = status is not None or bool(sent)
            owner.exchanges.append(Exchange(ask.operation, shown, said, at, took, status, left))
            _log.debug("%s: %s in %.1f ms", shown, said, took * 1000)

    def _late(self, ask: Ask, seconds: float) -> NoojeeError:
        last = ask.exchanges[-1] if ask.exchanges else None
        if last is None:
            what = "no turn: earlier requests are still unanswered"
        elif not last.sent:
            what = f"no connection to {self._origin}; Noojee may drop addresses not whitelisted"
        else:
            what = f"no answer to {last.operation} from {self._origin}"
        return NoAnswerError(
            f"{ask.operation}: {what} within {seconds:g} s",
            operation=ask.operation,
            maybe_done=any(e.sent and e.operation == ask.operation for e in ask.exchanges[-1:]),
        )

    def _shown(self, ask: Ask, secret: "Secret") -> str:
        return f"POST {self._origin}{self.redactor.own(ask.target(secret.shown))}"


@dataclass(frozen=True, slots=True)
class Secret:
    """The part of a query that authenticates: what is sent, and what may be shown."""

    sent: str = field(repr=False)
    shown: str


NO_SECRET: Final = Secret("", "")


def _key(api_key: str) -> Secret:
    return Secret(wire.query((("apiKey", api_key),)), f"apiKey={MASK}")


def _both(pair: Pair) -> Secret:
    stamp = f"timeStamp={pair.stamp}&hash="
    return Secret(stamp + pair.hash, stamp + MASK)


def _said(answer: Answer) -> str:
    code = "" if answer.code is None else f", Code {answer.code}"
    text = f": {answer.message}" if answer.message else ""
    return f"HTTP {answer.status}{code}, {answer.kind.value}{text}"
