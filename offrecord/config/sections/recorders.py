# SPDX-License-Identifier: Apache-2.0
"""The sections about recorders, the routes that say which of them hold a call, and taps."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from offrecord.config.fields import Frozen, Seconds, Section, Text


class RecorderConfig(Section):
    """`[recorders.NAME]`: one recorder. The keys of its kind are collected in `options`."""

    kind: Text = Field(description="the kind of recorder, such as asterisk or noojee")
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


class TapsConfig(Section):
    """`[taps]`: who else listens to calls. Whether a listener records cannot be told.

    A stop beside one is `failed`, unless the site answers for it here.
    """

    extensions: tuple[Text, ...] = Field(
        default=(),
        description='shell patterns of extensions whose listening records nothing, as ["490"]',
    )
    contexts: tuple[Text, ...] = Field(
        default=(),
        description='the same by the dialplan\'s context that listens, as ["supervisors"]',
    )
    apps: tuple[Text, ...] = Field(
        default=(), description='the same by application of ARI, as ["voice-bot"]'
    )
    on_stop: Literal["report", "hangup"] = Field(
        default="report",
        description="hangup to end every other listener at a stop or pause, else report",
    )
