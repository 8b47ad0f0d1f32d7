# SPDX-License-Identifier: Apache-2.0
"""One request and what came back, as it may be shown and kept."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request on the wire, without key and hash.

    `operation` is `Time`, `stop` and so on; `request` the method and URL; `answer` what came
    back in a few words. `at` is seconds since the epoch, `took` seconds. `status` is None when
    no whole answer came. `sent` says that the request had begun to leave.
    """

    operation: str
    request: str
    answer: str
    at: float
    took: float
    status: int | None
    sent: bool
