# SPDX-License-Identifier: Apache-2.0
"""The headers, templates and static files of the page's answers, and reading its forms."""

import asyncio
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response

from bridges.model import Outcome
from offrecord.web.page import labels

PREFIX: Final = "/page"
"""Path of the page."""

_LARGEST: Final = 8192
"""Bytes that a form may have."""

_PATIENCE: Final = 5.0
"""Seconds that a form may take to arrive."""

_FIELDS: Final = 20

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": CSP,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with none, a browser hides the origin of its own forms
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""On every answer; a static file may be cached, as its address contains a hash of its content."""

_TYPES: Final = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


class Refused(Exception):
    """A request that is not answered as asked; `status` is of HTTP, `why` for people."""

    def __init__(self, status: int, title: str, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.title = title
        self.why = why


@cache
def _files() -> Mapping[str, bytes]:
    folder = files("offrecord.web.page") / "static"
    return {name: (folder / name).read_bytes() for name in _TYPES}


def static(name: str) -> Response:
    """Return our own script, style or icon, to be cached: its address changes with its content.

    Raises `Refused`.
    """
    if name not in _files():
        raise Refused(404, "Not found", "nothing is here")
    kept = {**HEADERS, "Cache-Control": "public, max-age=31536000, immutable"}
    return Response(_files()[name], media_type=_TYPES[name], headers=kept)


@cache
def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("offrecord.web.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    urls = {
        name: f"{PREFIX}/static/{name}?v={hashlib.sha256(data).hexdigest()[:16]}"
        for name, data in _files().items()
    }
    made.globals.update(
        base=PREFIX,
        urls=urls,
        outcome=labels.outcome,
        outcomes=[(one.value, labels.outcome(one).word) for one in Outcome],
        states=labels.STATES,
        evidences=labels.EVIDENCE,
        proof=labels.proof,
        left=labels.left,
    )
    made.filters.update(
        moment=labels.moment,
        clock=labels.clock,
        machine=labels.machine,
        span=labels.span,
        evidence=labels.evidence,
    )
    return made


def text(name: str, **given: Any) -> str:
    """Return a template filled in. Lone surrogates in names from a PBX are escaped for UTF-8."""
    made = _templates().get_template(name).render(**given)
    return made.encode("utf-8", "backslashreplace").decode()


def page(name: str, status: int = 200, /, **given: Any) -> Response:
    """Return a template filled in, as an answer."""
    return HTMLResponse(text(name, **given), status, headers=HEADERS)


async def form(request: Request) -> dict[str, str]:
    """Return the fields of a form that our own page sent. Raises `Refused`."""
    _same_origin(request)
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise Refused(415, "Not a form", "send a form")
    body = b""
    try:
        async with asyncio.timeout(_PATIENCE):
            async for part in request.stream():
                body += part
                if len(body) > _LARGEST:
                    raise Refused(413, "Too large", "the form is too large")
    except TimeoutError:
        raise Refused(408, "Too slow", "the form did not arrive in time") from None
    except ClientDisconnect:
        raise Refused(400, "Gone", "the form did not arrive") from None
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS))
    except ValueError:
        raise Refused(400, "Not a form", "the form cannot be read") from None


def _same_origin(request: Request) -> None:
    """Raise `Refused` for a form sent from another site's page, by the headers browsers set."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin")
    here = request.headers.get("host", "")
    if site not in {"same-origin", "none"} or (origin and urlsplit(origin).netloc != here):
        raise Refused(403, "From elsewhere", "the form was sent from another site's page")


def wants_json(request: Request) -> bool:
    """Return whether the request is from the page's script, which takes its answer as JSON."""
    return request.headers.get("accept", "").startswith("application/json")
