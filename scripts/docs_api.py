# SPDX-License-Identifier: Apache-2.0
"""The tables of the HTTP API and of the metrics, from what the code goes by."""

from collections.abc import Iterator

from bridges.model import Outcome
from offrecord.status.metrics import METRICS
from offrecord.web.api.schemas import PENDING, STATUS
from offrecord.web.tokens import SCOPES

_MEANS = {
    Outcome.CONFIRMED: "done, and proven",
    Outcome.NOTHING_TO_STOP: "no recording of the call was running",
    Outcome.CONTAINED: "not stopped, and paused or muted instead",
    Outcome.ACCEPTED: "the recorder said yes, and can give no proof",
    PENDING: "still under way after `wait`; the header `Location` says where it will stand",
    Outcome.DENIED: "the policy does not allow it; nothing was changed",
    Outcome.CALL_ENDED: "no such call is live (any more)",
    Outcome.FAILED: "take it that the call is being recorded",
}


def statuses() -> Iterator[tuple[str, str, str]]:
    """Yield the HTTP status of each outcome, good ones first."""
    for outcome, status in sorted(STATUS.items(), key=lambda pair: pair[1]):
        yield f"`{outcome}`", str(status), _MEANS[outcome]


def metrics() -> Iterator[tuple[str, str, str, str]]:
    """Yield each metric."""
    for one in METRICS:
        labels = ", ".join(f"`{name}`" for name in one.labels) or "-"
        yield f"`{one.full}`", one.kind, labels, one.help


def scopes() -> Iterator[tuple[str, str]]:
    """Yield what each scope allows."""
    for scope, text in SCOPES.items():
        yield f"`{scope.value}`", text
