# SPDX-License-Identifier: Apache-2.0
"""One press seen several ways is one press; of opposite ones the silencing one wins."""

from bridges.model import Verb
from offrecord.presses.deduplicate import Deduplicator

CALL = frozenset({"1.0"})
OTHER = frozenset({"2.0"})


def _pressed(verb: Verb, at: float = 0.0) -> Deduplicator[str]:
    joining: Deduplicator[str] = Deduplicator(3.0)
    joining.add(CALL, verb, at, "first")
    return joining


def test_the_same_verb_within_the_window_is_the_same_press() -> None:
    joining = _pressed(Verb.STOP)
    joining.ended("first")

    assert joining.rule(CALL, Verb.STOP, 2.9).join == "first"
    assert joining.rule(CALL, Verb.STOP, 3.1).join is None


def test_a_press_that_still_runs_is_joined_after_the_window_too() -> None:
    assert _pressed(Verb.STOP).rule(CALL, Verb.STOP, 60.0).join == "first"


def test_presses_on_different_calls_are_different() -> None:
    assert _pressed(Verb.STOP).rule(OTHER, Verb.STOP, 0.1).join is None


def test_a_call_is_recognised_by_any_linkedid_it_went_by() -> None:
    merged = frozenset({"1.0", "2.0"})

    assert _pressed(Verb.STOP).rule(merged, Verb.STOP, 0.1).join == "first"


def test_a_resume_right_after_a_stop_is_overruled() -> None:
    joining = _pressed(Verb.STOP)

    assert joining.rule(CALL, Verb.RESUME, 1.0).overruled == "first"
    assert joining.rule(CALL, Verb.START, 1.0).overruled == "first"
    assert joining.rule(CALL, Verb.RESUME, 3.1).overruled is None


def test_a_stop_supersedes_a_resume_that_still_runs() -> None:
    joining = _pressed(Verb.RESUME)

    assert joining.rule(CALL, Verb.STOP, 0.2).supersedes == ("first",)
    joining.ended("first")
    assert joining.rule(CALL, Verb.STOP, 0.2).supersedes == ()


def test_a_pause_after_a_stop_goes_its_own_way() -> None:
    ruling = _pressed(Verb.STOP).rule(CALL, Verb.PAUSE, 0.2)

    assert (ruling.join, ruling.overruled, ruling.supersedes) == (None, None, ())


def test_old_presses_are_forgotten() -> None:
    joining = _pressed(Verb.STOP)
    joining.ended("first")
    joining.rule(CALL, Verb.STOP, 10.0)

    assert not joining._seen


def test_presses_limited_to_different_recorders_are_different() -> None:
    joining = _pressed(Verb.STOP)
    joining.add(CALL, Verb.STOP, 0.1, "second", only="noojee")

    assert joining.rule(CALL, Verb.STOP, 0.2).join == "first"
    assert joining.rule(CALL, Verb.STOP, 0.2, only="noojee").join == "second"
    assert joining.rule(CALL, Verb.STOP, 0.2, only="local").join is None


def test_a_press_ruled_on_again_is_not_itself_and_not_a_later_one() -> None:
    joining = _pressed(Verb.STOP)
    joining.add(CALL, Verb.STOP, 0.1, "second")

    assert joining.rule(CALL, Verb.STOP, 0.0, itself="first").join is None
    assert joining.rule(CALL, Verb.STOP, 0.1, itself="second").join == "first"


def test_a_press_that_was_denied_stands_in_nobodys_way() -> None:
    joining = _pressed(Verb.STOP)
    joining.add(OTHER, Verb.STOP, 0.1, "denied")
    joining.add(CALL, Verb.STOP, 0.2, "third")
    joining.widen("denied", CALL)
    joining.denied("denied")

    assert joining.rule(CALL, Verb.STOP, 0.2, itself="third").join == "first"
    assert joining.rule(OTHER, Verb.RESUME, 0.2).overruled is None


def test_a_call_that_is_known_better_is_recognised_by_all_its_ids() -> None:
    joining = _pressed(Verb.STOP)
    assert joining.rule(OTHER, Verb.STOP, 0.1).join is None
    joining.widen("first", OTHER)

    assert joining.rule(OTHER, Verb.STOP, 0.1).join == "first"


def test_whichever_of_two_opposite_presses_came_first_the_silencing_one_wins() -> None:
    joining = _pressed(Verb.RESUME)
    joining.add(CALL, Verb.STOP, 1.0, "stop")

    assert joining.rule(CALL, Verb.RESUME, 0.0, itself="first").overruled == "stop"
