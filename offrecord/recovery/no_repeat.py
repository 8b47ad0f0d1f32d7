# SPDX-License-Identifier: Apache-2.0
"""Ask a recorder again for a press that a crash cut short, without doing anything twice."""

from collections.abc import Mapping
from typing import Any, Final

from bridges.model import (
    Capabilities,
    Evidence,
    Order,
    Outcome,
    Plan,
    Recorder,
    RecorderResult,
)
from offrecord.recovery.unfinished import outcome_of

INTERRUPTED: Final = "interrupted: the daemon ended before this was done"


class NoRepeatRecorder:
    """A recorder that is asked again for a press that a crash cut short; it does nothing twice.

    A recorder whose state can be read is asked: its `act` begins by reading. One whose state
    cannot be read (its best evidence is below L2) is asked only where a repetition is harmless: a
    stop that names the call by an id of its own. What it accepted before the crash counts.
    """

    def __init__(self, recorder: Recorder, answered: Mapping[str, Any] | None) -> None:
        self._recorder = recorder
        self._answered = answered

    @property
    def name(self) -> str:
        """The configured name."""
        return self._recorder.name

    @property
    def kind(self) -> str:
        """The kind."""
        return self._recorder.kind

    @property
    def capabilities(self) -> Capabilities:
        """The abilities of this kind of recorder."""
        return self._recorder.capabilities

    async def open(self) -> None:
        """Nothing to open: the recorder itself is."""

    async def close(self) -> None:
        """Nothing to close."""

    async def probe(self) -> str:
        """Probe the recorder."""
        return await self._recorder.probe()

    def plan(self, order: Order) -> Plan:
        """Return the recorder's plan."""
        return self._recorder.plan(order)

    async def act(self, order: Order) -> RecorderResult:
        """Ask the recorder, or return why it is not asked again."""
        if self.capabilities.best_evidence >= Evidence.READ_BACK:
            return await self._recorder.act(order)
        if self._answered is not None:
            before = result_of(self._answered, self._recorder)
            if before.outcome is not Outcome.FAILED or not before.retryable:
                return before
        elif not order.verb.silences or not _by_own_id(self.plan(order), order):
            detail = f"{INTERRUPTED}; it may have been asked, and a repetition could do harm"
            return RecorderResult(self.name, self.kind, Outcome.FAILED, Evidence.NONE, detail)
        return await self._recorder.act(order)


def without_repeats(
    recorders: Mapping[str, Recorder], answered: Mapping[str, Mapping[str, Any]]
) -> dict[str, Recorder]:
    """Wrap recorders: none of them does anything twice."""
    return {name: NoRepeatRecorder(one, answered.get(name)) for name, one in recorders.items()}


def _by_own_id(plan: Plan, order: Order) -> bool:
    """Return whether a plan's target is an id of the call, which can never mean another call."""
    return plan.target.partition(" ")[0] in order.call.ids


def result_of(body: Mapping[str, Any], recorder: Recorder) -> RecorderResult:
    """Return the result of a recorder as its record has it, without the steps."""
    labels = {level.label: level for level in Evidence}
    return RecorderResult(
        recorder.name, recorder.kind, outcome_of(body),
        labels.get(str(body.get("evidence")), Evidence.NONE),
        f"{body.get('detail', '')} (answered before the daemon ended)",
        retryable=bool(body.get("retryable")),
    )  # fmt: skip
