# SPDX-License-Identifier: Apache-2.0
"""The login sessions of the page, in memory.

A session lasts until logout, for 12 hours, until its token is revoked or over, or until the daemon
ends. It may do what its token may do now. Wrong tokens are counted in
`offrecord.web.token_guessing`.
"""

import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from offrecord.web.tokens import Client, Scope, Tokens

LASTS: Final = 12 * 3600.0
"""Seconds that a session lasts."""

MOST: Final = 500
"""Sessions at the same time; beyond them the oldest is ended."""


@dataclass(frozen=True, slots=True)
class Session:
    """One login. `csrf` is in each of its forms. `ends` is seconds on the clock of `Sessions`."""

    id: str = field(repr=False)
    csrf: str = field(repr=False)
    name: str
    hash: str = field(repr=False)
    ends: float

    def sent(self, csrf: str) -> bool:
        """Return whether `csrf` is the one in this session's forms."""
        return hmac.compare_digest(self.csrf.encode(), csrf.encode())


class Sessions:
    """The sessions of one daemon. `now` returns seconds on a clock that does not step back."""

    def __init__(self, tokens: Tokens, now: Callable[[], float] = time.monotonic) -> None:
        self._tokens = tokens
        self._now = now
        self._live: OrderedDict[str, Session] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of sessions, those included that are over and not cleared yet."""
        return len(self._live)

    def open(self, client: Client) -> Session:
        """Begin a session for the client whose token was given."""
        now = self._now()
        for old in [one for one in self._live.values() if one.ends <= now]:
            del self._live[old.id]
        while len(self._live) >= MOST:
            self._live.popitem(last=False)
        made = Session(
            secrets.token_urlsafe(32), secrets.token_urlsafe(32), client.name, client.hash,
            now + LASTS,
        )  # fmt: skip
        self._live[made.id] = made
        return made

    def find(self, name: str | None) -> tuple[Session, Client] | None:
        """Return a live session and its client, as the token is now; None when it is over.

        Raises `UserError` where the tokens cannot be read.
        """
        session = self._live.get(name or "")
        if session is None:
            return None
        client = next((c for c in self._tokens.clients() if c.hash == session.hash), None)
        lost = client is None or client.expired(time.time()) or not client.may(Scope.READ)
        if client is None or lost or session.ends <= self._now():
            del self._live[session.id]
            return None
        return session, client

    def close(self, session: Session) -> None:
        """End a session."""
        self._live.pop(session.id, None)
