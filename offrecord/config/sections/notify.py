# SPDX-License-Identifier: Apache-2.0
"""The section of the configuration about what the person is told beside the tone in line.

Times are in seconds, as in `offrecord.config.schema`.
"""

from pydantic import Field, model_validator

from offrecord.base.addresses import Address, split
from offrecord.base.secrets import Secret
from offrecord.config.fields import AnyPath, Seconds, Section, Text


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
        """Where verdicts are posted to, if anywhere."""
        if self.webhook is None:
            return None
        return split(self.webhook, plain_http=self.webhook_plain_http)
