# SPDX-License-Identifier: Apache-2.0
"""Every way to record, on calls that the daemon has lost sight of: restarted, or its link cut.

The recording begins before that, or while the link is cut. Whether it goes on is judged by its
file, and by ARI's own answers.
"""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bridges.model import Outcome
from lab.pbx.audio import heard
from lab.pbx_with_phones import TONES, is_event
from lab.site import LabSite, Talk
from tests.kits.ari_kit import SiteApp, ari_table, in_bridge
from tests.kits.forget_kit import forgetful, forgotten
from tests.kits.live_kit import SiteMaker
from tests.kits.pace import in_time
from tests.kits.waiting import eventually
from tests.kits.ways_live import LOCAL, WRITES_EACH, by_socket, detail, evidence, grown, still, wav

CALLER = TONES["410"]
NOTHING_LEFT = (Outcome.CONFIRMED, "L4")
both = pytest.mark.parametrize("release", ["22", "16"])
with_ari_or_without = pytest.mark.parametrize("ari", [True, False], ids=["ari", "no ari"])


async def monitor(here: LabSite, uniqueid: str) -> list[Path]:
    """Begin a Monitor on a channel; return its files."""
    name = f"lost-{uniqueid}"
    mark = len(here.pbx.events)
    await here.pbx.action("Monitor", Channel=uniqueid, File=name, Format="wav")
    await here.pbx.wait_for(is_event("MonitorStart", Uniqueid=uniqueid), since=mark)
    return [wav(here, f"{name}-{way}.wav") for way in ("in", "out")]


async def mixmonitors(here: LabSite, uniqueid: str, number: int) -> list[Path]:
    """Begin so many MixMonitors on a channel; return their files."""
    names = [f"lost-{uniqueid}-{one}.wav" for one in range(number)]
    for name in names:
        mark = len(here.pbx.events)
        await here.pbx.action("MixMonitor", Channel=uniqueid, File=name)
        await here.pbx.wait_for(is_event("MixMonitorStart", Uniqueid=uniqueid), since=mark)
    return [wav(here, name) for name in names]


async def takes_voice(*files: Path) -> None:
    """Wait until every file has had a block of voice."""
    await eventually(lambda: all(one.is_file() and one.stat().st_size > 4000 for one in files))


def said(told: dict[str, Any]) -> tuple[str, str]:
    return told["outcome"], evidence(told)


@forgotten
async def test_a_monitor_beside_a_mixmonitor(site: SiteMaker, how: str) -> None:
    async with forgetful(site, "16", LOCAL) as (here, forget):
        talk = await here.talk("211")
        uniqueid, files = talk.calling["Uniqueid"], []

        async def begin() -> None:
            files.extend(await monitor(here, uniqueid) + await mixmonitors(here, uniqueid, 1))
            await takes_voice(*files)

        await forget(how, begin)
        told = await by_socket(here, "stop", talk.answering["Uniqueid"])

        assert said(told) == NOTHING_LEFT, told
        assert detail(told) == "1 MixMonitor and 1 Monitor stopped, none left on 2 channels"
        assert await still(*files)


@forgotten
@pytest.mark.parametrize("leg", ["calling", "answering"])
async def test_a_monitor_alone(site: SiteMaker, leg: str, how: str) -> None:
    async with forgetful(site, "16", LOCAL) as (here, forget):
        talk: Talk = await here.talk("211")
        files: list[Path] = []

        async def begin() -> None:
            files.extend(await monitor(here, getattr(talk, leg)["Uniqueid"]))
            await takes_voice(*files)

        await forget(how, begin)
        told = await by_socket(here, "stop", talk.calling["Uniqueid"])

        assert said(told) == NOTHING_LEFT, told
        assert detail(told) == "1 Monitor stopped, none left on 2 channels"
        assert await still(*files)


@both
@forgotten
@with_ari_or_without
async def test_a_recording_of_a_bridge_by_ari(
    site: SiteMaker, tmp_path: Path, release: str, how: str, *, ari: bool
) -> None:
    more = more_of(site, release, tmp_path, ari=ari)
    name = f"lost-bridge-{release}-{how}-{ari}"
    async with forgetful(site, release, more) as (here, forget), SiteApp(here.asterisks) as app:
        uniqueid, bridge = await in_bridge(here, app)
        await forget(how, lambda: app.record("bridges", bridge, name))
        told = await by_socket(here, "stop", uniqueid)

        await judged(app, name, told, stopped=ari)
        assert (name if ari else "Recorder/ARI-") in detail(told)


@both
@forgotten
@with_ari_or_without
async def test_a_recording_of_a_channel_alone_by_ari(
    site: SiteMaker, tmp_path: Path, release: str, how: str, *, ari: bool
) -> None:
    more = more_of(site, release, tmp_path, ari=ari)
    name = f"lost-alone-{release}-{how}-{ari}"
    async with forgetful(site, release, more) as (here, forget), SiteApp(here.asterisks) as app:
        await here.people.call("410", "907")
        [row] = await here.pbx.channels()
        uniqueid = row["Uniqueid"]
        await app.entered(uniqueid)
        await forget(how, lambda: app.record("channels", uniqueid, name))
        told = await by_socket(here, "stop", uniqueid)

        await judged(app, name, told, stopped=ari)
        assert (name if ari else "cannot be seen") in detail(told)


@both
@forgotten
@with_ari_or_without
async def test_a_recording_of_a_snoop_on_a_plain_call(
    site: SiteMaker, tmp_path: Path, release: str, how: str, *, ari: bool
) -> None:
    more = more_of(site, release, tmp_path, ari=ari)
    name = f"lost-snoop-{release}-{how}-{ari}"
    async with forgetful(site, release, more) as (here, forget), SiteApp(here.asterisks) as app:
        talk = await here.talk("211")

        async def begin() -> None:
            await app.record("channels", await app.snoop(talk.answering["Uniqueid"]), name)

        await forget(how, begin)
        told = await by_socket(here, "stop", talk.calling["Uniqueid"])

        await judged(app, name, told, stopped=ari)
        assert (name if ari else "listens by a snoop of ARI") in detail(told)


def more_of(site: SiteMaker, release: str, folder: Path, *, ari: bool) -> dict[str, Any]:
    """Return the configuration of a site with the PBX's recorder alone, with `[ari]` or without."""
    if not ari:
        return LOCAL
    here: LabSite = site(release)
    return {**LOCAL, "ari": ari_table(here.asterisks, folder)}


async def judged(app: SiteApp, name: str, told: dict[str, Any], *, stopped: bool) -> None:
    """Assert that a verdict is true of an ARI recording: proven when it ended, else `failed`."""
    if stopped:
        assert said(told) == NOTHING_LEFT, told
        assert await app.state(name) is None
        assert not await app.grows(name, 2 * WRITES_EACH)
    else:
        assert told["outcome"] == Outcome.FAILED, told
        assert await app.state(name) == "recording"
        assert await app.grows(name, in_time(2 * WRITES_EACH))


@both
@forgotten
@pytest.mark.parametrize("taps", [{}, {"on_stop": "hangup"}], ids=["unnamed", "hung up"])
async def test_a_spy_that_records(
    site: SiteMaker, release: str, how: str, taps: dict[str, str]
) -> None:
    async with forgetful(site, release, {**LOCAL, "taps": taps}) as (here, forget):
        folder, files = here.asterisks.pbx.monitor, []
        for old in folder.glob("spy-411*"):
            old.unlink()
        talk = await here.talk("211")

        async def begin() -> None:
            mark = len(here.pbx.events)
            await here.pbx.action(
                "Originate", Channel=f"{here.asterisks.technology}/412", Priority="1",
                Context="lab-supervisors", Exten="6411", Async="true", Timeout="20000",
            )  # fmt: skip
            await here.pbx.wait_for(is_event("ChanSpyStart"), since=mark)
            files.extend(await eventually(lambda: list(folder.glob("spy-411*"))))
            await takes_voice(*files)

        await forget(how, begin)
        told = await by_socket(here, "stop", talk.calling["Uniqueid"])

        assert f"{here.asterisks.technology}/412" in detail(told)
        if taps:
            assert said(told) == NOTHING_LEFT, told
            assert await still(*files)
        else:
            assert told["outcome"] == Outcome.FAILED, told
            assert min(await grown(*files)) > 0


@both
@forgotten
async def test_record_on_a_call_of_one_channel(site: SiteMaker, release: str, how: str) -> None:
    async with forgetful(site, release, LOCAL) as (here, forget):
        file = wav(here, "lost-record.wav")
        file.unlink(missing_ok=True)
        inside = f"{here.asterisks.pbx.inside}/spool/monitor/{file.name}"

        async def begin() -> None:
            await here.pbx.action(
                "Originate", Channel=f"{here.asterisks.technology}/410", Application="Record",
                Data=f"{inside},0,100,q", Async="true", Timeout="20000",
            )  # fmt: skip
            await takes_voice(file)

        await forget(how, begin)
        [row] = await here.pbx.channels()
        told = await by_socket(here, "stop", row["Uniqueid"])

        assert told["outcome"] == Outcome.FAILED, told
        assert "(410) is in Record(): a press cannot stop it" in detail(told)
        assert min(await grown(file)) > 0


@both
@forgotten
async def test_the_mix_of_a_conference(site: SiteMaker, release: str, how: str) -> None:
    async with forgetful(site, release, LOCAL) as (here, forget):
        folder, files, rows = here.asterisks.pbx.monitor, [], []
        for old in folder.glob("lab-conference*.wav"):
            old.unlink()

        async def begin() -> None:
            for phone in ("410", "411"):
                mark = len(here.pbx.events)
                await here.people.call(phone, "901")
                rows.append((await here.pbx.wait_for(is_event("ConfbridgeJoin"), since=mark))[1])
            files.extend(await eventually(lambda: list(folder.glob("lab-conference*.wav"))))
            files.extend(wav(here, f"{row['Uniqueid']}.wav") for row in rows)
            await takes_voice(*files)

        await forget(how, begin)
        told = await by_socket(here, "stop", rows[0]["Uniqueid"])

        assert said(told) == NOTHING_LEFT, told
        assert detail(told).startswith("2 MixMonitors and 1 conference mix stopped, none left on 2")
        assert await still(*files)


@forgotten
async def test_a_pause_of_two_of_which_one_is_muted_already(site: SiteMaker, how: str) -> None:
    async with forgetful(site, "22", LOCAL) as (here, forget):
        talk = await here.talk("211")
        uniqueid, files = talk.calling["Uniqueid"], []

        async def begin() -> None:
            files.extend(await mixmonitors(here, uniqueid, 2))
            listed = await here.pbx.action("Command", Command=f"mixmonitor list {uniqueid}")
            ident = "0x" + str(listed).partition("0x")[2].partition("\\t")[0].strip(" ',\"")
            await here.pbx.action(
                "MixMonitorMute", Channel=uniqueid, Direction="both", State="1", MixMonitorID=ident
            )
            await here.pbx.wait_for(is_event("MixMonitorMute"))
            await takes_voice(*files)

        await forget(how, begin)
        told = await by_socket(here, "pause", uniqueid)
        await is_silent_from_now_on(here, files, told)


@forgotten
async def test_a_pause_of_two_on_an_old_asterisk(site: SiteMaker, how: str) -> None:
    async with forgetful(site, "16", LOCAL) as (here, forget):
        talk = await here.talk("211")
        uniqueid, files = talk.calling["Uniqueid"], []

        async def begin() -> None:
            files.extend(await mixmonitors(here, uniqueid, 2))
            await takes_voice(*files)

        await forget(how, begin)
        told = await by_socket(here, "pause", uniqueid)

        assert "stopped instead of paused" in detail(told)
        await is_silent_from_now_on(here, files, told)


async def is_silent_from_now_on(here: LabSite, files: list[Path], told: dict[str, Any]) -> None:
    """Assert that a pause is proven, and that no file has voice in its last second after 6 s."""
    assert said(told) == NOTHING_LEFT, told
    before = [one.stat().st_size for one in files]
    await asyncio.sleep(6)
    await here.people.hang_up_all()
    await asyncio.sleep(0.5)
    for file, size in zip(files, before, strict=True):
        if file.stat().st_size - size > 64_000:
            assert sum(heard(file, CALLER)[-40:]) == 0, file
        else:
            assert "stopped" in detail(told), f"{file} was stopped, and nobody said that"
