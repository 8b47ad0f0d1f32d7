# SPDX-License-Identifier: Apache-2.0
"""The simulated CometD of the notifications: long polling, cookies, expiry.

As Bayeux 1.0 and the documentation of CometD 3.1 describe them. A Bayeux session belongs to the
node and to the cookie of its handshake; without that cookie the server does not know it.
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from bridges.simulators.genesys.calls import Agent
from bridges.simulators.genesys.switches import GenesysSwitches

COOKIE: Final = "BAYEUX_BROWSER"
_HANDSHAKE: Final = {"reconnect": "handshake", "interval": 0}


@dataclass(slots=True)
class Client:
    """One Bayeux session. `expires` is by the clock of the loop, None while a connect is held."""

    id: str
    browser: str
    node: int
    agent: Agent
    expires: float | None = None
    left: bool = False
    topics: set[str] = field(default_factory=set)
    waiting: list[dict[str, Any]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Asked:
    """Sender of a POST: agent, node, and the browser cookie, if one came along."""

    agent: Agent
    node: int
    browser: str | None


class Bayeux:
    """The Bayeux server. `clock` is monotonic, in seconds."""

    def __init__(self, switches: GenesysSwitches, clock: Callable[[], float]) -> None:
        self._switches = switches
        self._clock = clock
        self.clients: dict[str, Client] = {}
        self.given: list[str] = []

    def publish(self, topic: str, agent: Agent, data: dict[str, Any]) -> None:
        """Queue an event for the subscribers of that agent."""
        for client in self.clients.values():
            if client.agent is agent and topic in client.topics:
                client.waiting.append({"channel": topic, "data": data})
                client.news.set()

    def forget(self) -> None:
        """Forget every session, as a restart does."""
        for client in self.clients.values():
            client.news.set()
        self.clients.clear()

    async def answer(
        self, asked: Asked, messages: list[Any]
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Answer a list of messages; also return the browser cookie to set, if any."""
        self._expire()
        replies: list[dict[str, Any]] = []
        cookie: str | None = None
        for message in messages:
            told = message if isinstance(message, dict) else {}
            channel = told.get("channel")
            reply: dict[str, Any] = {"channel": channel, "id": told.get("id")}
            if channel == "/meta/handshake":
                cookie = self._handshake(asked, reply)
            elif (client := self._known(asked, told)) is None:
                reply |= {"successful": False, "error": "402::Unknown client"}
                if channel == "/meta/connect":
                    reply["advice"] = dict(_HANDSHAKE)
            elif channel == "/meta/subscribe":
                client.topics.add(str(told.get("subscription")))
                reply |= {"successful": True, "subscription": told.get("subscription")}
            elif channel == "/meta/connect":
                replies += await self._connect(client, told, reply)
            elif channel == "/meta/disconnect":
                self.clients.pop(client.id, None)
                client.left = True
                client.news.set()
                reply["successful"] = True
            else:
                reply |= {"successful": False, "error": f"403:{channel}:publish_denied"}
            replies.append(reply)
        return replies, cookie

    def _handshake(self, asked: Asked, reply: dict[str, Any]) -> str | None:
        browser = asked.browser or secrets.token_hex(10)
        client = Client(secrets.token_hex(13), browser, asked.node, asked.agent)
        client.expires = self._clock() + self._switches.max_interval
        self.clients[client.id] = client
        self.given += [client.id, browser]
        reply |= {
            "successful": True,
            "clientId": client.id,
            "version": "1.0",
            "minimumVersion": "1.0",
            "supportedConnectionTypes": ["long-polling"],
            "advice": {"reconnect": "retry", "interval": 0,
                       "timeout": int(self._switches.hold * 1000)},
        }  # fmt: skip
        return None if asked.browser else browser

    def _known(self, asked: Asked, message: dict[str, Any]) -> Client | None:
        client = self.clients.get(str(message.get("clientId")))
        if client is None or client.agent is not asked.agent or client.node != asked.node:
            return None
        enforced = self._switches.bayeux_browser == "enforced"
        return None if enforced and client.browser != asked.browser else client

    async def _connect(
        self, client: Client, message: dict[str, Any], reply: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Wait with the answer to a connect until there are events; return them."""
        advice = message.get("advice")
        hold = self._switches.hold
        if isinstance(advice, dict) and isinstance(advice.get("timeout"), int):
            hold = min(hold, advice["timeout"] / 1000)
        client.expires = None
        if not client.waiting and hold:
            client.news.clear()
            try:
                async with asyncio.timeout(hold):
                    await client.news.wait()
            except TimeoutError:
                pass  # an empty answer is the vendor's too
            finally:
                client.expires = self._clock() + self._switches.max_interval
        client.expires = self._clock() + self._switches.max_interval
        if client.id not in self.clients:
            reply |= {
                "successful": False,
                "error": "402::Unknown client",
                "advice": {"reconnect": "none"} if client.left else dict(_HANDSHAKE),
            }
            return []
        reply["successful"] = True
        told, client.waiting = client.waiting, []
        return told

    def _expire(self) -> None:
        now = self._clock()
        gone = [c for c in self.clients.values() if c.expires is not None and c.expires < now]
        for client in gone:
            del self.clients[client.id]
