# SPDX-License-Identifier: Apache-2.0
"""The access token of a trusted App: asked for once however many wait, renewed before its end.

Endpoint and fields are those of 4PSA's page "Obtain Authorization" (wiki.4psa.com, UnifiedAPI),
the flow that of OAuth 2.0's client credentials (RFC 6749, section 4.4).
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

from bridges.shared.http_line import Exchange, HttpLine
from bridges.voipnow.answers import Case, Reading, read

PATH: Final = "/oauth/token.php"
_FORM: Final = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Accept": "application/json",
}
_EARLY: Final = 300.0
"""Seconds before its end at which a token is renewed, as the vendor's own client does."""
_UNTOLD: Final = 600.0
"""Seconds that a token is taken to live when the answer does not say."""
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]{4,4096}=*")
"""RFC 6750, and long enough to be told from other text where it is masked."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A token, or why there is none. `exchange` is there when the server was asked."""

    token: str | None = field(repr=False)
    reading: Reading | None = None
    exchange: Exchange | None = None


class Tokens:
    """The one token of an App. `clock` is monotonic, in seconds."""

    def __init__(
        self, line: HttpLine, client_id: str, client_secret: str, clock: Callable[[], float]
    ) -> None:
        line.hide(client_secret)
        self._line = line
        self._form = urlencode(
            {
                "grant_type": "client_credentials",
                "client_id": client_id,
                "client_secret": client_secret,
                "type": "unifiedapi",
            }
        ).encode()
        self._clock = clock
        self._token: str | None = None
        self._renew_at = 0.0
        self._asking = asyncio.Lock()
        self._refusals = 0
        self._refusal: Grant | None = None

    @property
    def ready(self) -> bool:
        """True when a request needs no token first."""
        return self._usable(None) is not None

    def shown(self) -> str:
        """Return the request for a token as it may be shown."""
        return self._line.shown("POST", PATH) + " (client_credentials)"

    async def get(self, within: float, *, refused: str | None = None) -> Grant:
        """Return a token that is not `refused`, asking for one where none is held.

        Takes at most `within` seconds. A caller that waits while another asks gets the same result.
        """
        ends, seen = self._clock() + within, self._refusals
        if (token := self._usable(refused)) is not None:
            return Grant(token)
        try:
            async with asyncio.timeout(within):
                await self._asking.acquire()
        except TimeoutError:
            return Grant(None, Reading(Case.NOT_CONNECTED))
        try:
            if (token := self._usable(refused)) is not None:
                return Grant(token)
            if self._refusals != seen and self._refusal is not None:
                return self._refusal
            return await self._ask(max(0.001, ends - self._clock()))
        finally:
            self._asking.release()

    def _usable(self, refused: str | None) -> str | None:
        fresh = self._token is not None and self._clock() < self._renew_at
        return self._token if fresh and self._token != refused else None

    async def _ask(self, within: float) -> Grant:
        exchange = await self._line.ask(
            "POST", PATH, _FORM, self._form, within=within, private=True
        )
        reading = read(exchange)
        told = reading.document if isinstance(reading.document, dict) else {}
        token = told.get("access_token")
        if reading.case is Case.OK and isinstance(token, str) and _TOKEN.fullmatch(token):
            self._line.hide_issued(token)
            life = _seconds(told.get("expires_in"))
            self._token = token
            self._renew_at = self._clock() + life - min(_EARLY, life / 2)
            return Grant(token, reading, exchange)
        if reading.case is Case.OK:
            reading = Reading(Case.JUNK)
        grant = Grant(None, reading, exchange)
        if exchange.status:
            self._refusals += 1
            self._refusal = grant
        return grant


def _seconds(value: object) -> float:
    text = str(value)
    return float(text) if text.isdecimal() and 0 < len(text) < 10 else _UNTOLD
