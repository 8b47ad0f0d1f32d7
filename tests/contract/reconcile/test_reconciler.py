# SPDX-License-Identifier: Apache-2.0
"""The reconciler with a real journal, real files and a simulated Noojee."""

import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ami.calls.snapshots import Call, Channel
from bridges.model import Order, Verb
from bridges.noojee import NoojeeRecorder, NoojeeSettings
from bridges.shared.ended_calls import EndedCall, Piece
from offrecord.base.secrets import Secret
from offrecord.reconcile.local_files import Monitored
from tests.kits.noojee_kit import CALL, KEY, Fixture, fixture, no_sleep
from tests.kits.reconcile_kit import LINKEDID, LOCAL, NOOJEE, House, T, house
from tests.kits.wav_kit import wav

PHONE = Channel(
    "PJSIP/410-00000012", str(CALL), LINKEDID, technology="PJSIP", endpoint="410", extension="410"
)
STOP = Order("p1", Verb.STOP, Call(LINKEDID, frozenset({LINKEDID}), (PHONE,)), PHONE, "Fred")


@asynccontextmanager
async def recorder(made: Fixture, now: Callable[[], float]) -> AsyncIterator[NoojeeRecorder]:
    settings = NoojeeSettings(url=made.server.url, api_key=Secret(KEY), auth="signed", keep_warm=0)
    one = NoojeeRecorder("noojee", settings, live_on=lambda _: (PHONE,), sleep=no_sleep, now=now)
    try:
        yield one
    finally:
        await one.close()


def ms(made: Fixture) -> int:
    return round(made.clock.now * 1000)


async def noojee_call(tmp_path: Path, made: Fixture, *, skew: float = 0.0) -> House:
    """Record 30 s, stop, go on for 30 s, hang up, and check the call. `skew`: of our clock."""
    async with recorder(made, lambda: made.clock.now + skew) as one:
        made.clock.now += 30
        at = ms(made) + round(skew * 1000)
        await one.act(STOP)
        made.clock.now += 30
        made.sim.pbx.hang_up(made.call)
        ended = ms(made) + round(skew * 1000)
        async with house(tmp_path, {"noojee": one}, ended) as here:
            await here.pressed(at, NOOJEE)
            here.reconciler.call_ended(LINKEDID, {LINKEDID})
            await here.done()
            return here


@pytest.mark.parametrize("skew", [0.0, -3600.0, 45.0])
async def test_a_vendor_that_swallowed_a_stop_is_found_out(tmp_path: Path, skew: float) -> None:
    async with fixture() as made:
        made.sim.faults.add("swallow@stop")
        with capture_logs() as logs:
            here = await noojee_call(tmp_path, made, skew=skew)

        [(press, kind, body)] = here.noted
        assert (press, kind, body["what"]) == ("p1", "incident", "leg_in_window")
        assert str(CALL) in str(body["leg"])
        assert body["press"] == "p1"
        # Noojee's times are whole seconds.
        assert body["to"] == pytest.approx(ms(made) + skew * 1000, abs=2000)
        assert int(str(body["to"])) - int(str(body["from"])) == pytest.approx(29_900, abs=2000)
        assert [line["event"] for line in logs if line["log_level"] == "error"] == ["incident"]


async def test_a_stop_that_was_obeyed_is_no_incident(tmp_path: Path) -> None:
    async with fixture() as made:
        here = await noojee_call(tmp_path, made)

        assert not here.noted
        assert made.asked("recordings_by_unique_id")


async def test_an_overlap_within_the_tolerance_is_none(tmp_path: Path) -> None:
    async with fixture() as made, recorder(made, made.clock) as one:
        made.sim.faults.add("swallow@stop")
        at = ms(made)
        made.clock.now += 1.9
        made.sim.pbx.hang_up(made.call)
        async with house(tmp_path, {"noojee": one}, ms(made)) as here:
            await here.pressed(at, NOOJEE)
            here.reconciler.call_ended(LINKEDID, {LINKEDID})
            await here.done()

            assert not here.noted


async def test_a_vendor_that_is_away_is_asked_again_and_then_said_not_to_have_told(
    tmp_path: Path,
) -> None:
    async with fixture() as made:
        made.sim.faults.add("status=500@recordings_by_unique_id")
        with capture_logs() as logs:
            here = await noojee_call(tmp_path, made)

        assert not here.noted
        [line] = [line for line in logs if line["event"] == "not_reconciled"]
        assert (line["call"], line["what"]) == (LINKEDID, "noojee")


@dataclass
class Lagging:
    """A recorder whose list has the leg at the second look alone."""

    piece: Piece
    asked: list[EndedCall] = field(default_factory=list)

    async def pieces(self, call: EndedCall) -> Sequence[Piece]:
        self.asked.append(call)
        return [self.piece] if len(self.asked) > 1 else []


async def test_a_list_that_lags_behind_is_read_again_and_an_incident_told_once(
    tmp_path: Path,
) -> None:
    lagging = Lagging(Piece("leg 1", T / 1000, T / 1000 + 50))
    delays = (0.0, 0.01, 0.02)
    async with house(tmp_path, {"noojee": lagging}, T + 60_000, delays=delays) as here:
        await here.pressed(T + 10_000, NOOJEE)
        here.reconciler.call_ended(LINKEDID, {LINKEDID})
        await here.done()

        [incident] = here.incidents
        assert (incident["from"], incident["to"]) == (T + 10_100, T + 50_000)
        assert len(lagging.asked) == 3
        assert lagging.asked[0].uniqueids == {LINKEDID, str(CALL)}


async def test_a_piece_without_times_is_said_not_to_be_reconciled(tmp_path: Path) -> None:
    lagging = Lagging(Piece("leg 1", T / 1000, None))
    with capture_logs() as logs:
        async with house(tmp_path, {"noojee": lagging}, T + 60_000) as here:
            await here.pressed(T + 10_000, NOOJEE)
            here.reconciler.call_ended(LINKEDID, {LINKEDID})
            await here.done()

    [line] = [line for line in logs if line["event"] == "not_reconciled"]
    assert line["what"] == "noojee: leg 1"


def monitored(tmp_path: Path, seconds: float, until: float, name: str = f"{CALL}.wav") -> Path:
    path = wav(tmp_path / "monitor" / name, [(seconds, 0.5)])
    os.utime(path, ns=(0, (T + round(until * 1000)) * 1_000_000))
    return path


async def test_a_local_file_that_went_on_is_an_incident_with_both_named(tmp_path: Path) -> None:
    path = monitored(tmp_path, 20.0, 30.0)
    async with house(tmp_path, {}, T + 60_000, monitor_folder=tmp_path / "monitor") as here:
        await here.pressed(T + 10_000, LOCAL)
        here.reconciler.call_ended(LINKEDID, {LINKEDID})
        await here.done()

        [incident] = here.incidents
        assert (incident["what"], incident["file"]) == ("file_went_on", str(path))
        assert incident["press"] == "p1"
        assert here.reconciler.incidents == 1


async def test_a_file_that_was_seen_to_begin_is_found_by_its_path(tmp_path: Path) -> None:
    path = monitored(tmp_path, 20.0, 30.0, name="2024/any.wav")
    seen = [Monitored("/var/spool/asterisk/monitor/2024/any.wav", T + 10_000, T + 30_000)]
    async with house(tmp_path, {}, T + 60_000, monitor_folder=tmp_path / "monitor") as here:
        await here.pressed(T + 10_000, LOCAL)
        here.reconciler.call_ended(LINKEDID, {LINKEDID}, seen=seen)
        await here.done()

        assert [one["file"] for one in here.incidents] == [str(path)]


async def test_a_file_that_ended_with_the_stop_is_none(tmp_path: Path) -> None:
    monitored(tmp_path, 10.0, 10.1)
    async with house(tmp_path, {}, T + 60_000, monitor_folder=tmp_path / "monitor") as here:
        await here.pressed(T + 10_000, LOCAL)
        here.reconciler.call_ended(LINKEDID, {LINKEDID})
        await here.done()

        assert not here.noted


async def test_a_file_is_listened_to_once_whatever_becomes_of_it_later(tmp_path: Path) -> None:
    path = monitored(tmp_path, 20.0, 30.0)

    class Converting:
        """Asked after the files were listened to, it changes one, as a converter does."""

        async def pieces(self, call: EndedCall) -> Sequence[Piece]:
            os.utime(path, ns=(0, (T + 300_000) * 1_000_000))
            return []

    folder = tmp_path / "monitor"
    with capture_logs() as logs:
        async with house(
            tmp_path, {"noojee": Converting()}, T + 60_000, monitor_folder=folder
        ) as here:
            await here.pressed(T + 10_000, LOCAL, NOOJEE)
            here.reconciler.call_ended(LINKEDID, {LINKEDID})
            await here.done()

    assert len(here.incidents) == 1
    assert not [line for line in logs if line["event"] == "not_reconciled"]


async def test_what_cannot_be_listened_to_is_said(tmp_path: Path) -> None:
    (tmp_path / "monitor").mkdir()
    (tmp_path / "monitor" / f"{CALL}.gsm").write_bytes(b"\xd0" * 33)
    with capture_logs() as logs:
        async with house(tmp_path, {}, T + 60_000, monitor_folder=tmp_path / "monitor") as here:
            await here.pressed(T + 10_000, LOCAL)
            here.reconciler.call_ended(LINKEDID, {LINKEDID})
            await here.done()

    [line] = [line for line in logs if line["event"] == "not_reconciled"]
    assert "gsm is not a format" in line["problem"]


async def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with house(tmp_path, {}, T + 60_000, monitor_folder=tmp_path / "none") as here:
            await here.pressed(T + 10_000, LOCAL)
            here.reconciler.call_ended(LINKEDID, {LINKEDID})
            await here.done()

    [line] = [line for line in logs if line["event"] == "not_reconciled"]
    assert line["what"] == str(tmp_path / "none")


async def test_a_call_of_several_presses_under_several_ids_is_gone_through_whole(
    tmp_path: Path,
) -> None:
    monitored(tmp_path, 20.0, 30.0, name="1699999000.7.wav")
    async with house(tmp_path, {}, T + 60_000, monitor_folder=tmp_path / "monitor") as here:
        await here.pressed(T + 10_000, LOCAL)
        await here.note(
            "p2", "resolved", T + 12_000, call=LINKEDID,
            lineage=[LINKEDID, "1699999000.7"], channels=[],
        )  # fmt: skip
        await here.note("p2", "pressed", T + 12_000, verb="resume", recorder=None, target="410")
        await here.note("p2", "verdict", T + 12_001, outcome="denied")
        here.reconciler.call_ended("1699999000.7", {"1699999000.7"})
        await here.done()

        assert [one["press"] for one in here.incidents] == ["p1"]


async def test_a_call_without_a_silencing_press_is_left_alone(tmp_path: Path) -> None:
    lagging = Lagging(Piece("leg 1", T / 1000, T / 1000 + 50))
    async with house(tmp_path, {"noojee": lagging}, T + 60_000) as here:
        await here.pressed(T + 10_000, NOOJEE, verb="start")
        here.reconciler.call_ended(LINKEDID, {LINKEDID})
        await here.done()

        assert not lagging.asked


async def test_switched_off_nothing_is_checked(tmp_path: Path) -> None:
    async with house(tmp_path, {}, T, enabled=False) as here:
        here.reconciler.call_ended(LINKEDID, {LINKEDID})

        assert not here.reconciler.waiting


async def test_beyond_its_bound_the_oldest_is_given_up_and_named(tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with house(tmp_path, {}, T, most=2, delays=(60.0,)) as here:
            for number in range(3):
                here.reconciler.call_ended(f"{number}.1", (), ended=T + number)
            assert here.reconciler.waiting == 2

    said = [(line["call"], line["problem"]) for line in logs if line["event"] == "not_reconciled"]
    assert said == [
        ("0.1", "the queue is full"),
        ("1.1", "the daemon ended"),
        ("2.1", "the daemon ended"),
    ]


async def test_a_recorder_that_breaks_does_not_keep_the_next_call(tmp_path: Path) -> None:
    class Broken:
        async def pieces(self, call: EndedCall) -> Sequence[Piece]:
            raise ZeroDivisionError

    path = monitored(tmp_path, 20.0, 30.0)
    with capture_logs() as logs:
        async with house(
            tmp_path, {"noojee": Broken()}, T + 60_000, monitor_folder=tmp_path / "monitor"
        ) as here:
            await here.pressed(T + 10_000, NOOJEE)
            here.reconciler.call_ended(LINKEDID, {LINKEDID})
            await here.done()
            await here.pressed(T + 10_000, LOCAL, press="p3")
            here.reconciler.call_ended(LINKEDID, {LINKEDID})
            await here.done()

    assert {one["file"] for one in here.incidents} == {str(path)}
    assert [line for line in logs if line["event"] == "not_reconciled"]
