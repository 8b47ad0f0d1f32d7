# SPDX-License-Identifier: Apache-2.0
"""Presses over HTTP, and reading them back from the journal.

Which scope a press needs is named here and enforced in `auth`.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from bridges.model import Outcome
from offrecord import journal
from offrecord.assembly.service import DaemonService
from offrecord.journal.reader import PressSummary
from offrecord.model.press import END_OBJECTION
from offrecord.presses.intake import replies
from offrecord.status.view_types import RecordView, to_json
from offrecord.web.api.auth import TokenAuth
from offrecord.web.api.problems import CLOSED, Json, Problem, answers, plain_query
from offrecord.web.api.schemas import (
    PENDING,
    STATUS,
    TITLES,
    Acknowledged,
    Line,
    Moment,
    Pending,
    PressId,
    PressRequest,
    Verdict,
    moment,
)
from offrecord.web.tokens import Client, Scope

T = TypeVar("T")

RECENT: Final = 86_400_000
"""Milliseconds back to which the scope `read` is good for; the scope `audit` for all."""

_READERS: Final = 2
"""Searches in the journal at the same time: they must not take the threads that presses need."""


def router(
    service: DaemonService, auth: TokenAuth, now: Callable[[], float] = time.time
) -> APIRouter:
    """Return the routes that take and show presses. `now` returns seconds since the epoch."""
    made = APIRouter(prefix="/v1/presses", tags=["presses"], dependencies=[Depends(plain_query)])
    reading = asyncio.Semaphore(_READERS)
    presser = Annotated[Client, Depends(auth.needs(Scope.PRESS))]
    reader = Annotated[Client, Depends(auth.needs(Scope.READ))]

    async def read(look: Callable[[], T]) -> T:
        async with reading:
            return await asyncio.to_thread(look)

    @made.post(
        "",
        summary="Press: stop, pause, resume, start, objection",
        response_model=None,
        responses={
            200: {"model": Verdict, "description": "done and proven, or nothing was recording"},
            202: {
                "model": Verdict | Pending,
                "description": "accepted by a recorder that gives no proof, or still under way",
            },
            **CLOSED,
            **answers(
                _400="the body is no text in UTF-8",
                _403="the token is not good for it; with `outcome`: the site's policy denies it",
                _404="no recorder is called like that; with `outcome`: no such call is live",
                _408="the body came too slowly",
                _413="the body is too long",
                _502="it failed: take it that the call is being recorded",
            ),
        },
    )
    async def press(asked: PressRequest, client: presser) -> Response:
        """Press on a call and wait for the verdict.

        The scope `press` is needed. The status goes by the outcome; from 400 on the body has the
        members of a problem as well as those of the verdict. A press that has not ended after
        `wait` seconds goes on: see `GET /v1/presses/{press}`.
        """
        return await _press(service, auth, asked, client)

    @made.post(
        "/{press}/ack",
        summary="Say that you know of a failed press",
        responses={200: {"model": Acknowledged}, **CLOSED, **_MISSING},
        response_model=None,
    )
    async def ack(press: PressId, _client: presser) -> Response:
        """End the repeated failure tone of a press. Trying goes on all the same.

        The scope `press` is needed.
        """
        service.ack(press)
        return Json({"press": press, "acknowledged": True})

    @made.get(
        "",
        summary="Presses, newest first",
        responses={200: {"model": list[PressSummary]}, **CLOSED, **answers(_403=_TOO_OLD)},
        response_model=None,
    )
    async def presses(  # noqa: PLR0917 - the filters of `offrecord presses`
        client: reader,
        since: Annotated[
            Moment | None, Query(description="a span such as `2h`, or a time with its zone")
        ] = None,
        call: Annotated[
            Line | None, Query(description="a linkedid, uniqueid, channel or target")
        ] = None,
        agent: Annotated[
            Line | None, Query(description="the recorders' name for the person")
        ] = None,
        outcome: Annotated[Outcome | None, Query(description="how they ended")] = None,
        limit: Annotated[int, Query(ge=1, le=1000, description="at most so many")] = 50,
    ) -> Response:
        """List presses from the journal.

        The scope `read` is needed, and is good for the last 24 hours; with `audit` as well for
        all of the journal.
        """
        at = round(now() * 1000)
        oldest = 0 if client.may(Scope.AUDIT) else at - RECENT
        begin = oldest if since is None else moment(since, at)
        if begin < oldest:
            raise _too_old(client)
        found = await read(
            partial(
                journal.presses,
                service.journal,
                since=max(begin, 0),
                call=call,
                agent=agent,
                outcome=outcome,
                limit=limit,
            )
        )
        return Json([to_json(one) for one in found])

    @made.get(
        "/{press}",
        summary="All that the journal knows of one press",
        responses={
            200: {"model": list[RecordView]},
            **CLOSED,
            **_MISSING,
            **answers(_403=_TOO_OLD),
        },
        response_model=None,
    )
    async def show(press: PressId, client: reader) -> Response:
        """Show the records of a press in order: its time line.

        The scope `read` is needed, and `audit` as well for a press of more than 24 hours ago.
        """
        found = await read(partial(journal.show, service.journal, press))
        if not found:
            raise Problem(
                404, "There is no such press", f"the journal has no press {press}",
                "GET /v1/presses lists them",
            )  # fmt: skip
        if not client.may(Scope.AUDIT) and found[0].at < now() * 1000 - RECENT:
            raise _too_old(client)
        return Json([to_json(RecordView(r.seq, r.at, r.kind, r.body)) for r in found])

    return made


async def _press(
    service: DaemonService, auth: TokenAuth, asked: PressRequest, client: Client
) -> Response:
    wait = auth.rates.press(client.name)
    if wait is not None:
        auth.too_many(wait, f"{client.name} pressed too often within a minute")
    options = {"client": client.name}
    if asked.end_objection:
        options[END_OBJECTION] = "yes"
    handle = service.intake.press(
        asked.verb, "http", asked.target, agent=asked.agent, recorder=asked.recorder,
        options=options,
    )  # fmt: skip
    body: dict[str, Any] = {}
    async for reply in replies(handle, asked.wait):
        body.update(reply)
    return answer(body)


def answer(body: Mapping[str, Any]) -> Response:
    """Return the answer about a press, with the status of its outcome."""
    outcome = body["outcome"]
    headers = {"Location": f"/v1/presses/{body['press']}"} if outcome == PENDING else None
    if STATUS[outcome] < 400:
        return Json(body, STATUS[outcome], headers)
    title, fix = TITLES[outcome]
    fix = fix.replace("{press}", str(body["press"]))
    return Problem(STATUS[outcome], title, str(body["text"]), fix, more=body).response()


def _too_old(client: Client) -> Problem:
    return Problem(
        403, "The token is not good for this",
        f"the token of {client.name} is good for presses of the last 24 hours: the journal before"
        " that needs the scope audit",
        "ask for less, or make a token with --scope audit as well",
        {"WWW-Authenticate": 'Bearer realm="offrecord", error="insufficient_scope", scope="audit"'},
        {"scope": Scope.AUDIT.value},
    )  # fmt: skip


_TOO_OLD: Final = "the token is not good for it, or not for what is that long ago"
_MISSING: Final = answers(_403="the token is not good for it", _404="there is no such press")
