# SPDX-License-Identifier: Apache-2.0
"""Which calls are checked when they end, and which files are known of them."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ami.calls.graph import CallGraph
from ami.errors import AmiDenied
from ami.events.types import Event, Hangup, MixMonitorStart, MixMonitorStop
from offrecord.config.sections.reconcile import ReconcileConfig
from offrecord.reconcile.call_watch import CallWatch
from offrecord.reconcile.local_files import Monitored
from offrecord.reconcile.reconciler import Reconciler
from offrecord.status.event_feed import EventFeed
from tests.kits.call_kit import graph, new
from tests.kits.reconcile_kit import T
from tests.kits.waiting import eventually


class Kept(Reconciler):
    """Keeps what it is told, and checks nothing."""

    def __init__(self, settings: ReconcileConfig) -> None:
        super().__init__(Path("unused"), dict, settings, lambda *_: None)
        self.told: list[tuple[str, frozenset[str], int | None, tuple[Monitored, ...]]] = []

    def call_ended(
        self,
        linkedid: str,
        lineage: Iterable[str],
        *,
        ended: int | None = None,
        seen: Sequence[Monitored] = (),
    ) -> None:
        self.told.append((linkedid, frozenset(lineage), ended, tuple(seen)))


@dataclass
class Pbx:
    """A PBX whose channels have a file; `held` keeps its answers back."""

    graph: CallGraph
    files: dict[str, str] = field(default_factory=dict)

    async def getvar(self, uniqueid: str, name: str) -> str:
        await asyncio.sleep(0)
        assert name == "MIXMONITOR_FILENAME"
        if uniqueid not in self.files:
            raise AmiDenied("Getvar", "No such channel")
        return self.files[uniqueid]


@dataclass
class Scene:
    watch: CallWatch
    pbx: Pbx
    kept: Kept
    now: int = T

    async def happen(self, *events: Event, after: int = 1000) -> None:
        for event in events:
            self.now += after
            self.pbx.graph.apply(event)
            self.watch.event(event, self.pbx.graph)
            for _ in range(3):
                await asyncio.sleep(0)


@asynccontextmanager
async def scene(tmp_path: Path, *events: Event) -> AsyncIterator[Scene]:
    pbx = Pbx(graph(*events))
    pbx.graph.known = True
    kept = Kept(ReconcileConfig(monitor_folder=tmp_path))
    made = Scene(CallWatch(pbx, kept, EventFeed().subscribe, now=lambda: made.now), pbx, kept)
    try:
        yield made
    finally:
        await made.watch.close()


CALL = (new("1.1", "SIP/410-1", exten="411"), new("1.2", "SIP/411-2", "1.1"))


def start(uniqueid: str) -> MixMonitorStart:
    return MixMonitorStart("SIP/410-1", uniqueid, "1.1")


def gone(uniqueid: str, linkedid: str = "1.1") -> Hangup:
    return Hangup("SIP/410-1", uniqueid, linkedid, "16")


async def test_a_call_that_was_pressed_is_told_once_its_last_channel_is_gone(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path, *CALL) as here:
        here.pbx.files["1.1"] = "/monitor/one.wav"
        await here.happen(start("1.1"))
        here.watch.pressed("stop", "1.1")
        await here.happen(MixMonitorStop("SIP/410-1", "1.1", "1.1"))
        here.pbx.files["1.1"] = "/monitor/two.wav"
        await here.happen(start("1.1"), gone("1.1"))
        here.watch.look()
        assert not here.kept.told

        await here.happen(gone("1.2"))
        here.watch.look()
        here.watch.look()

        one = Monitored("/monitor/one.wav", T + 1000, T + 2000)
        two = Monitored("/monitor/two.wav", T + 3000, T + 4000)
        assert here.kept.told == [("1.1", frozenset({"1.1"}), T + 5000, (one, two))]


async def test_the_newest_of_two_recordings_is_the_one_that_a_stop_ends(tmp_path: Path) -> None:
    async with scene(tmp_path, *CALL) as here:
        here.watch.pressed("pause", "1.1")
        for name in ("one", "two"):
            here.pbx.files["1.1"] = f"/monitor/{name}.wav"
            await here.happen(start("1.1"))
        await here.happen(MixMonitorStop("SIP/410-1", "1.1", "1.1"), gone("1.1"), gone("1.2"))
        here.watch.look()

        [(_, _, _, seen)] = here.kept.told
        assert [(one.file, one.stopped) for one in seen] == [
            ("/monitor/one.wav", T + 4000),
            ("/monitor/two.wav", T + 3000),
        ]


async def test_calls_without_a_silencing_press_are_not_told(tmp_path: Path) -> None:
    async with scene(tmp_path, *CALL) as here:
        here.pbx.files["1.1"] = "/monitor/one.wav"
        here.watch.pressed("start", "1.1")
        here.watch.pressed("stop", None)
        await here.happen(start("1.1"), gone("1.1"), gone("1.2"))
        here.watch.look()

        assert not here.kept.told


async def test_while_the_link_is_away_no_call_is_taken_to_have_ended(tmp_path: Path) -> None:
    async with scene(tmp_path, *CALL) as here:
        here.watch.pressed("stop", "1.1")
        await here.happen(gone("1.1"), gone("1.2"))
        here.pbx.graph.known = False
        here.watch.look()
        assert not here.kept.told

        here.pbx.graph.known = True
        here.watch.look()
        assert len(here.kept.told) == 1


async def test_channels_whose_hang_up_was_missed_are_forgotten(tmp_path: Path) -> None:
    many = [new(f"1.{number}", f"SIP/410-{number}") for number in range(200)]
    async with scene(tmp_path, *many) as here:
        for number in range(200):
            here.pbx.files[f"1.{number}"] = "/monitor/one.wav"
        await here.happen(*(start(f"1.{number}") for number in range(200)))
        assert len(here.watch._running) == 200
        here.pbx.graph.mark_unknown()
        here.pbx.graph.reconcile([])
        here.watch.look()

        assert not here.watch._running


async def test_a_file_that_cannot_be_asked_for_is_done_without(tmp_path: Path) -> None:
    async with scene(tmp_path, *CALL) as here:
        here.watch.pressed("stop", "1.1")
        await here.happen(start("1.1"), gone("1.1"), gone("1.2"))
        here.watch.look()

        assert [seen for *_, seen in here.kept.told] == [()]


async def test_it_looks_by_itself_once_it_is_open(tmp_path: Path) -> None:
    async with scene(tmp_path, *CALL) as here:
        here.watch = CallWatch(here.pbx, here.kept, EventFeed().subscribe, every=0.001)
        here.watch.open()
        here.watch.pressed("objection", "1.1")
        await here.happen(gone("1.1"), gone("1.2"))
        await eventually(lambda: here.kept.told)
