# SPDX-License-Identifier: Apache-2.0
"""The live calls over HTTP, what a press on one would do, and the daemon's status.

What a call shows is found in `offrecord.status.live_view`. The event stream is in `events`, presses
are in `presses`.
"""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from bridges.model import Verb
from offrecord.assembly.service import DaemonService
from offrecord.status.view_types import CallView, DaemonStatus, LiveCalls, to_json
from offrecord.web.api.auth import TokenAuth
from offrecord.web.api.problems import CLOSED, FORBIDDEN, Json, answers, plain_query
from offrecord.web.api.schemas import Line
from offrecord.web.tokens import Client, Scope


def router(service: DaemonService, auth: TokenAuth) -> APIRouter:
    """Return the routes that show the live calls."""
    made = APIRouter(prefix="/v1", tags=["looking in"], dependencies=[Depends(plain_query)])
    reader = Annotated[Client, Depends(auth.needs(Scope.READ))]

    @made.get(
        "/calls",
        summary="The live calls, with a badge per recorder",
        responses={200: {"model": LiveCalls}, **CLOSED, **FORBIDDEN},
        response_model=None,
    )
    async def calls(
        _client: reader,
        target: Annotated[
            Line | None,
            Query(description="only calls with this extension, uniqueid, linkedid or channel"),
        ] = None,
    ) -> Response:
        """Show the live calls as `offrecord calls` and the page do. The scope `read` is needed."""
        live = service.calls()
        if target is not None:
            live = replace(live, calls=tuple(c for c in live.calls if target in _names(c)))
        return Json(to_json(live))

    @made.get(
        "/explain",
        summary="What a press would do",
        responses={
            200: {"model": dict[str, Any]},
            **CLOSED,
            **FORBIDDEN,
            **answers(_404="no live call is meant"),
        },
        response_model=None,
    )
    async def explain(
        _client: reader,
        target: Annotated[Line, Query(description="an extension, uniqueid, linkedid or channel")],
        verb: Annotated[Verb, Query(description="what would be pressed")] = Verb.STOP,
        agent: Annotated[
            Line | None, Query(description="the recorders' name for the person")
        ] = None,
    ) -> Response:
        """Show the whole decision: legs, policy, routes, exact requests. Nothing is sent.

        The scope `read` is needed.
        """
        return Json(await service.explain(target, verb, "http", agent))

    @made.get(
        "/status",
        summary="How things are",
        responses={200: {"model": DaemonStatus}, **CLOSED, **FORBIDDEN},
        response_model=None,
    )
    async def status(_client: reader) -> Response:
        """Show the link to the PBX, the journal and the recorders. The scope `read` is needed."""
        return Json(to_json(service.status()))

    return made


def _names(call: CallView) -> set[str]:
    """Return everything that a target may name a call by."""
    channels = [name for one in call.channels for name in (one.channel, one.uniqueid)]
    extensions = [one.extension for one in call.channels if one.extension]
    return {call.call, *call.extensions, *channels, *extensions}
