# SPDX-License-Identifier: Apache-2.0
"""The two ways to authenticate, and the signature of the older one.

Signed: `timeStamp` is the server's own time and `hash` the lower-case hex SHA-256 of
`apiKey:timeStamp`. API key: `apiKey` itself goes along. Exactly one of them is sent.
Source of the rules: Noojee's pages "Authentication" and "Authentication - Hash method".
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final

MAX_STAMP: Final = 20
"""Digits of a timestamp at most; today's milliseconds have 13."""


def valid_stamp(stamp: str) -> bool:
    """Return whether a text is a timestamp as the server prints it: ASCII digits alone."""
    return 1 <= len(stamp) <= MAX_STAMP and stamp.isascii() and stamp.isdigit()


def sign(api_key: str, stamp: str) -> str:
    """Return the hash for a timestamp, 64 lower-case hex digits.

    `stamp` is the very text that the server gave, in milliseconds, without its line end: a
    number that went through `int` or `float` may print differently. Raises `TypeError` when it
    is no text and `ValueError` when it is anything but digits.
    """
    if not isinstance(stamp, str):
        raise TypeError("the timestamp is signed as the text that the server sent")
    if not valid_stamp(stamp):
        raise ValueError("the timestamp must be the digits that the server sent, and only those")
    return hashlib.sha256(f"{api_key}:{stamp}".encode()).hexdigest()


def _usable(api_key: str) -> None:
    if not isinstance(api_key, str):
        raise TypeError("the API key is a text")
    if not api_key or not api_key.isprintable() or api_key != api_key.strip():
        raise ValueError("the API key is empty, or has spaces or line ends around it")


@dataclass(frozen=True, slots=True)
class Signed:
    """Authenticate by signature, which keeps the key off the wire.

    The pair of timestamp and hash is good for an hour once used, and needs TLS as much as the
    key does. Raises `ValueError` for an empty key or one with stray white space.
    """

    api_key: str = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse a key that was read with its line end."""
        _usable(self.api_key)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """Authenticate by the global API key itself (Noojee Administrator 4.9.0.10 and later).

    A user's key reaches the Campaign endpoints only: recording verbs need the global one.
    Raises `ValueError` for an empty key or one with stray white space.
    """

    api_key: str = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse a key that was read with its line end."""
        _usable(self.api_key)


Auth = Signed | ApiKey
"""Credentials of a client, one type for each way to authenticate."""
