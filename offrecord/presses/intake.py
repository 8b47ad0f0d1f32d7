# SPDX-License-Identifier: Apache-2.0
"""The ways a press comes in, each turned into a `Press` for the engine.

FastAGI and the Unix socket hand over a channel that pressed; user events and keypad digits are
seen on AMI; the command line names a target.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import structlog

from agi.press_message import Accepted, AgiPress
from agi.verdict_message import AgiVerdict
from ami.calls.graph import CallGraph
from ami.events.types import DTMFEnd, Event, Hangup, UserEvent
from ami.keypad import Keypad
from bridges.model import Outcome, Verb
from offrecord.model.press import Press, PressIds, Way
from offrecord.model.verdict import Verdict
from offrecord.presses.lifecycle import Engine, PressHandle

_OPTIONS_KEPT = ("agent", "recorder")
_IN_LINE = frozenset({"fastagi", "agi"})
"""Ways whose session plays the tone itself when the verdict comes in time."""


class Tells(Protocol):
    """Who tells people of verdicts beside the tone in line; `offrecord.notify.notifier` has one."""

    def verdict(
        self,
        press: Press,
        verdict: Verdict,
        channel_name: str | None,
        heard_in_line: bool,
        agent: str | None = None,
    ) -> None:
        """Tell of a verdict."""

    def repeat(self, press: Press, verdict: Verdict, channel_name: str | None) -> None:
        """Play the tone of a verdict to one presser."""


@dataclass(slots=True)
class Intake:
    """Makes presses out of what comes in, and hands them to `engine`.

    `sounds` are the sounds of each outcome, `agi_wait` how many seconds a session waits for its
    verdict: a tone that comes later has to find another way. `user_event` is the name of the
    user events that are presses, None to take none; `keypad` knows the codes to look for in
    digits, None to look for none. `teller` tells of verdicts beside the tone in line. `away` says
    that the PBX cannot be asked now: no tone but the one in line reaches anybody then, so a
    presser is told after `unseen` seconds that nothing is stopped so far.
    """

    engine: Engine
    sounds: Mapping[Outcome, tuple[str, ...]]
    user_event: str | None = None
    keypad: Keypad | None = None
    teller: Tells | None = None
    away: Callable[[], bool] = lambda: False
    unseen: float = 0.4
    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    _ids: PressIds = field(default_factory=lambda: PressIds(random.SystemRandom().getrandbits))
    _log: structlog.stdlib.BoundLogger = field(default_factory=structlog.get_logger)

    def make(self, verb: Verb, way: Way, target: str, **more: Any) -> Press:
        """Return a new press of now."""
        at = self.now()
        return Press(self._ids.make(at), verb, way, target, at, self.monotonic(), **more)

    def agi(self, request: AgiPress) -> Accepted:
        """Take a press from the dialplan; the answer comes before anything has happened."""
        press = self.make(
            Verb(request.verb),
            cast("Way", request.way),
            request.uniqueid,
            uniqueid=request.uniqueid,
            channel=request.channel,
            agent=request.options.get("agent") or None,
            recorder=request.options.get("recorder") or None,
            options={k: v for k, v in request.options.items() if k not in _OPTIONS_KEPT},
        )
        handle = self.engine.press(press)
        said = self.heard(handle)
        if self.away():
            loop = asyncio.get_running_loop()
            loop.call_later(self.unseen, self._not_so_far, said)
        return Accepted(
            handle.press.id,
            said,
            on_left=lambda told: self.left(handle, press, heard=told, said=said),
        )

    def _not_so_far(self, said: "asyncio.Future[AgiVerdict]") -> None:
        """Have the presser hear, while the session lasts, that nothing is known to have stopped."""
        if not said.done() and self.away():
            text = "the PBX cannot be asked: take it that the call is being recorded"
            said.set_result(AgiVerdict(Outcome.FAILED, self.sounds[Outcome.FAILED], text))

    def left(
        self,
        handle: PressHandle,
        press: Press,
        *,
        heard: bool,
        said: "asyncio.Future[AgiVerdict] | None" = None,
    ) -> None:
        """Note that a presser's session is over, and whether it played the verdict.

        Of a press that was seen several ways the first one's is told; whoever pressed the same
        beside it and heard nothing gets the tone alone. What was `said` may turn out otherwise.
        """

        def tell(done: "asyncio.Future[Verdict]") -> None:
            if self.teller is None:
                return
            verdict = done.result()
            right = heard and (said is None or said.result().outcome == verdict.outcome)
            if handle.press is press:
                self.teller.verdict(press, verdict, press.channel, right, verdict.agent)
            elif not right:
                self.teller.repeat(press, verdict, press.channel)

        handle.verdict.add_done_callback(tell)

    def _unheard(self, press: Press) -> None:
        """Take a press of which nobody waits for the verdict, and have it told."""
        handle = self.engine.press(press)
        if handle.press is not press:
            return  # seen elsewhere as well, where it is told

        def tell(_done: "asyncio.Future[Verdict]") -> None:
            # A session of the same presser plays it, or says that it could not.
            if not any(one.way in _IN_LINE for one in handle.sightings):
                self.left(handle, press, heard=False)

        handle.verdict.add_done_callback(tell)

    def heard(self, handle: PressHandle) -> "asyncio.Future[AgiVerdict]":
        """Return the verdict of a press as a person at the phone gets it."""
        future: asyncio.Future[AgiVerdict] = asyncio.get_running_loop().create_future()

        def _tell(done: "asyncio.Future[Verdict]") -> None:
            if not future.done():
                verdict = done.result()
                future.set_result(
                    AgiVerdict(verdict.outcome.value, self.sounds[verdict.outcome], verdict.text)
                )

        handle.verdict.add_done_callback(_tell)
        return future

    def event(self, event: Event, graph: CallGraph) -> None:
        """Look for a press in one AMI event."""
        if isinstance(event, UserEvent):
            self._user_event(event)
        elif isinstance(event, DTMFEnd):
            self._digit(event, graph)
        elif isinstance(event, Hangup) and self.keypad is not None:
            self.keypad.forget(event.uniqueid)

    def _user_event(self, event: UserEvent) -> None:
        if self.user_event is None or event.name.lower() != self.user_event.lower():
            return
        fields = {key.lower(): value for key, value in event.fields.items()}
        word = fields.get("verb", "").strip().lower()
        if word not in set(Verb) or not event.uniqueid:
            self._log.warning(
                "user_event_ignored",
                verb=word[:32],
                channel=event.channel,
                fix=f"raise it as UserEvent({self.user_event},Verb: stop), on a channel",
            )
            return
        self._unheard(
            self.make(
                Verb(word),
                "userevent",
                event.uniqueid,
                uniqueid=event.uniqueid,
                channel=event.channel,
                agent=fields.get("agent") or None,
                recorder=fields.get("recorder") or None,
            )
        )

    def _digit(self, event: DTMFEnd, graph: CallGraph) -> None:
        # A digit in an IVR, in voicemail or in a conference is not meant for us.
        if self.keypad is None or not graph.two_party(event.uniqueid):
            return
        verb = self.keypad.feed(event.uniqueid, event.digit, self.monotonic())
        if verb is not None:
            self._unheard(
                self.make(
                    Verb(verb),
                    "keypad",
                    event.uniqueid,
                    uniqueid=event.uniqueid,
                    channel=event.channel,
                )
            )


async def told(handle: PressHandle, wait: float) -> AsyncIterator[Mapping[str, object]]:
    """Yield what the control socket says of a press: whether it is safe, then how it ended.

    `journalled` is False where the disk did not take it: it is carried out all the same, and kept
    in memory until the disk is back. A verdict that is not there within `wait` seconds is told as
    `pending`.
    """
    started = time.monotonic()
    yield {"press": handle.press.id, "journalled": await asyncio.shield(handle.journalled)}
    left = max(0.0, wait - (time.monotonic() - started))
    done, _ = await asyncio.wait({handle.verdict}, timeout=left)
    if done:
        yield handle.verdict.result().body()
    else:
        yield {"outcome": "pending", "press": handle.press.id}
