# SPDX-License-Identifier: Apache-2.0
"""The section of the configuration about the HTTP API, the page and the metrics.

They are served at the address that `[http]` names.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from offrecord.config.fields import AnyPath, Section

PerMinute = Annotated[int, Field(ge=1, le=100_000)]


class ApiConfig(Section):
    """`[api]`: the HTTP API, the page and the metrics, at the address of `[http]`."""

    enabled: bool = Field(
        default=False, description="true to serve the API; `[http]` must be enabled too"
    )
    page: bool = Field(default=True, description="false to serve the API without the page")
    tokens: AnyPath = Field(
        default=Path("/var/lib/offrecord/tokens.json"),
        description="the path of the file with the tokens' hashes, kept by offrecord token",
    )
    requests_per_minute: PerMinute = Field(
        default=600, description="requests that one token may make in any minute (1 to 100000)"
    )
    presses_per_minute: PerMinute = Field(
        default=120, description="presses that one token may make in any minute (1 to 100000)"
    )
    failed_logins_per_minute: PerMinute = Field(
        default=10, description="wrong tokens that one address may try in any minute (1 to 100000)"
    )
    streams: int = Field(
        default=20, ge=1, le=80, description="event streams open at the same time (1 to 80)"
    )
    open_metrics: bool = Field(
        default=False, description="true to show /metrics without a token to this machine itself"
    )
