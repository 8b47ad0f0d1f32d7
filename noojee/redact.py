# SPDX-License-Identifier: Apache-2.0
"""Mask what may not be shown of a request or an answer: key, hash, long numbers.

Both ways of authentication put the secret into the URL, and a server is free to print that URL
in its answer, which is why every text from outside passes through here before it is shown.
"""

import re
from typing import Final
from urllib.parse import quote

MASK: Final = "***"
MAX_TEXT: Final = 300
"""Characters kept of a text from the server."""

_SHORTEST: Final = 4
_SEEN: Final = 8 * MAX_TEXT
_EDGE: Final = 256
_PARAMETERS: Final = re.compile(r"(?i)\b(apiKey|hash)(\s*[=:]\s*|%3D)[^&\s\"'<>,;]*")
_HEX_64: Final = re.compile(r"(?i)(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_LONG_NUMBER: Final = re.compile(r"[0-9](?:[ -]?[0-9]){11,}")
"""Twelve digits and more: card and telephone numbers, never an extension or a uniqueid."""


class Redactor:
    """Masks the given secrets, any hash, and long numbers in texts meant for people."""

    def __init__(self, *secrets: str) -> None:
        forms = {form for secret in secrets for form in (secret, quote(secret, safe=""))}
        # A key of a letter or two would mask half of every text; as a parameter it is masked still.
        long = "|".join(
            re.escape(form)
            for form in sorted(forms, key=len, reverse=True)
            if len(form) >= _SHORTEST
        )
        self._key = re.compile(long or r"(?!)", re.IGNORECASE)

    def __repr__(self) -> str:
        """Return a text without the key."""
        return "Redactor(***)"

    def own(self, text: str) -> str:
        """Mask the key in a text of our own making, whose secrets are left out already."""
        return self._key.sub(MASK, text)

    def _secrets(self, text: str) -> str:
        text = self._key.sub(MASK, text)
        return _HEX_64.sub(MASK, _PARAMETERS.sub(rf"\1\2{MASK}", text))

    def server_text(self, text: str) -> str:
        """Return a text from the server as one short line of printable characters."""
        seen = self._secrets(text[:_SEEN])
        if len(text) > _SEEN:
            seen = seen[:-_EDGE]  # a secret that was cut there is not recognised
        text = _LONG_NUMBER.sub(MASK, seen)
        line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return line if len(line) <= MAX_TEXT else line[: MAX_TEXT - 1] + "…"
