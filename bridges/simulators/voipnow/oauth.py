# SPDX-License-Identifier: Apache-2.0
"""The token server of a simulated VoipNow: trusted Apps and their tokens."""

import secrets
from collections.abc import Callable
from urllib.parse import parse_qsl

from bridges.simulators.voipnow.switches import VoipNowSwitches

GRANTS = ("client_credentials",)


class Apps:
    """One trusted App and the tokens that were issued to it. `now` is the server's clock."""

    def __init__(
        self,
        client_id: str,
        client_secret: str,
        switches: VoipNowSwitches,
        now: Callable[[], float],
    ) -> None:
        self.client_id = client_id
        self.client_secret = client_secret
        self._switches = switches
        self._now = now
        self._ends: dict[str, float] = {}
        self.issued: list[str] = []

    def grant(self, body: bytes) -> tuple[int, dict[str, object]]:
        """Answer a request for a token: a status and the fields of OAuth's JSON."""
        form = dict(parse_qsl(body.decode("utf-8", "replace")))
        if form.get("grant_type") not in GRANTS:
            return 400, {"error": "unsupported_grant_type"}
        right = secrets.compare_digest(
            form.get("client_secret", "").encode(), self.client_secret.encode()
        )
        if form.get("client_id") != self.client_id or not right:
            return 401, {"error": "invalid_client", "error_description": "SIM: unknown App"}
        token = f"sim.{secrets.token_hex(16)}"
        self.issued.append(token)
        self._ends[token] = self._now() + self._switches.token_life
        return 200, {
            "access_token": token,
            "expires_in": self._switches.token_life,
            "token_type": "Bearer",
        }

    def allows(self, authorization: str) -> bool:
        """Return whether an `Authorization` header lets a request in."""
        scheme, _, token = authorization.partition(" ")
        good = scheme == "Bearer" and self._now() < self._ends.get(token, 0.0)
        if good and self._switches.single_use:
            del self._ends[token]
        return good

    def expire(self, authorization: str | None = None) -> None:
        """End every token at once, or that of one header."""
        if authorization is None:
            self._ends.clear()
        else:
            self._ends.pop(authorization.partition(" ")[2], None)
