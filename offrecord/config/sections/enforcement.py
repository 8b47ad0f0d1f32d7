# SPDX-License-Identifier: Apache-2.0
"""The sections about the time after a press: how pauses end, recorders that do not obey.

Times are in seconds, as in `offrecord.config.schema`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from offrecord.config.fields import Frozen, Seconds, Section, Text
from offrecord.model.outcome_codes import is_sound
from offrecord.model.policy_terms import AtEnd

MUTE = "mute"
"""The fallback that mutes Asterisk's own recordings of the call."""

HOLD = "hold_music"
"""The fallback that mutes everybody on the call and plays music to the others."""

RECORDER = "recorder:"
"""The prefix of a fallback that gives the order to another recorder; its name follows."""


class PauseConfig(Section):
    """`[pause]`: how long a pause lasts, and what happens at its end."""

    ttl: Seconds = Field(default=180.0, description="seconds that a pause lasts")
    queues: Annotated[Mapping[str, Seconds], Frozen] = Field(
        default_factory=lambda: MappingProxyType({}),
        description='shell patterns of queues and the seconds of a pause there, as "sales-*" = 60',
    )
    trunks: Annotated[Mapping[str, Seconds], Frozen] = Field(
        default_factory=lambda: MappingProxyType({}),
        description='the same by trunk, for calls that no queue pattern fits, as "bank-*" = 300',
    )
    reminder: float = Field(
        default=20.0, ge=0, le=3600, description="seconds (0 for none) before its end to remind"
    )
    extension: float = Field(
        default=180.0,
        ge=0,
        le=3600,
        description="seconds (0 for none) that a second press adds, once",
    )
    maximum: Seconds = Field(
        default=600.0, description="seconds after which a pause ends whatever was pressed"
    )
    at_end: AtEnd = Field(default="resume", description="resume or stay_paused_and_alarm")

    @model_validator(mode="after")
    def _within_the_maximum(self) -> "PauseConfig":
        for seconds in (self.ttl, *self.queues.values(), *self.trunks.values()):
            if seconds > self.maximum:
                raise ValueError(f"a pause of {seconds:g} s is longer than `maximum` allows")
        return self


class RetryConfig(Section):
    """`[retry]`: what is done when a recorder does not obey a stop or a pause."""

    fallback: tuple[Text, ...] = Field(
        default=(),
        description='a list of "mute", "hold_music" and "recorder:NAME", tried in that order',
    )
    hold_sounds: tuple[Text, ...] = Field(
        default=(),
        description='the music of hold_music, as "/usr/share/asterisk/moh/macroform-cold_day"',
    )
    hold_longest: Seconds = Field(
        default=60.0, description="seconds after which a held call is joined again at the latest"
    )

    @field_validator("fallback")
    @classmethod
    def _known_ways(cls, ways: tuple[str, ...]) -> tuple[str, ...]:
        for way in ways:
            named = way.startswith(RECORDER) and way != RECORDER
            if way not in {MUTE, HOLD} and not named:
                known = '"mute", "hold_music" or "recorder:NAME"'
                raise ValueError(f"{way!r} is no way out: use {known}")
        return ways

    @model_validator(mode="after")
    def _music_is_known(self) -> "RetryConfig":
        if self.holds and not self.hold_sounds:
            raise ValueError("hold_music needs `hold_sounds`: name what is to be played")
        for sound in self.hold_sounds:
            if not is_sound(sound):
                raise ValueError(f"{sound!r} is no plain name of a sound, without its extension")
        return self

    @property
    def holds(self) -> bool:
        """Whether `hold_music` is a fallback."""
        return HOLD in self.fallback

    @property
    def recorders(self) -> tuple[str, ...]:
        """The recorders that are named as fallbacks."""
        return tuple(w.removeprefix(RECORDER) for w in self.fallback if w.startswith(RECORDER))
