# SPDX-License-Identifier: Apache-2.0
"""The section about the check of recordings after a call."""

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, field_validator

from offrecord.config.fields import AnyPath, Section, Text

_DAY = 86_400


def _is_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"no time zone is called {value!r}") from None
    return value


class ReconcileConfig(Section):
    """`[reconcile]`: compare recordings with the silent windows after the call."""

    enabled: bool = Field(default=True, description="false to check nothing after a call")
    monitor_folder: AnyPath | None = Field(
        default=None,
        description="Asterisk's monitor folder as this machine sees it; without it no file is read",
    )
    threshold: float = Field(
        default=-60.0,
        ge=-90,
        le=-10,
        description="decibels below full scale (-90 to -10) from which on something is sound",
    )
    tolerance: float = Field(
        default=0.3, ge=0.1, le=5, description="seconds (0.1 to 5) that a local file may be late"
    )
    leg_tolerance: float = Field(
        default=2.0,
        ge=0,
        le=60,
        description="seconds (0 to 60) that a vendor's recording may reach into a window",
    )
    delays: tuple[float, ...] = Field(
        default=(5.0, 60.0, 300.0),
        description="seconds after the end of a call at which it is checked, such as [5, 60, 300]",
    )
    time_zone: Annotated[Text, AfterValidator(_is_zone)] | None = Field(
        default=None,
        description="the zone of vendors' local times, such as Australia/Melbourne; "
        "without it that of this machine",
    )

    @field_validator("delays")
    @classmethod
    def _rise(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not value or sorted(set(value)) != [*value] or not 0 <= value[0] <= value[-1] <= _DAY:
            raise ValueError("one or more numbers of seconds are needed, each more than the last")
        return value

    @property
    def level(self) -> float:
        """The threshold as a fraction of full scale, 0 to 1."""
        return float(10 ** (self.threshold / 20))
