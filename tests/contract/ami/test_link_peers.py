# SPDX-License-Identifier: Apache-2.0
"""The AMI link and who is at the other end: the secret goes to the PBX meant and to nobody else."""

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from ami.errors import AmiInsecure, AmiUnreachable, AmiUntrusted
from ami.link.connect import guard_secret
from ami.link.supervisor import LinkState
from ami.settings import AmiSettings
from bridges.simulators import certificates
from tests.kits.ami_client import Client, client, connected, failed
from tests.kits.ami_peer import SECRET, AmiPeer
from tests.kits.waiting import eventually


async def test_what_greets_as_something_else_is_told_and_given_no_secret() -> None:
    async with AmiPeer() as peer:
        peer.greeting = "SSH-2.0-OpenSSH_9.2"
        async with client(peer.settings(), wait=False) as it:
            await eventually(lambda: it.link.problem)
            assert isinstance(it.link.problem, AmiUnreachable)
            assert it.link.problem.code == "ami.not_ami"
            assert "SSH-2.0" in str(it.link.problem)
        assert peer.received == []


async def test_what_says_nothing_is_told_and_given_no_secret() -> None:
    async with AmiPeer() as peer:
        peer.greet = False
        async with client(peer.settings(connect_timeout=0.01), wait=False) as it:
            await eventually(lambda: it.link.problem)
            assert it.link.problem is not None
            assert it.link.problem.code == "ami.not_ami"
        assert peer.received == []


async def test_what_hangs_up_without_a_greeting_is_told() -> None:
    async with AmiPeer() as peer:
        peer.greet = False
        async with client(peer.settings(), wait=False) as it:
            await peer.until(lambda: peer.sessions)
            peer.session.cut()
            await eventually(lambda: it.link.problem)
            assert it.link.problem is not None
            assert it.link.problem.code == "ami.not_ami"


async def test_a_greeting_that_comes_in_pieces_is_a_greeting() -> None:
    async with AmiPeer() as peer:
        peer.greet = False
        async with client(peer.settings(), wait=False) as it:
            await peer.until(lambda: peer.sessions)
            for byte in f"{peer.greeting}\r\n":
                peer.session.send(byte)
                await asyncio.sleep(0)
            await connected(it.link)


async def test_plain_tcp_to_another_host_is_refused_before_any_connection() -> None:
    it = Client(AmiSettings("u", SECRET, host="192.0.2.1"))
    with pytest.raises(AmiInsecure) as caught:
        await it.task
    assert "allow_plain_tcp" in caught.value.fix
    assert it.link.state is LinkState.REFUSED


async def test_plain_tcp_to_another_host_is_tried_when_told_to() -> None:
    settings = AmiSettings(
        "u", SECRET, host="192.0.2.1", allow_plain_tcp=True, connect_timeout=0.01
    )
    async with client(settings, wait=False) as it:
        await eventually(lambda: it.link.problem)
        assert isinstance(it.link.problem, AmiUnreachable)


@pytest.mark.parametrize(
    ("reached", "changes", "safe"),
    [
        ("127.0.0.1", {}, True),
        ("::1", {}, True),
        ("10.0.0.5", {}, False),
        ("pbx.example", {}, False),
        ("10.0.0.5", {"tls": True}, True),
        ("10.0.0.5", {"allow_plain_tcp": True}, True),
    ],
)
def test_a_name_that_led_off_this_machine_gets_the_secret_only_by_tls_or_when_told(
    reached: str, changes: dict[str, bool], safe: bool
) -> None:
    settings = AmiSettings("u", SECRET, host="pbx", **changes)  # type: ignore[arg-type]
    with nullcontext() if safe else pytest.raises(AmiInsecure):
        guard_secret(settings, reached)


async def test_a_name_that_leads_to_this_machine_is_connected_to() -> None:
    async with AmiPeer() as peer, client(peer.settings(host="localhost")) as it:
        assert (await it.link.action("Ping")).ok


@pytest.mark.parametrize(
    ("host", "said"), [("no-such-host.invalid", "is not found"), ("127.0.0.1", "refuses")]
)
async def test_an_address_that_leads_nowhere_is_named(host: str, said: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with client(AmiSettings("u", "s", host=host, port=port), wait=False) as it:
        await eventually(lambda: it.link.problem)
        assert isinstance(it.link.problem, AmiUnreachable)
        assert said in str(it.link.problem)
        assert f"{host}:{port}" in str(it.link.problem)


@pytest.fixture
def issued(tmp_path: Path) -> Callable[..., certificates.Certificates]:
    """Return what makes a server's certificate, and the authority that signed it."""
    return lambda name, days=1: certificates.issue(tmp_path, (name,), days=days)


@contextmanager
def quiet() -> Iterator[None]:
    """Let the peer's side of a failed handshake end without a word."""
    logger = logging.getLogger("asyncio")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


async def test_a_trusted_certificate_with_the_right_name_lets_the_link_up(
    issued: Callable[..., certificates.Certificates],
) -> None:
    made = issued("pbx.lab")
    async with AmiPeer(tls=made.server_context()) as peer:
        settings = peer.settings(tls=True, ca_file=made.ca_file, server_hostname="pbx.lab")
        async with client(settings) as it:
            assert (await it.link.action("Ping")).ok
            peer.session.cut()
            await eventually(lambda: it.link.logins == 2)


@pytest.mark.parametrize(
    ("name", "days", "trusted", "said"),
    [
        ("pbx.lab", 1, False, "ca_file"),
        ("other.lab", 1, True, "server_hostname"),
        ("pbx.lab", -1, True, "renew"),
    ],
)
async def test_a_certificate_that_does_not_hold_is_told_apart_and_gets_no_secret(
    issued: Callable[..., certificates.Certificates], name: str, days: int, trusted: bool, said: str
) -> None:
    made = issued(name, days)
    with quiet():
        async with AmiPeer(tls=made.server_context()) as peer:
            file = made.ca_file if trusted else None
            settings = peer.settings(tls=True, ca_file=file, server_hostname="pbx.lab")
            async with client(settings, wait=False) as it:
                await eventually(lambda: it.link.problem)
                assert isinstance(it.link.problem, AmiUntrusted)
                assert said in it.link.problem.fix
            assert peer.received == []


async def test_an_authority_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    for file in (tmp_path / "absent.pem", tmp_path / "empty.pem"):
        async with client(AmiSettings("u", "s", tls=True, ca_file=file), wait=False) as it:
            await failed(it.link)
            assert isinstance(it.link.problem, AmiUntrusted)
            assert str(file) in str(it.link.problem)


async def test_tls_to_a_plain_port_is_told() -> None:
    async with AmiPeer() as peer, client(peer.settings(tls=True), wait=False) as it:
        await eventually(lambda: it.link.problem)
        assert isinstance(it.link.problem, AmiUnreachable)
        assert not isinstance(it.link.problem, AmiUntrusted)
        assert "does not speak TLS" in str(it.link.problem)


async def test_plain_tcp_to_a_tls_port_is_told(
    issued: Callable[..., certificates.Certificates],
) -> None:
    with quiet():
        async with (
            AmiPeer(tls=issued("localhost").server_context()) as peer,
            client(peer.settings(connect_timeout=0.05), wait=False) as it,
        ):
            await eventually(lambda: it.link.problem)
            assert it.link.problem is not None
            assert "set ami.tls" in it.link.problem.fix
