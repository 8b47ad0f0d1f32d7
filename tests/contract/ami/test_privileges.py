# SPDX-License-Identifier: Apache-2.0
"""What the AMI account may do: each lack named with its cure, each excess with its risk."""

from collections.abc import Callable

import pytest

from ami.pbx import Pbx
from ami.settings import AmiSettings
from tests.kits.ami_client import following
from tests.kits.ami_peer import AmiPeer
from tests.kits.waiting import eventually, patience


async def privileged(settings: AmiSettings, ready: Callable[[Pbx], object]) -> Pbx:
    async with following(settings, known=False) as pbx:
        await eventually(lambda: ready(pbx))
    return pbx


async def test_an_account_with_just_the_right_privileges_lacks_nothing() -> None:
    async with AmiPeer(read="call,dtmf,user", write="call,reporting") as peer:
        settings = peer.settings(probe_timeout=0.05, keypad=True, user_events=True)
        async with following(settings) as pbx:
            report = await pbx.wait_privileges(5)
        assert report is not None
        assert (report.missing, report.excessive, report.not_loaded) == ((), (), ())
        assert {each.privilege for each in report.unchecked} == {"dtmf", "user"}
        assert pbx.missing_privileges == ()


@pytest.mark.parametrize(
    ("read", "write", "missing"),
    [
        ("dtmf,user", "call,reporting", {"read=call"}),
        ("call,dtmf", "call,reporting,user", {"read=user"}),
        ("call,user", "call,reporting,command", {"read=dtmf"}),
        ("call,dtmf,user", "reporting", {"write=call"}),
        ("call,dtmf,user", "call", {"write=reporting"}),
        ("dtmf,user", "call,command", {"read=call", "write=reporting"}),
    ],
)
async def test_each_missing_privilege_is_named_with_its_use_and_the_line_that_grants_it(
    read: str,
    write: str,
    missing: set[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with AmiPeer(read=read, write=write) as peer:
        settings = peer.settings(probe_timeout=0.05, keypad=True, user_events=True)
        pbx = await privileged(settings, lambda p: p.privileges)
        found = pbx.missing_privileges
        assert pbx.privileges is not None
        assert pbx.privileges.not_loaded == ()
        assert {f"{each.direction}={each.privilege}" for each in found} == missing
        lines = {"read": "read = call,dtmf,user", "write": "write = call,reporting"}
        for each in found:
            assert each.line == lines[each.direction]
            assert each.needed_for in str(each)
            assert str(each) in caplog.text


async def test_privileges_beyond_need_are_named_with_their_risk() -> None:
    write = "call,reporting,system,command,config,originate"
    async with AmiPeer(write=write) as peer:
        pbx = await privileged(peer.settings(), lambda p: p.privileges)
        assert pbx.privileges is not None
        excessive = {each.privilege: each.risk for each in pbx.privileges.excessive}
        assert set(excessive) == {"system", "command", "config", "originate"}
        assert all(excessive.values())


async def test_the_system_class_is_expected_where_recordings_are_to_be_started() -> None:
    async with AmiPeer(write="call,reporting") as peer:
        settings = peer.settings(start_recordings=True)
        pbx = await privileged(settings, lambda p: p.privileges)
        assert [str(each.privilege) for each in pbx.missing_privileges] == ["system"]
    async with AmiPeer(write="call,reporting,system") as peer:
        settings = peer.settings(start_recordings=True)
        pbx = await privileged(settings, lambda p: p.privileges)
        assert pbx.privileges is not None
        assert pbx.privileges.missing == ()
        assert pbx.privileges.not_loaded == ()
        assert pbx.privileges.excessive == ()


async def test_a_module_not_loaded_yet_is_no_missing_privilege_and_is_looked_at_again() -> None:
    modules = ["StopMixMonitor", "MixMonitorMute"]
    async with AmiPeer(unloaded=modules) as peer, following(peer.settings()) as pbx:
        await eventually(lambda: pbx.privileges)
        assert pbx.privileges is not None
        assert pbx.privileges.not_loaded == tuple(modules)
        assert pbx.missing_privileges == ()
        peer.unloaded.clear()
        peer.read.append("system")
        peer.event("FullyBooted", "Status: Fully Booted\r\n", "system")
        await eventually(lambda: pbx.privileges and not pbx.privileges.not_loaded)


async def test_a_view_that_no_events_keep_is_not_said_to_be_known() -> None:
    async with AmiPeer(read="dtmf,user") as peer:
        peer.add("SIP/410-00000001", "1.1")
        settings = peer.settings(probe_timeout=0.02)
        async with following(settings) as pbx:
            await eventually(lambda: pbx.missing_privileges)
            assert not pbx.graph.known
            peer.session.cut()
            await eventually(lambda: pbx.link.logins == 2)
            assert not await pbx.wait_known(0.05)
            peer.read.append("call")
            peer.session.cut()
            await eventually(lambda: pbx.link.logins == 3)
            assert await pbx.wait_known(patience())
            assert pbx.graph.channel("1.1") is not None


async def test_an_account_that_was_not_checked_is_not_said_to_be_enough() -> None:
    async with AmiPeer() as peer:
        peer.on("ListCommands", None)
        async with following(peer.settings(), known=False) as pbx:
            assert await pbx.wait_privileges(0.02) is None
