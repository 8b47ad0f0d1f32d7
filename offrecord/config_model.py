# SPDX-License-Identifier: Apache-2.0
"""The sections of the configuration: frozen models, their defaults, and what each key means.

Times are in seconds. A field's description ends the error message about it, so it is written
to be read by the administrator who made the mistake.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from ami.names import PATTERN
from bridges.model import Outcome, Verb
from bridges.routing import KEYS
from offrecord.config_types import (
    AnyPath,
    Frozen,
    ListenPort,
    Octal,
    Pattern,
    Port,
    Seconds,
    Section,
    Text,
    is_loopback,
)
from offrecord.feedback import SOUNDS
from offrecord.secrets import Secret


class AmiConfig(Section):
    """`[ami]`: the link to the PBX's manager interface."""

    host: Text = Field(default="127.0.0.1", description="the PBX's host name or address")
    port: Port = Field(
        default=5038, description="the port of manager.conf, usually 5038, or 5039 for TLS"
    )
    username: Text = Field(description="the section name of the user in manager.conf")
    secret: Secret = Field(description='the user\'s secret, as { file = "…" } or { env = "…" }')
    tls: bool = Field(default=False, description="true when the port speaks TLS, else false")
    ca_file: AnyPath | None = Field(
        default=None, description="the PEM file of the authority that signed the PBX's certificate"
    )
    server_name: Text | None = Field(
        default=None, description="the name in the PBX's certificate, when it is not `host`"
    )
    allow_plain_tcp: bool = Field(
        default=False, description="true to send the secret in the clear to another machine"
    )
    ping_interval: Seconds = Field(default=5.0, description="seconds between two pings of the PBX")
    action_timeout: Seconds = Field(
        default=1.0, description="seconds that the PBX has to answer an action"
    )

    @model_validator(mode="after")
    def _secret_stays_private(self) -> "AmiConfig":
        if not self.tls:
            for key in ("ca_file", "server_name"):
                if getattr(self, key) is not None:
                    raise ValueError(f"`{key}` is used by TLS only: set `tls = true` or remove it")
        if not (self.tls or self.allow_plain_tcp or is_loopback(self.host)):
            raise ValueError(
                f"the secret would go to {self.host} in the clear: "
                "set `tls = true`, or accept it by `allow_plain_tcp = true`"
            )
        return self


class AgiConfig(Section):
    """`[agi]`: the FastAGI server that the dialplan calls."""

    host: Text = Field(default="127.0.0.1", description="the address to listen on")
    port: ListenPort = Field(default=4573, description="the port to listen on, 4573 by custom")
    wait: float = Field(
        default=0.7,
        ge=0,
        le=5,
        description="seconds (0 to 5) to wait for the verdict while the presser hears nothing",
    )
    interim_sound: Text | None = Field(
        default=None, description="the sound played when the verdict is not there in time"
    )


class HttpConfig(Section):
    """`[http]`: the address where vendors report what they know of a call."""

    enabled: bool = Field(default=False, description="true to listen for reports of vendors")
    host: Text = Field(default="127.0.0.1", description="the address to listen on")
    port: ListenPort = Field(default=8473, description="the port to listen on")
    certificate: AnyPath | None = Field(
        default=None, description="the PEM file of the certificate to serve HTTPS with"
    )
    key: AnyPath | None = Field(default=None, description="the PEM file of the certificate's key")
    allow_plain_http: bool = Field(
        default=False, description="true to be spoken to in the clear from other machines"
    )

    @model_validator(mode="after")
    def _tokens_stay_private(self) -> "HttpConfig":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("`certificate` and `key` go together: give both or none")
        if not (self.certificate or self.allow_plain_http or is_loopback(self.host)):
            raise ValueError(
                f"vendors would send their tokens to {self.host} in the clear: give `certificate`"
                " and `key`, or accept it by `allow_plain_http = true`"
            )
        return self


class SocketConfig(Section):
    """`[socket]`: the control socket for the command line and the one-shot script."""

    path: AnyPath = Field(
        default=Path("/run/offrecord/offrecord.sock"), description="the path of the Unix socket"
    )
    mode: Annotated[int, Octal] = Field(
        default=0o660, description='who may use the socket, as an octal text such as "0660"'
    )
    group: Text | None = Field(
        default=None, description="the group that owns the socket, such as asterisk"
    )

    @field_validator("mode")
    @classmethod
    def _not_for_everyone(cls, mode: int) -> int:
        if not 0 <= mode <= 0o777:
            raise ValueError("this is not an octal mode")
        if mode & 0o007:
            raise ValueError("everyone on the machine could stop recordings")
        if mode & 0o600 != 0o600:
            raise ValueError("the daemon itself could not use the socket")
        return mode

    @field_validator("path")
    @classmethod
    def _fits_an_address(cls, path: Path) -> Path:
        if len(str(path).encode()) > 100:
            raise ValueError("a socket's path has 100 bytes at most")
        return path


class KeypadConfig(Section):
    """`[keypad]`: codes taken from the digits that the PBX reports (AMI `DTMFEnd`)."""

    enabled: bool = Field(default=False, description="true to watch the digits of live calls")
    codes: Annotated[Mapping[str, Verb], Frozen] = Field(
        default_factory=lambda: MappingProxyType(
            {"*1": Verb.STOP, "*2": Verb.PAUSE, "*3": Verb.RESUME}
        ),
        description='digits and their verb, such as "*1" = "stop"',
    )
    digit_timeout: Seconds = Field(default=2.0, description="seconds allowed between two digits")

    @field_validator("codes")
    @classmethod
    def _can_be_dialled(cls, codes: Mapping[str, Verb]) -> Mapping[str, Verb]:
        for code in codes:
            if not re.fullmatch(r"[0-9*#A-D]{1,8}", code):
                raise ValueError(f"code {code!r} has other signs than 0-9, *, #, A-D, or over 8")
            longer = [c for c in codes if c != code and c.startswith(code)]
            if longer:
                raise ValueError(f"code {longer[0]!r} can never be dialled: {code!r} fires first")
        return codes


class UserEventConfig(Section):
    """`[user_event]`: presses that the dialplan sends by the application `UserEvent`."""

    enabled: bool = Field(default=True, description="false to ignore user events")
    name: Text = Field(
        default="offrecord", description="the name that the dialplan gives its user event"
    )


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

    confirmed: Sounds = Field(
        default=SOUNDS[Outcome.CONFIRMED], description="a list of sound names"
    )
    accepted: Sounds = Field(default=SOUNDS[Outcome.ACCEPTED], description="a list of sound names")
    contained: Sounds = Field(
        default=SOUNDS[Outcome.CONTAINED], description="a list of sound names"
    )
    nothing_to_stop: Sounds = Field(
        default=SOUNDS[Outcome.NOTHING_TO_STOP], description="a list of sound names"
    )
    denied: Sounds = Field(default=SOUNDS[Outcome.DENIED], description="a list of sound names")
    call_ended: Sounds = Field(
        default=SOUNDS[Outcome.CALL_ENDED], description="a list of sound names"
    )
    failed: Sounds = Field(default=SOUNDS[Outcome.FAILED], description="a list of sound names")

    def by_outcome(self) -> dict[Outcome, tuple[str, ...]]:
        """Return the sounds keyed by outcome."""
        return {outcome: getattr(self, outcome.value) for outcome in Outcome}


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

    @model_validator(mode="after")
    def _matches_something(self) -> "RouteRule":
        if all(getattr(self, key) is None for key in KEYS):
            raise ValueError(f"this rule matches nothing: add one of {', '.join(KEYS)}")
        return self


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
    socket: SocketConfig = Field(default_factory=SocketConfig)
    keypad: KeypadConfig = Field(default_factory=KeypadConfig)
    user_event: UserEventConfig = Field(default_factory=UserEventConfig)
    press: PressConfig = Field(default_factory=PressConfig)
    extensions: ExtensionsConfig = Field(default_factory=ExtensionsConfig)
    agents: Annotated[Mapping[str, Text], Frozen] = Field(
        default_factory=lambda: MappingProxyType({}),
        description='extensions and their agent\'s login, such as "410" = "s.tanaka"',
    )
    agent_lookup: AgentLookupConfig = Field(default_factory=AgentLookupConfig)
    journal: JournalConfig = Field(default_factory=JournalConfig)
    log: LogConfig = Field(default_factory=LogConfig)
    sounds: SoundsConfig = Field(default_factory=SoundsConfig)
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
