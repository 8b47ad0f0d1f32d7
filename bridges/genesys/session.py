# SPDX-License-Identifier: Apache-2.0
"""One agent at the server: a cookie jar, credentials and a CSRF token of their own.

Every documented recording operation is under `/me`: the caller is the agent. Sources: the
vendor's "Web Services Authentication Flow", "Cross-Site Request Forgery protection" and
"Cross-Origin Resource Sharing".
"""

import asyncio
import dataclasses
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

from bridges.genesys.answers import TABLE, Answer, Case, Next, Request, read
from bridges.genesys.bayeux import BayeuxClient, Posted
from bridges.genesys.notifications import Notifications
from bridges.genesys.settings import Account, GenesysSettings
from bridges.model import Evidence, Step
from bridges.shared.http_line import HttpLine, basic

KEEPALIVE: Final = 25.0
"""Seconds an idle connection is kept: the server closes it after 30 (Jetty's `idleTimeout`)."""

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,512}")
_OURS: Final = frozenset({"authorization", "cookie", "host", "origin", "content-type", "accept"})


def share(left: float, most: float) -> float:
    """Return the seconds for one request of those `left`; another can follow it."""
    return max(0.01, min(most, max(left / 2, min(left, 0.25))))


class AgentSession:
    """One account of the recorder at the server: its login, requests and notifications.

    Nothing is sent before the first `ask`. The login is the HTTP session alone: the agent's
    contact centre session belongs to the agent's desktop and is never begun or ended.
    """

    def __init__(
        self,
        account: Account,
        settings: GenesysSettings,
        line: HttpLine,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self.username = account.username
        self.last_used = clock()
        self.in_use = 0
        password = account.password.reveal()
        self._authorization = basic(account.username, password)
        line.hide(password, self._authorization.removeprefix("Basic "))
        self._line = line
        self._settings = settings
        self._clock = clock
        self._csrf: tuple[str, str] | None = None
        self._logins = 0
        """Counts the logins: requests that meet one stale session log in only once."""
        self._inside = False
        self._lock = asyncio.Lock()
        self.first_login = asyncio.Lock()
        """Held during the first login: many presses at once make one session."""
        self.notifications = Notifications(
            lambda hear, lost: BayeuxClient(self._post_bayeux, hear=hear, lost=lost, sleep=sleep),
            self.mask,
        )

    def __repr__(self) -> str:
        """Return the user, never a secret."""
        return f"AgentSession({self.username!r})"

    @property
    def inside(self) -> bool:
        """True after a login, until the server forgets it."""
        return self._inside

    async def close(self) -> None:
        """End the notifications and close every connection."""
        await self.notifications.close()
        await self._line.close()

    def mask(self, text: str) -> str:
        """Return a text from the server as one short line without secrets."""
        return self._line.mask(text)

    async def ask(
        self,
        method: str,
        path: str,
        operation: str | None = None,
        *,
        ends: float,
        steps: list[Step],
        tell: Callable[[Answer], str] | None = None,
        most: Evidence = Evidence.READ_BACK,
    ) -> Answer:
        """Make one request, and once more after a new login or token where that is asked for.

        `ends` is by the clock of the session. Every exchange is added to `steps`. `tell` says
        what is shown of an answer whose body is not for the journal; `most` is the most that an
        answer proves.
        """
        target, content = self._settings.api_path + path, request_body(operation)
        kind: Request = "command" if operation else "read"
        renewed: set[Next] = set()
        while True:
            seen = self._logins
            answer = await self._once(method, target, content, ends, tell=tell)
            row = TABLE[kind, answer.case]
            steps.append(answer.exchange.step(min(row.evidence, most)))
            if row.next not in {Next.LOG_IN, Next.RENEW} or row.next in renewed:
                return answer
            renewed.add(row.next)
            refusal = await self._again(row.next, seen, ends, steps)
            if refusal is not None:
                return refusal

    async def _again(self, what: Next, seen: int, ends: float, steps: list[Step]) -> Answer | None:
        """Log in again, or fetch a new token; return the answer when that fails."""
        async with self._lock:
            if self._logins != seen:
                return None  # another request has done it meanwhile
            if what is Next.LOG_IN:
                self._forget()
            answer = await self._once(
                "GET", f"{self._settings.api_path}/me", b"", ends, tell=code_alone
            )
            steps.append(answer.exchange.step(Evidence.SENT))
        return None if answer.case is Case.DONE else answer

    def _forget(self) -> None:
        self._line.cookies.clear()
        self._csrf = None
        self._inside = False

    async def _once(
        self,
        method: str,
        target: str,
        content: bytes,
        ends: float,
        *,
        tell: Callable[[Answer], str] | None,
        within: float | None = None,
    ) -> Answer:
        private = tell is not None
        if within is None:
            within = share(ends - self._clock(), self._settings.timeout)
        exchange = await self._line.ask(
            method, target, self._headers(content), content, within=within, private=private
        )
        self._take(exchange.headers)
        answer = read(exchange)
        if answer.case is Case.DONE and method == "GET" and not self._inside:
            self._inside = True
            self._logins += 1
        if tell is not None and exchange.status:
            said = self._line.mask(tell(answer))
            exchange = dataclasses.replace(exchange, said=f"HTTP {exchange.status} {said}".rstrip())
            answer = dataclasses.replace(answer, exchange=exchange)
        return answer

    def _headers(self, content: bytes) -> dict[str, str]:
        headers = {
            "Authorization": self._authorization,
            "Origin": self._settings.sent_origin,
            "Accept": "application/json",
        }
        if content:
            headers["Content-Type"] = "application/json;charset=UTF-8"
            if self._csrf is not None:
                headers[self._csrf[0]] = self._csrf[1]
        return headers

    def _take(self, headers: Any) -> None:
        """Keep the CSRF token that an answer brings, and mask every secret of it."""
        self._line.hide_issued(*(cookie.value or "" for cookie in self._line.cookies.jar))
        name = headers.get("x-csrf-header", "")
        token = headers.get(name.lower(), "")
        usable = _NAME.fullmatch(name) and name.lower() not in _OURS and _TOKEN.fullmatch(token)
        if usable and self._csrf != (name, token):
            self._line.hide_issued(token)
            self._csrf = (name, token)
            self._logins += self._inside

    async def _post_bayeux(self, messages: list[dict[str, Any]], within: float) -> Posted:
        """Carry Bayeux messages, with the same login and token as everything else."""
        steps: list[Step] = []
        content = json.dumps(messages).encode()
        renewed: set[Next] = set()
        while True:
            seen = self._logins
            answer = await self._once(
                "POST", self._settings.notifications_path, content, 0, tell=code_alone,
                within=within,
            )  # fmt: skip
            if answer.case is Case.MESSAGES:
                replies = [one for one in answer.document if isinstance(one, dict)]
                self._line.hide_issued(*(str(one.get("clientId", "")) for one in replies))
                return Posted(replies, "")
            row = TABLE["command", answer.case]
            final = row.next is Next.GIVE_UP
            if row.next in {Next.LOG_IN, Next.RENEW}:
                final = row.next in renewed
                renewed.add(row.next)
                ends = self._clock() + self._settings.timeout
                if not final and await self._again(row.next, seen, ends, steps) is None:
                    continue
                final = True
            return Posted(None, f"Genesys {row.said} ({answer.exchange.said})", final=final)


def request_body(operation: str | None) -> bytes:
    """Return the body of a recording command, empty for a read."""
    return json.dumps({"operationName": operation}).encode() if operation else b""


def code_alone(answer: Answer) -> str:
    """Return the code and message of an answer, which hold nothing personal."""
    return "" if answer.code is None else f"statusCode={answer.code} {answer.message}".rstrip()
