# SPDX-License-Identifier: Apache-2.0
"""How often people press."""

from offrecord.policy.press_limits import DAY, HOUR, Limits

CALL = frozenset({"1.0"})


def test_without_limits_nothing_is_over() -> None:
    limits = Limits()
    for at in range(100):
        limits.count(CALL, "fred", float(at))

    assert limits.over(CALL, "fred", 100.0) == ()


def test_the_press_after_the_last_one_of_a_call_is_over_and_names_its_setting() -> None:
    limits = Limits(per_call=2)
    limits.count(CALL, "fred", 0.0)
    assert limits.over(CALL, "wilma", 1.0) == ()
    limits.count(CALL, "fred", 1.0)

    assert limits.over(CALL, "wilma", 2.0) == ("this call had its 2 presses (policy.max_per_call)",)
    assert limits.over(frozenset({"2.0"}), "fred", 2.0) == ()


def test_the_presses_of_a_person_are_counted_over_all_calls_of_an_hour() -> None:
    limits = Limits(per_agent_hour=2)
    limits.count(CALL, "fred", 0.0)
    limits.count(frozenset({"2.0"}), "fred", 10.0)
    other = frozenset({"3.0"})

    assert limits.over(other, "fred", HOUR - 0.1) == (
        "fred had 2 presses within an hour (policy.max_per_agent_hour)",
    )
    assert limits.over(other, "wilma", 20.0) == ()
    assert limits.over(other, None, 20.0) == ()
    assert limits.over(other, "fred", HOUR) == ()


def test_both_limits_can_be_over_at_once() -> None:
    limits = Limits(1, 1)
    limits.count(CALL, "fred", 0.0)

    assert len(limits.over(CALL, "fred", 1.0)) == 2


def test_a_press_of_nobody_counts_for_its_call_alone() -> None:
    limits = Limits(1, 1)
    limits.count(CALL, None, 0.0)

    assert len(limits.over(CALL, None, 1.0)) == 1


def test_asking_counts_nothing() -> None:
    limits = Limits(1, 1)
    for _ in range(5):
        assert limits.over(CALL, "fred", 0.0) == ()
    assert limits.size == 0


def test_two_calls_that_turn_out_to_be_one_have_the_presses_of_both() -> None:
    limits = Limits(per_call=2)
    limits.count(frozenset({"1.0", "1.1"}), "fred", 0.0)
    limits.count(frozenset({"2.0"}), "wilma", 1.0)
    both = frozenset({"1.0", "2.0"})
    assert limits.over(both, "fred", 2.0)
    limits.per_call = 3
    assert not limits.over(both, "fred", 2.0)
    limits.count(both, "fred", 2.0)

    assert limits.over(frozenset({"1.1"}), "fred", 3.0)
    assert limits.over(frozenset({"2.0"}), "fred", 3.0)
    limits.per_call = 4  # each press was counted once, whatever the names
    assert not limits.over(frozenset({"1.0", "1.1", "2.0"}), "fred", 3.0)


def test_a_changed_limit_goes_by_what_was_counted_before() -> None:
    limits = Limits(per_call=5)
    for at in range(3):
        limits.count(CALL, "fred", float(at))
    limits.per_call = 3

    assert limits.over(CALL, "fred", 4.0)


def test_what_is_older_than_its_window_is_forgotten() -> None:
    limits = Limits(1, 1)
    for n in range(50):
        limits.count(frozenset({f"{n}.0", f"{n}.1"}), f"agent-{n}", float(n))
    assert limits.size == 150
    late = frozenset({"99.0"})
    limits.count(late, "fred", HOUR + 100.0)
    assert limits.size == 2 * 50 + 2  # the calls are remembered for a day
    limits.count(late, "fred", DAY + 200.0)

    assert limits.size == 2
    assert len(limits.over(late, "fred", DAY + 201.0)) == 2


def test_one_who_presses_all_day_does_not_keep_the_others_remembered() -> None:
    limits = Limits(0, 5)
    limits.count(CALL, "fred", 0.0)
    limits.count(CALL, "wilma", 1.0)
    limits.count(CALL, "fred", HOUR)
    limits.count(CALL, "barney", HOUR + 1.0)

    assert limits.size == 3  # the call, fred and barney
