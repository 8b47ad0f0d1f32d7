# SPDX-License-Identifier: Apache-2.0
"""How often somebody may do something: counted in memory over any minute, forgotten on a restart.

No FastAPI here, so that the page's login counts with the same.
"""

import ipaddress
import math
import time
from typing import Final

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from offrecord.config.sections.http import ApiConfig

_V6_NETWORK: Final = 64
"""Bits of an IPv6 address that say where somebody is; the rest they choose themselves."""


class Rates:
    """Counts requests and presses by client, and wrong tokens by address.

    Each method counts one and returns None while that is within the limit, else the whole seconds
    after which one more will be.
    """

    def __init__(self, settings: ApiConfig) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._requests = RateLimitItemPerMinute(settings.requests_per_minute)
        self._presses = RateLimitItemPerMinute(settings.presses_per_minute)
        self._failures = RateLimitItemPerMinute(settings.failed_logins_per_minute)

    def request(self, client: str) -> int | None:
        """Count a request of a client."""
        return self._count(self._requests, "request", client)

    def press(self, client: str) -> int | None:
        """Count a press of a client."""
        return self._count(self._presses, "press", client)

    def failure(self, address: str) -> int | None:
        """Count a wrong token from an address."""
        return self._count(self._failures, "failure", network(address))

    def _count(self, item: RateLimitItem, what: str, who: str) -> int | None:
        if self._limiter.hit(item, what, who):
            return None
        over = self._limiter.get_window_stats(item, what, who).reset_time - time.time()
        return max(1, math.ceil(over))


def network(address: str) -> str:
    """Return what one party may be behind: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if ip.version == 4:
        return str(ip)
    return str(ip.ipv4_mapped or ipaddress.ip_network((ip, _V6_NETWORK), strict=False))
