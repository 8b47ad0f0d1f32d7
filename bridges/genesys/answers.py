# SPDX-License-Identifier: Apache-2.0
"""Table of what an answer of Genesys Web Services means, decided on the body before the status.

Sources: the vendor's "Return Values" (codes 0 to 20), "Error handling" and the recording pages
that tie code and HTTP status. 401 is never said by the documents and is read as code 20.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Literal

from bridges.model import Evidence, Outcome
from bridges.shared import answer_table
from bridges.shared.http_line import Ending, Exchange


class Case(StrEnum):
    """Every ending of a request: the vendor's codes, other bodies by status, and the network's."""

    DONE = "0"
    MISSING = "1"
    WRONG_STATE = "2"
    FORBIDDEN = "3"
    INTERNAL = "4"
    NO_PERMISSION = "5"
    NOT_FOUND = "6"
    PARTLY = "7"
    PASSWORD = "8"  # noqa: S105 - a code, not a password
    INCOMPLETE = "9"
    RANGE = "10"
    READ_ONLY = "11"
    NOT_RETRIEVED = "12"
    NOT_CREATED = "13"
    NOT_DELETED = "14"
    NOT_UPDATED = "15"
    NOT_ASSIGNED = "16"
    NOT_UNASSIGNED = "17"
    EXISTS = "18"
    IN_USE = "19"
    LOGIN = "20"
    OTHER = "other"
    OTHER_FAULT = "other-5xx"
    MESSAGES = "messages"
    """A JSON list with 200: Bayeux messages, which only their own path may answer."""
    CSRF = "403-csrf"
    NOT_ALLOWED = "403-other"
    UNAUTHORIZED = "401"
    NO_PATH = "404-page"
    BUSY = "429-503"
    GATEWAY = "502-504"
    FAULT = "5xx"
    REDIRECT = "3xx"
    BAD_REQUEST = "400-page"
    JUNK = "junk"
    NOT_CONNECTED = "not-connected"
    UNTRUSTED = "untrusted"
    NO_ANSWER = "no-answer"
    TOO_LONG = "too-long"


CODES: Final = tuple(Case)[:21]
"""The cases of the documented codes, by number."""

_PAGES: Final = {401: Case.UNAUTHORIZED, 404: Case.NO_PATH, 400: Case.BAD_REQUEST,
                 429: Case.BUSY, 503: Case.BUSY, 502: Case.GATEWAY, 504: Case.GATEWAY}  # fmt: skip
_ENDINGS: Final = {
    Ending.NOT_CONNECTED: Case.NOT_CONNECTED,
    Ending.UNTRUSTED: Case.UNTRUSTED,
    Ending.NO_ANSWER: Case.NO_ANSWER,
    Ending.TOO_LONG: Case.TOO_LONG,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An exchange and what it means. `code` and `message` are the body's own, where it has them.

    `document` is the JSON object or list of the body; it may hold personal data and is not shown.
    """

    case: Case
    exchange: Exchange
    code: int | None = None
    message: str = ""
    document: Any = None

    def __repr__(self) -> str:
        """Return case and code, never the body."""
        return f"Answer({self.case}, code={self.code})"

    def member(self, name: str) -> Any:
        """Return a member of the body, None where there is none."""
        return self.document.get(name) if isinstance(self.document, dict) else None


def read(exchange: Exchange) -> Answer:
    """Return what an exchange means; pure, and never raises."""
    if exchange.ending is not Ending.ANSWERED:
        return Answer(_ENDINGS[exchange.ending], exchange)
    try:
        document = exchange.json()
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict):
        code = _code(document.get("statusCode"))
        if code is not None:
            said = document.get("statusMessage")
            message = said if isinstance(said, str) else ""
            return Answer(_by_code(code, exchange.status), exchange, code, message, document)
    if isinstance(document, list) and exchange.status == 200:
        return Answer(Case.MESSAGES, exchange, document=document)
    return Answer(_by_status(exchange), exchange)


def _code(value: object) -> int | None:
    """Return a code, as a number or, as one printed sample has it, a text of digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,6}", value.strip()):
        return int(value)
    return None


def _by_code(code: int, status: int) -> Case:
    if 0 <= code < len(CODES):
        return CODES[code]
    return Case.OTHER_FAULT if status >= 500 else Case.OTHER


def _by_status(exchange: Exchange) -> Case:
    status = exchange.status
    if status == 403:
        return Case.CSRF if b"csrf" in exchange.body.lower() else Case.NOT_ALLOWED
    if status in _PAGES:
        return _PAGES[status]
    if 300 <= status < 400:
        return Case.REDIRECT
    return Case.FAULT if status >= 500 else Case.JUNK


class Next(StrEnum):
    """Next step after an answer."""

    PROVE = "prove"
    """It was accepted, which proves nothing: look for the proof."""
    USE = "use"
    """A read gave what was asked."""
    LOOK = "look"
    """It is not known whether it was done: read the call, and ask once more if it was not."""
    AGAIN = "again"
    """Ask again after a pause, for as long as the budget lasts."""
    LOG_IN = "log in"
    """Forget cookies and token, log in once, ask again; a second time it is final."""
    RENEW = "renew"
    """Ask for a fresh CSRF token once, ask again; a second time it is final."""
    GIVE_UP = "give up"


Request = Literal["read", "command"]


@dataclass(frozen=True, slots=True)
class Row(answer_table.Row[Next]):
    """Row of the answer table: one case for a read, or for one of the four recording commands.

    Every row that is not followed by a proof ends as `failed`. `retryable` is false where only a
    person can mend the cause, and where trying again could lock an account. `look`: servers answer
    this to what is as asked already, which is why the call is read before it counts.
    """

    look: bool = False


_SENT: Final = Evidence.SENT


def _row(
    next_: Next,
    said: str,
    evidence: Evidence = _SENT,
    *,
    retryable: bool = True,
    look: bool = False,
) -> Row:
    return Row(next_, Outcome.FAILED, evidence, retryable, said, look=look)


def _final(said: str, *, look: bool = False) -> Row:
    return _row(Next.GIVE_UP, said, retryable=False, look=look)


def _uncertain(said: str) -> Row:
    return _row(Next.LOOK, said)


def _again(said: str, evidence: Evidence = _SENT, *, look: bool = False) -> Row:
    return _row(Next.AGAIN, said, evidence, look=look)


_COMMAND: Final = {
    Case.DONE: _row(Next.PROVE, "accepted", Evidence.ACCEPTED),
    Case.MISSING: _final("says that a parameter is missing, which is a fault of offrecord"),
    Case.WRONG_STATE: _uncertain("says that this does not fit the state of the recording"),
    Case.FORBIDDEN: _final(
        "forbids it: the agent needs the feature api-voice-recording", look=True
    ),
    Case.INTERNAL: _again("had an internal error", look=True),
    Case.NO_PERMISSION: _final("says that the agent lacks the permission"),
    Case.NOT_FOUND: _row(Next.GIVE_UP, "knows no such call"),
    Case.PARTLY: _uncertain("says that it did a part of it"),
    Case.PASSWORD: _final("wants the agent's password changed first"),
    Case.INCOMPLETE: _uncertain("had not finished"),
    Case.RANGE: _final("calls a value out of range"),
    Case.READ_ONLY: _final("calls a property read-only"),
    Case.NOT_RETRIEVED: _uncertain("could not retrieve the call"),
    Case.NOT_CREATED: _final("could not create something"),
    Case.NOT_DELETED: _final("could not delete something"),
    Case.NOT_UPDATED: _uncertain("could not update the call"),
    Case.NOT_ASSIGNED: _final("could not assign something, which nobody asked for"),
    Case.NOT_UNASSIGNED: _final("could not unassign something, which nobody asked for"),
    Case.EXISTS: _final("says that something exists already, which nobody asked for"),
    Case.IN_USE: _final("says that something is in use already, which nobody asked for"),
    # Trying a refused password again and again locks the agent out of the desktop.
    Case.LOGIN: _row(Next.LOG_IN, "did not take the credentials", retryable=False),
    Case.UNAUTHORIZED: _row(Next.LOG_IN, "did not take the credentials", retryable=False),
    Case.OTHER: _final("answered with a code nobody documents"),
    Case.OTHER_FAULT: _uncertain("had a fault with a code nobody documents"),
    Case.MESSAGES: _final("was not understood"),
    Case.CSRF: _row(Next.RENEW, "did not take the CSRF token"),
    Case.NOT_ALLOWED: _final(
        "refused without a reason: allow this Origin, or look at the proxy between"
    ),
    Case.NO_PATH: _final("does not know the path: check url and api_path"),
    Case.BUSY: _again("is too busy or down"),
    Case.GATEWAY: _uncertain("was not reached by the gateway before it"),
    Case.FAULT: _uncertain("had a fault"),
    Case.REDIRECT: _final("sent a redirect, as to a login page"),
    Case.BAD_REQUEST: _final("did not understand the request, which is a fault of offrecord"),
    Case.JUNK: _row(Next.GIVE_UP, "was not understood"),
    Case.NOT_CONNECTED: _again("was not reached", Evidence.NONE),
    Case.UNTRUSTED: _row(Next.GIVE_UP, "is not trusted", Evidence.NONE, retryable=False),
    Case.NO_ANSWER: _uncertain("gave no answer"),
    Case.TOO_LONG: _row(Next.GIVE_UP, "was not understood"),
}


def _for_reads(row: Row) -> Row:
    """Return a command's row as it holds for a read, which can always be asked again."""
    if row.next is Next.PROVE:
        return _row(Next.USE, "answered", Evidence.READ_BACK)
    if row.next is Next.LOOK:
        return _again(row.said, row.evidence)
    return row


TABLE: Final = MappingProxyType(
    {("command", case): row for case, row in _COMMAND.items()}
    | {("read", case): _for_reads(row) for case, row in _COMMAND.items()}
    # A read does not depend on the state of the recording: this is no answer to it.
    | {("read", case): _final(_COMMAND[case].said) for case in (Case.WRONG_STATE, Case.PARTLY)}
)
"""Every kind of request and case with its meaning, the same for all four verbs."""


def unavailable(answer: Answer) -> tuple[str, str]:
    """Return the cause of a failed read, as `RecorderUnavailable` has it, and what mends it."""
    fixes = {
        Case.UNTRUSTED: ("untrusted", "name the authority that signed it as ca_file"),
        Case.NOT_CONNECTED: ("unreachable", "check url, and that nothing between drops it"),
        Case.NO_ANSWER: ("unreachable", "check url, and that nothing between drops it"),
        Case.BUSY: ("unreachable", "look at the server"),
        Case.GATEWAY: ("unreachable", "look at the server behind the gateway"),
        Case.LOGIN: ("refused", "check username and password of this account"),
        Case.UNAUTHORIZED: ("refused", "check username and password of this account"),
        Case.PASSWORD: ("refused", "change the password of this account, and here too"),
        Case.NOT_ALLOWED: ("refused", "add the Origin to allowedOrigins of the server"),
        Case.NO_PATH: ("refused", "check url and api_path"),
        Case.INTERNAL: ("refused", "look at the server"),
    }
    return fixes.get(answer.case, ("refused", "check url, api_path and the account"))
