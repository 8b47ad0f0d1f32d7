# SPDX-License-Identifier: Apache-2.0
"""Settings that several kinds of recorder share. Times are in seconds."""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Protocol, Self, runtime_checkable

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from bridges.shared.phone_numbers import Numbering
from noojee import wire
from noojee.transport import tls_context


@runtime_checkable
class SecretText(Protocol):
    """A secret that the configuration has resolved and that shows as stars."""

    def reveal(self) -> str:
        """Return the secret itself."""


class HasUrl(Protocol):
    """Settings of a recorder that is reached at an address."""

    @property
    def url(self) -> str:
        """The server's address."""


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("an absolute path is needed")
    return path


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]


class RecorderSettings(BaseModel):
    """The base of settings: frozen, unknown keys refused, secrets kept out of errors."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, hide_input_in_errors=True
    )


class ServerSettings(RecorderSettings):
    """Settings of a recorder that is reached over HTTP."""

    url: str = Field(description="the server's address, such as https://recorder.example")
    ca_file: AbsolutePath | None = Field(
        None, description="the PEM file of the authority that signed the server's certificate"
    )
    allow_plain_http: bool = Field(
        default=False, description="true to send credentials in the clear to another machine"
    )
    timeout: float = Field(
        3.0, gt=0, le=60, description="seconds for one request that can be made again"
    )

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        wire.origin(self.url, plain_http=self.allow_plain_http)
        if self.ca_file is not None:
            tls_context(self.ca_file)
        return self


class NumberSettings(RecorderSettings):
    """Settings of a recorder that finds a call by its numbers and its time."""

    whose: str = Field(
        "presser",
        pattern="^(presser|far)$",
        description="presser, or far for the number at the other end of the trunk",
    )
    region: str | None = Field(
        None,
        pattern="^[A-Z]{2}$",
        description="the country whose national numbers are dialled here, as IT",
    )
    strip: tuple[str, ...] = Field(
        (), description='dialling prefixes that the recorder does not know, such as ["0"]'
    )
    mask: str | None = Field(
        None,
        pattern=r"^\+?[0-9]*X+$",
        description="how an extension is known there, as +390273XXXX",
    )
    window: float = Field(
        30.0, gt=0, le=600, description="seconds that the two clocks and ringing may take apart"
    )

    @model_validator(mode="after")
    def _ready_to_compare(self) -> Self:
        _ = self.numbering
        return self

    @cached_property
    def numbering(self) -> Numbering:
        """The number formats of the site and of the other system."""
        return Numbering(self.region, self.strip, self.mask)
