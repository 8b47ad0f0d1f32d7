# SPDX-License-Identifier: Apache-2.0
"""The whole configuration as one frozen model; `sections/` has the model of each section.

Times are in seconds. A field's description becomes the end of the error message about it: it is
written for the administrator who made the mistake.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from pydantic import Field

from offrecord.config.fields import Frozen, Section, Text
from offrecord.config.sections.daemon import LogConfig, ShutdownConfig, SocketConfig
from offrecord.config.sections.enforcement import PauseConfig, RetryConfig
from offrecord.config.sections.http import ApiConfig, HttpConfig
from offrecord.config.sections.journal import AuditConfig, JournalConfig
from offrecord.config.sections.notify import SoundsConfig, TellConfig
from offrecord.config.sections.pbx import (
    AgentLookupConfig,
    AgiConfig,
    AmiConfig,
    AriConfig,
    ExtensionsConfig,
    KeypadConfig,
    UserEventConfig,
)
from offrecord.config.sections.policy import PolicyConfig
from offrecord.config.sections.press import PressConfig
from offrecord.config.sections.reconcile import ReconcileConfig
from offrecord.config.sections.recorders import (
    RecorderConfig,
    RouteRule,
    RoutesConfig,
    TapsConfig,
)
from offrecord.config.sections.witness import WitnessConfig


class Config(Section):
    """The whole configuration."""

    ami: AmiConfig = Field(description="[ami] with at least `username` and `secret`")
    ari: AriConfig = Field(default_factory=AriConfig)
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
    witness: WitnessConfig = Field(default_factory=WitnessConfig)
    audit: AuditConfig = Field(default_factory=AuditConfig)
    shutdown: ShutdownConfig = Field(default_factory=ShutdownConfig)
    recorders: Annotated[Mapping[str, RecorderConfig], Frozen] = Field(
        default_factory=lambda: MappingProxyType({}),
        description="tables written as [recorders.NAME]",
    )
    routes: RoutesConfig = Field(default_factory=RoutesConfig)
    taps: TapsConfig = Field(default_factory=TapsConfig)

    def routed(self, rule: RouteRule | None = None) -> tuple[str, ...]:
        """Return the enabled recorders of a rule, or of the default route when `rule` is None."""
        names = rule.recorders if rule else self.routes.default
        enabled = tuple(name for name, recorder in self.recorders.items() if recorder.enabled)
        return enabled if names is None else tuple(name for name in names if name in enabled)
