# SPDX-License-Identifier: Apache-2.0
"""A verdict to be reported to desktops, and the headers of the AMI `UserEvent` that reports it.

The JSON of the webhook is in `offrecord.notify.outgoing_webhook`. What a recorder was sent and
answered stays in the journal.
"""

from dataclasses import dataclass
from typing import Final

from offrecord.model.press import Press
from offrecord.model.verdict import Verdict

EVENT: Final = "offrecord-verdict"
"""The name of the `UserEvent`. No press may be taken from events of this name."""

_LONGEST: Final = 200


@dataclass(frozen=True, slots=True)
class VerdictMessage:
    """One verdict and the presser it is for.

    `channel` is the presser's, `extension` and `agent` the extension and login it belongs to; each
    is empty when not known. `heard` says that the tone was played in line.
    """

    press: Press
    verdict: Verdict
    channel: str
    extension: str
    agent: str
    heard: bool


def event_fields(message: VerdictMessage) -> dict[str, str]:
    """Return the headers of the AMI action `UserEvent`; each value is one printable line."""
    fields = {
        "Press": message.press.id,
        "Verb": message.verdict.verb.value,
        "Outcome": message.verdict.outcome.value,
        "Evidence": message.verdict.evidence.label,
        "Channel": message.channel,
        "Uniqueid": message.press.uniqueid or "",
        "Extension": message.extension,
        "Agent": message.agent,
    }
    return {"UserEvent": EVENT, **{name: _line(value) for name, value in fields.items()}}


def _line(value: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in value[:_LONGEST])
