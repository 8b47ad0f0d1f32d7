# SPDX-License-Identifier: Apache-2.0
"""Make the objects that a configuration describes. Nothing here opens or sends anything."""

import logging
import ssl
from collections.abc import Mapping
from typing import Final

from ami.calls import channel_names
from ami.keypad import Keypad
from ami.pbx import Pbx
from ami.settings import AmiSettings
from bridges.asterisk.ari import Ari, AriClient, AriRecordings, AriSettings
from bridges.asterisk.ways.taps import TapSettings, UsesTaps
from bridges.model import Looking, Recorder
from bridges.registry import UnknownKind, find, kind_now, on_pbx_kinds
from bridges.routing import Router, Rule
from offrecord.base.tls import server_tls
from offrecord.config import Config, ConfigError, Loaded, recorder_settings
from offrecord.config.sections.enforcement import PauseConfig
from offrecord.config.sections.policy import PolicyConfig
from offrecord.enforcement.enforcer import EnforcementSettings
from offrecord.model.pause_rules import PauseRules, TtlRule
from offrecord.model.policy_terms import KEYS as POLICY_KEYS
from offrecord.model.policy_terms import Rule as PolicyRule
from offrecord.policy.policy import Policy
from offrecord.policy.press_limits import Limits
from offrecord.presses.agent_lookup import AgentFile, Agents
from offrecord.presses.find_call import Resolver
from offrecord.presses.site_settings import SiteSettings

log = logging.getLogger(__name__)

_PING_PATIENCE: Final = 7.0
"""Seconds that a ping may go unanswered before the link is given up."""


def name_rules(config: Config, hints: Mapping[str, str] | None = None) -> channel_names.Rules:
    """Return the rules that say whose a channel is; `hints` are what the PBX itself told."""
    given = config.extensions
    return channel_names.Rules(
        endpoints=given.map,
        trunks=frozenset(given.trunks),
        hints=hints or {},
        pattern=given.pattern,
    )


def ami_settings(config: Config) -> AmiSettings:
    """Return the settings of the link; asks only for the events that the daemon uses."""
    ami = config.ami
    return AmiSettings(
        username=ami.username,
        secret=ami.secret.reveal(),
        host=ami.host,
        port=ami.port,
        tls=ami.tls,
        ca_file=ami.ca_file,
        server_hostname=ami.server_name,
        allow_plain_tcp=ami.allow_plain_tcp,
        action_timeout=ami.action_timeout,
        ping_interval=ami.ping_interval,
        dead_after=ami.ping_interval + _PING_PATIENCE,
        keypad=config.keypad.enabled,
        user_events=config.user_event.enabled,
        whispers=config.tell.whisper or config.retry.holds,
        raises_events=config.tell.event,
    )


def ari(loaded: Loaded) -> Ari:
    """Return the site's ARI, not opened yet. Raises `ConfigError`."""
    given = loaded.config.ari
    if given.username is None or given.secret is None:
        return Ari(hang_up_recorders=given.hang_up_recorders)
    settings = AriSettings(
        url=given.url,
        username=given.username,
        secret=given.secret.reveal(),
        ca_file=given.ca_file,
        app=given.app,
    )
    try:
        client = AriClient(settings)
    except ValueError as problem:
        fix = "name the PEM file of the authority that signed the certificate there"
        raise ConfigError(loaded.problem(("ari", "ca_file"), str(problem), fix)) from None
    return Ari(AriRecordings(client), given.hang_up_recorders)


def keypad(loaded: Loaded) -> Keypad | None:
    """Return what finds codes in digits, None when it is off. Raises `ConfigError`."""
    given = loaded.config.keypad
    if not given.enabled:
        return None
    codes = {code: verb.value for code, verb in given.codes.items()}
    try:
        return Keypad(codes, given.digit_timeout)
    except ValueError as problem:
        fix = "choose codes of which none holds another"
        raise ConfigError(loaded.problem(("keypad", "codes"), str(problem), fix)) from None


def agents(loaded: Loaded) -> Agents:
    """Return where logins are looked for. Raises `ConfigError` for a file that cannot be read."""
    config, path = loaded.config, loaded.config.agent_lookup.file
    try:
        file = AgentFile(path) if path is not None else None
    except (OSError, ValueError) as problem:
        why = getattr(problem, "strerror", None)
        what = f"{path}: {why}" if why else str(problem)
        fix = "name a file of lines `extension,login`"
        raise ConfigError(loaded.problem(("agent_lookup", "file"), what, fix)) from None
    lookup = config.agent_lookup
    return Agents(config.agents, file, lookup.astdb, lookup.queue_members)


def resolver(loaded: Loaded, pbx: Pbx) -> Resolver:
    """Return what finds the call of a press. Raises `ConfigError`."""
    config = loaded.config
    return Resolver(
        pbx,
        agents(loaded),
        config.extensions.variable,
        config.press.wait_known,
        queues=bool(config.pause.queues)
        or any(rule.queue is not None for rule in config.routes.rule)
        or any(rule.queue is not None for rule in config.policy.rule),
    )


def http_tls(loaded: Loaded) -> ssl.SSLContext | None:
    """Return what serves HTTPS, None for plain HTTP. Raises `ConfigError`."""
    given = loaded.config.http
    if given.certificate is None or given.key is None:
        return None
    try:
        return server_tls(given.certificate, given.key)
    except ValueError as problem:
        fix = "give the PEM files of a certificate and of its own key"
        where = ("http", "certificate")
        raise ConfigError(loaded.problem(where, str(problem), fix)) from None


def recorders(loaded: Loaded, pbx: Pbx) -> dict[str, Recorder]:
    """Return the enabled recorders by name, not opened yet. Raises `ConfigError`."""
    made: dict[str, Recorder] = {}
    for name, given in loaded.config.recorders.items():
        if not given.enabled:
            continue
        try:
            kind = find(given.kind)
        except UnknownKind as problem:
            fix = f"known kinds are {', '.join(problem.known)}"
            raise ConfigError(
                loaded.problem(("recorders", name, "kind"), f"{given.kind!r} is unknown", fix)
            ) from None
        if (now := kind_now(given.kind)) != given.kind:
            log.warning("recorder %s: kind %r is called %r now, write that", name, given.kind, now)
        settings = recorder_settings(loaded, name, kind.Settings)
        recorder = made[name] = kind.build(name, settings, pbx)
        if isinstance(recorder, UsesTaps):
            recorder.use_taps(taps(loaded.config))
    return made


def taps(config: Config) -> TapSettings:
    """Return whose listening the site answers for."""
    given = config.taps
    return TapSettings(
        given.extensions, given.contexts, given.apps, hang_up=given.on_stop == "hangup"
    )


def looking(config: Config, made: Mapping[str, Recorder], pbx: Pbx) -> Looking | None:
    """Return what looks at the PBX's own recordings: a recorder of the site, else one of its own.

    The latter has the name of its kind, is asked nothing but to look, and is never opened.
    """
    own = [one for one in made.values() if one.capabilities.on_pbx and isinstance(one, Looking)]
    if own:
        return own[0]
    for kind in on_pbx_kinds():
        only = kind.build(kind.kind, kind.Settings(), pbx)
        if isinstance(only, UsesTaps):
            only.use_taps(taps(config))
        if isinstance(only, Looking):
            return only
    return None


def enforcement(loaded: Loaded) -> EnforcementSettings:
    """Return how long pauses last, and what to do when a recorder does not obey.

    Raises `ConfigError`.
    """
    config = loaded.config
    known = [name for name, given in config.recorders.items() if given.enabled]
    for name in config.retry.recorders:
        if name not in known:
            fix = f"enabled recorders are {', '.join(known) or 'none'}"
            where = ("retry", "fallback")
            raise ConfigError(loaded.problem(where, f"no recorder is called {name!r}", fix))
    retry = config.retry
    return EnforcementSettings(
        pause_rules(config.pause, _ttl_rules(loaded)), retry.fallback, retry.hold_sounds,
        retry.hold_longest,
    )  # fmt: skip


def pause_rules(given: PauseConfig, routes: tuple[TtlRule, ...] = ()) -> PauseRules:
    """Return the rules of `[pause]`; `routes` are the pause times that rules of `[routes]` set."""
    return PauseRules(
        ttl=given.ttl,
        queues=tuple(given.queues.items()),
        reminder=given.reminder,
        extension=given.extension,
        maximum=given.maximum,
        at_end=given.at_end,
        trunks=tuple(given.trunks.items()),
        routes=routes,
    )


def _ttl_rules(loaded: Loaded) -> tuple[TtlRule, ...]:
    """Return the rules about routes that say how long pauses last. Raises `ConfigError`."""
    config, found = loaded.config, []
    for number, rule in enumerate(config.routes.rule):
        if rule.pause_ttl is None:
            continue
        if rule.pause_ttl > config.pause.maximum:
            where = ("routes", "rule", str(number), "pause_ttl")
            why = f"a pause of {rule.pause_ttl:g} s is longer than [pause] maximum allows"
            raise ConfigError(loaded.problem(where, why, "make it shorter, or raise the maximum"))
        found.append(TtlRule(rule.patterns, rule.pause_ttl))
    return tuple(found)


def site(
    loaded: Loaded, pbx: Pbx, made: Mapping[str, Recorder], limits: Limits | None = None
) -> SiteSettings:
    """Return the settings of the site that presses go by. Raises `ConfigError`.

    `limits` are those of the settings that these replace: what they have counted is kept.
    """
    config = loaded.config
    rules = tuple(Rule(config.routed(rule), **rule.patterns) for rule in config.routes.rule)
    return SiteSettings(
        resolver=resolver(loaded, pbx),
        recorders=made,
        router=Router(tuple(made), config.routed(), rules),
        optional=frozenset(name for name, given in config.recorders.items() if given.role == "may"),
        budget=config.press.budget,
        policy=policy(config.policy, limits),
        pbx=looking(config, made, pbx),
    )


def policy(given: PolicyConfig, limits: Limits | None = None) -> Policy:
    """Return the policy of `[policy]`.

    `limits` are those of the policy that it replaces: they get the new numbers and keep their
    counts.
    """
    counts = limits or Limits()
    counts.per_call, counts.per_agent_hour = given.max_per_call, given.max_per_agent_hour
    rules = tuple(
        PolicyRule(
            allow=rule.allow,
            verbs=rule.verb or (),
            ways=rule.ways,
            allow_trunk=rule.allow_trunk,
            why=rule.why,
            **{key: getattr(rule, key) for key in POLICY_KEYS},
        )
        for rule in given.rule
    )
    return Policy(rules, given.freepbx, given.resume_by, counts)
