# SPDX-License-Identifier: Apache-2.0
"""The settings of a `genesys` recorder, as `[recorders.NAME]` holds them. Times are in seconds."""

import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from bridges.shared.settings import (
    AbsolutePath,
    NumberSettings,
    RecorderSettings,
    SecretText,
    ServerSettings,
)
from noojee import wire

_LARGEST: Final = 1024 * 1024
_ORIGIN: Final = re.compile(r"https?://[^/\s?#@]+")


def _path(text: str) -> str:
    if not re.fullmatch(r"/[A-Za-z0-9._~/-]*", text):
        raise ValueError("this is no path; it begins with / and has no query")
    return text.rstrip("/")


class Password:
    """A password from the accounts' file; shows as stars."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the password itself."""
        return self._text

    def __repr__(self) -> str:
        """Return stars."""
        return "Password('********')"

    __str__ = __repr__


class Account(RecorderSettings):
    """Credentials of one agent."""

    username: str = Field(
        min_length=1, pattern=r"^[^:\x00-\x1f]+$", description="the user name at Genesys"
    )
    password: SecretText = Field(
        repr=False, description='the password, as { file = "…" } or { env = "…" }'
    )


class GenesysSettings(ServerSettings, NumberSettings):
    """Settings of a `genesys` recorder."""

    accounts: Mapping[str, Account] = Field(
        default_factory=dict,
        description="a table for each agent, by agent name or extension: username and password",
    )
    accounts_file: AbsolutePath | None = Field(
        None, description="a file of mode 0600 with lines agent:username:password"
    )
    origin: str | None = Field(
        None, description="the Origin to send, as https://pbx.example, if it is not that of url"
    )
    api_path: Annotated[str, AfterValidator(_path)] = Field(
        "/api/v2", description="the path before /me"
    )
    notifications: bool = Field(
        default=True, description="false to prove stops by reading the call alone"
    )
    notifications_path: Annotated[str, AfterValidator(_path)] = Field(
        "/api/v2/notifications", description="the path of the CometD notifications"
    )
    uuid_variable: str = Field(
        "GENESYS_CALL_UUID",
        pattern=r"^\w+$",
        description="the channel variable that holds X-Genesys-CallUUID",
    )
    confirm_within: float = Field(
        3.0, gt=0, le=60, description="seconds to wait for the proof before a stop is sent again"
    )
    keep_warm: float = Field(
        20.0, ge=0, lt=25, description="seconds between requests that keep a login warm; 0 for none"
    )
    warm_for: float = Field(
        900.0, gt=0, le=86400, description="seconds after its last press that a login is kept"
    )
    max_sessions: int = Field(64, ge=1, le=1000, description="logins that are kept at most")

    @model_validator(mode="after")
    def _has_accounts(self) -> Self:
        if self.origin is not None and not _ORIGIN.fullmatch(self.origin):
            raise ValueError("origin: this is no origin; give scheme, host and port alone")
        if not self.logins():
            raise ValueError("accounts: nobody can log in; name an account, or an accounts_file")
        return self

    def logins(self) -> Mapping[str, Account]:
        """Return every account by agent; those of the table win. Raises `ValueError`."""
        filed = _read(self.accounts_file) if self.accounts_file else {}
        return MappingProxyType({**filed, **self.accounts})

    @property
    def sent_origin(self) -> str:
        """The `Origin` that every request carries."""
        return self.origin or wire.origin(self.url, plain_http=self.allow_plain_http)


def _read(path: Path) -> dict[str, Account]:
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8") if path.stat().st_size <= _LARGEST else ""
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "is not UTF-8"
        raise ValueError(f"accounts_file: {path}: {why}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ValueError(f"accounts_file: others can read {path}; chmod 600 {path}")
    return dict(_accounts(path, text))


def _accounts(path: Path, text: str) -> Iterator[tuple[str, Account]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        agent, _, rest = line.partition(":")
        username, colon, password = rest.partition(":")
        if not (agent.strip() and username.strip() and colon):
            raise ValueError(f"accounts_file: {path} line {number} is not agent:username:password")
        yield agent.strip(), Account(username=username.strip(), password=Password(password))
