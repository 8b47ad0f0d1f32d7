# SPDX-License-Identifier: Apache-2.0
"""`check` on broken set-ups that a real Asterisk adds nothing to: found, and mended by the fix."""

import re
import sqlite3
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tomlkit import dumps

from bridges.simulators import certificates
from bridges.simulators.noojee.app import DEMO_KEY, NoojeeSimulator
from bridges.simulators.noojee.switches import NoojeeSwitches
from bridges.simulators.server import SimServer
from offrecord.base.errors import Exit
from offrecord.checks.finding import Finding, State
from offrecord.checks.inputs import Places, gather_inputs
from offrecord.checks.rules import recorders as recorder_rules
from offrecord.checks.rules.machine import clock, service
from offrecord.checks.run import check
from offrecord.config import load
from offrecord.journal.journal import Journal, Record
from offrecord.web.tokens import Tokens
from tests.kits.ami_peer import SECRET, AmiPeer
from tests.kits.daemon_kit import house, offrecord


@dataclass
class Site:
    """A configuration beside a scripted PBX, checked in this very process."""

    folder: Path
    tables: dict[str, Any]

    @property
    def config(self) -> Path:
        return self.folder / "offrecord.toml"

    @property
    def places(self) -> Places:
        return Places(self.config, self.folder / "asterisk", self.folder)

    def secret(self, name: str, value: str) -> dict[str, str]:
        path = self.folder / name
        path.write_text(value + "\n")
        path.chmod(0o600)
        return {"file": str(path)}

    async def found(self, what: str = "") -> list[Finding]:
        self.config.write_text(dumps(self.tables))
        every = await check(load(self.config, {}), self.places)
        return [one for one in every if what in {"", one.what}]


def site(folder: Path, peer: AmiPeer) -> Site:
    made = Site(folder, {})
    made.tables = {
        "ami": {"port": peer.port, "username": "offrecord",
                "secret": made.secret("ami.secret", SECRET)},
        "agi": {"port": 0},
        "socket": {"path": str(folder / "none.sock")},
        "journal": {"path": str(folder / "journal" / "journal.sqlite3")},
        "recorders": {"local": {"kind": "asterisk"}},
    }  # fmt: skip
    (folder / "journal").mkdir()
    return made


def noojee(made: Site, url: str, ca_file: Path) -> None:
    made.tables["recorders"]["noojee"] = {
        "kind": "noojee", "url": url, "auth": "signed", "agent_login": "fred",
        "api_key": made.secret("noojee.key", DEMO_KEY), "ca_file": str(ca_file),
    }  # fmt: skip


def carry_out(fix: str) -> None:
    """Run the command that a fix is."""
    subprocess.run(fix.split(), check=True)


async def test_a_version_with_a_known_fault_is_warned_of_and_a_newer_one_is_not(
    tmp_path: Path,
) -> None:
    async with AmiPeer() as peer:
        here = site(tmp_path, peer)
        peer.asterisk = "18.19.0"
        [told] = await here.found("version")
        assert told.state is State.WARN
        assert "MixMonitorMute can block" in told.text
        newer = re.search(r"upgrade to ([\d.]+)", told.fix)
        assert newer
        peer.asterisk = f"{newer[1].rstrip('.')}.0"

        assert await here.found("version") == []


async def test_a_pbx_that_is_too_old_is_one_plain_line_and_no_other_about_the_pbx(
    tmp_path: Path,
) -> None:
    async with AmiPeer(version="11", read="dtmf", write="call") as peer:
        peer.write.append("reporting")
        peer.unloaded.add("BridgeList")
        found = await site(tmp_path, peer).found()
        [told] = [one for one in found if one.what == "pbx"]
        assert told.text == "Asterisk 11.25 (AMI 1.3) is not supported: 13.5 or newer is needed"
        assert told.state is State.FAIL
        about = {"privileges", "version", "events"}
        assert [one for one in found if one.what in about] == []


@pytest.mark.parametrize("by_file", [True, False])
async def test_an_eventfilter_that_hides_what_records_fails(tmp_path: Path, by_file: bool) -> None:
    async with AmiPeer() as peer:
        here = site(tmp_path, peer)
        own = "AST_CONFIG(manager.conf,offrecord,{})"
        if by_file:
            (tmp_path / "asterisk").mkdir()
            conf = tmp_path / "asterisk" / "manager.conf"
            conf.write_text("[offrecord]\nread = call\neventfilter = !Event: MixMonitor.*\n")
        else:
            peer.globals[own.format("read")] = "call"
            peer.globals[own.format("eventfilter,0")] = "!Event: MixMonitor.*"
        [told] = await here.found("events")
        assert told.state is State.FAIL
        assert "MixMonitorStart, MixMonitorStop, MixMonitorMute" in told.text
        assert "manager.conf" in told.fix

        if by_file:
            conf.write_text("[offrecord]\nread = call\neventfilter = !Event: VarSet\n")
        else:
            peer.globals[own.format("eventfilter,0")] = "!Event: VarSet"
        [told] = await here.found("events")
        assert told.state is State.OK


async def test_whether_events_are_filtered_is_not_said_where_nobody_could_look(
    tmp_path: Path,
) -> None:
    async with AmiPeer() as peer:
        [told] = await site(tmp_path, peer).found("events")
        assert told.state is State.SKIPPED


async def test_a_version_without_events_of_recordings_is_told_by_the_daemon_and_by_check(
    tmp_path: Path,
) -> None:
    async with AmiPeer(version="16.2") as peer:
        here = site(tmp_path, peer)
        [told] = await here.found("version")
        assert "raises no events of MixMonitors" in told.text


async def test_a_kind_by_its_former_name_is_read_and_told_of(tmp_path: Path) -> None:
    async with AmiPeer() as peer:
        here = site(tmp_path, peer)
        assert [one.state for one in await here.found("recorder local")] == [State.OK]
        here.tables["recorders"]["local"]["kind"] = "mixmonitor"
        told = await here.found("recorder local")

        assert (told[0].state, told[0].fix) == (
            State.WARN, 'write kind = "asterisk" in [recorders.local]',
        )  # fmt: skip
        assert told[1].state is State.OK


async def test_an_expired_certificate_is_found_and_a_new_one_mends_it(tmp_path: Path) -> None:
    simulator = NoojeeSimulator(DEMO_KEY, switches=NoojeeSwitches(auto=True))
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    async with AmiPeer() as peer:
        here = site(tmp_path, peer)
        old = certificates.issue(tmp_path / "old", days=-2)
        async with SimServer(simulator, tls=old.server_context()) as server:
            noojee(here, server.url, old.ca_file)
            here.config.write_text(dumps(here.tables))
            ran = await offrecord("check", "--config", here.config)
            assert ran.code == Exit.RECORDER_UNTRUSTED
            [line] = ran.err.splitlines()
            assert line.startswith("FAIL  recorder noojee: Time: the certificate of https://")
            assert "certificate has expired" in line
            assert line.partition("; ")[2].startswith("renew the certificate over there")
        new = certificates.issue(tmp_path / "new")
        async with SimServer(simulator, tls=new.server_context()) as server:
            noojee(here, server.url, new.ca_file)

            assert [one.state for one in await here.found("recorder noojee")] == [State.OK]
            [ends] = await here.found("certificates")
            assert "the first to end is the certificate of noojee" in ends.text


@pytest.mark.parametrize(("days", "state"), [(5, State.WARN), (-5, State.FAIL), (60, State.OK)])
async def test_our_own_certificate_is_looked_at(tmp_path: Path, days: int, state: State) -> None:
    (tmp_path / "tls").mkdir()
    made = certificates.issue(tmp_path / "tls", days=days)
    async with AmiPeer() as peer:
        here = site(tmp_path, peer)
        here.tables["http"] = {
            "enabled": True, "certificate": str(made.cert_file), "key": str(made.key_file),
        }  # fmt: skip
        [told] = await here.found("certificates")

        assert told.state is state
        assert "[http]" in told.text


async def test_noojees_clock_and_the_missing_login_are_warned_of(tmp_path: Path) -> None:
    simulator = NoojeeSimulator(DEMO_KEY, switches=NoojeeSwitches(auto=True))
    made = certificates.issue(tmp_path)
    async with AmiPeer() as peer, SimServer(simulator, tls=made.server_context()) as server:
        here = site(tmp_path, peer)
        noojee(here, server.url, made.ca_file)
        loaded_with = here.tables["recorders"]["noojee"]
        del loaded_with["agent_login"]
        here.config.write_text(dumps(here.tables))
        async with gather_inputs(load(here.config, {}), here.places) as there:
            said = "its time is 1600000000000 ms; the key was not tried"
            found = recorder_rules._noojee(there, "noojee", said, took=6.0)

        assert [one.state for one in found] == [State.WARN] * 3
        assert "10 s only" in found[0].text
        assert "behind this machine's" in found[1].text
        assert "agent_login" in found[2].fix


async def test_a_genesys_agent_without_the_feature_fails() -> None:
    said = "https://g answers and took account fred of 1; its agent has no feature api-voice"
    [found] = recorder_rules._genesys(None, "genesys", said, 0.1)  # type: ignore[arg-type]

    assert (found.state, found.exit) == (State.FAIL, Exit.RECORDER_REFUSED)
    assert recorder_rules._genesys(None, "genesys", said.partition(";")[0], 0.1) == []  # type: ignore[arg-type]


async def test_a_journal_that_cannot_be_begun_is_found(tmp_path: Path) -> None:
    async with AmiPeer() as peer:
        here = site(tmp_path, peer)
        (tmp_path / "journal").rmdir()
        (tmp_path / "journal").write_text("in the way")
        [told] = await here.found("journal")
        assert (told.state, told.exit) == (State.FAIL, Exit.JOURNAL)
        taken = re.match(r"take (\S+) away", told.fix)
        assert taken
        Path(taken[1]).unlink()

        assert [one.state for one in await here.found("journal")] == [State.OK]


async def test_a_journal_that_was_changed_is_found(tmp_path: Path) -> None:
    async with AmiPeer() as peer:
        here = site(tmp_path, peer)
        path = tmp_path / "journal" / "journal.sqlite3"
        journal = Journal(path)
        await journal.open()
        for number in range(5):
            await journal.write(
                Record(f"press{number}", "pressed", {"verb": "stop"}, 1000 + number)
            )
        await journal.close()
        assert [one.state for one in await here.found("journal")] == [State.OK]
        db = sqlite3.connect(path)
        db.execute("DROP TRIGGER records_stay")
        db.execute("UPDATE records SET body = '{}' WHERE seq = 3")
        db.commit()
        db.close()
        [told] = await here.found("journal")

        assert told.exit is Exit.TAMPERED
        assert "at record 3" in told.text
        assert "audit verify" in told.fix


async def test_files_that_others_can_change_are_found(tmp_path: Path) -> None:
    async with AmiPeer() as peer:
        here = site(tmp_path, peer)
        await here.found()
        here.config.chmod(0o666)
        [told] = await here.found("secrets")
        assert told.exit is Exit.CONFIG
        assert "can be changed by its group and everyone" in told.text
        carry_out(told.fix)

        assert [one.state for one in await here.found("secrets")] == [State.OK]


async def test_tokens_that_others_can_read_are_found(tmp_path: Path) -> None:
    async with AmiPeer() as peer:
        here = site(tmp_path, peer)
        here.tables["http"] = {"enabled": True, "port": 0}
        here.tables["api"] = {"enabled": True, "tokens": str(tmp_path / "tokens.json")}
        Tokens(tmp_path / "tokens.json").add("crm", ["read"])
        (tmp_path / "tokens.json").chmod(0o644)
        [told] = await here.found("secrets")
        assert "tokens.json" in told.text
        carry_out(told.fix)

        assert [one.state for one in await here.found("secrets")] == [State.OK]


async def test_the_running_daemon_answers_and_another_program_does_not(tmp_path: Path) -> None:
    async with house(tmp_path, recorders=("local",)) as here:
        here.daemon.tables["agi"] = {"port": here.agi[1]}
        here.daemon.write_config()
        ran = await here.command("check", "--asterisk-etc", str(tmp_path / "none"))
        assert f"ok    fastagi: the daemon answers on 127.0.0.1:{here.agi[1]}" in ran.out
        assert "ok    daemon: it runs and knows the PBX's calls, 1 up" in ran.out
        assert (await here.command("presses")).out == "no press matches\n"
        here.daemon.tables["agi"] = {"port": here.peer.port}  # speaks, and is no FastAGI
        here.daemon.write_config()
        ran = await here.command("check", "--asterisk-etc", str(tmp_path / "none"))

        assert ran.code == Exit.PORT_IN_USE
        assert "does not answer as offrecord does" in ran.err


async def test_a_pbx_elsewhere_cannot_reach_a_loopback_address(tmp_path: Path) -> None:
    async with AmiPeer() as peer:
        here = site(tmp_path, peer)
        here.tables["ami"] |= {"host": "0.0.0.0", "allow_plain_tcp": True}
        here.tables["agi"] = {"port": 4573}
        [told] = await here.found("fastagi")

        assert (told.state, told.exit) == (State.FAIL, Exit.PBX_SETUP)
        assert "cannot reach it" in told.text


@pytest.mark.parametrize(
    ("status", "state"), [(0x40, State.WARN), (0x1, State.OK), (None, State.SKIPPED)]
)
async def test_the_kernels_word_on_its_clock(
    tmp_path: Path, status: int | None, state: State
) -> None:
    async with AmiPeer() as peer:
        here = site(tmp_path, peer)
        await here.found()
        async with gather_inputs(load(here.config, {}), here.places) as there:
            assert [one.state for one in await clock(there, lambda: status)] == [state]
            peer.globals["EPOCH"] = "1600000000"
            found = await clock(there, lambda: status)

        assert found[0].state is State.WARN
        assert "the PBX's clock is" in found[0].text


async def test_the_unit_is_looked_for_where_there_is_systemd(tmp_path: Path) -> None:
    async with AmiPeer() as peer:
        here = site(tmp_path, peer)
        await here.found()
        async with gather_inputs(load(here.config, {}), here.places) as there:
            assert await service(there) == []
            (tmp_path / "run/systemd/system").mkdir(parents=True)
            assert [one.state for one in await service(there)] == [State.WARN]
            unit = tmp_path / "etc/systemd/system/offrecord.service"
            unit.parent.mkdir(parents=True)
            unit.write_text("[Unit]\n")
            [told] = await service(there)
            assert "not enabled" in told.text
            wants = unit.parent / "multi-user.target.wants"
            wants.mkdir()
            (wants / unit.name).symlink_to(unit)

            assert [one.state for one in await service(there)] == [State.OK]


async def test_the_account_that_may_not_place_calls_is_told_what_it_needs(tmp_path: Path) -> None:
    async with AmiPeer() as peer:
        here = site(tmp_path, peer)
        here.config.write_text(dumps(here.tables))
        ran = await offrecord("check", "--config", here.config, "--dtmf", "410")

        assert ran.code == Exit.PBX_PRIVILEGES
        assert "may not place calls; add originate" in ran.err
        assert "Originate" not in peer.names()


@pytest.mark.parametrize("words", [("--call", "a", "--dtmf", "b"), ("--code", "*1")])
async def test_options_that_do_not_go_together_are_refused(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    async with AmiPeer() as peer:
        here = site(tmp_path, peer)
        here.config.write_text(dumps(here.tables))
        ran = await offrecord("check", "--config", here.config, *words)

        assert ran.code == Exit.USAGE
