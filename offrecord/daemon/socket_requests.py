# SPDX-License-Identifier: Apache-2.0
"""What the control socket is asked: presses, the live calls, explanations, how things are."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from bridges.model import Outcome, Verb
from offrecord.ami_capture.daemon_side import serve_capture
from offrecord.assembly.service import DaemonService
from offrecord.control.server import Handler
from offrecord.presses.intake import told
from offrecord.status.event_feed import CALLS
from offrecord.status.view_types import to_json

_MAX_WAIT: Final = 30.0
"""Seconds that a client of the control socket may wait for a verdict, at most."""

ALIVE: Final = 15.0
"""Seconds after which a client that watches is told that nothing happened."""


class Operations:
    """The operations of one daemon, as the control socket has them."""

    def __init__(self, inside: DaemonService) -> None:
        self._inside = inside
        self._triggers = inside.parts.triggers

    def table(self) -> dict[str, Handler]:
        """Return the operations by the name that requests use."""
        return {
            "press": self._press,
            "calls": self._calls,
            "explain": self._explain,
            "ack": self._ack,
            "status": self._status,
            "watch": self._watch,
            "record": lambda request: serve_capture(self._inside, request),
        }

    async def _press(self, request: Mapping[str, Any]) -> AsyncIterator[Mapping[str, object]]:
        """Take a press from the one-shot script or from a terminal."""
        verb, way = str(request.get("verb", "")), str(request.get("way", "cli"))
        if verb not in set(Verb) or way not in {"agi", "cli"}:
            yield {"error": f"no verb {verb!r} by {way!r}", "fix": f"verbs: {', '.join(Verb)}"}
            return
        uniqueid = _text(request, "uniqueid")
        target = (_text(request, "target") if way == "cli" else None) or uniqueid
        recorder = _text(request, "recorder")
        if target is None:
            needs = "a target or a uniqueid" if way == "cli" else "a uniqueid"
            yield {"error": f"a press by {way} needs {needs}", "fix": "name one"}
            return
        given: dict[str, Any] = {
            "uniqueid": uniqueid, "channel": _text(request, "channel"),
            "agent": _text(request, "agent"),
            "options": {**_options(request), **_user(request, way)},
        }  # fmt: skip
        wait = request.get("wait", 0.0)
        patience = min(float(wait), _MAX_WAIT) if isinstance(wait, (int, float)) else 0.0
        if way == "cli":
            handle = self._inside.press(Verb(verb), "cli", target, recorder=recorder, **given)
            async for reply in told(handle, patience):
                yield reply
            return
        handle, press = self._inside.take(Verb(verb), "agi", target, recorder=recorder, **given)
        heard = False
        try:
            async for reply in told(handle, patience):
                sounds = self._sounds(reply)
                heard = bool(sounds)
                yield {**reply, **sounds}
        finally:
            self._triggers.left(handle, press, heard=heard)

    def _sounds(self, reply: Mapping[str, object]) -> dict[str, object]:
        """Return what the one-shot script is to play for a reply that carries an outcome."""
        if reply.get("outcome") not in set(Outcome):
            return {}
        return {"sounds": list(self._triggers.sounds[Outcome(str(reply["outcome"]))])}

    async def _calls(self, _request: Mapping[str, Any]) -> AsyncIterator[Mapping[str, object]]:
        yield to_json(self._inside.calls())

    async def _watch(self, _request: Mapping[str, Any]) -> AsyncIterator[Mapping[str, object]]:
        """Tell the live calls, and then what happens, until the client leaves."""
        with self._inside.feed.listen() as news:
            yield to_json(self._inside.calls())
            while True:
                try:
                    async with asyncio.timeout(ALIVE):
                        told = await anext(news)
                except TimeoutError:
                    yield {"kind": "alive"}
                    continue
                more = to_json(self._inside.calls()) if told.kind == CALLS else {}
                yield to_json(told) | more

    async def _ack(self, request: Mapping[str, Any]) -> AsyncIterator[Mapping[str, object]]:
        """End the repeated failure tone of a press; trying goes on."""
        press = _text(request, "press") or ""
        self._inside.ack(press)
        yield {"press": press, "acknowledged": True}

    async def _explain(self, request: Mapping[str, Any]) -> AsyncIterator[Mapping[str, object]]:
        """Say what a press would do. Its answer holds no secret: recorders mask theirs."""
        target, verb = _text(request, "target"), str(request.get("verb", "stop"))
        if target is None or verb not in set(Verb):
            yield {"error": "explain needs a target and a verb", "fix": "name them"}
            return
        yield await self._inside.explain(target, Verb(verb), "cli", _text(request, "agent"))

    async def _status(self, _request: Mapping[str, Any]) -> AsyncIterator[Mapping[str, object]]:
        yield to_json(self._inside.status())


def _text(request: Mapping[str, Any], key: str) -> str | None:
    value = request.get(key)
    return value if isinstance(value, str) and value else None


def _options(request: Mapping[str, Any]) -> dict[str, str]:
    given = request.get("options")
    if not isinstance(given, Mapping):
        return {}
    return {str(key): str(value) for key, value in given.items()}


def _user(request: Mapping[str, Any], way: str) -> dict[str, str]:
    """Return who the kernel says asks, for presses from a terminal: a name could be anyone's."""
    return {"uid": str(request["peer"]["uid"])} if way == "cli" else {}
