# SPDX-License-Identifier: Apache-2.0
"""The daemon: every part opened in order, run side by side, closed in the reverse order.

It is ready once it listens for presses. The PBX may still be away then: its link comes when the
PBX does, and a press meanwhile is answered with the truth.
"""

import asyncio
import contextlib
import errno
import signal
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import structlog

from agi.errors import AgiBind
from agi.server import FastAgiServer
from agi.session import FastAgiSettings
from ami.calls import CallGraph
from ami.errors import AmiError
from ami.pbx import Pbx
from bridges.model import Outcome, Recorder, Verb
from offrecord import logs, recovery, systemd
from offrecord import site as sites
from offrecord.audit.seal import seal_daily
from offrecord.audit.syslog import Syslog
from offrecord.config import Config, ConfigError, Loaded
from offrecord.config_audit import place
from offrecord.control import ControlServer
from offrecord.engine import Engine
from offrecord.exits import Exit, UserError
from offrecord.http import HttpServer, hook_of, hooks
from offrecord.intents import Intent, Intents
from offrecord.journal import Journal, JournalError
from offrecord.keeper import Keeper
from offrecord.keeping import Observers, State
from offrecord.operations import Operations
from offrecord.pbx_errors import user_error
from offrecord.press import Press
from offrecord.reconcile import Reconciler
from offrecord.reconcile_watch import CallWatch
from offrecord.recovery_plan import Left
from offrecord.tell.teller import Teller
from offrecord.triggers import Triggers
from offrecord.verdict import Verdict

_AT_START = ("ami", "agi", "http", "socket", "journal", "keypad", "user_event", "tell", "audit")
"""Sections that count from the next start on: what they describe is open already."""

_AFTER_START, _DAY = 60.0, 86400.0
"""Seconds from the start to the first look for presses to seal, and between two."""

_LISTEN_FIXES: dict[int | None, str] = {
    errno.EADDRINUSE: "stop what uses it",
    errno.EEXIST: "remove it",
}


class Daemon:
    """Everything beside one PBX. `run` returns after SIGTERM or SIGINT, within the grace time.

    SIGHUP has `reload` read the configuration anew.
    """

    def __init__(self, loaded: Loaded, reload: Callable[[], Loaded]) -> None:
        self._loaded = loaded
        self._read_again = reload
        self._config: Config = loaded.config
        self._secrets = {*loaded.secrets}
        self._log = structlog.get_logger()
        self._stop = asyncio.Event()
        self._hup = asyncio.Event()
        self._retiring: set[asyncio.Task[None]] = set()
        self._pbx = Pbx(
            sites.ami_settings(self._config), graph=CallGraph(sites.name_rules(self._config))
        )
        self._recorders = sites.recorders(loaded, self._pbx)
        copy_to = self._config.audit.syslog
        self._syslog = Syslog(place(copy_to)) if copy_to else None
        self._journal = Journal(
            self._config.journal.path, copy=self._syslog.put if self._syslog else None
        )
        self._left = Left()
        self._engine = Engine(
            sites.resolver(loaded, self._pbx),
            self._journal,
            sites.site(loaded, self._recorders),
            self._config.press.join_window,
        )
        self._keeper = Keeper(
            self._pbx,
            self._engine,
            Intents(),
            self._engine.note,
            sites.keeper(loaded),
            observers=self._observers(),
        )
        self._engine.keeper = self._keeper
        self._triggers = Triggers(
            self._engine,
            self._config.sounds.by_outcome(),
            self._config.user_event.name if self._config.user_event.enabled else None,
            sites.keypad(loaded),
        )
        self._operations = Operations(
            self._engine, self._triggers, self._pbx, self._journal, self._stop.is_set
        )
        agi = self._config.agi
        failed = self._config.sounds.by_outcome()[Outcome.FAILED]
        self._fastagi = FastAgiServer(
            self._triggers.agi,
            FastAgiSettings(
                host=agi.host,
                port=agi.port,
                wait=agi.wait,
                verbs=tuple(verb.value for verb in Verb),
                interim_sound=agi.interim_sound,
                failure_sound=failed[0] if failed else "",
            ),
        )
        self._http = self._http_server() if self._config.http.enabled else None
        self._teller: Teller | None = None
        self._reconciler = Reconciler(
            self._config.journal.path, lambda: self._recorders, self._config.reconcile,
            self._engine.note,
        )  # fmt: skip
        self._calls = CallWatch(self._pbx, self._reconciler)
        self._engine.watch = lambda press, verdict: self._calls.pressed(
            press.verb.value, verdict.linkedid
        )

    def _http_server(self) -> HttpServer:
        given, tls = self._config.http, sites.http_tls(self._loaded)
        return HttpServer(hooks(lambda: self._recorders), given.host, given.port, tls)

    async def run(self) -> None:
        """Open, serve until told to stop, close.

        Raises `UserError` for what an administrator must put right: a refused AMI account, a
        port that is taken.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._hup.set)
        for warning in self._loaded.warnings:
            self._log.warning("config", problem=warning)
        try:
            async with AsyncExitStack() as stack:
                await self._open(stack)
                self._tell_ready()
                host, port = self._fastagi.address
                where = {"agi": f"{host}:{port}"}
                if self._http is not None:
                    where["http"] = "{}:{}".format(*self._http.address)
                self._log.info("ready", **where, recorders=sorted(self._recorders))
                await self._serve()
        except AmiError as problem:
            raise user_error(problem) from problem

    async def _open(self, stack: AsyncExitStack) -> None:
        if self._syslog is not None:
            self._syslog.start()
        try:
            await self._journal.open()
        except JournalError as problem:
            # Without a journal recordings can still be stopped, and that matters more.
            self._log.critical("journal_not_usable", problem=str(problem))
        self._left = await recovery.look(self._journal.path)
        stack.push_async_callback(self._close_journal)
        stack.push_async_callback(self._close_recorders)
        for recorder in self._recorders.values():
            await recorder.open()
        self._pbx.subscribe(self._triggers.event)
        self._pbx.subscribe(self._keeper.event)
        self._tell(stack)
        self._reconciler.open()
        stack.push_async_callback(self._reconciler.close)
        self._pbx.subscribe(self._calls.event)
        self._calls.open()
        stack.push_async_callback(self._calls.close)
        stack.push_async_callback(self._engine.close, self._config.shutdown.grace)
        agi = self._config.agi
        await self._listen(self._fastagi.start(), f"agi://{agi.host}:{agi.port}", "agi.port")
        stack.push_async_callback(self._fastagi.close)
        if self._http is not None:
            http = self._config.http
            await self._listen(self._http.start(), f"{http.host}:{http.port}", "http.port")
            stack.push_async_callback(self._http.close)
        self._warn_of_hooks(self._recorders)
        control = ControlServer(
            self._config.socket.path,
            self._operations.table(),
            mode=self._config.socket.mode, group=self._config.socket.group,
        )  # fmt: skip
        await self._listen(control.start(), str(self._config.socket.path), "socket.path")
        stack.push_async_callback(control.close)

    @staticmethod
    async def _listen(starting: Any, address: str, key: str) -> None:
        try:
            await starting
        except AgiBind as problem:
            raise UserError(
                f"cannot listen on {address}: {problem.reason}", problem.fix, Exit.PORT_IN_USE
            ) from problem
        except OSError as problem:
            fix = _LISTEN_FIXES.get(problem.errno, "let the daemon's user write there")
            raise UserError(
                f"cannot listen on {address}: {problem.strerror or problem}",
                f"{fix}, or change {key}",
                Exit.PORT_IN_USE,
            ) from problem

    def _observers(self) -> Observers:
        """Return how the keeper reaches the teller, which comes with the running loop."""

        def state(extension: str | None, _agent: object, state: State, _intent: object) -> None:
            if self._teller is not None:
                self._teller.state(extension, state)

        def repeat(press: Press, verdict: Verdict, channel: str) -> None:
            if self._teller is not None:
                self._teller.repeat(press, verdict, channel)

        def late(press: Press, verdict: Verdict, channel: str) -> None:
            if self._teller is not None:
                self._teller.verdict(press, verdict, channel, False, verdict.agent)

        def remind(intent: Intent, channel: str) -> None:
            if self._teller is not None and intent.presser is not None:
                self._teller.remind(channel, intent.presser)

        return Observers(state, repeat, late, remind)

    def _tell(self, stack: AsyncExitStack) -> None:
        """Have people told of what happens, beside the tones in line. Raises `UserError`."""
        try:
            teller = Teller(
                self._pbx, self._config.tell, self._config.sounds.by_outcome(),
                reminder=self._config.sounds.reminder,
            )  # fmt: skip
        except ValueError as problem:
            fix = "name the PEM file of the authority that signed the certificate there"
            where = ("tell", "webhook_ca_file")
            raise ConfigError(self._loaded.problem(where, str(problem), fix)) from None
        self._teller = self._triggers.teller = teller
        self._pbx.subscribe(teller.event)
        teller.open()
        stack.push_async_callback(teller.close)

    def _warn_of_hooks(self, recorders: Mapping[str, Recorder]) -> None:
        for name, recorder in recorders.items():
            if self._http is None and hook_of(recorder) is not None:
                why = "its vendor's reports are not heard: set enabled = true in [http]"
                self._log.warning("hook_not_served", recorder=name, problem=why)

    async def _close_journal(self) -> None:
        lost = await self._journal.close()
        if lost:
            self._log.critical("journal_records_lost", count=lost)
        if self._syslog is not None and (unsent := await asyncio.to_thread(self._syslog.close)):
            self._log.error("syslog_records_lost", count=unsent)

    async def _seal_daily(self) -> None:
        """Move what is old enough into archives, a minute after the start and then every day."""
        audit, path = self._config.audit, self._config.journal.path
        if audit.keep_days is None:
            return
        await asyncio.sleep(_AFTER_START)
        while True:
            sealing = partial(seal_daily, path, audit.keep_days, folder=audit.archive_folder)
            try:
                await asyncio.to_thread(sealing)
            except UserError as problem:
                self._log.critical("journal_not_sealed", problem=str(problem))
            await asyncio.sleep(_DAY)

    async def _close_recorders(self) -> None:
        await self._retire(self._recorders)
        await asyncio.gather(*self._retiring)

    def _tell_ready(self) -> None:
        systemd.notify("READY=1", f"STATUS=recorders: {', '.join(sorted(self._recorders))}")

    async def _serve(self) -> None:
        """Run the link until told to stop; what the link cannot get over is raised."""
        link = asyncio.create_task(self._pbx.run(), name="pbx")
        watchdog = asyncio.create_task(systemd.watchdog(), name="watchdog")
        reloads = asyncio.create_task(self._reload_when_told(), name="reload")
        keeper = asyncio.create_task(self._keeper.run(), name="keeper")
        recovering = recovery.of_daemon(self._left, self._pbx, self._engine, self._keeper)
        recovered = asyncio.create_task(recovering.run(), name="recovery")
        sealing = asyncio.create_task(self._seal_daily(), name="sealing")
        stop = asyncio.create_task(self._stop.wait(), name="stop")
        try:
            await asyncio.wait({link, stop}, return_when=asyncio.FIRST_COMPLETED)
            if link.done():
                link.result()
            systemd.notify("STOPPING=1")
            grace = self._config.shutdown.grace
            self._log.info("stopping", grace=grace)
            # Presses under way still need the link, and their sessions the verdicts.
            await asyncio.gather(self._fastagi.close(grace), self._engine.close(grace))
        finally:
            for task in (link, watchdog, reloads, recovered, keeper, sealing, stop):
                task.cancel()
            for task in (link, watchdog, reloads, recovered, keeper, sealing, stop):
                with contextlib.suppress(asyncio.CancelledError, AmiError):
                    await task

    async def _reload_when_told(self) -> None:
        while True:
            await self._hup.wait()
            self._hup.clear()
            systemd.reloading()
            try:
                await self._reload()
            except UserError as problem:
                for line in getattr(problem, "problems", (problem,)):
                    self._log.error("config_not_reloaded", problem=str(line), kept="the old one")
            except Exception:  # noqa: BLE001 - the daemon goes on as it was
                self._log.exception("config_not_reloaded", kept="the old one")
            self._tell_ready()

    async def _reload(self) -> None:
        """Go by the configuration as it is now. Raises `UserError`: then nothing has changed."""
        loaded = await asyncio.to_thread(self._read_again)
        config = loaded.config
        made = sites.recorders(loaded, self._pbx)
        site = sites.site(loaded, made, self._engine.site.policy.limits)
        resolver = sites.resolver(loaded, self._pbx)
        sites.keypad(loaded)
        keeping = sites.keeper(loaded)
        for recorder in made.values():
            await recorder.open()
        graph = self._pbx.graph
        graph.use_rules(sites.name_rules(config, graph.rules.hints))
        self._engine.use(resolver, site, config.press.join_window)
        self._keeper.use(keeping)
        self._triggers.sounds = config.sounds.by_outcome()
        if self._teller is not None:
            self._teller.sounds = config.sounds.by_outcome()
            self._teller.reminder = config.sounds.reminder
        self._reconciler.settings = config.reconcile
        old, self._recorders = self._recorders, made
        self._warn_of_hooks(made)
        retiring = asyncio.create_task(self._retire(old), name="retire")
        self._retiring.add(retiring)
        retiring.add_done_callback(self._retiring.discard)
        self._secrets.update(loaded.secrets)  # the old ones may still be in flight
        logs.configure(config.log.level, config.log.format, secrets=self._secrets)
        waiting = [name for name in _AT_START
                   if getattr(config, name) != getattr(self._config, name)]  # fmt: skip
        self._config = config.model_copy(
            update={name: getattr(self._config, name) for name in _AT_START}
        )
        for warning in loaded.warnings:
            self._log.warning("config", problem=warning)
        for name in waiting:
            self._log.warning("config_needs_restart", section=name, kept="the old one")
        self._log.info("config_reloaded", recorders=sorted(made))

    async def _retire(self, recorders: Mapping[str, Recorder]) -> None:
        """Close recorders once no press uses them any more."""
        await self._engine.idle()
        for recorder in recorders.values():
            try:
                await recorder.close()
            except Exception:  # noqa: BLE001 - one that cannot let go must not keep the others
                self._log.exception("recorder_not_closed", recorder=recorder.name)
