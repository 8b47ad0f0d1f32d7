# SPDX-License-Identifier: Apache-2.0
"""The section about who may press."""

from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field, model_validator

from bridges.model import Verb
from offrecord.config.fields import Section, Text
from offrecord.model.policy_terms import KEYS, Allow, Kind, ResumeBy

_WILD = frozenset("*?[")
_Item = TypeVar("_Item")


def _some(items: tuple[_Item, ...]) -> tuple[_Item, ...]:
    if not items:
        raise ValueError("this list is empty")
    return items


class PolicyRule(Section):
    """`[[policy.rule]]`: what people may do on calls that match every given key."""

    queue: Text | None = Field(
        default=None, description="a shell pattern of queues, as `support-*`"
    )
    trunk: Text | None = Field(
        default=None, description="a shell pattern of trunk endpoints, as `my-*`"
    )
    agent: Text | None = Field(
        default=None, description="a shell pattern of logins of who presses, as `fred`"
    )
    extension: Text | None = Field(
        default=None, description="a shell pattern of extensions that press, as `4??`"
    )
    verb: Annotated[tuple[Verb, ...], AfterValidator(_some)] | None = Field(
        default=None, description='a list of verbs, as ["stop", "objection"]; all without it'
    )
    ways: Annotated[tuple[Kind, ...], AfterValidator(_some)] = Field(
        default=("phone",), description='a list of "phone", "cli" and "http"'
    )
    allow: Allow = Field(description="allow, pause_only or deny")
    allow_trunk: bool = Field(
        default=False, description="true to let the trunk that `trunk` names in full press itself"
    )
    why: Text | None = Field(
        default=None, description="the reason, as a sentence for the person who is refused"
    )

    @model_validator(mode="after")
    def _means_something(self) -> "PolicyRule":
        given = [*(getattr(self, key) for key in KEYS), self.verb]
        if all(value is None for value in given) and self.ways == ("phone",):
            raise ValueError(
                f"this rule fits every press: add one of {', '.join(KEYS)}, verb, ways;"
                ' if every phone is meant, add `extension = "*"`'
            )
        if self.allow is Allow.PAUSE_ONLY and self.verb is not None:
            raise ValueError(
                "`pause_only` says itself which verbs are left: remove `verb`,"
                " or write `allow` or `deny`"
            )
        if self.why is not None and self.allow is Allow.ALLOW:
            raise ValueError("`why` is told to those who are refused: remove it, nobody is")
        return self

    @model_validator(mode="after")
    def _names_its_trunk(self) -> "PolicyRule":
        if not self.allow_trunk:
            return self
        if self.trunk is None or _WILD & set(self.trunk):
            raise ValueError("`allow_trunk` is for one trunk: give `trunk` its full name, no * ? [")
        if self.allow is Allow.DENY:
            raise ValueError('`allow_trunk` and `allow = "deny"` contradict: remove one of them')
        if self.extension is not None:
            raise ValueError("a trunk is no extension: remove `extension` or `allow_trunk`")
        if "phone" not in self.ways:
            raise ValueError('`allow_trunk` is about phones: add "phone" to `ways` or remove it')
        return self


class PolicyConfig(Section):
    """`[policy]`: who may do what. Without it every extension may do everything."""

    freepbx: bool = Field(default=False, description="true when FreePBX's recording settings count")
    resume_by: ResumeBy = Field(
        default="anyone",
        description="who may turn on again what somebody silenced: anyone or same_person",
    )
    max_per_call: int = Field(
        default=10, ge=0, description="presses on one call before it is reported, 0 for no limit"
    )
    max_per_agent_hour: int = Field(
        default=60,
        ge=0,
        description="presses of one person in an hour before it is reported, 0 for no limit",
    )
    rule: tuple[PolicyRule, ...] = Field(
        default=(), description="tables written as [[policy.rule]]"
    )
