# SPDX-License-Identifier: Apache-2.0
"""The word, shape and colour of each state, outcome and evidence on the page, and its times.

Nothing is said by colour alone: each state has a word and a shape of its own. Which state a
recorder is in is found in `offrecord.status.live_view`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from bridges.model import Evidence, Outcome
from offrecord.status.view_types import RecorderState, RecorderStatus


@dataclass(frozen=True, slots=True)
class Look:
    """Appearance of a term: `mark` is a shape of `templates/marks.svg`, `tone` a colour."""

    word: str
    mark: str
    tone: str
    means: str


STATES: Final[Mapping[RecorderState, Look]] = {
    RecorderState.FAILED: Look(
        "failed", "triangle", "bad",
        "A stop or a pause holds and the recorder has not obeyed: take it as still recording.",
    ),
    RecorderState.ASKING: Look(
        "asking", "dots", "busy", "A press is under way, and the answer is not there yet."
    ),
    RecorderState.RECORDING: Look("recording", "disc", "live", "It records the call."),
    RecorderState.PAUSED: Look(
        "paused", "bars", "held", "A pause holds; the time says when it ends by itself."
    ),
    RecorderState.STOPPED: Look(
        "stopped", "square", "good",
        "A stop or an objection holds and the recorder obeyed; the evidence says how sure it is.",
    ),
    RecorderState.UNKNOWN: Look(
        "unknown", "question", "dim", "Nobody has asked it; by its route it holds such calls."
    ),
    RecorderState.IDLE: Look("idle", "ring", "dim", "The PBX records no leg of the call."),
}  # fmt: skip
"""Every state of a recorder, the most urgent first."""

OUTCOMES: Final[Mapping[str, Look]] = {
    Outcome.CONFIRMED: Look("confirmed", "check", "good", "proven by the recorder's own state"),
    Outcome.ACCEPTED: Look("accepted", "tilde", "fair", "the recorder said yes; no proof"),
    Outcome.CONTAINED: Look("contained", "bars", "held", "paused or muted instead of stopped"),
    Outcome.NOTHING_TO_STOP: Look("nothing to stop", "ring", "dim", "nothing was recording"),
    Outcome.DENIED: Look("denied", "cross", "fair", "not allowed; nothing was changed"),
    Outcome.CALL_ENDED: Look("call ended", "ring", "dim", "the call was over first"),
    Outcome.FAILED: Look("failed", "triangle", "bad", "take it as still recording"),
}
"""Every outcome, as the page shows it."""

OPEN: Final = Look("open", "dots", "busy", "no verdict yet, or the daemon ended before it")
"""A press without a verdict."""

EVIDENCE: Final[Mapping[str, str]] = {
    Evidence.NONE.label: "nothing was sent",
    Evidence.SENT.label: "the request left",
    Evidence.ACCEPTED.label: "the recorder said yes",
    Evidence.READ_BACK.label: "the recorder's own state was read back",
    Evidence.MEDIA.label: "seen in the media itself",
    Evidence.NOTHING_ELSE.label: "nothing else on the call still records",
}
"""Meaning of each level of evidence."""

_PRESSED: Final = frozenset({"good", "held", "bad"})
"""Tones of states that a press brought about."""


def outcome(value: str | None) -> Look:
    """Return how an outcome is shown; one that this version does not know is shown by its name."""
    if not value:
        return OPEN
    return OUTCOMES.get(value) or Look(value, "question", "bad", "not known to this version")


def proof(one: RecorderStatus) -> str:
    """Return how sure the state of a recorder is, as `accepted L2`; empty where no press made it.

    The outcome is left out where it is the same word as the state.
    """
    look = STATES[one.state]
    if not one.outcome or look.tone not in _PRESSED:
        return ""
    word = outcome(one.outcome).word
    parts = (word if word != look.word else "", one.evidence if one.evidence != "-" else "")
    return " ".join(part for part in parts if part)


def evidence(label: str | None) -> str:
    """Return the meaning of a level of evidence, empty for an unknown one."""
    return EVIDENCE.get(label or "", "")


def moment(at: int) -> str:
    """Return milliseconds since the epoch as `2026-03-02 09:33:08Z`."""
    return f"{_utc(at):%Y-%m-%d %H:%M:%S}Z"


def clock(at: int) -> str:
    """Return milliseconds since the epoch as `09:33:08Z`."""
    return f"{_utc(at):%H:%M:%S}Z"


def machine(at: int) -> str:
    """Return milliseconds since the epoch as the HTML attribute `datetime` takes them."""
    return f"{_utc(at):%Y-%m-%dT%H:%M:%S}.{at % 1000:03d}Z"


def left(until: int, now: int) -> str:
    """Return the time between two moments in milliseconds as `2:31 left`."""
    seconds = max(0, -(-(until - now) // 1000))
    return f"{seconds // 60}:{seconds % 60:02d} left"


def span(ms: float | None) -> str:
    """Return milliseconds as a person reads them: `10.1 ms`, `2.4 s`, `3 min 5 s`."""
    if ms is None:
        return ""
    if ms < 1000:
        return f"{ms:.1f} ms" if ms < 100 and ms % 1 else f"{ms:.0f} ms"
    if ms < 60_000:
        return f"{ms / 1000:.1f} s"
    minutes, seconds = divmod(round(ms / 1000), 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _utc(at: int) -> datetime:
    try:
        return datetime.fromtimestamp(at // 1000, UTC)
    except (OverflowError, ValueError, OSError):  # beyond the year 9999
        return datetime.fromtimestamp(0, UTC)
