# SPDX-License-Identifier: Apache-2.0
"""What every face shows of the live calls: each recorder's state through the life of presses."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

from ami.events.types import ChanSpyStart
from bridges.asterisk import AsteriskRecorder, AsteriskSettings
from bridges.model import Evidence, Outcome, Verb
from bridges.routing import Router
from offrecord.cli.tables import people
from offrecord.journal.journal import Record
from offrecord.model.intents import Intent
from offrecord.status.live_view import LiveView
from offrecord.status.view_types import RecorderState, RecorderStatus
from tests.kits.call_kit import hangup, leave, new
from tests.kits.enforcement_kit import Kept, keeping, record, settle
from tests.kits.lifecycle_kit import FakeRecorder, result


def board_of(here: Kept) -> LiveView:
    return LiveView(
        here.bench.feed.subscribe, lambda: here.bench.pbx.graph, lambda: here.bench.site.settings,
        here.enforcer.intents, here.enforcer.retry_ladder.failing, here={"410": "fred"}.get,
    )  # fmt: skip


def recorders(board: LiveView) -> dict[str, RecorderStatus]:
    (call,) = board.calls()
    return {one.recorder: one for one in call.recorders}


def states(board: LiveView) -> dict[str, str]:
    return {name: one.state.value for name, one in recorders(board).items()}


async def test_a_call_before_anybody_pressed(tmp_path: Path) -> None:
    async with keeping(tmp_path, FakeRecorder("noojee")) as here:
        board = board_of(here)
        assert states(board) == {"local": "idle", "noojee": "unknown"}
        here.happen(record("1.1"))
        assert states(board) == {"local": "recording", "noojee": "unknown"}
        (call,) = board.calls()
        assert call.call == "1.1"
        assert call.extensions == ("410", "411")
        assert call.agents == {"410": "fred"}
        assert call.intents == ()


async def test_who_listens_is_shown_and_our_own_whisper_is_not(tmp_path: Path) -> None:
    async with keeping(tmp_path, FakeRecorder("noojee")) as here:
        board = board_of(here)
        own, _ = here.bench.pbx.graph.own_channels.pair("whisper")
        here.happen(
            new("7.1", "PJSIP/490-7"),
            new(own, "Local/whisper@offrecord-tell-8;2"),
            ChanSpyStart("PJSIP/490-7", "7.1", "7.1", "", "1.1", ""),
            ChanSpyStart("Local/whisper@offrecord-tell-8;2", own, own, "", "1.1", ""),
        )
        talk = next(call for call in board.calls() if call.call == "1.1")
        assert talk.listeners == ("PJSIP/490 (490) by ChanSpy",)
        assert people(talk).endswith("listening: PJSIP/490 (490) by ChanSpy")
        here.happen(hangup("7.1"))
        assert board.calls()[0].listeners == ()


async def test_a_stop_is_shown_with_its_proof(tmp_path: Path) -> None:
    async with keeping(tmp_path, FakeRecorder("noojee")) as here:
        board = board_of(here)
        here.happen(record("1.1"))
        await here.pressed(Verb.STOP)
        assert states(board) == {"local": "stopped", "noojee": "stopped"}
        local = recorders(board)["local"]
        assert (local.outcome, local.press, local.verb) == ("confirmed", "p1", "stop")
        assert local.until is None


async def test_a_verdict_that_was_taken_back_is_failed_on_the_pbx_and_stays_elsewhere(
    tmp_path: Path,
) -> None:
    async with keeping(tmp_path, FakeRecorder("noojee")) as here:
        board = board_of(here)
        here.happen(record("1.1"))
        await here.pressed(Verb.STOP)
        body = {"outcome": "failed", "reason": "/spool/x.wav still grows"}
        here.bench.feed.publish(Record("p1", "taken_back", body, 1))

        assert states(board) == {"local": "failed", "noojee": "stopped"}
        local = recorders(board)["local"]
        assert (local.outcome, local.evidence) == ("failed", "L3")
        assert local.detail == "/spool/x.wav still grows"


async def test_a_pause_says_when_it_ends_and_a_resume_that_it_records(tmp_path: Path) -> None:
    async with keeping(tmp_path, FakeRecorder("noojee")) as here:
        board = board_of(here)
        here.happen(record("1.1"))
        await here.pressed(Verb.PAUSE)
        paused = recorders(board)["noojee"]
        assert paused.state is RecorderState.PAUSED
        assert (paused.since, paused.until) == (1_000_000, 1_180_000)
        await here.pass_(4)
        await here.pressed(Verb.RESUME)
        assert states(board) == {"local": "recording", "noojee": "recording"}


async def test_a_recorder_that_does_not_obey_is_failed(tmp_path: Path) -> None:
    async def refuse(_order: Any) -> Any:
        return result("noojee", Outcome.FAILED, Evidence.SENT, "it is away")

    async with keeping(tmp_path, FakeRecorder("noojee", script=refuse)) as here:
        board = board_of(here)
        here.happen(record("1.1"))
        await here.pressed(Verb.STOP)
        failed = recorders(board)["noojee"]
        assert (failed.state, failed.detail) == ("failed", "it is away")
        assert states(board)["local"] == "stopped"


async def test_a_press_under_way_is_asking(tmp_path: Path) -> None:
    answer = asyncio.Event()

    async def slow(_order: Any) -> Any:
        await answer.wait()
        return result("noojee")

    async with keeping(tmp_path, FakeRecorder("noojee", script=slow)) as here:
        board = board_of(here)
        handle = here.press(Verb.STOP)
        await settle()
        assert states(board)["noojee"] == "asking"
        answer.set()
        await handle.verdict
        await settle()
        assert states(board)["noojee"] == "stopped"


async def test_what_is_over_is_forgotten_and_what_holds_is_not(tmp_path: Path) -> None:
    async with keeping(tmp_path) as here:
        board = board_of(here)
        here.happen(record("1.1"))
        await here.pressed(Verb.STOP)
        here.happen(leave("b", "1.1"), hangup("1.1"))
        board.prune()
        assert states(board) == {"local": "stopped"}
        here.happen(hangup("1.2"))
        await here.pass_(1)
        board.prune()
        assert board.calls() == ()
        assert not board._by_id
        assert not board._by_press


async def test_a_recorder_off_the_route_is_not_shown_until_it_was_asked(tmp_path: Path) -> None:
    off = FakeRecorder("genesys")
    async with keeping(tmp_path, off) as here:
        site = here.bench.site
        router = Router(("local", "genesys"), ("local",))
        site.settings = replace(site.settings, router=router)
        board = board_of(here)
        assert states(board) == {"local": "idle"}
        await here.pressed(Verb.STOP, recorder="genesys")
        assert states(board) == {"local": "idle", "genesys": "stopped"}


async def test_what_the_pbx_records_beside_the_route_is_shown_while_it_does(tmp_path: Path) -> None:
    async with keeping(tmp_path, FakeRecorder("noojee")) as here:
        site = here.bench.site
        pbx = AsteriskRecorder("local", AsteriskSettings(), here.bench.pbx)
        router = Router(("local", "noojee"), ("noojee",))
        site.settings = replace(site.settings, router=router, pbx=pbx)
        board = board_of(here)
        assert states(board) == {"noojee": "unknown"}
        here.happen(record("1.1"))
        assert states(board) == {"noojee": "unknown", "local": "recording"}
        assert recorders(board)["local"].detail == "it records on this PBX and no route stops it"


async def test_a_stop_from_before_a_restart_is_still_one(tmp_path: Path) -> None:
    old = Intent("p0", Verb.STOP, "1.1", frozenset({"1.1", "1.2"}), ("local", "noojee"), since=1000)
    async with keeping(tmp_path, FakeRecorder("noojee"), intents=[old]) as here:
        board = board_of(here)
        assert states(board) == {"local": "stopped", "noojee": "stopped"}
        assert recorders(board)["noojee"].outcome is None
        board.on_record(Record("p0", "intent", old.body(), 0))
        assert states(board)["noojee"] == "stopped"


async def test_a_recorder_that_was_never_reached_is_failed(tmp_path: Path) -> None:
    async def broken(_order: Any) -> Any:
        raise RuntimeError

    async with keeping(tmp_path, FakeRecorder("noojee", script=broken)) as here:
        board = board_of(here)
        verdict = await here.pressed(Verb.STOP)
        assert verdict.outcome is Outcome.FAILED
        assert states(board)["noojee"] == "failed"
