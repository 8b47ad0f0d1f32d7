# SPDX-License-Identifier: Apache-2.0
"""Each conformance check fails for a recorder that does what the check is there to find."""

import asyncio
import base64
import logging
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from bridges.conformance import CHECKS, NotApplicable
from bridges.conformance.observe import leak
from bridges.model import (
    ORDERS,
    Capabilities,
    Evidence,
    Order,
    Outcome,
    Plan,
    RecorderResult,
    RecorderUnavailable,
    Verb,
)
from tests.kits.conformance_fakes import TOKEN, Good, Vendor, fake

Bad = tuple[str, type[Good], str]
BAD: list[Bad] = []


def bad(check: str, message: str) -> Callable[[type[Good]], type[Good]]:
    def keep(recorder: type[Good]) -> type[Good]:
        BAD.append((check, recorder, message))
        return recorder

    return keep


class Changes(Good):
    """Changes the result of a good recorder."""

    def change(self, result: RecorderResult) -> RecorderResult:
        return result

    async def act(self, order: Order) -> RecorderResult:
        return self.change(await super().act(order))


class Says(Good):
    """Says one thing whatever happens, after asking."""

    said = (Outcome.CONFIRMED, Evidence.READ_BACK)

    async def ask(self, order: Order) -> RecorderResult:
        await self.vendor.ask(order.verb, order.agent)
        return self.result(*self.said, "so it is said", order.verb)


@bad("stop_is_carried_out", "confirmed needs L2")
class ConfirmsFromL1(Says):
    said = (Outcome.CONFIRMED, Evidence.ACCEPTED)


@bad("stop_is_carried_out", "best_evidence is L1")
class ClaimsMoreThanItsKindCan(Says):
    capabilities = Capabilities(frozenset({Verb.STOP}), Evidence.ACCEPTED)


@bad("stop_is_carried_out", "the vendor still records")
class SendsNothing(Good):
    async def act(self, order: Order) -> RecorderResult:
        return self.result(Outcome.CONFIRMED, Evidence.READ_BACK, "done", order.verb)


@bad("stop_is_carried_out", "the result is of 'other'")
class AnswersForAnother(Changes):
    def change(self, result: RecorderResult) -> RecorderResult:
        return replace(result, recorder="other")


@bad("stop_is_carried_out", "not in the order")
class MixesItsSteps(Changes):
    def change(self, result: RecorderResult) -> RecorderResult:
        return replace(result, steps=(*result.steps, replace(result.steps[0], at=1.0)))


@bad("stop_is_carried_out", "negative time")
class TakesNegativeTime(Changes):
    def change(self, result: RecorderResult) -> RecorderResult:
        return replace(result, steps=(replace(result.steps[0], took=-1.0),))


@bad("stop_is_carried_out", "has no step")
class KeepsNothingForTheJournal(Changes):
    def change(self, result: RecorderResult) -> RecorderResult:
        return replace(result, steps=())


@bad("stop_is_carried_out", "detail is empty")
class SaysNothing(Changes):
    def change(self, result: RecorderResult) -> RecorderResult:
        return replace(result, detail="")


@bad("already_stopped_stays_stopped", "only .* can be true")
class TakesStoppedForEnded(Says):
    said = (Outcome.CALL_ENDED, Evidence.ACCEPTED)


@bad("never_recorded_is_never_confirmed", "it said confirmed")
class ConfirmsWhateverItHears(Says):
    pass


@bad("never_recorded_is_never_confirmed", "nothing_to_stop needs L2")
class GuessesThatThereIsNothing(Says):
    said = (Outcome.NOTHING_TO_STOP, Evidence.ACCEPTED)


@bad("wrong_agent_gets_no_yes", "the vendor refuses this person")
@bad("gone_call_is_never_confirmed", "the call has ended")
class TakesAnyAnswerForAYes(Says):
    said = (Outcome.ACCEPTED, Evidence.ACCEPTED)


@bad("contradiction_is_never_confirmed", "the recording goes on")
class DoesNotReadBackWhatItCould(TakesAnyAnswerForAYes):
    pass


@bad("garbage_is_no_yes", "page of no meaning")
class TakesGarbageForAYes(TakesAnyAnswerForAYes):
    pass


@bad("slow_is_failed_within_the_budget", "act.stop. took over 0.7 s")
class IgnoresItsBudget(Good):
    async def act(self, order: Order) -> RecorderResult:
        return await self.ask(order)


@bad("slow_is_failed_within_the_budget", "no answer came")
class TakesSilenceForAYes(Good):
    async def act(self, order: Order) -> RecorderResult:
        result = await super().act(order)
        return replace(result, outcome=Outcome.ACCEPTED, evidence=Evidence.ACCEPTED)


@bad("dead_is_failed", "raised ConnectionRefusedError")
class Raises(Good):
    async def act(self, order: Order) -> RecorderResult:
        return await self.ask(order)


@bad("dead_is_failed", "it claims L2")
class ClaimsToHaveReadTheDead(Changes):
    def change(self, result: RecorderResult) -> RecorderResult:
        return replace(result, evidence=Evidence.READ_BACK)


@bad("lost_answer_is_honest_and_harmless", "a second command")
class RepeatsWithoutLooking(Good):
    async def act(self, order: Order) -> RecorderResult:
        try:
            await self.vendor.ask(order.verb, order.agent)
        except OSError:
            await self.vendor.ask(order.verb, order.agent)
        return self.result(Outcome.CONFIRMED, Evidence.READ_BACK, "done", order.verb)


@bad("two_stops_in_turn_are_harmless", "still records")
class Toggles(Says):
    async def ask(self, order: Order) -> RecorderResult:
        await self.vendor.ask("toggle", order.agent)
        return self.result(*self.said, "toggled", order.verb)


@bad("two_stops_at_once_are_harmless", "raised RuntimeError")
class IsNotMadeForTwo(Good):
    busy = False

    async def act(self, order: Order) -> RecorderResult:
        if self.busy:
            raise RuntimeError("busy")
        self.busy = True
        try:
            return await super().act(order)
        finally:
            self.busy = False


@bad("two_stops_at_once_are_harmless", "none worked")
class FailsBothOfTwo(Good):
    running = 0

    async def act(self, order: Order) -> RecorderResult:
        self.running += 1
        await asyncio.sleep(0)
        alone = self.running == 1
        result = await super().act(order)
        return result if alone else self.result(Outcome.FAILED, Evidence.SENT, "busy", order.verb)


@bad("cancelling_leaves_nothing_running", "swallowed the CancelledError")
class SwallowsCancellation(Good):
    async def act(self, order: Order) -> RecorderResult:
        try:
            return await super().act(order)
        except asyncio.CancelledError:
            return self.result(Outcome.FAILED, Evidence.SENT, "cancelled", order.verb)


@bad("cancelling_a_slow_request_leaves_nothing_running", "left running: stray")
class LeavesATaskRunning(Good):
    strays: list["asyncio.Task[Any]"]

    async def act(self, order: Order) -> RecorderResult:
        self.strays = [asyncio.create_task(asyncio.sleep(4), name="stray")]
        return await super().act(order)


@bad("cancelling_leaves_nothing_running", "act raised RuntimeError")
class RaisesAtOnce(Good):
    async def act(self, order: Order) -> RecorderResult:
        raise RuntimeError("not made yet")


@bad("cancelling_leaves_nothing_running", "over 0.7 s")
class IsStuckAfterACancellation(Good):
    stuck = False

    async def act(self, order: Order) -> RecorderResult:
        while self.stuck:  # a lock that nobody gives back
            await asyncio.sleep(0.01)
        self.stuck = True
        result = await super().act(order)
        self.stuck = False
        return result


@bad("every_verb_offered_works", "capabilities offer start")
class OffersWhatItCannot(Good):
    capabilities = Capabilities(frozenset(ORDERS), Evidence.READ_BACK)

    async def act(self, order: Order) -> RecorderResult:
        if order.verb is Verb.START:
            return self.result(Outcome.FAILED, Evidence.NONE, "cannot")
        return await super().act(order)


@bad("every_verb_offered_works", "the detail does not say")
class KeepsItsStandInToItself(Changes):
    def change(self, result: RecorderResult) -> RecorderResult:
        return replace(result, detail="done")


@bad("every_verb_offered_works", "resume was confirmed, and the call is not recorded")
class DoesNotResume(Changes):
    def change(self, result: RecorderResult) -> RecorderResult:
        self.vendor.recorded = False
        return result


@bad("verbs_not_offered_are_refused", "only failed can be true")
class DoesWhatItDoesNotOffer(Says):
    async def act(self, order: Order) -> RecorderResult:
        return await self.ask(order)


@bad("verbs_not_offered_are_refused", "plan.start. shows requests")
class PlansWhatItDoesNotOffer(Good):
    def plan(self, order: Order) -> Plan:
        return Plan(self.name, self.kind, "410", (f"ask {order.verb}",))


@bad("odd_orders_are_answered", "raised AttributeError")
class NeedsAPresser(Good):
    async def act(self, order: Order) -> RecorderResult:
        order.presser.name  # type: ignore[union-attr]  # noqa: B018
        return await super().act(order)


@bad("plan_sends_nothing", "plan started something")
class SendsFromPlan(Good):
    def plan(self, order: Order) -> Plan:
        self.stray = asyncio.create_task(self.vendor.ask(order.verb, order.agent))
        return super().plan(order)


@bad("plan_sends_nothing", "the vendor received a command because of plan")
class SendsFromPlanAtOnce(Good):
    def plan(self, order: Order) -> Plan:
        self.vendor.received.append(order.verb)
        return super().plan(order)


@bad("plan_sends_nothing", "either requests or why")
class PlansNothing(Good):
    def plan(self, order: Order) -> Plan:
        return Plan(self.name, self.kind, "-", ())


@bad("probe_says_that_it_is_there", "probe has sent a command")
class ProbesWithACommand(Good):
    async def probe(self) -> str:
        return await self.vendor.ask("stop", "Fred")


@bad("probe_says_that_it_is_there", "everything works, and probe says")
class ProbesInVain(Good):
    async def probe(self) -> str:
        raise RecorderUnavailable(self.name, "refused", "no", "none")


@bad("probe_says_that_nobody_is_there", "nobody listens, and probe says: fine")
class SaysFineUnseen(Good):
    async def probe(self) -> str:
        return "fine"


@bad("probe_says_that_nobody_is_there", "not RecorderUnavailable")
class ProbeRaisesWhatItGets(Good):
    async def probe(self) -> str:
        return await self.vendor.state()


@bad("probe_says_that_nobody_is_there", "none of")
class NamesNoCause(Good):
    async def probe(self) -> str:
        raise RecorderUnavailable(self.name, "broken", "no", "mend it")


@bad("secrets_stay_secret", "the result tells a secret")
class TellsItInAStep(Changes):
    def change(self, result: RecorderResult) -> RecorderResult:
        header = base64.b64encode(f"fred:{TOKEN}".encode()).decode()
        return replace(result, steps=(replace(result.steps[0], sent=f"Basic {header}"),))


@bad("secrets_stay_secret", "the result tells a number that could be a card's")
class TellsACard(Changes):
    def change(self, result: RecorderResult) -> RecorderResult:
        return replace(result, detail="the caller said 4111 1111 1111 1111")


@bad("secrets_stay_secret", "a log line of 'acme' tells a secret")
class LogsIt(Good):
    async def open(self) -> None:
        logging.getLogger("acme").debug("token %s", TOKEN)

    async def act(self, order: Order) -> RecorderResult:
        await self.open()
        return await super().act(order)


@bad("secrets_stay_secret", "tells a secret")
class ShowsItInItsRepr(Good):
    def __repr__(self) -> str:  # noqa: D105
        return f"Acme({TOKEN})"


@bad("plan_sends_nothing", "plan.stop. tells a secret")
class ShowsItInItsPlan(Good):
    def plan(self, order: Order) -> Plan:
        return Plan(self.name, self.kind, "410", (f"ask token={TOKEN}",))


@bad("dead_is_failed", "an exception of act tells a secret")
class RaisesWithIt(Good):
    async def act(self, order: Order) -> RecorderResult:
        try:
            return await self.ask(order)
        except OSError as error:
            raise RuntimeError(f"https://acme.example/?token={TOKEN}") from error


@bad("opening_and_closing_twice_is_harmless", "raised ValueError")
class ClosesOnce(Good):
    async def close(self) -> None:
        if not self.opened:
            raise ValueError("closed already")
        self.opened = 0


@bad("opening_and_closing_twice_is_harmless", "still runs: keep-alive-1")
class ForgetsWhatItOpened(Good):
    alive: "asyncio.Task[Any] | None" = None

    async def open(self) -> None:
        if self.opened:
            return
        self.opened += 1
        self.alive = asyncio.create_task(self.stay(), name=f"keep-alive-{self.opened}")

    async def stay(self) -> None:
        await asyncio.sleep(4)


@bad("opening_and_closing_twice_is_harmless", "a second open has begun again .*: keep-alive-2")
class OpensAgain(ForgetsWhatItOpened):
    async def open(self) -> None:
        self.opened += 1
        self.alive = asyncio.create_task(self.stay(), name=f"keep-alive-{self.opened}")


@pytest.mark.parametrize("name", CHECKS)
async def test_a_good_recorder_passes(name: str) -> None:
    fixture = fake(Good)
    await fixture.recorder.open()
    await CHECKS[name](fixture)


@pytest.mark.parametrize(
    ("name", "recorder", "message"), BAD, ids=[f"{name}-{kind.__name__}" for name, kind, _ in BAD]
)
async def test_a_check_finds_what_it_is_for(
    name: str, recorder: Callable[[Vendor], Good], message: str
) -> None:
    fixture = fake(recorder)
    await fixture.recorder.open()
    with pytest.raises(AssertionError, match=message):
        await CHECKS[name](fixture)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


def test_every_check_is_seen_to_fail() -> None:
    assert {name for name, _, _ in BAD} == set(CHECKS)


async def test_a_suite_in_which_all_is_skipped_fails() -> None:
    failed = []
    for check in CHECKS.values():
        try:
            with suppress(NotApplicable):
                await check(fake(Good, shy=True))
        except AssertionError as error:
            failed += re.findall(r"^(\w+) may not be skipped .too much work.", str(error))

    assert failed == [
        "slow_is_failed_within_the_budget",
        "dead_is_failed",
        "garbage_is_no_yes",
        "cancelling_a_slow_request_leaves_nothing_running",
        "probe_says_that_nobody_is_there",
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("it is s3cret/word", True),
        ("it is s3cret%2Fword", True),
        ("Basic ZnJlZDpzM2NyZXQvd29yZA==", True),
        ("it is s3cret", False),
        ("card 4111111111111111", True),
        ("card 4111-1111-1111-1111.", True),
        ("amex 378282246310005", True),
        ("no card 4111111111111112", False),
        ("a uniqueid 1700000000.1234567890", False),
        ("a time 1795325744695", False),
        ("a long one 41111111111111111111111111", False),
    ],
)
def test_what_counts_as_a_leak(text: str, *, found: bool) -> None:
    assert (leak(text, ("s3cret/word", "")) is not None) is found
