# SPDX-License-Identifier: Apache-2.0
"""The settings of an `imagicle` recorder, as `[recorders.NAME]` holds them; times in seconds."""

from collections.abc import Mapping
from datetime import UTC, tzinfo
from typing import Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, model_validator

from bridges.shared.settings import NumberSettings, SecretText, ServerSettings
from noojee import wire

_MODES: Mapping[str, int] = {"media_forking": 0, "dial_in": 1}


class ImagicleSettings(ServerSettings, NumberSettings):
    """Settings of an `imagicle` recorder."""

    username: str = Field(
        min_length=1,
        pattern="^[^:]+$",
        description="a local user of the suite with Complete Management (level 10)",
    )
    password: SecretText = Field(
        repr=False, description='its password, as { file = "…" } or { env = "…" }'
    )
    nodes: tuple[str, ...] = Field(
        (), description="the addresses of the other nodes, where there are several"
    )
    devices: Mapping[str, str] = Field(
        default_factory=dict,
        description='device names by extension, such as { 410 = "SEP123456789ABC" }',
    )
    time_zone: str = Field(
        "UTC", description="the zone of times that the server tells without one, as Europe/Rome"
    )
    pause_when_unstoppable: bool = Field(
        default=False, description="true to pause a recording that the server refuses to stop"
    )
    start_mode: Literal["media_forking", "dial_in"] = Field(
        "media_forking", description="media_forking or dial_in: how a recording is started"
    )

    @model_validator(mode="after")
    def _usable(self) -> Self:
        origins = [wire.origin(url, plain_http=self.allow_plain_http) for url in self.addresses]
        if len(set(origins)) != len(origins):
            raise ValueError("nodes: an address is there twice")
        if not all(name and extension for extension, name in self.devices.items()):
            raise ValueError("devices: an extension or a device name is empty")
        _ = self.zone
        return self

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses of all nodes, the first one preferred."""
        return (self.url, *self.nodes)

    @property
    def zone(self) -> tzinfo:
        """The zone of naive times. Raises `ValueError` for an unknown one."""
        if self.time_zone == "UTC":
            return UTC
        try:
            return ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, OSError, ValueError):
            raise ValueError(f"time_zone: no zone is called {self.time_zone!r}") from None

    @property
    def mode(self) -> int:
        """The `mode` of a start, as the server counts them."""
        return _MODES[self.start_mode]
