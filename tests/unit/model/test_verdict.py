# SPDX-License-Identifier: Apache-2.0
"""The outcome of a press from those of its recorders."""

import pytest

from bridges.model import Evidence, Outcome, RecorderResult, Verb, worst
from offrecord.model.verdict import Verdict, judge


def _result(
    name: str, outcome: Outcome, evidence: Evidence = Evidence.NOTHING_ELSE
) -> RecorderResult:
    return RecorderResult(name, "kind", outcome, evidence, f"{name} said so")


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], Outcome.FAILED),
        ([Outcome.CONFIRMED, Outcome.NOTHING_TO_STOP], Outcome.CONFIRMED),
        ([Outcome.NOTHING_TO_STOP, Outcome.NOTHING_TO_STOP], Outcome.NOTHING_TO_STOP),
        ([Outcome.CONFIRMED, Outcome.ACCEPTED], Outcome.ACCEPTED),
        ([Outcome.CONTAINED, Outcome.ACCEPTED], Outcome.CONTAINED),
        ([Outcome.CONFIRMED, Outcome.FAILED], Outcome.FAILED),
        ([Outcome.CALL_ENDED, Outcome.CONFIRMED], Outcome.CALL_ENDED),
        ([Outcome.DENIED, Outcome.CONFIRMED], Outcome.DENIED),
    ],
)
def test_the_worst_recorder_decides(outcomes: list[Outcome], expected: Outcome) -> None:
    assert worst(outcomes) is expected


def test_every_outcome_has_a_rank() -> None:
    assert {worst([outcome]) for outcome in Outcome} == set(Outcome)


def test_no_recorder_at_all_is_a_failure_and_said() -> None:
    assert judge([]) == (
        Outcome.FAILED, Evidence.NONE, "no recorder is configured for this call"
    )  # fmt: skip


def test_evidence_is_what_is_known_of_every_recorder() -> None:
    outcome, evidence, reason = judge(
        [
            _result("local", Outcome.CONFIRMED),
            _result("noojee", Outcome.ACCEPTED, Evidence.ACCEPTED),
        ]
    )

    assert outcome is Outcome.ACCEPTED
    assert evidence is Evidence.ACCEPTED
    assert reason == "noojee: noojee said so"


def test_a_recorder_of_role_may_does_not_fail_the_press() -> None:
    results = [_result("local", Outcome.CONFIRMED), _result("spare", Outcome.FAILED)]

    assert judge(results, {"spare"})[0] is Outcome.CONFIRMED
    assert judge(results)[0] is Outcome.FAILED
    assert judge(results[1:], {"spare"})[0] is Outcome.FAILED


def test_the_person_hears_why_it_did_not_work() -> None:
    verdict = Verdict("p", Verb.STOP, Outcome.FAILED, Evidence.NONE, "noojee: HTTP 500", 0.1)

    assert verdict.text.endswith("noojee: HTTP 500")
    assert "NOT stopped" in verdict.text
