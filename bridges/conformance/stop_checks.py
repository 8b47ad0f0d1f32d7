# SPDX-License-Identifier: Apache-2.0
"""Checks of the result of a stop, whatever the vendor and the network make of it."""

from bridges.conformance.fixture import RecorderFixture, Situation
from bridges.conformance.registration import check, silent, stop
from bridges.conformance.requirements import YES, give, must, one_of
from bridges.model import Evidence, Outcome

# What a stop says


@check()
async def stop_is_carried_out(fixture: RecorderFixture) -> None:
    """Check that a stop stops, and that no more is said of it than is known."""
    must(fixture.recording(), "the fixture's call is not recorded to begin with")
    before = fixture.carried_out()
    result = await stop(fixture)
    one_of(result, YES, "the call was live, recorded and everything worked")
    await silent(fixture, f"it said {result.outcome}")
    must(fixture.carried_out() > before, "the vendor has carried out nothing")
    must(result.steps, "the result has no step: the journal would not know what was sent")


@check(optional=True)
async def already_stopped_stays_stopped(fixture: RecorderFixture) -> None:
    """Check that a stop of what someone else has stopped stays one, and ends no call."""
    await fixture.arrange(Situation.ALREADY_STOPPED)
    result = await stop(fixture)
    one_of(
        result,
        YES | {Outcome.NOTHING_TO_STOP, Outcome.FAILED},
        "the call is live and its recording was stopped before",
    )
    await silent(fixture, "after a stop of what was stopped")


@check(optional=True)
async def never_recorded_is_never_confirmed(fixture: RecorderFixture) -> None:
    """Check that only a recorder that has read it says that nothing was recorded."""
    await fixture.arrange(Situation.NOT_RECORDED)
    result = await stop(fixture)
    one_of(
        result,
        {Outcome.NOTHING_TO_STOP, Outcome.FAILED, Outcome.ACCEPTED, Outcome.CONTAINED},
        "no recording of the call was ever begun",
    )
    must(not fixture.recording(), "after a stop of what was never recorded, the call is recorded")


@check(optional=True)
async def wrong_agent_gets_no_yes(fixture: RecorderFixture) -> None:
    """Check that a stop by a person who may not touch the recording is not accepted."""
    await fixture.arrange(Situation.WRONG_AGENT)
    result = await stop(fixture)
    one_of(result, {Outcome.DENIED, Outcome.FAILED}, "the vendor refuses this person")


@check(optional=True)
async def gone_call_is_never_confirmed(fixture: RecorderFixture) -> None:
    """Check that a call that has ended over there is never said to be stopped."""
    await fixture.arrange(Situation.CALL_GONE)
    result = await stop(fixture)
    allowed = {Outcome.CALL_ENDED, Outcome.FAILED, Outcome.NOTHING_TO_STOP}
    if fixture.recorder.capabilities.best_evidence < Evidence.READ_BACK:
        allowed |= {Outcome.ACCEPTED, Outcome.CONTAINED}  # it cannot see that the call is gone
    one_of(result, allowed, "the call has ended at the vendor")


# What a network and a server may do


@check()
async def slow_is_failed_within_the_budget(fixture: RecorderFixture) -> None:
    """Check that an answer that comes too late is none, and that the budget is kept."""
    await fixture.arrange(Situation.SLOW)
    result = await stop(fixture)
    one_of(result, {Outcome.FAILED}, "no answer came within the budget")
    must(
        result.evidence <= Evidence.SENT,
        f"it claims {result.evidence.label}, and no answer came at all",
    )


@check()
async def dead_is_failed(fixture: RecorderFixture) -> None:
    """Check that nothing is reported as done when the vendor cannot be reached."""
    await fixture.arrange(Situation.DEAD)
    result = await stop(fixture)
    one_of(result, {Outcome.FAILED}, "nobody listens at the vendor's address")
    must(
        result.evidence <= Evidence.SENT,
        f"it claims {result.evidence.label}, and nobody listens",
    )


@check()
async def garbage_is_no_yes(fixture: RecorderFixture) -> None:
    """Check that a 200 from a proxy in between is not taken for a yes."""
    await fixture.arrange(Situation.GARBAGE)
    result = await stop(fixture)
    one_of(result, {Outcome.FAILED}, "every answer was a page of no meaning")
    must(
        result.evidence <= Evidence.SENT,
        f"it claims {result.evidence.label} from a page of no meaning",
    )


@check(optional=True)
async def contradiction_is_never_confirmed(fixture: RecorderFixture) -> None:
    """Check that a stop is not confirmed when the vendor's own state contradicts it."""
    await fixture.arrange(Situation.CONTRADICTION)
    result = await stop(fixture)
    allowed = {Outcome.FAILED, Outcome.ACCEPTED, Outcome.CONTAINED}
    if fixture.recorder.capabilities.best_evidence >= Evidence.READ_BACK and fixture.recording():
        allowed = {Outcome.FAILED}  # it could see that the call is still recorded
    one_of(result, allowed, "the stop was answered with success and the recording goes on")


@check(optional=True)
async def lost_answer_is_honest_and_harmless(fixture: RecorderFixture) -> None:
    """Check that a stop whose answer was lost is said honestly and not done twice."""
    await fixture.arrange(Situation.LOST_ANSWER)
    before = fixture.carried_out()
    result = await stop(fixture)
    one_of(
        result,
        YES | {Outcome.NOTHING_TO_STOP, Outcome.FAILED},
        "the stop was carried out and its answer was lost",
    )
    await silent(fixture, "after a stop whose answer was lost")
    must(
        fixture.carried_out() - before <= 1,
        "the vendor has carried out a second command after the one whose answer was lost",
    )
    if result.retryable:
        await give(fixture, fixture.order(press_id="press-2"))
        await silent(fixture, "after repeating what was called retryable")
