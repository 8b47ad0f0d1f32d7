# SPDX-License-Identifier: Apache-2.0
"""The recording of a conference as a whole: when it is known of, and that a stop ends it too."""

from dataclasses import dataclass, field

import pytest

from ami.calls.graph import CallGraph
from ami.events.packet_to_event import decode
from ami.events.types import BridgeDestroy, ConferenceMix
from ami.link.actions import Response
from bridges.model import Evidence, Outcome, Verb
from tests.kits.call_kit import channel, enter, graph, new
from tests.kits.mixmonitor_kit import FakePbx, act, answer

TWO_MEET = (
    new("1.1", "SIP/410-1"),
    new("2.1", "SIP/411-2"),
    enter("c", "1.1", "1.1", "base"),
    enter("c", "2.1", "2.1", "base"),
)
RECORDED, BEGUN = ConferenceMix("c", "7001", recorded=True), ConferenceMix("c", "7001", None)


@pytest.mark.parametrize(
    ("name", "recorded"),
    [("ConfbridgeStart", None), ("ConfbridgeRecord", True), ("ConfbridgeStopRecord", False)],
)
def test_the_events_of_a_conference_are_decoded(name: str, recorded: bool | None) -> None:
    packet = f"Event: {name}\r\nPrivilege: call,all\r\nConference: 7001\r\nBridgeUniqueid: c"
    assert decode(packet.encode()) == ConferenceMix("c", "7001", recorded)
    assert decode(f"Event: {name}\r\nConference: 7001".encode()) is None


@pytest.mark.parametrize(
    ("told", "mix"),
    [
        ((RECORDED, BEGUN), "7001"),
        ((BEGUN,), ""),
        ((RECORDED, BEGUN, ConferenceMix("c", "7001", recorded=False)), ""),
        ((), None),
    ],
)
def test_who_is_in_a_conference_knows_whether_its_mix_is_recorded(
    told: tuple[ConferenceMix, ...], mix: str | None
) -> None:
    # The news comes before anybody is in the bridge, and later to those who are.
    for events in ((*told, *TWO_MEET), (*TWO_MEET, *told)):
        made = graph(*events)
        assert channel(made, "1.1").mix == mix
        made.apply(enter("b", "1.1", "1.1"))
        assert channel(made, "1.1").mix == ""


def test_a_conference_that_is_gone_tells_nothing_of_the_next_one() -> None:
    made = graph(RECORDED, BEGUN, *TWO_MEET, BridgeDestroy("c"))
    made.apply(enter("c", "1.1", "1.1", "base"))
    assert channel(made, "1.1").mix is None


@dataclass
class Mixing(FakePbx):
    """A PBX with one conference whose mix is recorded, or whose recording it will not stop."""

    mixes: int = 1
    refuses: bool = False
    asked: list[str] = field(default_factory=list)

    async def action(self, name: str, fields: object) -> Response:
        if name != "ConfbridgeStopRecord":
            return await super().action(name, fields)  # type: ignore[arg-type]
        self.asked.append(str(fields["Conference"]))  # type: ignore[index]
        if self.refuses:
            return answer("Permission denied")
        self.mixes -= 1
        return answer("" if self.mixes >= 0 else "Internal error while stopping recording.")


def meeting(*told: ConferenceMix) -> CallGraph:
    return graph(*told, *TWO_MEET)


async def test_a_stop_ends_the_recording_of_the_conference_too() -> None:
    pbx = Mixing(meeting(RECORDED, BEGUN))
    result = await act(pbx)
    assert (result.outcome, result.evidence) == (Outcome.CONFIRMED, Evidence.NOTHING_ELSE)
    assert "the recording of the conference was stopped" in result.detail
    assert pbx.asked == ["7001", "7001"]


async def test_a_conference_that_may_not_be_stopped_is_never_confirmed() -> None:
    pbx = Mixing(meeting(RECORDED, BEGUN), refuses=True)
    pbx.record("1.1")
    result = await act(pbx)
    assert result.outcome is Outcome.FAILED
    assert "conference 7001 records all of it" in result.detail
    assert "write = system" in result.detail
    assert pbx.monitors["1.1"] == 0


async def test_a_conference_of_which_nobody_knows_is_no_more_than_accepted() -> None:
    pbx = Mixing(meeting())
    pbx.record("1.1")
    result = await act(pbx)
    assert (result.outcome, result.evidence) == (Outcome.ACCEPTED, Evidence.READ_BACK)
    assert pbx.asked == []


async def test_a_pause_in_a_recorded_conference_is_a_stop_and_says_so() -> None:
    pbx = Mixing(meeting(RECORDED, BEGUN))
    result = await act(pbx, Verb.PAUSE)
    assert result.outcome is Outcome.CONFIRMED
    assert result.detail.startswith("stopped instead of paused")


async def test_a_conference_without_a_recording_is_like_any_call() -> None:
    pbx = Mixing(meeting(BEGUN))
    pbx.record("1.1")
    result = await act(pbx)
    assert (result.outcome, result.evidence) == (Outcome.CONFIRMED, Evidence.NOTHING_ELSE)
    assert pbx.asked == []
