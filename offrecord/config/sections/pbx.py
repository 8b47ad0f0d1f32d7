# SPDX-License-Identifier: Apache-2.0
"""The sections of the configuration about the ways in: what is listened to, and the PBX's link.

Times are in seconds, as in `offrecord.config.schema`.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from bridges.model import Verb
from offrecord.base.secrets import Secret
from offrecord.config.fields import (
    AnyPath,
    Frozen,
    ListenPort,
    Octal,
    Port,
    Seconds,
    Section,
    Text,
    is_loopback,
)

OWN_EVENT = "offrecord-verdict"
"""The user event that tells of a verdict; it must never be taken for a press."""


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
