# SPDX-License-Identifier: Apache-2.0
"""No outcome goes without its tone, its level or its words."""

import logging
from itertools import product

import pytest

from bridges.model import Outcome, Verb
from offrecord.config.sections.notify import SoundsConfig
from offrecord.model.outcome_codes import EXIT_CODES, HTTP_STATUSES, LOG_LEVELS, SOUNDS, TEXTS, text


@pytest.mark.parametrize("table", [EXIT_CODES, HTTP_STATUSES, SOUNDS, LOG_LEVELS, TEXTS])
def test_every_outcome_is_in_each_table(table: dict[Outcome, object]) -> None:
    assert set(table) == set(Outcome)


def test_every_outcome_can_be_given_other_sounds_and_starts_with_the_table_s() -> None:
    assert SoundsConfig().by_outcome() == dict(SOUNDS)
    other = SoundsConfig(failed=("beep", "sorry"))
    assert other.by_outcome()[Outcome.FAILED] == ("beep", "sorry")
    assert other.by_outcome()[Outcome.CONFIRMED] == SOUNDS[Outcome.CONFIRMED]


def test_no_two_outcomes_sound_alike() -> None:
    assert len(set(SOUNDS.values())) == len(SOUNDS)


def test_only_the_end_of_the_call_is_silent() -> None:
    assert [outcome for outcome, sounds in SOUNDS.items() if not sounds] == [Outcome.CALL_ENDED]


def test_a_failure_is_logged_as_an_error_and_nothing_else_is() -> None:
    errors = [outcome for outcome, level in LOG_LEVELS.items() if level >= logging.ERROR]
    assert errors == [Outcome.FAILED]


@pytest.mark.parametrize(("outcome", "verb"), list(product(Outcome, Verb)))
def test_every_outcome_of_every_verb_is_one_full_sentence(outcome: Outcome, verb: Verb) -> None:
    sentence = text(outcome, verb)
    assert sentence.endswith(".")
    assert "{" not in sentence
    assert "\n" not in sentence


def test_only_the_proven_outcome_speaks_of_proof_as_had() -> None:
    said = [outcome for outcome in Outcome if "proven" in text(outcome, Verb.STOP)]
    assert said == [Outcome.CONFIRMED]


def test_a_failed_stop_warns_that_the_call_is_recorded_and_a_failed_resume_that_it_is_not() -> None:
    assert text(Outcome.FAILED, Verb.STOP).endswith("the call is being recorded.")
    assert text(Outcome.FAILED, Verb.RESUME).endswith("the call is not being recorded.")
