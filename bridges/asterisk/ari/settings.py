# SPDX-License-Identifier: Apache-2.0
"""Where ARI is and with which account, as `[ari]` of the configuration says it."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class AriSettings:
    """The address of ARI and the account for it.

    `url` is the address of Asterisk's HTTP server, with the `prefix` of http.conf if it has one.
    `app` names our application in Asterisk: no other client may use that name. `timeout` is
    seconds for one request.
    """

    url: str
    username: str
    secret: str = field(repr=False)
    ca_file: Path | None = None
    app: str = "offrecord"
    timeout: float = 2.0
