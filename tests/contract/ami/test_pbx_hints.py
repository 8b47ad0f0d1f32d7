# SPDX-License-Identifier: Apache-2.0
"""The PBX's hints name the owners of devices, and a PBX that tells none is known all the same."""

import asyncio

import pytest

from ami.calls.channel_names import Rules
from ami.calls.graph import CallGraph
from ami.errors import AmiTimeout
from ami.pbx import Pbx
from tests.kits.ami_client import following
from tests.kits.ami_peer import Action, AmiPeer, PeerSession
from tests.kits.waiting import eventually, patience

ROWS = [
    "Exten: 470\r\nContext: phones\r\nHint: PJSIP/fred&Custom:DND470\r\nStatus: 0\r\n",
    "Exten: *80470\r\nContext: phones\r\nHint: PJSIP/fred\r\nStatus: 0\r\n",
]


def grant(peer: AmiPeer) -> None:
    """Have the peer list the action among those allowed, as it does with read=call."""

    def commands(session: PeerSession, action: Action) -> bytes:
        said = peer._on_listcommands(session, action) or b""
        return said + b"ExtensionStateList: List states.  (Priv: call,reporting,all)\r\n"

    peer.on("ListCommands", commands)


def tell(peer: AmiPeer, rows: list[str]) -> None:
    grant(peer)
    peer.on(
        "ExtensionStateList",
        lambda _session, action: peer.listing(action, "will follow", "ExtensionStatus", rows),
    )


def extension(pbx: Pbx, uniqueid: str) -> str | None:
    channel = pbx.graph.channel(uniqueid)
    return channel.extension if channel else None


async def test_a_device_that_is_not_named_after_its_extension_is_found_by_its_hint() -> None:
    async with AmiPeer() as peer:
        tell(peer, ROWS)
        peer.add("PJSIP/fred-00000001", "1.1")
        async with following(peer.settings()) as pbx:
            assert extension(pbx, "1.1") == "470"
            peer.add("PJSIP/fred-00000002", "1.2")
            await eventually(lambda: extension(pbx, "1.2") == "470")


async def test_hints_are_read_again_after_a_reconnect() -> None:
    async with AmiPeer() as peer:
        tell(peer, ROWS)
        peer.add("PJSIP/fred-00000001", "1.1")
        async with following(peer.settings()) as pbx:
            tell(peer, [ROWS[0].replace("Exten: 470", "Exten: 479")])
            peer.session.cut()
            await eventually(lambda: pbx.graph.known and extension(pbx, "1.1") == "479")


async def test_configured_names_stay_and_go_before_the_hints() -> None:
    async with AmiPeer() as peer:
        tell(peer, ROWS)
        peer.add("PJSIP/fred-00000001", "1.1")
        rules = Rules(endpoints={"PJSIP/fred": "430"})
        pbx = Pbx(peer.settings(), graph=CallGraph(rules))
        running = asyncio.create_task(pbx.run())
        assert await pbx.wait_known(patience())

        assert extension(pbx, "1.1") == "430"
        assert pbx.graph.rules.hints == {"pjsip/fred": "470"}
        await pbx.close()
        await running


async def test_a_pbx_that_refuses_to_list_hints_is_known_without_them() -> None:
    async with AmiPeer() as peer:
        grant(peer)
        peer.on("ExtensionStateList", "Response: Error\r\nMessage: Permission denied\r\n")
        peer.add("PJSIP/410-00000001", "1.1")
        async with following(peer.settings()) as pbx:
            assert "ExtensionStateList" in peer.names()
            assert extension(pbx, "1.1") == "410"


async def test_an_account_that_may_not_list_hints_does_not_ask() -> None:
    async with AmiPeer() as peer, following(peer.settings()):
        assert "ExtensionStateList" not in peer.names()


async def test_the_deadline_of_an_action_is_the_configured_one() -> None:
    async with AmiPeer() as peer, following(peer.settings(action_timeout=0.05)) as pbx:
        peer.on("Getvar", None)
        with pytest.raises(AmiTimeout, match=r"within 0\.05 s"):
            await pbx.getvar("1.1", "AGENT")
        with pytest.raises(AmiTimeout, match=r"within 0\.05 s"):
            await pbx.action("Getvar")
