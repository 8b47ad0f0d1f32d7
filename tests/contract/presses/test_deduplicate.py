# SPDX-License-Identifier: Apache-2.0
"""Presses that meet: one seen several ways, two people's, opposite ones, and a stranger's."""

import asyncio
from pathlib import Path

import pytest

from ami.events.types import MixMonitorStart
from bridges.model import Order, Outcome, RecorderResult, Verb
from tests.kits.call_kit import graph, new
from tests.kits.lifecycle_kit import (
    CALL,
    TRUNK_CALL,
    FakePbx,
    FakeRecorder,
    Gate,
    bench,
    end,
    result,
)

STRANGER = {"uniqueid": "1.1", "channel": "SIP/my-trunk-1"}
AGENT = {"uniqueid": "1.2", "channel": "SIP/411-2"}

# one press, seen twice


@pytest.mark.parametrize(("way", "uniqueid"), [("keypad", "1.1"), ("userevent", "1.2")])
async def test_a_press_seen_another_way_or_on_the_other_leg_is_one_request(
    tmp_path: Path, way: str, uniqueid: str
) -> None:
    local = FakeRecorder("local")
    async with bench(tmp_path, local) as here:
        first = here.press()
        second = here.press(way=way, uniqueid=uniqueid)  # type: ignore[arg-type]

        assert second is first
        await end(first)
        assert local.verbs == [Verb.STOP]
        assert len(await here.presses()) == 1
        [joined] = await here.records("p2")
        assert (joined.kind, joined.body["of"], joined.body["way"]) == ("joined", "p1", way)


async def test_within_the_window_a_press_after_the_verdict_is_still_the_same(
    tmp_path: Path,
) -> None:
    local = FakeRecorder("local")
    async with bench(tmp_path, local) as here:
        await end(here.press())
        for _ in range(3):  # pressed on and on, the window counts from the last time
            here.now += 2.9
            [verdict] = await end(here.press())
            assert verdict.press_id == "p1"
        here.now += 3.1
        await end(here.press())
        assert len(local.orders) == 2


async def test_while_the_first_still_runs_the_window_does_not_end(tmp_path: Path) -> None:
    gate = Gate()
    async with bench(tmp_path, FakeRecorder("local", script=gate)) as here:
        first = here.press()
        await gate.reached.wait()
        here.now += 60

        assert here.press(way="keypad") is first
        gate.opened.set()


async def test_presses_on_two_calls_are_two(tmp_path: Path) -> None:
    local = FakeRecorder("local")
    async with bench(tmp_path, local, events=(*CALL, new("2.1", "SIP/420-3"))) as here:
        await end(here.press(), here.press(uniqueid="2.1"))

        assert len(local.orders) == 2


async def test_presses_for_one_recorder_and_for_all_are_not_the_same(tmp_path: Path) -> None:
    local, noojee = FakeRecorder("local"), FakeRecorder("noojee")
    async with bench(tmp_path, local, noojee) as here:
        every = here.press()
        one = here.press(recorder="noojee")

        assert one is not every
        assert here.press(way="keypad") is every
        assert here.press(way="keypad", recorder="noojee") is one
        await end(every, one)
        assert (len(local.orders), len(noojee.orders)) == (1, 2)


async def test_a_press_from_a_terminal_joins_that_of_the_phone(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        first = here.press()

        assert here.command("410") is first


# pressed again


async def test_after_a_failure_pressing_again_is_a_new_try(tmp_path: Path) -> None:
    local = FakeRecorder("local", Outcome.FAILED)
    async with bench(tmp_path, local) as here:
        await end(here.press())
        local.outcome = Outcome.CONFIRMED
        [verdict] = await end(here.press())

        assert verdict.outcome is Outcome.CONFIRMED
        assert verdict.press_id == "p2"


async def test_after_a_failure_another_sighting_is_no_new_try(tmp_path: Path) -> None:
    local = FakeRecorder("local", Outcome.FAILED)
    async with bench(tmp_path, local) as here:
        first = here.press()
        await end(first)

        assert here.press(way="keypad") is first
        assert len(local.orders) == 1


async def test_a_recording_that_started_again_is_not_told_to_be_proven_stopped(
    tmp_path: Path,
) -> None:
    local = FakeRecorder("local")
    async with bench(tmp_path, local) as here:
        await end(here.press())
        here.pbx.graph.apply(MixMonitorStart("", "1.2", ""))
        [verdict] = await end(here.press(uniqueid="1.2"))

        assert verdict.press_id == "p2"
        assert len(local.orders) == 2


# the call is known only later


async def test_two_legs_pressed_while_the_calls_are_not_known_are_one_request(
    tmp_path: Path,
) -> None:
    local = FakeRecorder("local")
    pbx = FakePbx(graph())
    pbx.graph.known = False
    async with bench(tmp_path, local, pbx=pbx, wait_known=5) as here:
        first, second = here.press(), here.press(uniqueid="1.2", way="keypad")
        await asyncio.sleep(0.01)
        assert second is not first
        pbx.learn(*CALL)
        verdicts = await end(first, second)

        assert [one.outcome for one in verdicts] == [Outcome.CONFIRMED] * 2
        assert [one.press_id for one in verdicts] == ["p1", "p2"]
        assert len(local.orders) == 1
        assert await here.kinds("p2") == ["pressed", "resolved", "joined", "verdict"]


async def test_a_press_made_while_the_calls_were_not_known_is_recognised_after(
    tmp_path: Path,
) -> None:
    gate = Gate()
    local = FakeRecorder("local", script=gate)
    pbx = FakePbx(graph())
    pbx.graph.known = False
    async with bench(tmp_path, local, pbx=pbx, wait_known=5) as here:
        first = here.press(uniqueid="1.2")
        await asyncio.sleep(0.01)
        pbx.learn(*CALL)
        same_leg = here.press(uniqueid="1.2", way="keypad")
        await gate.reached.wait()
        other_leg = here.press(uniqueid="1.1")

        assert same_leg is first
        assert other_leg is first
        gate.opened.set()


async def test_a_call_once_known_is_recognised_when_it_is_not_any_more(tmp_path: Path) -> None:
    gate = Gate()
    pbx = FakePbx(graph())
    pbx.graph.known = False
    recorder = FakeRecorder("local", script=gate)
    async with bench(tmp_path, recorder, pbx=pbx, wait_known=5) as here:
        first = here.press(uniqueid="1.1")
        await asyncio.sleep(0.01)
        pbx.learn(*CALL)
        await gate.reached.wait()
        here.pbx.graph = graph()

        assert here.press(uniqueid="1.2") is first
        gate.opened.set()


async def test_a_stranger_ahead_of_an_agent_is_waited_for_and_then_passed_over(
    tmp_path: Path,
) -> None:
    told = asyncio.Event()

    class Slow(FakePbx):
        async def getvar(self, uniqueid: str, name: str) -> str:
            if (uniqueid, name) == ("1.1", "OFFRECORD_AGENT"):
                await told.wait()
            return await super().getvar(uniqueid, name)

    local = FakeRecorder("local")
    pbx = Slow(graph())
    pbx.graph.known = False
    async with bench(tmp_path, local, pbx=pbx, wait_known=5) as here:
        stranger, agent = here.press(**STRANGER), here.press(**AGENT)
        await asyncio.sleep(0.01)
        pbx.learn(*TRUNK_CALL)
        await asyncio.sleep(0.01)
        assert not agent.verdict.done()
        told.set()
        [denied, done] = await end(stranger, agent)

        assert (denied.outcome, done.outcome) == (Outcome.DENIED, Outcome.CONFIRMED)
        assert len(local.orders) == 1


async def test_opposite_presses_of_two_legs_meet_when_the_call_is_known(tmp_path: Path) -> None:
    local = FakeRecorder("local")
    pbx = FakePbx(graph())
    pbx.graph.known = False
    async with bench(tmp_path, local, pbx=pbx, wait_known=5) as here:
        resume, stop = here.press(Verb.RESUME), here.press(uniqueid="1.2")
        await asyncio.sleep(0.01)
        pbx.learn(*CALL)
        [refused, done] = await end(resume, stop)

        assert refused.outcome is Outcome.DENIED
        assert done.outcome is Outcome.CONFIRMED
        assert local.verbs == [Verb.STOP]


# opposite presses


@pytest.mark.parametrize("verb", [Verb.RESUME, Verb.START])
async def test_turning_on_right_after_a_stop_is_refused_and_said(
    tmp_path: Path, verb: Verb
) -> None:
    local = FakeRecorder("local")
    async with bench(tmp_path, local) as here:
        await end(here.press())
        here.now += 2.9
        [verdict] = await end(here.press(verb))

        assert verdict.outcome is Outcome.DENIED
        assert "stop was pressed on this call a moment ago, and stop wins" in verdict.reason
        assert local.verbs == [Verb.STOP]
        here.now += 0.2
        await end(here.press(verb))
        assert local.verbs == [Verb.STOP, verb]


@pytest.mark.parametrize("begun", [True, False], ids=["under way", "in the very same moment"])
async def test_a_stop_ends_a_resume_and_both_are_told(tmp_path: Path, begun: bool) -> None:
    gate = Gate()

    async def act(order: Order) -> RecorderResult:
        return await gate(order) if order.verb is Verb.RESUME else result("local")

    local = FakeRecorder("local", script=act)
    async with bench(tmp_path, local) as here:
        resume = here.press(Verb.RESUME)
        if begun:
            await gate.reached.wait()
        stop = here.press()
        [ended, done] = await end(resume, stop)

        assert done.outcome is Outcome.CONFIRMED
        if begun:
            assert (ended.outcome, gate.cut) == (Outcome.FAILED, 1)
            assert ended.reason == "a stop was pressed on this call"
            assert local.verbs == [Verb.RESUME, Verb.STOP]
        else:
            assert ended.outcome is Outcome.DENIED
            assert local.verbs == [Verb.STOP]
        assert resume.journalled.done()
        assert [one.verb for one in await here.presses()] == ["resume", "stop"]
        assert all(one.outcome for one in await here.presses())


async def test_after_opposite_presses_the_next_ones_work(tmp_path: Path) -> None:
    local = FakeRecorder("local")
    async with bench(tmp_path, local) as here:
        await end(here.press(Verb.RESUME), here.press(), here.press(Verb.PAUSE))
        here.now += 10
        for verb in (Verb.STOP, Verb.PAUSE, Verb.RESUME):
            here.now += 10
            [verdict] = await end(here.press(verb))
            assert verdict.outcome is Outcome.CONFIRMED


async def test_a_pause_and_a_stop_do_not_meet(tmp_path: Path) -> None:
    local = FakeRecorder("local")
    async with bench(tmp_path, local) as here:
        await end(here.press(Verb.PAUSE), here.press(Verb.STOP))

        assert sorted(local.verbs) == ["pause", "stop"]


# a stranger's press


async def test_a_strangers_press_does_not_swallow_the_agents(tmp_path: Path) -> None:
    local = FakeRecorder("local")
    async with bench(tmp_path, local, events=TRUNK_CALL) as here:
        [denied] = await end(here.press(**STRANGER))
        [done] = await end(here.press(**AGENT))

        assert denied.outcome is Outcome.DENIED
        assert done.outcome is Outcome.CONFIRMED
        assert len(local.orders) == 1


async def test_an_agent_who_presses_while_a_stranger_is_looked_at_is_heard(tmp_path: Path) -> None:
    local = FakeRecorder("local")
    async with bench(tmp_path, local, events=TRUNK_CALL, agents={"411": "wilma"}) as here:
        first = here.press(**STRANGER)
        second = here.press(**AGENT)
        [verdict] = await end(first)

        assert second is first
        assert verdict.outcome is Outcome.CONFIRMED
        [order] = local.orders
        assert order.presser is not None
        assert (order.presser.uniqueid, order.agent, order.press_id) == ("1.2", "wilma", "p1")
        kinds = await here.kinds()
        assert kinds == ["pressed", "resolved", "resolved", "answered", "verdict"]


async def test_a_stranger_who_presses_again_is_denied_again(tmp_path: Path) -> None:
    local = FakeRecorder("local")
    async with bench(tmp_path, local, events=TRUNK_CALL) as here:
        first = here.press(**STRANGER)
        [one] = await end(first)
        seen_again = here.press(**STRANGER, way="keypad")
        [two] = await end(here.press(**STRANGER))

        assert seen_again is first
        assert (one.outcome, two.outcome) == (Outcome.DENIED, Outcome.DENIED)
        assert not local.orders


async def test_a_strangers_stop_does_not_stand_in_the_way_of_a_resume(tmp_path: Path) -> None:
    local = FakeRecorder("local")
    async with bench(tmp_path, local, events=TRUNK_CALL) as here:
        await end(here.press(**STRANGER))
        [verdict] = await end(here.press(Verb.RESUME, **AGENT))

        assert verdict.outcome is Outcome.CONFIRMED
        assert local.verbs == [Verb.RESUME]


async def test_a_strangers_stop_ends_no_resume_under_way(tmp_path: Path) -> None:
    gate = Gate()
    async with bench(tmp_path, FakeRecorder("local", script=gate), events=TRUNK_CALL) as here:
        resume = here.press(Verb.RESUME, **AGENT)
        await gate.reached.wait()
        await end(here.press(**STRANGER))
        gate.opened.set()

        assert [one.outcome for one in await end(resume)] == [Outcome.CONFIRMED]


async def test_a_stranger_who_presses_after_the_agent_changes_nothing(tmp_path: Path) -> None:
    local = FakeRecorder("local")
    async with bench(tmp_path, local, events=TRUNK_CALL) as here:
        first = here.press(**AGENT)

        assert here.press(**STRANGER) is first
        assert [one.outcome for one in await end(first)] == [Outcome.CONFIRMED]
        assert len(local.orders) == 1
