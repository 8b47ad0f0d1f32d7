# SPDX-License-Identifier: Apache-2.0
"""Which verdicts hold, as the journal's records come."""

from collections.abc import Mapping

import pytest

from offrecord.journal.journal import Record
from offrecord.witness.held import HeldVerdict, HeldVerdicts


class Scene:
    def __init__(self) -> None:
        self.begun: list[HeldVerdict] = []
        self.held = HeldVerdicts(self.begun.append, lambda: 5.0)

    def note(self, press: str, kind: str, /, **body: object) -> None:
        self.held.on_record(Record(press, kind, body, 1000))

    def pressed(
        self, press: str = "p", verb: str = "stop", told: str = "confirmed", **more: object
    ) -> None:
        self.note(press, "pressed", verb=verb, recorder=more.get("recorder"))
        self.note(press, "verdict", verb=verb, outcome=told, call=more.get("call", "1.1"))

    @property
    def presses(self) -> list[str]:
        return [one.press for one in self.held]


@pytest.mark.parametrize("told", ["confirmed", "nothing_to_stop", "accepted", "contained"])
@pytest.mark.parametrize("verb", ["stop", "pause", "objection"])
def test_a_silencing_verdict_holds(verb: str, told: str) -> None:
    scene = Scene()
    scene.pressed(verb=verb, told=told)
    [one] = scene.held
    assert (one.press, one.call, one.since, one.at) == ("p", "1.1", 5.0, 1000)
    assert one.silent == (verb == "pause" or told == "contained")


@pytest.mark.parametrize(
    "more",
    [{"told": "failed"}, {"told": "denied"}, {"told": "call_ended"}, {"verb": "resume"},
     {"recorder": "noojee"}, {"call": None}],
)  # fmt: skip
def test_others_do_not(more: Mapping[str, str]) -> None:
    scene = Scene()
    scene.pressed(**more)
    assert scene.presses == []


def test_a_failed_press_holds_once_it_is_solved() -> None:
    scene = Scene()
    scene.pressed(told="failed")
    scene.note("p", "closed", why="solved", outcome="confirmed")
    assert scene.presses == ["p"]


def test_of_one_call_the_newest_verdict_holds() -> None:
    scene = Scene()
    scene.pressed("p1")
    scene.pressed("p2", verb="pause")
    scene.pressed("other", call="9.9")
    assert scene.presses == ["p2", "other"]
    scene.pressed("p3", told="failed")
    assert scene.presses == ["other"]


def test_it_ends_with_its_intent_and_with_a_resume() -> None:
    scene = Scene()
    scene.pressed("p1")
    scene.note("p1", "intent_ended", intent="p1", why="call_ended")
    scene.pressed("p2", verb="pause")
    scene.pressed("p3", verb="resume")
    assert scene.presses == []


def test_the_intent_of_a_press_from_before_a_restart_holds() -> None:
    scene = Scene()
    scene.note("old", "intent", verb="stop", call="1.1")
    scene.note("now", "pressed", verb="stop", recorder=None)
    scene.note("now", "intent", verb="stop", call="2.1")
    assert scene.presses == ["old"]
