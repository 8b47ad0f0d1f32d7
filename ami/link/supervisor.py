# SPDX-License-Identifier: Apache-2.0
# (a deadline for each action is part of what these promise)
"""One supervised AMI link: connects, logs in, pings and reconnects.

Guarantees:
- an action is sent once, or refused at once while the link is down; a reconnect replays nothing;
- every action has a deadline; actions pending when the connection is lost fail;
- a dead connection is noticed within `dead_after` by a ping that is not answered;
- a reconnect waits a random part of a span that doubles up to `backoff_cap` (full jitter);
- a refused login ends the retries: a PBX may ban a host that repeats a wrong secret;
- the secret crosses no network unencrypted unless the settings allow it;
- events go to `sink` once per read, in order.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Final, Never

from ami.errors import (
    AmiDenied,
    AmiDown,
    AmiError,
    AmiInjection,
    AmiInsecure,
    AmiRefused,
    AmiTimeout,
    AmiUnreachable,
)
from ami.events.types import Event
from ami.link.actions import Response, encode, flatten, response
from ami.link.connect import connect
from ami.link.protocol import AmiProtocol, PendingAction, down
from ami.settings import AmiSettings

__all__ = ["AmiLink", "Fields", "LinkState", "PacketListener", "Response", "full_jitter"]

log = logging.getLogger(__name__)

Fields = Mapping[str, str | Sequence[str]]
PacketListener = Callable[[str, bytes], None]

ACTION_TIMEOUT: Final = 1.0
"""Seconds an action may take. A healthy PBX answers in less than a millisecond."""


class LinkState(StrEnum):
    """State of the link."""

    DOWN = "down"
    """Not connected; `run` tries again."""
    CONNECTING = "connecting"
    UP = "up"
    REFUSED = "refused"
    """Given up, because waiting would not help. `problem` says why."""
    CLOSED = "closed"


def full_jitter(attempt: int, base: float, cap: float, chance: float) -> float:
    """Return the seconds to wait before a reconnect: a random part of a span that doubles.

    `attempt` counts from 0; `chance` is from 0 to 1. The span begins at zero: daemons that lost a
    PBX at the same moment must not all reconnect at the same moment.
    """
    span: float = min(cap, base * 2 ** min(attempt, 32))
    return span * chance


class AmiLink:
    """One account's link to one PBX. `run` it once, in a task of its own.

    `sink`: called with the wanted events of one read, in order; it must only enqueue. `on_state`:
    called at once with each new state. `on_gap`: called when events were lost, and the view of the
    PBX is no longer valid. `clock`: monotonic seconds. `chance`: a random number from 0 to 1.
    """

    def __init__(
        self,
        settings: AmiSettings,
        *,
        sink: Callable[[list[Event]], None],
        on_state: Callable[[LinkState], None] | None = None,
        on_gap: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.settings = settings
        self.take = sink
        self.gap = on_gap or (lambda _: None)
        self.packet_listeners: list[PacketListener] = []
        """Called with a mark and bytes: `>` and each packet sent (never the login), `<` and each
        packet received, `=` and each new state. They must only enqueue."""
        self._on_state = on_state or (lambda _: None)
        self._clock = clock
        self._chance = chance
        self._state = LinkState.DOWN
        self._protocol: AmiProtocol | None = None
        self._task: asyncio.Task[object] | None = None
        self._closing = False
        self._wanted = asyncio.Event()
        self._ended = asyncio.Event()
        self._serial = 0
        self._up_since: float | None = None
        self.problem: AmiError | None = None
        """Reason why the link is not up; None while it is."""
        self.logins = 0
        """Number of successful logins."""
        self.timeouts = 0
        """Number of actions without an answer in time."""
        self.ping_took: float | None = None
        """Seconds until the last ping was answered; None before the first of this connection."""

    @property
    def state(self) -> LinkState:
        """The current state."""
        return self._state

    # life

    async def run(self) -> None:
        """Keep the link up until `close`.

        Raises AmiRefused when the login is refused and AmiInsecure when the secret would be sent
        unencrypted: trying again would not help. "Already in use" is retried after a first
        successful login, because the other session may be our own half-dead connection.
        """
        self._task = asyncio.current_task()
        try:
            if not self._closing:
                await self._supervise()
        except asyncio.CancelledError:
            # `close` cancels this very task; any other cancellation goes on up
            if not self._closing or (self._task and self._task.uncancel() > 0):
                raise
        finally:
            if self._state is not LinkState.REFUSED:
                self._set(LinkState.CLOSED)
            self._ended.set()

    async def close(self) -> None:
        """End `run` and wait until the connection is closed."""
        if self._closing:
            return
        self._closing = True
        if self._task is None or self._task.done():
            self._set(LinkState.CLOSED)
            return
        self._task.cancel()
        await self._ended.wait()

    def nudge(self) -> None:
        """Retry a link that is down soon, after `backoff_base` at most.

        The pauses grow while a PBX is down; a press must not wait for the longest.
        """
        self._wanted.set()

    async def _supervise(self) -> Never:
        attempt = 0
        while True:
            try:
                await self._session()
            except AmiError as error:
                self.problem = error
                if self._hopeless(error):
                    log.error("ami link given up, pbx=%s reason=%s", self.settings.address, error)  # noqa: TRY400 - the text says it all
                    self._set(LinkState.REFUSED)
                    raise
                if self._up_since and self._clock() - self._up_since >= self.settings.stable_after:
                    attempt = 0
                self._up_since = None
                base, cap = self.settings.backoff_base, self.settings.backoff_cap
                pause = full_jitter(attempt, base, cap, self._chance())
                attempt += 1
                log.warning(
                    "ami link down, pbx=%s retry_in=%.3f reason=%s",
                    self.settings.address,
                    pause,
                    error,
                )
                if await self._nudged_in(pause):
                    attempt = 0

    async def _nudged_in(self, pause: float) -> bool:
        """Wait before the next try; return True when `nudge` was called meanwhile."""
        first = min(pause, self.settings.backoff_base)
        self._wanted.clear()
        await asyncio.sleep(first)
        try:
            async with asyncio.timeout(pause - first):
                await self._wanted.wait()
        except TimeoutError:
            return False
        return True

    def _hopeless(self, error: AmiError) -> bool:
        if isinstance(error, AmiRefused):
            return not (error.transient and self.logins)
        return isinstance(error, AmiInsecure | AmiInjection)

    async def _session(self) -> Never:
        """Connect, log in and hold the connection. Always ends by raising an AmiError."""
        self._set(LinkState.CONNECTING)
        protocol = await connect(self.settings, self)
        self._protocol = protocol
        try:
            await self._log_in(protocol)
            self.problem = None
            self.logins += 1
            self._up_since = self._clock()
            log.info("ami link up, pbx=%s ami_version=%s", self.settings.address, protocol.version)
            self._set(LinkState.UP)
            await self._hold(protocol)
        finally:
            protocol.close()
            self._protocol = None
            self.ping_took = None
            self._set(LinkState.DOWN)

    async def _log_in(self, protocol: AmiProtocol) -> None:
        where, patience = f"the PBX at {self.settings.address}", self.settings.connect_timeout
        try:
            async with asyncio.timeout(patience):
                await asyncio.shield(protocol.greeted)
        except TimeoutError:
            raise AmiUnreachable(
                f"{where} accepts the connection and says nothing within {patience:g} s",
                fix="check ami.port; if it is the TLS port, set ami.tls",
                code="ami.not_ami",
            ) from None
        fields = {
            "Username": self.settings.username,
            "Secret": self.settings.secret,
            "Events": self.settings.event_mask,
        }
        answer = (await self._exchange(protocol, "Login", fields, patience))[0]
        if answer.ok:
            return
        busy = answer.message == "Login Already In Use"
        raise AmiRefused(
            f"{where} refuses the login of {self.settings.username!r}: "
            f"{answer.message[:100] or 'no reason given'}",
            fix="give offrecord an account of its own in manager.conf"
            if busy
            else "check the account's name, secret, permit, deny and acl in manager.conf",
            transient=busy,
        )

    async def _hold(self, protocol: AmiProtocol) -> Never:
        """Ping until the connection is lost, and end it when a ping is not answered."""
        patience = self.settings.dead_after - self.settings.ping_interval
        while True:
            await asyncio.wait({protocol.gone}, timeout=self.settings.ping_interval)
            if protocol.gone.done():
                raise protocol.gone.result()
            sent = self._clock()
            try:
                await self._exchange(protocol, "Ping", {}, patience)
            except AmiTimeout:
                raise down(f"the PBX answered no ping for {patience:g} s") from None
            self.ping_took = self._clock() - sent

    def lost(self, protocol: AmiProtocol, reason: AmiDown) -> None:
        """Note that the connection is lost. Called by the protocol only."""
        if protocol is self._protocol and self._state is LinkState.UP:
            self.problem = reason
            self._set(LinkState.DOWN)

    def _set(self, state: LinkState) -> None:
        if state is self._state or self._state is LinkState.CLOSED:
            return
        self._state = state
        for listener in self.packet_listeners:
            listener("=", state.value.encode())
        self._on_state(state)

    # actions

    async def action(
        self, name: str, fields: Fields | None = None, *, timeout: float = ACTION_TIMEOUT
    ) -> Response:
        """Send one action and return its answer, which may be an error: check `ok`.

        `timeout` is in seconds. Raises AmiDown when there is no link, or (`sent`) when it was lost
        before the answer, AmiTimeout when no answer came, AmiInjection when a header cannot be
        sent. The action is never sent twice.
        """
        return (await self._exchange(self._live(), name, fields or {}, timeout))[0]

    async def action_list(
        self, name: str, fields: Fields | None = None, *, timeout: float = ACTION_TIMEOUT
    ) -> list[Response]:
        """Send an action that is answered by a list and return its rows.

        Raises as `action` does, and AmiDenied when the PBX gives no list or cuts it short.
        """
        first, *rows = await self._exchange(self._live(), name, fields or {}, timeout, as_list=True)
        if not first.ok:
            raise AmiDenied(name, first.message)
        end = rows.pop()
        if end.headers.get("EventList", "").lower() == "cancelled":
            raise AmiDenied(name, "the list was cancelled")
        return rows

    @asynccontextmanager
    async def expect(self, event: str, needle: str) -> AsyncIterator[asyncio.Future[None]]:
        """Return a future that is done when an event of that name contains `needle`.

        It is cancelled when the connection is lost. Raises AmiDown when there is none.
        """
        future = self._live().watch(event, needle)
        try:
            yield future
        finally:
            future.cancel()

    def _live(self) -> AmiProtocol:
        if self._state is not LinkState.UP or self._protocol is None:
            why = f" ({self.problem.message})" if self.problem else ""
            raise down(f"there is no link to the PBX at {self.settings.address}{why}")
        return self._protocol

    async def _exchange(
        self,
        protocol: AmiProtocol,
        name: str,
        fields: Fields,
        timeout: float,
        *,
        as_list: bool = False,
    ) -> list[Response]:
        if {"action", "actionid"} & {header.lower() for header in fields}:
            raise AmiInjection("ActionID", "is given by the link alone")
        self._serial += 1
        action_id = f"offrecord-{id(self):x}-{self._serial}"
        packet = encode([("Action", name), ("ActionID", action_id), *flatten(fields)])
        pending = PendingAction(name, action_id, as_list=as_list)
        protocol.submit(pending, packet)
        if name != "Login":
            for listener in self.packet_listeners:
                listener(">", packet)
        try:
            async with asyncio.timeout(timeout):
                return [response(pairs) for pairs in await pending.future]
        except TimeoutError:
            self.timeouts += 1
            raise AmiTimeout(name, timeout) from None
        finally:
            protocol.forget(pending)
