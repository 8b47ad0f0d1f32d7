# SPDX-License-Identifier: Apache-2.0
"""Counting within any minute, in memory: a restart forgets. Needs no web framework.

`api/rate_limits` counts requests and presses with it, `token_guessing` wrong tokens.
"""

import math
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter


class PerMinute:
    """Allows each name `limit` occurrences within any 60 seconds."""

    def __init__(self, limit: int) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._limit = RateLimitItemPerMinute(limit)

    def count(self, name: str) -> int | None:
        """Count one occurrence; return None within the limit, else the seconds to wait, from 1.

        An occurrence beyond the limit is not counted.
        """
        if self._limiter.hit(self._limit, name):
            return None
        over = self._limiter.get_window_stats(self._limit, name).reset_time - time.time()
        return max(1, math.ceil(over))
