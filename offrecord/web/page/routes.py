# SPDX-License-Identifier: Apache-2.0
"""The addresses of the page, and which scope each needs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final
from urllib.parse import urlencode

import structlog
from fastapi import APIRouter
from sse_starlette import ServerSentEvent
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from bridges.model import Outcome, Verb
from offrecord.assembly.service import DaemonService
from offrecord.base.errors import UserError
from offrecord.model.verdict import Verdict
from offrecord.web.event_stream import SEND, TimeoutEventStream
from offrecord.web.page import history, responses, timeline
from offrecord.web.page.history import FOUND, NARROW, SPANS, Search
from offrecord.web.page.labels import outcome as look_of
from offrecord.web.page.live_stream import Render, Streams, event, now
from offrecord.web.page.responses import HEADERS, PREFIX, Refused, form, wants_json
from offrecord.web.page.sessions import LASTS, Session, Sessions
from offrecord.web.token_guessing import WrongTokens
from offrecord.web.tokens import Client, Scope, Tokens

BEAT: Final = 5.0
"""Seconds between two signs of life to an open page; without two it says that it is not live."""

_WAIT: Final = 8.0
"""Seconds that a button waits for its verdict."""

_REFRESH: Final = 15
"""Seconds after which a page without script loads itself again."""

_VERBS: Final = (Verb.STOP, Verb.PAUSE, Verb.RESUME)
_LONG: Final = 200

Handler = Callable[[Request], Awaitable[Response]]
Often = Callable[[str], int | None]


class _NoSession(Exception):
    """The request has no session, or one that is over."""


class _Pages:
    """The handlers of one router."""

    def __init__(
        self,
        service: DaemonService,
        tokens: Tokens,
        wrong_tokens: WrongTokens,
        sessions: Sessions,
        *,
        secure: bool,
        beat: float,
        patience: float,
        ending: Callable[[], bool],
        often: Often,
    ) -> None:
        self._service = service
        self._tokens = tokens
        self._sessions = sessions
        self._secure = secure
        self._beat = beat
        self._often = often
        self._wrong_tokens = wrong_tokens
        self._patience = patience
        # With this prefix a browser accepts the cookie from this host only, and over TLS only.
        self._cookie = "__Host-offrecord" if secure else "offrecord"
        self._render = Render(service)
        self._streams = Streams(service, self._render, beat, ending)
        self._log = structlog.get_logger()

    # Every request

    def shield(self, handler: Handler) -> Handler:
        """Return the handler with its errors turned into answers."""

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except _NoSession:
                return self._to_login(request)
            except Refused as problem:
                status, title, why = problem.status, problem.title, problem.why
            except UserError as problem:
                status, title, why = 503, "Not now", str(problem)
            if wants_json(request):
                return JSONResponse({"error": why}, status, headers=HEADERS)
            return responses.page("refused.html", status, title=title, why=why)

        return answer

    def _who(self, request: Request) -> tuple[Session, Client]:
        found = self._sessions.find(request.cookies.get(self._cookie))
        if found is None:
            raise _NoSession
        return found

    def _to_login(self, request: Request) -> Response:
        if wants_json(request):
            return JSONResponse({"error": "log in again"}, 401, headers=HEADERS)
        ended = "1" if self._cookie in request.cookies else "0"
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        query = urlencode({"ended": ended, "next": here if request.method == "GET" else ""})
        return RedirectResponse(f"{PREFIX}/login?{query}", 303, headers=HEADERS)

    async def _sent(self, request: Request) -> tuple[Session, Client, dict[str, str]]:
        """Return the session, client and fields of a form. Raises `Refused`."""
        session, client = self._who(request)
        fields = await form(request)
        if not session.sent(fields.get("csrf", "")):
            raise Refused(403, "Not our form", "the form was not of this session; load it again")
        return session, client, fields

    def _page(self, name: str, session: Session, client: Client, **given: Any) -> Response:
        return responses.page(
            name, client=client, csrf=session.csrf, may_press=client.may(Scope.PRESS), now=now(),
            **given,
        )  # fmt: skip

    # Login and logout

    async def login_form(self, request: Request) -> Response:
        """Show the form for the token."""
        query = request.query_params
        if self._sessions.find(request.cookies.get(self._cookie)):
            return RedirectResponse(_target(query.get("next", "")), 303, headers=HEADERS)
        return self._login_page("", ended=query.get("ended") == "1", to=query.get("next", ""))

    def _login_page(
        self, problem: str, status: int = 200, *, ended: bool = False, to: str = ""
    ) -> Response:
        return responses.page("login.html", status, problem=problem, ended=ended, to=to)

    async def login(self, request: Request) -> Response:
        """Begin a session for a token that may read."""
        fields = await form(request)
        to = fields.get("next", "")
        address = request.client.host if request.client else "-"
        client = self._tokens.find(fields.get("token", "").strip())
        wait = self._wrong_tokens.count(address) if client is None else None
        if wait is not None:
            refused = self._login_page(f"Too many wrong tokens: wait {wait} s.", 429, to=to)
            refused.headers["Retry-After"] = str(wait)
            return refused
        if client is None or not client.may(Scope.READ):
            self._log.warning("page_login_refused", address=address)
            why = "No such token." if client is None else "That token lacks the scope read."
            return self._login_page(why, 403, to=to)
        session = self._sessions.open(client)
        self._log.info("page_login", client=client.name, address=address)
        answer = RedirectResponse(_target(to), 303, headers=HEADERS)
        answer.set_cookie(
            self._cookie, session.id, max_age=int(LASTS), path="/", secure=self._secure,
            httponly=True, samesite="strict",
        )  # fmt: skip
        return answer

    async def logout(self, request: Request) -> Response:
        """End the session."""
        session, client, _ = await self._sent(request)
        self._sessions.close(session)
        self._log.info("page_logout", client=client.name)
        answer = RedirectResponse(f"{PREFIX}/login", 303, headers=HEADERS)
        answer.delete_cookie(
            self._cookie, path="/", secure=self._secure, httponly=True, samesite="strict"
        )
        return answer

    # The board

    async def board(self, request: Request) -> Response:
        """Show the live calls and the presses of late."""
        session, client = self._who(request)
        query = request.query_params
        wanted, told = query.get("q", "")[:_LONG], query.get("told", "")
        presses = await self._render.presses()
        row = next((row for row in presses.rows if row.press == told), None)
        return self._page(
            "board.html", session, client, presses=presses, wanted=wanted,
            board=self._render.board(wanted), status=self._service.status(),
            said=row.said if row else f"Press {told} is on its way." if told else "",
            beat=round(self._beat * 1000), refresh=0 if "still" in query else _REFRESH,
        )  # fmt: skip

    async def events(self, request: Request) -> Response:
        """Follow the board. Without a session the page is told to load itself again."""
        name = request.cookies.get(self._cookie, "")
        found = self._sessions.find(name)
        if found is not None and self._streams.full(name):
            raise Refused(503, "Too many", "too many pages are open")
        wanted = request.query_params.get("q", "")[:_LONG]
        scopes = found[1].scopes if found else ()

        def alive() -> bool:
            try:
                here = self._sessions.find(name)
            except UserError:  # the tokens cannot be read now, so nobody is known
                return False
            return here is not None and here[1].scopes == scopes

        stream = self._streams.follow(
            name, alive, wanted, may_press=bool(found and found[1].may(Scope.PRESS))
        )
        return TimeoutEventStream(stream if found else _bye(), self._patience, HEADERS)

    async def press(self, request: Request) -> Response:
        """Press for a call, or acknowledge a press: `do` is a verb or `ack`, a space, and which."""
        _, client, fields = await self._sent(request)
        if not client.may(Scope.PRESS):
            raise Refused(403, "Not allowed", "this token lacks the scope press")
        word, _, which = fields.get("do", "").partition(" ")
        if not which or len(which) > _LONG or word not in {*_VERBS, "ack"}:
            raise Refused(400, "Not understood", "there is no such button")
        try:
            press, text = (
                self._ack(which) if word == "ack" else await self._press(Verb(word), which, client)
            )
        except UserError as problem:
            raise Refused(409, "Not done", str(problem)) from None
        if wants_json(request):
            return JSONResponse({"press": press, "text": text}, headers=HEADERS)
        query = urlencode({"told": press, "q": fields.get("q", "")})
        return RedirectResponse(f"{PREFIX}/?{query}", 303, headers=HEADERS)

    def _ack(self, press: str) -> tuple[str, str]:
        self._service.ack(press)
        return press, "The failure tone is repeated no more; trying goes on."

    async def _press(self, verb: Verb, call: str, client: Client) -> tuple[str, str]:
        wait = self._often(client.name)
        if wait is not None:
            why = f"{client.name} pressed too often within a minute; try again in {wait} s"
            raise Refused(429, "Too many presses", why)
        handle = self._service.intake.press(verb, "http", call, options={"client": client.name})
        done, _ = await asyncio.wait({handle.verdict}, timeout=_WAIT)
        text = _verdict(handle.verdict.result()) if done else f"The {verb.value} is on its way."
        return handle.press.id, text

    # The journal

    async def presses(self, request: Request) -> Response:
        """Search the journal; beyond one day only with the scope `audit`."""
        session, client = self._who(request)
        wide = client.may(Scope.AUDIT)
        wanted = Search.read(request.query_params, wide=wide)
        rows = await asyncio.to_thread(history.search, self._service.journal, wanted, now())
        spans = {name: words for name, (words, _) in SPANS.items() if wide or name in NARROW}
        return self._page(
            "presses.html", session, client, wanted=wanted, rows=rows[:FOUND], wide=wide,
            spans=spans, more=len(rows) > FOUND,
        )  # fmt: skip

    async def one(self, request: Request) -> Response:
        """Show one press in full, with its time line."""
        session, client = self._who(request)
        name = str(request.path_params["press"])
        found = await asyncio.to_thread(history.whole, self._service.journal, name)
        if found is None:
            raise Refused(404, "No such press", "the journal has no press of that id")
        if found.row.at < now() - history.DAY and not client.may(Scope.AUDIT):
            why = "the press is older than a day, and this token lacks the scope audit"
            raise Refused(403, "Not allowed", why)
        return self._page(
            "press.html", session, client, found=found, picture=timeline.draw(found.pressed)
        )

    async def static(self, request: Request) -> Response:
        """Return our own script, style or icon."""
        return responses.static(str(request.path_params["name"]))

    async def home(self, _request: Request) -> Response:
        """Redirect to the board."""
        return RedirectResponse(f"{PREFIX}/", 307, headers=HEADERS)


def _verdict(verdict: Verdict) -> str:
    proof = f", {verdict.evidence.label}" if verdict.outcome is not Outcome.FAILED else ""
    return f"{verdict.verb.value}: {look_of(verdict.outcome).word}{proof}. {verdict.text}"


def _target(given: str) -> str:
    """Return where a login redirects to: always an address of the page itself."""
    own = given.startswith(f"{PREFIX}/") and "//" not in given and "\\" not in given
    plain = given.isascii() and given.isprintable() and len(given) <= 2 * _LONG
    return given if own and plain and "/login" not in given else f"{PREFIX}/"


async def _bye() -> AsyncIterator[ServerSentEvent]:
    yield event("bye", "")


def router(
    service: DaemonService,
    tokens: Tokens,
    wrong_tokens: WrongTokens,
    *,
    secure: bool,
    ending: Callable[[], bool] = lambda: False,
    often: Often = lambda _client: None,
    sessions: Sessions | None = None,
    beat: float = BEAT,
    patience: float = SEND,
) -> APIRouter:
    """Return the routes of the page under `PREFIX`, and of `/`, which redirects there.

    `secure`: it is served over TLS, and the cookie is sent over TLS only. Streams end when `ending`
    returns True: the daemon is about to end. `often` counts a press of a client, and returns the
    seconds to wait when there were too many. In seconds: `beat` passes between two signs of life to
    an open page, which must accept an event within `patience`. Nothing of it is in the OpenAPI
    document.
    """
    pages = _Pages(
        service, tokens, wrong_tokens, Sessions(tokens) if sessions is None else sessions,
        secure=secure, beat=beat, patience=patience, ending=ending, often=often,
    )  # fmt: skip
    made = APIRouter(include_in_schema=False)
    for path, method, handler in (
        ("/", "GET", pages.home),
        (PREFIX, "GET", pages.home),
        (f"{PREFIX}/", "GET", pages.board),
        (f"{PREFIX}/login", "GET", pages.login_form),
        (f"{PREFIX}/login", "POST", pages.login),
        (f"{PREFIX}/logout", "POST", pages.logout),
        (f"{PREFIX}/events", "GET", pages.events),
        (f"{PREFIX}/press", "POST", pages.press),
        (f"{PREFIX}/presses", "GET", pages.presses),
        (f"{PREFIX}/presses/{{press}}", "GET", pages.one),
        (f"{PREFIX}/static/{{name}}", "GET", pages.static),
    ):
        made.add_api_route(
            path, pages.shield(handler), methods=[method], response_model=None,
            name=f"page {method} {path}",
        )  # fmt: skip
    return made
