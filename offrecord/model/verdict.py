# SPDX-License-Identifier: Apache-2.0
"""The verdict on a press: the result of every recorder, and one outcome for all of them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from bridges.model import Evidence, Outcome, RecorderResult, Verb, worst
from offrecord.model import outcome_codes


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of one press.

    `reason` is one sentence for people. `took` is seconds from the press to the verdict.
    `evidence` is the weakest evidence among the recorders that count. `only` is the recorder that
    the press named: the verdict says nothing of any other.
    """

    press_id: str
    verb: Verb
    outcome: Outcome
    evidence: Evidence
    reason: str
    took: float
    linkedid: str | None = None
    results: tuple[RecorderResult, ...] = ()
    agent: str | None = None
    only: str | None = None

    @property
    def scope(self) -> str:
        """The first words of what is said, where the press was about one recorder alone."""
        return f"Of {self.only} alone: " if self.only is not None else ""

    @property
    def text(self) -> str:
        """The sentence for the presser, with the reason when the press did not succeed."""
        sentence = self.scope + outcome_codes.text(self.outcome, self.verb)
        plain = self.outcome in {Outcome.CONFIRMED, Outcome.ACCEPTED}
        return sentence if plain or not self.reason else f"{sentence} {self.reason}"

    def body(self) -> dict[str, object]:
        """Return the verdict as the journal and `--json` show it; `took` in milliseconds."""
        return {
            "press": self.press_id,
            "verb": self.verb.value,
            "outcome": self.outcome.value,
            "evidence": self.evidence.label,
            "reason": self.scope + self.reason,
            "text": self.text,
            "took_ms": round(self.took * 1000, 1),
            "call": self.linkedid,
            "recorders": [result_body(result) for result in self.results],
        }


def result_body(result: RecorderResult) -> dict[str, object]:
    """Return one recorder's result as plain data."""
    return {
        "recorder": result.recorder,
        "kind": result.kind,
        "outcome": result.outcome.value,
        "evidence": result.evidence.label,
        "detail": result.detail,
        "retryable": result.retryable,
        "steps": [
            {
                "at": round(step.at * 1000),
                "took_ms": round(step.took * 1000, 1),
                "sent": step.sent,
                "answer": step.answer,
                "evidence": step.evidence.label,
            }
            for step in result.steps
        ],
    }


def honest(result: RecorderResult) -> RecorderResult:
    """Return the result, lowered to `accepted` where its evidence does not prove `confirmed`."""
    if result.outcome is Outcome.CONFIRMED and result.evidence < Evidence.READ_BACK:
        return replace(result, outcome=Outcome.ACCEPTED)
    return result


def judge(
    results: Sequence[RecorderResult], optional: Collection[str] = ()
) -> tuple[Outcome, Evidence, str]:
    """Return outcome, evidence and reason of a press from the results of its recorders.

    The worst recorder decides. Recorders named in `optional` (role `may`) decide only when there
    is no other.
    """
    needed = [result for result in results if result.recorder not in optional] or list(results)
    outcome = worst(result.outcome for result in needed)
    telling = [result for result in needed if result.outcome is outcome]
    evidence = min((result.evidence for result in needed), default=Evidence.NONE)
    reason = "; ".join(f"{result.recorder}: {result.detail}" for result in telling)
    return outcome, evidence, reason or "no recorder is configured for this call"
