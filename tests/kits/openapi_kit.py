# SPDX-License-Identifier: Apache-2.0
"""Requests and answers against an OpenAPI 3.1 document, as text; `openapi-core` does the checking.

A document describes a vendor as its simulator speaks. `openapi-core` lets unknown query
parameters pass; here they are errors too, because a misspelt parameter is what goes unnoticed.
"""

import functools
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from openapi_core import OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError
from openapi_core.templating.paths.finders import APICallPathFinder
from werkzeug.datastructures import Headers, ImmutableMultiDict


class Mismatch(AssertionError):
    """A request or an answer that the document does not allow; the text says why."""


class _Request:
    """One request as `openapi-core` wants to see it."""

    def __init__(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> None:
        parts = urlsplit(url)
        given = Headers(list(headers.items()))
        self.host_url = f"{parts.scheme}://{parts.netloc}"
        self.path = unquote(parts.path)
        self.method = method.lower()
        self.body = body or None
        self.content_type = given.get("content-type", "").lower()
        self.pairs = parse_qsl(parts.query, keep_blank_values=True)
        cookies = dict(
            pair.strip().partition("=")[::2] for pair in given.get("cookie", "").split(";") if pair
        )
        self.parameters = RequestParameters(
            path={},
            query=ImmutableMultiDict(self.pairs),
            header=given,
            cookie=ImmutableMultiDict(cookies),
        )


class _Response:
    """One answer as `openapi-core` wants to see it."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status_code = status
        self.headers = Headers(list(headers.items()))
        self.content_type = self.headers.get("content-type", "").lower()
        self.data = body or None


@functools.cache
def _load(document: str) -> tuple[OpenAPI, Any]:
    spec = OpenAPI.from_dict(json.loads(document))
    return spec, APICallPathFinder(spec.spec)


def check_request(
    document: str, method: str, url: str, headers: Mapping[str, str], body: bytes
) -> None:
    """Check one request, credentials included. `url` is whole, as it went over the wire.

    Raises `Mismatch` for a path, method, parameter, header or body that `document` does not have.
    """
    spec, finder = _load(document)
    request = _Request(method, url, headers, body)
    try:
        found = finder.find(request.method, request.host_url + request.path)
        spec.validate_request(request)
    except OpenAPIError as error:
        raise Mismatch(f"{method} {url}: {_why(error)}") from error
    known = {
        parameter["name"]
        for level in (found.path, found.operation)
        if "parameters" in level
        for parameter in level / "parameters"
        if parameter["in"] == "query"
    }
    strange = {name for name, _ in request.pairs} - known
    if strange:
        raise Mismatch(f"{method} {url}: unknown query parameters {sorted(strange)}")
    if body and "requestBody" not in found.operation:
        raise Mismatch(f"{method} {url}: a body where none belongs")


def check_response(
    document: str,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    status: int,
    answer: bytes,
    answer_headers: Mapping[str, str],
) -> None:
    """Check the answer to a request: `headers` and `body` are the request's.

    Raises `Mismatch` for a status, content type or body that `document` does not have.
    """
    spec, _ = _load(document)
    request = _Request(method, url, headers, body)
    response = _Response(status, answer_headers, answer)
    try:
        spec.validate_response(request, response)
    except OpenAPIError as error:
        raise Mismatch(f"{method} {url} -> {status}: {_why(error)}") from error


def _why(error: BaseException) -> str:
    """Return what an error says, with every finding of a schema under it."""
    said: list[str] = []
    seen: BaseException | None = error
    while seen is not None:
        said.append(str(seen) or type(seen).__name__)
        said += [str(one.message) for one in getattr(seen, "schema_errors", ())]
        seen = seen.__cause__
    return "; ".join(dict.fromkeys(said))
