# SPDX-License-Identifier: Apache-2.0
"""A small Bayeux client for long polling: handshake, subscribe, connect until cancelled.

Why no library: docs/decisions/0007. Sources: the Bayeux 1.0 specification and the documentation
of CometD 3.1 (docs.cometd.org); the topics are the vendor's ("CometD notifications").
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, NoReturn

CALLS: Final = "/v2/me/calls"
DEVICES: Final = "/v2/me/devices"
"""A recording error was seen on this topic, not on that of the calls."""

_HOLD: Final = 30.0
"""Seconds the server holds a connect when it does not say."""
_LATE: Final = 10.0
"""Seconds after that in which an answer may still come."""
_QUICK: Final = 5.0
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0
_STRANGERS: Final = 2


@dataclass(frozen=True, slots=True)
class Posted:
    """Answer to a list of messages: the messages that came back; None, and why, when none did.

    `final` says that trying again is no use.
    """

    messages: list[dict[str, Any]] | None
    said: str
    final: bool = False


Post = Callable[[list[dict[str, Any]], float], Awaitable[Posted]]
Hear = Callable[[str, dict[str, Any]], None]
"""Takes the topic and the `data` of one event."""


class Lost(Exception):
    """The subscription is gone. `final`: for good. `stranger`: the server does not know us."""

    def __init__(self, why: str, *, final: bool = False, stranger: bool = False) -> None:
        super().__init__(why)
        self.final = final
        self.stranger = stranger


class BayeuxClient:
    """One subscription to the agent's calls and devices.

    `post` carries messages within seconds. `hear` gets each event and `lost` is called after
    events may have been missed; both must be quick. `settled` is called when the first attempt
    has ended, either way.
    """

    def __init__(
        self,
        post: Post,
        *,
        hear: Hear,
        lost: Callable[[], None],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._post = post
        self._hear = hear
        self._lost = lost
        self._sleep = sleep
        self._client: str | None = None
        self._number = 0
        self._hold = _HOLD
        self._interval = 0.0
        self._strangers = 0
        self._pause = _FIRST_PAUSE
        self._gap = False

    async def run(self, settled: Callable[[str | None], None]) -> NoReturn:
        """Stay subscribed until cancelled. Raises `Lost` when subscribing is of no use any more.

        `settled` is called with None at each subscription, and with the reason at each loss.
        """
        while True:
            try:
                await self._subscribe()
                if self._gap:
                    self._lost()
                self._gap = True
                settled(None)
                await self._follow()
            except Lost as loss:
                settled(str(loss))
                self._client = None
                self._strangers = self._strangers + 1 if loss.stranger else 0
                if self._strangers >= _STRANGERS:
                    why = "the server does not know us right after the handshake: its cookies are"
                    raise Lost(f"{why} not coming back", final=True) from None
                if loss.final:
                    raise
            if not self._strangers:
                await self._sleep(self._pause)
                self._pause = min(self._pause * 2, _LONGEST_PAUSE)

    async def leave(self) -> None:
        """Disconnect at the server; its answer does not matter."""
        if self._client is not None:
            client, self._client = self._client, None
            await self._post([self._message("/meta/disconnect", client)], 1.0)

    async def _subscribe(self) -> None:
        hand = {
            **self._message("/meta/handshake"),
            "version": "1.0",
            "minimumVersion": "1.0",
            "supportedConnectionTypes": ["long-polling"],
        }
        answer = await self._ask([hand], "/meta/handshake", _QUICK)
        client = answer.get("clientId")
        if not isinstance(client, str) or not client:
            raise Lost("the handshake brought no clientId")
        self._client = client
        wanted = [
            {**self._message("/meta/subscribe", client), "subscription": topic}
            for topic in (CALLS, DEVICES)
        ]
        # Without the devices a late error is not heard; reading the call finds it out all the same.
        await self._ask(wanted, "/meta/subscribe", _QUICK)

    async def _follow(self) -> NoReturn:
        """Keep exactly one connect outstanding."""
        first = True
        while True:
            assert self._client is not None
            message = self._message("/meta/connect", self._client)
            message["connectionType"] = "long-polling"
            if first:
                message["advice"] = {"timeout": 0}
            within = _QUICK if first else self._hold + _LATE
            await self._ask([message], "/meta/connect", within)
            first = False
            self._strangers, self._pause = 0, _FIRST_PAUSE
            if self._interval:
                await self._sleep(self._interval)

    async def _ask(
        self, messages: list[dict[str, Any]], channel: str, within: float
    ) -> dict[str, Any]:
        """Post, hear what came along, return the first reply on the channel. Raises `Lost`."""
        posted = await self._post(messages, within)
        if posted.messages is None:
            raise Lost(posted.said, final=posted.final)
        reply = None
        for one in posted.messages:
            if one.get("channel") == channel:
                reply = reply or one
            elif isinstance(one.get("data"), dict):
                self._hear(str(one.get("channel")), one["data"])
        if reply is None:
            raise Lost(f"no reply to {channel}")
        advice = reply.get("advice")
        self._heed(advice if isinstance(advice, dict) else {})
        if reply.get("successful") is not True:
            self._refused(reply, advice if isinstance(advice, dict) else {})
        return reply

    def _heed(self, advice: dict[str, Any]) -> None:
        self._hold = _millis(advice.get("timeout"), self._hold)
        self._interval = min(_millis(advice.get("interval"), self._interval), _HOLD)

    def _refused(self, reply: dict[str, Any], advice: dict[str, Any]) -> NoReturn:
        error = str(reply.get("error", "refused without a reason"))[:200]
        final = advice.get("reconnect") == "none"
        raise Lost(error, final=final, stranger=error.startswith("402"))

    def _message(self, channel: str, client: str | None = None) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"channel": channel, "id": str(self._number)}
        if client is not None:
            message["clientId"] = client
        return message


def _millis(value: object, otherwise: float) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 3.6e6:
        return value / 1000
    return otherwise
