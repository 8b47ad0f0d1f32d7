# SPDX-License-Identifier: Apache-2.0
"""The sections about how people learn an outcome: sounds, late tones, lamps, desktops.

Times are in seconds, as in `offrecord.config.schema`.
"""

from typing import Literal

from pydantic import Field, model_validator

from bridges.model import Outcome
from offrecord.base.addresses import Address, split
from offrecord.base.secrets import Secret
from offrecord.config.fields import AnyPath, Seconds, Section, Text
from offrecord.model.outcome_codes import REMINDER, SETS

Sounds = tuple[Text, ...]


class SoundsConfig(Section):
    """`[sounds]`: the sounds of each outcome, in order; an empty list is silence."""

    set: Literal["stock", "offrecord"] = Field(
        default="stock",
        description="stock for the PBX's own beeps, offrecord for prompts copied there",
    )
    confirmed: Sounds | None = Field(default=None, description="a list of sound names")
    accepted: Sounds | None = Field(default=None, description="a list of sound names")
    contained: Sounds | None = Field(default=None, description="a list of sound names")
    nothing_to_stop: Sounds | None = Field(default=None, description="a list of sound names")
    denied: Sounds | None = Field(default=None, description="a list of sound names")
    call_ended: Sounds | None = Field(default=None, description="a list of sound names")
    failed: Sounds | None = Field(default=None, description="a list of sound names")
    reminder: Sounds = Field(
        default=REMINDER, description="the same, whispered when a pause is about to end"
    )

    def by_outcome(self) -> dict[Outcome, tuple[str, ...]]:
        """Return the sounds by outcome: the given ones, else those of the set."""
        given = {outcome: getattr(self, outcome.value) for outcome in Outcome}
        named = SETS[self.set]
        return {o: named[o] if sounds is None else sounds for o, sounds in given.items()}


class TellConfig(Section):
    """`[tell]`: late tones, lamps, and verdicts for agents' desktops."""

    lamp: bool = Field(
        default=True, description="false to leave the agents' lamps (`Custom:offrecord-…`) alone"
    )
    whisper: bool = Field(
        default=False,
        description="true to play late tones to the presser; the account needs write = originate",
    )
    event: bool = Field(
        default=False,
        description="true to raise a `UserEvent` for each verdict; the account needs write = user",
    )
    webhook: Text | None = Field(
        default=None, description="the address that each verdict is posted to, as JSON"
    )
    webhook_secret: Secret | None = Field(
        default=None, description='what posts are signed with, as { file = "…" } or { env = "…" }'
    )
    webhook_ca_file: AnyPath | None = Field(
        default=None, description="the PEM file of the authority that signed the certificate there"
    )
    webhook_timeout: Seconds = Field(
        default=5.0, description="seconds that the address has to answer one post"
    )
    webhook_plain_http: bool = Field(
        default=False, description="true to post in the clear to another machine"
    )

    @model_validator(mode="after")
    def _webhook_is_whole(self) -> "TellConfig":
        if (self.webhook is None) != (self.webhook_secret is None):
            raise ValueError("`webhook` and `webhook_secret` go together: give both or none")
        if self.webhook is not None:
            split(self.webhook, plain_http=self.webhook_plain_http)
        return self

    @property
    def address(self) -> Address | None:
        """The parsed address of the webhook, None without one."""
        if self.webhook is None:
            return None
        return split(self.webhook, plain_http=self.webhook_plain_http)
