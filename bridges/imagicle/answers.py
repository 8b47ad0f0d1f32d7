# SPDX-License-Identifier: Apache-2.0
"""Table of what every answer of Imagicle means, by request and case. Pure.

The numbers of `reason` in a 400 differ from request to request. 409 says that nothing live was
found, on this node and under this address; 429 is a state, not a limit of speed.
"""

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from bridges.imagicle.messages import Op, read_id
from bridges.model import Evidence, Outcome
from bridges.shared import answer_table
from bridges.shared.http_line import Ending, Exchange


class Case(StrEnum):
    """Every ending of a request, by status and reason."""

    DONE = "done"
    REASON_0 = "400-0"
    REASON_1 = "400-1"
    REASON_2 = "400-2"
    REASON_3 = "400-3"
    REASON_4 = "400-4"
    REASON_OTHER = "400-other"
    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    NOT_FOUND = "404"
    CONFLICT = "409"
    STATE = "429"
    SERVER_ERROR = "500"
    UNLICENSED = "501"
    SHORTAGE = "503"
    SERVICE_AWAY = "504"
    UNKNOWN = "unknown"
    """A status or a body that is not documented."""
    NOT_CONNECTED = "not_connected"
    UNTRUSTED = "untrusted"
    NO_ANSWER = "no_answer"
    HELD_BACK = "held_back"
    """Not sent: this node refused the password a moment ago."""


class Next(StrEnum):
    """Next step after an answer."""

    VERIFY = "verify"
    """Read the list: the server says that it is as asked."""
    READDRESS = "readdress"
    """Send the same request with the other spelling of the key."""
    CONTAIN = "contain"
    """Try a pause: it will never be stopped."""
    LOOK = "look"
    """Read all lists: this node says that nothing is live, which only all of them prove."""
    REPEAT = "repeat"
    """Look, then ask the same node again."""
    ELSEWHERE = "elsewhere"
    """Look, then ask the next node."""
    BY_LINE = "by_line"
    """Name the line in the request: the list cannot be read."""
    END = "end"


@dataclass(frozen=True, slots=True)
class Row(answer_table.Row[Next]):
    """Row of the table of answers. `maybe_done`: Imagicle may have carried the request out."""

    maybe_done: bool = False


def _row(said: str, next_: Next = Next.END, *, retry: bool = False, maybe: bool = False) -> Row:
    return Row(next_, Outcome.FAILED, Evidence.SENT, retry, said, maybe_done=maybe)


def _yes(said: str, evidence: Evidence = Evidence.ACCEPTED) -> Row:
    return Row(Next.VERIFY, Outcome.ACCEPTED, evidence, retryable=True, said=said, maybe_done=True)


def _is_so(said: str) -> Row:
    """Return the row of a state that is as asked already: only the list proves it."""
    return _yes(said, Evidence.SENT)


_ANY: Final = {
    Case.REASON_0: _row("did not take the address of the request"),
    Case.REASON_1: _row("cannot monitor the line by TAPI"),
    Case.REASON_2: _row("has the device set to automatic recording"),
    Case.REASON_3: _row("gave a reason that nobody documents here"),
    Case.REASON_4: _row("gave a reason that nobody documents here"),
    Case.REASON_OTHER: _row("refused without a documented reason"),
    Case.UNAUTHORIZED: _row("refused user and password"),
    Case.FORBIDDEN: _row("does not give this user the right; level 10 is needed"),
    Case.NOT_FOUND: _row("has no such address: is Call Recording installed there?"),
    Case.CONFLICT: _row("says that nothing live is there", Next.LOOK, retry=True),
    Case.STATE: _row("named a state that nobody documents here"),
    Case.SERVER_ERROR: _row("had a fault", Next.REPEAT, retry=True, maybe=True),
    Case.UNLICENSED: _row("has no licence for it"),
    Case.SHORTAGE: _row("is short of channels", Next.ELSEWHERE, retry=True),
    Case.SERVICE_AWAY: _row("cannot reach its recording service", Next.ELSEWHERE, retry=True),
    Case.UNKNOWN: _row("answered what nobody documents", retry=True, maybe=True),
    Case.NOT_CONNECTED: _row("was not reached", Next.ELSEWHERE, retry=True),
    Case.UNTRUSTED: _row("is not trusted"),
    Case.NO_ANSWER: _row("gave no answer", Next.ELSEWHERE, retry=True, maybe=True),
    Case.HELD_BACK: _row("was not asked: it refused this password a moment ago"),
}

_NO_TAPI: Final = _row("cannot monitor the line by TAPI, so it cannot stop", Next.CONTAIN)
_AUTOMATIC: Final = _row("records this device automatically, so it does not stop", Next.CONTAIN)
_STATE: Final = {
    Op.PAUSE_ID: _is_so("says that it is paused already"),
    Op.PAUSE_LINE: _is_so("says that it is paused already"),
    Op.RESUME_ID: _is_so("says that it is not paused"),
    Op.RESUME_LINE: _is_so("says that it is not paused"),
    Op.START: _row("says that it is recording already", Next.LOOK, retry=True),
}
_OWN: Final[dict[Op, dict[Case, Row]]] = {
    Op.LIST: {
        Case.FORBIDDEN: _row("does not let this user list recordings", Next.BY_LINE),
        Case.NOT_FOUND: _row("has no list of live recordings", Next.BY_LINE),
        Case.CONFLICT: _row("answered what nobody documents", retry=True),
        Case.SERVER_ERROR: _row("had a fault", Next.REPEAT, retry=True),
        Case.SHORTAGE: _row("is short of channels", Next.REPEAT, retry=True),
        Case.SERVICE_AWAY: _row("cannot reach its recording service", Next.REPEAT, retry=True),
        Case.NOT_CONNECTED: _row("was not reached", Next.REPEAT, retry=True),
        Case.NO_ANSWER: _row("gave no answer", Next.REPEAT, retry=True),
        Case.UNKNOWN: _row("sent no list", retry=True),
    },
    Op.STOP_ID: {
        Case.REASON_0: _row("does not take this id for a GUID"),
        Case.REASON_1: _NO_TAPI,
        Case.REASON_2: _AUTOMATIC,
    },
    Op.STOP_LINE: {
        Case.REASON_0: _row("saw neither number nor device", Next.READDRESS),
        Case.REASON_1: _NO_TAPI,
        Case.REASON_2: _AUTOMATIC,
    },
    Op.START: {
        Case.REASON_0: _row("saw neither number nor device"),
        Case.REASON_1: _row("does not know the line, or cannot monitor it"),
        Case.REASON_2: _row("does not take this mode of recording"),
        Case.REASON_3: _row("knows no extension of the user"),
        Case.REASON_4: _row("does not start recordings of this device by hand"),
        Case.CONFLICT: _row("sees a conflict", Next.LOOK, retry=True),
    },
}

TABLE: Final = MappingProxyType(
    {
        (op, case): row
        for op in Op
        for case, row in {
            Case.DONE: _yes("accepted", Evidence.READ_BACK if op is Op.LIST else Evidence.ACCEPTED),
            **_ANY,
            **({Case.STATE: _STATE[op]} if op in _STATE else {}),
            **_OWN.get(op, {}),
        }.items()
    }
)
"""Every request and case with its meaning; `case_of` makes a case of an exchange."""

_SUCCESS: Final = {Op.LIST: 200, Op.START: 201}
_STATUSES: Final = {int(case): case for case in Case if case.value.isdecimal()}
_ENDINGS: Final = {
    Ending.NOT_CONNECTED: Case.NOT_CONNECTED,
    Ending.UNTRUSTED: Case.UNTRUSTED,
    Ending.NO_ANSWER: Case.NO_ANSWER,
    Ending.TOO_LONG: Case.UNKNOWN,
}


def case_of(op: Op, exchange: Exchange) -> Case:
    """Classify an exchange. Whether a 200 body is a valid list is checked when it is parsed."""
    if exchange.ending is not Ending.ANSWERED:
        return _ENDINGS[exchange.ending]
    if exchange.status == _SUCCESS.get(op, 204):
        return _done(op, exchange.body)
    if exchange.status == 400:
        return reason(op, exchange.body)
    return _STATUSES.get(exchange.status, Case.UNKNOWN)


def _done(op: Op, body: bytes) -> Case:
    if op is Op.START:
        try:
            read_id(body)
        except ValueError:
            return Case.UNKNOWN
    return Case.DONE


_WORDS: Final[dict[Op, dict[int, str]]] = {
    Op.STOP_ID: {0: "guid|id$", 1: "tapi|monitor", 2: "auto"},
    Op.STOP_LINE: {0: "missing|neither|param", 1: "tapi|monitor", 2: "auto"},
    Op.START: {
        0: "missing|neither|param", 1: "tapi|monitor|line", 2: "mode", 3: "extension",
        4: "auto|manual",
    },
}  # fmt: skip
"""Patterns of a reason's name, by its number. The vendor prints numbers; names are foreseen."""


def reason(op: Op, body: bytes) -> Case:
    """Return the case of a 400: its reason may be a number, digits or a name."""
    try:
        document = json.loads(body.decode("utf-8"))
    except ValueError:
        return Case.REASON_OTHER
    given: Any = None
    if isinstance(document, dict):
        given = {str(key).lower(): value for key, value in document.items()}.get("reason")
    number = _number(op, given)
    highest = 4 if op is Op.START else 2
    if number is None or not 0 <= number <= highest:
        return Case.REASON_OTHER
    return Case(f"400-{number}")


def _number(op: Op, given: Any) -> int | None:
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    if not isinstance(given, str):
        return None
    if given.isdecimal() and given.isascii():
        return int(given)
    words = _WORDS.get(op, {})
    fits = [number for number, word in words.items() if re.search(word, given, re.IGNORECASE)]
    return fits[0] if len(fits) == 1 else None
