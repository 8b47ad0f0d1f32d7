# SPDX-License-Identifier: Apache-2.0
"""Operations that the control socket, the HTTP API and the page share, besides presses.

Presses go through `intake`. The faces only translate; rules and state are here and below.
"""

import asyncio
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from bridges.model import Verb
from offrecord.assembly.components import Components
from offrecord.base.errors import Exit, UserError
from offrecord.model.press import Way, now_ms
from offrecord.presses.find_call import Unresolved
from offrecord.presses.intake import Intake
from offrecord.status.event_feed import EventFeed
from offrecord.status.live_view import LiveView
from offrecord.status.view_types import DaemonStatus, LiveCalls

SETTLE: Final = 0.2
"""Seconds over which changes of the calls are reported as one."""

CHECK: Final = 1.0
"""Seconds between two checks whether the calls are known: a lost link raises no event."""

PRUNE: Final = 60.0
"""Seconds between two clearings of what is kept about calls that are over."""


class DaemonService:
    """The running daemon as its faces see it. `open` needs a running loop."""

    def __init__(self, components: Components) -> None:
        self._components = components
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        components.feed.subscribe(self.on_change)
        components.pbx.subscribe(self.on_change)

    @property
    def components(self) -> Components:
        """The components themselves, for metrics and captures."""
        return self._components

    @property
    def intake(self) -> Intake:
        """The one door for presses."""
        return self._components.intake

    @property
    def feed(self) -> EventFeed:
        """The published records, for clients that watch."""
        return self._components.feed

    @property
    def live_view(self) -> LiveView:
        """The live calls and their recorders."""
        return self._components.live_view

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self._components.config.journal.path

    def calls(self) -> LiveCalls:
        """Return the live calls, and whether they are known."""
        return LiveCalls(self._components.pbx.graph.known, self.live_view.calls())

    async def explain(
        self, target: str, verb: Verb, way: Way, agent: str | None = None
    ) -> dict[str, object]:
        """Return what a press would do. Raises `UserError` for a target that is no call."""
        try:
            return await self.intake.explain(verb, way, target, agent)
        except Unresolved as problem:
            known = self._components.pbx.graph.known
            raise UserError(
                problem.why,
                "offrecord calls lists the live ones" if known else "see offrecord check",
                Exit.NOT_FOUND if known else Exit.PBX_UNREACHABLE,
            ) from problem

    def ack(self, press: str) -> None:
        """End the repeated failure tone of a press; retrying goes on. Raises `UserError`."""
        if not self._components.enforcer.ack(press):
            raise UserError(
                f"no press {press!r} is unsolved",
                "offrecord presses --outcome failed lists them",
                Exit.NOT_FOUND,
            )

    def status(self) -> DaemonStatus:
        """Return the state of the daemon's main parts, in a few words each."""
        components, trouble = self._components, self._components.journal.trouble
        return DaemonStatus(
            link=components.pbx.link.state.value,
            known=components.pbx.graph.known,
            pbx=components.pbx.lacks or "ok",
            calls=len(components.pbx.graph.calls()),
            journal=str(trouble) if trouble else "ok",
            recorders=tuple(sorted(components.site.settings.recorders)),
        )

    # Watching the calls

    def open(self) -> None:
        """Report changes of the calls from now on."""
        self._task = asyncio.create_task(self._report_changes(), name="feed")

    async def close(self) -> None:
        """Stop reporting."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def on_change(self, *_: object) -> None:
        """Note that a record or an event of the PBX may have changed the calls."""
        self._changed.set()

    async def _report_changes(self) -> None:
        """Publish that the calls changed, once for all changes of a moment; prune now and then."""
        pruned, known = time.monotonic(), self._components.pbx.graph.known
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(CHECK):
                    await self._changed.wait()
                await asyncio.sleep(SETTLE)
            before, known = known, self._components.pbx.graph.known
            changed = self._changed.is_set() or known is not before
            self._changed.clear()
            if changed and self.feed.listeners:
                self.feed.calls_changed(now_ms())
            if time.monotonic() - pruned > PRUNE:
                pruned = time.monotonic()
                self.live_view.prune()
