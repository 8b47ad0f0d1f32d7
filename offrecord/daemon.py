# SPDX-License-Identifier: Apache-2.0
"""The daemon: every part opened in order, run side by side, closed in the reverse order.

It is ready once it listens for presses. The PBX may still be away then: its link comes when the
PBX does, and a press meanwhile is answered with the truth.
"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any

import structlog

from agi.errors import AgiBind
from agi.server import FastAgiServer
from agi.session import FastAgiSettings
from ami.calls import Call, CallGraph
from ami.errors import AmiError
from ami.keypad import Keypad
from ami.pbx import Pbx
from bridges.model import Outcome, Verb
from offrecord import site as sites
from offrecord import systemd
from offrecord.config import Config, Loaded
from offrecord.control import ControlServer
from offrecord.engine import Engine
from offrecord.exits import Exit, UserError
from offrecord.journal import Journal, JournalError
from offrecord.pbx_errors import user_error
from offrecord.resolve import Resolver, Unresolved
from offrecord.triggers import Triggers, told

_MAX_WAIT = 30.0
"""Seconds that a client of the control socket may wait for a verdict, at most."""


class Daemon:
    """Everything beside one PBX. `run` returns after SIGTERM or SIGINT, within the grace time."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._config: Config = loaded.config
        self._log = structlog.get_logger()
        self._stop = asyncio.Event()
        self._pbx = Pbx(
            sites.ami_settings(self._config), graph=CallGraph(sites.name_rules(self._config))
        )
        self._recorders = sites.recorders(loaded, self._pbx)
        self._journal = Journal(self._config.journal.path)
        self._engine = Engine(
            Resolver(
                self._pbx,
                sites.name_rules(self._config),
                self._config.agents,
                self._config.extensions.variable,
                self._config.press.wait_known,
            ),
            self._journal,
            sites.site(loaded, self._recorders),
            self._config.press.join_window,
        )
        keypad = self._config.keypad
        self._triggers = Triggers(
            self._engine,
            self._config.sounds.by_outcome(),
            self._config.user_event.name if self._config.user_event.enabled else None,
            Keypad({code: verb.value for code, verb in keypad.codes.items()}, keypad.digit_timeout)
            if keypad.enabled
            else None,
        )

    async def run(self) -> None:
        """Open, serve until told to stop, close.

        Raises `UserError` for what an administrator must put right: a refused AMI account, a
        port that is taken.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        for warning in self._loaded.warnings:
            self._log.warning("config", problem=warning)
        try:
            async with AsyncExitStack() as stack:
                await self._open(stack)
                systemd.notify("READY=1", f"STATUS=recorders: {', '.join(sorted(self._recorders))}")
                self._log.info("ready", agi=f"{self._config.agi.host}:{self._config.agi.port}",
                               recorders=sorted(self._recorders))  # fmt: skip
                await self._serve()
        except AmiError as problem:
            raise user_error(problem) from problem

    async def _open(self, stack: AsyncExitStack) -> None:
        try:
            await self._journal.open()
        except JournalError as problem:
            # Without a journal recordings can still be stopped, and that matters more.
            self._log.critical("journal_not_usable", problem=str(problem))
        stack.push_async_callback(self._journal.close)
        for recorder in self._recorders.values():
            await recorder.open()
            stack.push_async_callback(recorder.close)
        self._pbx.subscribe(self._triggers.event)
        stack.push_async_callback(self._engine.close, self._config.shutdown.grace)
        agi = self._config.agi
        server = FastAgiServer(
            self._triggers.agi,
            FastAgiSettings(
                host=agi.host,
                port=agi.port,
                wait=agi.wait,
                verbs=tuple(verb.value for verb in Verb),
                interim_sound=agi.interim_sound,
            ),
        )
        await self._listen(server.start(), f"agi://{agi.host}:{agi.port}", "agi.port")
        stack.push_async_callback(server.close)
        control = ControlServer(
            self._config.socket.path,
            {
                "press": self._op_press, "calls": self._op_calls,
                "explain": self._op_explain, "status": self._op_status,
            },
            mode=self._config.socket.mode, group=self._config.socket.group,
        )  # fmt: skip
        await self._listen(control.start(), str(self._config.socket.path), "socket.path")
        stack.push_async_callback(control.close)

    @staticmethod
    async def _listen(starting: Any, address: str, key: str) -> None:
        try:
            await starting
        except (OSError, AgiBind) as problem:
            why = getattr(problem, "strerror", None) or str(problem)
            raise UserError(
                f"cannot listen on {address}: {why}",
                f"stop what uses it, or change {key}",
                Exit.PORT_IN_USE,
            ) from problem

    async def _serve(self) -> None:
        """Run the link until told to stop; what the link cannot get over is raised."""
        link = asyncio.create_task(self._pbx.run(), name="pbx")
        watchdog = asyncio.create_task(systemd.watchdog(), name="watchdog")
        stop = asyncio.create_task(self._stop.wait(), name="stop")
        try:
            await asyncio.wait({link, stop}, return_when=asyncio.FIRST_COMPLETED)
            if link.done():
                link.result()
            systemd.notify("STOPPING=1")
            self._log.info("stopping", grace=self._config.shutdown.grace)
            # Presses under way still need the link: the engine is closed before it is.
            await self._engine.close(self._config.shutdown.grace)
        finally:
            for task in (link, watchdog, stop):
                task.cancel()
            for task in (link, watchdog, stop):
                with contextlib.suppress(asyncio.CancelledError, AmiError):
                    await task

    async def _op_press(self, request: Mapping[str, Any]) -> AsyncIterator[Mapping[str, object]]:
        """Take a press from the one-shot script or from a terminal."""
        verb, way = str(request.get("verb", "")), str(request.get("way", "cli"))
        if verb not in set(Verb) or way not in {"agi", "cli"}:
            yield {"error": f"no verb {verb!r} by {way!r}", "fix": f"verbs: {', '.join(Verb)}"}
            return
        uniqueid = _text(request, "uniqueid")
        target = _text(request, "target") or uniqueid
        recorder = _text(request, "recorder")
        if target is None:
            yield {"error": "a press needs a target or a uniqueid", "fix": "name one"}
            return
        if recorder is not None and recorder not in self._recorders:
            known = ", ".join(sorted(self._recorders))
            yield {"error": f"no recorder is called {recorder!r}", "fix": f"known: {known}",
                   "exit": Exit.NOT_FOUND}  # fmt: skip
            return
        press = self._triggers.make(
            Verb(verb), "agi" if way == "agi" else "cli", target,
            uniqueid=uniqueid, channel=_text(request, "channel"), agent=_text(request, "agent"),
            recorder=recorder, options=_options(request),
        )  # fmt: skip
        wait = request.get("wait", 0.0)
        patience = min(float(wait), _MAX_WAIT) if isinstance(wait, (int, float)) else 0.0
        async for reply in told(self._engine.press(press), patience):
            yield {**reply, **self._sounds(reply)}

    def _sounds(self, reply: Mapping[str, object]) -> dict[str, object]:
        """Return what the one-shot script is to play for a reply that carries an outcome."""
        if reply.get("outcome") not in set(Outcome):
            return {}
        return {"sounds": list(self._triggers.sounds[Outcome(str(reply["outcome"]))])}

    async def _op_calls(self, _request: Mapping[str, Any]) -> AsyncIterator[Mapping[str, object]]:
        graph = self._pbx.graph
        yield {"known": graph.known, "calls": [_call_body(call) for call in graph.calls()]}

    async def _op_explain(self, request: Mapping[str, Any]) -> AsyncIterator[Mapping[str, object]]:
        """Say what a press would do. Its answer holds no secret: recorders mask theirs."""
        target, verb = _text(request, "target"), str(request.get("verb", "stop"))
        if target is None or verb not in set(Verb):
            yield {"error": "explain needs a target and a verb", "fix": "name them"}
            return
        press = self._triggers.make(Verb(verb), "cli", target, agent=_text(request, "agent"))
        try:
            yield await self._engine.explain(press)
        except Unresolved as problem:
            yield {"error": problem.why, "fix": "offrecord calls lists the live ones",
                   "exit": Exit.NOT_FOUND}  # fmt: skip

    async def _op_status(self, _request: Mapping[str, Any]) -> AsyncIterator[Mapping[str, object]]:
        trouble = self._journal.trouble
        yield {
            "link": self._pbx.link.state.value,
            "known": self._pbx.graph.known,
            "calls": len(self._pbx.graph.calls()),
            "journal": str(trouble) if trouble else "ok",
            "recorders": sorted(self._recorders),
        }


def _text(request: Mapping[str, Any], key: str) -> str | None:
    value = request.get(key)
    return value if isinstance(value, str) and value else None


def _options(request: Mapping[str, Any]) -> dict[str, str]:
    given = request.get("options")
    if not isinstance(given, Mapping):
        return {}
    return {str(key): str(value) for key, value in given.items()}


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
