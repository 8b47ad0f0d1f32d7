# SPDX-License-Identifier: Apache-2.0
"""Answers for requests that are not carried out, all in the form of RFC 9457.

Besides `title`, `status` and `detail` each body has `fix`: what to do about it.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from offrecord.base.errors import Exit, UserError

MEDIA_TYPE: Final = "application/problem+json"

EXIT_STATUS: Final[Mapping[Exit, tuple[int, str]]] = {
    Exit.USAGE: (400, "The request cannot be carried out"),
    Exit.NOT_FOUND: (404, "There is no such thing"),
    Exit.DAEMON_DOWN: (503, "The daemon is about to end"),
    Exit.PBX_UNREACHABLE: (503, "The PBX is not reached"),
    Exit.JOURNAL: (503, "The journal cannot be read"),
    Exit.CONFIG: (503, "The tokens cannot be read"),
}
"""HTTP status and title by the exit code of a `UserError`; any other code is a fault of ours."""

_HTTP: Final[Mapping[int, tuple[str, str]]] = {
    400: ("The request is not understood", "send JSON in UTF-8"),
    404: ("Nothing is here", "see /openapi.json for what there is"),
    405: ("That method is not for this address", "see the header Allow"),
}

_log = structlog.stdlib.get_logger(__name__)


class Json(JSONResponse):
    """JSON in which names from a PBX may stand that are no UTF-8; they are escaped."""

    def render(self, content: Any) -> bytes:
        """Return the body."""
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8", "backslashreplace")


class ProblemBody(BaseModel):
    """Reason why a request was not carried out, and what to do about it (RFC 9457).

    Where a press was taken and ended badly, the members of its verdict stand beside these.
    """

    model_config = ConfigDict(extra="allow")

    title: str = Field(description="what kind of problem this is, in a few words")
    status: int = Field(description="the HTTP status")
    detail: str = Field(description="what is wrong, in a sentence for people")
    fix: str = Field(description="what to do about it")


class Problem(Exception):
    """A request that is not carried out. `more` are further members of the body."""

    def __init__(  # noqa: PLR0917 - the members of the body, in their order
        self,
        status: int,
        title: str,
        detail: str,
        fix: str,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = dict(headers or {})
        self.body = {**(more or {}), "title": title, "status": status, "detail": detail, "fix": fix}

    def response(self) -> Response:
        """Return it as an answer."""
        return Json(self.body, self.status, self.headers, MEDIA_TYPE)


def of_user_error(error: UserError) -> Problem:
    """Return the problem that a `UserError` is answered with."""
    status, title = EXIT_STATUS.get(error.exit, (500, "A fault in offrecord itself"))
    if status == 500 or error.exit is Exit.CONFIG:  # who asks may be anybody
        return Problem(status, title, "what is wrong stands in the daemon's log", "look there")
    return Problem(status, title, error.message, error.fix)


def answers(**described: str) -> dict[int | str, dict[str, Any]]:
    """Return descriptions of problems for the OpenAPI document: `answers(_404="no such press")`."""
    schema = {"$ref": "#/components/schemas/ProblemBody"}
    return {
        int(status.removeprefix("_")): {
            "description": text,
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        for status, text in described.items()
    }


CLOSED: Final = answers(
    _401="no token, or one that is not good any more",
    _422="the request is not understood",
    _429="too many requests; `Retry-After` says when the next will do",
    _503="the daemon, its journal or its tokens are not usable now",
)
"""Problems that any address that needs a token may answer."""

FORBIDDEN: Final = answers(_403="the token is not good for it")


async def plain_query(request: Request) -> None:
    """Refuse a query with an unknown name, or with one that is given twice.

    A filter that is misspelt would else be no filter. Raises `RequestValidationError`.
    """
    names = [name for name, _ in request.query_params.multi_items()]
    known = {one.alias for one in request.scope["route"].dependant.query_params}
    wrong = {name: "nobody knows this" for name in names if name not in known}
    wrong |= {name: "this is given twice" for name in known if names.count(name) > 1}
    if wrong:
        raise RequestValidationError(
            [{"loc": ("query", name), "msg": what} for name, what in wrong.items()]
        )


def handle(app: FastAPI) -> None:
    """Make an app answer every error as a problem."""

    async def own(_request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return error.response()

    async def user(_request: Request, error: Exception) -> Response:
        assert isinstance(error, UserError)
        problem = of_user_error(error)
        if problem.status >= 500:
            _log.error("api_cannot_answer", problem=str(error))
        return problem.response()

    async def http(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        title, fix = _HTTP.get(error.status_code, ("The request cannot be carried out", ""))
        detail = str(error.detail)
        return Problem(error.status_code, title, detail, fix, error.headers).response()

    async def invalid(_request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        wrong = _wrong(error.errors())
        detail = "; ".join(f"{one['at']}: {one['what']}" for one in wrong)
        fix = "see /openapi.json for what is asked for"
        more = {"errors": wrong}
        return Problem(422, "The request is not understood", detail, fix, more=more).response()

    async def fault(request: Request, error: Exception) -> Response:
        _log.error("api_fault", path=request.scope.get("path"), exc_info=error)
        detail = f"{type(error).__name__} at {request.method} {request.scope.get('path')}"
        fix = "report it with the lines `api_fault` of the daemon's log"
        return Problem(500, "A fault in offrecord itself", detail, fix).response()

    app.add_exception_handler(Problem, own)
    app.add_exception_handler(UserError, user)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, fault)


def _wrong(errors: Sequence[Any]) -> list[dict[str, str]]:
    """Return where a request is wrong, and how. What was given is not repeated: it may be secret.

    Names of members that nobody knows are part of what was given, so they are cut.
    """
    return [
        {"at": ".".join(str(step)[:40] for step in one["loc"]), "what": str(one["msg"])[:200]}
        for one in errors
    ]
