# SPDX-License-Identifier: Apache-2.0
"""Press ids: unique, sorting as the presses were made, and what the journal keeps of a press."""

import random
from collections.abc import Callable
from dataclasses import fields

import pytest

from bridges.model import Verb
from offrecord.model.press import Press, PressIds

NOW = 1_795_314_093_787
LOWEST: Callable[[int], int] = lambda _bits: 0  # noqa: E731
HIGHEST: Callable[[int], int] = lambda bits: (1 << bits) - 1  # noqa: E731


def _made(ids: PressIds, times: list[int]) -> list[str]:
    return [ids.make(at) for at in times]


@pytest.mark.parametrize("bits", [LOWEST, HIGHEST, random.Random(7).getrandbits])
@pytest.mark.parametrize(
    "times",
    [
        [NOW] * 2000,
        list(range(NOW, NOW + 2000)),
        [NOW, NOW - 3_600_000, NOW - 3_600_000, NOW - 1, NOW, NOW + 1],
        [NOW + 5, NOW, NOW + 6],
    ],
    ids=["one millisecond", "each its own", "the clock steps back an hour", "and a little"],
)
def test_ids_are_unique_and_sort_as_they_were_made(
    bits: Callable[[int], int], times: list[int]
) -> None:
    made = _made(PressIds(bits), times)

    assert len(set(made)) == len(made)
    assert sorted(made) == made


def test_after_the_clock_stepped_back_ids_follow_it_again_once_it_has_caught_up() -> None:
    ids = PressIds(LOWEST)
    ahead = ids.make(NOW + 10)

    assert ids.make(NOW)[:9] == ahead[:9]
    assert ids.make(NOW + 11)[:9] == PressIds(LOWEST).make(NOW + 11)[:9]


def test_an_id_is_fourteen_characters_that_nobody_misreads() -> None:
    for at in (0, NOW, 2**45 - 1):
        made = PressIds(HIGHEST).make(at)

        assert len(made) == 14
        assert not set(made) & set("ilou") - set("0123456789")
        assert made == made.lower()


def test_two_daemons_in_the_same_millisecond_make_different_ids() -> None:
    one = PressIds(random.Random(1).getrandbits).make(NOW)
    other = PressIds(random.Random(2).getrandbits).make(NOW)

    assert one[:9] == other[:9]
    assert one != other


def test_the_random_part_leaves_room_to_count_up() -> None:
    ids = PressIds(HIGHEST)
    times = {ids.make(NOW)[:9] for _ in range(1000)}

    assert len(times) == 1


def test_the_journal_keeps_all_of_a_press_but_its_clocks() -> None:
    press = Press(
        "p1", Verb.STOP, "fastagi", "1.1", NOW, 5.0, "1.1", "SIP/410-1", "fred", "noojee",
        {"note": "x"},
    )  # fmt: skip
    body = press.body()

    assert set(body) == {f.name for f in fields(Press)} - {"id", "at", "received"}
    assert body["verb"] == "stop"
    assert body["options"] == {"note": "x"}
