# SPDX-License-Identifier: Apache-2.0
"""What a stop may say, whatever the vendor and the network make of it."""

from bridges.conformance.fixture import Rig, Situation
from bridges.conformance.registration import check, silent, stop
from bridges.conformance.requirements import YES, give, must, one_of
from bridges.model import Evidence, Outcome

# What a stop says


@check()
async def stop_is_carried_out(rig: Rig) -> None:
    """Check that a stop stops, and that no more is said of it than is known."""
    must(rig.recording(), "the rig's call is not recorded to begin with")
    before = rig.carried_out()
    result = await stop(rig)
    one_of(result, YES, "the call was live, recorded and everything worked")
    await silent(rig, f"it said {result.outcome}")
    must(rig.carried_out() > before, "the vendor has carried out nothing")
    must(result.steps, "the result has no step: the journal would not know what was sent")


@check(optional=True)
async def already_stopped_stays_stopped(rig: Rig) -> None:
    """Check that a stop of what someone else has stopped stays one, and ends no call."""
    await rig.arrange(Situation.ALREADY_STOPPED)
    result = await stop(rig)
    one_of(
        result,
        YES | {Outcome.NOTHING_TO_STOP, Outcome.FAILED},
        "the call is live and its recording was stopped before",
    )
    await silent(rig, "after a stop of what was stopped")


@check(optional=True)
async def never_recorded_is_never_confirmed(rig: Rig) -> None:
    """Check that only who has read it says that nothing was recorded."""
    await rig.arrange(Situation.NOT_RECORDED)
    result = await stop(rig)
    one_of(
        result,
        {Outcome.NOTHING_TO_STOP, Outcome.FAILED, Outcome.ACCEPTED, Outcome.CONTAINED},
        "no recording of the call was ever begun",
    )
    must(not rig.recording(), "after a stop of what was never recorded, the call is recorded")


@check(optional=True)
async def wrong_agent_gets_no_yes(rig: Rig) -> None:
    """Check that a person who may not touch the recording gets no yes."""
    await rig.arrange(Situation.WRONG_AGENT)
    result = await stop(rig)
    one_of(result, {Outcome.DENIED, Outcome.FAILED}, "the vendor refuses this person")


@check(optional=True)
async def gone_call_is_never_confirmed(rig: Rig) -> None:
    """Check that a call that has ended over there is never said to be stopped."""
    await rig.arrange(Situation.CALL_GONE)
    result = await stop(rig)
    allowed = {Outcome.CALL_ENDED, Outcome.FAILED, Outcome.NOTHING_TO_STOP}
    if rig.recorder.capabilities.best_evidence < Evidence.READ_BACK:
        allowed |= {Outcome.ACCEPTED, Outcome.CONTAINED}  # it cannot see that the call is gone
    one_of(result, allowed, "the call has ended at the vendor")


# What a network and a server may do


@check()
async def slow_is_failed_within_the_budget(rig: Rig) -> None:
    """Check that an answer that comes too late is none, and that the budget is kept."""
    await rig.arrange(Situation.SLOW)
    result = await stop(rig)
    one_of(result, {Outcome.FAILED}, "no answer came within the budget")
    must(
        result.evidence <= Evidence.SENT,
        f"it claims {result.evidence.label}, and no answer came at all",
    )


@check()
async def dead_is_failed(rig: Rig) -> None:
    """Check that nothing is said to be done where nobody listens."""
    await rig.arrange(Situation.DEAD)
    result = await stop(rig)
    one_of(result, {Outcome.FAILED}, "nobody listens at the vendor's address")
    must(
        result.evidence <= Evidence.SENT,
        f"it claims {result.evidence.label}, and nobody listens",
    )


@check()
async def garbage_is_no_yes(rig: Rig) -> None:
    """Check that a status of 200 from whoever stands in between is not taken for a yes."""
    await rig.arrange(Situation.GARBAGE)
    result = await stop(rig)
    one_of(result, {Outcome.FAILED}, "every answer was a page of no meaning")
    must(
        result.evidence <= Evidence.SENT,
        f"it claims {result.evidence.label} from a page of no meaning",
    )


@check(optional=True)
async def contradiction_is_never_confirmed(rig: Rig) -> None:
    """Check that nobody confirms what the vendor's own state contradicts."""
    await rig.arrange(Situation.CONTRADICTION)
    result = await stop(rig)
    allowed = {Outcome.FAILED, Outcome.ACCEPTED, Outcome.CONTAINED}
    if rig.recorder.capabilities.best_evidence >= Evidence.READ_BACK and rig.recording():
        allowed = {Outcome.FAILED}  # it could see that the call is still recorded
    one_of(result, allowed, "the stop was answered with success and the recording goes on")


@check(optional=True)
async def lost_answer_is_honest_and_harmless(rig: Rig) -> None:
    """Check that a stop whose answer was lost is said honestly and not done twice."""
    await rig.arrange(Situation.LOST_ANSWER)
    before = rig.carried_out()
    result = await stop(rig)
    one_of(
        result,
        YES | {Outcome.NOTHING_TO_STOP, Outcome.FAILED},
        "the stop was carried out and its answer was lost",
    )
    await silent(rig, "after a stop whose answer was lost")
    must(
        rig.carried_out() - before <= 1,
        "the vendor has carried out a second command after the one whose answer was lost",
    )
    if result.retryable:
        await give(rig, rig.order(press_id="press-2"))
        await silent(rig, "after repeating what was called retryable")
