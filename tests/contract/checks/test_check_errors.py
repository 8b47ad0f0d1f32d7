# SPDX-License-Identifier: Apache-2.0
"""A PBX or a recorder that cannot be had, by `check` and `run`: one line, a code of its own."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridges.simulators import certificates
from bridges.simulators.server import SimServer
from lab.pbx.ports import free_tcp
from offrecord.base.errors import Exit
from tests.kits.ami_peer import AmiPeer
from tests.kits.errors_kit import Ground, ground, one_line
from tests.kits.waiting import eventually

# the PBX and the recorders, by `check`


def wrong_secret(here: Ground) -> None:
    here.tables["ami"]["secret"] = here.daemon.secret("other", "not-the-secret")


def nobody_listens(here: Ground) -> None:
    here.tables["ami"]["port"] = free_tcp()


async def strange_certificate(here: Ground) -> None:
    own, other = here.folder / "own", here.folder / "other"
    for folder in (own, other):
        folder.mkdir()
    server = AmiPeer(tls=certificates.issue(own).server_context())
    await here.stack.enter_async_context(server)
    ca_file = str(certificates.issue(other).ca_file)
    here.tables["ami"].update(port=server.port, tls=True, ca_file=ca_file)


async def no_manager_interface(here: Ground) -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    here.stack.callback(server.close)
    here.tables["ami"]["port"] = server.sockets[0].getsockname()[1]


async def noojee_refuses_connections(here: Ground) -> None:
    await here.server.refuse()


async def noojee_with_a_strange_certificate(here: Ground) -> None:
    made = certificates.issue(here.folder)
    server = SimServer(here.noojee, tls=made.server_context())
    await here.stack.enter_async_context(server)
    here.tables["recorders"]["noojee"]["url"] = server.url


def noojee_forbids(here: Ground) -> None:
    here.noojee.faults.add("forbidden")


def no_journal(here: Ground) -> None:
    here.daemon.journal.write_text("this is no database, and long enough to be seen as none" * 40)


Breaking = Callable[[Ground], Any]

CHECKS: dict[str, tuple[Breaking, Exit, tuple[str, ...]]] = {
    "a wrong secret": (
        wrong_secret, Exit.PBX_SECRET, ("pbx", "'offrecord'", "refuses the login", "manager.conf"),
    ),
    "nobody listens": (
        nobody_listens, Exit.PBX_UNREACHABLE,
        ("pbx", "127.0.0.1", "refuses connections", "start Asterisk"),
    ),
    "something else listens": (
        no_manager_interface, Exit.PBX_UNREACHABLE,
        ("pbx", "no Asterisk manager interface", "manager.conf"),
    ),
    "a certificate that is not trusted": (
        strange_certificate, Exit.PBX_UNTRUSTED, ("pbx", "127.0.0.1", "not trusted", "ami.ca_file"),
    ),
    "Noojee is away": (
        noojee_refuses_connections, Exit.RECORDER_UNREACHABLE, ("noojee", "127.0.0.1"),
    ),
    "Noojee's certificate is not trusted": (
        noojee_with_a_strange_certificate, Exit.RECORDER_UNTRUSTED,
        ("noojee", "certificate", "not trusted", "CA file"),
    ),
    "Noojee refuses": (noojee_forbids, Exit.RECORDER_REFUSED, ("noojee", "403")),
    "a journal that is none": (no_journal, Exit.JOURNAL, ("journal", "journal.sqlite3")),
}  # fmt: skip


@pytest.mark.parametrize("broken", CHECKS)
async def test_check_says_in_one_line_what_is_wrong_and_leaves_with_its_code(
    tmp_path: Path, broken: str
) -> None:
    breaking, code, words = CHECKS[broken]
    async with ground(tmp_path) as here:
        done = breaking(here)
        if asyncio.iscoroutine(done):
            await done
        here.daemon.write_config()
        ran = await here.run("check")

        one_line(ran, code, "FAIL", *words)


@pytest.mark.parametrize(
    ("peer", "words"),
    [
        ({"write": "call"}, ("write=reporting", "write = call,reporting")),
        ({"write": "reporting"}, ("write=call", "stop and mute")),
        ({"read": "user", "write": "call,reporting,command"}, ("read=call", "read = call,user")),
    ],
    ids=["no listing", "no stopping", "no events"],
)
async def test_check_names_each_privilege_that_is_missing_and_the_line_that_grants_it(
    tmp_path: Path, peer: dict[str, str], words: tuple[str, ...]
) -> None:
    async with ground(tmp_path, **peer) as here:
        ran = await here.run("check")

        one_line(ran, Exit.PBX_PRIVILEGES, "privileges", "manager.conf", *words)


async def test_classes_that_nothing_uses_are_warned_of_with_their_risk(tmp_path: Path) -> None:
    async with ground(tmp_path, write="call,reporting,system,config") as here:
        found = await here.run("check")

        said = {
            word: line for line in found.out.splitlines() for word in ("system", "config")
            if f"privileges: write = {word} " in line
        }  # fmt: skip
        assert found.code == Exit.OK
        assert {line.split()[0] for line in said.values()} == {"warn"}
        assert "starts programs on the PBX" in said["system"]


async def test_check_in_json_has_the_same_code_and_everything_on_stdout(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await noojee_refuses_connections(here)
        ran = await here.run("check", "--json")

        assert (ran.code, ran.err) == (Exit.RECORDER_UNREACHABLE, "")
        assert [one["what"] for one in ran.json if not one["ok"]] == ["recorder noojee"]
        assert [one["exit"] for one in ran.json if not one["ok"]] == [ran.code]


async def test_a_secret_that_others_can_read_is_warned_of_with_the_command(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        (here.folder / "ami.secret").chmod(0o644)
        ran = await here.run("check")

        one_line(ran, Exit.CONFIG, "ami.secret", "chmod 600")


# the daemon's start


async def test_run_with_a_wrong_secret_ends_with_the_same_code_as_check(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        wrong_secret(here)
        here.daemon.write_config()
        ran = await here.run("run")

        assert ran.code == Exit.PBX_SECRET
        last = ran.err.splitlines()[-1]
        assert last.startswith("offrecord: PBX: the PBX at 127.0.0.1")
        assert "manager.conf" in last
        assert [line for line in ran.err.splitlines() if line.startswith("offrecord: ")] == [last]
        assert "Traceback" not in ran.err
        assert len([a for a in here.peer.received if a["Action"] == "Login"]) == 1


@pytest.mark.parametrize(
    ("breaking", "words"),
    [
        (nobody_listens, ("refuses connections", "start Asterisk")),
        (strange_certificate, ("not trusted", "ami.ca_file")),
    ],
)
async def test_run_keeps_trying_a_pbx_that_is_away_and_says_why_in_a_line(
    tmp_path: Path, breaking: Breaking, words: tuple[str, ...]
) -> None:
    async with ground(tmp_path) as here:
        done = breaking(here)
        if asyncio.iscoroutine(done):
            await done
        here.daemon.tables["log"] = {"format": "json", "level": "warning"}
        await here.daemon.start()
        await eventually(lambda: len(here.daemon.log.read_text().splitlines()) >= 2)
        lines = here.daemon.log.read_text().splitlines()
        code = await here.daemon.stop()

        assert code == Exit.OK
        assert all(word in line for line in lines for word in words), lines


async def fastagi_port(here: Ground) -> tuple[str, str]:
    taken = here.stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    port = taken.getsockname()[1]
    here.tables["agi"]["port"] = port
    return f"agi://127.0.0.1:{port}", "agi.port"


async def control_socket(here: Ground) -> tuple[str, str]:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_unix_server(serve, here.daemon.socket)
    here.stack.callback(server.close)
    return str(here.daemon.socket), "socket.path"


async def no_socket(here: Ground) -> tuple[str, str]:
    here.daemon.socket.write_text("a file")
    return str(here.daemon.socket), "remove it"


@pytest.mark.parametrize("take", [fastagi_port, control_socket, no_socket])
async def test_an_address_that_is_taken_is_named_with_the_key_that_changes_it(
    tmp_path: Path, take: Callable[[Ground], Any]
) -> None:
    async with ground(tmp_path) as here:
        words = await take(here)
        here.daemon.write_config()
        ran = await here.run("run")

        one_line(ran, Exit.PORT_IN_USE, "offrecord: cannot listen on", *words)


def test_no_two_errors_leave_with_the_same_code() -> None:
    codes = [code for _, code, _ in CHECKS.values()]

    assert len(set(codes)) == len(codes) - 1  # nobody there, and somebody else there, are one
    assert Exit.OK not in codes
