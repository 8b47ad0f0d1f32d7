# SPDX-License-Identifier: Apache-2.0
"""Submit every press, whichever way it comes in: all ways call `Intake.press`, nothing else.

FastAGI and the one-shot script name the channel that pressed; user events and keypad digits are
seen on AMI; HTTP, the page and the command line name a target. `Intake` makes the press, submits
it to the engine, and notifies the presser of the verdict unless they heard it in line.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, cast

import structlog

from agi.press_message import Accepted, AgiPress
from agi.verdict_message import PENDING, AgiVerdict
from ami.calls.graph import CallGraph
from ami.events.types import DTMFEnd, Event, Hangup, UserEvent
from ami.keypad import Keypad
from bridges.model import Outcome, Verb
from offrecord.base.errors import Exit, UserError
from offrecord.model.press import Press, PressIds, Way, now_ms
from offrecord.model.verdict import Verdict
from offrecord.presses.lifecycle import Engine, PressRun

_NAMED: Final = ("agent", "recorder")
"""Words of a dialplan's options that are fields of a press."""
_IN_LINE: Final = frozenset({"fastagi", "agi"})
"""Ways whose session plays the tone itself when the verdict comes in time."""
_ON_AMI: Final = frozenset({"userevent", "keypad"})
"""Ways that are seen on AMI. Nobody waits there, and nobody could be told of a refusal."""
_BY_NAME: Final = frozenset({"cli", "http"})
"""Ways of people and programs that can correct the name of a recorder and press again."""

_log = structlog.stdlib.get_logger(__name__)


class VerdictNotifier(Protocol):
    """Notifies pressers and desktops of verdicts; `offrecord.notify.notifier` has one."""

    def verdict(
        self,
        press: Press,
        verdict: Verdict,
        channel_name: str | None,
        heard_in_line: bool,
        agent: str | None = None,
    ) -> None:
        """Notify of a verdict."""

    def repeat(self, press: Press, verdict: Verdict, channel_name: str | None) -> None:
        """Play the tone of a verdict to one presser."""


def random_ids() -> PressIds:
    """Return the source of press ids that nobody can guess."""
    return PressIds(random.SystemRandom().getrandbits)


@dataclass(frozen=True, slots=True)
class Presser:
    """The channel that pressed, as far as the way in knows it."""

    uniqueid: str | None = None
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class PressHandle:
    """One press as the way that submitted it holds it.

    `run` is what became of it: that of an earlier press when this is the same one seen again.
    `sighting` is the press as this way made it.
    """

    run: PressRun
    sighting: Press
    _notifier: VerdictNotifier

    @property
    def press(self) -> Press:
        """The press that counts."""
        return self.run.press

    @property
    def journalled(self) -> "asyncio.Future[bool]":
        """Ends with whether the disk has the press. Shield it: others wait for it as well."""
        return self.run.journalled

    @property
    def verdict(self) -> "asyncio.Future[Verdict]":
        """Ends with the verdict. Shield it: others wait for it as well."""
        return self.run.verdict

    def session_ended(
        self, *, heard: bool, said: "asyncio.Future[AgiVerdict] | None" = None
    ) -> None:
        """Record that the presser's session ended, and whether it played the verdict.

        If it did not, the notifier plays it once it is known; for a press that joined another one
        it repeats the tone alone. `said` is what the session heard, perhaps provisional.
        """

        def notify(done: "asyncio.Future[Verdict]") -> None:
            verdict, seen = done.result(), self.sighting
            right = heard and (said is None or said.result().outcome == verdict.outcome)
            if self.run.press is seen:
                self._notifier.verdict(seen, verdict, seen.channel, right, verdict.agent)
            elif not right:
                self._notifier.repeat(seen, verdict, seen.channel)

        self.verdict.add_done_callback(notify)


@dataclass(slots=True)
class Intake:
    """Makes presses out of what comes in and submits them to `engine`.

    `sounds` are the sounds of each outcome. `notifier` plays and reports verdicts that were not
    heard in line. `user_event` is the name of the user events that are presses, None to take
    none; `keypad` knows the codes to look for in digits, None to look for none. `ending` returns
    whether the daemon was told to end, `recorders` the names of those that are configured.
    `pbx_away` returns whether the PBX cannot be asked now: only the tone in line reaches the
    presser then, and a session that waits gets `failed` after `unseen` seconds.
    """

    engine: Engine
    sounds: Mapping[Outcome, tuple[str, ...]]
    notifier: VerdictNotifier
    user_event: str | None = None
    keypad: Keypad | None = None
    ending: Callable[[], bool] = lambda: False
    recorders: Callable[[], Collection[str]] = lambda: ()
    pbx_away: Callable[[], bool] = lambda: False
    unseen: float = 0.4
    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], int] = now_ms
    ids: PressIds = field(default_factory=random_ids)

    def press(
        self,
        verb: Verb,
        way: Way,
        target: str,
        *,
        presser: Presser | None = None,
        agent: str | None = None,
        recorder: str | None = None,
        options: Mapping[str, str] | None = None,
        in_line: bool = False,
    ) -> PressHandle:
        """Submit a press and return at once; it is queued for the journal by then.

        `target` names the call, `presser` the channel that pressed. With `in_line` the caller must
        call `session_ended` on the handle; otherwise the notifier gets the verdict. Raises
        `UserError` when the daemon is ending, unless the press was seen on AMI, and when a person
        or program names a recorder that is not configured.
        """
        if way not in _ON_AMI and self.ending():
            raise UserError(
                "the daemon is about to end, so the press is not taken",
                "press again once it is back",
                Exit.DAEMON_DOWN,
            )
        if recorder is not None and way in _BY_NAME and recorder not in self.recorders():
            known = ", ".join(sorted(self.recorders()))
            raise UserError(
                f"no recorder is called {recorder!r}", f"known: {known}", Exit.NOT_FOUND
            )
        press = self._make(verb, way, target, presser, agent, recorder, options)
        handle = PressHandle(self.engine.press(press), press, self.notifier)
        if not in_line:
            self._submit_unattended(handle)
        return handle

    async def explain(
        self, verb: Verb, way: Way, target: str, agent: str | None = None
    ) -> dict[str, object]:
        """Return what such a press would do, as plain data. Raises `Unresolved`."""
        return await self.engine.explain(self._make(verb, way, target, agent=agent))

    def _make(  # noqa: PLR0917 - the parts of a press
        self,
        verb: Verb,
        way: Way,
        target: str,
        presser: Presser | None = None,
        agent: str | None = None,
        recorder: str | None = None,
        options: Mapping[str, str] | None = None,
    ) -> Press:
        by, at = presser or Presser(), self.now()
        return Press(
            self.ids.make(at), verb, way, target, at, self.monotonic(), by.uniqueid, by.channel,
            agent, recorder, options or {},
        )  # fmt: skip

    def _submit_unattended(self, handle: PressHandle) -> None:
        """Pass the verdict of a press without an AGI session to the notifier."""
        if handle.sighting.way not in _ON_AMI:
            handle.session_ended(heard=False)
            return
        if handle.press is not handle.sighting:
            return  # seen by another way as well, which plays it

        def notify(_done: "asyncio.Future[Verdict]") -> None:
            # A session of the same presser plays it, or reports that it could not.
            if not any(one.way in _IN_LINE for one in handle.run.sightings):
                handle.session_ended(heard=False)

        handle.verdict.add_done_callback(notify)

    # AGI

    def agi(self, request: AgiPress) -> Accepted:
        """Take a press from the dialplan; the session waits for its verdict, or leaves.

        A press that is refused has its failure at once, and no id.
        """
        options = request.options
        try:
            handle = self.press(
                Verb(request.verb),
                cast("Way", request.way),
                request.uniqueid,
                presser=Presser(request.uniqueid, request.channel),
                agent=options.get("agent") or None,
                recorder=options.get("recorder") or None,
                options={key: value for key, value in options.items() if key not in _NAMED},
                in_line=True,
            )
        except UserError as problem:
            refused: asyncio.Future[AgiVerdict] = asyncio.get_running_loop().create_future()
            refused.set_result(self._agi_failure(str(problem)))
            return Accepted("", refused)
        said = self.agi_verdict(handle)
        if self.pbx_away():
            loop = asyncio.get_running_loop()
            loop.call_later(self.unseen, self._fail_unseen, said)
        return Accepted(
            handle.press.id,
            said,
            on_left=lambda heard: handle.session_ended(heard=heard, said=said),
        )

    def agi_verdict(self, handle: PressHandle) -> "asyncio.Future[AgiVerdict]":
        """Return a future with the verdict of a press as a session tells it to the presser."""
        future: asyncio.Future[AgiVerdict] = asyncio.get_running_loop().create_future()

        def settle(done: "asyncio.Future[Verdict]") -> None:
            if not future.done():
                verdict = done.result()
                sounds = self.sounds[verdict.outcome]
                future.set_result(AgiVerdict(verdict.outcome.value, sounds, verdict.text))

        handle.verdict.add_done_callback(settle)
        return future

    def _fail_unseen(self, said: "asyncio.Future[AgiVerdict]") -> None:
        """End a session's wait with `failed` when the PBX is still unreachable."""
        if not said.done() and self.pbx_away():
            text = "the PBX cannot be asked: take it that the call is being recorded"
            said.set_result(self._agi_failure(text))

    def _agi_failure(self, text: str) -> AgiVerdict:
        return AgiVerdict(Outcome.FAILED, self.sounds[Outcome.FAILED], text)

    # AMI

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
            _log.warning(
                "user_event_ignored",
                verb=word[:32],
                channel=event.channel,
                fix=f"raise it as UserEvent({self.user_event},Verb: stop), on a channel",
            )
            return
        self.press(
            Verb(word),
            "userevent",
            event.uniqueid,
            presser=Presser(event.uniqueid, event.channel),
            agent=fields.get("agent") or None,
            recorder=fields.get("recorder") or None,
        )

    def _digit(self, event: DTMFEnd, graph: CallGraph) -> None:
        # A digit in an IVR, in voicemail or in a conference is not meant for us.
        if self.keypad is None or not graph.two_party(event.uniqueid):
            return
        verb = self.keypad.feed(event.uniqueid, event.digit, self.monotonic())
        if verb is not None:
            presser = Presser(event.uniqueid, event.channel)
            self.press(Verb(verb), "keypad", event.uniqueid, presser=presser)


async def replies(handle: PressHandle, wait: float) -> AsyncIterator[Mapping[str, object]]:
    """Yield two replies about a press: whether it is journalled, then how it ended.

    `journalled` is False where the disk did not take the press: it is carried out all the same,
    and kept in memory until the disk is back. A verdict that is not there within `wait` seconds
    is `pending`.
    """
    started = time.monotonic()
    yield {"press": handle.press.id, "journalled": await asyncio.shield(handle.journalled)}
    left = max(0.0, wait - (time.monotonic() - started))
    done, _ = await asyncio.wait({handle.verdict}, timeout=left)
    if done:
        yield handle.verdict.result().body()
    else:
        yield {"outcome": PENDING, "press": handle.press.id}
