# SPDX-License-Identifier: Apache-2.0
"""The synchronous client: the asynchronous one, run on a thread of its own."""

import datetime as dt
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Any, Self

from anyio.from_thread import BlockingPortal, start_blocking_portal

from noojee.answers import Answer
from noojee.client import Agent, NoojeeClient
from noojee.ids import Extension, Target, UniqueId
from noojee.recordings import Poll, RecordingLeg
from noojee.signing import Auth


class NoojeeSyncClient:
    """A client of one Noojee server for code without an event loop.

    ::

        with NoojeeSyncClient("https://pbx.example", auth=Signed(key)) as client:
            client.stop(UniqueId("12347811.214"), agent_login_name="Fred")

    Takes the arguments of `NoojeeClient`, has its methods, and may be used from any number of
    threads at the same time. Outside of `with` its methods raise `RuntimeError`.
    """

    def __init__(self, base_url: str, *, auth: Auth, **options: Any) -> None:
        self._client = NoojeeClient(base_url, auth=auth, **options)
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None

    def __repr__(self) -> str:
        """Return the server and the way of authentication, never the key."""
        return repr(self._client).replace("NoojeeClient", "NoojeeSyncClient", 1)

    def __enter__(self) -> Self:
        """Start the thread."""
        with ExitStack() as stack:
            portal = stack.enter_context(start_blocking_portal("asyncio"))
            stack.enter_context(portal.wrap_async_context_manager(self._client))
            self._stack = stack.pop_all()
            self._portal = portal
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections and end the thread."""
        self._portal = None
        self._stack.__exit__(kind, error, trace)

    def time(self, *, within: float | None = None) -> str:
        """See `NoojeeClient.time`."""
        return self._thread().call(partial(self._client.time, within=within))

    def stop(
        self, target: Target, *, agent_login_name: str | Agent, within: float | None = None
    ) -> Answer:
        """See `NoojeeClient.stop`."""
        call = partial(self._client.stop, target, agent_login_name=agent_login_name, within=within)
        return self._thread().call(call)

    def start(
        self,
        target: Target,
        *,
        agent_login_name: str | None = None,
        tag: str | None = None,
        within: float | None = None,
    ) -> Answer:
        """See `NoojeeClient.start`."""
        call = partial(
            self._client.start, target, agent_login_name=agent_login_name, tag=tag, within=within
        )
        return self._thread().call(call)

    def hangup(self, target: Target, *, within: float | None = None) -> Answer:
        """See `NoojeeClient.hangup`."""
        return self._thread().call(partial(self._client.hangup, target, within=within))

    def recordings_by_tag(
        self, tag: str, *, within: float | None = None
    ) -> tuple[RecordingLeg, ...]:
        """See `NoojeeClient.recordings_by_tag`."""
        return self._thread().call(partial(self._client.recordings_by_tag, tag, within=within))

    def recordings_by_unique_id(
        self, unique_id: UniqueId, *, within: float | None = None
    ) -> tuple[RecordingLeg, ...]:
        """See `NoojeeClient.recordings_by_unique_id`."""
        call = partial(self._client.recordings_by_unique_id, unique_id, within=within)
        return self._thread().call(call)

    def recordings_by_hour(
        self, day: dt.date, hour: int, *, wait: bool = False, within: float | None = None
    ) -> tuple[RecordingLeg, ...]:
        """See `NoojeeClient.recordings_by_hour`."""
        call = partial(self._client.recordings_by_hour, day, hour, wait=wait, within=within)
        return self._thread().call(call)

    def subscribe(self, extensions: Sequence[Extension], *, after: int = 0, wait: int = 10) -> Poll:
        """See `NoojeeClient.subscribe`."""
        call = partial(self._client.subscribe, extensions, after=after, wait=wait)
        return self._thread().call(call)

    def _thread(self) -> BlockingPortal:
        if self._portal is None:
            raise RuntimeError("use this client inside `with`")
        return self._portal
