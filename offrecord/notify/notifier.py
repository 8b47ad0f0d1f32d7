# SPDX-License-Identifier: Apache-2.0
"""Notify people and desktops: late tones, lamps, AMI events, the webhook.

Nothing here delays a press or raises: what could not be delivered is logged and counted. Each way
has a bounded queue and a task of its own; a slow one delays no other.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

import httpx
import structlog

from ami.calls import channel_names
from ami.calls.graph import CallGraph
from ami.errors import AmiError
from ami.events.types import Event, Hangup, OriginateResponse
from ami.ports import CallActions
from bridges.model import Outcome
from bridges.shared.http_line import HttpLine
from offrecord.config.sections.notify import TellConfig
from offrecord.model.press import Press
from offrecord.model.verdict import Verdict
from offrecord.notify.lamps import REFRESH, Lamps
from offrecord.notify.late_tone import CONTEXT, PLAY, Whispers
from offrecord.notify.outgoing_webhook import Webhook
from offrecord.notify.user_event import VerdictMessage, event_fields

EVENTS: Final = 500
"""Desktop events that may wait; beyond it the oldest is lost."""
GRACE: Final = 0.4
"""Seconds that `close` gives to what waits, before it is given up."""
_ACTION: Final = 1.0

_log = structlog.stdlib.get_logger(__name__)


async def _sleep(seconds: float) -> None:
    await asyncio.sleep(seconds)


class Notifier:
    """Notifies of verdicts and states. `open` it in a running loop, and `close` it.

    `sounds` are the sounds of each outcome and `reminder` those of a pause that is about to end;
    both may be replaced while it runs. `clock` is monotonic seconds, `now` seconds since the
    epoch. `transport` is a seam for the webhook's connections, `refresh` seconds between two
    looks at lamps that burn.

    Raises `ValueError` for a webhook's CA file that cannot be used.
    """

    def __init__(
        self,
        pbx: CallActions,
        settings: TellConfig,
        sounds: Mapping[Outcome, tuple[str, ...]],
        *,
        reminder: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = _sleep,
        transport: httpx.AsyncBaseTransport | None = None,
        refresh: float = REFRESH,
    ) -> None:
        self.sounds = sounds
        self.reminder = reminder
        self.lost: Counter[str] = Counter()
        """Count of what could not be delivered, by way: `lamp`, `whisper`, `event`, `webhook`."""
        self._pbx = pbx
        self._tasks: list[asyncio.Task[None]] = []
        self._events: deque[VerdictMessage] = deque(maxlen=EVENTS)
        self._news = asyncio.Event()
        self._no_news = asyncio.Event()
        self._no_news.set()
        self._says_events = settings.event
        self._lamps = Lamps(pbx, self._count, refresh=refresh) if settings.lamp else None
        self._whispers = Whispers(pbx, self._count, clock, sleep) if settings.whisper else None
        self._webhook: Webhook | None = None
        address, secret = settings.address, settings.webhook_secret
        if address is not None and secret is not None:
            line = HttpLine(
                address.origin,
                ca_file=settings.webhook_ca_file,
                plain_http=settings.webhook_plain_http,
                secrets=(secret.reveal(), *_token(address.target)),
                transport=transport,
            )
            self._webhook = Webhook(
                line, address.target, secret, self._count,
                timeout=settings.webhook_timeout, clock=clock, now=now, sleep=sleep,
            )  # fmt: skip

    def open(self) -> None:
        """Start the tasks."""
        jobs: list[tuple[str, Coroutine[Any, Any, None]]] = []
        if self._lamps is not None:
            jobs.append(("tell lamps", self._lamps.run()))
        if self._whispers is not None:
            jobs.append(("tell whispers", self._whispers.run()))
        if self._says_events:
            jobs.append(("tell events", self._raise_events()))
        if self._webhook is not None:
            jobs.append(("tell webhook", self._webhook.run()))
        self._tasks = [asyncio.create_task(job, name=name) for name, job in jobs]
        for task in self._tasks:
            task.add_done_callback(_say_if_broken)

    async def close(self) -> None:
        """Put the lamps out, give what waits a moment, and end; within a second."""
        try:
            async with asyncio.timeout(GRACE):
                await self._settle()
        except (TimeoutError, AmiError) as error:
            _log.warning("tell_not_settled", problem=str(error) or "no time left")
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._webhook is not None:
            await self._webhook.close()

    # what is reported

    def verdict(
        self,
        press: Press,
        verdict: Verdict,
        channel_name: str | None,
        heard_in_line: bool,
        agent: str | None = None,
    ) -> None:
        """Notify of a verdict. `channel_name` is the presser's channel, None when none pressed.

        The tone is whispered when the presser has not heard it in line. `agent` is the login that
        was found, when the press itself names none.
        """
        channel, extension = self._where(press, channel_name)
        if not heard_in_line:
            self._whisper(press, verdict, channel)
        if not (self._says_events or self._webhook):
            return
        who = agent or press.agent or ""
        told = VerdictMessage(press, verdict, channel, extension, who, heard_in_line)
        if self._says_events:
            if len(self._events) == EVENTS:
                self._count("event")
            self._events.append(told)
            self._no_news.clear()
            self._news.set()
        if self._webhook is not None:
            self._webhook.put(told)

    def repeat(self, press: Press, verdict: Verdict, channel_name: str | None) -> None:
        """Play the tone of a verdict once more: it is still true."""
        self._whisper(press, verdict, self._where(press, channel_name)[0])

    def late(self, press: Press, verdict: Verdict, channel_name: str | None) -> None:
        """Notify that a press that had failed is solved after all."""
        self.verdict(press, verdict, channel_name, heard_in_line=False, agent=verdict.agent)

    def remind(self, channel_name: str, uniqueid: str) -> None:
        """Remind the presser that their pause is about to end."""
        if self._whispers is not None and channel_name and self.reminder:
            self._whispers.put(channel_name, uniqueid, self.reminder)

    def state(self, extension: str | None, state: str) -> None:
        """Set an extension's lamp to a state: recording, stopped, paused, failed or off."""
        if self._lamps is not None and extension:
            self._lamps.set(extension, state)

    def event(self, event: Event, graph: CallGraph) -> None:
        """Handle one AMI event: the result of a whisper, or the end of the last call of a lamp."""
        if isinstance(event, OriginateResponse):
            ours = (event.context, event.exten) == (CONTEXT, PLAY)
            if self._whispers is not None and ours:
                self._whispers.answered(well=event.answered)
            return
        if self._lamps is None or not isinstance(event, Hangup) or not self._lamps.lit:
            return
        extension = channel_names.extension(event.channel, graph.rules)
        for lit in [extension] if extension else list(self._lamps.lit):
            self._lamps.left(lit)

    # how

    def _count(self, way: str) -> None:
        self.lost[way] += 1

    def _where(self, press: Press, channel_name: str | None) -> tuple[str, str]:
        """Return the presser's channel by the name it has now, and the extension it belongs to."""
        graph = self._pbx.graph
        channel = graph.channel(press.uniqueid) if press.uniqueid else None
        if channel is not None:
            return channel.name, channel.extension or ""
        name = channel_name or press.channel or ""
        return name, (channel_names.extension(name, graph.rules) or "") if name else ""

    def _whisper(self, press: Press, verdict: Verdict, channel: str) -> None:
        sounds = self.sounds.get(verdict.outcome, ())
        # Without the uniqueid it is unknown whether the channel is still the presser's.
        if self._whispers is not None and channel and press.uniqueid and sounds:
            self._whispers.put(channel, press.uniqueid, sounds)

    async def _raise_events(self) -> None:
        while True:
            while self._events:
                await self._raise_event(self._events.popleft())
            self._no_news.set()
            self._news.clear()
            await self._news.wait()

    async def _raise_event(self, told: VerdictMessage) -> None:
        try:
            answer = await self._pbx.action("UserEvent", event_fields(told), timeout=_ACTION)
        except AmiError as error:
            self._count("event")
            _log.warning("event_lost", press=told.press.id, problem=str(error))
            return
        if not answer.ok:
            self._count("event")
            _log.error(
                "event_lost", press=told.press.id, problem=answer.message[:200],
                fix="give the AMI account write = user, or remove `event` from [tell]",
            )  # fmt: skip

    async def _settle(self) -> None:
        await self._no_news.wait()
        if self._lamps is not None:
            await self._lamps.put_out()
        if self._webhook is not None:
            await self._webhook.idle()


def _token(target: str) -> tuple[str, ...]:
    """Return the part of a webhook's target that may be a password: all after `?`."""
    query = target.partition("?")[2]
    return (query,) if query else ()


def _say_if_broken(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.error("tell_stopped", task=task.get_name(), exc_info=task.exception())
