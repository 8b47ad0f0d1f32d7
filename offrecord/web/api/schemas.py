# SPDX-License-Identifier: Apache-2.0
"""Requests, and the answers about a press, as the OpenAPI document describes them.

The live calls, their recorders and the daemon's status are described by the dataclasses of
`offrecord.status.view_types`, a press in a list by `offrecord.journal.reader.PressSummary`.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from fastapi import Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from bridges.model import Outcome, Verb
from offrecord.model.outcome_codes import HTTP_STATUSES

PENDING: Final = "pending"
"""The outcome of a press that has no verdict yet."""

STATUS: Final[Mapping[str, int]] = {
    **{outcome.value: status for outcome, status in HTTP_STATUSES.items()},
    PENDING: 202,
}
"""The HTTP status of a press by its outcome, or while it has none."""

TITLES: Final[Mapping[str, tuple[str, str]]] = {
    Outcome.DENIED: (
        "The press was not allowed",
        "see offrecord explain for the rule that says so",
    ),
    Outcome.CALL_ENDED: ("No such call is live", "GET /v1/calls lists the live ones"),
    Outcome.FAILED: (
        "Take it that the call is being recorded",
        "see GET /v1/presses/{press}; press again, or tell the other party",
    ),
}
"""Title and fix of the outcomes that are answered as problems."""

Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]
"""A text on one line, without control characters."""

PressId = Annotated[
    str,
    Path(min_length=1, max_length=40, pattern=r"^[0-9A-Za-z]+$", description="the press's id"),
]

_SPAN: Final = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def moment(text: str, now: int) -> int:
    """Return a span before `now` such as `2h`, or an RFC 3339 time, as ms since the epoch.

    Raises `ValueError`.
    """
    span = _SPAN.fullmatch(text)
    if span:
        return now - int(span[1]) * _UNITS[span[2]] * 1000
    # A leap second is a time that no calendar of Python has.
    found = datetime.fromisoformat(re.sub(r"(?<=:\d\d:)60", "59", text))
    if found.tzinfo is None:
        raise ValueError("a time needs its zone, as in 2026-03-01T09:30:00Z")
    return (found - _EPOCH).days * 86_400_000 + (found - _EPOCH).seconds * 1000


def _is_moment(text: str) -> str:
    try:
        moment(text, 0)
    except ValueError:
        raise ValueError("give a span such as 2h or a time such as 2026-03-01T09:30:00Z") from None
    return text


Moment = Annotated[
    str,
    AfterValidator(_is_moment),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": "^[0-9]{1,6}[smhd]$"},
                {"type": "string", "format": "date-time"},
            ]
        }
    ),
]
"""A span before now, or a time with its zone."""


class PressRequest(BaseModel):
    """Request for a press: the verb, and the call that it is for."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"verb": "stop", "target": "410", "agent": "fred"}],
            "not": {
                "properties": {
                    "end_objection": {"const": True},
                    "verb": {"enum": [verb.value for verb in Verb if verb.silences]},
                },
                "required": ["end_objection", "verb"],
            },
        },
    )

    verb: Verb = Field(description="what to do: a stop and an objection hold for the whole call")
    target: Line = Field(
        description="the call, by an extension that is in it, or by a uniqueid, linkedid or "
        "channel name"
    )
    agent: Line | None = Field(
        default=None, description="the recorders' name for the person, where the extension's"
        " own is not the right one"
    )  # fmt: skip
    recorder: Line | None = Field(default=None, description="ask this recorder only")
    wait: Annotated[float, Field(strict=True, ge=0, le=30)] = Field(
        default=5.0,
        description="seconds to wait for the verdict (0 to 30); after them the answer is `pending`"
        ", and the press goes on",
    )
    end_objection: Annotated[bool, Field(strict=True)] = Field(
        default=False,
        description="true to resume or start although the other party objected: they have changed"
        " their mind",
    )

    @model_validator(mode="after")
    def _ends_an_objection_by_turning_on(self) -> "PressRequest":
        if self.end_objection and self.verb.silences:
            raise ValueError(f"end_objection is for resume and start, and this is {self.verb}")
        return self


class Step(BaseModel):
    """One thing that was sent to a recorder, and its answer. Secrets are masked."""

    at: int = Field(description="milliseconds since the epoch, UTC")
    took_ms: float
    sent: str
    answer: str
    evidence: str


class Result(BaseModel):
    """The result of a press at one recorder."""

    recorder: str
    kind: str
    outcome: Outcome
    evidence: str = Field(description="L0 to L4, see the guide on outcomes")
    detail: str
    retryable: bool
    steps: list[Step]


class Verdict(BaseModel):
    """Result of a press, as `offrecord stop --json` prints it."""

    press: str
    journalled: bool = Field(description="whether the press is safe on the disk")
    verb: Verb
    outcome: Outcome
    evidence: str = Field(description="what is known of every recorder at least, L0 to L4")
    reason: str
    text: str = Field(description="the sentence for the person who pressed")
    took_ms: float
    call: str | None = Field(description="the call's linkedid; null when no call was found")
    recorders: list[Result]


class Pending(BaseModel):
    """A press that is on its way."""

    press: str
    journalled: bool
    outcome: Literal["pending"]


class BadVerdict(Verdict):
    """A press that was taken and ended badly: its verdict, with the members of a problem."""

    title: str
    status: int
    detail: str
    fix: str


class Acknowledged(BaseModel):
    """Confirmation that the repeated failure tone of a press has ended."""

    press: str
    acknowledged: bool
