# SPDX-License-Identifier: Apache-2.0
"""What the server tells of an agent's calls while they last, and who listens.

Whoever wants to know of every change of a recording, whether or not a press is under way, adds a
listener: that is how a recording that is started again will be noticed. Sources: "CometD
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
class Doubt:
    """Something happened after which only reading the call tells the truth.

    `call_id` is None where the server does not say which call: an error, or events were missed.
    """

    why: str
    call_id: str | None = None


Notice = RecordingChange | Doubt
Listener = Callable[[Notice], None]


def notice_of(topic: str, data: dict[str, Any]) -> Notice | None:
    """Return what an event tells of a recording, None for all the others."""
    if data.get("messageType") == "ErrorMessage":
        return Doubt(f"an ErrorMessage came on {topic}")
    if data.get("messageType") != "CallStateChangeMessage":
        return None
    call = call_of(data.get("call"))
    if call is None:
        return None
    kind = data.get("notificationType")
    if kind == _RECORDING:
        return RecordingChange(call)
    if kind == _STATUS and call.ended:
        return Doubt("the call has ended there", call.id)
    return None


class Notices:
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
        """Why there are no notifications now; None while there are."""

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have each notice told; return what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def start(self, within: float) -> bool:
        """Subscribe if need be, and wait for it for so many seconds. False when it did not work."""
        if self._task is None or self._task.done():
            self._settled.clear()
            self._client = self._make(self._hear, self._missed)
            self._task = asyncio.create_task(self._run(self._client), name="genesys-notices")
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
        self._tell(Doubt("events were missed"))

    def _hear(self, topic: str, data: dict[str, Any]) -> None:
        notice = notice_of(topic, data)
        if notice is not None:
            self._tell(notice)

    def _tell(self, notice: Notice) -> None:
        for listener in tuple(self._listeners):
            listener(notice)


@dataclass(slots=True)
class Watch:
    """What was told of one call since `reset`; `news` is set by each notice that matters."""

    call_id: str
    news: asyncio.Event = field(default_factory=asyncio.Event)
    state: str | None = None
    """The recording state last told."""
    doubts: list[str] = field(default_factory=list)

    def reset(self) -> None:
        """Forget what was told; what follows is about the next request."""
        self.news.clear()
        self.state = None
        self.doubts.clear()

    def __call__(self, notice: Notice) -> None:
        """Take a notice, of any call."""
        if isinstance(notice, RecordingChange):
            if notice.call.id != self.call_id:
                return
            self.state = notice.call.recording
        elif notice.call_id in {None, self.call_id}:
            self.doubts.append(notice.why)
        else:
            return
        self.news.set()
