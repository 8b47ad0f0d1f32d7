# SPDX-License-Identifier: Apache-2.0
"""The requests of the control socket: presses, live calls, explanations, acknowledgements, status.

A press is parsed and answered by `agi.handover`, for the one-shot script and for a terminal alike.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Final

from agi import handover
from agi.errors import HandoverError
from agi.handover import PressRequest
from agi.verdict_message import PENDING, AgiVerdict
from bridges.model import Verb
from offrecord.ami_capture.daemon_side import serve_capture
from offrecord.assembly.service import DaemonService
from offrecord.base.errors import Exit, UserError
from offrecord.control.server import Handler
from offrecord.presses.intake import Presser, replies
from offrecord.status.event_feed import CALLS
from offrecord.status.view_types import to_json

_MAX_WAIT: Final = 30.0
"""Seconds that a client of the control socket may wait for a verdict, at most."""

ALIVE: Final = 15.0
"""Seconds after which a client that watches is told that nothing happened."""

Request = Mapping[str, Any]
Replies = AsyncGenerator[Mapping[str, object], None]


class Operations:
    """The operations of one daemon, as the control socket has them."""

    def __init__(self, service: DaemonService) -> None:
        self._service = service
        self._intake = service.intake

    def table(self) -> dict[str, Handler]:
        """Return the operations by the name that requests use."""
        return {
            "press": self._press,
            "calls": self._calls,
            "explain": self._explain,
            "ack": self._ack,
            "status": self._status,
            "watch": self._watch,
            "record": lambda request: serve_capture(self._service, request),
        }

    async def _press(self, request: Request) -> Replies:
        """Take a press from the one-shot script or from a terminal. Raises `UserError`."""
        try:
            asked = PressRequest.from_message(request)
        except HandoverError as problem:
            raise UserError(str(problem), problem.fix, Exit.USAGE) from problem
        if asked.verb not in set(Verb):
            what, fix = f"there is no verb {asked.verb!r}", f"verbs: {', '.join(Verb)}"
            raise UserError(what, fix, Exit.USAGE)
        verb = Verb(asked.verb)
        if asked.way == "agi":
            each = self._from_script(asked, verb)
        else:
            each = self._from_terminal(asked, verb, str(request["peer"]["uid"]))
        async with aclosing(each):  # a client that leaves ends its session now
            async for reply in each:
                yield reply

    async def _from_terminal(self, asked: PressRequest, verb: Verb, uid: str) -> Replies:
        """Press on a target. `uid` is the user as the kernel says it: a name could be anyone's."""
        handle = self._intake.press(
            verb,
            "cli",
            asked.target or asked.uniqueid,
            presser=Presser(asked.uniqueid or None, asked.channel or None),
            agent=asked.agent or None,
            recorder=asked.recorder or None,
            options={**asked.options, "uid": uid},
        )
        async for reply in replies(handle, min(asked.wait, _MAX_WAIT)):
            yield reply

    async def _from_script(self, asked: PressRequest, verb: Verb) -> Replies:
        """Press on the channel whose session runs the script, and note whether it was told."""
        handle = self._intake.press(
            verb,
            "agi",
            asked.uniqueid,
            presser=Presser(asked.uniqueid, asked.channel or None),
            agent=asked.agent or None,
            recorder=asked.recorder or None,
            options=asked.options,
            in_line=True,
        )
        said, heard = self._intake.agi_verdict(handle), False
        ends = time.monotonic() + min(asked.wait, _MAX_WAIT)
        try:
            stored = await asyncio.shield(handle.journalled)
            yield handover.accepted(handle.press.id, journalled=stored)
            await asyncio.wait({said}, timeout=max(0.0, ends - time.monotonic()))
            verdict = said.result() if said.done() else AgiVerdict(PENDING)
            heard = bool(verdict.sounds)
            yield handover.told(verdict)
        finally:
            handle.session_ended(heard=heard)

    async def _calls(self, _request: Request) -> Replies:
        yield to_json(self._service.calls())

    async def _watch(self, _request: Request) -> Replies:
        """Yield the live calls, and then what happens, until the client leaves."""
        with self._service.feed.listen() as events:
            yield to_json(self._service.calls())
            while True:
                try:
                    async with asyncio.timeout(ALIVE):
                        event = await anext(events)
                except TimeoutError:
                    yield {"kind": "alive"}
                    continue
                more = to_json(self._service.calls()) if event.kind == CALLS else {}
                yield to_json(event) | more

    async def _ack(self, request: Request) -> Replies:
        """End the repeated failure tone of a press; retrying goes on."""
        press = _text(request, "press") or ""
        self._service.ack(press)
        yield {"press": press, "acknowledged": True}

    async def _explain(self, request: Request) -> Replies:
        """Yield what a press would do. It holds no secret: recorders mask theirs."""
        target, verb = _text(request, "target"), str(request.get("verb", "stop"))
        if target is None or verb not in set(Verb):
            yield {"error": "explain needs a target and a verb", "fix": "name them"}
            return
        yield await self._service.explain(target, Verb(verb), "cli", _text(request, "agent"))

    async def _status(self, _request: Request) -> Replies:
        yield to_json(self._service.status())


def _text(request: Request, key: str) -> str | None:
    value = request.get(key)
    return value if isinstance(value, str) and value else None
