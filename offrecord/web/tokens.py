# SPDX-License-Identifier: Apache-2.0
"""The file of tokens: which client has which scopes, until when. `offrecord token` changes it.

Which scope an address needs is decided where requests are let in: `api/auth` and `page/routes`.

A token is 256 random bits, so that its SHA-256 is as good as any slow hash of it; only that is
kept. The file is JSON, written in one step with mode 0600, and read again whenever it changes:
`offrecord token revoke` counts from the next request on.
"""

import hashlib
import hmac
import json
import os
import re
import secrets
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from offrecord.base.errors import Exit, UserError

PREFIX: Final = "or_"
"""Beginning of every token, by which scanners of leaked secrets recognize one."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


class Scope(StrEnum):
    """One right of a token."""

    READ = "read"
    PRESS = "press"
    AUDIT = "audit"
    METRICS = "metrics"


SCOPES: Final = {
    Scope.READ: "see live calls, presses and events, and the page",
    Scope.PRESS: "stop, pause, resume, start, objection, ack",
    Scope.AUDIT: "search and read the journal, back to its beginning",
    Scope.METRICS: "read /metrics",
}
"""Each scope in words."""


@dataclass(frozen=True, slots=True)
class Client:
    """The program or person that a token was made for.

    Times are seconds since the epoch, UTC; None is never.
    """

    name: str
    scopes: tuple[str, ...]
    hash: str
    created: int
    expires: int | None = None

    def may(self, scope: Scope) -> bool:
        """Return whether the token has a scope."""
        return scope.value in self.scopes

    def expired(self, now: float) -> bool:
        """Return whether the token has expired at `now`, in seconds since the epoch."""
        return self.expires is not None and self.expires <= now


class Tokens:
    """The tokens in the file at `path`; a file that is not there holds none.

    Raises `UserError` for a file that cannot be read, is no such file, or may be read by others.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: tuple[int, int, int] | None = None
        self._clients: dict[str, Client] = {}

    def clients(self) -> list[Client]:
        """Return every client with a token, sorted by name."""
        self._read()
        return sorted(self._clients.values(), key=lambda one: one.name)

    def find(self, token: str, now: float | None = None) -> Client | None:
        """Return the client of a token; None for an unknown or expired one."""
        self._read()
        given = _hash(token)
        found = None
        for client in self._clients.values():  # all of them, for the same time
            if hmac.compare_digest(client.hash, given):
                found = client
        late = found is not None and found.expired(time.time() if now is None else now)
        return None if late else found

    def add(self, name: str, scopes: Iterable[str], expires: int | None = None) -> str:
        """Make a token and return it. It cannot be shown again: only its hash is stored.

        Raises `UserError` for a name that is taken or cannot be one, or no scope.
        """
        self._read()
        wanted = tuple(scope.value for scope in Scope if scope in set(scopes))
        if not _NAME.fullmatch(name):
            raise UserError(
                f"a token cannot be called {name!r}",
                "use letters, digits, and . _ @ -, at most 64",
                Exit.USAGE,
            )
        if name in self._clients:
            raise UserError(f"{name} has a token", f"offrecord token revoke {name}", Exit.USAGE)
        if not wanted:
            raise UserError("the token would be good for nothing", "give --scope", Exit.USAGE)
        token = PREFIX + secrets.token_urlsafe(32)
        client = Client(name, wanted, _hash(token), int(time.time()), expires)
        self._write({**self._clients, name: client})
        return token

    def revoke(self, name: str) -> None:
        """Revoke the token of a client. Raises `UserError` for an unknown name."""
        self._read()
        if name not in self._clients:
            known = ", ".join(sorted(self._clients)) or "nobody"
            raise UserError(f"{name} has no token", f"there are: {known}", Exit.NOT_FOUND)
        self._write({other: one for other, one in self._clients.items() if other != name})

    def _read(self) -> None:
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            self._stamp, self._clients = None, {}
            return
        except OSError as problem:
            raise self._unusable(problem.strerror or str(problem)) from problem
        if stat.st_mode & 0o077:
            raise UserError(
                f"tokens {self.path}: others may read or change it",
                f"chmod 600 {self.path}",
                Exit.CONFIG,
            )
        stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        if stamp == self._stamp:
            return
        try:
            clients = [_client(one) for one in json.loads(self.path.read_text())["tokens"]]
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise self._unusable(f"it is no file of tokens ({type(problem).__name__})") from None
        self._stamp, self._clients = stamp, {one.name: one for one in clients}

    def _write(self, clients: dict[str, Client]) -> None:
        body = {"tokens": [asdict(one) for one in clients.values()]}
        fresh = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            self.path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            fresh.unlink(missing_ok=True)
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
                json.dump(body, out, indent=1)
                out.flush()
                os.fsync(out.fileno())
            self._keep_owner(fresh)
            fresh.replace(self.path)
        except OSError as problem:
            fresh.unlink(missing_ok=True)
            raise self._unusable(problem.strerror or str(problem)) from problem
        self._read()

    def _keep_owner(self, fresh: Path) -> None:
        """Give a file that root writes the owner of the old one, or of the folder."""
        if os.geteuid() != 0:
            return
        model = self.path if self.path.exists() else self.path.parent
        stat = model.stat()
        os.chown(fresh, stat.st_uid, stat.st_gid)

    def _unusable(self, why: str) -> UserError:
        return UserError(
            f"tokens {self.path}: {why}", "let the daemon's user read and write it", Exit.CONFIG
        )


def _client(given: dict[str, Any]) -> Client:
    scopes = tuple(str(scope) for scope in given["scopes"])
    expires = given.get("expires")
    return Client(
        str(given["name"]), scopes, str(given["hash"]), int(given["created"]),
        None if expires is None else int(expires),
    )  # fmt: skip


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
