# SPDX-License-Identifier: Apache-2.0
"""A daemon that is killed with -9 and started again: what it had accepted ends all the same."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from offrecord.journal import show
from tests.kits.daemon_kit import House, house
from tests.kits.waiting import eventually


async def press(here: House, verb: str = "stop", **more: Any) -> str:
    """Press and return its id as soon as it is safe, without waiting for the verdict."""
    told = await here.ask(
        op="press", way="agi", verb=verb, uniqueid="1.1", channel="SIP/410-00000001", **more
    )
    return str(told["press"])


async def records(here: House, id_: str) -> list[tuple[str, dict[str, Any]]]:
    found = await asyncio.to_thread(show, here.daemon.journal, id_)
    return [(one.kind, one.body) for one in found]


async def until_noted(here: House, id_: str, kind: str) -> dict[str, Any]:
    async def noted() -> list[dict[str, Any]]:
        return [body for name, body in await records(here, id_) if name == kind]

    found = await eventually(noted, f"{id_} has a record of kind {kind}", every=0.02)
    return found[0]


async def again(here: House) -> None:
    """Start the daemon anew and wait until it has recovered."""
    await here.daemon.start()
    await here.until_logged("recovered")


async def kill(here: House) -> None:
    assert await here.daemon.stop(signal.SIGKILL) == -signal.SIGKILL


async def test_a_press_that_was_cut_short_is_finished_while_its_call_is_up(tmp_path: Path) -> None:
    async with house(tmp_path, recorders=("local",)) as here:
        here.peer.on("StopMixMonitor", None)  # the PBX does not answer
        id_ = await press(here)
        await here.peer.until(lambda: "StopMixMonitor" in here.peer.names())
        await kill(here)
        del here.peer.handlers["StopMixMonitor"]
        await again(here)
        kinds = await records(here, id_)

        assert here.peer.channels["1.1"].monitors == 0
        assert [kind for kind, _ in kinds].count("pressed") == 1
        assert ("recovered", {"how": "finish", "detail": "the call is still up"}) in kinds
        assert (await until_noted(here, id_, "verdict"))["outcome"] == "confirmed"


async def test_a_press_of_a_call_that_has_ended_meanwhile_is_closed_so(tmp_path: Path) -> None:
    async with house(tmp_path, recorders=("local",)) as here:
        here.peer.on("StopMixMonitor", None)
        id_ = await press(here)
        await here.peer.until(lambda: "StopMixMonitor" in here.peer.names())
        await kill(here)
        del here.peer.handlers["StopMixMonitor"]
        for uniqueid in ("1.1", "1.2"):
            here.peer.hangup(uniqueid)
        sent = here.peer.names().count("StopMixMonitor")
        await again(here)
        kinds = await records(here, id_)

        assert [b["outcome"] for kind, b in kinds if kind == "verdict"] == ["call_ended"]
        assert here.peer.names().count("StopMixMonitor") == sent


async def test_noojee_is_asked_again_by_unique_id_where_its_answer_was_lost(tmp_path: Path) -> None:
    async with house(tmp_path, recorders=("noojee",)) as here:
        here.noojee.faults.add("slow_answer@stop*1")  # it stops, and never says so
        id_ = await press(here)
        await eventually(lambda: here.stops)
        await kill(here)
        await again(here)
        await until_noted(here, id_, "verdict")

        assert [stop.query["extenOrUniqueId"] for stop in here.stops] == ["1.1", "1.1"]


async def test_noojee_is_not_asked_again_where_only_an_extension_can_be_named(
    tmp_path: Path,
) -> None:
    by_extension = {"noojee": {"target": "extension"}}
    async with house(tmp_path, recorders=("noojee",)) as here:
        tables: dict[str, Any] = here.daemon.tables  # type: ignore[assignment]
        tables["recorders"]["noojee"] |= by_extension["noojee"]
        await here.daemon.stop()
        await here.daemon.start()
        await here.known(2)
        here.noojee.faults.add("slow_answer@stop*1")
        id_ = await press(here)
        await eventually(lambda: here.stops)
        await kill(here)
        await again(here)
        verdict = await until_noted(here, id_, "verdict")

        assert len(here.stops) == 1
        assert verdict["outcome"] == "failed"
        assert "interrupted" in verdict["reason"]


async def test_what_noojee_accepted_before_the_crash_is_not_asked_for_again(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        here.peer.on("StopMixMonitor", None)
        id_ = await press(here)
        await here.peer.until(lambda: "StopMixMonitor" in here.peer.names())
        await until_noted(here, id_, "answered")
        await kill(here)
        del here.peer.handlers["StopMixMonitor"]
        await again(here)
        verdict = await until_noted(here, id_, "verdict")

        assert len(here.stops) == 1
        assert verdict["outcome"] == "accepted"
        told = {one["recorder"]: one["outcome"] for one in verdict["recorders"]}
        assert told == {"local": "confirmed", "noojee": "accepted"}


@pytest.mark.parametrize("verb", ["resume", "start"])
async def test_what_turns_recording_on_is_never_repeated(tmp_path: Path, verb: str) -> None:
    async with house(tmp_path, recorders=("noojee",)) as here:
        here.noojee.faults.add("slow_answer@start*1")
        id_ = await press(here, verb)
        await eventually(lambda: here.noojee.log.of("start"))
        await kill(here)
        await again(here)
        verdict = await until_noted(here, id_, "verdict")

        assert len(here.noojee.log.of("start")) == 1
        assert verdict["outcome"] == "failed"
        assert f"a {verb} is not repeated" in verdict["reason"]


async def test_presses_of_now_work_while_recovery_waits_for_the_pbx(tmp_path: Path) -> None:
    async with house(tmp_path, recorders=("noojee",), press={"wait_known": 0.1}) as here:
        here.noojee.faults.add("slow_answer@stop*1")
        id_ = await press(here)
        await eventually(lambda: here.stops)
        await kill(here)
        await here.peer.silence()
        await here.daemon.start()
        told = await here.ask(
            op="press", way="agi", verb="stop", uniqueid="7.1", channel="SIP/412-7", wait=10,
            agent="fred",
        )  # fmt: skip
        before = [kind for kind, _ in await records(here, id_)]
        await here.peer.listen()
        await here.until_logged("recovered")

        # Noojee was told; what this PBX itself records of the call cannot be asked.
        noted = await until_noted(here, told["press"], "verdict")
        answers = {one["recorder"]: one["outcome"] for one in noted["recorders"]}
        assert (answers["noojee"], told["outcome"]) == ("accepted", "failed")
        assert "verdict" not in before
        await until_noted(here, id_, "verdict")


async def test_a_stop_holds_for_the_rest_of_the_call_over_a_restart(tmp_path: Path) -> None:
    async with house(tmp_path, recorders=("local",)) as here:
        id_ = await press(here, wait=10)
        await until_noted(here, id_, "verdict")
        await kill(here)
        await again(here)
        here.peer.start("1.1")
        await until_noted(here, id_, "reapplied")

        assert here.peer.channels["1.1"].monitors == 0


async def test_what_had_failed_is_tried_again_after_a_restart_until_it_is_solved(
    tmp_path: Path,
) -> None:
    async with house(tmp_path, recorders=("noojee",)) as here:
        here.noojee.faults.add("reset@stop")
        id_ = await press(here, wait=10)
        verdict = await until_noted(here, id_, "verdict")
        await kill(here)
        here.noojee.faults.clear()
        await again(here)
        closed = await until_noted(here, id_, "closed")

        assert verdict["outcome"] == "failed"
        assert (closed["outcome"], closed["why"]) == ("accepted", "solved")
        assert here.noojee.pbx.live[0].recording is None


async def test_what_had_failed_is_closed_when_its_call_has_ended_meanwhile(tmp_path: Path) -> None:
    async with house(tmp_path, recorders=("noojee",)) as here:
        here.noojee.faults.add("reset@stop")
        id_ = await press(here, wait=10)
        await until_noted(here, id_, "verdict")
        await kill(here)
        for uniqueid in ("1.1", "1.2"):
            here.peer.hangup(uniqueid)
        await again(here)

        assert (await until_noted(here, id_, "closed"))["why"] == "call_ended"
        assert (await until_noted(here, id_, "intent_ended"))["why"] == "call_ended"
