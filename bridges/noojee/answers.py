# SPDX-License-Identifier: Apache-2.0
"""Table of what every answer of Noojee means, by request and case. Pure.

`noojee.answers` makes a kind of status and body; here it becomes a case; others are endings
of the network.
"""

from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal

from bridges.model import Evidence, Outcome, Verb
from bridges.shared.answer_table import Row
from noojee import NoAnswerError, NoojeeError, NotConnectedError, UntrustedError


class Case(StrEnum):
    """Every ending of a request: Noojee's answers by status and body, and what else may happen."""

    DONE = "done"
    UNCONFIRMED = "unconfirmed"
    WARNING = "warning"
    EXPIRED = "expired"
    REFUSED = "refused"
    STOOD = "stood"
    """Refused a stop that it had accepted before: of the same press, unique id and user."""
    FORBIDDEN = "forbidden"
    CLIENT_ERROR = "client_error"
    SERVER_ERROR = "server_error"
    REDIRECT = "redirect"
    JUNK = "junk"
    NOT_CONNECTED = "not_connected"
    UNTRUSTED = "untrusted"
    NOT_ASKED = "not_asked"
    """The verb itself never left: the server's time was not had, or no turn came."""
    NO_ANSWER = "no_answer"


def case_of(error: NoojeeError) -> Case:
    """Return the case of an error."""
    if isinstance(error, UntrustedError):
        return Case.UNTRUSTED
    if isinstance(error, NotConnectedError):
        return Case.NOT_CONNECTED
    if error.operation == "Time" or (error.kind is None and not error.maybe_done):
        return Case.NOT_ASKED
    return Case.NO_ANSWER if error.kind is None else Case(error.kind.value)


def standing(case: Case, *, before: bool) -> Case:
    """Return the case of a stop, knowing whether Noojee accepted the very same one `before`.

    Nobody documents what it says of a call that it no longer records, nor whether that is an
    error. Where key, user and unique id were good enough before, its refusal does not take back
    what it accepted. Every other answer means what it always does.
    """
    return Case.STOOD if before and case is Case.REFUSED else case


Request = Literal["stop", "start"]


def request_for(verb: Verb) -> Request:
    """Return what Noojee is asked for a verb; it knows stop and start, and nothing between."""
    return "stop" if verb.silences else "start"


STAND_INS: Final = MappingProxyType(
    {
        Verb.PAUSE: "Noojee has no pause, so the recording is stopped",
        Verb.RESUME: "Noojee has no resume, so a new leg is started with the same tag",
    }
)
"""The verbs that Noojee lacks, and what is done instead."""


class Next(StrEnum):
    """Next step after an answer."""

    AGAIN = "again"
    """Ask once more, where that can do no harm: it may help."""
    END = "end"


def _yes(said: str) -> Row[Next]:
    return Row(Next.END, Outcome.ACCEPTED, Evidence.ACCEPTED, retryable=True, said=said)


def _no(said: str, next_: Next = Next.END, *, sent: bool = True, maybe: bool = False) -> Row[Next]:
    """Return the row of a failure. `maybe`: Noojee may have carried it out."""
    evidence = Evidence.SENT if sent else Evidence.NONE
    return Row(next_, Outcome.FAILED, evidence, retryable=not maybe, said=said)


_BOTH: Final = {
    # Only these two are a yes, and neither is more than the server's word.
    Case.DONE: _yes("accepted"),
    Case.UNCONFIRMED: _yes("accepted with an empty answer"),
    # A positive code is a notice by the house rule and an error in the vendor's own client; none
    # is documented here, so it is no yes.
    Case.WARNING: _no("answered with a code nobody documents", maybe=True),
    Case.EXPIRED: _no("called a fresh timestamp expired"),
    Case.REFUSED: _no("refused"),
    Case.FORBIDDEN: _no("refused the key or this machine"),
    Case.CLIENT_ERROR: _no("does not know the request"),
    Case.SERVER_ERROR: _no("had a fault", Next.AGAIN, maybe=True),
    Case.REDIRECT: _no("sent a redirect"),
    Case.JUNK: _no("was not understood", maybe=True),
    Case.NOT_CONNECTED: _no("was not reached", Next.AGAIN, sent=False),
    Case.UNTRUSTED: _no("is not trusted", sent=False),
    Case.NOT_ASKED: _no("was not asked", Next.AGAIN, sent=False),
    Case.NO_ANSWER: _no("gave no answer", Next.AGAIN, maybe=True),
}

_STOP: Final = {
    # The evidence is that of the stop before; this answer adds none.
    Case.STOOD: _yes(
        "had accepted this stop before and now refused it, as for a call it no longer records"
    ),
}

TABLE: Final = MappingProxyType(
    {(request, case): row for request in ("stop", "start") for case, row in _BOTH.items()}
    | {("stop", case): row for case, row in _STOP.items()}
)
"""Every request and case with its meaning; `noojee.answers` makes a case of status and body."""


def harmless(request: Request, row: Row[Next], *, by_id: bool) -> bool:
    """Return whether the same request may be made again.

    What was certainly not done may be. What perhaps was, only as a stop by unique id: a second
    start makes a second leg, and a second stop by extension may hit the next call.
    """
    return row.retryable or (request == "stop" and by_id)


def unavailable(error: NoojeeError) -> tuple[str, str]:
    """Return the cause of an error, as `RecorderUnavailable` names it, and what mends it."""
    if isinstance(error, UntrustedError):
        return "untrusted", "name the authority that signed it as the CA file"
    if isinstance(error, NotConnectedError | NoAnswerError):
        return "unreachable", "check the URL, and that Noojee has whitelisted this machine"
    if error.code is not None:
        return "refused", "check the key, the way of authentication and the names that were sent"
    return "refused", "check the URL and its path, and that Noojee has whitelisted this machine"
