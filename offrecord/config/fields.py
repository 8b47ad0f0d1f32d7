# SPDX-License-Identifier: Apache-2.0
"""The field types of the configuration."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
)

from ami.settings import is_loopback as stays_here


class Section(BaseModel):
    """One table of the file: immutable, and unknown keys are errors."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, hide_input_in_errors=True
    )


def _beside_the_file(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder")
    return folder / path if isinstance(folder, Path) else path


def _octal(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return int(value, 8)
    except ValueError:
        raise ValueError("this is not an octal mode") from None


def _no_empty_text(value: str) -> str:
    if not value or any(ord(char) < 32 for char in value):
        raise ValueError("a text is needed, on one line")
    return value


def _is_pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"this regular expression is broken: {error}") from None
    return value


def is_loopback(host: str) -> bool:
    """Return whether `host` is `localhost` or a loopback address. Resolves no name."""
    return host == "localhost" or bool(stays_here(host))


Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
Port = Annotated[int, Field(ge=1, le=65535)]
ListenPort = Annotated[int, Field(ge=0, le=65535)]
Text = Annotated[str, AfterValidator(_no_empty_text)]
AnyPath = Annotated[Path, AfterValidator(_beside_the_file)]


def _frozen(table: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(table))


Frozen = AfterValidator(_frozen)
"""Makes a mapping read-only, as the model that holds it."""

Pattern = Annotated[str, AfterValidator(_is_pattern)]
Octal = BeforeValidator(_octal)
