# SPDX-License-Identifier: Apache-2.0
"""From the configuration to the parts it describes. Nothing here opens or sends anything."""

from collections.abc import Mapping
from typing import Final

from ami import names
from ami.keypad import Keypad
from ami.pbx import Pbx
from ami.settings import AmiSettings
from bridges.model import Recorder
from bridges.registry import UnknownKind, find
from bridges.routing import Router, Rule
from offrecord.config import Config, ConfigError, Loaded, recorder_settings
from offrecord.engine import Site
from offrecord.resolve import Resolver

_PING_PATIENCE: Final = 7.0
"""Seconds that a ping may go unanswered before the link is given up."""


def name_rules(config: Config, hints: Mapping[str, str] | None = None) -> names.Rules:
    """Return the rules that say whose a channel is; `hints` are what the PBX itself told."""
    given = config.extensions
    return names.Rules(
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
    )


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


def resolver(config: Config, pbx: Pbx) -> Resolver:
    """Return what finds the call of a press."""
    wait = config.press.wait_known
    return Resolver(pbx, config.agents, config.extensions.variable, wait)


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
        settings = recorder_settings(loaded, name, kind.Settings)
        made[name] = kind.build(name, settings, pbx)
    return made


def site(loaded: Loaded, made: Mapping[str, Recorder]) -> Site:
    """Return what the engine needs to know of the site."""
    config = loaded.config
    rules = tuple(
        Rule(config.routed(rule), rule.trunk, rule.extension) for rule in config.routes.rule
    )
    return Site(
        recorders=made,
        router=Router(tuple(made), config.routed(), rules),
        optional=frozenset(name for name, given in config.recorders.items() if given.role == "may"),
        budget=config.press.budget,
    )
