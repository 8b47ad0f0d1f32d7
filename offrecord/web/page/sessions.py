# SPDX-License-Identifier: Apache-2.0
"""Who is logged in to the page: sessions in memory, and a brake on guessing.

A session lasts until logout, for 12 hours, until its token is revoked or over, or until the daemon
ends. What it may do is what its token may now.
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
"""Sessions at the same time; the oldest makes room."""

FREE: Final = 3
"""Failed logins of one address in a row that cost no waiting."""

LONGEST: Final = 30.0
"""Seconds that an address waits for its next try, at most."""

ADDRESSES: Final = 1000
"""Addresses whose failures are remembered."""


@dataclass(frozen=True, slots=True)
class Session:
    """One login. `csrf` is in every form of it. `ends` is seconds on the clock of `Sessions`."""

    id: str = field(repr=False)
    csrf: str = field(repr=False)
    name: str
    hash: str = field(repr=False)
    ends: float

    def sent(self, csrf: str) -> bool:
        """Say whether a form was one of this session's."""
        return hmac.compare_digest(self.csrf.encode(), csrf.encode())


class Sessions:
    """The sessions of one daemon. `now` returns seconds on a clock that does not step back."""

    def __init__(self, tokens: Tokens, now: Callable[[], float] = time.monotonic) -> None:
        self._tokens = tokens
        self._now = now
        self._live: OrderedDict[str, Session] = OrderedDict()

    def __len__(self) -> int:
        """Return how many are kept."""
        return len(self._live)

    def open(self, client: Client) -> Session:
        """Begin a session of whoever has this token."""
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
        """Return a live session and whose it is, as its token stands now; None when it is over.

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


class LoginBackoff:
    """Makes an address that fails to log in wait longer each time.

    `now` returns seconds. Nobody is kept waiting with an open connection: who comes too early is
    refused, whatever they bring.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._failed: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait(self, address: str) -> float:
        """Return how many seconds are left until the next try counts, 0 when it does now."""
        count, at = self._failed.get(address, (0, 0.0))
        if count < FREE:
            return 0.0
        pause = min(LONGEST, 2.0 ** min(count - FREE, 10))
        return max(0.0, at + pause - self._now())

    def failed(self, address: str) -> None:
        """Count a failure."""
        count, _ = self._failed.pop(address, (0, 0.0))
        while len(self._failed) >= ADDRESSES:
            self._failed.popitem(last=False)
        self._failed[address] = (count + 1, self._now())

    def passed(self, address: str) -> None:
        """Forget the failures of an address."""
        self._failed.pop(address, None)
