# SPDX-License-Identifier: Apache-2.0
"""Write requests: paths, parameters, the server's address; and keep what was exchanged. Pure.

Every parameter is in the query string, percent-encoded, a space as `%20`; the body is empty and
the method always POST. Names are case-sensitive. Paths: `servicemanager/rest` for the call verbs
and `Time`, `njadmin/rest` for recording metadata.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

import httpx

API_PATH: Final = "/servicemanager/rest"
ADMIN_PATH: Final = "/njadmin/rest"

TIME: Final = "Time"
STOP: Final = "CallManagementAPI/stop"
START: Final = "CallManagementAPI/start"
HANGUP: Final = "CallManagementAPI/hangup"
SUBSCRIBE: Final = "CallManagementAPI/subscribe"
BY_TAG: Final = "RecordingAPI/retrieveMetaData"
BY_UNIQUE_ID: Final = "RecordingAPI/retrieveMetaDataByUniqueId"
BY_HOUR: Final = "RecordingAPI/retrieveMetaDataByHour"

Parameters = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer, without key and hash.

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


def query(parameters: Parameters) -> str:
    """Return the query string, without its question mark.

    Raises `ValueError` for a text that UTF-8 cannot carry.
    """
    try:
        return "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters)
    except UnicodeEncodeError:
        raise ValueError("a parameter holds half of a surrogate pair") from None


def origin(base_url: str, *, plain_http: bool) -> str:
    """Return scheme, host and port of the server's address.

    Raises `ValueError` when the address is no such thing, or is `http` to another machine
    without `plain_http`: key and hash travel in the URL, so plain HTTP gives them away.
    """
    try:
        url = httpx.URL(base_url)
        host = url.host
    except (httpx.InvalidURL, TypeError):
        raise ValueError("the address of the server is no URL") from None
    if url.scheme not in {"http", "https"} or not host:
        raise ValueError(f"{base_url!r} is no server address; it looks like https://pbx.example")
    if url.userinfo or url.query or url.fragment:
        raise ValueError("the address of the server holds more than scheme, host and port")
    if url.path not in {"", "/"}:
        raise ValueError(
            f"the address of the server ends after host and port; {url.path!r} is too much"
        )
    if url.scheme == "http" and not plain_http and not is_loopback(host):
        raise ValueError(
            f"{base_url!r} would send credentials in the clear; use https, "
            "or allow it by plain_http"
        )
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


def is_loopback(host: str) -> bool:
    """Return whether `host` names this machine: `localhost` or a loopback address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def path(value: str) -> str:
    """Return a base path with one slash before it and none after.

    Raises `ValueError` for one that holds a query or white space.
    """
    if any(c in "?#\\" or c.isspace() or not c.isascii() for c in value):
        raise ValueError(f"{value!r} is no base path; it looks like {API_PATH}")
    inner = value.strip("/")
    return f"/{inner}" if inner else ""
