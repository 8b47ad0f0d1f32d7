# SPDX-License-Identifier: Apache-2.0
"""The addresses `/healthz`, `/readyz` and `/metrics`, for supervisors and Prometheus.

How a part of the daemon is judged is in `offrecord.status.health`, what is counted in
`offrecord.status.metrics`.
"""

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from offrecord.config.fields import is_loopback
from offrecord.status.health import Health
from offrecord.status.metrics import CONTENT_TYPE, Metrics
from offrecord.web.api.auth import Given, TokenAuth
from offrecord.web.api.problems import answers
from offrecord.web.tokens import Scope

_TEXT: Final = {"text/plain": {"schema": {"type": "string"}}}


def router(auth: TokenAuth, health: Health, metrics: Metrics, *, open_metrics: bool) -> APIRouter:
    """Return the routes.

    With `open_metrics` a client on this machine needs no token for the metrics.
    """
    made = APIRouter(tags=["health"])

    @made.get(
        "/healthz",
        summary="Whether the process lives",
        response_class=PlainTextResponse,
        responses={200: {"description": "it lives", "content": _TEXT}},
        response_model=None,
    )
    async def healthz() -> Response:
        """Answer as long as the process does. No token is needed."""
        return PlainTextResponse("alive\n")

    @made.get(
        "/readyz",
        summary="Whether presses can be carried out",
        response_class=PlainTextResponse,
        responses={
            200: {"description": "ready", "content": _TEXT},
            503: {"description": "not ready; the lines that count say why", "content": _TEXT},
        },
        openapi_extra={"security": [{}]},  # as well as the token: it may be left out
        response_model=None,
    )
    async def readyz(given: Given) -> Response:
        """Show a line per component: the link, the calls, the journal, FastAGI, each recorder.

        No token is needed; with one that has the scope `read` the lines have names and details.
        The last answer of a recorder is shown and does not count: a daemon whose recorder is
        away still has to take presses and tell the truth.
        """
        client = auth.known(given)
        known = client is not None and client.may(Scope.READ)
        parts = health.components()
        text = "".join(f"{one.line(detailed=known)}\n" for one in parts)
        ready = all(one.ok for one in parts if one.counts)
        return PlainTextResponse(text, 200 if ready else 503)

    @made.get(
        "/metrics",
        summary="Figures for Prometheus",
        response_class=PlainTextResponse,
        responses={
            200: {"description": "the text format of Prometheus", "content": _TEXT},
            **answers(
                _401="no token, or one that is not good any more",
                _403="the token is not good for it",
                _429="too many requests",
                _503="the tokens are not usable now",
            ),
        },
        response_model=None,
    )
    async def figures(request: Request, given: Given) -> Response:
        """Show the metrics.

        The scope `metrics` is needed, unless the site shows them to its own machine.
        """
        here = request.client is not None and is_loopback(request.client.host)
        if not (open_metrics and here and given is None):
            auth.enter(request, given, Scope.METRICS)
        return Response(metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    return made
