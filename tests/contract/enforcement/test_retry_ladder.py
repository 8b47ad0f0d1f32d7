# SPDX-License-Identifier: Apache-2.0
"""A recorder that does not obey: tried again until it does, said again until somebody knows."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ami.errors import AmiDown
from bridges.model import Evidence, Order, Outcome, RecorderResult, Verb
from offrecord.enforcement.enforcer import EnforcementSettings, State
from offrecord.enforcement.retry_ladder import gap
from tests.kits.call_kit import hangup
from tests.kits.enforcement_kit import Kept, keeping, record, settle
from tests.kits.lifecycle_kit import FakeRecorder, result


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
        known = here.enforcer.retry_ladder.ack("p1")
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

        assert not here.enforcer.retry_ladder.ack("p1")


async def test_nobody_hears_a_tone_who_has_hung_up(tmp_path: Path) -> None:
    async with keeping(tmp_path, Stubborn()) as here:
        await here.pressed()
        here.happen(hangup("1.1"))
        await here.time.pass_(25.0)

        assert not here.heard.repeats


# ways out


async def test_the_sites_ways_out_are_taken_once_and_said(tmp_path: Path) -> None:
    settings = EnforcementSettings(fallback=("mute", "recorder:backup"))
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
    async with keeping(tmp_path, settings=EnforcementSettings(fallback=("mute",))) as here:
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
    settings = EnforcementSettings(fallback=("mute", "recorder:nobody"))
    async with keeping(tmp_path, Stubborn(), settings=settings) as here:
        await here.pressed()
        await settle()
        fallback = await here.bodies("fallback")

        assert [one["outcome"] for one in fallback] == ["nothing_to_stop", "failed"]


# a call that is held

HELD = EnforcementSettings(fallback=("hold_music",), hold_sounds=("moh/calm",), hold_longest=30.0)


def said(here: Kept, variable: str) -> list[tuple[str, str]]:
    """Return which legs were given which values of a variable, in order."""
    return [
        (str(fields["Channel"]), str(fields["Value"]))
        for name, fields in here.bench.pbx.actions
        if name == "Setvar" and fields["Variable"] == variable
    ]


def done(here: Kept, name: str) -> list[Mapping[str, str | Sequence[str]]]:
    return [fields for action, fields in here.bench.pbx.actions if action == name]


async def test_a_call_is_held_until_the_recorder_obeys(tmp_path: Path) -> None:
    noojee = Stubborn(times=2)
    async with keeping(tmp_path, noojee, settings=HELD) as here:
        here.happen(record("1.2"))
        await here.pressed(recorder="noojee")
        await here.time.pass_(2.0)
        music = done(here, "Originate")
        during = said(here, "MUTEAUDIO(in)"), said(here, "VOLUME(RX)"), said(here, "OFFRECORD_HELD")
        await here.time.pass_(3.0)

        # The recorded leg is muted altogether; the other one sends silence, for the music.
        assert during == (
            [("1.2", "on")], [("1.1", "-32767")],
            [("1.1", "VOLUME(RX)"), ("1.2", "MUTEAUDIO(in)")],
        )  # fmt: skip
        assert len(music) == 1
        for half in ("ChannelId", "OtherChannelId"):
            assert music[0][half] in here.bench.pbx.graph.own_channels
        assert "OFFRECORD_TELL_SOUNDS=moh/calm" in music[0]["Variable"]
        assert "__OFFRECORD_TELL_UNIQUEID=1.2" in music[0]["Variable"]
        assert [one["Channel"] for one in done(here, "Hangup")] == [music[0]["ChannelId"]]
        for variable, off in (
            ("MUTEAUDIO(in)", "off"),
            ("VOLUME(RX)", "0"),
            ("OFFRECORD_HELD", ""),
        ):
            assert said(here, variable)[-2:] == [("1.1", off), ("1.2", off)]
        [told] = await here.bodies("fallback")
        assert (told["action"], told["outcome"]) == ("hold_music", "contained")
        assert [one["why"] for one in await here.bodies("rejoined")] == ["solved"]


@pytest.mark.parametrize("end", ["acknowledged", "superseded", "resumed", "held", "call_ended"])
async def test_whatever_ends_it_a_held_call_is_joined(tmp_path: Path, end: str) -> None:
    async with keeping(tmp_path, Stubborn(), settings=HELD) as here:
        await here.pressed(recorder="noojee")
        await settle()
        assert said(here, "VOLUME(RX)") == [("1.1", "-32767"), ("1.2", "-32767")]
        if end == "acknowledged":
            assert here.enforcer.ack("p1")
        elif end == "superseded":
            await here.time.pass_(4.0)
            await here.pressed(recorder="noojee")
        elif end == "resumed":
            await here.time.pass_(4.0)
            await here.pressed(Verb.RESUME)
        elif end == "held":
            await here.time.pass_(30.0)
        else:
            here.happen(hangup("1.2"))
            here.happen(hangup("1.1"))
        await settle()

        [why] = [one["why"] for one in await here.bodies("rejoined")]
        assert why == ("held for as long as it may be" if end == "held" else end)
        expected = [] if end == "call_ended" else [("1.1", "0"), ("1.2", "0")]
        assert said(here, "VOLUME(RX)")[2:] == expected  # pressed again it is not held again


async def test_a_leg_is_let_go_although_the_link_was_away(tmp_path: Path) -> None:
    async with keeping(tmp_path, Stubborn(), settings=HELD) as here:
        await here.pressed(recorder="noojee")
        await settle()
        here.bench.pbx.broken = AmiDown("the link is down", fix="it comes back")
        here.enforcer.ack("p1")
        await here.time.pass_(5.0)
        here.bench.pbx.broken = None
        await here.time.pass_(1.0)

        assert said(here, "OFFRECORD_HELD")[-2:] == [("1.1", ""), ("1.2", "")]


async def test_what_cannot_be_held_is_failed_and_let_go(tmp_path: Path) -> None:
    async with keeping(tmp_path, Stubborn(), settings=HELD) as here:
        here.bench.pbx.broken = AmiDown("the link is down", fix="it comes back")
        await here.pressed(recorder="noojee")
        await settle()
        [told] = await here.bodies("fallback")

        assert told["outcome"] == "failed"
        assert "still heard: SIP/410-1: the link is down" in told["detail"]
        assert not done(here, "Originate")


async def test_a_leg_that_a_daemon_before_left_held_is_let_go_at_the_start(tmp_path: Path) -> None:
    async with keeping(tmp_path, settings=HELD) as here:
        here.bench.pbx.variables = {("1.2", "OFFRECORD_HELD"): "MUTEAUDIO(in)"}
        here.enforcer.tick()
        await settle()

        assert said(here, "MUTEAUDIO(in)") == [("1.2", "off")]
        assert said(here, "OFFRECORD_HELD") == [("1.2", "")]


async def test_a_daemon_that_is_stopped_leaves_no_leg_held(tmp_path: Path) -> None:
    async with keeping(tmp_path, Stubborn(), settings=HELD) as here:
        await here.pressed(recorder="noojee")
        await settle()
        await here.enforcer.unmute_calls()

        assert said(here, "OFFRECORD_HELD")[-2:] == [("1.1", ""), ("1.2", "")]
