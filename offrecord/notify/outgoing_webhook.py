# SPDX-License-Identifier: Apache-2.0
"""Post verdicts to an agent desktop's server: the JSON, its signature, the queue, the retries.

Verdicts are posted in the order they came. `body` is what a receiver gets.

Headers of a post: `X-Offrecord-Timestamp` (seconds since the epoch), `X-Offrecord-Signature`
(`sha256=` and the HMAC-SHA256, in hex, of timestamp, dot and body), `X-Offrecord-Delivery` (the
same on every try, for a receiver that sees one twice).
"""

import asyncio
import hashlib
import hmac
import json
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from bridges.shared.http_line import Ending, Exchange, HttpLine
from offrecord.base.secrets import Secret
from offrecord.notify.user_event import EVENT, VerdictMessage

LIMIT: Final = 500
"""Posts that may wait; beyond it the oldest is lost."""
BACK_OFF: Final = (0.5, 1.0, 2.0)
"""Seconds before each further try."""
EXPIRES: Final = 60.0
"""Seconds after which a verdict is too old for a desktop: it is lost."""

_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Post:
    """One verdict to be posted. `at` is monotonic seconds."""

    press: str
    delivery: str
    content: bytes
    at: float


def body(message: VerdictMessage) -> bytes:
    """Return the JSON of one post, in UTF-8.

    `at` is when the press was made, milliseconds since the epoch.
    """
    press, verdict = message.press, message.verdict
    content = {
        "event": EVENT,
        "press": press.id,
        "at": press.at,
        "verb": verdict.verb.value,
        "way": press.way,
        "outcome": verdict.outcome.value,
        "evidence": verdict.evidence.label,
        "text": verdict.text,
        "reason": verdict.scope + verdict.reason,
        "took_ms": round(verdict.took * 1000, 1),
        "heard": message.heard,
        "call": verdict.linkedid,
        "channel": message.channel or None,
        "uniqueid": press.uniqueid,
        "extension": message.extension or None,
        "agent": message.agent or None,
        "recorders": [
            {
                "recorder": result.recorder,
                "kind": result.kind,
                "outcome": result.outcome.value,
                "evidence": result.evidence.label,
                "detail": result.detail,
            }
            for result in verdict.results
        ],
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def signature(secret: str, timestamp: int, content: bytes) -> str:
    """Return the signature of a post: HMAC-SHA256 over the timestamp, a dot and the body."""
    signed = f"{timestamp}.".encode() + content
    return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


class Webhook:
    """The posts that wait. `put` returns at once; `run` sends them in a task of its own.

    `timeout` is seconds for one post. `clock` is monotonic seconds, `now` seconds since the
    epoch. `lost` is called for each verdict that did not arrive. `close` closes `line`.
    """

    def __init__(
        self,
        line: HttpLine,
        target: str,
        secret: Secret,
        lost: Callable[[str], None],
        *,
        timeout: float,
        clock: Callable[[], float],
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._line = line
        self._target = target
        self._secret = secret
        self._lost = lost
        self._timeout = timeout
        self._clock = clock
        self._now = now
        self._sleep = sleep
        self._waiting: deque[Post] = deque()
        self._under_way: Post | None = None
        self._wake = asyncio.Event()
        self._serial = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def put(self, message: VerdictMessage) -> None:
        """Queue one verdict to be posted."""
        press, content = message.press.id, body(message)
        self._serial += 1
        if len(self._waiting) >= LIMIT:
            self._drop(self._waiting.popleft(), "too many wait")
        post = Post(press, f"{press}-{self._serial}", content, self._clock())
        self._waiting.append(post)
        self._idle.clear()
        self._wake.set()

    async def run(self) -> None:
        """Post what waits, until cancelled."""
        while True:
            while self._waiting:
                self._under_way = self._waiting.popleft()
                await self._deliver(self._under_way)
                self._under_way = None
            self._idle.set()
            self._wake.clear()
            await self._wake.wait()

    async def idle(self) -> None:
        """Wait until nothing waits."""
        await self._idle.wait()

    async def close(self) -> None:
        """Give up what waits and close the connections; `run` must have been cancelled."""
        left = [self._under_way] if self._under_way else []
        for post in (*left, *self._waiting):
            self._drop(post, "the daemon stops")
        self._under_way = None
        self._waiting.clear()
        await self._line.close()

    async def _deliver(self, post: Post) -> None:
        said = ""
        for pause in (0.0, *BACK_OFF):
            if pause:
                await self._sleep(pause)
            if self._clock() - post.at > EXPIRES:
                self._drop(post, f"it is older than {EXPIRES:g} s; {said}".rstrip("; "))
                return
            exchange = await self._post(post)
            said = exchange.said
            if exchange.ending is Ending.ANSWERED and 200 <= exchange.status < 300:
                return
            if not _worth_another(exchange):
                break
        self._drop(post, said)

    async def _post(self, post: Post) -> Exchange:
        at = int(self._now())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "offrecord",
            "X-Offrecord-Delivery": post.delivery,
            "X-Offrecord-Timestamp": str(at),
            "X-Offrecord-Signature": signature(self._secret.reveal(), at, post.content),
        }
        return await self._line.ask(
            "POST", self._target, headers, post.content, within=self._timeout, private=True
        )

    def _drop(self, post: Post, why: str) -> None:
        self._lost("webhook")
        _log.error("webhook_lost", press=post.press, delivery=post.delivery, problem=why)


def _worth_another(exchange: Exchange) -> bool:
    if exchange.ending is Ending.ANSWERED:
        return exchange.status in _AGAIN
    return exchange.ending in {Ending.NOT_CONNECTED, Ending.NO_ANSWER}
