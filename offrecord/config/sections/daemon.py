# SPDX-License-Identifier: Apache-2.0
"""The sections about the daemon as a process: its control socket, its log, how it stops."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from offrecord.config.fields import AnyPath, Octal, Seconds, Section, Text


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


class LogConfig(Section):
    """`[log]`: what is logged to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="debug, info, warning or error"
    )
    format: Literal["auto", "console", "json"] = Field(
        default="auto", description="console, json, or auto: console on a terminal, else json"
    )


class ShutdownConfig(Section):
    """`[shutdown]`: how the daemon stops."""

    grace: Seconds = Field(default=5.0, description="seconds that presses under way have to end")
