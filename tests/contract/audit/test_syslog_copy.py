# SPDX-License-Identifier: Apache-2.0
"""The copy to syslog, over real sockets: it never holds the journal up, and losses are counted."""

import asyncio
import json
import logging
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from offrecord.audit.syslog_copy import Syslog
from offrecord.config import audit_archives
from offrecord.config.read_files import ConfigError
from offrecord.config.sections.journal import AuditConfig, Place, place
from offrecord.journal.journal import Journal, Record
from tests.kits import audit_kit as kit
from tests.kits.audit_kit import BEGAN
from tests.kits.waiting import patience

LINE = re.compile(
    rb"<109>1 2023-11-14T22:13:20\.000Z \S+ offrecord \d+ pressed - \xef\xbb\xbf(\{.*\})"
)


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + patience()
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


async def write(path: Path, syslog: Syslog, count: int) -> None:
    async with Journal(path, timeout=patience(), copy=syslog.put) as journal:
        for number in range(count):
            await journal.write(Record("p", "pressed", {"n": number, "who": "Zoë"}, BEGAN))


def numbers(lines: list[bytes]) -> list[int]:
    found = [LINE.fullmatch(line) for line in lines]
    assert all(found), lines
    return [json.loads(one[1])["body"]["n"] for one in found if one]


def datagrams(server: socket.socket, count: int) -> list[bytes]:
    server.settimeout(patience())
    return [server.recv(65536) for _ in range(count)]


async def test_a_socket_of_this_machine_gets_every_record_once_in_order(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "log"))
        syslog = Syslog(place(str(tmp_path / "log")))
        syslog.start()
        await write(tmp_path / "j", syslog, 5)
        assert syslog.close() == 0
        lines = datagrams(server, 5)

    assert numbers(lines) == [0, 1, 2, 3, 4]
    shown = json.loads(lines[4].partition(b"\xef\xbb\xbf")[2])
    assert (shown["seq"], shown["body"]["who"]) == (5, "Zoë")
    assert len(shown["hash"]) == 64


async def test_a_host_gets_it_by_datagrams(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        syslog = Syslog(place(f"udp://127.0.0.1:{server.getsockname()[1]}"))
        syslog.start()
        await write(tmp_path / "j", syslog, 3)
        syslog.close()
        assert numbers(datagrams(server, 3)) == [0, 1, 2]


async def test_a_host_gets_it_over_tcp_with_the_length_of_each_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        syslog = Syslog(place(f"127.0.0.1:{server.getsockname()[1]}"))
        syslog.start()
        await write(tmp_path / "j", syslog, 3)
        session, _ = server.accept()
        syslog.close()
        with session:
            raw = b""
            while piece := session.recv(65536):
                raw += piece
    lines = []
    while raw:
        length, _, rest = raw.partition(b" ")
        lines.append(rest[: int(length)])
        raw = rest[int(length) :]

    assert numbers(lines) == [0, 1, 2]


async def test_a_copy_that_nobody_takes_holds_nothing_up_and_is_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    syslog = Syslog(place(str(tmp_path / "nobody")), patience=0.01)
    syslog.start()
    with caplog.at_level(logging.WARNING, "offrecord.audit.syslog_copy"):
        await write(tmp_path / "j", syslog, 4)
        await asyncio.to_thread(until, lambda: syslog.lost == 4)
        assert len(caplog.records) == 1
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
            server.bind(str(tmp_path / "nobody"))
            await write(tmp_path / "j", syslog, 1)
            assert numbers(datagrams(server, 1)) == [0]
            await asyncio.to_thread(until, lambda: len(caplog.records) == 2)
    told = [record.getMessage() for record in caplog.records]

    assert syslog.close() == 4
    assert "do not reach syslog" in told[0]
    assert "4 were lost" in told[1]


async def test_a_server_that_takes_nothing_more_costs_the_copy_and_not_the_press(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        syslog = Syslog(place(f"127.0.0.1:{server.getsockname()[1]}"), patience=0.05, room=8)
        syslog.start()
        async with Journal(tmp_path / "j", timeout=patience(), copy=syslog.put) as journal:
            big = {"text": "x" * 60_000}
            for _ in range(60):
                assert await journal.write(Record("p", "pressed", big, BEGAN))
        assert syslog.close(1.0) > 0
        assert syslog.sent + syslog.lost == 60


def test_what_finds_no_place_in_the_queue_is_counted_record_by_record(tmp_path: Path) -> None:
    syslog = Syslog(place(str(tmp_path / "nobody")), room=2)  # and nobody empties it
    syslog.put(kit.write(tmp_path / "j", kit.press(1) + kit.press(2)))
    assert syslog.lost == 6


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("/dev/log", Place("unix", "/dev/log")),
        ("log.example:514", Place("tcp", "log.example", 514)),
        ("udp://10.1.2.3:514", Place("udp", "10.1.2.3", 514)),
        ("[fe80::1]:6514", Place("tcp", "fe80::1", 6514)),
    ],
)
def test_where_the_copy_goes_is_read(given: str, meant: Place) -> None:
    assert place(given) == meant
    assert AuditConfig(syslog=given).syslog == given


@pytest.mark.parametrize(
    "given", ["log.example", "log.example:0", "host:99999", "a b:514", "x://h:1"]
)
def test_what_is_no_place_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="is needed"):
        AuditConfig(syslog=given)


def test_the_folder_of_the_archives_is_read_without_a_secret(tmp_path: Path) -> None:
    config = tmp_path / "offrecord.toml"
    config.write_text('[ami]\nsecret = { env = "NONE" }\n[audit]\narchive_folder = "vault"\n')
    assert audit_archives(config, {}) == tmp_path / "vault"
    config.write_text("[audit]\nkeep_days = 0\n")
    with pytest.raises(ConfigError, match="keep_days"):
        audit_archives(config, {})
