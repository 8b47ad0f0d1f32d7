# SPDX-License-Identifier: Apache-2.0
"""Table of what an answer of VoipNow means, by request and case, as data.

The codes are those of 4PSA's pages "HTTP Return Codes", "StopRecording PhoneCalls" and "List
PhoneCalls" (wiki.4psa.com, UnifiedAPI); what those leave open is read the careful way. Pure.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Literal

from bridges.model import Evidence, Outcome
from bridges.shared.answer_table import Row
from bridges.shared.http_line import Ending, Exchange

Request = Literal["token", "list", "look", "stop", "start"]
"""Kinds of request: a token, live calls, one call by its id, or one of the two actions."""

ACTIONS: Final = MappingProxyType({"stop": "StopRecording", "start": "StartRecording"})


class Case(StrEnum):
    """Every ending of a request: the documented answers by status and code, and the rest."""

    OK = "200"
    ACCEPTED = "202"
    NO_CONTENT = "204"
    CALL_INVALID = "400-pc_phonecall_invalid"
    VIEW_INVALID = "400-pc_phonecallview_invalid"
    USER_INVALID = "400-user_invalid"
    EXTENSION_INVALID = "400-extension_invalid"
    FIELDS_INVALID = "400-fields_invalid"
    COUNT_INVALID = "400-count_invalid"
    FILTERBY_INVALID = "400-filterby_invalid"
    FILTEROP_INVALID = "400-filterop_invalid"
    FILTERVALUE_INVALID = "400-filtervalue_invalid"
    SORTORDER_INVALID = "400-sortorder_invalid"
    CDR = "400-cdr"
    BAD_REQUEST = "400"
    UNAUTHORISED = "401"
    FORBIDDEN = "403"
    NOT_FOUND = "404"
    CONFLICT = "409"
    TOO_LARGE = "413"
    TOO_MANY = "429"
    CLIENT_ERROR = "4xx"
    SERVER_ERROR = "500"
    NOT_IMPLEMENTED = "501"
    GATEWAY = "502-503-504"
    REDIRECT = "3xx"
    JUNK = "junk"
    """An answer that is not documented."""
    TOO_LONG = "too_long"
    NOT_CONNECTED = "not_connected"
    UNTRUSTED = "untrusted"
    NO_ANSWER = "no_answer"


class Next(StrEnum):
    """Next step after an answer."""

    USE = "use"
    """It is what was asked for."""
    ABSENT = "absent"
    """The call that was asked for by id is not there."""
    READ = "read"
    """Read the call's state back; that decides."""
    READ_AGAIN = "read_again"
    """Read the state back and, when nothing has changed, ask once more."""
    LOCATE = "locate"
    """List the calls without the id: gone everywhere is ended, elsewhere is another address."""
    VIEWS = "views"
    """Read the call again and choose its view again."""
    ADDRESS = "address"
    """Try the next form of the address."""
    UNFILTERED = "unfiltered"
    """List again without a filter."""
    RENEW = "renew"
    """Ask once more with a new token."""
    AGAIN = "again"
    """Wait and ask once more: it was certainly not carried out."""
    END = "end"
    """No more can be done."""


def _failed(
    next_: Next, said: str, hint: str = "", *, retryable: bool = False, sent: bool = True
) -> Row[Next]:
    evidence = Evidence.SENT if sent else Evidence.NONE
    return Row(next_, Outcome.FAILED, evidence, retryable, said, hint)


def _accepted(next_: Next, said: str) -> Row[Next]:
    return Row(next_, Outcome.ACCEPTED, Evidence.ACCEPTED, retryable=True, said=said)


_QUERY: Final = (
    Case.FIELDS_INVALID, Case.COUNT_INVALID, Case.FILTERBY_INVALID, Case.FILTEROP_INVALID,
    Case.FILTERVALUE_INVALID, Case.SORTORDER_INVALID,
)  # fmt: skip

_RIGHTS: Final = "check that the App is trusted and may see this user's extensions"
_URL: Final = "check the URL: something other than VoipNow may be answering"

_ALL: Final[Mapping[Case, Row[Next]]] = {
    Case.OK: _failed(Next.END, "answered as it does to another request", _URL),
    Case.ACCEPTED: _failed(Next.END, "answered 202 where nothing is to be carried out", _URL),
    Case.NO_CONTENT: _failed(Next.END, "answered nothing where something is needed", _URL),
    Case.CALL_INVALID: _failed(Next.END, "does not know the call", retryable=True),
    Case.VIEW_INVALID: _failed(Next.END, "does not know the call's view", retryable=True),
    Case.USER_INVALID: _failed(Next.ADDRESS, "does not know the user", "set user_id"),
    Case.EXTENSION_INVALID: _failed(
        Next.ADDRESS, "does not know the extension", "check client_prefix, strip and mask"
    ),
    **{case: _failed(Next.END, "did not take the query") for case in _QUERY},
    Case.CDR: _failed(Next.END, "answered as to a query for call records", _URL),
    Case.BAD_REQUEST: _failed(Next.END, "did not take the request"),
    Case.UNAUTHORISED: _failed(Next.RENEW, "denied access, twice", _RIGHTS),
    Case.FORBIDDEN: _failed(Next.ADDRESS, "forbade it", _RIGHTS),
    Case.NOT_FOUND: _failed(Next.END, "has nothing at that path", _URL),
    Case.CONFLICT: _failed(Next.AGAIN, "has a limit that is exceeded", retryable=True),
    Case.TOO_LARGE: _failed(Next.END, "found the request too large"),
    Case.TOO_MANY: _failed(Next.AGAIN, "had too many requests", retryable=True),
    Case.CLIENT_ERROR: _failed(Next.END, "did not take the request", _URL),
    Case.SERVER_ERROR: _failed(Next.AGAIN, "had a fault", retryable=True),
    Case.NOT_IMPLEMENTED: _failed(Next.END, "does not offer this", "see the version of VoipNow"),
    Case.GATEWAY: _failed(Next.AGAIN, "was not there behind its proxy", retryable=True),
    Case.REDIRECT: _failed(Next.END, "sent a redirect", _URL),
    Case.JUNK: _failed(Next.END, "was not understood", _URL, retryable=True),
    Case.TOO_LONG: _failed(Next.END, "answered more than is read", retryable=True),
    Case.NOT_CONNECTED: _failed(Next.AGAIN, "was not reached", retryable=True, sent=False),
    Case.UNTRUSTED: _failed(
        Next.END, "is not trusted", "name the authority that signed it as ca_file", sent=False
    ),
    Case.NO_ANSWER: _failed(Next.AGAIN, "gave no whole answer", retryable=True),
}
"""Rows that hold for every request, where no other row says otherwise."""

_KEY: Final = "check client_id and client_secret, and that the App is trusted"
_TOKEN: Final[Mapping[Case, Row[Next]]] = {
    Case.OK: Row(Next.USE, Outcome.ACCEPTED, Evidence.SENT, retryable=True, said="let us in"),
    Case.BAD_REQUEST: _failed(Next.END, "refused the App", _KEY),
    Case.UNAUTHORISED: _failed(Next.END, "refused the App", _KEY),
    Case.FORBIDDEN: _failed(Next.END, "refused the App", _KEY),
    Case.USER_INVALID: _failed(Next.END, "refused the App", _KEY),
    Case.EXTENSION_INVALID: _failed(Next.END, "refused the App", _KEY),
}

_READ: Final = Row(
    Next.USE, Outcome.ACCEPTED, Evidence.READ_BACK, retryable=True, said="told its calls"
)
_LIST: Final[Mapping[Case, Row[Next]]] = {
    Case.OK: _READ,
    Case.NO_CONTENT: _READ,
    **{case: _failed(Next.UNFILTERED, "did not take the query") for case in _QUERY},
}

_LOOK: Final[Mapping[Case, Row[Next]]] = {
    Case.OK: _READ,
    Case.NO_CONTENT: _READ,
    Case.CALL_INVALID: Row(
        Next.ABSENT, Outcome.CALL_ENDED, Evidence.READ_BACK, retryable=True,
        said="no longer has the call",
    ),
}  # fmt: skip

_COMMAND: Final[Mapping[Case, Row[Next]]] = {
    # The table of the vendor's page says 200 or 204, its example shows 202; none of them proves
    # more than that the request was taken.
    Case.OK: _accepted(Next.READ, "accepted"),
    Case.ACCEPTED: _accepted(Next.READ, "accepted"),
    Case.NO_CONTENT: _accepted(Next.READ, "accepted without a word"),
    Case.CALL_INVALID: _failed(Next.LOCATE, "does not know the call", retryable=True),
    Case.VIEW_INVALID: _failed(Next.VIEWS, "does not know the call's view", retryable=True),
    Case.SERVER_ERROR: _failed(Next.READ, "had a fault", retryable=True),
    Case.GATEWAY: _failed(Next.READ, "was not there behind its proxy", retryable=True),
    Case.JUNK: _failed(Next.READ, "was not understood", _URL, retryable=True),
    Case.TOO_LONG: _failed(Next.READ, "answered more than is read", retryable=True),
    Case.NO_ANSWER: _failed(Next.READ, "gave no whole answer", retryable=True),
}

# A stop that is given twice stops once. A second start could begin a second recording.
_STOP: Final[Mapping[Case, Row[Next]]] = {
    **_COMMAND,
    Case.NO_CONTENT: _accepted(Next.READ_AGAIN, "accepted without a word"),
    Case.SERVER_ERROR: _failed(Next.READ_AGAIN, "had a fault", retryable=True),
    Case.GATEWAY: _failed(Next.READ_AGAIN, "was not there behind its proxy", retryable=True),
    Case.NO_ANSWER: _failed(Next.READ_AGAIN, "gave no whole answer", retryable=True),
}

_REQUESTS: Final[Mapping[Request, Mapping[Case, Row[Next]]]] = {
    "token": _TOKEN,
    "list": _LIST,
    "look": _LOOK,
    "stop": _STOP,
    "start": _COMMAND,
}

TABLE: Final = MappingProxyType(
    {
        (request, case): rows.get(case, _ALL[case])
        for request, rows in _REQUESTS.items()
        for case in Case
    }
)
"""Every request and case with its meaning; `case_of` makes a case of status and body."""

_BY_ENDING: Final = {
    Ending.NOT_CONNECTED: Case.NOT_CONNECTED,
    Ending.UNTRUSTED: Case.UNTRUSTED,
    Ending.NO_ANSWER: Case.NO_ANSWER,
    Ending.TOO_LONG: Case.TOO_LONG,
}
_BY_STATUS: Final = {
    202: Case.ACCEPTED, 204: Case.NO_CONTENT, 401: Case.UNAUTHORISED, 403: Case.FORBIDDEN,
    404: Case.NOT_FOUND, 409: Case.CONFLICT, 413: Case.TOO_LARGE, 429: Case.TOO_MANY,
    501: Case.NOT_IMPLEMENTED, 502: Case.GATEWAY, 503: Case.GATEWAY, 504: Case.GATEWAY,
}  # fmt: skip
_BY_CLASS: Final = {3: Case.REDIRECT, 4: Case.CLIENT_ERROR, 5: Case.SERVER_ERROR}
_BY_CODE: Final = {
    case.value.removeprefix("400-"): case
    for case in (
        Case.CALL_INVALID, Case.VIEW_INVALID, Case.USER_INVALID, Case.EXTENSION_INVALID, *_QUERY,
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reading:
    """A case, with the JSON document and the vendor's own code, where the body held them."""

    case: Case
    document: Any = None
    code: str = ""


def read(exchange: Exchange) -> Reading:
    """Return what an exchange is, by its ending, its status and its body.

    UnifiedAPI writes `error` as an object with `code` and `message`, the token endpoint as a
    string; a body may as well be empty or a proxy's page.
    """
    if exchange.ending is not Ending.ANSWERED:
        return Reading(_BY_ENDING[exchange.ending])
    status = exchange.status
    if status == 204:
        return Reading(Case.NO_CONTENT)
    document = _json(exchange)
    code = error_code(document)
    if 200 <= status < 300:
        # A success that carries an error, or none of JSON's objects, is documented nowhere.
        usual = status in {200, 202} and isinstance(document, dict | list) and not code
        return Reading((Case.OK if status == 200 else Case.ACCEPTED) if usual else Case.JUNK,
                       document, code)  # fmt: skip
    if status == 400:
        other = Case.CDR if code.startswith("cdr_") else Case.BAD_REQUEST
        return Reading(_BY_CODE.get(code, other), document, code)
    by_class = _BY_CLASS.get(status // 100, Case.JUNK)
    return Reading(_BY_STATUS.get(status, by_class), document, code)


def error_code(document: Any) -> str:
    """Return the vendor's code of an error in either of its two shapes, else an empty text."""
    error = document.get("error") if isinstance(document, dict) else None
    if isinstance(error, dict):
        code = error.get("code")
        return code if isinstance(code, str) else "unnamed"
    return error if isinstance(error, str) else ""


def _json(exchange: Exchange) -> Any:
    try:
        return exchange.json()
    except (ValueError, RecursionError, json.JSONDecodeError):
        return None
