# SPDX-License-Identifier: Apache-2.0
"""Subscribe to the events of one agent's calls, and pass them to listeners.

A listener learns of every change of a recording, whether or not a press is under way, also of a
recording that is started again. Sources: "CometD
notifications" and the message types of the vendor's Voice API; an `ErrorMessage` without text or
code is what a real server was seen to send.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from bridges.genesys.bayeux import BayeuxClient, Hear, Lost
from bridges.genesys.messages import GenesysCall, call_of

log = logging.getLogger(__name__)

_RECORDING: Final = "CallRecordingStateChange"
_STATUS: Final = "StatusChange"


@dataclass(frozen=True, slots=True)
class RecordingChange:
    """The server said that the recording of a call has changed; by whose doing is not told."""

    call: GenesysCall


@dataclass(frozen=True, slots=True)
class Uncertain:
    """Something happened after which only reading the call tells the truth.

    `call_id` is None where the server does not say which call: an error, or events were missed.
    """

    why: str
    call_id: str | None = None


Notification = RecordingChange | Uncertain
Listener = Callable[[Notification], None]


def notification_of(topic: str, data: dict[str, Any]) -> Notification | None:
    """Return what an event tells of a recording, None for all the others."""
    if data.get("messageType") == "ErrorMessage":
        return Uncertain(f"an ErrorMessage came on {topic}")
    if data.get("messageType") != "CallStateChangeMessage":
        return None
    call = call_of(data.get("call"))
    if call is None:
        return None
    kind = data.get("notificationType")
    if kind == _RECORDING:
        return RecordingChange(call)
    if kind == _STATUS and call.ended:
        return Uncertain("the call has ended there", call.id)
    return None


class Notifications:
    """The notifications of one agent: `start` them, then `listen`.

    `make` makes the client of one subscription; `mask` takes secrets out of a server's text.
    """

    def __init__(
        self,
        make: Callable[[Hear, Callable[[], None]], BayeuxClient],
        mask: Callable[[str], str],
    ) -> None:
        self._make = make
        self._mask = mask
        self._listeners: list[Listener] = []
        self._task: asyncio.Task[None] | None = None
        self._client: BayeuxClient | None = None
        self._settled = asyncio.Event()
        self.trouble: str | None = "they were not asked for"
        """Reason why there are no notifications now; None while there are."""

    def add_listener(self, listener: Listener) -> Callable[[], None]:
        """Add a listener; return a function that removes it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def start(self, within: float) -> bool:
        """Subscribe unless subscribed; return whether that worked within so many seconds."""
        if self._task is None or self._task.done():
            self._settled.clear()
            self._client = self._make(self._hear, self._missed)
            self._task = asyncio.create_task(self._run(self._client), name="genesys-notifications")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, within)):
                await self._settled.wait()
        return self._settled.is_set() and self.trouble is None

    async def close(self) -> None:
        """End the subscription."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._client is not None:
            await self._client.leave()

    async def _run(self, client: BayeuxClient) -> None:
        try:
            await client.run(self._settle)
        except Lost as loss:
            log.warning("genesys notifications ended, reason=%s", self._mask(str(loss)))

    def _settle(self, trouble: str | None) -> None:
        self.trouble = trouble
        self._settled.set()

    def _missed(self) -> None:
        self._tell(Uncertain("events were missed"))

    def _hear(self, topic: str, data: dict[str, Any]) -> None:
        notification = notification_of(topic, data)
        if notification is not None:
            self._tell(notification)

    def _tell(self, notification: Notification) -> None:
        for listener in tuple(self._listeners):
            listener(notification)


@dataclass(slots=True)
class CallWatch:
    """The notifications about one call since `reset`; each that matters sets `news`."""

    call_id: str
    news: asyncio.Event = field(default_factory=asyncio.Event)
    state: str | None = None
    """The recording state last told."""
    uncertain: list[str] = field(default_factory=list)

    def reset(self) -> None:
        """Forget the notifications so far: what follows is about the next request."""
        self.news.clear()
        self.state = None
        self.uncertain.clear()

    def __call__(self, notification: Notification) -> None:
        """Note a notification if it is about this call."""
        if isinstance(notification, RecordingChange):
            if notification.call.id != self.call_id:
                return
            self.state = notification.call.recording
        elif notification.call_id in {None, self.call_id}:
            self.uncertain.append(notification.why)
        else:
            return
        self.news.set()
