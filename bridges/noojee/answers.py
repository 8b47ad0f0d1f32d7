# SPDX-License-Identifier: Apache-2.0
"""What the Noojee bridge decides: whom a request is about, and what an answer to it means.

Pure functions and one table. A unique id goes before an extension: by extension Noojee picks one
of the live calls of that handset by itself, and a stop that comes late would hit the next call.
"""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal

from ami.calls.snapshots import Call, Channel
from bridges.model import Evidence, Order, Outcome, Verb
from bridges.shared.call_parties import handset
from bridges.shared.pbx_view import LiveOn
from noojee import (
    Extension,
    NoAnswerError,
    NoojeeError,
    NotConnectedError,
    Target,
    UniqueId,
    UntrustedError,
)

TargetRule = Literal["presser", "linkedid", "extension"]


@dataclass(frozen=True, slots=True)
class Aim:
    """What a request is about, and why that."""

    target: Target
    why: str

    @property
    def by_id(self) -> bool:
        """True when exactly one channel is meant, now and later."""
        return isinstance(self.target, UniqueId)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing is sent."""

    why: str


def choose(order: Order, rule: TargetRule, live_on: LiveOn) -> Aim | Refusal:
    """Choose what a request for `order` is about.

    `presser` is the unique id of the handset's channel: the presser's own when it belongs to an
    extension, else (a trunk or a Local half pressed, or nobody) that of an extension in the
    call. `linkedid` is the unique id of the call's first channel. `extension` is for a Noojee
    that follows another PBX, whose unique ids are not ours; it is used only while it means
    exactly one live call, as it also is for an id that Noojee would not take for one.
    """
    phone, why = handset(order.call, order.presser)
    if rule == "linkedid":
        aim = _by_id(order.call.linkedid, "the call's first channel")
    elif rule == "extension":
        aim = None
    elif phone is not None:
        aim = _by_id(phone.uniqueid, why)
    else:
        aim = _by_id(order.call.linkedid, "no channel of this call belongs to an extension")
    return aim or _by_extension(order.call, phone, live_on)


def _by_id(uniqueid: str, why: str) -> Aim | None:
    try:
        return Aim(UniqueId(uniqueid), why)
    except ValueError:
        return None


def _by_extension(call: Call, phone: Channel | None, live_on: LiveOn) -> Aim | Refusal:
    if phone is None or phone.extension is None:
        return Refusal("no channel of this call belongs to an extension")
    number = phone.extension
    live = live_on(number)
    if live is None:
        return Refusal(f"the PBX's calls are not known, so {number} may mean another call")
    others = [channel for channel in live if channel.linkedid not in call.lineage]
    if others:
        names = ", ".join(f"{channel.name} ({channel.uniqueid})" for channel in live)
        return Refusal(f"ambiguous: extension {number} is on several live calls: {names}")
    if not live:
        return Refusal(f"no live call on extension {number}")
    try:
        return Aim(Extension(number), f"the only live call of extension {number}")
    except ValueError as error:
        return Refusal(str(error))


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


@dataclass(frozen=True, slots=True)
class Row:
    """What one case means for one request.

    `maybe_done`: the server may have carried it out. `again`: trying again at once may help.
    """

    outcome: Outcome
    evidence: Evidence
    maybe_done: bool
    again: bool
    said: str


def _row(
    said: str, outcome: Outcome, evidence: Evidence, *, maybe: bool = False, again: bool = False
) -> Row:
    return Row(outcome, evidence, maybe, again, said)


_BOTH: Final = {
    # Only these two are a yes, and neither is more than the server's word.
    Case.DONE: _row("accepted", Outcome.ACCEPTED, Evidence.ACCEPTED),
    Case.UNCONFIRMED: _row("accepted with an empty answer", Outcome.ACCEPTED, Evidence.ACCEPTED),
    # A positive code is a notice by the house rule and an error in the vendor's own client; none
    # is documented here, so it is no yes.
    Case.WARNING: _row(
        "answered with a code nobody documents", Outcome.FAILED, Evidence.SENT, maybe=True
    ),
    Case.EXPIRED: _row("called a fresh timestamp expired", Outcome.FAILED, Evidence.SENT),
    Case.REFUSED: _row("refused", Outcome.FAILED, Evidence.SENT),
    Case.FORBIDDEN: _row("refused the key or this machine", Outcome.FAILED, Evidence.SENT),
    Case.CLIENT_ERROR: _row("does not know the request", Outcome.FAILED, Evidence.SENT),
    Case.SERVER_ERROR: _row("had a fault", Outcome.FAILED, Evidence.SENT, maybe=True, again=True),
    Case.REDIRECT: _row("sent a redirect", Outcome.FAILED, Evidence.SENT),
    Case.JUNK: _row("was not understood", Outcome.FAILED, Evidence.SENT, maybe=True),
    Case.NOT_CONNECTED: _row("was not reached", Outcome.FAILED, Evidence.NONE, again=True),
    Case.UNTRUSTED: _row("is not trusted", Outcome.FAILED, Evidence.NONE),
    Case.NOT_ASKED: _row("was not asked", Outcome.FAILED, Evidence.NONE, again=True),
    Case.NO_ANSWER: _row("gave no answer", Outcome.FAILED, Evidence.SENT, maybe=True, again=True),
}

_STOP: Final = {
    # The evidence is that of the stop before; this answer adds none.
    Case.STOOD: _row(
        "had accepted this stop before and now refused it, as for a call it no longer records",
        Outcome.ACCEPTED,
        Evidence.ACCEPTED,
    ),
}

TABLE: Final = MappingProxyType(
    {(request, case): row for request in ("stop", "start") for case, row in _BOTH.items()}
    | {("stop", case): row for case, row in _STOP.items()}
)
"""Every request and case with its meaning; `noojee.answers` makes a case of status and body."""


def harmless(request: Request, row: Row, *, by_id: bool) -> bool:
    """Say whether the same request may be made again.

    What was certainly not done may be. What perhaps was, only as a stop by unique id: a second
    start makes a second leg, and a second stop by extension may hit the next call.
    """
    return not row.maybe_done or (request == "stop" and by_id)


def unavailable(error: NoojeeError) -> tuple[str, str]:
    """Return the cause of an error, as `RecorderUnavailable` names it, and what mends it."""
    if isinstance(error, UntrustedError):
        return "untrusted", "name the authority that signed it as the CA file"
    if isinstance(error, NotConnectedError | NoAnswerError):
        return "unreachable", "check the URL, and that Noojee has whitelisted this machine"
    if error.code is not None:
        return "refused", "check the key, the way of authentication and the names that were sent"
    return "refused", "check the URL and its path, and that Noojee has whitelisted this machine"
