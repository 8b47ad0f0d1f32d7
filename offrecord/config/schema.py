# SPDX-License-Identifier: Apache-2.0
"""The sections of the configuration: frozen models, their defaults, and what each key means.

Times are in seconds. A field's description ends the error message about it, so it is written
to be read by the administrator who made the mistake.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from ami.calls.names import PATTERN
from bridges.model import Outcome
from offrecord.config.fields import (
    AnyPath,
    Frozen,
    Pattern,
    Seconds,
    Section,
    Text,
)
from offrecord.config.sections.audit import AuditConfig
from offrecord.config.sections.enforcement import PauseConfig, RetryConfig
from offrecord.config.sections.http import ApiConfig, HttpConfig
from offrecord.config.sections.notify import TellConfig
from offrecord.config.sections.pbx import (
    AgiConfig,
    AmiConfig,
    KeypadConfig,
    SocketConfig,
    UserEventConfig,
)
from offrecord.config.sections.policy import PolicyConfig
from offrecord.config.sections.reconcile import ReconcileConfig
from offrecord.model.outcome_codes import REMINDER, SETS


class PressConfig(Section):
    """`[press]`: how long a press may take, and what counts as the same press."""

    join_window: float = Field(
        default=3.0, ge=0, le=60, description="seconds (0 to 60) within which two presses are one"
    )
    budget: Seconds = Field(
        default=5.0, description="seconds that the recorders have, retries included"
    )
    wait_known: float = Field(
        default=3.0,
        ge=0,
        le=60,
        description="seconds (0 to 60) to wait for a view of the PBX's calls",
    )


class ExtensionsConfig(Section):
    """`[extensions]`: how a channel's endpoint is turned into an extension."""

    pattern: Pattern = Field(
        default=PATTERN, description="a regular expression that the whole extension must match"
    )
    map: Annotated[Mapping[str, Text], Frozen] = Field(
        default_factory=lambda: MappingProxyType({}),
        description='devices and their extension, such as "PJSIP/desk-7" = "410"',
    )
    trunks: tuple[Text, ...] = Field(
        default=(), description='the endpoints that are trunks, such as ["my-trunk"]'
    )
    variable: Text = Field(
        default="OFFRECORD_EXTENSION", description="the channel variable that names the extension"
    )


class AgentLookupConfig(Section):
    """`[agent_lookup]`: where the logins are found of those whom `[agents]` does not name."""

    file: AnyPath | None = Field(
        default=None, description="a file of lines `extension,login`, read again when it changes"
    )
    astdb: Text | None = Field(
        default=None, description="a family of the PBX's database, as `offrecord/agent`"
    )
    queue_members: bool = Field(
        default=False, description="true when the names of queue members are logins"
    )


class JournalConfig(Section):
    """`[journal]`: where presses are written down."""

    path: AnyPath = Field(
        default=Path("/var/lib/offrecord/journal.sqlite3"),
        description="the path of the journal's file",
    )


class LogConfig(Section):
    """`[log]`: what is said on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="debug, info, warning or error"
    )
    format: Literal["auto", "console", "json"] = Field(
        default="auto", description="console, json, or auto: console on a terminal, else json"
    )


Sounds = tuple[Text, ...]


class SoundsConfig(Section):
    """`[sounds]`: the sounds of each outcome, in order; an empty list is silence."""

    set: Literal["stock", "offrecord"] = Field(
        default="stock",
        description="stock for the PBX's own beeps, offrecord for prompts copied there",
    )
    confirmed: Sounds | None = Field(default=None, description="a list of sound names")
    accepted: Sounds | None = Field(default=None, description="a list of sound names")
    contained: Sounds | None = Field(default=None, description="a list of sound names")
    nothing_to_stop: Sounds | None = Field(default=None, description="a list of sound names")
    denied: Sounds | None = Field(default=None, description="a list of sound names")
    call_ended: Sounds | None = Field(default=None, description="a list of sound names")
    failed: Sounds | None = Field(default=None, description="a list of sound names")
    reminder: Sounds = Field(
        default=REMINDER, description="the same, whispered when a pause is about to end"
    )

    def by_outcome(self) -> dict[Outcome, tuple[str, ...]]:
        """Return the sounds keyed by outcome: those that were given, else those of the set."""
        given = {outcome: getattr(self, outcome.value) for outcome in Outcome}
        named = SETS[self.set]
        return {o: named[o] if sounds is None else sounds for o, sounds in given.items()}


class ShutdownConfig(Section):
    """`[shutdown]`: how the daemon stops."""

    grace: Seconds = Field(default=5.0, description="seconds that presses under way have to end")


class RecorderConfig(Section):
    """`[recorders.NAME]`: one system that records. What its kind asks for lands in `options`."""

    kind: Text = Field(description="the kind of recorder, such as mixmonitor or noojee")
    enabled: bool = Field(default=True, description="false to leave this recorder alone")
    role: Literal["must", "may"] = Field(
        default="must", description="must when its failure fails the press, else may"
    )
    options: Annotated[Mapping[str, Any], Frozen] = Field(
        default_factory=lambda: MappingProxyType({}), description="the keys of the recorder's kind"
    )

    @model_validator(mode="before")
    @classmethod
    def _own_keys_apart(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        own = {key: value[key] for key in ("kind", "enabled", "role") if key in value}
        rest = {key: item for key, item in value.items() if key not in own}
        return own | {"options": rest}


ROUTE_KEYS: Final = ("trunk", "did", "queue", "agent", "extension")
"""The keys of a route's rule that hold a shell pattern; `bridges.routing.KEYS` are the same."""


class RouteRule(Section):
    """`[[routes.rule]]`: recorders of the calls that match all of the given patterns."""

    trunk: Text | None = Field(
        default=None, description="a shell pattern of trunk endpoints, as `my-*`"
    )
    did: Text | None = Field(
        default=None, description="a shell pattern of numbers dialled from outside, as `0455*`"
    )
    queue: Text | None = Field(
        default=None, description="a shell pattern of queues, as `support-*`"
    )
    agent: Text | None = Field(
        default=None, description="a shell pattern of logins of who pressed, as `fred`"
    )
    extension: Text | None = Field(
        default=None, description="a shell pattern of extensions, as `4??`"
    )
    recorders: tuple[Text, ...] = Field(min_length=1, description="a list of recorder names")
    pause_ttl: Seconds | None = Field(
        default=None, description="seconds that a pause lasts on calls that this rule matches"
    )

    @model_validator(mode="after")
    def _matches_something(self) -> "RouteRule":
        if not self.patterns:
            raise ValueError(f"this rule matches nothing: add one of {', '.join(ROUTE_KEYS)}")
        return self

    @property
    def patterns(self) -> dict[str, str]:
        """The patterns that are given, by key."""
        given = {key: getattr(self, key) for key in ROUTE_KEYS}
        return {key: pattern for key, pattern in given.items() if pattern is not None}


class RoutesConfig(Section):
    """`[routes]`: which recorders hold a call. Without a default every enabled recorder does."""

    default: Annotated[tuple[Text, ...], Field(min_length=1)] | None = Field(
        default=None, description="a list of recorder names, for calls that no rule matches"
    )
    rule: tuple[RouteRule, ...] = Field(default=(), description="tables written as [[routes.rule]]")


class Config(Section):
    """The whole configuration."""

    ami: AmiConfig = Field(description="[ami] with at least `username` and `secret`")
    agi: AgiConfig = Field(default_factory=AgiConfig)
    http: HttpConfig = Field(default_factory=HttpConfig)
    api: ApiConfig = Field(default_factory=ApiConfig)
    socket: SocketConfig = Field(default_factory=SocketConfig)
    keypad: KeypadConfig = Field(default_factory=KeypadConfig)
    user_event: UserEventConfig = Field(default_factory=UserEventConfig)
    press: PressConfig = Field(default_factory=PressConfig)
    policy: PolicyConfig = Field(default_factory=PolicyConfig)
    pause: PauseConfig = Field(default_factory=PauseConfig)
    retry: RetryConfig = Field(default_factory=RetryConfig)
    extensions: ExtensionsConfig = Field(default_factory=ExtensionsConfig)
    agents: Annotated[Mapping[str, Text], Frozen] = Field(
        default_factory=lambda: MappingProxyType({}),
        description='extensions and their agent\'s login, such as "410" = "s.tanaka"',
    )
    agent_lookup: AgentLookupConfig = Field(default_factory=AgentLookupConfig)
    journal: JournalConfig = Field(default_factory=JournalConfig)
    log: LogConfig = Field(default_factory=LogConfig)
    sounds: SoundsConfig = Field(default_factory=SoundsConfig)
    tell: TellConfig = Field(default_factory=TellConfig)
    reconcile: ReconcileConfig = Field(default_factory=ReconcileConfig)
    audit: AuditConfig = Field(default_factory=AuditConfig)
    shutdown: ShutdownConfig = Field(default_factory=ShutdownConfig)
    recorders: Annotated[Mapping[str, RecorderConfig], Frozen] = Field(
        default_factory=lambda: MappingProxyType({}),
        description="tables written as [recorders.NAME]",
    )
    routes: RoutesConfig = Field(default_factory=RoutesConfig)

    def routed(self, rule: RouteRule | None = None) -> tuple[str, ...]:
        """Return the enabled recorders of a rule, or of the default route without one."""
        names = rule.recorders if rule else self.routes.default
        enabled = tuple(name for name, recorder in self.recorders.items() if recorder.enabled)
        return enabled if names is None else tuple(name for name in names if name in enabled)
