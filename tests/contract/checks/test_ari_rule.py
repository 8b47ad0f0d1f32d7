# SPDX-License-Identifier: Apache-2.0
"""`check` on ARI: the account, what it may do, and who else reaches the port."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from tomlkit import dumps

from bridges.simulators.server import SimServer
from offrecord.base.errors import Exit
from offrecord.checks.finding import Finding, State
from offrecord.checks.inputs import Places
from offrecord.checks.run import check
from offrecord.config import load
from tests.kits.ami_peer import SECRET, AmiPeer
from tests.kits.ari_server import PASSWORD, ScriptedAri

HTTP = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n"


async def findings(
    folder: Path, peer: AmiPeer, url: str, http: str = HTTP, secret: str = PASSWORD
) -> list[Finding]:
    (folder / "asterisk").mkdir(exist_ok=True)
    (folder / "asterisk/http.conf").write_text(http)
    for name, text in (("ami.secret", SECRET), ("ari.secret", secret)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    tables: dict[str, Any] = {
        "ami": {"port": peer.port, "username": "offrecord", "secret": {"file": "ami.secret"}},
        "ari": {"url": url, "username": "offrecord", "secret": {"file": "ari.secret"}},
        "recorders": {"local": {"kind": "asterisk"}},
        "journal": {"path": str(folder / "journal.sqlite3")},
    }
    (folder / "offrecord.toml").write_text(dumps(tables))
    loaded = load(folder / "offrecord.toml", {})
    found = await check(loaded, Places(folder / "offrecord.toml", folder / "asterisk", folder))
    return [one for one in found if one.what == "ari"]


async def test_an_account_that_may_stop_is_told_with_what_runs(tmp_path: Path) -> None:
    ari = ScriptedAri(live={"one": ("bridge:b", "recording")})
    async with AmiPeer() as peer, SimServer(ari.app) as server:
        [found] = await findings(tmp_path, peer, server.url)
        assert found.state is State.OK, found
        assert "22.10.1" in found.text
        assert "1 live" in found.text
        assert [*ari.live] == ["one"]


async def test_an_account_that_may_only_read_fails(tmp_path: Path) -> None:
    ari = ScriptedAri()
    ari.script = lambda method, _path: httpx.Response(403) if method == "POST" else None
    async with AmiPeer() as peer, SimServer(ari.app) as server:
        [found] = await findings(tmp_path, peer, server.url)
        assert (found.state, found.exit) == (State.FAIL, Exit.RECORDER_REFUSED)
        assert "read_only" in found.fix


async def test_a_wrong_password_and_no_answer_fail(tmp_path: Path) -> None:
    async with AmiPeer() as peer, SimServer(ScriptedAri().app) as server:
        [refused] = await findings(tmp_path, peer, server.url, secret="another-one")
        assert refused.exit is Exit.RECORDER_REFUSED
        [away] = await findings(tmp_path, peer, "http://127.0.0.1:1")
        assert away.exit is Exit.RECORDER_UNREACHABLE
        assert "http.conf" in away.fix


@pytest.mark.parametrize("address", ["", "bindaddr = 0.0.0.0\n", "bindaddr = [::]:8088\n"])
async def test_a_port_that_answers_other_machines_fails(tmp_path: Path, address: str) -> None:
    async with AmiPeer() as peer, SimServer(ScriptedAri().app) as server:
        http = f"[general]\nenabled = yes\n{address}"
        _, outside = await findings(tmp_path, peer, server.url, http)
        assert (outside.state, outside.exit) == (State.FAIL, Exit.PBX_SETUP)
        assert "bindaddr = 127.0.0.1" in outside.fix


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "[::1]:8088", "localhost"])
async def test_a_port_on_loopback_is_well(tmp_path: Path, address: str) -> None:
    async with AmiPeer() as peer, SimServer(ScriptedAri().app) as server:
        http = f"[general]\nenabled = yes\nbindaddr = {address}\n"
        [found] = await findings(tmp_path, peer, server.url, http)
        assert found.state is State.OK
