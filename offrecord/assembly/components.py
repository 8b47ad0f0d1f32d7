# SPDX-License-Identifier: Apache-2.0
"""The parts of one daemon, made from its configuration and tied to each other. Nothing is opened.

`Daemon` opens, runs and closes them. `use` has them go by a configuration read anew.
"""

from collections.abc import Mapping

from agi.server import FastAgiServer
from agi.session import FastAgiSettings
from ami.calls.graph import CallGraph
from ami.pbx import Pbx
from bridges.model import Outcome, Recorder, Verb, hook_of
from offrecord.assembly import build as sites
from offrecord.audit.syslog_copy import Syslog
from offrecord.config import Config, ConfigError, Loaded
from offrecord.config.sections.journal import place
from offrecord.enforcement.context import Observers, State
from offrecord.enforcement.enforcer import Enforcer
from offrecord.journal.journal import Journal
from offrecord.model.intents import Intent, Intents
from offrecord.model.press import Press
from offrecord.model.verdict import Verdict
from offrecord.notify.notifier import Notifier
from offrecord.presses.intake import Intake
from offrecord.presses.lifecycle import Engine
from offrecord.reconcile.call_watch import CallWatch
from offrecord.reconcile.reconciler import Reconciler


class Components:
    """Everything beside one PBX but its life: what each part is, and who tells whom.

    Raises `ConfigError` for what the configuration asks for and cannot be had. `teller` is None
    until `make_teller`, which needs a running loop.
    """

    def __init__(self, loaded: Loaded) -> None:
        config = loaded.config
        self.config: Config = config
        self.loaded = loaded
        self.pbx = Pbx(sites.ami_settings(config), graph=CallGraph(sites.name_rules(config)))
        self.recorders = sites.recorders(loaded, self.pbx)
        copy_to = config.audit.syslog
        self.syslog = Syslog(place(copy_to)) if copy_to else None
        self.journal = Journal(config.journal.path, copy=self.syslog.put if self.syslog else None)
        self.engine = Engine(
            sites.resolver(loaded, self.pbx),
            self.journal,
            sites.site(loaded, self.recorders),
            config.press.join_window,
        )
        self.keeper = Enforcer(
            self.pbx, self.engine, Intents(), self.engine.note, sites.keeper(loaded),
            observers=self._observers(),
        )  # fmt: skip
        self.engine.keeper = self.keeper
        self.triggers = Intake(
            self.engine,
            config.sounds.by_outcome(),
            config.user_event.name if config.user_event.enabled else None,
            sites.keypad(loaded),
            away=lambda: not self.pbx.graph.known,
        )
        self.fastagi = FastAgiServer(self.triggers.agi, _agi_settings(config))
        self.teller: Notifier | None = None
        self.reconciler = Reconciler(
            config.journal.path, lambda: self.recorders, config.reconcile, self.engine.note
        )
        self.watch = CallWatch(self.pbx, self.reconciler)
        self.engine.watch = lambda press, verdict: self.watch.pressed(
            press.verb.value, verdict.linkedid
        )

    def _observers(self) -> Observers:
        """Return how the keeper reaches the teller, which comes with the running loop."""

        def state(extension: str | None, _agent: object, state: State, _intent: object) -> None:
            if self.teller is not None:
                self.teller.state(extension, state)

        def repeat(press: Press, verdict: Verdict, channel: str) -> None:
            if self.teller is not None:
                self.teller.repeat(press, verdict, channel)

        def late(press: Press, verdict: Verdict, channel: str) -> None:
            if self.teller is not None:
                self.teller.verdict(press, verdict, channel, False, verdict.agent)

        def remind(intent: Intent, channel: str) -> None:
            if self.teller is not None and intent.presser is not None:
                self.teller.remind(channel, intent.presser)

        return Observers(state, repeat, late, remind)

    def make_teller(self) -> Notifier:
        """Make what tells people of verdicts beside the tones in line. Raises `ConfigError`."""
        config = self.config
        try:
            teller = Notifier(
                self.pbx, config.tell, config.sounds.by_outcome(), reminder=config.sounds.reminder
            )
        except ValueError as problem:
            fix = "name the PEM file of the authority that signed the certificate there"
            where = ("tell", "webhook_ca_file")
            raise ConfigError(self.loaded.problem(where, str(problem), fix)) from None
        self.teller = self.triggers.teller = teller
        return teller

    def unserved_hooks(self) -> list[str]:
        """Return the recorders whose vendors report to an address that is not served."""
        if self.config.http.enabled:
            return []
        return [name for name, one in self.recorders.items() if hook_of(one) is not None]

    async def use(self, loaded: Loaded) -> Mapping[str, Recorder]:
        """Go by another configuration, as far as what it describes is not open already.

        Returns the recorders that are to be closed once no press uses them any more. Raises
        `ConfigError`: then nothing has changed.
        """
        config = loaded.config
        made = sites.recorders(loaded, self.pbx)
        site = sites.site(loaded, made, self.engine.site.policy.limits)
        resolver = sites.resolver(loaded, self.pbx)
        sites.keypad(loaded)
        keeping = sites.keeper(loaded)
        for recorder in made.values():
            await recorder.open()
        graph = self.pbx.graph
        graph.use_rules(sites.name_rules(config, graph.rules.hints))
        self.engine.use(resolver, site, config.press.join_window)
        self.keeper.use(keeping)
        self.triggers.sounds = config.sounds.by_outcome()
        if self.teller is not None:
            self.teller.sounds = config.sounds.by_outcome()
            self.teller.reminder = config.sounds.reminder
        self.reconciler.settings = config.reconcile
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
