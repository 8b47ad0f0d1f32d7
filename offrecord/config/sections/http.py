# SPDX-License-Identifier: Apache-2.0
"""The sections about HTTP: the address to listen on; the API, page and metrics served there."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from offrecord.config.fields import AnyPath, ListenPort, Section, Text, is_loopback

PerMinute = Annotated[int, Field(ge=1, le=100_000)]


class HttpConfig(Section):
    """`[http]`: the address where vendors report on calls, and the API is served."""

    enabled: bool = Field(default=False, description="true to listen for reports of vendors")
    host: Text = Field(default="127.0.0.1", description="the address to listen on")
    port: ListenPort = Field(default=8473, description="the port to listen on")
    certificate: AnyPath | None = Field(
        default=None, description="the PEM file of the certificate to serve HTTPS with"
    )
    key: AnyPath | None = Field(default=None, description="the PEM file of the certificate's key")
    allow_plain_http: bool = Field(
        default=False, description="true to be spoken to in the clear from other machines"
    )

    @model_validator(mode="after")
    def _tokens_stay_private(self) -> "HttpConfig":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("`certificate` and `key` go together: give both or none")
        if not (self.certificate or self.allow_plain_http or is_loopback(self.host)):
            raise ValueError(
                f"vendors would send their tokens to {self.host} in the clear: give `certificate`"
                " and `key`, or accept it by `allow_plain_http = true`"
            )
        return self


class ApiConfig(Section):
    """`[api]`: the HTTP API, the page and the metrics, at the address of `[http]`."""

    enabled: bool = Field(
        default=False, description="true to serve the API; `[http]` must be enabled too"
    )
    page: bool = Field(default=True, description="false to serve the API without the page")
    tokens: AnyPath = Field(
        default=Path("/var/lib/offrecord/tokens.json"),
        description="the path of the file with the tokens' hashes, kept by offrecord token",
    )
    requests_per_minute: PerMinute = Field(
        default=600, description="requests that one token may make in any minute (1 to 100000)"
    )
    presses_per_minute: PerMinute = Field(
        default=120, description="presses that one token may make in any minute (1 to 100000)"
    )
    failed_logins_per_minute: PerMinute = Field(
        default=10,
        description="wrong tokens that one address may try in any minute, at the API and the page"
        " together (1 to 100000)",
    )
    streams: int = Field(
        default=20, ge=1, le=80, description="event streams open at the same time (1 to 80)"
    )
    open_metrics: bool = Field(
        default=False, description="true to show /metrics without a token to this machine itself"
    )
