# SPDX-License-Identifier: Apache-2.0
"""Noojee under load and in trouble, with real calls: what its server saw is the witness."""

import asyncio
import time
from collections import Counter
from typing import Any

import pytest

from bridges.model import Outcome
from bridges.simulators.noojee.app import DEMO_KEY
from lab.site import LabSite
from offrecord import journal
from tests.kits.live_kit import SiteMaker
from tests.kits.pace import in_time
from tests.kits.waiting import eventually

CALLS = 20


@pytest.mark.parametrize("generation", ["signed", "api_key"])
async def test_twenty_calls_at_once_are_each_stopped_by_their_own_unique_id(
    site: SiteMaker, generation: str
) -> None:
    more = {"recorders": {"noojee": {"auth": generation}}}
    async with site("22", more=more) as here:
        talks = [await here.talk(caller=f"41{n % 3}", dialled="413", callee="413")
                 for n in range(CALLS)]  # fmt: skip
        for group in range(0, CALLS, 5):  # the farm presses one key after the other
            pressing = (here.people.press(talk.caller, "*1") for talk in talks[group : group + 5])
            await asyncio.gather(*pressing)
        presses = await here.daemon.verdicts(CALLS)

        assert {press.outcome for press in presses} == {Outcome.ACCEPTED}
        stops = here.stops()
        wanted = {row["Linkedid"] for row in await here.pbx.channels()}
        assert len(wanted) == CALLS
        assert Counter(stop.query["extenOrUniqueId"] for stop in stops) == Counter(wanted)
        assert {entry.method for entry in here.noojee.log.entries} == {"POST"}
        for stop in stops:
            assert stop.status == 200
            if generation == "signed":
                assert stop.facts["hash_ok"] is True
                # A pair that was used once is good for an hour; no first use may be late.
                assert not stop.facts["first_use"] or stop.facts["stamp_age"] <= in_time(2.0)
        assert DEMO_KEY not in here.daemon.log.read_text()
        assert DEMO_KEY not in here.asterisks.pbx.log.read_text()
        assert DEMO_KEY.encode() not in here.daemon.journal.read_bytes()


async def test_a_noojee_that_stalls_is_told_in_time_and_its_old_pair_is_never_used_again(
    site: SiteMaker,
) -> None:
    more = {"agi": {"wait": 5.0}, "press": {"budget": 4.0}}
    async with site("22", more=more) as here:
        talk = await here.talk()
        here.noojee.faults.add("stall=11@stop*2")
        pressed = time.monotonic()
        await here.people.press(talk.caller, "*1")
        [press] = await here.daemon.verdicts()
        assert time.monotonic() - pressed < in_time(6.0)
        assert press.outcome == Outcome.FAILED
        answered = {
            record.body["recorder"]: record.body
            for record in journal.show(here.daemon.journal, press.press)
            if record.kind == "answered"
        }
        assert answered["local"]["outcome"] == Outcome.CONFIRMED
        assert "no answer" in answered["noojee"]["detail"]
        # The server comes back, and calls the pair that waited there for too long expired.
        here.noojee.clock.advance(11.0)
        here.noojee.faults.clear()
        closed = await eventually(lambda: _kinds(here, press.press, "closed"), every=0.05)
        assert closed[0]["outcome"] == Outcome.ACCEPTED
        assert closed[0]["exposed_ms"]["noojee"] > 4000
        assert _kinds(here, press.press, "retried")[-1]["outcome"] == Outcome.ACCEPTED
        pairs = [(stop.query["timeStamp"], stop.status) for stop in here.stops()]
        assert pairs[-1][1] == 200
        assert pairs[-1][0] not in {stamp for stamp, _ in pairs[:-1]}


def _kinds(here: LabSite, press: str, kind: str) -> list[dict[str, Any]]:
    return [r.body for r in journal.show(here.daemon.journal, press) if r.kind == kind]
