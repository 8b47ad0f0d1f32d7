# SPDX-License-Identifier: Apache-2.0
"""Typed ids: an extension or the unique id of one live call, never guessed from a text.

Noojee takes both in one parameter, `extenOrUniqueId`, and tells them apart by itself. By
extension it may hit the wrong call of a handset that has several, which is why the caller
chooses a type, and the type checks the text.
"""

import re
from dataclasses import dataclass
from typing import Final

MAX_ID: Final = 150
"""Characters in an id at most; Asterisk itself allows no more in a uniqueid."""

_UNIQUE_ID: Final = re.compile(r"(?:[!-.0-~]+-)?[0-9]+\.[0-9]+")
_NOT_IN_EXTENSION: Final = re.compile(r"[\s/.,\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Extension:
    """A telephone extension such as `410`, bare: no technology, no dot.

    Raises `ValueError` for anything that is rather a channel name or a unique id.
    """

    number: str

    def __post_init__(self) -> None:
        """Check that the text can be an extension."""
        if not isinstance(self.number, str):
            raise TypeError("an extension is a text")
        if not 1 <= len(self.number) <= MAX_ID or not self.number.isprintable():
            raise ValueError("an extension has 1 to 150 printable characters")
        if _NOT_IN_EXTENSION.search(self.number):
            raise ValueError(
                f"{self.number!r} is no bare extension: give 410 rather than SIP/410, "
                "and an id with a dot as a UniqueId"
            )

    def __str__(self) -> str:
        """Return the text that is sent."""
        return self.number


@dataclass(frozen=True, slots=True)
class UniqueId:
    """The id Asterisk gives one channel, such as `12347811.214` or `pbx1-1700000000.7`.

    Noojee documents the id of the primary channel, which is the handset's. Raises `ValueError`
    for a text that is not of that form.
    """

    value: str

    def __post_init__(self) -> None:
        """Check that the text has the form of an Asterisk uniqueid."""
        if not isinstance(self.value, str):
            raise TypeError("a unique id is a text")
        if len(self.value) > MAX_ID or not _UNIQUE_ID.fullmatch(self.value):
            raise ValueError(
                f"{self.value[:MAX_ID]!r} is no unique id: it looks like 12347811.214, "
                "digits, a dot and digits"
            )

    def __str__(self) -> str:
        """Return the text that is sent."""
        return self.value


Target = Extension | UniqueId
"""Target of a verb: an extension or a unique id."""
