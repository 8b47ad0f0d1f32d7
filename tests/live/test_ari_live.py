# SPDX-License-Identifier: Apache-2.0
"""Recordings of ARI applications on real Asterisks, judged by their files and by ARI itself."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from bridges.asterisk.ari import Ari
from bridges.asterisk.ways.way import WayState
from bridges.model import Outcome, Verb
from bridges.shared.http_line import basic
from lab.pbx.cuttable_link import CuttableLink
from lab.pbx_with_phones import ARI_SECRET, PbxWithPhones
from lab.site import LabSite
from offrecord import journal
from offrecord.journal import StoredRecord
from tests.kits.ari_kit import SiteApp, account, bench, in_bridge, until_known
from tests.kits.live_kit import SiteMaker
from tests.kits.ways_live import LOCAL, by_socket, detail, evidence

PbxOf = Callable[[str], PbxWithPhones]
both = pytest.mark.parametrize("release", ["16", "22"])


@both
async def test_a_recorded_bridge_is_stopped_and_read_back(release: str, pbx_of: PbxOf) -> None:
    lab = pbx_of(release)
    async with bench(lab) as here, SiteApp(lab) as app, account(lab.ari_port) as ari:
        one, two = await here.phones_in(app, "410", "411")
        bridge = await app.bridge(one, two)
        await here.joined(one, two)
        await app.record("bridges", bridge, f"bridge-{release}")

        report, sweep = await here.order(two, Verb.STOP, ari)

        assert report.state is WayState.STOPPED, report
        assert report.count == 1
        assert f"bridge-{release}" in report.detail
        assert await app.state(f"bridge-{release}") is None
        assert not await app.grows(f"bridge-{release}", 3)
        assert any("/stop" in step.sent and "204" in step.answer for step in sweep.steps)
        assert "lab-ari" not in str(sweep.steps)
        again, _ = await here.order(two, Verb.STOP, ari)
        assert again.state is WayState.NOTHING, again


@both
async def test_a_bridge_is_paused_and_resumed(release: str, pbx_of: PbxOf) -> None:
    lab, name = pbx_of(release), f"day one/paused-{release}"
    async with bench(lab) as here, SiteApp(lab) as app, account(lab.ari_port) as ari:
        (lab.pbx.root / "spool" / "recording" / "day one").mkdir(parents=True, exist_ok=True)
        lab.pbx.share(lab.pbx.root / "spool" / "recording" / "day one")
        one, two = await here.phones_in(app, "410", "411")
        bridge = await app.bridge(one, two)
        await here.joined(one, two)
        await app.record("bridges", bridge, name)

        paused, _ = await here.order(one, Verb.PAUSE, ari)
        assert paused.state is WayState.STOPPED, paused
        assert await app.state(name) == "paused"
        assert not await app.grows(name, 3)

        resumed, _ = await here.order(one, Verb.RESUME, ari)
        assert resumed.state is WayState.RESUMED, resumed
        assert await app.state(name) == "recording"
        assert await app.grows(name)
        nothing, _ = await here.order(one, Verb.RESUME, ari)
        assert nothing.state is WayState.NOTHING, nothing


@both
async def test_a_channel_alone_and_a_snoop_of_another_application(
    release: str, pbx_of: PbxOf
) -> None:
    lab = pbx_of(release)
    alone, spied = f"alone-{release}", f"spied-{release}"
    async with (
        bench(lab) as here, SiteApp(lab) as app, SiteApp(lab, "other") as other,
        account(lab.ari_port) as ari,
    ):  # fmt: skip
        [one] = await here.phones_in(app, "410")
        await app.record("channels", one, alone)
        snoop = await other.snoop(one)
        await other.record("channels", snoop, spied)

        report, sweep = await here.order(one, Verb.STOP, ari)

        assert report.state is WayState.STOPPED, report
        assert report.count == 2
        assert alone in report.detail
        assert spied in report.detail
        assert "Snoop/" in report.detail
        assert sweep.recorded_listeners == {snoop}
        for name in (alone, spied):
            assert await app.state(name) is None
            assert not await app.grows(name, 2)


@both
async def test_a_snoop_on_a_plain_call_and_another_call_that_goes_on(
    release: str, pbx_of: PbxOf
) -> None:
    lab, spied, others = pbx_of(release), f"plain-{release}", f"others-{release}"
    async with bench(lab) as here, SiteApp(lab) as app, account(lab.ari_port) as ari:
        await here.people.call("410", "211")
        one, two = await here.channel("410"), await here.channel("411")
        await here.joined(one, two)
        plain, sweep = await here.order(one, Verb.STOP, ari)
        assert plain.state is WayState.NOTHING, plain
        assert not sweep.steps
        [other] = await here.phones_in(app, "412")
        await app.record("channels", other, others)
        await app.record("channels", await app.snoop(two), spied)

        report, _ = await here.order(one, Verb.STOP, ari)

        assert report.state is WayState.STOPPED, report
        assert await app.state(spied) is None
        assert await app.state(others) == "recording"
        assert await app.grows(others)


@both
async def test_without_an_account_what_records_is_named_with_the_fix(
    release: str, pbx_of: PbxOf
) -> None:
    lab, name = pbx_of(release), f"unasked-{release}"
    async with bench(lab) as here, SiteApp(lab) as app:
        [alone] = await here.phones_in(app, "412")
        unseen, _ = await here.order(alone, Verb.STOP, Ari())
        assert unseen.state is WayState.NOT_SEEN, unseen
        assert "[ari]" in unseen.fix
        await here.people.hang_up_all()

        one, two = await here.phones_in(app, "410", "411")
        bridge = await app.bridge(one, two)
        await here.joined(one, two)
        none, _ = await here.order(one, Verb.STOP, Ari())
        assert none.state is WayState.NOTHING, none

        await app.record("bridges", bridge, name)
        records, _ = await here.order(one, Verb.STOP, Ari())
        assert records.state is WayState.RECORDS, records
        assert "Recorder/ARI-" in records.detail
        assert "[ari]" in records.fix
        assert await app.state(name) == "recording"

        ended, _ = await here.order(one, Verb.STOP, Ari(hang_up_recorders=True))
        assert ended.state is WayState.STOPPED, ended
        assert await app.state(name) is None
        assert not await app.grows(name, 2)
        assert here.pbx.graph.channel(one) is not None


@both
async def test_a_recording_from_before_we_came_and_one_while_events_are_lost(
    release: str, pbx_of: PbxOf
) -> None:
    lab, old, new = pbx_of(release), f"before-{release}", f"lost-{release}"
    async with bench(lab) as here, SiteApp(lab) as app, CuttableLink(lab.ari_port) as wire:
        one, two = await here.phones_in(app, "410", "411")
        bridge = await app.bridge(one, two)
        await here.joined(one, two)
        await app.record("bridges", bridge, old)
        async with account(wire.port) as ari:
            report, _ = await here.order(one, Verb.STOP, ari)
            assert report.state is WayState.STOPPED, report
            assert await app.state(old) is None

            assert ari.recordings is not None
            await wire.cut()
            await until_known(ari.recordings, known=False)
            await app.record("bridges", bridge, new)
            failed, _ = await here.order(one, Verb.STOP, ari)
            assert failed.state is WayState.RECORDS, failed
            assert await app.state(new) == "recording"

            await wire.mend()
            await until_known(ari.recordings)
            report, _ = await here.order(one, Verb.STOP, ari)
            assert report.state is WayState.STOPPED, report
            assert await app.state(new) is None


@both
async def test_an_account_that_may_only_read_stops_nothing(release: str, pbx_of: PbxOf) -> None:
    lab, name = pbx_of(release), f"read-{release}"
    async with bench(lab) as here, SiteApp(lab) as app:
        one, two = await here.phones_in(app, "410", "411")
        bridge = await app.bridge(one, two)
        await here.joined(one, two)
        await app.record("bridges", bridge, name)
        async with account(lab.ari_port, user="reader", known=False) as ari:
            refused, _ = await here.order(one, Verb.STOP, ari)
            assert refused.state is WayState.RECORDS, refused
            assert "read_only" in refused.fix
            assert await app.state(name) == "recording"


@both
async def test_two_daemons_with_one_name_lose_no_recording(release: str, pbx_of: PbxOf) -> None:
    """The second connection takes the events; the first one asks by requests instead."""
    lab, name = pbx_of(release), f"twice-{release}"
    async with bench(lab) as here, SiteApp(lab) as app:
        one, two = await here.phones_in(app, "410", "411")
        bridge = await app.bridge(one, two)
        await here.joined(one, two)
        async with account(lab.ari_port) as first, account(lab.ari_port):
            assert first.recordings is not None
            await until_known(first.recordings, known=False)
            await app.record("bridges", bridge, name)
            report, _ = await here.order(one, Verb.STOP, first)
            assert report.state is WayState.STOPPED, report
            assert await app.state(name) is None


# by the daemon

ALONE = {**LOCAL, "press": {"join_window": 0}}
"""A site without another recorder, where two stops are two presses."""


def with_account(release: str, site: SiteMaker, folder: Path) -> LabSite:
    """Return a site that has an ARI account, not open yet."""
    secret = folder / "ari.secret"
    secret.write_text(ARI_SECRET)
    secret.chmod(0o600)
    asterisks = site(release).asterisks
    ari = {"url": f"http://127.0.0.1:{asterisks.ari_port}", "username": "offrecord",
           "secret": {"file": str(secret)}}  # fmt: skip
    folder = str(asterisks.pbx.root / "spool" / "recording")
    watched = {"folders": [folder]}
    return site(release, more={**ALONE, "ari": ari, "witness": watched})


@both
async def test_a_press_with_the_account_and_the_daemon_restarted(
    release: str, site: SiteMaker, tmp_path: Path
) -> None:
    name = f"pressed-{release}"
    here = with_account(release, site, tmp_path)
    async with here, SiteApp(here.asterisks) as app:
        uniqueid, bridge = await in_bridge(here, app)
        await app.record("bridges", bridge, name)
        told = await by_socket(here, "stop", uniqueid)
        assert (told["outcome"], evidence(told)) == (Outcome.CONFIRMED, "L4"), told
        assert name in detail(told)
        assert await app.state(name) is None
        again = await by_socket(here, "stop", uniqueid)
        assert (again["outcome"], evidence(again)) == (Outcome.NOTHING_TO_STOP, "L4"), again

        await here.daemon.stop()
        await app.record("bridges", bridge, f"{name}-again")
        await here.daemon.start()
        await here.known()
        # the stop is still in force: nobody has to press
        await until_state(app, f"{name}-again", None)
        none = await by_socket(here, "stop", uniqueid)
        assert (none["outcome"], evidence(none)) == (Outcome.NOTHING_TO_STOP, "L4"), none
        assert not await app.grows(f"{name}-again", 2)
        assert ARI_SECRET not in here.daemon.log.read_text()
        assert basic("offrecord", ARI_SECRET).split()[1] not in here.daemon.log.read_text()


@both
async def test_a_press_without_the_account_fails_with_the_fix(
    release: str, site: SiteMaker
) -> None:
    name = f"failed-{release}"
    async with site(release, more=ALONE) as here, SiteApp(here.asterisks) as app:
        uniqueid, bridge = await in_bridge(here, app)
        none = await by_socket(here, "stop", uniqueid)
        assert (none["outcome"], evidence(none)) == (Outcome.NOTHING_TO_STOP, "L4"), none
        await app.record("bridges", bridge, name)
        told = await by_socket(here, "stop", uniqueid)
        assert told["outcome"] == Outcome.FAILED, told
        assert "Recorder/ARI-" in detail(told)
        assert "[ari]" in detail(told)
        assert await app.state(name) == "recording"


@both
async def test_a_recording_that_starts_under_a_stop_or_a_pause_is_silenced_again(
    release: str, site: SiteMaker, tmp_path: Path
) -> None:
    here = with_account(release, site, tmp_path)
    async with here, SiteApp(here.asterisks) as app:
        uniqueid, bridge = await in_bridge(here, app)
        paused = await by_socket(here, "pause", uniqueid)
        await app.ask("POST", f"/bridges/{bridge}/record", name=f"late-{release}", format="wav")
        await until_state(app, f"late-{release}", "paused")
        assert not await app.grows(f"late-{release}", 3)
        assert here.daemon.logged("witness_watches")
        assert "taken_back" not in await kinds(here, paused["press"])
        assert await reasons(here, paused["press"]) == {"RecordingStarted"}

        stopped = await by_socket(here, "stop", uniqueid)
        assert stopped["outcome"] == Outcome.CONFIRMED, stopped
        assert await app.state(f"late-{release}") is None
        await app.ask("POST", f"/bridges/{bridge}/record", name=f"new-{release}", format="wav")
        await until_state(app, f"new-{release}", None)
        snoop = await app.snoop(uniqueid)
        await app.entered(snoop)
        heard = f"overheard-{release}"
        await app.ask("POST", f"/channels/{snoop}/record", name=heard, format="wav")
        await until_state(app, heard, None)
        for name in (f"new-{release}", heard):
            async with asyncio.timeout(5):
                while name not in await results(here, stopped["press"]):
                    await asyncio.sleep(0.05)


async def until_state(app: SiteApp, name: str, state: str | None) -> None:
    """Wait until ARI says so of a recording."""
    async with asyncio.timeout(5):
        while await app.state(name) != state:
            await asyncio.sleep(0.02)


async def kinds(here: LabSite, press: str) -> set[str]:
    """Return the kinds of the records of a press."""
    found = await asyncio.to_thread(journal.show, here.daemon.journal, press)
    return {one.kind for one in found}


async def reapplied(here: LabSite, press: str) -> list[StoredRecord]:
    """Return the records of a press's order that was sent again."""
    found = await asyncio.to_thread(journal.show, here.daemon.journal, press)
    return [one for one in found if one.kind == "reapplied"]


async def reasons(here: LabSite, press: str) -> set[str]:
    """Return why the order of a press was sent again."""
    return {str(one.body["why"]) for one in await reapplied(here, press)}


async def results(here: LabSite, press: str) -> str:
    """Return what came of each time that the order of a press was sent again."""
    return " ".join(str(one.body["results"]) for one in await reapplied(here, press))
