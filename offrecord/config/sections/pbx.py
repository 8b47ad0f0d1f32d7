# SPDX-License-Identifier: Apache-2.0
"""The sections about the PBX: its links by AMI and ARI, the ways in, and whose a channel is.

Times are in seconds, as in `offrecord.config.schema`.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator, model_validator

from ami.calls.channel_names import PATTERN
from bridges.model import Verb
from offrecord.base.secrets import Secret
from offrecord.config.fields import (
    AnyPath,
    Frozen,
    ListenPort,
    Pattern,
    Port,
    Seconds,
    Section,
    Text,
    is_loopback,
)

OWN_EVENT = "offrecord-verdict"
"""The user event that carries a verdict; it must never be taken for a press."""


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


class KeypadConfig(Section):
    """`[keypad]`: codes taken from the digits that the PBX reports (AMI `DTMFEnd`)."""

    enabled: bool = Field(default=False, description="true to watch the digits of live calls")
    codes: Annotated[Mapping[str, Verb], Frozen] = Field(
        default_factory=lambda: MappingProxyType(
            {"*1": Verb.STOP, "*2": Verb.PAUSE, "*3": Verb.RESUME, "*9": Verb.OBJECTION}
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

    @field_validator("name")
    @classmethod
    def _not_our_own(cls, name: str) -> str:
        if name.lower() == OWN_EVENT:
            raise ValueError(f"{OWN_EVENT} is the event that the daemon raises itself")
        return name


class ExtensionsConfig(Section):
    """`[extensions]`: how a channel's endpoint is mapped to an extension."""

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
    """`[agent_lookup]`: where to find the logins of extensions that `[agents]` does not name."""

    file: AnyPath | None = Field(
        default=None, description="a file of lines `extension,login`, read again when it changes"
    )
    astdb: Text | None = Field(
        default=None, description="a family of the PBX's database, as `offrecord/agent`"
    )
    queue_members: bool = Field(
        default=False, description="true when the names of queue members are logins"
    )


def _usable(url: str) -> str:
    # Every command reads the configuration, and hardly any needs an HTTP library.
    import httpx

    from noojee import wire

    try:
        server = str(httpx.URL(url).copy_with(path="/"))
    except httpx.InvalidURL:
        raise ValueError("this is no address; it looks like http://127.0.0.1:8088") from None
    wire.origin(server, plain_http=False)
    return url


class AriConfig(Section):
    """`[ari]`: the account that stops what ARI applications record. Without one it is off."""

    url: Annotated[Text, AfterValidator(_usable)] = Field(
        default="http://127.0.0.1:8088",
        description="the address of the PBX's HTTP server, https to another machine",
    )
    username: Text | None = Field(
        default=None, description="the section name of the user in ari.conf"
    )
    secret: Secret | None = Field(
        default=None, description='the user\'s password, as { file = "…" } or { env = "…" }'
    )
    ca_file: AnyPath | None = Field(
        default=None, description="the PEM file of the authority that signed the PBX's certificate"
    )
    app: Text = Field(
        default="offrecord",
        pattern="^[A-Za-z0-9_.-]{1,64}$",
        description="the name of our application in the PBX, which no other client may use",
    )
    hang_up_recorders: bool = Field(
        default=False,
        description="true to end what ARI records of a bridge by hanging up its channel, by AMI",
    )

    @model_validator(mode="after")
    def _account_is_whole(self) -> "AriConfig":
        if (self.username is None) != (self.secret is None):
            raise ValueError("`username` and `secret` go together: give both or none")
        if self.ca_file is not None and not self.url.startswith("https:"):
            raise ValueError("`ca_file` is used by https only: change `url` or remove it")
        return self
