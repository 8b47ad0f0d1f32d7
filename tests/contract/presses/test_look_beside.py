# SPDX-License-Identifier: Apache-2.0
"""The PBX's own recordings beside a press whose route asks another system alone."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from ami.events.types import MixMonitorStart, MonitorStart
from ami.link.actions import Response
from bridges.asterisk import AsteriskRecorder, AsteriskSettings
from bridges.model import Evidence, Order, Outcome, RecorderResult, Verb
from bridges.routing import Rule
from tests.kits.call_kit import graph
from tests.kits.lifecycle_kit import CALL, CAN, Bench, FakePbx, FakeRecorder, bench, end, result

FOUND = "MixMonitor on SIP/410-1 records on this PBX and no route stops it"


@dataclass
class Looked:
    """Looks as told, and keeps for what it was asked to look."""

    outcome: Outcome = Outcome.FAILED
    detail: str = FOUND
    name: str = "local"
    kind: str = "asterisk"
    orders: list[Order] = field(default_factory=list)
    held: asyncio.Event | None = None

    async def look_at(self, order: Order) -> RecorderResult:
        self.orders.append(order)
        if self.held is not None:
            await self.held.wait()
        return result(self.name, self.outcome, Evidence.READ_BACK, self.detail)


async def pressed(here: Bench, verb: Verb = Verb.STOP, **more: object) -> tuple[Outcome, str]:
    [verdict] = await end(here.press(verb, **more))
    return verdict.outcome, verdict.text


@pytest.mark.parametrize("verb", [Verb.STOP, Verb.PAUSE, Verb.OBJECTION])
async def test_a_recording_that_no_route_stops_makes_the_press_fail_with_the_line_to_write(
    tmp_path: Path, verb: Verb
) -> None:
    look = Looked()
    async with bench(tmp_path, FakeRecorder("noojee"), pbx_look=look) as here:
        outcome, text = await pressed(here, verb)
        assert outcome is Outcome.FAILED
        assert FOUND in text
        line = '[recorders.local] kind = "asterisk", and default = ["noojee", "local"] in [routes]'
        assert text.endswith(f"; write {line}")
        kinds = [(r.body["recorder"], r.body["outcome"]) for r in await here.records()
                 if r.kind == "answered"]  # fmt: skip
        assert sorted(kinds) == [("local", "failed"), ("noojee", "confirmed")]


async def test_the_rule_that_matched_is_the_one_to_write_into(tmp_path: Path) -> None:
    rules = [Rule(("noojee",), extension="410")]
    local = FakeRecorder("local", capabilities=replace(CAN, on_pbx=True))
    async with bench(
        tmp_path, FakeRecorder("noojee"), local, rules=rules, pbx_look=Looked()
    ) as here:
        _, text = await pressed(here)
        assert text.endswith('; write "local" into the recorders of rule extension = 410')
        assert local.orders == []


@pytest.mark.parametrize("outcome", [Outcome.NOTHING_TO_STOP, Outcome.CALL_ENDED])
async def test_nothing_there_says_nothing_and_takes_nothing_away(
    tmp_path: Path, outcome: Outcome
) -> None:
    async with bench(tmp_path, FakeRecorder("noojee"), pbx_look=Looked(outcome)) as here:
        [verdict] = await end(here.press())
        assert (verdict.outcome, verdict.evidence) == (Outcome.CONFIRMED, Evidence.NOTHING_ELSE)
        assert [one.recorder for one in verdict.results] == ["noojee"]
        assert "local" not in str([r.body for r in await here.records() if r.kind == "answered"])


async def test_a_route_that_asks_the_pbx_is_not_looked_at_and_nor_is_a_resume(
    tmp_path: Path,
) -> None:
    local = FakeRecorder("local", capabilities=replace(CAN, on_pbx=True))
    look = Looked()
    async with bench(tmp_path, local, pbx_look=look) as here:
        assert (await pressed(here))[0] is Outcome.CONFIRMED
    async with bench(tmp_path / "b", FakeRecorder("noojee"), pbx_look=look) as here:
        for verb in (Verb.RESUME, Verb.START):
            assert (await pressed(here, verb))[0] is Outcome.CONFIRMED
    assert look.orders == []


async def test_the_recorders_are_not_delayed_by_the_look(tmp_path: Path) -> None:
    look, noojee = Looked(held=asyncio.Event()), FakeRecorder("noojee")
    async with bench(tmp_path, noojee, pbx_look=look) as here:
        run = here.press()
        async with asyncio.timeout(5):
            while not (noojee.orders and look.orders):
                await asyncio.sleep(0)
        assert not run.verdict.done()
        assert look.held is not None
        look.held.set()
        assert (await end(run))[0].outcome is Outcome.FAILED


async def test_a_look_that_never_ends_is_a_failure_within_the_budget(tmp_path: Path) -> None:
    look = Looked(held=asyncio.Event())
    async with bench(
        tmp_path, FakeRecorder("noojee"), pbx_look=look, budget=0.02, overrun=0.02
    ) as here:
        outcome, text = await pressed(here)
        assert outcome is Outcome.FAILED
        assert "did not end within" in text


async def test_a_press_for_one_recorder_speaks_of_it_alone_and_says_so_first(
    tmp_path: Path,
) -> None:
    look = Looked()
    async with bench(tmp_path, FakeRecorder("noojee"), pbx_look=look) as here:
        [verdict] = await end(here.press(recorder="noojee"))
        assert verdict.outcome is Outcome.CONFIRMED
        assert verdict.text.startswith("Of noojee alone: ")
        assert str(verdict.body()["reason"]).startswith("Of noojee alone: ")
        assert look.orders == []


async def test_explain_shows_what_the_press_would_fail_by(tmp_path: Path) -> None:
    async with bench(tmp_path, FakeRecorder("noojee"), pbx_look=Looked()) as here:
        told = await here.engine.explain(here.command("410").press)
        assert str(told["beside"]).startswith(FOUND)


# the look itself


@dataclass
class ShownPbx(FakePbx):
    """A PBX that shows applications and hidden channels."""

    applications: Mapping[str, str] = field(default_factory=dict)
    hidden: str = ""
    peers: str = ""
    release: tuple[int, ...] = (22, 10, 1)

    @property
    def version(self) -> tuple[int, ...]:
        return self.release

    async def action(
        self,
        name: str,
        fields: Mapping[str, str | Sequence[str]] | None = None,
        *,
        timeout: float | None = None,
    ) -> Response:
        self.actions.append((name, fields or {}))
        return Response(ok=True, message="", headers={"Value": self.hidden})

    async def getvar(self, uniqueid: str, name: str) -> str:
        if "/" in uniqueid:
            return self.peers if name == "BRIDGEPEER" else "its-own"
        return await super().getvar(uniqueid, name)

    async def action_list(
        self, name: str, fields: Mapping[str, str | Sequence[str]], *, timeout: float
    ) -> list[Response]:
        self.actions.append((name, fields))
        rows = [
            {"Channel": c.name, "Uniqueid": c.uniqueid, "Linkedid": c.linkedid,
             "Application": self.applications.get(c.uniqueid, "Dial")}
            for call in self.graph.calls() for c in call.channels
        ]  # fmt: skip
        shown = rows if name == "CoreShowChannels" else []
        return [Response(ok=True, message="", headers=row) for row in shown]


async def looked(pbx: ShownPbx) -> RecorderResult:
    call = pbx.graph.call_of("1.1")
    assert call is not None
    pbx.graph.known = True
    pbx.graph.starts_seen = True
    found = AsteriskRecorder("local", AsteriskSettings(), pbx)
    return await found.look_at(Order("p", Verb.STOP, call, call.channel("1.1")))


async def test_a_plain_call_shows_nothing_and_nothing_is_sent_that_changes_it() -> None:
    pbx = ShownPbx(graph(*CALL))
    found = await looked(pbx)
    assert (found.outcome, found.evidence) == (Outcome.NOTHING_TO_STOP, Evidence.NOTHING_ELSE)
    assert {name for name, _ in pbx.actions} == {"CoreShowChannels", "BridgeList", "Getvar"}


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ({"applications": {"1.2": "VoiceMail"}}, "voicemail on SIP/411-2"),
        ({"applications": {"1.2": "Record"}}, "Record() on SIP/411-2"),
        ({"applications": {"1.2": "Dictate"}}, "Dictate() on SIP/411-2"),
        ({"hidden": "Recorder/ARI-0000017;2", "peers": "SIP/410-1,SIP/411-2"},
         "ARI bridge recording on Recorder/ARI-0000017;2"),
        ({"hidden": "CBRec/7001-00000005", "peers": "SIP/410-1"},
         "conference mix on CBRec/7001-00000005"),
    ],
)  # fmt: skip
async def test_each_way_is_seen_by_what_the_pbx_shows(shown: dict[str, object], said: str) -> None:
    found = await looked(ShownPbx(graph(*CALL), **shown))  # type: ignore[arg-type]
    assert (found.outcome, found.evidence) == (Outcome.FAILED, Evidence.READ_BACK)
    assert found.detail == f"{said} records on this PBX and no route stops it"


async def test_what_events_told_is_named_together() -> None:
    pbx = ShownPbx(graph(*CALL), release=(16, 28, 0))
    pbx.graph.apply(MixMonitorStart("SIP/410-1", "1.1", "1.1"))
    pbx.graph.apply(MonitorStart("SIP/411-2", "1.2", "1.1"))
    both = await looked(pbx)
    assert both.detail == (
        "MixMonitor on SIP/410-1, Monitor on SIP/411-2 record on this PBX and no route stops it"
    )


@pytest.mark.parametrize(
    ("variables", "outcome"),
    [
        ({}, Outcome.NOTHING_TO_STOP),
        ({("1.1", "MIXMONITOR_FILENAME"): "/spool/a.wav"}, Outcome.FAILED),
    ],
)
async def test_a_call_older_than_the_link_is_judged_by_the_file_that_its_channels_name(
    variables: dict[tuple[str, str], str], outcome: Outcome
) -> None:
    pbx = ShownPbx(graph(*CALL), variables=variables)
    pbx.graph.mark_unknown()
    found = await looked(pbx)
    assert found.outcome is outcome
    if outcome is Outcome.FAILED:
        assert found.evidence is Evidence.NONE
        assert "MixMonitor on SIP/410-1 is not known" in found.detail
