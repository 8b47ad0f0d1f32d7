# SPDX-License-Identifier: Apache-2.0
"""The mix of a conference: found by its hidden channel, stopped, proven; never accepted unsent."""

import pytest

from ami.events.types import ConferenceMix
from ami.link.actions import Response
from bridges.model import Evidence, Outcome, Verb
from tests.kits.call_kit import enter, graph, new
from tests.kits.mixmonitor_kit import FakePbx, act, answer, said

TWO_MEET = (
    new("1.1", "SIP/410-1"),
    new("2.1", "SIP/411-2"),
    enter("c", "1.1", "1.1", "base"),
    enter("c", "2.1", "2.1", "base"),
)
RECORDED, BEGUN = ConferenceMix("c", "7001", recorded=True), ConferenceMix("c", "7001", None)
MIX = "CBRec/7001-00000005"
OTHER = "CBRec/7002-00000006"


def meeting(*told: ConferenceMix, mixes: int = 0, others: int = 0) -> FakePbx:
    """Return a PBX with a conference of two, whose mix has `mixes` MixMonitors."""
    pbx = FakePbx(graph(*told, *TWO_MEET), bridges={"c": "base"})
    if mixes:
        pbx.mixes[MIX], pbx.peers[MIX] = mixes, ["SIP/410-1", "SIP/411-2", "CBAnn/7001-00000004;2"]
    if others:
        pbx.mixes[OTHER], pbx.peers[OTHER] = others, ["SIP/420-9"]
    return pbx


@pytest.mark.parametrize("told", [(RECORDED, BEGUN), ()])
async def test_a_mix_is_stopped_and_proven_also_one_begun_before_the_link(
    told: tuple[ConferenceMix, ...],
) -> None:
    pbx = meeting(*told, mixes=1, others=1)
    result = await act(pbx)

    assert said(result) == (Outcome.CONFIRMED, Evidence.NOTHING_ELSE)
    assert result.detail == "1 conference mix stopped, none left on 2 channels"
    assert pbx.of("StopMixMonitor").count(MIX) == 2
    assert pbx.mixes[OTHER] == 1, "it is another conference's"


async def test_the_mix_and_a_members_own_recording_are_both_named() -> None:
    pbx = meeting(mixes=1)
    pbx.record("1.1")
    result = await act(pbx)

    assert said(result) == (Outcome.CONFIRMED, Evidence.NOTHING_ELSE)
    assert result.detail.startswith("1 MixMonitor and 1 conference mix stopped, none left")


@pytest.mark.parametrize("told", [(BEGUN,), ()])
async def test_a_conference_without_a_recording_has_nothing_to_stop(
    told: tuple[ConferenceMix, ...],
) -> None:
    result = await act(meeting(*told, others=1))

    assert said(result) == (Outcome.NOTHING_TO_STOP, Evidence.NOTHING_ELSE)
    assert "conference mix" in result.detail


async def test_a_mix_whose_event_came_before_its_channel_is_waited_for() -> None:
    pbx = meeting(RECORDED, BEGUN)

    def appear(name: str, _channel: str) -> Response | None:
        if name == "Getvar" and sum(one[2].startswith("CHANNELS") for one in pbx.asked) > 2:
            pbx.mixes.setdefault(MIX, 1)
            pbx.peers[MIX] = ["SIP/410-1"]
        return None

    pbx.script = appear
    result = await act(pbx)

    assert result.outcome is Outcome.CONFIRMED
    assert "1 conference mix stopped" in result.detail


async def test_a_mix_that_ended_by_itself_is_nothing_to_stop_and_known_to_be() -> None:
    pbx = meeting(RECORDED, BEGUN)

    assert (await act(pbx)).outcome is Outcome.NOTHING_TO_STOP
    call = pbx.graph.call_of("1.1")
    assert call is not None
    assert [channel.mix for channel in call.channels] == ["", ""]


async def test_a_conference_larger_than_its_recorder_names_is_asked_for_its_members() -> None:
    pbx = meeting(mixes=1)
    pbx.peers[MIX] = [f"SIP/5{number:02}-1" for number in range(10)]
    pbx.rooms["7001"] = [*pbx.peers[MIX], "SIP/410-1"]

    assert (await act(pbx)).outcome is Outcome.CONFIRMED
    assert pbx.mixes[MIX] < 0

    pbx = meeting(mixes=1)
    pbx.peers[MIX] = [f"SIP/5{number:02}-1" for number in range(10)]
    pbx.rooms["7001"] = pbx.peers[MIX]
    assert (await act(pbx)).outcome is Outcome.NOTHING_TO_STOP
    assert pbx.mixes[MIX] == 1


async def test_where_the_question_is_refused_nothing_is_proven_and_nothing_accepted() -> None:
    pbx = meeting()
    pbx.record("1.1")
    pbx.script = lambda name, _channel: (
        answer("Permission denied") if name in {"BridgeList", "CoreShowChannels"} else None
    )
    result = await act(pbx)

    assert said(result) == (Outcome.FAILED, Evidence.READ_BACK)
    assert "whether the conference as a whole is recorded is not known" in result.detail
    assert "write = call,reporting" in result.detail
    assert "1 MixMonitor stopped" in result.detail


async def test_a_pause_in_a_recorded_conference_is_a_stop_and_says_so() -> None:
    pbx = meeting(RECORDED, BEGUN, mixes=1)
    result = await act(pbx, Verb.PAUSE)

    assert said(result) == (Outcome.CONFIRMED, Evidence.NOTHING_ELSE)
    assert result.detail == (
        "stopped instead of paused, as the recording of a conference cannot be muted: 1 stopped"
    )


async def test_a_member_is_muted_where_the_conference_is_not_recorded() -> None:
    pbx = meeting()
    pbx.record("1.1")
    result = await act(pbx, Verb.PAUSE)

    assert said(result) == (Outcome.CONFIRMED, Evidence.NOTHING_ELSE)
    assert result.detail == "1 MixMonitor muted"


async def test_a_resume_does_nothing_to_a_mix() -> None:
    assert (await act(meeting(mixes=1), Verb.RESUME)).outcome is Outcome.NOTHING_TO_STOP
