# SPDX-License-Identifier: Apache-2.0
"""Which recorders hold a call."""

import pytest

from ami.calls.snapshots import Call, Channel
from bridges.routing import VARIABLE, Router, Rule


def _call(*ends: tuple[str, str | None]) -> Call:
    channels = tuple(
        Channel(f"PJSIP/{endpoint}-0{n}", f"1.{n}", "1.0", "PJSIP", endpoint, extension)
        for n, (endpoint, extension) in enumerate(ends)
    )
    return Call("1.0", frozenset({"1.0"}), channels)


INSIDE = _call(("410", "410"), ("411", "411"))
OUTSIDE = _call(("my-trunk", None), ("412", "412"))
ROUTER = Router(
    known=("local", "noojee", "cloud"),
    default=("local",),
    rules=(
        Rule(("cloud",), trunk="my-*"),
        Rule(("noojee", "local"), extension="41[01]"),
    ),
)


def test_the_channel_variable_goes_before_every_rule() -> None:
    routed = ROUTER.route(OUTSIDE, "noojee, local,noojee")

    assert routed.recorders == ("noojee", "local")
    assert [trial.matched for trial in routed.trials] == [True]


def test_a_variable_that_names_a_stranger_is_passed_over_and_said() -> None:
    routed = ROUTER.route(OUTSIDE, "nojee")

    assert routed.recorders == ("cloud",)
    assert routed.trials[0].route == f"variable {VARIABLE}"
    assert routed.trials[0].why == "no recorder is called nojee"


def test_the_first_matching_rule_wins_and_says_what_it_saw() -> None:
    assert ROUTER.route(OUTSIDE).recorders == ("cloud",)
    routed = ROUTER.route(INSIDE)

    assert routed.recorders == ("noojee", "local")
    assert [trial.why for trial in routed.trials] == [
        "not set",
        "no trunk of the call (none) is my-*",
        "extension 410 on the call",
    ]


def test_a_rule_with_both_patterns_needs_both() -> None:
    router = Router(("a", "b"), ("b",), (Rule(("a",), trunk="my-trunk", extension="410"),))

    assert router.route(OUTSIDE).recorders == ("b",)
    assert router.route(OUTSIDE).trials[1].why == "no extension of the call (412) is 410"


TWO_PLATFORMS = Call(
    "1.0",
    frozenset({"1.0"}),
    (
        Channel("PJSIP/gw-0", "1.0", "1.0", "PJSIP", "gw", None, exten="5551000"),
        Channel("PJSIP/410-1", "1.1", "1.0", "PJSIP", "410", "410"),
        Channel("PJSIP/ucm-2", "1.2", "1.0", "PJSIP", "ucm", None),
    ),
)
EVERY = Router(
    known=("a", "b", "c", "d", "e"),
    default=("e",),
    rules=(
        Rule(("d",), agent="fred"),
        Rule(("c",), queue="support"),
        Rule(("b",), trunk="ucm"),
        Rule(("a",), did="555*"),
        Rule(("e",), trunk="*"),
    ),
)


def test_each_trunk_of_a_call_goes_by_its_first_rule_and_all_their_recorders_hold_it() -> None:
    routed = EVERY.route(TWO_PLATFORMS, queues=("support",), agent="fred")

    assert routed.recorders == ("b", "a")
    assert [(trial.route, trial.matched, trial.why) for trial in routed.trials[1:]] == [
        ("rule trunk = ucm", True, "trunk ucm on the call"),
        ("rule did = 555*", True, "did 5551000 on the call"),
        ("rule trunk = *", False, "trunk gw goes by an earlier rule"),
        ("rule queue = support", False, "rules about trunks and DIDs decided already"),
        ("rule agent = fred", False, "rules about trunks and DIDs decided already"),
    ]


@pytest.mark.parametrize(
    ("queues", "agent", "recorders"),
    [
        (("support",), "fred", ("c",)),
        (("sales",), "fred", ("d",)),
        ((), "wilma", ("e",)),
        ((), None, ("e",)),
    ],
)
def test_a_queue_goes_before_an_agent_and_an_agent_before_the_default(
    queues: tuple[str, ...], agent: str | None, recorders: tuple[str, ...]
) -> None:
    assert EVERY.route(INSIDE, queues=queues, agent=agent).recorders == recorders


def test_the_extensions_of_a_call_are_all_held() -> None:
    router = Router(
        ("a", "b", "c"),
        ("c",),
        (Rule(("a",), extension="410"), Rule(("b",), extension="41?"), Rule(("c",), agent="x")),
    )

    assert router.route(INSIDE).recorders == ("a", "b")


def test_a_rule_about_a_trunk_may_ask_for_more_that_is_anywhere_on_the_call() -> None:
    rule = Rule(("a",), trunk="ucm", agent="fred", extension="410")
    router = Router(("a", "b"), ("b",), (rule,))

    assert router.route(TWO_PLATFORMS, agent="fred").recorders == ("a",)
    assert router.route(TWO_PLATFORMS, agent="betty").recorders == ("b",)
    assert str(rule) == "trunk = ucm, agent = fred, extension = 410"


def test_without_a_match_the_default_holds_the_call() -> None:
    routed = ROUTER.route(_call(("500", "500")))

    assert routed.recorders == ("local",)
    assert routed.trials[-1].route == "default"
