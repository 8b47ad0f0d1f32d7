# SPDX-License-Identifier: Apache-2.0
"""Checks of recorders' behaviour: repeats, cancels, verbs, plan, probe, secrets, open, close."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Final

from bridges.conformance.fixture import NotApplicable, RecorderFixture, Situation
from bridges.conformance.observe import settled, tasks, tasks_of, told
from bridges.conformance.registration import check, silent, stop
from bridges.conformance.requirements import (
    OVERRUN,
    YES,
    check_plan,
    check_result,
    give,
    must,
    no_secret,
    one_of,
)
from bridges.model import ORDERS, Evidence, Outcome, RecorderUnavailable, Verb

_PROBE: Final = 10.0
_CAUSES: Final = frozenset({"unreachable", "untrusted", "refused"})


# Twice, at once, and half-way


@check()
async def two_stops_in_turn_are_harmless(fixture: RecorderFixture) -> None:
    """Check that a second stop finds nothing to do and breaks nothing."""
    one_of(await stop(fixture, "press-1"), YES, "the call was recorded")
    second = await stop(fixture, "press-2")
    one_of(
        second,
        YES | {Outcome.NOTHING_TO_STOP, Outcome.FAILED},
        "the call is live and its recording has been stopped",
    )
    await silent(fixture, "after two stops")


@check()
async def two_stops_at_once_are_harmless(fixture: RecorderFixture) -> None:
    """Check that two presses at the same time stop the recording, in either order."""
    both = await asyncio.gather(stop(fixture, "press-1"), stop(fixture, "press-2"))
    must(
        any(result.outcome in YES for result in both),
        f"of two stops at once none worked: {both[0].detail}; {both[1].detail}",
    )
    await silent(fixture, "after two stops at once")


@check()
async def cancelling_leaves_nothing_running(fixture: RecorderFixture) -> None:
    """Check that a stop may be cancelled anywhere, and the next one works."""
    for turns in (0, 1, 2, 3, 5, 8, 13):
        await _cancelled(fixture, turns)
    await give(fixture, fixture.order(press_id="press-2"))
    await silent(fixture, "after a stop that followed cancelled ones")


@check()
async def cancelling_a_slow_request_leaves_nothing_running(fixture: RecorderFixture) -> None:
    """Check that a stop that waits for its answer may be cancelled."""
    await fixture.arrange(Situation.SLOW)
    await _cancelled(fixture, None)
    result = await give(fixture, fixture.order(press_id="press-2"))
    one_of(result, {Outcome.FAILED}, "no answer came within the budget")


async def _cancelled(fixture: RecorderFixture, turns: int | None) -> None:
    """Cancel a stop after so many turns of the loop, or when it waits for an answer (None)."""
    before = tasks()
    order = fixture.order(press_id=f"cancelled-{turns}")
    given = asyncio.create_task(fixture.recorder.act(order))
    for _ in range(turns or 0):
        await asyncio.sleep(0)
    if turns is None:
        await asyncio.sleep(order.budget / 4)
    done = given.done()
    given.cancel()
    await asyncio.wait({given}, timeout=OVERRUN)
    must(given.done(), f"a cancelled act still ran {OVERRUN:g} s later")
    if not done:
        must(given.cancelled(), "act was cancelled and swallowed the CancelledError")
    else:
        error = given.exception()
        must(error is None, f"act raised {error!r}; every ending has to be a RecorderResult")
        check_result(fixture, given.result())
    must(
        await settled(lambda: not tasks() - before),
        f"a cancelled act left running: {_names(tasks() - before)}",
    )


def _names(left: set["asyncio.Task[object]"]) -> str:
    return ", ".join(sorted(task.get_name() for task in left))


# Verbs


@check()
async def every_verb_offered_works(fixture: RecorderFixture) -> None:
    """Check that what is offered is carried out, and that what stands in for it is said."""
    can = fixture.recorder.capabilities
    must(Verb.STOP in can.verbs, "capabilities.verbs has no stop: that is what a recorder is for")
    for number, verb in enumerate((Verb.PAUSE, Verb.RESUME, Verb.STOP, Verb.START)):
        if verb not in can.verbs:
            continue
        result = await give(fixture, fixture.order(verb, press_id=f"press-{number}"))
        if verb is Verb.RESUME and Verb.PAUSE not in can.verbs:
            continue  # nothing was paused; whatever it says, it said it soundly
        one_of(result, YES, f"capabilities offer {verb}")
        want = not verb.silences
        must(
            await settled(lambda: fixture.recording() is want),  # noqa: B023 - awaited here
            f"{verb} was {result.outcome}, and the call is {'not ' if want else ''}recorded",
        )
        standing_in = can.stand_ins.get(verb)
        must(
            standing_in is None or standing_in in result.detail,
            f"capabilities.stand_ins has something for {verb} that the detail does not say:"
            f" {standing_in!r}",
        )
    must(
        set(can.stand_ins) <= can.verbs,
        "capabilities.stand_ins names a verb that capabilities.verbs does not",
    )


@check(optional=True)
async def verbs_not_offered_are_refused(fixture: RecorderFixture) -> None:
    """Check that what a recorder cannot do is `failed` with nothing sent."""
    refused = [verb for verb in ORDERS if verb not in fixture.recorder.capabilities.verbs]
    if not refused:
        raise NotApplicable("every verb is offered")
    before = fixture.commands()
    for verb in refused:
        result = await give(fixture, fixture.order(verb, press_id=f"press-{verb}"))
        one_of(result, {Outcome.FAILED}, f"capabilities do not offer {verb}")
        must(
            result.evidence is Evidence.NONE and not result.steps,
            f"{verb} is not offered, and something was sent for it",
        )
        plan = fixture.recorder.plan(fixture.order(verb))
        must(plan.refusal, f"plan({verb}) shows requests for a verb that is not offered")
    must(
        fixture.commands() == before, "the vendor received a command for a verb that is not offered"
    )
    must(fixture.recording(), "the recording has ended by a verb that is not offered")


@check()
async def odd_orders_are_answered(fixture: RecorderFixture) -> None:
    """Check that an order without a person, or with hardly any time, gets a result too."""
    plain = fixture.order()
    nobody = replace(plain, presser=None, agent=None, tag="", facts={})
    await give(fixture, nobody)
    check_plan(fixture, Verb.STOP, fixture.recorder.plan(nobody))
    for budget in (0.05, 0.001):
        await give(fixture, replace(plain, press_id="press-2", budget=budget))


# Plans, probes, secrets, life


@check()
async def plan_sends_nothing(fixture: RecorderFixture) -> None:
    """Check that `plan` says what `act` would send, without sending it."""
    before, commands = tasks(), fixture.commands()
    for verb in ORDERS:
        check_plan(fixture, verb, fixture.recorder.plan(fixture.order(verb)))
    must(
        fixture.recorder.plan(fixture.order()).requests,
        "plan(stop) of a recorded call has no request",
    )
    left = tasks() - before
    must(not left, f"plan started something: {_names(left)}")
    await asyncio.sleep(0.05)
    must(fixture.commands() == commands, "the vendor received a command because of plan")
    must(fixture.recording(), "the recording has ended because of plan")


@check()
async def probe_says_that_it_is_there(fixture: RecorderFixture) -> None:
    """Check that `probe` answers in one line, and commands nothing."""
    commands = fixture.commands()
    try:
        async with asyncio.timeout(_PROBE):
            said = await fixture.recorder.probe()
    except TimeoutError:
        raise AssertionError(f"probe took over {_PROBE:g} s") from None
    except RecorderUnavailable as error:
        no_secret(told(error), fixture, "an exception of probe")
        raise AssertionError(f"everything works, and probe says: {error}") from error
    must(said and "\n" not in said, f"probe has to say one line, not {said!r}")
    no_secret(said, fixture, "what probe says")
    must(fixture.commands() == commands, "probe has sent a command")


@check()
async def probe_says_that_nobody_is_there(fixture: RecorderFixture) -> None:
    """Check that `probe` raises RecorderUnavailable with cause and fix, and nothing else."""
    await fixture.arrange(Situation.DEAD)
    try:
        async with asyncio.timeout(_PROBE):
            said = await fixture.recorder.probe()
    except RecorderUnavailable as error:
        must(
            error.recorder == fixture.recorder.name, f"RecorderUnavailable names {error.recorder!r}"
        )
        must(error.cause in _CAUSES, f"its cause {error.cause!r} is none of {sorted(_CAUSES)}")
        must(error.fix.strip(), "RecorderUnavailable says no fix")
        no_secret(told(error), fixture, "an exception of probe")
    except Exception as error:
        no_secret(told(error), fixture, "an exception of probe")
        raise AssertionError(f"probe raised {error!r}, not RecorderUnavailable") from error
    else:
        raise AssertionError(f"nobody listens, and probe says: {said}")


@check(optional=True)
async def secrets_stay_secret(fixture: RecorderFixture) -> None:
    """Check that nothing that is shown of a stop, a plan or a refusal tells a secret.

    Every other check looks for them too, in the log as well; this one is for what is between.
    """
    if not fixture.secrets:
        raise NotApplicable("this recorder has no secret")
    order = fixture.order()
    shown = [repr(fixture.recorder.plan(order)), repr(await give(fixture, order))]
    await fixture.arrange(Situation.GARBAGE)
    shown.append(repr(await give(fixture, fixture.order(press_id="press-2"))))
    with suppress(RecorderUnavailable):
        shown.append(await fixture.recorder.probe())
    shown.append(repr(fixture.recorder))
    for text in shown:
        no_secret(text, fixture, "something that is shown of the recorder")


@check()
async def opening_and_closing_twice_is_harmless(fixture: RecorderFixture) -> None:
    """Check that a second `open` and `close` do no harm, and that nothing is left running."""
    before = tasks()
    try:
        await fixture.recorder.open()
        must(
            await settled(lambda: len(tasks()) <= len(before)),
            f"a second open has begun again beside the first: {_names(tasks() - before)}",
        )
        one_of(await stop(fixture), YES, "it was opened twice")
        await fixture.recorder.close()
        await fixture.recorder.close()
    except AssertionError:
        raise
    except Exception as error:
        no_secret(told(error), fixture, "an exception of open or close")
        raise AssertionError(f"open or close, given twice, raised {error!r}") from error
    must(
        await settled(lambda: not (tasks() - before) and not tasks_of(fixture.recorder)),
        f"after close there still runs: {_names((tasks() - before) | tasks_of(fixture.recorder))}",
    )
