# SPDX-License-Identifier: Apache-2.0
"""Secrets: where they are read from, and a type that does not show them.

A secret is named in the configuration as `{ file = "…" }` or `{ env = "…" }`, never written
there. The path may start with `$CREDENTIALS_DIRECTORY`, which systemd sets for `LoadCredential=`.
"""

import hmac
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

MASK: Final = "********"
MAX_FILE: Final = 65536
"""Bytes read from a secret's file at most; no key or password is longer."""

_CREDENTIALS: Final = "$CREDENTIALS_DIRECTORY"


class Secret:
    """A text that is printed, formatted, logged and dumped as stars.

    Only `reveal()` returns the text. `origin` says for people where it was read.
    """

    __slots__ = ("_text", "origin")

    def __init__(self, text: str, origin: str = "given") -> None:
        self._text = text
        self.origin = origin

    def reveal(self) -> str:
        """Return the secret itself, for the one place that sends or signs with it."""
        return self._text

    def __repr__(self) -> str:
        """Return stars."""
        return f"Secret({MASK!r})"

    def __str__(self) -> str:
        """Return stars."""
        return MASK

    def __format__(self, spec: str) -> str:
        """Return stars, padded as asked."""
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        """Compare in constant time."""
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        """Hash by the text, in line with equality; Python's string hash is keyed per process."""
        return hash((Secret, self._text))

    def __reduce__(self) -> NoReturn:
        """Raise TypeError: pickling would write the text out."""
        raise TypeError("a secret is not pickled")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return a schema that accepts an instance of `Secret` and nothing else."""
        return core_schema.no_info_plain_validator_function(
            _only_secret, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )


def _only_secret(value: object) -> Secret:
    if isinstance(value, Secret):
        return value
    raise ValueError("a secret is not written here")


HOW_TO_NAME: Final = 'name where it is kept: { file = "/path" } or { env = "NAME" }'


class SecretError(ValueError):
    """A secret could not be read. The message says why and never holds the secret."""


def is_reference(value: object) -> bool:
    """Return whether a configured value is meant as `{ file = … }` or `{ env = … }`."""
    return isinstance(value, Mapping) and bool(value) and set(value) <= {"file", "env"}


def resolve(
    reference: object,
    env: Mapping[str, str],
    folder: Path,
    warn: Callable[[str], None],
) -> Secret:
    """Return the secret that a configured value refers to.

    `folder`: where a relative path starts. `warn` is called with one sentence when others can
    read the file. Raises `SecretError`.
    """
    if isinstance(reference, str):
        raise SecretError(f"a secret must not be written in the configuration; {HOW_TO_NAME}")
    if not isinstance(reference, Mapping) or not is_reference(reference) or len(reference) != 1:
        raise SecretError(f"this is no reference to a secret; {HOW_TO_NAME}")
    ((how, name),) = reference.items()
    if not isinstance(name, str) or not name:
        raise SecretError(f"the name after `{how}` is missing; {HOW_TO_NAME}")
    if how == "env":
        return _usable(env.get(name), f"environment variable {name}")
    # systemd guards its credentials itself, and grants them by ACL, which shows as a group's mode.
    guarded = name.startswith(_CREDENTIALS)
    return _from_file(_path(name, env, folder), (lambda _text: None) if guarded else warn)


def _path(name: str, env: Mapping[str, str], folder: Path) -> Path:
    if name.startswith(_CREDENTIALS):
        root = env.get(_CREDENTIALS[1:])
        if not root:
            raise SecretError(
                f"{_CREDENTIALS} is not set; start the daemon by systemd with LoadCredential=, "
                "or give the path of the file"
            )
        return Path(root + name[len(_CREDENTIALS) :])
    return folder / name


def _from_file(path: Path, warn: Callable[[str], None]) -> Secret:
    try:
        with path.open("rb") as file:
            mode = path.stat().st_mode
            raw = file.read(MAX_FILE + 1)
    except OSError as error:
        why = error.strerror or "cannot be read"
        raise SecretError(f"file {path}: {why}; create it, readable by the daemon alone") from None
    if len(raw) > MAX_FILE:
        raise SecretError(f"file {path} is too large for a secret; check the path")
    readers = [
        who for who, bit in (("its group", stat.S_IRGRP), ("everyone", stat.S_IROTH)) if mode & bit
    ]
    if readers:
        warn(f"the secret in {path} can be read by {' and '.join(readers)}; chmod 600 {path}")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise SecretError(f"file {path} is not UTF-8 text; check the path") from None
    return _usable(text.removesuffix("\n").removesuffix("\r"), f"file {path}")


def _usable(text: str | None, origin: str) -> Secret:
    if not text:
        raise SecretError(f"{origin} is {'not set' if text is None else 'empty'}; put it there")
    if any(ord(char) < 32 for char in text):
        raise SecretError(f"{origin} holds a line break or control character; keep one line")
    return Secret(text, origin)
