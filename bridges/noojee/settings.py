# SPDX-License-Identifier: Apache-2.0
"""The settings of a `noojee` recorder, as `[recorders.NAME]` holds them. Times are in seconds."""

from typing import Literal, Self

from pydantic import Field, model_validator

from bridges.shared.settings import AbsolutePath, RecorderSettings, SecretText
from noojee import ApiKey, Signed, check_server

TargetRule = Literal["presser", "linkedid", "extension"]
"""Target of a request: the handset's channel, the call's first channel, or the extension."""


class NoojeeSettings(RecorderSettings):
    """Settings of a `noojee` recorder."""

    url: str = Field(description="the server's address, such as https://noojee.example")
    api_key: SecretText = Field(
        repr=False, description='the global API key, as { file = "…" } or { env = "…" }'
    )
    auth: Literal["api_key", "signed"] = Field(
        "api_key", description="api_key, or signed for servers that take a hash"
    )
    target: TargetRule = Field(
        "presser",
        description="presser or linkedid (whose unique id is sent), or extension",
    )
    agent_login: str | None = Field(
        None, min_length=1, description="the Noojee user for presses that name no agent"
    )
    require_agent: bool = Field(
        default=False, description="true to send no stop for which no Noojee user is known"
    )
    ca_file: AbsolutePath | None = Field(
        None, description="the PEM file of the authority that signed the server's certificate"
    )
    timeout: float = Field(
        3.0, gt=0, le=60, description="seconds for one request that can be made again"
    )
    keep_warm: float = Field(
        40.0,
        ge=0,
        le=3600,
        description="seconds between requests that keep a connection open; 0 to send none",
    )
    api_path: str = Field("/servicemanager/rest", description="the path before CallManagementAPI")
    allow_plain_http: bool = Field(
        default=False, description="true to send key and hash in the clear to another machine"
    )

    @model_validator(mode="after")
    def _usable(self) -> Self:
        check_server(
            self.url, api_path=self.api_path, ca_file=self.ca_file, plain_http=self.allow_plain_http
        )
        self.credentials()
        return self

    def credentials(self) -> ApiKey | Signed:
        """Return how the client authenticates. Raises `ValueError` for an unusable key."""
        key = self.api_key.reveal()
        return Signed(key) if self.auth == "signed" else ApiKey(key)
