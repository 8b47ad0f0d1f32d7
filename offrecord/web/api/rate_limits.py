# SPDX-License-Identifier: Apache-2.0
"""Limits on a client's requests and presses within any minute; beyond them the answer is 429.

The page counts its presses here, too. Wrong tokens are counted in `offrecord.web.token_guessing`,
the size of a request is limited in `body_limits`.
"""

from offrecord.config.sections.http import ApiConfig
from offrecord.web.per_minute import PerMinute


class Rates:
    """Counts requests and presses by the name of the client, as `[api]` limits them.

    Each method counts one and returns None within the limit, else the seconds to wait, from 1.
    """

    def __init__(self, settings: ApiConfig) -> None:
        self.request = PerMinute(settings.requests_per_minute).count
        self.press = PerMinute(settings.presses_per_minute).count
