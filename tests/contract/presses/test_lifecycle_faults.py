# SPDX-License-Identifier: Apache-2.0
"""Presses while something is broken: the journal, a recorder, the engine, or the daemon ends."""

import asyncio
from pathlib import Path

import pytest
import structlog

from bridges.model import Evidence, Order, Outcome, RecorderResult, Verb
from offrecord.journal import JournalError
from offrecord.journal.journal import Journal
from tests.kits.call_kit import graph, new
from tests.kits.lifecycle_kit import (
    Bench,
    FakePbx,
    FakeRecorder,
    Gate,
    bench,
    end,
    result,
)

# a journal that is broken


async def broken(here: Bench, path: Path) -> None:
    """Put a journal in place that can never be written."""
    path.mkdir()
    here.records_.journal = Journal(path)
    with pytest.raises(JournalError):
        await here.records_.journal.open()


async def test_without_a_journal_the_recording_is_stopped_and_the_alarm_raised(
    tmp_path: Path,
) -> None:
    local = FakeRecorder("local")
    async with bench(tmp_path, local) as here:
        whole = here.records_.journal
        await broken(here, tmp_path / "no")
        with structlog.testing.capture_logs() as lines:
            handle = here.press()
            [verdict] = await end(handle)
            await here.engine.idle()

        assert verdict.outcome is Outcome.CONFIRMED
        assert handle.journalled.result() is False
        assert local.verbs == [Verb.STOP]
        assert here.records_.failures >= 1
        alarms = [line for line in lines if line["event"] == "journal_not_written"]
        assert alarms
        assert {line["log_level"] for line in alarms} == {"critical"}
        await here.records_.journal.close()
        here.records_.journal = whole


async def test_a_journal_that_is_closed_under_a_press_holds_nothing_up(tmp_path: Path) -> None:
    gate = Gate()
    async with bench(tmp_path, FakeRecorder("local", script=gate)) as here:
        handle = here.press()
        await gate.reached.wait()
        assert await asyncio.shield(handle.journalled)
        await here.records_.journal.close()
        gate.opened.set()

        assert [one.outcome for one in await end(handle)] == [Outcome.CONFIRMED]


# recorders that misbehave


async def test_a_recorder_that_raises_fails_alone_and_is_logged(tmp_path: Path) -> None:
    async def fall(_order: Order) -> RecorderResult:
        raise KeyError("odd")

    local, noojee = FakeRecorder("local", script=fall), FakeRecorder("noojee")
    async with bench(tmp_path, local, noojee) as here:
        with structlog.testing.capture_logs() as lines:
            [verdict] = await end(here.press())

        assert [one.outcome for one in verdict.results] == [Outcome.FAILED, Outcome.CONFIRMED]
        assert verdict.reason == "local: a fault in its bridge, see the log"
        [line] = [line for line in lines if line["event"] == "recorder_broke"]
        assert line["recorder"] == "local"
        assert isinstance(line["exc_info"], KeyError)


async def test_a_timeout_inside_a_bridge_is_not_called_the_end_of_its_budget(
    tmp_path: Path,
) -> None:
    async def hasty(_order: Order) -> RecorderResult:
        raise TimeoutError

    async with bench(tmp_path, FakeRecorder("local", script=hasty)) as here:
        [verdict] = await end(here.press())

        assert "a fault in its bridge" in verdict.reason


async def test_a_recorder_that_never_ends_is_given_up_and_cancelled(tmp_path: Path) -> None:
    gate = Gate()
    local, noojee = FakeRecorder("local", script=gate), FakeRecorder("noojee")
    async with bench(tmp_path, local, noojee, budget=0.01, overrun=0.01) as here:
        [verdict] = await end(here.press())
        await asyncio.sleep(0)

        assert verdict.outcome is Outcome.FAILED
        assert verdict.reason == "local: it did not end within 0.01 s"
        assert verdict.results[0].retryable
        assert verdict.results[1].outcome is Outcome.CONFIRMED
        assert gate.cut == 1


async def test_a_recorder_that_will_not_be_cancelled_holds_nobody_up(tmp_path: Path) -> None:
    ended = asyncio.Event()

    async def stubborn(_order: Order) -> RecorderResult:
        while not ended.is_set():
            try:
                await ended.wait()
            except asyncio.CancelledError:
                continue
        return result("local")

    recorder = FakeRecorder("local", script=stubborn)
    async with bench(tmp_path, recorder, budget=0.01, overrun=0.01) as here:
        [verdict] = await end(here.press())
        ended.set()

        assert verdict.outcome is Outcome.FAILED


async def test_a_recorder_that_cancels_itself_fails_alone(tmp_path: Path) -> None:
    async def give_up(_order: Order) -> RecorderResult:
        raise asyncio.CancelledError

    local, noojee = FakeRecorder("local", script=give_up), FakeRecorder("noojee")
    async with bench(tmp_path, local, noojee) as here:
        [verdict] = await end(here.press())

        assert [one.outcome for one in verdict.results] == [Outcome.FAILED, Outcome.CONFIRMED]


async def test_a_recorder_that_confirms_without_proof_is_not_believed(tmp_path: Path) -> None:
    async with bench(tmp_path, FakeRecorder("local", evidence=Evidence.ACCEPTED)) as here:
        [verdict] = await end(here.press())
        answered = (await here.records())[2]

        assert (verdict.outcome, verdict.evidence) == (Outcome.ACCEPTED, Evidence.ACCEPTED)
        assert answered.body["outcome"] == "accepted"


async def test_a_recorder_of_role_may_does_not_fail_the_press(tmp_path: Path) -> None:
    spare = FakeRecorder("spare", Outcome.FAILED)
    async with bench(tmp_path, FakeRecorder("local"), spare, optional={"spare"}) as here:
        [verdict] = await end(here.press())

        assert verdict.outcome is Outcome.CONFIRMED
        assert len(verdict.results) == 2


async def test_a_fault_of_the_engine_itself_is_told_as_a_failure(tmp_path: Path) -> None:
    class Broken(FakePbx):
        async def getvar(self, uniqueid: str, name: str) -> str:
            raise KeyError("odd")

    async with bench(tmp_path, pbx=Broken(graph(new("1.1", "SIP/410-1")))) as here:
        with structlog.testing.capture_logs() as lines:
            [verdict] = await end(here.press())

        assert verdict.outcome is Outcome.FAILED
        assert "a fault in offrecord" in verdict.reason
        assert "press_broke" in [line["event"] for line in lines]
        assert await here.kinds() == ["pressed", "verdict"]


# the end of the daemon


async def test_at_the_end_a_press_under_way_is_waited_for(tmp_path: Path) -> None:
    gate = Gate()
    async with bench(tmp_path, FakeRecorder("local", script=gate)) as here:
        handle = here.press()
        await gate.reached.wait()
        closing = asyncio.create_task(here.engine.close(5.0))
        await asyncio.sleep(0)
        assert not closing.done()
        gate.opened.set()
        await closing

        assert handle.verdict.result().outcome is Outcome.CONFIRMED
        assert await here.kinds() == ["pressed", "resolved", "answered", "verdict"]


async def test_a_press_that_comes_during_the_grace_is_waited_for_too(tmp_path: Path) -> None:
    first, second = Gate(), Gate()
    gates = {"1.1": first, "1.2": second}
    recorder = FakeRecorder("local", script=lambda order: gates[order.call.linkedid](order))
    calls = (new("1.1", "SIP/410-1"), new("1.2", "SIP/411-2"))
    async with bench(tmp_path, recorder, events=calls) as here:
        one = here.press()
        await first.reached.wait()
        closing = asyncio.create_task(here.engine.close(5.0))
        await asyncio.sleep(0)
        other = here.press(uniqueid="1.2")
        await second.reached.wait()
        first.opened.set()
        await end(one)
        await asyncio.sleep(0.01)
        assert not closing.done()
        second.opened.set()
        await closing

        assert other.verdict.result().outcome is Outcome.CONFIRMED


async def test_after_the_grace_a_press_is_given_up_told_and_journalled(tmp_path: Path) -> None:
    gate = Gate()
    async with bench(tmp_path, FakeRecorder("local", script=gate)) as here:
        begun = here.press()
        await gate.reached.wait()
        fresh = here.press(Verb.PAUSE)
        await here.engine.close(0.0)
        verdicts = await end(begun, fresh)

        assert [one.outcome for one in verdicts] == [Outcome.FAILED] * 2
        assert {one.reason for one in verdicts} == {"the daemon was told to end before it was done"}
        assert gate.cut == 1
        assert [one.outcome for one in await here.presses()] == ["failed", "failed"]
        assert (await here.kinds("p2")) == ["pressed", "verdict"]
