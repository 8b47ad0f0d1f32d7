# SPDX-License-Identifier: Apache-2.0
"""Presses over the daemon's real control socket: what is answered, and what is refused by name."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from agi.handover import PressRequest, press_id_in, verdict_in
from agi.verdict_message import PENDING
from bridges.model import Verb
from offrecord.assembly.components import Components
from offrecord.assembly.service import DaemonService
from offrecord.base.errors import Exit
from offrecord.control.client import ask
from offrecord.control.server import ControlServer
from offrecord.daemon.socket_requests import Operations
from tests.kits.enforcement_kit import Kept, keeping
from tests.kits.lifecycle_kit import FakeRecorder, Gate
from tests.kits.waiting import patience

SCRIPT = PressRequest(verb="stop", channel="SIP/410-1", uniqueid="1.1", wait=5.0, agent="fred")


@dataclass
class Socket:
    """The socket of a daemon, and what is behind it."""

    path: Path
    kept: Kept

    async def ask(self, request: dict[str, object]) -> list[dict[str, Any]]:
        return await asyncio.to_thread(lambda: list(ask(self.path, request, patience())))


@asynccontextmanager
async def listening(folder: Path, *recorders: FakeRecorder) -> AsyncIterator[Socket]:
    """Serve the operations of a daemon on a call of 410 and 411."""
    async with keeping(folder, *recorders, whole=True) as kept:
        service = DaemonService(cast("Components", kept.path))
        path = folder / "offrecord.sock"
        server = ControlServer(path, Operations(service).table())
        await server.start()
        try:
            yield Socket(path, kept)
        finally:
            await server.close()


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"agent": {}}, "agent"),
        ({"recorder": 7}, "recorder"),
        ({"options": {"a": 1}}, r"options.a"),
        ({"options": []}, "options"),
        ({"wait": "soon"}, "wait"),
        ({"wait": -1}, "wait"),
        ({"way": "fastagi"}, "way"),
        ({"target": ["410"]}, "target"),
        ({"target": None}, "target"),
        ({"verb": 1}, "verb"),
    ],
)
async def test_a_field_of_the_wrong_kind_is_refused_by_its_name(
    tmp_path: Path, wrong: dict[str, object], named: str
) -> None:
    async with listening(tmp_path) as here:
        [told] = await here.ask({"op": "press", "verb": "stop", "target": "410", **wrong})

        assert told["error"] == f"{named} is wrong in the request"
        assert told["fix"].startswith("send ")
        assert told["exit"] == Exit.USAGE
        assert not await here.kept.bench.presses()


async def test_the_script_gets_the_two_messages_that_it_reads(tmp_path: Path) -> None:
    async with listening(tmp_path) as here:
        first, second = await here.ask(SCRIPT.message())

        assert first == {"press": press_id_in(first), "journalled": True}
        assert second.keys() == {"outcome", "sounds", "text"}
        assert verdict_in(second).outcome == "nothing_to_stop"
        [press] = await here.kept.bench.presses()
        assert (press.press, press.way) == (first["press"], "agi")


async def test_the_script_is_told_that_a_verdict_is_pending(tmp_path: Path) -> None:
    gate = Gate()
    async with listening(tmp_path, FakeRecorder("noojee", script=gate)) as here:
        _, second = await here.ask({**SCRIPT.message(), "wait": 0.0})
        gate.opened.set()

        assert verdict_in(second).outcome == PENDING
        assert verdict_in(second).sounds == ()


async def test_a_terminal_names_a_target_and_gets_the_whole_verdict(tmp_path: Path) -> None:
    async with listening(tmp_path) as here:
        request = {"op": "press", "verb": "pause", "target": "410", "wait": 5, "agent": None}
        first, second = await here.ask(request)

        assert second["press"] == first["press"]
        assert (second["verb"], second["outcome"]) == (Verb.PAUSE, "nothing_to_stop")
        assert [one["recorder"] for one in second["recorders"]] == ["local"]
        [pressed, *_] = await here.kept.bench.records(first["press"])
        assert pressed.body["options"].keys() == {"uid"}
