# SPDX-License-Identifier: Apache-2.0
"""The logins of a recorder: one an account, made when first needed, and not kept for ever."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from bridges.genesys.answers import TABLE, Case, Next
from bridges.genesys.session import AgentSession
from bridges.genesys.settings import Account, GenesysSettings
from bridges.model import Step

log = logging.getLogger(__name__)


class SessionPool:
    """The sessions by user name. `make` makes one; `clock` and `sleep` are in seconds."""

    def __init__(
        self,
        make: Callable[[Account], AgentSession],
        settings: GenesysSettings,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._make = make
        self._settings = settings
        self._clock = clock
        self._sleep = sleep
        self._sessions: dict[str, AgentSession] = {}
        self._warming: asyncio.Task[None] | None = None
        self._dropping = set[asyncio.Task[None]]()

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._sessions)

    def start(self) -> None:
        """Keep the sessions warm from now on."""
        if self._settings.keep_warm and self._warming is None:
            self._warming = asyncio.create_task(self._keep_warm(), name="genesys-warm")

    async def close(self) -> None:
        """Close every session."""
        if self._warming is not None:
            self._warming.cancel()
            await asyncio.gather(self._warming, return_exceptions=True)
        await asyncio.gather(*self._dropping)
        await self._drop(list(self._sessions.values()))

    @asynccontextmanager
    async def borrow(self, account: Account) -> AsyncIterator[AgentSession]:
        """Yield the session of an account, which is not closed meanwhile."""
        session = self._sessions.get(account.username)
        if session is None:
            session = self._sessions[account.username] = self._make(account)
        session.in_use += 1
        session.last_used = self._clock()
        try:
            yield session
        finally:
            session.in_use -= 1
            if surplus := self._surplus():
                # Aside: saying goodbye to the server is no part of a press.
                self._take_out(surplus)
                task = asyncio.create_task(_shut(surplus), name="genesys-drop")
                self._dropping.add(task)
                task.add_done_callback(self._dropping.discard)

    def _surplus(self) -> list[AgentSession]:
        """Return the unused sessions beyond the limit, the longest unused first."""
        idle = sorted(self._idle(), key=lambda session: session.last_used)
        return idle[: max(0, len(self._sessions) - self._settings.max_sessions)]

    def _idle(self) -> list[AgentSession]:
        return [session for session in self._sessions.values() if not session.in_use]

    def _take_out(self, sessions: list[AgentSession]) -> None:
        for session in sessions:
            del self._sessions[session.username]

    async def _drop(self, sessions: list[AgentSession]) -> None:
        self._take_out(sessions)
        await _shut(sessions)

    async def _keep_warm(self) -> None:
        while True:
            await self._sleep(self._settings.keep_warm)
            await self.warm_once()

    async def warm_once(self) -> None:
        """Ask on every session that was used lately, and close the others."""
        kept = self._clock() - self._settings.warm_for
        await self._drop([session for session in self._idle() if session.last_used < kept])
        await asyncio.gather(*(self._warm(session) for session in self._idle()))

    async def _warm(self, session: AgentSession) -> None:
        # Not tried again before the next press: a refused password locks accounts.
        if not await self._is_welcome(session) and session in self._idle():
            await self._drop([session])

    async def _is_welcome(self, session: AgentSession) -> bool:
        steps: list[Step] = []
        session.in_use += 1
        try:
            ends = self._clock() + 2 * self._settings.timeout
            answer = await session.ask("GET", "/me", ends=ends, steps=steps)
        finally:
            session.in_use -= 1
        row = TABLE["read", answer.case]
        if answer.case is not Case.DONE:
            log.warning("genesys login not warm, user=%s reason=%s", session.username, row.said)
        return row.next in {Next.USE, Next.AGAIN}


async def _shut(sessions: list[AgentSession]) -> None:
    await asyncio.gather(*(session.close() for session in sessions))
