# SPDX-License-Identifier: Apache-2.0
"""The section about presses: how long one may take, when two count as one."""

from pydantic import Field

from offrecord.config.fields import Seconds, Section


class PressConfig(Section):
    """`[press]`: how long a press may take, and what counts as the same press."""

    join_window: float = Field(
        default=3.0, ge=0, le=60, description="seconds (0 to 60) within which two presses are one"
    )
    budget: Seconds = Field(
        default=5.0, description="seconds that the recorders have, retries included"
    )
    wait_known: float = Field(
        default=3.0,
        ge=0,
        le=60,
        description="seconds (0 to 60) to wait for a view of the PBX's calls",
    )
