# SPDX-License-Identifier: Apache-2.0
"""Redacts the part of the configuration that a replay needs, and reads it back.

That is: which extension a channel belongs to, which codes and events are presses, who may press,
which recorders a call has, how long pauses last. Left out are addresses, accounts, secrets, and
everything about recorders but their kind and role.
"""

import re
import tomllib
from collections.abc import Mapping
from typing import Any, Final

from tomlkit import dumps

from ami.calls import channel_names
from bridges.registry import kind_now
from bridges.routing import KEYS
from offrecord.ami_capture.header_kinds import HeaderRedactor
from offrecord.ami_capture.redact import Redactor
from offrecord.base.errors import Exit, UserError
from offrecord.config import Config
from offrecord.presses.agent_lookup import Agents

KINDS: Final = frozenset({"asterisk", "noojee", "voipnow", "imagicle", "genesys"})
"""The kinds of recorders in this repository; the name of another one may identify a customer."""

_RULE_KINDS: Final = {
    "trunk": "device", "did": "text", "queue": "queue", "agent": "login", "extension": "text",
}  # fmt: skip
"""The kind of word, for the `Redactor`, that each pattern of a rule matches."""

_PLAIN_RULE: Final = re.compile(r"(?:\\d|[0-9+*#\[\]{}(),?.|^$-])*")
_LONG: Final = re.compile(r"(?<== )[0-9]{4,}")

_PAUSE: Final = ("ttl", "reminder", "extension", "maximum", "at_end")

_SECTIONS: Final[Mapping[str, frozenset[str]]] = {
    "press": frozenset({"join_window", "budget", "wait_known"}),
    "keypad": frozenset({"enabled", "codes", "digit_timeout"}),
    "user_event": frozenset({"enabled"}),
    "extensions": frozenset({"pattern", "map", "trunks"}),
    "agent_lookup": frozenset({"astdb", "queue_members"}),
    "policy": frozenset({"freepbx", "resume_by", "max_per_call", "max_per_agent_hour", "rule"}),
    "pause": frozenset({*_PAUSE, "queues", "trunks"}),
    "routes": frozenset({"default", "rule"}),
}
"""The keys in a capture; the keys of `agents` and `recorders` are the site's own."""


def patterns(config: Config) -> list[str]:
    """Return every shell pattern of the configuration that a replay needs."""
    rules = [*config.routes.rule, *config.policy.rule]
    found = [getattr(rule, key, None) for rule in rules for key in KEYS]
    return [*filter(None, found), *config.pause.queues, *config.pause.trunks]


def recorder_names(config: Config) -> dict[str, str]:
    """Return the replacement of each recorder's name: its kind and a count."""
    made: dict[str, str] = {}
    for name, recorder in config.recorders.items():
        kind = kind_now(recorder.kind)
        kind = kind if kind in KINDS else "other"
        count = sum(one.startswith(f"{kind}-") for one in made.values()) + 1
        made[name] = f"{kind}-{count}"
    return made


def redacted(
    config: Config,
    headers: HeaderRedactor,
    redactor: Redactor,
    rules: channel_names.Rules,
    agents: Agents,
) -> str:
    """Return the configuration as TOML, for the channels that `headers` has seen.

    `rules`: how channel names become extensions, with the PBX's hints.
    """

    def fits(pattern: str, key: str) -> str:
        if key == "trunk" and not set(pattern) & set("*?["):
            return headers.endpoint(pattern)
        return redactor.pattern(pattern, _RULE_KINDS[key])

    def rule(one: Any, **more: Any) -> dict[str, Any]:
        given = {key: getattr(one, key, None) for key in KEYS}
        return {**{k: fits(v, k) for k, v in given.items() if v is not None}, **more}

    named, default = recorder_names(config), config.routes.default
    pattern = config.extensions.pattern
    if not _PLAIN_RULE.fullmatch(pattern) or redactor.leaks(pattern):
        pattern = channel_names.PATTERN
    trunks = [headers.device(one) for one in config.extensions.trunks]
    mapped = _mapped(
        headers, redactor, rules, channel_names.Rules(trunks=frozenset(trunks), pattern=pattern)
    )
    tables: dict[str, Any] = {
        "press": config.press.model_dump(),
        "keypad": {
            "enabled": config.keypad.enabled,
            "digit_timeout": config.keypad.digit_timeout,
            "codes": {code: verb.value for code, verb in config.keypad.codes.items()},
        },
        "user_event": {"enabled": config.user_event.enabled},
        "extensions": {
            "pattern": pattern,
            "trunks": [*trunks, *(device for device, owner in mapped.items() if owner is None)],
            "map": {device: owner for device, owner in mapped.items() if owner is not None},
        },
        "agents": _logins(headers, rules, agents),
        "agent_lookup": {"queue_members": config.agent_lookup.queue_members},
        "policy": {
            "freepbx": config.policy.freepbx,
            "resume_by": config.policy.resume_by,
            "max_per_call": config.policy.max_per_call,
            "max_per_agent_hour": config.policy.max_per_agent_hour,
            "rule": [
                rule(
                    one, allow=one.allow.value, ways=list(one.ways), allow_trunk=one.allow_trunk,
                    **({"verb": [verb.value for verb in one.verb]} if one.verb else {}),
                )
                for one in config.policy.rule
            ],
        },
        "pause": {
            **{key: getattr(config.pause, key) for key in _PAUSE},
            "queues": {fits(k, "queue"): v for k, v in config.pause.queues.items()},
            "trunks": {fits(k, "trunk"): v for k, v in config.pause.trunks.items()},
        },
        "recorders": {
            named[name]: {
                "kind": kind_now(one.kind) if kind_now(one.kind) in KINDS else "other",
                "enabled": one.enabled, "role": one.role,
            }
            for name, one in config.recorders.items()
        },
        "routes": {
            **({"default": [named[n] for n in default]} if default else {}),
            "rule": [
                rule(one, recorders=[named[name] for name in one.recorders])
                for one in config.routes.rule
            ],
        },
    }  # fmt: skip
    if config.agent_lookup.astdb:
        tables["agent_lookup"]["astdb"] = redactor.word("family", config.agent_lookup.astdb)
    return _LONG.sub(lambda digits: f"{int(digits[0]):_}", dumps(tables))


def _mapped(
    headers: HeaderRedactor,
    redactor: Redactor,
    rules: channel_names.Rules,
    redacted_rules: channel_names.Rules,
) -> dict[str, str | None]:
    """Return the devices whose extension the redacted rules would not find without a map."""
    found: dict[str, str | None] = {}
    for name, made in headers.devices.items():
        owner = channel_names.extension(name, rules)
        wanted = redactor.number(owner, "extension") if owner else None
        if channel_names.extension(made, redacted_rules) != wanted:
            found[channel_names.parse(made).device] = wanted
    return found


def _logins(headers: HeaderRedactor, rules: channel_names.Rules, agents: Agents) -> dict[str, str]:
    """Return the redacted logins of the extensions that were seen, by extension."""
    owners = {channel_names.extension(name, rules) for name in headers.devices}
    logins = {owner: agents.known(owner).login for owner in sorted(filter(None, owners))}
    return {headers.number(owner): headers.login(one) for owner, one in logins.items() if one}


def tables(text: str) -> dict[str, Any]:
    """Return the configuration in a capture file, if it has only the keys that are allowed there.

    The file is not trusted: keys that could name a file or an address are refused. Raises
    UserError.
    """
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise _strange(f"it is no TOML: {problem}") from problem
    for name, table in found.items():
        if not isinstance(table, dict):
            raise _strange(f"{name!r} is no section")
        if name == "recorders":
            for one in table.values():
                if not isinstance(one, dict) or not one.keys() <= {"kind", "enabled", "role"}:
                    raise _strange("a recorder has more than a kind and a role")
        elif name != "agents" and not table.keys() <= _SECTIONS.get(name, frozenset()):
            raise _strange(f"[{name}] holds what no capture does")
    return found


def _strange(what: str) -> UserError:
    return UserError(
        f"the configuration in the capture cannot be used: {what}",
        "have it captured again by `offrecord record`",
        Exit.USAGE,
    )
