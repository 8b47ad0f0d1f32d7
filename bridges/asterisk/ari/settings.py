# SPDX-License-Identifier: Apache-2.0
"""Where ARI is and with which account, as `[ari]` of the configuration says it."""

from dataclasses import dataclass, field
from pathlib import Path

import httpx

from noojee import wire


@dataclass(frozen=True, slots=True)
class AriSettings:
    """The address of ARI and the account for it.

    `url` is the address of Asterisk's HTTP server, with the `prefix` of http.conf if it has one.
    `app` names our application in Asterisk: no other client may use that name. `timeout` is
    seconds for one request. Raises `ValueError` for an address that cannot be used.
    """

    url: str
    username: str
    secret: str = field(repr=False)
    ca_file: Path | None = None
    app: str = "offrecord"
    timeout: float = 2.0

    def __post_init__(self) -> None:
        """Refuse an address that cannot be used."""
        check_url(self.url)


def check_url(text: str) -> None:
    """Raise `ValueError` for what is no address, or would send the secret in the clear."""
    try:
        url = httpx.URL(text)
        server = str(url.copy_with(path="/"))
    except httpx.InvalidURL:
        raise ValueError("this is no address; it looks like http://127.0.0.1:8088") from None
    wire.origin(server, plain_http=False)
    wire.path(url.path)
    if url.path.rstrip("/").endswith("/ari"):
        raise ValueError("the address ends before /ari, such as http://127.0.0.1:8088")
