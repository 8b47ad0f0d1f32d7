# SPDX-License-Identifier: Apache-2.0
"""What the control socket is asked: presses, the live calls, explanations, how things are."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from ami.calls import Call
from ami.pbx import Pbx
from bridges.model import Outcome, Verb
from offrecord.control import Handler
from offrecord.engine import Engine
from offrecord.exits import Exit
from offrecord.journal import Journal
from offrecord.resolve import Unresolved, everything
from offrecord.triggers import Triggers, told

_MAX_WAIT = 30.0
"""Seconds that a client of the control socket may wait for a verdict, at most."""


class Operations:
    """The operations of one daemon. `ending` says whether it was told to end."""

    def __init__(
        self,
        engine: Engine,
        triggers: Triggers,
        pbx: Pbx,
        journal: Journal,
        ending: Callable[[], bool],
    ) -> None:
        self._engine = engine
        self._triggers = triggers
        self._pbx = pbx
        self._journal = journal
        self._ending = ending

    def table(self) -> dict[str, Handler]:
        """Return the operations by the name that requests use."""
        return {
            "press": self._press,
            "calls": self._calls,
            "explain": self._explain,
            "ack": self._ack,
            "status": self._status,
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
        if self._ending():
            yield {"error": "the daemon is about to end, so the press is not taken",
                   "fix": "press again once it is back", "exit": Exit.DAEMON_DOWN}  # fmt: skip
            return
        if way == "cli" and recorder is not None and recorder not in self._engine.site.recorders:
            known = ", ".join(sorted(self._engine.site.recorders))
            yield {"error": f"no recorder is called {recorder!r}", "fix": f"known: {known}",
                   "exit": Exit.NOT_FOUND}  # fmt: skip
            return
        press = self._triggers.make(
            Verb(verb), "agi" if way == "agi" else "cli", target,
            uniqueid=uniqueid, channel=_text(request, "channel"), agent=_text(request, "agent"),
            recorder=recorder, options={**_options(request), **_user(request, way)},
        )  # fmt: skip
        wait = request.get("wait", 0.0)
        patience = min(float(wait), _MAX_WAIT) if isinstance(wait, (int, float)) else 0.0
        handle, heard = self._engine.press(press), False
        try:
            async for reply in told(handle, patience):
                sounds = self._sounds(reply)
                heard = way == "agi" and bool(sounds)
                yield {**reply, **sounds}
        finally:
            self._triggers.left(handle, press, heard=heard)

    def _sounds(self, reply: Mapping[str, object]) -> dict[str, object]:
        """Return what the one-shot script is to play for a reply that carries an outcome."""
        if reply.get("outcome") not in set(Outcome):
            return {}
        return {"sounds": list(self._triggers.sounds[Outcome(str(reply["outcome"]))])}

    async def _calls(self, _request: Mapping[str, Any]) -> AsyncIterator[Mapping[str, object]]:
        graph = self._pbx.graph
        calls = [{**_call_body(call), "intents": self._intents(call)} for call in graph.calls()]
        yield {"known": graph.known, "calls": calls}

    def _intents(self, call: Call) -> list[dict[str, object]]:
        """Return what presses hold for a call, as the journal writes it."""
        keeper = self._engine.keeper
        live = keeper.intents.all_of(everything(call)) if keeper else []
        return [one.body() for one in live]

    async def _ack(self, request: Mapping[str, Any]) -> AsyncIterator[Mapping[str, object]]:
        """End the repeated failure tone of a press; trying goes on."""
        press = _text(request, "press")
        keeper = self._engine.keeper
        if press is None or keeper is None or not keeper.ack(press):
            yield {"error": f"no press {press!r} is unsolved",
                   "fix": "offrecord presses --outcome failed lists them",
                   "exit": Exit.NOT_FOUND}  # fmt: skip
            return
        yield {"press": press, "acknowledged": True}

    async def _explain(self, request: Mapping[str, Any]) -> AsyncIterator[Mapping[str, object]]:
        """Say what a press would do. Its answer holds no secret: recorders mask theirs."""
        target, verb = _text(request, "target"), str(request.get("verb", "stop"))
        if target is None or verb not in set(Verb):
            yield {"error": "explain needs a target and a verb", "fix": "name them"}
            return
        press = self._triggers.make(Verb(verb), "cli", target, agent=_text(request, "agent"))
        try:
            yield await self._engine.explain(press)
        except Unresolved as problem:
            known = self._pbx.graph.known
            yield {
                "error": problem.why,
                "fix": "offrecord calls lists the live ones" if known else "see offrecord check",
                "exit": Exit.NOT_FOUND if known else Exit.PBX_UNREACHABLE,
            }

    async def _status(self, _request: Mapping[str, Any]) -> AsyncIterator[Mapping[str, object]]:
        trouble = self._journal.trouble
        yield {
            "link": self._pbx.link.state.value,
            "known": self._pbx.graph.known,
            "calls": len(self._pbx.graph.calls()),
            "journal": str(trouble) if trouble else "ok",
            "recorders": sorted(self._engine.site.recorders),
        }


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


def _call_body(call: Call) -> dict[str, object]:
    return {
        "call": call.linkedid,
        "extensions": list(call.extensions),
        "channels": [
            {
                "channel": channel.name,
                "uniqueid": channel.uniqueid,
                "extension": channel.extension,
                "state": channel.state,
                "bridge": channel.bridge_id,
                "monitors": channel.monitors,
                "muted": channel.muted,
            }
            for channel in call.channels
        ],
    }
