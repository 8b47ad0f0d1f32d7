# SPDX-License-Identifier: Apache-2.0
"""The daemon told to end, and told to read its configuration again, with calls up."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from offrecord.base.errors import Exit
from offrecord.journal import show
from tests.kits.daemon_kit import House, house
from tests.kits.waiting import eventually


def tell(here: House, number: int) -> None:
    assert here.daemon._process is not None
    here.daemon._process.send_signal(number)


async def reload(here: House, event: str, more: int = 1) -> list[dict[str, object]]:
    """Have the configuration read again; return the lines it said of `event`, `more` at least."""
    before = len(here.daemon.logged(event))
    tell(here, signal.SIGHUP)
    return (await here.until_logged(event, before + more))[before:]


# SIGTERM and SIGINT


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_told_to_end_it_leaves_with_zero_and_takes_its_socket_away(
    tmp_path: Path, number: int
) -> None:
    async with house(tmp_path) as here:
        assert here.daemon.socket.exists()
        code = await here.daemon.stop(number)

        assert code == Exit.OK
        assert not here.daemon.socket.exists()
        assert here.daemon.logged("stopping")
        assert "Traceback" not in here.daemon.log.read_text()


async def test_a_press_under_way_is_finished_and_told_everywhere(tmp_path: Path) -> None:
    async with house(tmp_path, agi={"wait": 5}) as here:
        here.noojee.faults.add("stall=0.3@stop")
        phone = asyncio.create_task(here.fastagi("stop", "1.1"))
        terminal = asyncio.create_task(here.command("stop", "410"))
        await here.until_logged("press_joined")
        code = await here.daemon.stop()

        assert code == Exit.OK
        assert 'SET VARIABLE "OFFRECORD_OUTCOME" "accepted"' in await phone
        assert (await terminal).code == Exit.ACCEPTED
        [press] = await here.daemon.verdicts()
        assert press.outcome == "accepted"
        assert len(here.stops) == 1


async def test_while_it_ends_no_new_press_is_taken_and_that_is_said(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        here.noojee.faults.add("stall@stop*1")
        first = asyncio.create_task(here.ask(op="press", verb="stop", target="410", wait=10))
        await here.peer.until(lambda: "StopMixMonitor" in here.peer.names())
        tell(here, signal.SIGTERM)
        await here.until_logged("stopping")
        refused = await here.ask(op="press", verb="stop", target="410", wait=10)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*here.agi)
        await here.server.cut()

        assert refused["exit"] == Exit.DAEMON_DOWN
        assert "about to end" in refused["error"]
        assert (await first)["outcome"] == "accepted"


async def test_a_recorder_that_hangs_holds_the_end_up_no_longer_than_the_grace(
    tmp_path: Path,
) -> None:
    async with house(tmp_path, shutdown={"grace": 0.2}) as here:
        here.noojee.faults.add("stall@stop")
        told = asyncio.create_task(here.ask(op="press", verb="stop", target="410", wait=20))
        await here.peer.until(lambda: "StopMixMonitor" in here.peer.names())
        code = await here.daemon.stop()

        assert code == Exit.OK
        assert (await told)["outcome"] == "failed"
        [press] = await here.daemon.verdicts()
        assert press.outcome == "failed"
        assert press.text is not None
        assert "the daemon was told to end" in press.text
        records = await asyncio.to_thread(show, here.daemon.journal, press.press)
        assert [record.kind for record in records][-1] == "verdict"


# SIGHUP


async def test_a_reload_swaps_agents_recorders_routes_and_sounds_and_keeps_the_calls(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as here:
        tables: dict[str, Any] = here.daemon.tables  # type: ignore[assignment]
        before = await here.ask(op="explain", verb="stop", target="410")
        del tables["recorders"]["local"]
        tables["agents"] = {"410": "betty"}
        tables["sounds"] = {"accepted": ["sorry"]}
        here.daemon.write_config()
        await reload(here, "config_reloaded")
        said = await here.fastagi("stop", "1.1")
        body = await here.ask(op="calls")

        assert [one["recorder"] for one in before["recorders"]] == ["local", "noojee"]
        assert before["agent"] == "fred"
        assert [stop.query["agentLoginName"] for stop in here.stops] == ["betty"]
        assert here.peer.channels["1.1"].monitors == 1
        assert 'EXEC "Playback" "sorry,noanswer"' in said
        assert (await here.ask(op="status"))["recorders"] == ["noojee"]
        assert body["known"]
        assert len(body["calls"]) == 1
        assert len(here.peer.sessions) == 1  # the link was not touched


async def test_a_reload_names_extensions_anew(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        tables: dict[str, Any] = here.daemon.tables  # type: ignore[assignment]
        tables["extensions"] = {"map": {"SIP/411": "430"}}
        here.daemon.write_config()
        await reload(here, "config_reloaded")

        assert (await here.ask(op="calls"))["calls"][0]["extensions"] == ["410", "430"]


async def test_a_broken_configuration_is_said_and_the_old_one_kept(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        whole = here.daemon.config.read_text()
        for text in (f"{whole}\n[presss]\nx = 1\n", "not toml", f"{whole}\nagi = 1\n"):
            here.daemon.config.write_text(text)
            [line] = await reload(here, "config_not_reloaded")
            assert line["kept"] == "the old one"
            assert str(here.daemon.config) in str(line["problem"])
        here.daemon.config.write_text(whole.replace('kind = "noojee"', 'kind = "nojee"'))
        [line] = await reload(here, "config_not_reloaded")
        told = await here.ask(op="press", verb="stop", target="410", wait=10)

        assert "known kinds are" in str(line["problem"])
        assert told["outcome"] == "accepted"
        assert "Traceback" not in here.daemon.log.read_text()


async def test_what_counts_from_the_next_start_on_is_said_and_left_alone(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        tables: dict[str, Any] = here.daemon.tables  # type: ignore[assignment]
        tables["agi"] = {"port": 0, "wait": 1.5}
        tables["keypad"] = {"enabled": True}
        here.daemon.write_config()
        lines = await reload(here, "config_needs_restart", 2)
        await here.until_logged("config_reloaded")

        assert {line["section"] for line in lines} == {"agi", "keypad"}
        assert await here.fastagi("stop", "1.1")


async def test_a_press_under_way_keeps_the_recorders_it_began_with(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        tables: dict[str, Any] = here.daemon.tables  # type: ignore[assignment]
        tables["recorders"]["noojee"]["timeout"] = 0.5
        here.daemon.write_config()
        await reload(here, "config_reloaded")
        here.noojee.faults.add("stall@stop*1")  # the second request needs a recorder not closed
        told = asyncio.create_task(here.ask(op="press", verb="stop", target="410", wait=10))
        await eventually(lambda: not here.noojee.faults.active)
        del tables["recorders"]["noojee"]
        here.daemon.write_config()
        await reload(here, "config_reloaded")

        assert (await told)["outcome"] == "accepted"


async def test_many_reloads_at_once_harm_nobody(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        for _ in range(20):
            tell(here, signal.SIGHUP)
        await here.until_logged("config_reloaded")
        code = await here.daemon.stop()

        assert code == Exit.OK
