# SPDX-License-Identifier: Apache-2.0
"""A call that is recorded in every way at once: one press, and one verdict that names each."""

from pathlib import Path
from typing import Any

import pytest

from bridges.model import Outcome
from lab.pbx_with_phones import is_event
from lab.site import LabSite
from tests.kits.ari_kit import SiteApp, ari_table, in_bridge
from tests.kits.live_kit import SiteMaker
from tests.kits.pace import in_time
from tests.kits.waiting import eventually
from tests.kits.ways_live import LOCAL, WRITES_EACH, by_socket, detail, evidence, still, wav


async def everything(here: LabSite, app: SiteApp, label: str) -> tuple[str, list[Path]]:
    """Record a call of two phones in every way; return a uniqueid and the files of its channel.

    ARI's recordings are `bridge-LABEL` and `snoop-LABEL`; 412 listens to 411 by ChanSpy.
    """
    uniqueid, bridge = await in_bridge(here, app)
    names = [f"all-{uniqueid}-{number}.wav" for number in (1, 2)]
    for name in names:
        await here.pbx.action("MixMonitor", Channel=uniqueid, File=name)
    if here.asterisks.release == "16":
        monitor = f"all-{uniqueid}-monitor"
        await here.pbx.action("Monitor", Channel=uniqueid, File=monitor, Format="wav")
        names += [f"{monitor}-{way}.wav" for way in ("in", "out")]
    await app.record("bridges", bridge, f"bridge-{label}")
    await app.record("channels", await app.snoop(uniqueid), f"snoop-{label}")
    await here.pbx.action(
        "Originate", Channel=f"{here.asterisks.technology}/412", Context="lab-supervisors",
        Exten="411", Priority="1", Async="true", Timeout="20000",
    )  # fmt: skip
    await here.pbx.wait_for(is_event("ChanSpyStart", SpyerExten="411"))
    files = [wav(here, name) for name in names]
    await eventually(lambda: all(one.is_file() and one.stat().st_size > 4000 for one in files))
    return uniqueid, files


def on_the_channel(here: LabSite) -> str:
    """Return how a verdict begins to tell what was stopped on the channel itself."""
    return "2 MixMonitors and 1 Monitor stopped" if here.asterisks.release == "16" else (
        "2 MixMonitors stopped"
    )  # fmt: skip


@pytest.mark.parametrize("release", ["22", "16"])
@pytest.mark.parametrize("named", [False, True], ids=["unnamed", "named"])
async def test_one_press_with_an_ari_account(
    site: SiteMaker, tmp_path: Path, release: str, *, named: bool
) -> None:
    bare: LabSite = site(release)
    more: dict[str, Any] = {**LOCAL, "ari": ari_table(bare.asterisks, tmp_path)}
    if named:
        more["taps"] = {"extensions": ["412"]}
    label = f"{release}-{named}"
    async with site(release, more=more) as here, SiteApp(here.asterisks) as app:
        uniqueid, files = await everything(here, app, label)
        told = await by_socket(here, "stop", uniqueid)

        if named:
            assert (told["outcome"], evidence(told)) == (Outcome.CONFIRMED, "L4"), told
        else:
            assert told["outcome"] == Outcome.FAILED, told
        said = detail(told)
        for name in (f"bridge-{label}", f"snoop-{label}"):
            assert f"ARI recording '{name}'" in said
            assert await app.state(name) is None
            assert not await app.grows(name, 2 * WRITES_EACH)
        assert on_the_channel(here) in said
        assert f"{here.asterisks.technology}/412 (412) listens by ChanSpy" in said
        assert await still(*files)


@pytest.mark.parametrize("release", ["22", "16"])
async def test_one_press_without_an_ari_account(site: SiteMaker, release: str) -> None:
    label = f"{release}-without"
    async with site(release, more=LOCAL) as here, SiteApp(here.asterisks) as app:
        uniqueid, files = await everything(here, app, label)
        told = await by_socket(here, "stop", uniqueid)

        assert told["outcome"] == Outcome.FAILED, told
        said = detail(told)
        assert on_the_channel(here) in said
        assert "records this call by ARI" in said
        assert f"Snoop/{uniqueid}-" in said
        assert "listens by a snoop of ARI" in said
        assert f"{here.asterisks.technology}/412 (412) listens by ChanSpy" in said
        assert "[ari]" in said
        assert await still(*files)
        for name in (f"bridge-{label}", f"snoop-{label}"):
            assert await app.state(name) == "recording"
            assert await app.grows(name, in_time(2 * WRITES_EACH))
