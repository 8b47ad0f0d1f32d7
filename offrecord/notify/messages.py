# SPDX-License-Identifier: Apache-2.0
"""A verdict as others are told of it: the headers of a `UserEvent`, and the JSON of a webhook.

Pure. What a recorder was sent and answered stays in the journal: here is what became of it.
"""

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Final

from offrecord.model.press import Press
from offrecord.model.verdict import Verdict

EVENT: Final = "offrecord-verdict"
"""The name of the `UserEvent`. No press may be taken from events of this name."""

_LONGEST: Final = 200


@dataclass(frozen=True, slots=True)
class VerdictMessage:
    """One verdict and whom it concerns.

    `channel` is the presser's, `extension` whose phone that is, `agent` the login there; each is
    empty when not known. `heard` says that the tone was played in line.
    """

    press: Press
    verdict: Verdict
    channel: str
    extension: str
    agent: str
    heard: bool


def event_fields(told: VerdictMessage) -> dict[str, str]:
    """Return the headers of the AMI action `UserEvent`; each value is one printable line."""
    fields = {
        "Press": told.press.id,
        "Verb": told.verdict.verb.value,
        "Outcome": told.verdict.outcome.value,
        "Evidence": told.verdict.evidence.label,
        "Channel": told.channel,
        "Uniqueid": told.press.uniqueid or "",
        "Extension": told.extension,
        "Agent": told.agent,
    }
    return {"UserEvent": EVENT, **{name: _line(value) for name, value in fields.items()}}


def body(told: VerdictMessage) -> bytes:
    """Return a verdict as the JSON that a webhook gets, in UTF-8.

    `at` is when the press was made, milliseconds since the epoch.
    """
    press, verdict = told.press, told.verdict
    content = {
        "event": EVENT,
        "press": press.id,
        "at": press.at,
        "verb": verdict.verb.value,
        "way": press.way,
        "outcome": verdict.outcome.value,
        "evidence": verdict.evidence.label,
        "text": verdict.text,
        "reason": verdict.reason,
        "took_ms": round(verdict.took * 1000, 1),
        "heard": told.heard,
        "call": verdict.linkedid,
        "channel": told.channel or None,
        "uniqueid": press.uniqueid,
        "extension": told.extension or None,
        "agent": told.agent or None,
        "recorders": [
            {
                "recorder": result.recorder,
                "kind": result.kind,
                "outcome": result.outcome.value,
                "evidence": result.evidence.label,
                "detail": result.detail,
            }
            for result in verdict.results
        ],
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def signature(secret: str, timestamp: int, content: bytes) -> str:
    """Return the signature of a post: HMAC-SHA256 over the timestamp, a dot and the body."""
    signed = f"{timestamp}.".encode() + content
    return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def _line(value: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in value[:_LONGEST])
