# SPDX-License-Identifier: Apache-2.0
"""The daemon process: open every component in order, run them, close them in reverse order.

It is ready once it listens for presses. The PBX may still be unreachable then; a press is answered
truthfully meanwhile.
"""

import asyncio
import contextlib
import errno
import signal
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import structlog
from starlette.types import ASGIApp

from agi.errors import AgiBind
from ami.errors import AmiError
from bridges.model import Recorder
from offrecord.assembly.build import http_tls
from offrecord.assembly.components import Components
from offrecord.assembly.service import DaemonService
from offrecord.audit.seal import seal_daily
from offrecord.base import logs
from offrecord.base.errors import Exit, UserError, user_error
from offrecord.config import Loaded
from offrecord.control.server import ControlServer
from offrecord.daemon import systemd
from offrecord.daemon.socket_requests import Operations
from offrecord.journal import JournalError
from offrecord.recovery import recovery, scan
from offrecord.recovery.unfinished import OpenWork
from offrecord.web.server import HttpServer
from offrecord.web.vendor_callbacks import hooks

_AT_START = (
    "ami", "ari", "agi", "http", "api", "socket", "journal", "keypad", "user_event", "tell",
    "audit",
)  # fmt: skip
"""Sections that apply from the next start on: what they describe is open already."""

_AFTER_START, _DAY = 60.0, 86400.0
"""Seconds from the start to the first look for presses to seal, and between two."""

_LISTEN_FIXES: dict[int | None, str] = {
    errno.EADDRINUSE: "stop what uses it",
    errno.EEXIST: "remove it",
}


class Daemon:
    """The daemon process of one PBX. `run` returns after SIGTERM or SIGINT, within the grace time.

    On SIGHUP the configuration is read again by `reload`.
    """

    def __init__(self, loaded: Loaded, reload: Callable[[], Loaded]) -> None:
        self._stop = asyncio.Event()
        self._components = Components(loaded, ending=self._stop.is_set)
        self._api: ASGIApp | None = None
        self._http = self._http_server(loaded) if loaded.config.http.enabled else None
        self._read_again = reload
        self._secrets = {*loaded.secrets}
        self._log = structlog.get_logger()
        self._hup = asyncio.Event()
        self._retiring: set[asyncio.Task[None]] = set()
        self._open_work = OpenWork()

    def _http_server(self, loaded: Loaded) -> HttpServer:
        """Return the server of vendors' reports and of the API. Raises `ConfigError`."""
        given, tls = loaded.config.http, http_tls(loaded)
        served = hooks(lambda: self._components.recorders, lambda: self._api)
        return HttpServer(served, given.host, given.port, tls)

    async def run(self) -> None:
        """Open, serve until told to stop, close.

        Raises `UserError` for what an administrator must put right: a refused AMI account, a
        port that is taken.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._hup.set)
        components = self._components
        self._warn(components.loaded.warnings)
        try:
            async with AsyncExitStack() as stack:
                await self._open(stack)
                self._tell_ready()
                where = {"agi": "{}:{}".format(*components.fastagi.address)}
                if self._http is not None:
                    where["http"] = "{}:{}".format(*self._http.address)
                self._log.info("ready", **where, recorders=sorted(components.recorders))
                await self._serve()
        except AmiError as problem:
            raise user_error(problem) from problem

    async def _open(self, stack: AsyncExitStack) -> None:
        components, config = self._components, self._components.config
        if components.syslog is not None:
            components.syslog.start()
        try:
            await components.journal.open()
        except JournalError as problem:
            # Recordings can still be stopped without a journal, and that matters more.
            self._log.critical("journal_not_usable", problem=str(problem))
        self._open_work = await scan.read_or_nothing(components.journal.path)
        stack.push_async_callback(self._close_journal)
        stack.push_async_callback(self._close_recorders)
        if components.ari.recordings is not None:
            components.ari.recordings.open()
            stack.push_async_callback(components.ari.recordings.close)
        for recorder in components.recorders.values():
            await recorder.open()
        components.notifier.open()
        stack.push_async_callback(components.notifier.close)
        components.reconciler.open()
        stack.push_async_callback(components.reconciler.close)
        components.call_watch.open()
        stack.push_async_callback(components.call_watch.close)
        components.witness.open()
        stack.push_async_callback(components.witness.close)
        stack.push_async_callback(components.engine.close, config.shutdown.grace)
        service = DaemonService(components)
        service.open()
        stack.push_async_callback(service.close)
        if config.api.enabled:
            self._attach_api(service)
        agi, http, socket = config.agi, config.http, config.socket
        await self._listen(components.fastagi.start(), f"agi://{agi.host}:{agi.port}", "agi.port")
        stack.push_async_callback(components.fastagi.close)
        if self._http is not None:
            await self._listen(self._http.start(), f"{http.host}:{http.port}", "http.port")
            stack.push_async_callback(self._http.close)
        control = ControlServer(
            socket.path, Operations(service).table(), mode=socket.mode, group=socket.group,
            endless=frozenset({"watch", "record"}),
        )  # fmt: skip
        await self._listen(control.start(), str(socket.path), "socket.path")
        stack.push_async_callback(control.close)

    def _attach_api(self, service: DaemonService) -> None:
        # Here, because FastAPI costs memory and time where there is no API.
        from offrecord.web.api.wiring import attach

        config = self._components.config
        secure = config.http.certificate is not None
        self._api = attach(service, config.api, self._stop.is_set, secure=secure)

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

    def _warn(self, warnings: Iterable[str]) -> None:
        """Log what works in the configuration although it should be different."""
        for warning in warnings:
            self._log.warning("config", problem=warning)
        for name in self._components.unserved_hooks():
            why = "its vendor's reports are not heard: set enabled = true in [http]"
            self._log.warning("hook_not_served", recorder=name, problem=why)

    async def _close_journal(self) -> None:
        journal, syslog = self._components.journal, self._components.syslog
        lost = await journal.close()
        if lost:
            self._log.critical("journal_records_lost", count=lost)
        if syslog is not None and (unsent := await asyncio.to_thread(syslog.close)):
            self._log.error("syslog_records_lost", count=unsent)

    async def _seal_daily(self) -> None:
        """Move what is old enough into archives, a minute after the start and then every day."""
        audit, path = self._components.config.audit, self._components.config.journal.path
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
        await self._retire(self._components.recorders)
        await asyncio.gather(*self._retiring)

    def _tell_ready(self) -> None:
        names = ", ".join(sorted(self._components.recorders))
        systemd.notify("READY=1", f"STATUS=recorders: {names}")

    async def _serve(self) -> None:
        """Run the link until told to stop. Raises `AmiError` when the link cannot recover."""
        components = self._components
        link = asyncio.create_task(components.pbx.run(), name="pbx")
        watchdog = asyncio.create_task(systemd.watchdog(), name="watchdog")
        reloads = asyncio.create_task(self._reload_on_hup(), name="reload")
        enforcer = asyncio.create_task(components.enforcer.run(), name="enforcer")
        recovering = recovery.of_daemon(
            self._open_work,
            components.pbx,
            site=components.site,
            engine=components.engine,
            records=components.records,
            enforcer=components.enforcer,
        )
        recovered = asyncio.create_task(recovering.run(), name="recovery")
        sealing = asyncio.create_task(self._seal_daily(), name="sealing")
        stop = asyncio.create_task(self._stop.wait(), name="stop")
        try:
            await asyncio.wait({link, stop}, return_when=asyncio.FIRST_COMPLETED)
            if link.done():
                link.result()
            systemd.notify("STOPPING=1")
            grace = components.config.shutdown.grace
            self._log.info("stopping", grace=grace)
            # Presses under way still need the link, and their sessions the verdicts.
            await asyncio.gather(components.fastagi.close(grace), components.engine.close(grace))
            await components.enforcer.unmute_calls()
        finally:
            for task in (link, watchdog, reloads, recovered, enforcer, sealing, stop):
                task.cancel()
            for task in (link, watchdog, reloads, recovered, enforcer, sealing, stop):
                with contextlib.suppress(asyncio.CancelledError, AmiError):
                    await task

    async def _reload_on_hup(self) -> None:
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
        """Apply the configuration as it is now. Raises `UserError`: then nothing has changed."""
        loaded, components = await asyncio.to_thread(self._read_again), self._components
        config, before = loaded.config, components.config
        old = await components.reconfigure(loaded)
        retiring = asyncio.create_task(self._retire(old), name="retire")
        self._retiring.add(retiring)
        retiring.add_done_callback(self._retiring.discard)
        self._secrets.update(loaded.secrets)  # the old ones may still be in flight
        logs.configure(config.log.level, config.log.format, secrets=self._secrets)
        waiting = [name for name in _AT_START if getattr(config, name) != getattr(before, name)]
        components.config = config.model_copy(
            update={name: getattr(before, name) for name in _AT_START}
        )
        self._warn(loaded.warnings)
        for name in waiting:
            self._log.warning("config_needs_restart", section=name, kept="the old one")
        self._log.info("config_reloaded", recorders=sorted(components.recorders))

    async def _retire(self, recorders: Mapping[str, Recorder]) -> None:
        """Close recorders once no press uses them any more."""
        await self._components.engine.idle()
        for recorder in recorders.values():
            try:
                await recorder.close()
            except Exception:  # noqa: BLE001 - one that fails to close must not keep the others
                self._log.exception("recorder_not_closed", recorder=recorder.name)
