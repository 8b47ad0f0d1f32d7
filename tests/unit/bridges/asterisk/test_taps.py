# SPDX-License-Identifier: Apache-2.0
"""Who listens to a call: named in the report, believed where the site says so, or hung up."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from ami.calls.snapshots import Call
from ami.errors import AmiDenied
from ami.events.headers import ChannelRow
from ami.events.types import ChanSpyStart, ChanSpyStop, LocalBridge
from ami.link.actions import Response
from bridges.asterisk.look import PbxLook
from bridges.asterisk.ways.listeners import find_taps, recording_listeners
from bridges.asterisk.ways.taps import FIX, FIX_RECORDS, Taps, TapSettings
from bridges.asterisk.ways.way import Sweep, WayReport, WayState
from bridges.model import Evidence
from tests.kits.call_kit import TWO_PHONES, enter, graph, hangup, new, row
from tests.kits.mixmonitor_kit import FakePbx, answer, no_sleep, order

SUPERVISOR = new("3.1", "PJSIP/490-0000001f")
SPIES = ChanSpyStart("PJSIP/490-0000001f", "3.1", "3.1", "SIP/410-1", "1.1", "1.1")
SNOOP = "Snoop/1.1-00000000"


@dataclass
class Pbx(FakePbx):
    """A PBX that hangs up what it is told to, unless its id is in `stubborn`."""

    stubborn: set[str] = field(default_factory=set)

    async def action(self, name: str, fields: Mapping[str, str | Sequence[str]]) -> Response:
        if name != "Hangup":
            return await super().action(name, fields)
        uniqueid = str(fields["Channel"])
        self.sent.append((name, uniqueid))
        if self.graph.channel(uniqueid) is None:
            return answer("No such channel")
        if uniqueid not in self.stubborn:
            self.graph.apply(hangup(uniqueid))
        return answer()

    async def getvar(self, uniqueid: str, _name: str) -> str:
        await asyncio.sleep(0)
        if self.graph.channel(uniqueid) is None:
            raise AmiDenied("Getvar", "No such channel")
        return "Up"


def spy(
    application: str = "ChanSpy", data: str = "", *, name: str = "PJSIP/490-0000001f",
    context: str = "supervisors", uniqueid: str = "3.1",
) -> ChannelRow:  # fmt: skip
    made = row(uniqueid, name)
    return made._replace(application=application, application_data=data, context=context)


def pbx_with(*events: object) -> Pbx:
    return Pbx(graph(*TWO_PHONES, *events))  # type: ignore[arg-type]


def sweep_of(pbx: Pbx, *rows: ChannelRow, problem: str = "") -> Sweep:
    talk = (
        row("1.1", "SIP/410-1", bridge="b")._replace(exten="711", context="phones"),
        row("1.2", "SIP/411-2", "1.1", bridge="b"),
    )
    seen = {} if problem else {one.uniqueid: one for one in (*talk, *rows)}
    return Sweep(
        pbx,  # type: ignore[arg-type]
        order(pbx),
        PbxLook(seen, problem=problem),
        lambda: 0.0,
        no_sleep,
    )


async def stop(pbx: Pbx, *rows: ChannelRow, **settings: object) -> WayReport:
    return await Taps(TapSettings(**settings)).stop(sweep_of(pbx, *rows))  # type: ignore[arg-type]


def call_of(pbx: Pbx) -> Call:
    call = pbx.graph.call_of("1.1")
    assert call is not None
    return call


async def test_nobody_listens() -> None:
    report = await stop(pbx_with())
    assert (report.state, report.detail) == (WayState.NOTHING, "")


async def test_who_listens_is_named_with_channel_and_extension() -> None:
    report = await stop(pbx_with(SUPERVISOR, SPIES), spy(data="SIP/410,qg(r)"))
    assert report.state is WayState.RECORDS
    said = "PJSIP/490 (490) listens by ChanSpy; whether that is recorded cannot be told"
    assert report.detail == said
    assert report.fix == FIX


async def test_who_has_ended_listening_is_no_tap() -> None:
    ended = ChanSpyStop(*SPIES)
    idle = spy(data="SIP/999")
    assert (await stop(pbx_with(SUPERVISOR, SPIES, ended), idle)).state is WayState.NOTHING


@pytest.mark.parametrize(
    "named", [{"extensions": ("4?0",)}, {"contexts": ("super*",)}, {"extensions": ("x", "490")}]
)
async def test_a_name_in_the_settings_is_the_sites_word(named: dict[str, object]) -> None:
    report = await stop(pbx_with(SUPERVISOR, SPIES), spy(), hang_up=True, **named)
    assert report.state is WayState.NOTHING
    assert report.detail == "PJSIP/490 (490) listens by ChanSpy, as [taps] names it"


@pytest.mark.parametrize("data", ["SIP/410,qr(x)", "SIP/410,r", "SIP/410,qg(x)r"])
async def test_a_spy_that_records_by_its_arguments_is_no_matter_of_a_word(data: str) -> None:
    report = await stop(pbx_with(SUPERVISOR, SPIES), spy(data=data), extensions=("490",))
    assert report.state is WayState.RECORDS
    assert report.detail == "PJSIP/490 (490) listens by ChanSpy and records it, by the option r"
    assert report.fix == FIX_RECORDS
    report = await stop(
        pbx_with(SUPERVISOR, SPIES), spy(data=data), extensions=("490",), hang_up=True
    )
    assert report.state is WayState.STOPPED


async def test_a_name_of_another_names_nobody() -> None:
    named = {"extensions": ("49", ""), "contexts": ("phones",), "apps": ("*",)}
    report = await stop(pbx_with(SUPERVISOR, SPIES), spy(), **named)
    assert report.state is WayState.RECORDS


async def test_one_named_and_one_not_is_no_proof() -> None:
    other = new("4.1", "PJSIP/491-2")
    also = ChanSpyStart("PJSIP/491-2", "4.1", "4.1", "SIP/411-2", "1.2", "1.1")
    pbx = pbx_with(SUPERVISOR, SPIES, other, also)
    report = await stop(pbx, extensions=("490",))
    assert report.state is WayState.RECORDS
    assert "PJSIP/490 (490) listens by ChanSpy, as [taps]" in report.detail
    assert "PJSIP/491 (491) listens by ChanSpy; whether" in report.detail


async def test_those_that_are_not_named_are_hung_up_until_they_have_gone() -> None:
    pbx = pbx_with(SUPERVISOR, SPIES)
    sweep = sweep_of(pbx, spy())
    way = Taps(TapSettings(hang_up=True))
    assert [*way.plan(sweep)] == [
        "StopMixMonitor Channel=3.1 (PJSIP/490 (490), which listens)",
        "Hangup Channel=3.1 (PJSIP/490 (490))",
    ]
    report = await way.stop(sweep)
    assert report.state is WayState.STOPPED
    assert report.detail == "PJSIP/490 (490), which listened by ChanSpy, was hung up"
    assert pbx.of("Hangup") == ["3.1"]
    step = sweep.steps[-1]
    assert (step.answer, step.evidence) == ("No such channel", Evidence.READ_BACK)


async def test_one_that_does_not_go_is_no_proof() -> None:
    pbx = pbx_with(SUPERVISOR, SPIES)
    pbx.stubborn.add("3.1")
    report = await stop(pbx, spy(), hang_up=True)
    assert report.state is WayState.RECORDS
    assert "cannot be told (it was told to hang up and is still there)" in report.detail
    assert pbx.of("Hangup") == ["3.1"]


async def test_an_id_that_would_be_an_expression_is_never_hung_up() -> None:
    odd = "/.*/"
    spies = SPIES._replace(spyer_uniqueid=odd, spyer_linkedid=odd)
    pbx = pbx_with(new(odd, "PJSIP/490-0000001f"), spies)
    report = await stop(pbx, hang_up=True)
    assert report.state is WayState.RECORDS
    assert pbx.of("Hangup") == []


async def test_a_pause_is_as_a_stop_and_a_resume_does_nothing() -> None:
    pbx = pbx_with(SUPERVISOR, SPIES)
    assert (await Taps().pause(sweep_of(pbx))).state is WayState.RECORDS
    assert (await Taps().resume(sweep_of(pbx))).state is WayState.NOTHING


async def test_our_own_whisper_is_no_tap_and_one_with_our_name_is() -> None:
    pbx = pbx_with()
    near, far = pbx.graph.own_channels.pair("whisper")
    name = "Local/whisper@offrecord-tell-00000001"
    for uniqueid in (near, far):
        pbx.graph.apply(new(uniqueid, f"{name};{1 if uniqueid == near else 2}", near))
    pbx.graph.apply(ChanSpyStart(f"{name};2", far, near, "SIP/410-1", "1.1", "1.1"))
    ours = spy(name=f"{name};2", context="offrecord-tell", uniqueid=far, data="SIP/410-1,qsSEW")
    assert (await stop(pbx, ours, hang_up=True)).state is WayState.NOTHING
    assert recording_listeners(pbx.graph, call_of(pbx), PbxLook({far: ours})) == ()

    pbx.graph.apply(new("5.1", f"{name}9;2"))
    pbx.graph.apply(ChanSpyStart(f"{name}9;2", "5.1", "5.1", "SIP/410-1", "1.1", "1.1"))
    assert (await stop(pbx)).state is WayState.RECORDS


async def test_a_snoop_names_the_channel_that_it_is_on() -> None:
    seen = spy("Stasis", "transcribe,x", name=SNOOP, context="default")
    report = await stop(pbx_with(), seen)
    assert report.state is WayState.RECORDS
    assert report.detail.startswith(f"{SNOOP} listens by a snoop of ARI;")
    assert (await stop(pbx_with(), seen, apps=("transcribe",))).state is WayState.NOTHING
    # known by its event alone, when it came after the look
    pbx = pbx_with(new("3.1", SNOOP), ChanSpyStart(SNOOP, "3.1", "3.1", "SIP/410-1", "1.1", "1.1"))
    assert (await stop(pbx)).detail.startswith(f"{SNOOP} listens by a snoop of ARI;")
    elsewhere = seen._replace(channel="Snoop/1.17-00000000")
    assert (await stop(pbx_with(), elsewhere)).state is WayState.NOTHING


async def test_a_snoop_whose_recording_is_known_is_left_to_its_way() -> None:
    seen = spy("Stasis", "transcribe", name=SNOOP)
    sweep = sweep_of(pbx_with(), seen)
    sweep.recorded_listeners.add("3.1")
    report = await Taps(TapSettings(hang_up=True)).stop(sweep)
    assert (report.state, report.detail) == (WayState.NOTHING, "")


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("UnicastRTP/127.0.0.1:9000-0x7f00", "as external media of ARI"),
        ("AudioSocket/bot.example:9092-40325ec2-5efd-4bd3", "as an AudioSocket"),
        ("WebSocket/INCOMING/0x7f00", "as a WebSocket"),
    ],
)
async def test_a_leg_that_is_a_listener_is_a_tap(name: str, how: str) -> None:
    pbx = pbx_with(new("3.1", name, "1.1"), enter("b", "3.1", "1.1"))
    seen = spy("Stasis", "bot", name=name, context="default")._replace(bridge_id="b")
    report = await stop(pbx, seen)
    assert report.state is WayState.RECORDS
    assert report.detail.startswith(f"{name} listens {how};")
    assert (await stop(pbx, seen, apps=("bot",))).state is WayState.NOTHING
    assert (await stop(pbx, seen, hang_up=True)).state is WayState.STOPPED


async def test_a_program_on_a_partys_own_channel_is_a_tap_and_never_hung_up() -> None:
    pbx = pbx_with()
    seen = row("1.1", "SIP/410-1")._replace(application="EAGI")
    report = await stop(pbx, seen, hang_up=True)
    assert report.state is WayState.RECORDS
    assert report.detail.startswith("SIP/410 (410) listens by EAGI()")
    assert pbx.of("Hangup") == []


def after_a_loss(*events: object) -> Pbx:
    pbx = pbx_with(SUPERVISOR, SPIES)
    pbx.graph.mark_unknown()
    rows = [row("1.1", "SIP/410-1"), row("1.2", "SIP/411-2", "1.1"), row("3.1", SUPERVISOR.channel)]
    pbx.graph.reconcile(rows)
    for event in events:
        pbx.graph.apply(event)  # type: ignore[arg-type]
    return pbx


@pytest.mark.parametrize(
    ("application", "data", "state"),
    [
        ("ChanSpy", "", WayState.NOT_SEEN),
        ("ChanSpy", "all,q", WayState.NOT_SEEN),
        ("ChanSpy", "sip/410,qr(x)", WayState.NOT_SEEN),
        ("ChanSpy", "SIP/412,q", WayState.NOTHING),
        ("ExtenSpy", "711@phones", WayState.NOT_SEEN),
        ("ExtenSpy", "711@other", WayState.NOTHING),
        ("ExtenSpy", "711", WayState.NOTHING),  # in the context of the spy
        ("Dial", "SIP/410", WayState.NOTHING),
    ],
)
async def test_after_a_loss_a_spy_that_may_be_for_this_call_is_told(
    application: str, data: str, state: WayState
) -> None:
    report = await stop(after_a_loss(), spy(application, data))
    assert report.state is state
    if state is WayState.NOT_SEEN:
        said = f"PJSIP/490 (490) is in {application}; whom it listens to is not known"
        assert (report.detail, report.fix) == (said, FIX)


async def test_a_spy_of_which_an_event_told_since_is_where_it_said() -> None:
    elsewhere = SPIES._replace(
        spyee_channel="SIP/412-4", spyee_uniqueid="4.1", spyee_linkedid="4.1"
    )
    pbx = after_a_loss(new("4.1", "SIP/412-4"), elsewhere)
    assert (await stop(pbx, spy())).state is WayState.NOTHING


async def test_an_idle_spy_is_no_tap_where_every_event_was_seen() -> None:
    assert (await stop(pbx_with(SUPERVISOR), spy())).state is WayState.NOTHING


async def test_a_spy_for_this_channel_whose_event_never_came_is_not_overlooked() -> None:
    assert (await stop(pbx_with(SUPERVISOR), spy(data="SIP/410"))).state is WayState.NOT_SEEN


async def test_without_a_look_it_is_not_known_who_listens() -> None:
    def refuse(name: str, _uniqueid: str) -> Response | None:
        return answer("Permission denied") if name == "CoreShowChannels" else None

    pbx = pbx_with()
    pbx.script = refuse
    with pytest.raises(AmiDenied):
        await Taps().stop(sweep_of(pbx, problem="Permission denied"))
    # who is known by events is told all the same
    pbx = pbx_with(SUPERVISOR, SPIES)
    pbx.script = refuse
    report = await Taps().stop(sweep_of(pbx, problem="Permission denied"))
    assert report.state is WayState.RECORDS


async def test_a_look_that_failed_is_taken_again() -> None:
    assert (await Taps().stop(sweep_of(pbx_with(), problem="slow"))).state is WayState.NOTHING


async def test_calls_that_are_not_known_prove_nothing() -> None:
    pbx = pbx_with()
    sweep = sweep_of(pbx)
    pbx.graph.mark_unknown()
    assert (await Taps().stop(sweep)).state is WayState.NOT_SEEN


async def test_a_call_that_is_over_is_told_as_ended() -> None:
    pbx = pbx_with()
    sweep = sweep_of(pbx)
    for uniqueid in ("1.1", "1.2"):
        pbx.graph.apply(hangup(uniqueid))
    assert (await Taps().stop(sweep)).state is WayState.ENDED


async def test_what_records_on_the_listeners_leg_is_stopped_with_the_call() -> None:
    pbx = pbx_with(SUPERVISOR, SPIES)
    pbx.record("3.1")
    pbx.record("3.1")
    sweep = sweep_of(pbx, spy())
    report = await Taps(TapSettings(extensions=("490",))).stop(sweep)
    assert report.state is WayState.STOPPED
    assert report.detail == (
        "2 MixMonitors of PJSIP/490 (490), which listens, stopped;"
        " PJSIP/490 (490) listens by ChanSpy, as [taps] names it"
    )
    assert pbx.monitors["3.1"] == 0
    [step] = sweep.steps
    assert step.answer == "Could not stop monitoring channel"


async def test_a_listeners_leg_that_keeps_recording_is_no_proof() -> None:
    pbx = pbx_with(SUPERVISOR, SPIES)

    def again(name: str, uniqueid: str) -> None:
        if name == "StopMixMonitor" and not pbx.monitors.get(uniqueid):
            asyncio.get_running_loop().call_soon(pbx.record, uniqueid)

    pbx.script = again
    report = await Taps(TapSettings(extensions=("490",))).stop(sweep_of(pbx))
    assert report.state is WayState.RECORDS
    assert "recordings keep starting on PJSIP/490 (490), which listens" in report.detail


def test_the_channels_whose_recordings_hold_the_call_too() -> None:
    name = "Local/490@internal-00000007"
    pbx = pbx_with(
        new("3.1", f"{name};1"),
        new("3.2", f"{name};2", "3.1"),
        LocalBridge(f"{name};1", "3.1", "3.1", f"{name};2", "3.2", "3.1"),
        new("3.3", "PJSIP/490-9", "3.1"),
        enter("s", "3.1", "3.1"),
        enter("s", "3.3", "3.1"),
        ChanSpyStart(f"{name};2", "3.2", "3.1", "SIP/410-1", "1.1", "1.1"),
        new("6.1", "PJSIP/499-1"),
        ChanSpyStart("PJSIP/499-1", "6.1", "6.1", "PJSIP/490-9", "3.3", "3.1"),
        new("7.1", "PJSIP/412-1"),
    )
    seen = PbxLook({"8.1": spy(name=SNOOP, uniqueid="8.1")})
    found = recording_listeners(pbx.graph, call_of(pbx), seen)
    assert set(found) == {"3.1", "3.2", "3.3", "6.1", "8.1"}
    [tap, _] = find_taps(pbx.graph, call_of(pbx), seen)
    assert tap.shown == "PJSIP/490 (490)"


def test_a_spy_for_anybody_is_not_swept() -> None:
    pbx = after_a_loss()
    look = sweep_of(pbx, spy()).look
    assert find_taps(pbx.graph, call_of(pbx), look)
    assert recording_listeners(pbx.graph, call_of(pbx), look) == ()
    aimed = sweep_of(pbx, spy(data="SIP/410")).look
    assert recording_listeners(pbx.graph, call_of(pbx), aimed) == ("3.1",)
