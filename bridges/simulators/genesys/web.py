# SPDX-License-Identifier: Apache-2.0
"""The simulated server's front: Basic, HTTP sessions, CSRF tokens, Origins.

As the vendor's pages on authentication flow, CSRF protection and CORS describe them. A session
belongs to the node that made it.
"""

import base64
import binascii
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final
from urllib.parse import urlsplit

from bridges.simulators.genesys.calls import Agent, ContactCentre
from bridges.simulators.genesys.switches import GenesysSwitches
from bridges.simulators.harness import Reply, Seen

COOKIE: Final = "JSESSIONID"
CSRF_HEADER: Final = "X-CSRF-TOKEN"
CSRF_TEXT: Final = "Missing or invalid Csrf token"

HTTP_OF: Final = {0: 200, 1: 400, 2: 400, 3: 403, 4: 500, 5: 403, 6: 404, 7: 200, 8: 403, 9: 500,
                  10: 400, 11: 400, 12: 500, 13: 500, 14: 500, 15: 500, 16: 500, 17: 500, 18: 409,
                  19: 409, 20: 403}  # fmt: skip
"""The HTTP status of a code: documented up to 6, of the others a guess."""


@dataclass(slots=True)
class WebSession:
    """One HTTP session. `requests` counts them; `used` is the simulated time of the last."""

    id: str
    node: int
    agent: Agent
    csrf: str
    used: float
    requests: int = 0
    issued: list[str] = field(default_factory=list)


class RefusedError(Exception):
    """A request that is answered with `reply`."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.reply = reply


@dataclass(slots=True)
class Admitted:
    """A request that may go on: its session, and the headers its answer carries."""

    session: WebSession
    headers: dict[str, str]


class Front:
    """Admits or refuses requests. `secrets` are the cookies and tokens given out."""

    def __init__(
        self, switches: GenesysSwitches, centre: ContactCentre, now: Callable[[], float]
    ) -> None:
        self._switches = switches
        self._centre = centre
        self._now = now
        self._turn = 0
        self.sessions: dict[str, WebSession] = {}
        self.given: list[str] = []
        self.password: str | None = None
        """The password that every agent of `auto` has to send; None takes anything."""

    def admit(self, seen: Seen) -> Admitted:
        """Find or make the session of a request. Raises `RefusedError`."""
        told = cookies(seen.headers).get(COOKIE)
        session = self.sessions.get(told or "")
        node = session.node if session else self._next_node()
        if session and seen.hit_by("other_node") and self._switches.nodes == 2:
            node, session = 3 - session.node, None
        if session and seen.hit_by("expire_session"):
            del self.sessions[session.id]
            session = None
        if session and self._now() - session.used > self._switches.session_idle:
            del self.sessions[session.id]
            session = None
        agent = self._agent(seen)
        seen.facts["node"] = node
        headers: dict[str, str] = {}
        stale = told is not None and session is None
        if agent is None or (stale and self._switches.stale_session == "refuse"):
            raise RefusedError(self.coded(20, "Access denied", self._twenty()))
        if session is None or session.agent is not agent:
            session = self._new(agent, node)
            headers["Set-Cookie"] = f"{COOKIE}={session.id}; Path=/; HttpOnly"
        session.used = self._now()
        session.requests += 1
        limit = self._switches.session_requests
        if limit and session.requests >= limit:
            self.sessions.pop(session.id, None)
        seen.facts["user"] = agent.user_name
        if self._switches.csrf and seen.method == "GET":
            headers |= {"X-CSRF-HEADER": CSRF_HEADER, CSRF_HEADER: session.csrf}
        return Admitted(session, headers)

    def check_token(self, seen: Seen, session: WebSession) -> None:
        """Raise `RefusedError` unless the request carries the token of its session."""
        if self._switches.csrf and seen.headers.get(CSRF_HEADER.lower()) != session.csrf:
            raise RefusedError(Reply(403, CSRF_TEXT.encode(), "text/plain"))

    def check_origin(self, seen: Seen) -> None:
        """Raise `RefusedError` unless the request carries an allowed Origin."""
        if self._switches.origin == "lenient":
            return
        origin = seen.headers.get("origin", "")
        own = urlsplit(origin).netloc == seen.headers.get("host", "") != ""
        listed = self._switches.allowed_origins.split()
        if not own and not any(fnmatchcase(origin, pattern) for pattern in listed):
            raise RefusedError(Reply(403, b"", None))

    def coded(
        self, code: int, message: str = "", status: int | None = None, **members: Any
    ) -> Reply:
        """Return an answer with a code."""
        printed: int | str = str(code) if self._switches.code_as_text else code
        body: dict[str, Any] = {"statusCode": printed, **members}
        if code:
            body["statusMessage"] = message
        if status is None:
            status = HTTP_OF.get(code, 500 if code >= 500 else 400)
        return Reply(status, json.dumps(body).encode())

    def _twenty(self) -> int:
        return int(self._switches.no_credentials)

    def _next_node(self) -> int:
        self._turn += 1
        return (self._turn - 1) % self._switches.nodes + 1

    def _new(self, agent: Agent, node: int) -> WebSession:
        session = WebSession(
            f"{secrets.token_hex(12)}.node{node}", node, agent, secrets.token_hex(16), self._now()
        )
        self.sessions[session.id] = session
        self.given += [session.id, session.csrf]
        return session

    def _agent(self, seen: Seen) -> Agent | None:
        told = basic_of(seen.headers.get("authorization", ""))
        if told is None:
            return None
        name, password = told
        agent = self._centre.agents.get(name)
        if agent is None and self._switches.auto and name:
            agent = self._centre.add_agent(name, self.password, name)
        right = agent is not None and agent.password in {None, password}
        return agent if right else None


def basic_of(header: str) -> tuple[str, str] | None:
    """Return user and password of an `Authorization` header."""
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(token, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    name, colon, password = text.partition(":")
    return (name, password) if colon else None


def cookies(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the cookies of a request."""
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(headers.get("cookie")).items()}
    except CookieError:
        return {}
