# SPDX-License-Identifier: Apache-2.0
"""The address of a webhook, split into the parts that `HttpLine` needs."""

from typing import NamedTuple


class Address(NamedTuple):
    """A webhook's address: `origin` is scheme, host and port; `target` is path and query."""

    origin: str
    target: str


def split(url: str, *, plain_http: bool = False) -> Address:
    """Return the parts of a webhook's address.

    Raises `ValueError` when `url` is no address, is `http` to another machine without
    `plain_http`, or holds a user or a fragment. The error never shows the query, which may carry
    a token.
    """
    # Every command reads the configuration, and hardly any needs an HTTP library.
    import httpx

    from noojee import wire

    try:
        parsed = httpx.URL(url)
        port = f":{parsed.port}" if parsed.port else ""
        host = f"[{parsed.host}]" if ":" in parsed.host else parsed.host
    except (httpx.InvalidURL, TypeError, ValueError):
        raise ValueError("the webhook is no URL; it looks like https://desk.example/hook") from None
    if parsed.userinfo or parsed.fragment:
        raise ValueError("the webhook's address holds a user or a fragment; remove it")
    try:
        origin = wire.origin(f"{parsed.scheme}://{host}{port}", plain_http=plain_http)
    except ValueError:
        if parsed.scheme == "http" and host:
            raise ValueError(
                f"verdicts would go to {host} in the clear: use https, "
                "or accept it by `webhook_plain_http = true`"
            ) from None
        raise ValueError("the webhook is no URL; it looks like https://desk.example/hook") from None
    return Address(origin, parsed.raw_path.decode("ascii") or "/")
