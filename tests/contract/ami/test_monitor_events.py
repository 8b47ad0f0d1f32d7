# SPDX-License-Identifier: Apache-2.0
"""Whether the PBX tells of MixMonitors: found out after each login, and by our own stops."""

import pytest

from ami import recording_actions
from ami.pbx import Pbx
from tests.kits.ami_client import counts, eventually, following
from tests.kits.ami_peer import AmiPeer

FILTER = "AST_CONFIG(manager.conf,offrecord,eventfilter,{})"


async def judged(pbx: Pbx) -> None:
    """Return once the stops made so far have been judged: one more marker has come."""
    assert await pbx.monitor_events._marked()


async def test_a_version_without_the_events_leaves_every_count_unknown_for_good() -> None:
    async with AmiPeer(version="16.2") as peer, following(peer.settings()) as pbx:
        peer.add("SIP/410-00000001", "1.1", monitors=1)
        await eventually(lambda: counts(pbx) == {"1.1": None})
        assert pbx.monitor_events.why == "Asterisk 16.2.1 raises no events of MixMonitors"

        drained = await recording_actions.drain(pbx, "1.1")

        assert (drained.stopped, drained.proven) == (1, True)
        assert counts(pbx) == {"1.1": None}


async def test_an_eventfilter_that_hides_them_is_read_after_the_login() -> None:
    async with AmiPeer() as peer:
        peer.globals[FILTER.format(0)] = "!Event: VarSet"
        peer.globals[FILTER.format(1)] = "!Event: MixMonitor.*"
        peer.hidden = {"MixMonitor"}
        async with following(peer.settings()) as pbx:
            peer.add("SIP/410-00000001", "1.1", monitors=1)
            await eventually(lambda: counts(pbx) == {"1.1": None})
            assert "eventfilter keeps MixMonitorStart" in pbx.monitor_events.why


@pytest.mark.parametrize(
    ("hidden", "why"),
    [
        ("MixMonitor", "no MixMonitorStop came"),
        ("MixMonitorStop", "no MixMonitorStop came"),
        ("MixMonitorStart", "no MixMonitorStart had come"),
    ],
)
async def test_a_stop_of_ours_without_its_event_shows_that_none_come(
    hidden: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with AmiPeer() as peer, following(peer.settings()) as pbx:
        peer.hidden = {hidden}
        peer.add("SIP/410-00000001", "1.1", monitors=1)
        await eventually(lambda: "1.1" in counts(pbx))
        await recording_actions.drain(pbx, "1.1")
        await eventually(lambda: pbx.monitor_events.why)

        assert why in pbx.monitor_events.why
        assert why in caplog.text
        assert not pbx.graph.counts_monitors
        peer.add("SIP/411-00000002", "1.2")
        await eventually(lambda: counts(pbx) == {"1.1": None, "1.2": None})


async def test_what_was_found_stands_when_the_view_is_taken_again_and_not_after_a_login() -> None:
    async with AmiPeer() as peer, following(peer.settings()) as pbx:
        peer.hidden = {"MixMonitor"}
        peer.add("SIP/410-00000001", "1.1", monitors=1)
        await eventually(lambda: "1.1" in counts(pbx))
        await recording_actions.drain(pbx, "1.1")
        await eventually(lambda: pbx.monitor_events.why)
        pbx._on_gap("the test says so")
        assert await pbx.wait_known(5)
        assert not pbx.graph.counts_monitors

        peer.hidden = set()  # the administrator took the filter away
        peer.session.cut()
        await eventually(lambda: pbx.link.logins == 2)
        assert await pbx.wait_known(5)
        assert pbx.graph.counts_monitors
        assert not pbx.monitor_events.why


async def test_events_that_come_are_proven_by_one_stop_and_cost_no_marker_after_it() -> None:
    async with AmiPeer() as peer, following(peer.settings()) as pbx:
        peer.add("SIP/410-00000001", "1.1", monitors=1)
        await eventually(lambda: counts(pbx) == {"1.1": 1})
        for _ in range(3):
            await recording_actions.drain(pbx, "1.1")
            await judged(pbx)
            peer.start("1.1")
            await eventually(lambda: counts(pbx) == {"1.1": 1})

        assert pbx.graph.counts_monitors
        ours = [a for a in peer.received if a["Action"] == "Setvar"]
        assert len(ours) <= 4  # the three of this test, and at most one of the product's


async def test_a_recording_from_before_the_login_proves_nothing_about_its_start() -> None:
    async with AmiPeer() as peer:
        peer.add("SIP/410-00000001", "1.1", monitors=1)
        async with following(peer.settings()) as pbx:
            await recording_actions.drain(pbx, "1.1")
            await judged(pbx)
            await judged(pbx)
            assert pbx.graph.counts_monitors


async def test_without_the_marker_nothing_is_concluded() -> None:
    async with AmiPeer() as peer, following(peer.settings()) as pbx:
        peer.hidden = {"MixMonitor", "PresenceStateChange"}
        peer.on("Setvar", "Response: Error\r\nMessage: Permission denied\r\n")
        peer.add("SIP/410-00000001", "1.1", monitors=1)
        await eventually(lambda: "1.1" in counts(pbx))
        await recording_actions.drain(pbx, "1.1")
        await peer.until(lambda: "Setvar" in peer.names())
        assert not pbx.monitor_events.why


async def test_a_pbx_that_is_too_old_is_told_in_one_line_and_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    said = "Asterisk 11.25 (AMI 1.3) is not supported: 13.5 or newer is needed"
    async with AmiPeer(version="11", read="dtmf") as peer:
        peer.unloaded.add("BridgeList")
        async with following(peer.settings(probe_timeout=0.05), known=False) as pbx:
            await pbx.wait_privileges(5)
            await eventually(lambda: said in caplog.text)
            assert pbx.unsupported == said
            assert not pbx.graph.known
            assert pbx.missing_privileges == ()
            assert "BridgeList" not in peer.names()
    assert [one.message for one in caplog.records if one.levelname in {"ERROR", "WARNING"}] == [
        f"{said}, pbx=127.0.0.1:{peer.port}"
    ]
