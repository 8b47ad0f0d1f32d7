# SPDX-License-Identifier: Apache-2.0
"""The server's side of Noojee's authentication: keys, signed pairs, their age, their number."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridges.simulators.noojee.switches import NoojeeSwitches

FIRST_USE = 10.0
"""Seconds a pair may be old at its first use."""
HOUR = 3600.0
"""Seconds a used pair stays good."""
EXPIRED = "Expired TimeStamp"
"""The one error text the vendor documents; every other text here is invented and says so."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Result of authentication: an error text, or None; and whether the pair was new."""

    error: str | None
    first_use: bool = False


class Gate:
    """Judges credentials: the global key opens everything, a user's key nothing here."""

    def __init__(self, global_key: str, user_key: str | None, switches: NoojeeSwitches) -> None:
        self._global_key = global_key
        self._user_key = user_key
        self._switches = switches
        self._issued: dict[str, float] = {}
        self._first_use: dict[str, float] = {}
        self._last_use: dict[str, float] = {}
        self.first_uses_in_flight = 0
        self.in_flight = 0

    def __repr__(self) -> str:
        """Return a text without the keys."""
        return f"Gate(in_flight={self.in_flight})"

    def issue(self, millis: int) -> None:
        """Note that `Time` gave this timestamp."""
        self._issued[str(millis)] = millis / 1000

    def too_many_pairs(self, now: float) -> bool:
        """Return whether `Time` must not give one more pair, where that is what counts."""
        fresh = [stamp for stamp, at in self._issued.items() if now - at <= FIRST_USE]
        unused = sum(stamp not in self._first_use for stamp in fresh)
        limit = self._switches.concurrency_limit
        return self._switches.concurrency == "unused_pairs" and unused >= limit

    def _too_many(self, *, first_use: bool) -> bool:
        limit = self._switches.concurrency_limit
        match self._switches.concurrency:
            case "first_uses":
                return first_use and self.first_uses_in_flight >= limit
            case "unused_pairs":
                return False
            case "in_flight":
                return self.in_flight > limit

    def judge(self, query: Mapping[str, str], now: float, facts: dict[str, Any]) -> Verdict:
        """Judge the credentials of one request and note in `facts` what was found."""
        signed, keyed = "hash" in query or "timeStamp" in query, "apiKey" in query
        facts["scheme"] = {
            (True, True): "both",
            (True, False): "signed",
            (False, True): "api_key",
            (False, False): "none",
        }[signed, keyed]
        if signed and keyed and self._switches.both_schemes == "refuse":
            return Verdict("SIM: two schemes at once")
        if keyed:
            return Verdict(self._key_error(query["apiKey"], facts))
        if signed:
            return self._pair(query.get("timeStamp", ""), query.get("hash", ""), now, facts)
        return Verdict("SIM: no credentials")

    def _key_error(self, key: str, facts: dict[str, Any]) -> str | None:
        facts["key_ok"] = hmac.compare_digest(key.encode(), self._global_key.encode())
        if facts["key_ok"]:
            return None
        if self._user_key is not None and hmac.compare_digest(
            key.encode(), self._user_key.encode()
        ):
            return "SIM: a user's key does not reach this"
        return "SIM: unknown key"

    def _pair(self, stamp: str, digest: str, now: float, facts: dict[str, Any]) -> Verdict:
        facts["hash_ok"] = hmac.compare_digest(
            digest.encode(), _sign(self._global_key, stamp).encode()
        )
        facts["stamp_issued"] = stamp in self._issued
        if not facts["hash_ok"]:
            if self._user_key and hmac.compare_digest(
                digest.encode(), _sign(self._user_key, stamp).encode()
            ):
                return Verdict("SIM: a user's key does not reach this")
            return Verdict("SIM: wrong hash")
        try:
            age = now - int(stamp) / 1000
        except ValueError:
            return Verdict("SIM: the timestamp is no number")
        facts["stamp_age"] = round(age, 3)
        first_use = stamp not in self._first_use
        facts["first_use"] = first_use
        if self._too_old(stamp, age, now, first_use=first_use):
            return Verdict(EXPIRED)
        if self._too_many(first_use=first_use):
            return Verdict("SIM: too many authentications at the same time")
        # A right pair is used from here on, whatever becomes of the request.
        self._first_use.setdefault(stamp, now)
        self._last_use[stamp] = now
        return Verdict(None, first_use)

    def _too_old(self, stamp: str, age: float, now: float, *, first_use: bool) -> bool:
        if first_use:
            return not -FIRST_USE <= age <= FIRST_USE
        match self._switches.hour_from:
            case "first_use":
                return now - self._first_use[stamp] > HOUR
            case "timestamp":
                return age > HOUR
            case "sliding":
                return now - self._last_use[stamp] > HOUR
            case "single_use":
                return True


def _sign(key: str, stamp: str) -> str:
    return hashlib.sha256(f"{key}:{stamp}".encode()).hexdigest()
