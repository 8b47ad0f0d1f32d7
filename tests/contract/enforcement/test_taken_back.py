# SPDX-License-Identifier: Apache-2.0
"""A press whose verdict was taken back: its recorders on the PBX are asked until nothing doubts."""

from pathlib import Path

import pytest

from bridges.model import Outcome, Verb
from offrecord.model.intents import Intent
from tests.kits.call_kit import hangup
from tests.kits.enforcement_kit import keeping, record, settle
from tests.kits.lifecycle_kit import FakeRecorder

REASON = "/spool/x.wav still grows, and no other call explains it"


class Files:
    """What still grows, as the witness tells it."""

    def __init__(self) -> None:
        self.grows = "/spool/x.wav still grows"
        self.asked: list[str] = []

    def doubt(self, press: str) -> str:
        self.asked.append(press)
        return self.grows


async def test_the_recorder_is_asked_until_the_file_grows_no_more(tmp_path: Path) -> None:
    files, noojee = Files(), FakeRecorder("noojee")
    async with keeping(tmp_path, noojee) as here:
        here.happen(record())
        await here.pressed()
        await here.pass_(2)
        asked, elsewhere = len(here.local.orders), len(noojee.orders)
        here.enforcer.taken_back("p1", REASON, files.doubt)
        assert here.enforcer.retry_ladder.failing("p1") == {"local"}
        await here.pass_(12)

        assert here.local.verbs[asked:] == [Verb.STOP] * 3
        assert set(files.asked) == {"p1"}
        assert len(noojee.orders) == elsewhere, "the file is the PBX's"
        assert here.heard.repeats == ["p1 SIP/410-1"]
        assert await here.bodies("closed") == []
        assert all(
            one["outcome"] == "failed" and one["detail"].endswith("but /spool/x.wav still grows")
            for one in await here.bodies("retried")
        )

        files.grows = ""
        await here.pass_(10)
        [closed] = await here.bodies("closed")
        assert closed["why"] == "solved"
        assert here.heard.late == [Outcome.NOTHING_TO_STOP]
        assert here.enforcer.retry_ladder.failing("p1") == frozenset()


async def test_what_the_recorder_stops_at_the_first_try_is_told(tmp_path: Path) -> None:
    async with keeping(tmp_path) as here:
        await here.pressed()
        await here.pass_(2)
        here.bench.pbx.graph.set_monitors("1.2", 1)  # no event told of it
        here.enforcer.taken_back("p1", REASON, lambda _press: "")
        await here.pass_(2)
        assert here.heard.late == [Outcome.CONFIRMED]


@pytest.mark.parametrize("ends", ["call", "intent"])
async def test_nothing_is_tried_once_it_is_over(tmp_path: Path, ends: str) -> None:
    async with keeping(tmp_path) as here:
        await here.pressed()
        await here.pass_(5)
        if ends == "call":
            here.happen(hangup("1.2"), hangup("1.1"))
        else:
            await here.pressed(Verb.RESUME)
        await settle()
        asked = len(here.local.orders)
        here.enforcer.taken_back("p1", REASON, Files().doubt)
        await here.pass_(5)
        assert len(here.local.orders) == asked
        assert await here.bodies("retried") == []


async def test_the_end_of_the_call_ends_the_tries(tmp_path: Path) -> None:
    async with keeping(tmp_path) as here:
        await here.pressed()
        here.enforcer.taken_back("p1", REASON, Files().doubt)
        await here.pass_(2)
        here.happen(hangup("1.2"), hangup("1.1"))
        [closed] = await here.bodies("closed")
        assert (closed["why"], closed["outcome"]) == ("call_ended", "failed")


async def test_a_press_that_joined_the_intent_of_an_earlier_one_is_found(tmp_path: Path) -> None:
    async with keeping(tmp_path) as here:
        await here.pressed()
        await here.pass_(5)
        await here.pressed()
        here.enforcer.taken_back("p2", REASON, Files().doubt)
        await here.pass_(2)
        assert len(await here.bodies("retried", "p2")) == 1
        assert await here.bodies("retried", "p1") == []


async def test_one_from_before_a_restart_is_tried_too(tmp_path: Path) -> None:
    held = Intent(
        "p0", Verb.PAUSE, "1.1", frozenset({"1.1", "1.2"}), ("local",), 999_000, presser="1.1"
    )
    async with keeping(tmp_path, intents=[held]) as here:
        here.enforcer.taken_back("p0", REASON, Files().doubt)
        await here.pass_(2)
        [retried] = await here.bodies("retried", "p0")
        assert retried["exposed_ms"] == 2500
        assert Verb.PAUSE in here.local.verbs


async def test_where_nothing_on_the_pbx_was_asked_nothing_is_tried(tmp_path: Path) -> None:
    noojee = FakeRecorder("noojee")
    async with keeping(tmp_path, noojee) as here:
        await here.pressed(recorder="noojee")
        asked = len(here.local.orders)
        here.enforcer.taken_back("p1", REASON, Files().doubt)
        await here.pass_(5)
        assert len(here.local.orders) == asked
