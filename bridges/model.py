# SPDX-License-Identifier: Apache-2.0
"""Orders to a recorder, their results, and the protocol that every recorder implements.

Pure data. `Order` goes in, `RecorderResult` comes out; `Recorder` is what a bridge must be.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Final, Protocol, runtime_checkable

from starlette.types import ASGIApp

from ami.calls.snapshots import Call, Channel


class Verb(StrEnum):
    """The action that a press asks for. Absolute: none of them toggles.

    `OBJECTION` is a stop for the rest of the call, which no key can resume.
    """

    STOP = "stop"
    PAUSE = "pause"
    RESUME = "resume"
    START = "start"
    OBJECTION = "objection"

    @property
    def silences(self) -> bool:
        """True for the verbs after which nothing of the call may be recorded."""
        return self in {Verb.STOP, Verb.PAUSE, Verb.OBJECTION}

    @property
    def order(self) -> "Verb":
        """The verb that recorders are given for it: they know those of `ORDERS` alone."""
        return Verb.STOP if self is Verb.OBJECTION else self


ORDERS: Final = (Verb.STOP, Verb.PAUSE, Verb.RESUME, Verb.START)
"""The verbs of an `Order`. How long a stop holds is no recorder's business."""


class Evidence(IntEnum):
    """Level of proof for a result, each including the ones below it."""

    NONE = -1
    SENT = 0
    """L0: the request left us."""
    ACCEPTED = 1
    """L1: the recorder said yes."""
    READ_BACK = 2
    """L2: the recorder's own state was read back."""
    MEDIA = 3
    """L3: seen in the media itself."""
    NOTHING_ELSE = 4
    """L4: nothing else on the call still records."""

    @property
    def label(self) -> str:
        """The level as the documentation writes it: `L0` to `L4`, or `-`."""
        return "-" if self is Evidence.NONE else f"L{self.value}"


class Outcome(StrEnum):
    """Outcome of a press, at one recorder or at all of them together."""

    CONFIRMED = "confirmed"
    ACCEPTED = "accepted"
    CONTAINED = "contained"
    NOTHING_TO_STOP = "nothing_to_stop"
    DENIED = "denied"
    CALL_ENDED = "call_ended"
    FAILED = "failed"


_WORST_FIRST = (
    Outcome.FAILED,
    Outcome.DENIED,
    Outcome.CONTAINED,
    Outcome.ACCEPTED,
    Outcome.CALL_ENDED,
    Outcome.CONFIRMED,
    Outcome.NOTHING_TO_STOP,
)


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the outcome of a press from those of its recorders.

    `nothing_to_stop` is the outcome only when every recorder reports it: beside one that was proven
    stopped it takes nothing away. Without any recorder the outcome is `failed`.
    """
    seen = set(outcomes)
    return next((outcome for outcome in _WORST_FIRST if outcome in seen), Outcome.FAILED)


@dataclass(frozen=True, slots=True)
class Order:
    """One verb of `ORDERS` for one recorder on one call.

    `call` is the view taken for this press; `presser` the channel that pressed, when a channel
    did. `agent` is the recorder's own name for the person (Noojee: `agentLoginName`). `budget`
    is how many seconds the recorder may take, retries included. `tag` goes to recorders that
    label a recording when it starts. `facts` holds the channel variables that the recorder asked
    for by `Capabilities.variables`: each with its different values on this call, the presser's
    first.
    """

    press_id: str
    verb: Verb
    call: Call
    presser: Channel | None = None
    agent: str | None = None
    tag: str | None = None
    budget: float = 5.0
    facts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing a recorder did for an order, as the journal keeps it.

    `at` is seconds since the epoch, `took` seconds. `sent` and `answer` are already free of
    secrets: the journal writes them as they are.
    """

    at: float
    took: float
    sent: str
    answer: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class RecorderResult:
    """The result of one order at one recorder.

    `detail` is one sentence for people, without secrets. `retryable` says that the same order
    may be given again without harm once the cause is gone.
    """

    recorder: str
    kind: str
    outcome: Outcome
    evidence: Evidence
    detail: str
    steps: tuple[Step, ...] = ()
    retryable: bool = False


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Abilities of a kind of recorder, and the channel variables that its orders must carry."""

    verbs: frozenset[Verb]
    best_evidence: Evidence
    """The highest level this kind can ever give; below `READ_BACK` it is never `confirmed`."""
    stand_ins: Mapping[Verb, str] = field(default_factory=dict)
    """Verbs that the vendor lacks, each with what is done instead, as the outcome says it."""
    variables: tuple[str, ...] = ()
    """Channel variables that an order for this recorder is to carry as `facts`."""
    on_pbx: bool = False
    """True when the PBX itself records: its events tell when a recording starts again."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Requests a recorder would send for an order, for `offrecord explain`. Secrets are masked."""

    recorder: str
    kind: str
    target: str
    requests: tuple[str, ...]
    refusal: str | None = None
    """Reason why nothing would be sent; None when something would."""


class Recorder(Protocol):
    """One configured system that records.

    Opened once with the daemon and closed with it. `act` never raises for what a recorder or a
    network may do: every ending is a `RecorderResult`, and an answer that is not understood is
    `failed`. It may be cancelled; it then leaves nothing running.
    """

    @property
    def name(self) -> str:
        """The configured name."""

    @property
    def kind(self) -> str:
        """The kind, as in the configuration."""

    @property
    def capabilities(self) -> Capabilities:
        """The abilities of this kind of recorder."""

    async def open(self) -> None:
        """Make ready: connections, caches. Does not fail when the recorder is away."""

    async def close(self) -> None:
        """Release everything that `open` and `act` took."""

    async def probe(self) -> str:
        """Return one line about a recorder that answers; else raise `RecorderUnavailable`."""

    async def act(self, order: Order) -> RecorderResult:
        """Carry out one order within its budget, and return what is proven."""

    def plan(self, order: Order) -> Plan:
        """Return what `act` would send, sending nothing."""


@runtime_checkable
class Hooked(Protocol):
    """A recorder that its vendor reports to over HTTP.

    The daemon serves `hook`, an ASGI app, under `/hooks/NAME/` of its `[http]` address. The app
    must itself make sure that a request is from the vendor.
    """

    @property
    def hook(self) -> ASGIApp | None:
        """The ASGI app for the vendor's requests; None when the settings ask for no reports."""


def hook_of(recorder: object) -> ASGIApp | None:
    """Return the app that answers a recorder's vendor, None where there is none."""
    return recorder.hook if isinstance(recorder, Hooked) else None


@runtime_checkable
class Looking(Protocol):
    """A recorder that can be looked at: whether it records a call, without a change of anything.

    The daemon looks at the PBX's own recordings so for each press whose route asks none of them.
    """

    @property
    def name(self) -> str:
        """The configured name, or the one that it would be configured by."""

    @property
    def kind(self) -> str:
        """The kind, as in the configuration."""

    async def look_at(self, order: Order) -> RecorderResult:
        """Return whether the call of an order is recorded, within the order's budget.

        `nothing_to_stop`: it is not; `call_ended`: its channels have gone; `failed`: it is, or
        that cannot be told, with the channels in `detail`. Never raises, as `Recorder.act`.
        """


@runtime_checkable
class KnowsRecordings(Protocol):
    """A recorder on the PBX that knows of recordings no event of the PBX's calls tells of."""

    def recorded(self, call: Call, verb: Verb) -> tuple[Channel, ...]:
        """Return the channels of a call known to be recorded although `verb` forbids it.

        Asks nothing. Empty when none is, and when that is not known.
        """


class RecorderUnavailable(Exception):
    """A recorder did not answer `probe`, or not as itself.

    `cause` is `unreachable`, `untrusted` (its certificate is not trusted) or `refused` (it
    answered and said no); `fix` is what the administrator can do about it.
    """

    def __init__(self, recorder: str, cause: str, message: str, fix: str) -> None:
        super().__init__(f"recorder {recorder!r}: {message}; {fix}")
        self.recorder = recorder
        self.cause = cause
        self.fix = fix
