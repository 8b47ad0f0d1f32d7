# SPDX-License-Identifier: Apache-2.0
"""What every face of a running daemon may ask of it: the control socket, HTTP, the page.

The faces turn words of theirs into these calls and back; what is allowed, known and done is the
same for all of them.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import structlog

from bridges.model import Verb
from offrecord.assembly.components import Components
from offrecord.base.errors import Exit, UserError
from offrecord.journal.journal import Record
from offrecord.model.press import Press, Way
from offrecord.presses.find_call import Unresolved
from offrecord.presses.lifecycle import PressHandle
from offrecord.status.event_feed import CALLS, EventFeed
from offrecord.status.live_view import LiveView
from offrecord.status.view_types import DaemonStatus, LiveCalls

_log = structlog.stdlib.get_logger(__name__)

SETTLE: Final = 0.2
"""Seconds over which changes of the calls are told as one."""

LOOK: Final = 1.0
"""Seconds between two looks whether the calls are known: a lost link raises no event."""

PRUNE: Final = 60.0
"""Seconds between two clearings of what is kept of calls that are over."""


class DaemonService:
    """The running daemon as its faces see it. `ending` says whether it was told to end.

    `open` has it follow what happens, and needs a running loop.
    """

    def __init__(self, parts: Components, ending: Callable[[], bool]) -> None:
        self._parts = parts
        self._ending = ending
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.feed = EventFeed()
        self.board = LiveView(
            lambda: parts.pbx.graph,
            lambda: parts.engine.site,
            parts.keeper.intents,
            parts.keeper.ladder.failing,
            self._login,
        )

    @property
    def parts(self) -> Components:
        """The parts themselves, for what measures them."""
        return self._parts

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self._parts.config.journal.path

    # What may be asked

    def press(
        self, verb: Verb, way: Way, target: str, *, recorder: str | None = None, **more: Any
    ) -> PressHandle:
        """Take a press from a person or program that names its target.

        Raises `UserError` when it is not taken: the daemon is about to end, or no recorder is
        called like that.
        """
        known = self._parts.engine.site.recorders
        if recorder is not None and recorder not in known:
            raise UserError(
                f"no recorder is called {recorder!r}",
                f"known: {', '.join(sorted(known))}",
                Exit.NOT_FOUND,
            )
        handle, made = self.take(verb, way, target, recorder=recorder, **more)
        self._parts.triggers.left(handle, made, heard=False)
        return handle

    def take(self, verb: Verb, way: Way, target: str, **more: Any) -> tuple[PressHandle, Press]:
        """Take a press whose caller says itself, by `Triggers.left`, whether it played the verdict.

        Raises `UserError` when the daemon is about to end.
        """
        if self._ending():
            raise UserError(
                "the daemon is about to end, so the press is not taken",
                "press again once it is back",
                Exit.DAEMON_DOWN,
            )
        made = self._parts.triggers.make(verb, way, target, **more)
        return self._parts.engine.press(made), made

    def calls(self) -> LiveCalls:
        """Return the live calls, and whether they are known."""
        return LiveCalls(self._parts.pbx.graph.known, self.board.calls())

    async def explain(
        self, target: str, verb: Verb, way: Way, agent: str | None = None
    ) -> dict[str, object]:
        """Return what a press would do. Raises `UserError` for a target that is no call."""
        press = self._parts.triggers.make(verb, way, target, agent=agent)
        try:
            return await self._parts.engine.explain(press)
        except Unresolved as problem:
            known = self._parts.pbx.graph.known
            raise UserError(
                problem.why,
                "offrecord calls lists the live ones" if known else "see offrecord check",
                Exit.NOT_FOUND if known else Exit.PBX_UNREACHABLE,
            ) from problem

    def ack(self, press: str) -> None:
        """End the repeated failure tone of a press; trying goes on. Raises `UserError`."""
        if not self._parts.keeper.ack(press):
            raise UserError(
                f"no press {press!r} is unsolved",
                "offrecord presses --outcome failed lists them",
                Exit.NOT_FOUND,
            )

    def status(self) -> DaemonStatus:
        """Return the state of the daemon's main parts, in a few words each."""
        parts, trouble = self._parts, self._parts.journal.trouble
        return DaemonStatus(
            link=parts.pbx.link.state.value,
            known=parts.pbx.graph.known,
            calls=len(parts.pbx.graph.calls()),
            journal=str(trouble) if trouble else "ok",
            recorders=tuple(sorted(parts.engine.site.recorders)),
        )

    # Following

    def open(self) -> None:
        """Follow what happens from now on."""
        self._parts.engine.heard = self._record
        self._parts.pbx.subscribe(self._event)
        self._task = asyncio.create_task(self._follow(), name="feed")

    async def close(self) -> None:
        """Stop following."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _record(self, record: Record) -> None:
        try:
            self.board.heard(record.kind, record.press, record.body)
        except Exception:  # noqa: BLE001 - a view that fails must not fail a press
            _log.exception("board_broke", kind=record.kind)
        self.feed.tell(record.kind, record.at, record.press, record.body)
        self._changed.set()

    def _event(self, _event: object, _graph: object) -> None:
        self._changed.set()

    async def _follow(self) -> None:
        """Say that the calls changed, once for all changes of a moment; clear up now and then."""
        pruned, known = time.monotonic(), self._parts.pbx.graph.known
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await self._changed.wait()
                await asyncio.sleep(SETTLE)
            before, known = known, self._parts.pbx.graph.known
            changed = self._changed.is_set() or known is not before
            self._changed.clear()
            if changed and self.feed.listeners:
                self.feed.tell(CALLS, time.time_ns() // 1_000_000)
            if time.monotonic() - pruned > PRUNE:
                pruned = time.monotonic()
                self.board.prune()

    def _login(self, extension: str) -> str | None:
        """Return whose an extension is, as far as it is known without asking the PBX."""
        return self._parts.engine.resolver.agents.known(extension).login
