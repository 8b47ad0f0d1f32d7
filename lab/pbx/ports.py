# SPDX-License-Identifier: Apache-2.0
"""Free ports on loopback for the servers of the laboratory."""

import random
import socket

_RTP_FIRST, _RTP_LAST, _RTP_COUNT = 10000, 31800, 200


def free_tcp() -> int:
    """Return a TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_udp() -> int:
    """Return a UDP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_rtp_block(count: int = _RTP_COUNT) -> tuple[int, int]:
    """Return the first and last of `count` free UDP ports for one Asterisk's media.

    The range lies below the kernel's ephemeral ports; two Asterisks in one range would hear
    each other's calls.
    """
    for _ in range(200):
        first = random.randrange(_RTP_FIRST, _RTP_LAST, _RTP_COUNT)  # noqa: S311 - not a secret
        if all(_udp_is_free(port) for port in range(first, first + count, 10)):
            return first, first + count - 1
    raise OSError("no free UDP range for RTP on 127.0.0.1")


def _udp_is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
