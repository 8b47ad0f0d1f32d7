# SPDX-License-Identifier: Apache-2.0
"""The section about ARI, the PBX's HTTP interface."""

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from offrecord.base.secrets import Secret
from offrecord.config.fields import AnyPath, Section, Text


def _usable(url: str) -> str:
    # Every command reads the configuration, and hardly any needs an HTTP library.
    import httpx

    from noojee import wire

    try:
        server = str(httpx.URL(url).copy_with(path="/"))
    except httpx.InvalidURL:
        raise ValueError("this is no address; it looks like http://127.0.0.1:8088") from None
    wire.origin(server, plain_http=False)
    return url


class AriConfig(Section):
    """`[ari]`: the account that stops what ARI applications record. Without one it is off."""

    url: Annotated[Text, AfterValidator(_usable)] = Field(
        default="http://127.0.0.1:8088",
        description="the address of the PBX's HTTP server, https to another machine",
    )
    username: Text | None = Field(
        default=None, description="the section name of the user in ari.conf"
    )
    secret: Secret | None = Field(
        default=None, description='the user\'s password, as { file = "…" } or { env = "…" }'
    )
    ca_file: AnyPath | None = Field(
        default=None, description="the PEM file of the authority that signed the PBX's certificate"
    )
    app: Text = Field(
        default="offrecord",
        pattern="^[A-Za-z0-9_.-]{1,64}$",
        description="the name of our application in the PBX, which no other client may use",
    )
    hang_up_recorders: bool = Field(
        default=False,
        description="true to end what ARI records of a bridge by hanging up its channel, by AMI",
    )

    @model_validator(mode="after")
    def _account_is_whole(self) -> "AriConfig":
        if (self.username is None) != (self.secret is None):
            raise ValueError("`username` and `secret` go together: give both or none")
        if self.ca_file is not None and not self.url.startswith("https:"):
            raise ValueError("`ca_file` is used by https only: change `url` or remove it")
        return self
