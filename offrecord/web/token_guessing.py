# SPDX-License-Identifier: Apache-2.0
"""One count of wrong tokens by address, whether they came to the API or to the page's login.

A good token is let in whatever its address sent before: with 256 random bits there is nothing to
guess, and behind a proxy everybody has one address. The count keeps the log and the machine calm.
Which scope a token has, and which one an address needs, is decided elsewhere: `tokens`, `api/auth`.
"""

import ipaddress
from typing import Final

from offrecord.web.per_minute import PerMinute

_V6_NETWORK: Final = 64
"""Bits of an IPv6 address that name the network; a client chooses the other bits itself."""


class WrongTokens:
    """Allows each address `limit` wrong tokens within any minute."""

    def __init__(self, limit: int) -> None:
        self._counts = PerMinute(limit)

    def count(self, address: str) -> int | None:
        """Count a wrong token; return None within the limit, else the seconds to wait, from 1."""
        return self._counts.count(network(address))


def network(address: str) -> str:
    """Return the address of one party: an IPv4 address, or the /64 network of an IPv6 address.

    Anything else is returned as it is.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if ip.version == 4:
        return str(ip)
    return str(ip.ipv4_mapped or ipaddress.ip_network((ip, _V6_NETWORK), strict=False))
