# SPDX-License-Identifier: Apache-2.0
"""Which recorders hold a call."""

from ami.calls import Call, Channel
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


def test_without_a_match_the_default_holds_the_call() -> None:
    routed = ROUTER.route(_call(("500", "500")))

    assert routed.recorders == ("local",)
    assert routed.trials[-1].route == "default"
