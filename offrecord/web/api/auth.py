# SPDX-License-Identifier: Apache-2.0
"""Who may come in: bearer tokens (RFC 6750), their scopes, and how often.

A token appears in no log and no answer. A client with a good token is never shut out for the
wrong ones that others try from the same address: with 256 random bits there is nothing to guess,
so counting the wrong ones only keeps the log and the machine calm.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final, NoReturn

import structlog
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from offrecord.web.api.problems import Problem
from offrecord.web.api.rate_limits import Rates
from offrecord.web.tokens import SCOPES, Client, Scope, Tokens

bearer: Final = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    description="A token made by `offrecord token add`. What each address needs stands with it: "
    + "; ".join(f"`{scope.value}` to {text}" for scope, text in SCOPES.items()),
)

Given = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]

Refused = Callable[[str], None]
"""Hears why somebody was not let in: `token`, `scope` or `rate`."""

_log = structlog.stdlib.get_logger(__name__)


class TokenAuth:
    """Lets clients in by their tokens, and counts. `refused` hears of those who are not let in."""

    def __init__(self, tokens: Tokens, rates: Rates, refused: Refused = lambda _why: None) -> None:
        self.tokens = tokens
        self.rates = rates
        self._refused = refused

    def needs(self, scope: Scope) -> Callable[[Request, Given], Awaitable[Client]]:
        """Return a dependency: the client whose token came, when it is good for `scope`."""

        async def who(request: Request, given: Given) -> Client:
            return self.enter(request, given, scope)

        return who

    def enter(self, request: Request, given: HTTPAuthorizationCredentials | None,
              scope: Scope) -> Client:  # fmt: skip
        """Return the client whose token came. Raises `Problem`: 401, 403 or 429."""
        client = self.known(given)
        if client is None:
            self._unknown(request, given)
        wait = self.rates.request(client.name)
        if wait is not None:
            self.too_many(wait, f"{client.name} made too many requests within a minute")
        if not client.may(scope):
            self._refused("scope")
            raise Problem(
                403,
                "The token is not good for this",
                f"this needs the scope {scope.value}, and the token of {client.name} lacks it",
                f"offrecord token revoke {client.name}, then offrecord token add {client.name}"
                f" --scope {' --scope '.join([*client.scopes, scope.value])}",
                {"WWW-Authenticate": f'{_CHALLENGE}, error="insufficient_scope", scope="{scope}"'},
                {"scope": scope.value},
            )
        return client

    def known(self, given: HTTPAuthorizationCredentials | None) -> Client | None:
        """Return the client whose token came, None when there is none. Raises `UserError`."""
        return None if given is None else self.tokens.find(given.credentials)

    def too_many(self, wait: int, what: str) -> NoReturn:
        """Raise the `Problem` of something that was done too often."""
        self._refused("rate")
        raise Problem(
            429,
            "Too many requests",
            f"{what}; nothing was done",
            f"try again in {wait} s",
            {"Retry-After": str(wait)},
        )

    def _unknown(self, request: Request, given: HTTPAuthorizationCredentials | None) -> NoReturn:
        address = request.client.host if request.client else ""
        tried = given is not None
        if tried:
            wait = self.rates.failure(address)
            if wait is not None:
                self.too_many(wait, "too many wrong tokens came from this address within a minute")
            _log.warning("api_wrong_token", address=address, path=request.url.path)
        self._refused("token")
        raise Problem(
            401,
            "A token is needed",
            "the token is not known, or its time is over" if tried else "no bearer token came",
            "send the header `Authorization: Bearer TOKEN`; offrecord token add makes a token",
            {"WWW-Authenticate": f'{_CHALLENGE}, error="invalid_token"' if tried else _CHALLENGE},
        )


_CHALLENGE: Final = 'Bearer realm="offrecord"'
