# SPDX-License-Identifier: Apache-2.0
"""What is said of ARI's recordings of a call: with an account, without one, and in doubt."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import httpx
import pytest

from ami.calls.graph import CallGraph
from ami.errors import AmiDenied
from ami.events.headers import BridgeRow, ChannelRow
from ami.link.actions import Response
from bridges.asterisk.ari import Ari
from bridges.asterisk.look import HiddenChannel, PbxLook
from bridges.asterisk.ways.ari import AriWay
from bridges.asterisk.ways.way import Sweep, WayReport, WayState
from bridges.model import Order, Verb
from tests.kits.ari_server import ScriptedAri
from tests.kits.call_kit import TWO_PHONES, graph

RECORDER = "Recorder/ARI-00000001;2"
PEERS = frozenset({"SIP/410-1", "SIP/411-2"})


@dataclass
class FakePbx:
    """A PBX that hangs up hidden channels unless told not to, and names those in a bridge."""

    graph: CallGraph
    hidden: set[str] = field(default_factory=set)
    peers: str = ""
    obeys: bool = True
    sent: list[str] = field(default_factory=list)

    async def action(self, name: str, fields: Mapping[str, str | Sequence[str]]) -> Response:
        assert name == "Hangup"
        self.sent.append(str(fields["Channel"]))
        if self.obeys:
            self.hidden.discard(str(fields["Channel"]))
        return Response(ok=True, message="Channel Hungup", headers={}, output=())

    async def getvar(self, channel: str, name: str) -> str:
        if name == "BRIDGEPEER":
            return self.peers
        if channel not in self.hidden:
            raise AmiDenied("Getvar", "No such channel")
        return "1.1"


def shown(
    *more: ChannelRow, application: str = "Dial", kind: str = "basic", bridge: str = "b",
    hidden: Sequence[str] = (), problem: str = "",
) -> PbxLook:  # fmt: skip
    two = (row("1.1", "SIP/410-1", application, bridge), row("1.2", "SIP/411-2", "", bridge))
    return PbxLook(
        {one.uniqueid: one for one in (*two, *more)},
        {"b": BridgeRow("b", kind, "softmix")},
        tuple(HiddenChannel(name, "1.1", PEERS) for name in hidden),
        complete=True,
        problem=problem,
        fix="wait" if problem else "",
    )


def row(uniqueid: str, name: str, application: str = "", bridge: str = "") -> ChannelRow:
    return ChannelRow(name, uniqueid, uniqueid, "Up", "", "", "", "", "", "", application, bridge)


SNOOP = row("snoop-1", "Snoop/1.2-00000000", "Stasis")
STASIS = shown(application="Stasis", kind="stasis")
RECORDED = shown(application="Stasis", kind="stasis", hidden=[RECORDER])
ALONE = shown(application="Stasis", bridge="")


async def carry_out(
    look: PbxLook, ari: Ari | None = None, verb: Verb = Verb.STOP, pbx: FakePbx | None = None
) -> tuple[WayReport, Sweep]:
    pbx = pbx or FakePbx(graph(*TWO_PHONES), {one.name for one in look.hidden})
    call = pbx.graph.call_of("1.1")
    assert call is not None
    sweep = Sweep(
        pbx, Order("p", verb, call), look, lambda: 0.0, lambda _seconds: asyncio.sleep(0)  # type: ignore[arg-type]
    )  # fmt: skip
    way = AriWay(ari or Ari())
    act = {Verb.STOP: way.stop, Verb.PAUSE: way.pause, Verb.RESUME: way.resume}[verb]
    report = await act(sweep)
    assert report.way == AriWay.name
    assert bool(report.fix) is (report.state in {WayState.RECORDS, WayState.NOT_SEEN})
    return report, sweep


def asked(ari: ScriptedAri) -> Ari:
    """Return a site whose recordings are not known by events: each order asks."""
    return Ari(ari.recordings())


# without an account


@pytest.mark.parametrize("look", [shown(), STASIS, shown(SNOOP)])
async def test_what_ari_cannot_record_needs_no_account(look: PbxLook) -> None:
    report, sweep = await carry_out(look)
    assert report.state is WayState.NOTHING
    assert not sweep.steps


async def test_a_recorder_is_named_and_left_alone() -> None:
    pbx = FakePbx(graph(*TWO_PHONES), {RECORDER})
    report, _ = await carry_out(RECORDED, pbx=pbx)
    assert report.state is WayState.RECORDS
    assert RECORDER in report.detail
    assert "[ari]" in report.fix
    assert pbx.sent == []


async def test_a_recorder_of_another_call_is_not_touched() -> None:
    other = HiddenChannel(RECORDER, "9.9", frozenset({"SIP/412-9"}))
    look = PbxLook(STASIS.rows, STASIS.bridges, (other,))
    report, _ = await carry_out(look, Ari(hang_up_recorders=True))
    assert report.state is WayState.NOTHING


@pytest.mark.parametrize("verb", [Verb.STOP, Verb.PAUSE])
async def test_a_recorder_is_hung_up_where_the_site_says_so(verb: Verb) -> None:
    pbx = FakePbx(graph(*TWO_PHONES), {RECORDER})
    report, sweep = await carry_out(RECORDED, Ari(hang_up_recorders=True), verb, pbx)
    assert report.state is WayState.STOPPED
    assert pbx.sent == [RECORDER]
    assert sweep.steps[0].sent == f"Hangup {RECORDER}"


async def test_a_recorder_that_stays_is_no_success() -> None:
    pbx = FakePbx(graph(*TWO_PHONES), {RECORDER}, obeys=False)
    report, _ = await carry_out(RECORDED, Ari(hang_up_recorders=True), pbx=pbx)
    assert report.state is WayState.RECORDS


async def test_a_recorder_that_began_after_the_look_is_seen() -> None:
    pbx = FakePbx(graph(*TWO_PHONES), {RECORDER}, peers=f"{RECORDER},SIP/411-2")
    report, _ = await carry_out(STASIS, pbx=pbx)
    assert report.state is WayState.RECORDS


async def test_a_channel_alone_in_stasis_may_be_recorded() -> None:
    report, _ = await carry_out(ALONE)
    assert report.state is WayState.NOT_SEEN
    assert "SIP/410-1" in report.detail


async def test_no_look_is_no_proof() -> None:
    report, _ = await carry_out(shown(problem="no link"))
    assert report.state is WayState.NOT_SEEN
    assert "no link" in report.detail


async def test_channels_that_have_gone_prove_nothing() -> None:
    report, _ = await carry_out(PbxLook())
    assert report.state is WayState.ENDED


# with an account


async def test_all_of_the_call_is_stopped_and_nothing_else() -> None:
    live = {
        "bridge": ("bridge:b", "recording"),
        "snoop": ("channel:snoop-1", "recording"),
        "other": ("bridge:x", "recording"),
    }
    ari = ScriptedAri(live=live)
    look = shown(SNOOP, application="Stasis", kind="stasis", hidden=[RECORDER])
    pbx = FakePbx(graph(*TWO_PHONES))  # the recorder goes with its recording
    report, sweep = await carry_out(look, asked(ari), pbx=pbx)
    assert (report.state, report.count) == (WayState.STOPPED, 2)
    assert [*ari.live] == ["other"]
    assert sweep.recorded_listeners == {"snoop-1"}


async def test_the_bridge_of_a_snoop_counts_and_a_snoop_on_a_snoop() -> None:
    second = row("snoop-2", "Snoop/snoop-1-00000001", "Stasis", "of-the-snoop")
    ari = ScriptedAri(live={"far": ("bridge:of-the-snoop", "recording")})
    report, _ = await carry_out(shown(SNOOP, second), asked(ari))
    assert report.state is WayState.STOPPED


async def test_a_pause_and_its_end_are_read_back() -> None:
    ari = ScriptedAri(live={"one": ("bridge:b", "recording")})
    site, pbx = asked(ari), FakePbx(graph(*TWO_PHONES), {RECORDER})
    paused, _ = await carry_out(RECORDED, site, Verb.PAUSE, pbx)
    assert (paused.state, ari.live["one"][1]) == (WayState.STOPPED, "paused")
    resumed, _ = await carry_out(RECORDED, site, Verb.RESUME, pbx)
    assert (resumed.state, ari.live["one"][1]) == (WayState.RESUMED, "recording")
    nothing, _ = await carry_out(RECORDED, site, Verb.RESUME, pbx)
    assert nothing.state is WayState.NOTHING


async def test_a_recorder_that_ari_does_not_list_is_no_success() -> None:
    for verb in (Verb.STOP, Verb.PAUSE):
        report, _ = await carry_out(RECORDED, asked(ScriptedAri()), verb)
        assert report.state is WayState.RECORDS
        assert "does not list" in report.detail


async def test_a_stop_that_did_nothing_is_no_success() -> None:
    ari = ScriptedAri(live={"one": ("bridge:b", "recording")})
    ari.script = lambda method, _path: httpx.Response(204) if method == "POST" else None
    report, _ = await carry_out(STASIS, asked(ari))
    assert report.state is WayState.RECORDS
    assert "still recording" in report.detail


async def test_recordings_that_keep_starting_are_no_success() -> None:
    ari = ScriptedAri(live={"r0": ("bridge:b", "recording")})

    def again(method: str, path: str) -> httpx.Response | None:
        if method == "POST":
            ari.live[f"r{len(ari.asked)}"] = ("bridge:b", "recording")
        return None

    ari.script = again
    report, _ = await carry_out(STASIS, asked(ari))
    assert report.state is WayState.RECORDS
    assert "keep starting" in report.detail


@pytest.mark.parametrize(
    ("look", "state"),
    [
        (shown(), WayState.NOTHING),
        (STASIS, WayState.NOTHING),
        (RECORDED, WayState.RECORDS),
        (ALONE, WayState.NOT_SEEN),
        (shown(SNOOP), WayState.NOT_SEEN),
    ],
)
async def test_an_account_that_is_refused_is_as_none_and_said(
    look: PbxLook, state: WayState
) -> None:
    ari = ScriptedAri(script=lambda _method, _path: httpx.Response(401))
    report, _ = await carry_out(look, asked(ari))
    assert report.state is state
    assert state is WayState.NOTHING or "username" in report.fix
