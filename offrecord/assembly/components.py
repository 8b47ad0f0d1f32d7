# SPDX-License-Identifier: Apache-2.0
"""All components of the daemon for one PBX, created and connected but not started.

The daemon opens, runs and closes them; a replay makes the same ones with a PBX, a journal and
recorders of its own. `reconfigure` applies a configuration that was read again.
"""

from collections.abc import Callable, Mapping

from agi.server import FastAgiServer
from agi.session import FastAgiSettings
from ami.calls.graph import CallGraph
from ami.pbx import Pbx
from bridges.asterisk.ari import NO_ARI, Ari, UsesAri
from bridges.model import Outcome, Recorder, Verb, hook_of
from offrecord.assembly import build
from offrecord.assembly.core_objects import Clock, PressPath
from offrecord.audit.syslog_copy import Syslog
from offrecord.config import Config, ConfigError, Loaded
from offrecord.config.fields import is_loopback
from offrecord.config.sections.journal import place
from offrecord.enforcement.context import Observers
from offrecord.journal.journal import Journal, Record
from offrecord.model.press import PressIds
from offrecord.notify.notifier import Notifier
from offrecord.notify.taken_back import TellTakenBack
from offrecord.presses.intake import Intake, random_ids
from offrecord.reconcile.call_watch import CallWatch
from offrecord.reconcile.reconciler import Reconciler
from offrecord.status.live_view import LiveView
from offrecord.witness.witness import Witness

MakeRecorders = Callable[[Loaded, Pbx], dict[str, Recorder]]
"""Makes the enabled recorders of a configuration by name, not opened yet."""


class Components:
    """All components for one PBX. Raises `ConfigError` for what cannot be made as configured.

    `ending` returns whether the daemon was told to end. The others are for a replay and for tests:
    `pbx`, `journal`, `recorders`, `clock` and `ids` replace what the configuration describes.
    """

    def __init__(
        self,
        loaded: Loaded,
        *,
        ending: Callable[[], bool] = lambda: False,
        pbx: Pbx | None = None,
        journal: Journal | None = None,
        recorders: MakeRecorders = build.recorders,
        clock: Clock | None = None,
        ids: PressIds | None = None,
    ) -> None:
        config, clock = loaded.config, clock or Clock()
        self.config: Config = config
        self.loaded = loaded
        self.pbx = pbx or Pbx(build.ami_settings(config), graph=CallGraph(build.name_rules(config)))
        # A replay has a PBX of its own, and no ARI behind it.
        self.ari: Ari = build.ari(loaded) if pbx is None else NO_ARI
        self._make_recorders = recorders
        self.recorders = self._made(loaded)
        copy_to = config.audit.syslog
        self.syslog = Syslog(place(copy_to)) if copy_to else None
        self.journal = journal or Journal(
            config.journal.path, copy=self.syslog.put if self.syslog else None
        )
        self.notifier = self._notifier()
        path = PressPath(
            self.pbx,
            self.journal,
            build.site(loaded, self.pbx, self.recorders),
            join_window=config.press.join_window,
            enforcement=build.enforcement(loaded),
            observers=Observers(
                self.notifier.state, self.notifier.repeat, self.notifier.late, self.notifier.remind
            ),
            clock=clock,
        )
        self.feed, self.records, self.site = path.feed, path.records, path.site
        self.enforcer, self.engine = path.enforcer, path.engine
        self.ari.on_start(lambda: self.pbx.graph, self.enforcer.recording_started)
        self.intake = Intake(
            self.engine,
            config.sounds.by_outcome(),
            self.notifier,
            config.user_event.name if config.user_event.enabled else None,
            build.keypad(loaded),
            ending=ending,
            recorders=lambda: self.site.settings.recorders,
            pbx_away=lambda: not self.pbx.graph.known,
            monotonic=clock.monotonic,
            now=clock.now,
            ids=ids or random_ids(),
        )
        self.fastagi = FastAgiServer(self.intake.agi, _agi_settings(config))
        self.live_view = LiveView(
            self.feed.subscribe,
            lambda: self.pbx.graph,
            lambda: self.site.settings,
            self.enforcer.intents,
            self.enforcer.retry_ladder.failing,
            here=lambda extension: self.site.settings.resolver.agents.known(extension).login,
        )
        self.reconciler = Reconciler(
            config.journal.path, lambda: self.recorders, config.reconcile, self.records.write
        )
        self.call_watch = CallWatch(self.pbx, self.reconciler, self.feed.subscribe)
        self.witness = Witness(
            self.pbx, config.witness, self.records.write, self.feed.subscribe,
            here=is_loopback(config.ami.host), silent=self.ari.silent,
        )  # fmt: skip
        self.feed.subscribe(self._retry_taken_back)
        TellTakenBack(self.notifier, self.feed.subscribe, clock.monotonic)
        for callback in (
            self.intake.event, self.notifier.event, self.call_watch.event, self.witness.event
        ):  # fmt: skip
            self.pbx.subscribe(callback)

    def _made(self, loaded: Loaded) -> dict[str, Recorder]:
        """Return the enabled recorders; those on the PBX have the site's ARI."""
        made = self._make_recorders(loaded, self.pbx)
        for recorder in made.values():
            if isinstance(recorder, UsesAri):
                recorder.use_ari(self.ari)
        return made

    def _retry_taken_back(self, record: Record) -> None:
        """Have a press whose verdict the witness took back retried."""
        if record.kind == "taken_back":
            reason = str(record.body["reason"])
            self.enforcer.taken_back(record.press, reason, self.witness.doubt)

    def _notifier(self) -> Notifier:
        sounds = self.config.sounds
        try:
            return Notifier(
                self.pbx, self.config.tell, sounds.by_outcome(), reminder=sounds.reminder
            )
        except ValueError as problem:
            fix = "name the PEM file of the authority that signed the certificate there"
            where = ("tell", "webhook_ca_file")
            raise ConfigError(self.loaded.problem(where, str(problem), fix)) from None

    def unserved_hooks(self) -> list[str]:
        """Return the recorders whose vendors report to an address that is not served."""
        if self.config.http.enabled:
            return []
        return [name for name, one in self.recorders.items() if hook_of(one) is not None]

    async def reconfigure(self, loaded: Loaded) -> Mapping[str, Recorder]:
        """Apply another configuration, except for what is open already.

        Returns the recorders to close once no press uses them any more. Raises `ConfigError`:
        then nothing has changed.
        """
        config = loaded.config
        made = self._made(loaded)
        enforcement = build.enforcement(loaded)
        build.keypad(loaded)
        settings = build.site(loaded, self.pbx, made, self.site.settings.policy.limits)
        for recorder in made.values():
            await recorder.open()
        graph = self.pbx.graph
        graph.use_rules(build.name_rules(config, graph.rules.hints))
        self.site.settings = settings
        self.engine.reconfigure(config.press.join_window)
        self.enforcer.reconfigure(enforcement)
        self.intake.sounds = self.notifier.sounds = config.sounds.by_outcome()
        self.notifier.reminder = config.sounds.reminder
        self.reconciler.settings = config.reconcile
        self.witness.settings = config.witness
        old, self.recorders, self.loaded = self.recorders, made, loaded
        return old


def _agi_settings(config: Config) -> FastAgiSettings:
    agi, failed = config.agi, config.sounds.by_outcome()[Outcome.FAILED]
    return FastAgiSettings(
        host=agi.host,
        port=agi.port,
        wait=agi.wait,
        verbs=tuple(verb.value for verb in Verb),
        interim_sound=agi.interim_sound,
        failure_sound=failed[0] if failed else "",
    )
