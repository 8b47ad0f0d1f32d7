# SPDX-License-Identifier: Apache-2.0
"""The settings of a `voipnow` recorder, as `[recorders.NAME]` holds them. Times are in seconds."""

import re
from typing import Self

from pydantic import Field, model_validator

from bridges.shared.settings import NumberSettings, SecretText, ServerSettings


class VoipNowSettings(NumberSettings, ServerSettings):
    """Settings of a `voipnow` recorder."""

    client_id: str = Field(
        pattern=r"^[!-~]{1,256}$", description="the key of the trusted App registered at VoipNow"
    )
    client_secret: SecretText = Field(
        repr=False, description='the App\'s secret, as { file = "…" } or { env = "…" }'
    )
    user_id: str | None = Field(
        None,
        pattern="^[0-9]{1,20}$",
        description="a user's number, tried after @me and @owner for extensions they do not see",
    )
    client_prefix: str | None = Field(
        None,
        pattern="^[0-9]{1,10}$",
        description="the part before the star of the extensions there, such as 0003 in 0003*210",
    )
    hook_token: SecretText | None = Field(
        None,
        repr=False,
        description="a secret, the last part of the URL to which VoipNow sends its Call Events",
    )
    loose_ids: bool = Field(
        default=False,
        description="true where call ids hold -, : or _ as well as letters and digits",
    )
    read_back: float = Field(
        4.0,
        ge=0,
        le=60,
        description="seconds after an accepted request in which its effect is awaited; 0 for none",
    )
    keep_warm: float = Field(
        20.0,
        ge=0,
        le=3600,
        description="seconds between requests that keep token and connection ready; 0 for none",
    )

    @model_validator(mode="after")
    def _hook_is_a_secret(self) -> Self:
        if self.hook_token is not None:
            token = self.hook_token.reveal()
            if not re.fullmatch(r"[A-Za-z0-9_.~-]{16,128}", token):
                raise ValueError("hook_token needs 16 to 128 letters, digits, or any of - _ . ~")
        return self
