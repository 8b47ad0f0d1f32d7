# SPDX-License-Identifier: Apache-2.0
"""What every ending of a request to Noojee means."""

import pytest

from bridges.model import ORDERS, Evidence, Outcome
from bridges.noojee import NoojeeRecorder
from bridges.noojee.answers import (
    TABLE,
    Case,
    case_of,
    harmless,
    request_for,
    standing,
    unavailable,
)
from noojee import (
    Kind,
    NoAnswerError,
    NoojeeError,
    NotConnectedError,
    RefusedError,
    UntrustedError,
)


def test_every_request_and_case_has_its_row() -> None:
    wanted = {(request, case) for request in ("stop", "start") for case in Case}
    assert set(TABLE) == wanted - {("start", Case.STOOD)}


@pytest.mark.parametrize("case", Case)
@pytest.mark.parametrize("before", [True, False])
def test_only_a_refusal_of_the_very_same_stop_stands_as_accepted(case: Case, before: bool) -> None:
    stood = before and case is Case.REFUSED
    assert standing(case, before=before) is (Case.STOOD if stood else case)


def test_every_kind_of_answer_is_a_case() -> None:
    assert {kind.value for kind in Kind} <= {case.value for case in Case}


def test_only_a_yes_is_accepted_and_nothing_is_ever_confirmed() -> None:
    for (_, case), row in TABLE.items():
        yes = case in {Case.DONE, Case.UNCONFIRMED, Case.STOOD}
        assert row.outcome is (Outcome.ACCEPTED if yes else Outcome.FAILED), case
        assert (row.evidence >= Evidence.ACCEPTED) is yes, case
        assert row.evidence <= NoojeeRecorder.capabilities.best_evidence


def test_a13_what_may_be_repeated() -> None:
    perhaps = TABLE["stop", Case.NO_ANSWER]
    surely_not = TABLE["stop", Case.NOT_CONNECTED]
    assert harmless("stop", perhaps, by_id=True)
    assert not harmless("stop", perhaps, by_id=False)
    assert not harmless("start", perhaps, by_id=True)
    for by_id_ in (True, False):
        assert harmless("stop", surely_not, by_id=by_id_)
        assert harmless("start", surely_not, by_id=by_id_)


@pytest.mark.parametrize(
    ("error", "case"),
    [
        (NotConnectedError("m", operation="stop"), Case.NOT_CONNECTED),
        (NotConnectedError("m", operation="Time"), Case.NOT_CONNECTED),
        (UntrustedError("m", operation="Time"), Case.UNTRUSTED),
        (NoAnswerError("m", operation="stop"), Case.NO_ANSWER),
        (NoAnswerError("m", operation="stop", maybe_done=False), Case.NOT_ASKED),
        (RefusedError("m", operation="Time"), Case.NOT_ASKED),
    ],
)
def test_an_error_without_an_answer_finds_its_case(error: NoojeeError, case: Case) -> None:
    assert case_of(error) is case


def test_an_error_with_an_answer_finds_the_case_of_its_kind() -> None:
    error = RefusedError("m", operation="stop")
    error.kind = Kind.FORBIDDEN
    assert case_of(error) is Case.FORBIDDEN


def test_verbs_that_silence_stop_and_the_others_start() -> None:
    for verb in ORDERS:
        assert request_for(verb) == ("stop" if verb.silences else "start")


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (UntrustedError("m", operation="Time"), "untrusted"),
        (NotConnectedError("m", operation="Time"), "unreachable"),
        (NoAnswerError("m", operation="Time"), "unreachable"),
        (RefusedError("m", operation="Time"), "refused"),
    ],
)
def test_a_probe_that_fails_names_cause_and_fix(error: NoojeeError, cause: str) -> None:
    found, fix = unavailable(error)
    assert found == cause
    assert fix
