# SPDX-License-Identifier: Apache-2.0
"""The judge of a fault run finds what it is there to find."""

from typing import Any

import pytest

from tests.kits.faults.figures import Figures
from tests.kits.faults.judge import _contradicted, _is_open, _one_way, _Presses
from tests.kits.faults.world import Command


def command(at: float, wants: str = "silence", kind: str = "noojee", **more: bool) -> Command:
    told = {"acted": False, "void": False, "lost": False, "by_id": True, "read": False, **more}
    return Command(at, at, 1, kind, wants, **told)


def counted(
    *commands: Command, wants: str = "silence", presses: tuple[float, ...] = (1.0,), cut: float = 0
) -> Figures:
    figures = Figures()
    cuts = [cut] if cut else []
    _one_way(figures, "call 1", commands, wants, _Presses(presses, cuts), cuts)
    return figures


ACTED = command(1.1, acted=True)


def test_a_command_that_is_sent_again_to_one_that_acted_is_found() -> None:
    for again in (command(1.5), command(1.5, acted=True), command(9.0)):
        assert counted(ACTED, again).doubled


@pytest.mark.parametrize(
    ("commands", "presses"),
    [
        ((ACTED,), (1.0,)),
        ((ACTED, command(2.1)), (1.0, 2.0)),  # pressed again
        ((command(1.05, void=True), ACTED), (1.0,)),  # the first did nothing
        ((ACTED, command(2.0, "record", acted=True), command(3.0)), (1.0,)),
    ],
)
def test_what_somebody_pressed_for_is_no_repetition(
    commands: tuple[Command, ...], presses: tuple[float, ...]
) -> None:
    figures = counted(*commands, presses=presses)

    assert (figures.doubled, figures.verified, figures.by_id) == ([], 0, 0)


def test_a_repetition_after_a_look_or_a_lost_answer_has_a_line_of_its_own() -> None:
    looked = counted(ACTED, command(1.2, read=True), command(1.5))
    lost = counted(command(1.1, acted=True, lost=True), command(1.5))
    killed = counted(ACTED, command(1.5), presses=(1.0,), cut=1.05)

    assert (looked.doubled, looked.verified) == ([], 1)
    assert (lost.doubled, lost.by_id) == ([], 1)
    assert (killed.doubled, killed.by_id) == ([], 1)


def test_a_lost_answer_excuses_no_second_start_and_no_stop_by_extension() -> None:
    start = command(1.1, "record", acted=True, lost=True)
    by_extension = command(1.5, by_id=False)

    assert counted(start, command(1.5, "record"), wants="record").doubled
    assert counted(command(1.1, acted=True, lost=True), by_extension).doubled


def test_a_claim_that_the_recorder_contradicts_is_found() -> None:
    stopped, went_on = [(0.0, True), (1.0, False)], [(0.0, True)]
    began_again = [*stopped, (5.0, True)]

    assert _contradicted(stopped, 1.2, 9.0, recording=True) is None
    assert _contradicted(went_on, 1.2, 9.0, recording=True) == 1.2
    assert _contradicted(began_again, 1.2, 9.0, recording=True) == 5.0
    assert _contradicted(began_again, 1.2, 4.0, recording=True) is None


PRESSED = ("pressed", 0, {"verb": "stop"})
BAD = ("verdict", 0, {"outcome": "failed", "recorders": [{}]})
GOOD = ("verdict", 0, {"outcome": "confirmed", "recorders": [{}]})
INTENT = ("intent", 0, {})
ENDED = ("intent_ended", 0, {})
CLOSED = ("closed", 0, {})


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([PRESSED], True),
        ([PRESSED, GOOD], False),
        ([PRESSED, BAD], True),
        ([PRESSED, BAD, CLOSED], False),
        ([PRESSED, INTENT, GOOD], True),
        ([PRESSED, INTENT, GOOD, ENDED], False),
        ([PRESSED, INTENT, BAD, ENDED], True),
    ],
)
def test_a_press_that_is_left_open_is_found(records: list[Any], expected: bool) -> None:
    assert _is_open(records) is expected
