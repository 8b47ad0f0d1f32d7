# SPDX-License-Identifier: Apache-2.0
"""The PBX of a replay: takes events and answers from the capture. Contacts no real PBX.

An action gets the answer in the capture: the first unused one to the same action on the same
channel. An answer that is later in the stream is waited for, and the events before it are applied
first. An action without an answer in the capture raises AmiDenied.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ami.calls.graph import CallGraph
from ami.errors import AmiDenied
from ami.events.headers import BridgeRow, ChannelRow, bridge_row, channel_row
from ami.events.packet_to_event import decode
from ami.events.types import Event
from ami.link.actions import Response, response
from ami.pbx import Subscriber
from ami.versions import parse_version
from offrecord.ami_capture.capture_file import Entry

NO_ANSWER: Final = "the capture holds no answer to this"
_PATIENCE: Final = 1.0
"""Seconds, in the capture's time, that an answer may take, as for a real PBX."""

_KEYS: Final = ("Channel", "Variable", "Direction", "State", "Conference", "Family", "Key")
"""The headers that tell one action from another of the same name."""

_OWN_LISTINGS: Final = frozenset({"coreshowchannels", "bridgelist"})
"""Listings by which the daemon took its view: a press that looks must not be given an old one."""

Key = tuple[str, ...]
Pairs = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Answers:
    """The answers to one action that are not used yet, and the futures that wait for one."""

    ready: deque[list[Response]] = field(default_factory=deque)
    waiting: deque["asyncio.Future[list[Response]]"] = field(default_factory=deque)


def _key(fields: Mapping[str, str | Sequence[str]], name: str) -> Key:
    return (name.lower(), *(str(fields.get(key, "")) for key in _KEYS))


class ReplayPbx:
    """A `ami.ports.PbxPort` over a capture. `answered`: whether the capture has answers at all."""

    def __init__(self, graph: CallGraph, version: str, *, answered: bool) -> None:
        self.graph = graph
        self.version = parse_version(version)
        self._answered = answered
        self._subscribers: list[Subscriber] = []
        self._known = asyncio.Event()
        self._asked: dict[str, Key] = {}
        self._lists: dict[str, list[Response]] = {}
        self._answers: dict[Key, _Answers] = {}
        self._rows: list[ChannelRow] = []
        self._monitors: dict[str, int] = {}
        self.unanswered = 0
        """Actions that the capture has no answer to."""

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Call `callback(event, graph)` for every event; returns a function that unsubscribes."""
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    async def wait_known(self, timeout: float) -> bool:
        """Wait until the live calls are known; return False if not within `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._known.wait()
        except TimeoutError:
            return False
        return True

    # the stream

    def take(self, entry: Entry) -> Event | None:
        """Process one block; return its event, if it is one, after the subscribers were called."""
        told = dict(entry.fields)
        ident = told.get("ActionID", "")
        if entry.mark == ">":
            self._asked[ident] = _key(told, told.get("Action", ""))
        elif entry.mark == "=":
            self._state(entry.fields)
        elif "Response" in told or ident in self._lists:
            self._answer(ident, entry.fields)
        elif (event := decode(entry.packet)) is not None:
            self.graph.apply(event)
            for tell in self._subscribers:
                tell(event, self.graph)
            if not self.graph.known:
                self._known.clear()
            return event
        return None

    def _state(self, fields: Pairs) -> None:
        for name, value in fields:
            if name == "MixMonitors":
                uniqueid, _, count = value.partition(" ")
                if count.isdecimal():
                    self._monitors[uniqueid] = int(count)
            elif name == "Link" and value != "up":
                self._known.clear()
                self.graph.mark_unknown()
                self._monitors.clear()

    def _answer(self, ident: str, fields: Pairs) -> None:
        key, answer = self._asked.get(ident), response(fields)
        if key is None:
            return
        rows = self._lists.setdefault(ident, [])
        rows.append(answer)
        begins = answer.headers.get("EventList", "").lower() == "start"
        ends = answer.headers.get("EventList", "").lower() in {"complete", "cancelled"}
        if begins or not (ends or "Response" in answer.headers):
            return
        del self._lists[ident], self._asked[ident]
        self._listed(key[0], rows)
        found = self._answers.setdefault(key, _Answers())
        while found.waiting:
            future = found.waiting.popleft()
            if not future.done():
                future.set_result(rows)
                return
        if key[0] not in _OWN_LISTINGS:
            found.ready.append(rows)

    def _listed(self, name: str, rows: list[Response]) -> None:
        """Reconcile the graph with a listing that is complete."""
        if name == "coreshowchannels":
            self._rows = [row for one in rows if (row := channel_row(one.headers))]
        elif name == "bridgelist":
            bridges: list[BridgeRow] = [b for one in rows if (b := bridge_row(one.headers))]
            self.graph.reconcile(self._rows, self._monitors, bridges)
            self._known.set()

    # actions

    async def action(
        self,
        name: str,
        fields: Mapping[str, str | Sequence[str]] | None = None,
        *,
        timeout: float | None = None,
    ) -> Response:
        """Return the capture's answer to this action. Raises AmiDenied when it has none."""
        return (await self._ask(name, fields or {}, timeout))[0]

    async def action_list(
        self, name: str, fields: Mapping[str, str | Sequence[str]], *, timeout: float
    ) -> list[Response]:
        """Return the rows of the capture's answer to this action. Raises AmiDenied."""
        first, *rows = await self._ask(name, fields, timeout)
        if not first.ok:
            raise AmiDenied(name, first.message)
        return rows[:-1]

    async def getvar(self, uniqueid: str, name: str) -> str:
        """Return a channel variable, empty when it was not set. Raises AmiDenied."""
        answer = await self.action("Getvar", {"Channel": uniqueid, "Variable": name})
        if not answer.ok:
            raise AmiDenied("Getvar", answer.message)
        return answer.headers.get("Value", "")

    async def _ask(
        self, name: str, fields: Mapping[str, str | Sequence[str]], timeout: float | None
    ) -> list[Response]:
        found = self._answers.setdefault(_key(fields, name), _Answers())
        if found.ready:
            return found.ready.popleft()
        if self._answered:
            future: asyncio.Future[list[Response]] = asyncio.get_running_loop().create_future()
            found.waiting.append(future)
            try:
                async with asyncio.timeout(timeout or _PATIENCE):
                    return await future
            except TimeoutError:
                pass
        self.unanswered += 1
        raise AmiDenied(name, NO_ANSWER)
