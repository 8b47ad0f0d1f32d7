# SPDX-License-Identifier: Apache-2.0
"""Give the orders of the checks, and check what must hold of every result."""

import asyncio
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from bridges.conformance.fixture import RecorderFixture
from bridges.conformance.observe import leak, told
from bridges.model import Evidence, Order, Outcome, Plan, RecorderResult, Verb

OVERRUN: Final = 0.5
"""Seconds that `act` may take beyond its budget, for a machine that is busy."""

YES: Final = frozenset({Outcome.CONFIRMED, Outcome.ACCEPTED, Outcome.CONTAINED})
"""The outcomes that say that the verb was carried out."""

_LEAST: Final = {
    Outcome.CONFIRMED: Evidence.READ_BACK,
    Outcome.NOTHING_TO_STOP: Evidence.READ_BACK,
    Outcome.ACCEPTED: Evidence.ACCEPTED,
    Outcome.CONTAINED: Evidence.ACCEPTED,
}
"""The evidence without which an outcome is a guess."""


def must(held: object, message: str) -> None:
    """Raise AssertionError with the message unless something holds, under `python -O` too."""
    if not held:
        raise AssertionError(message)


async def give(fixture: RecorderFixture, order: Order) -> RecorderResult:
    """Give the recorder an order, and check what has to hold of any result.

    Raises AssertionError when the recorder raises, exceeds the budget, or returns a result that
    contradicts itself.
    """
    loop = asyncio.get_running_loop()
    began, longest = loop.time(), order.budget + OVERRUN
    too_long = f"act({order.verb}) took over {longest:g} s with a budget of {order.budget:g} s"
    limit = asyncio.timeout(longest)
    try:
        async with limit:
            result = await fixture.recorder.act(order)
    except Exception as error:
        if limit.expired():
            raise AssertionError(too_long) from None
        no_secret(told(error), fixture, "an exception of act")
        raise AssertionError(
            f"act({order.verb}) raised {error!r}; every ending has to be a RecorderResult"
        ) from error
    must(loop.time() - began <= longest, too_long)
    check_result(fixture, result)
    return result


def check_result(fixture: RecorderFixture, result: RecorderResult) -> None:
    """Check what has to hold of every result."""
    recorder, can = fixture.recorder, fixture.recorder.capabilities
    must(isinstance(result, RecorderResult), f"act returned {type(result).__name__}")
    said = f"{result.outcome} ({result.evidence.label}): {result.detail}"
    must(
        (result.recorder, result.kind) == (recorder.name, recorder.kind),
        f"the result is of {result.recorder!r}, kind {result.kind!r}; this is {recorder.name!r},"
        f" kind {recorder.kind!r}",
    )
    must(
        result.evidence <= can.best_evidence,
        f"it said {said}, and capabilities.best_evidence is {can.best_evidence.label}",
    )
    least = _LEAST.get(result.outcome, Evidence.NONE)
    must(
        result.evidence >= least,
        f"it said {said}; {result.outcome} needs {least.label} or better",
    )
    must(result.detail.strip(), "detail is empty: it is the one sentence that people get to read")
    must("\n" not in result.detail, f"detail has more than one line: {result.detail!r}")
    must(isinstance(result.retryable, bool), "retryable is neither True nor False")
    must(
        all(first.at <= second.at for first, second in pairwise(result.steps)),
        "the steps are not in the order of their times",
    )
    for step in result.steps:
        must(step.at >= 0 and step.took >= 0, f"a step has a negative time: {step}")
        must(
            step.evidence <= can.best_evidence,
            f"a step claims {step.evidence.label}, above capabilities.best_evidence",
        )
    no_secret(f"{result!r} {result.detail}", fixture, "the result")


def check_plan(fixture: RecorderFixture, verb: Verb, plan: Plan) -> None:
    """Check what has to hold of every plan."""
    recorder = fixture.recorder
    must(isinstance(plan, Plan), f"plan({verb}) returned {type(plan).__name__}")
    must(
        (plan.recorder, plan.kind) == (recorder.name, recorder.kind),
        f"plan({verb}) is of {plan.recorder!r}, kind {plan.kind!r}",
    )
    must(
        bool(plan.requests) is (plan.refusal is None),
        f"plan({verb}) has to hold either requests or why there would be none: {plan}",
    )
    no_secret(f"{plan!r} {' '.join(plan.requests)}", fixture, f"plan({verb})")


def one_of(result: RecorderResult, allowed: Iterable[Outcome], why: str) -> None:
    """Check that an outcome is one of those that can be true."""
    names = ", ".join(sorted(allowed))
    must(
        result.outcome in allowed,
        f"it said {result.outcome} ({result.detail}); {why}, so only {names} can be true",
    )


def no_secret(text: str, fixture: RecorderFixture, where: str) -> None:
    """Check that a text tells no secret, without telling it again."""
    found = leak(text, fixture.secrets)
    must(found is None, f"{where} tells {found}")
