# SPDX-License-Identifier: Apache-2.0
"""A recorder that does not obey: tried again until it does, said again until somebody knows."""

from dataclasses import replace
from pathlib import Path

import pytest

from bridges.model import Evidence, Order, Outcome, RecorderResult, Verb
from offrecord.keeper import KeeperSettings, State
from offrecord.ladder import gap
from tests.contract.engine_kit import FakeRecorder, result
from tests.contract.keeper_kit import Kept, keeping, record, settle
from tests.unit.call_kit import hangup


class Stubborn(FakeRecorder):
    """A recorder elsewhere that fails `times` times; `sent` and `retryable` as told."""

    def __init__(
        self, times: int = 10**6, *, retryable: bool = True, sent: Evidence = Evidence.SENT
    ) -> None:
        super().__init__("noojee", script=self._do)
        self.times = times
        self.failed = replace(
            result("noojee", Outcome.FAILED, sent, "504 from its proxy"), retryable=retryable
        )

    async def _do(self, _order: Order) -> RecorderResult:
        if len(self.orders) <= self.times:
            return self.failed
        return result("noojee", Outcome.ACCEPTED, Evidence.ACCEPTED)


async def tries(here: Kept, noojee: FakeRecorder, seconds: int) -> list[int]:
    """Return in which seconds after the press the recorder was asked."""
    seen, at = len(noojee.orders), []
    for second in range(1, seconds + 1):
        await here.time.pass_(1.0)
        at += [second] * (len(noojee.orders) - seen)
        seen = len(noojee.orders)
    return at


async def test_it_is_tried_again_and_again_until_it_obeys(tmp_path: Path) -> None:
    noojee = Stubborn(times=6)
    async with keeping(tmp_path, noojee) as here:
        verdict = await here.pressed()
        at = await tries(here, noojee, 60)
        retried = await here.bodies("retried")
        [closed] = await here.bodies("closed")

        assert verdict.outcome is Outcome.FAILED
        assert at == [1, 3, 7, 15, 30, 45]
        assert [one["attempt"] for one in retried] == [1, 2, 3, 4, 5, 6]
        assert retried[0]["outcome"] == "failed"
        assert retried[0]["exposed_ms"] == 1000
        assert closed["why"] == "solved"
        assert closed["outcome"] == "accepted"
        assert closed["exposed_ms"] == {"noojee": 45_000}
        assert here.heard.late == [Outcome.ACCEPTED]
        assert {one.press_id for one in noojee.orders} == {"p1"}


@pytest.mark.parametrize(
    ("retryable", "sent", "expected"),
    [
        pytest.param(True, Evidence.SENT, [1, 3, 7, 15, 30], id="retryable"),
        pytest.param(False, Evidence.NONE, [15, 30], id="not-retryable-nothing-sent"),
        pytest.param(False, Evidence.SENT, [], id="not-retryable-it-may-have-acted"),
        pytest.param(False, Evidence.ACCEPTED, [], id="not-retryable-it-said-yes"),
    ],
)
async def test_when_an_order_is_given_again(
    tmp_path: Path, retryable: bool, sent: Evidence, expected: list[int]
) -> None:
    noojee = Stubborn(retryable=retryable, sent=sent)
    async with keeping(tmp_path, noojee) as here:
        await here.pressed()

        assert await tries(here, noojee, 35) == expected


def test_a_recorder_that_may_not_is_not_asked_again() -> None:
    assert gap(replace(result("noojee", Outcome.DENIED), retryable=True), 0) is None


async def test_the_calls_end_is_the_end_and_the_exposure_is_counted(tmp_path: Path) -> None:
    noojee = Stubborn()
    async with keeping(tmp_path, noojee) as here:
        await here.pressed()
        await here.time.pass_(20.0)
        here.happen(hangup("1.2"), hangup("1.1"))
        asked = len(noojee.orders)
        await here.time.pass_(60.0)
        [closed] = await here.bodies("closed")

        assert len(noojee.orders) == asked
        assert closed["why"] == "call_ended"
        assert closed["outcome"] == "failed"
        assert closed["exposed_ms"] == {"noojee": 20_000}


async def test_a_resume_ends_the_tries(tmp_path: Path) -> None:
    noojee = Stubborn()
    async with keeping(tmp_path, noojee) as here:
        await here.pressed()
        await here.time.pass_(4.0)
        await here.pressed(Verb.RESUME)
        asked = len(noojee.orders)
        await here.time.pass_(60.0)

        assert len(noojee.orders) == asked
        assert [b["why"] for b in await here.bodies("closed")] == ["resumed"]


async def test_what_obeyed_is_not_asked_again(tmp_path: Path) -> None:
    voipnow = FakeRecorder("voipnow")
    async with keeping(tmp_path, Stubborn(times=2), voipnow) as here:
        await here.pressed()
        await here.time.pass_(20.0)

        assert len(voipnow.orders) == 1


async def test_a_recorder_that_may_fail_is_let_be(tmp_path: Path) -> None:
    noojee = Stubborn()
    async with keeping(tmp_path, noojee, optional={"noojee"}) as here:
        await here.pressed()
        await here.time.pass_(20.0)

        assert len(noojee.orders) == 1


# the tone


async def test_the_failure_is_said_again_every_ten_seconds_until_it_is_solved(
    tmp_path: Path,
) -> None:
    async with keeping(tmp_path, Stubborn(times=5)) as here:
        await here.pressed()
        await here.time.pass_(35.0)

        assert here.heard.repeats == ["p1 SIP/410-1"] * 3
        assert here.heard.states[0] == ("410", State.FAILED)


async def test_it_is_said_no_more_once_acknowledged_and_still_tried(tmp_path: Path) -> None:
    noojee = Stubborn()
    async with keeping(tmp_path, noojee) as here:
        await here.pressed()
        await here.time.pass_(11.0)
        known = here.keeper.ladder.ack("p1")
        asked = len(noojee.orders)
        await here.time.pass_(30.0)

        assert known
        assert here.heard.repeats == ["p1 SIP/410-1"]
        assert len(noojee.orders) > asked


async def test_pressing_the_same_again_is_a_new_try_and_an_acknowledgement(tmp_path: Path) -> None:
    async with keeping(tmp_path, Stubborn()) as here:
        await here.pressed()
        await here.time.pass_(12.0)
        said = len(here.heard.repeats)
        await here.pressed()
        await here.time.pass_(25.0)

        assert said == 1
        assert len(here.heard.repeats) == 1
        assert [b["why"] for b in await here.bodies("closed")] == ["superseded"]
        assert await here.bodies("retried", "p2")
        assert len(here.intents) == 1


async def test_a_press_for_another_recorder_ends_no_tries(tmp_path: Path) -> None:
    noojee = Stubborn()
    async with keeping(tmp_path, noojee, FakeRecorder("voipnow")) as here:
        await here.pressed()
        await here.time.pass_(4.0)
        await here.pressed(recorder="voipnow")
        asked = len(noojee.orders)
        await here.time.pass_(10.0)

        assert len(noojee.orders) > asked
        assert not await here.bodies("closed")


async def test_nothing_is_acknowledged_that_is_not_open(tmp_path: Path) -> None:
    async with keeping(tmp_path) as here:
        await here.pressed()

        assert not here.keeper.ladder.ack("p1")


async def test_nobody_hears_a_tone_who_has_hung_up(tmp_path: Path) -> None:
    async with keeping(tmp_path, Stubborn()) as here:
        await here.pressed()
        here.happen(hangup("1.1"))
        await here.time.pass_(25.0)

        assert not here.heard.repeats


# ways out


async def test_the_sites_ways_out_are_taken_once_and_said(tmp_path: Path) -> None:
    settings = KeeperSettings(fallback=("mute", "recorder:backup"))
    backup, noojee = FakeRecorder("backup"), Stubborn()
    async with keeping(tmp_path, noojee, backup, settings=settings) as here:
        here.happen(record())
        verdict = await here.pressed(recorder="noojee")
        await here.time.pass_(20.0)
        fallback = await here.bodies("fallback")

        assert verdict.outcome is Outcome.FAILED
        assert [one["action"] for one in fallback] == ["mute", "recorder:backup"]
        assert [one["outcome"] for one in fallback] == ["contained", "contained"]
        assert here.local.verbs == [Verb.PAUSE]
        assert backup.verbs == [Verb.STOP]
        here.happen(hangup("1.2"), hangup("1.1"))
        await settle()
        # Something else was silenced; what did not obey still is not known to have stopped.
        assert [b["outcome"] for b in await here.bodies("closed")] == ["failed"]


async def test_the_pbxs_own_recording_that_is_muted_instead_is_contained(tmp_path: Path) -> None:
    async with keeping(tmp_path, settings=KeeperSettings(fallback=("mute",))) as here:
        here.happen(record())
        mutes = here.local._do

        async def only_mutes(order: Order) -> RecorderResult:
            if order.verb is Verb.PAUSE:
                return await mutes(order)
            return result("local", Outcome.FAILED, Evidence.ACCEPTED, "Permission denied")

        here.local.script = only_mutes
        await here.pressed()
        here.happen(hangup("1.2"), hangup("1.1"))

        assert [b["outcome"] for b in await here.bodies("closed")] == ["contained"]


async def test_a_way_out_that_did_not_work_says_so(tmp_path: Path) -> None:
    settings = KeeperSettings(fallback=("mute", "recorder:nobody"))
    async with keeping(tmp_path, Stubborn(), settings=settings) as here:
        await here.pressed()
        await settle()
        fallback = await here.bodies("fallback")

        assert [one["outcome"] for one in fallback] == ["nothing_to_stop", "failed"]
