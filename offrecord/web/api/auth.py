# SPDX-License-Identifier: Apache-2.0
"""Decides whether a request is let in: its bearer token (RFC 6750), the token's scopes, its rate.

Each route names the scope it needs by `TokenAuth.needs`; who has which scope is in
`offrecord.web.tokens`. A token appears in no log and no answer. A client with a good token is let
in whatever else came from its address: see `offrecord.web.token_guessing`.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final, NoReturn

import structlog
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from offrecord.web.api.problems import Problem
from offrecord.web.api.rate_limits import Rates
from offrecord.web.token_guessing import WrongTokens
from offrecord.web.tokens import SCOPES, Client, Scope, Tokens

bearer: Final = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    description="A token made by `offrecord token add`. What each address needs stands with it: "
    + "; ".join(f"`{scope.value}` to {text}" for scope, text in SCOPES.items()),
)

Given = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]

Refused = Callable[[str], None]
"""Called with the reason why a request was not let in: `token`, `scope` or `rate`."""

_log = structlog.stdlib.get_logger(__name__)


class TokenAuth:
    """Lets clients in by their tokens. `refused` is called for each request that is not let in."""

    def __init__(
        self,
        tokens: Tokens,
        rates: Rates,
        wrong_tokens: WrongTokens,
        refused: Refused = lambda _why: None,
    ) -> None:
        self.tokens = tokens
        self.rates = rates
        self._wrong_tokens = wrong_tokens
        self._refused = refused

    def needs(self, scope: Scope) -> Callable[[Request, Given], Awaitable[Client]]:
        """Return a dependency of FastAPI: the client whose token came, if it has `scope`."""

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
        """Raise `Problem` 429, with `wait` in seconds. `what` was done too often."""
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
            wait = self._wrong_tokens.count(address)
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
