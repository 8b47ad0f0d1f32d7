# SPDX-License-Identifier: Apache-2.0
"""The witness on the disk, on real Asterisks: what nothing else knows of is found by its file.

The daemon knows nothing here of Monitor, ARI, Record() and listeners but their files, as every way
but MixMonitor is taken out of it: each records a call of its own, is not stopped by the press, and
must take the verdict back. None of their files is named after an id of the call.
"""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.kits.witness_live import APP, Ari, WitnessLab, WitnessSite, witness_lab


@pytest.fixture(scope="module", params=["22", "16"])
def lab(request: pytest.FixtureRequest) -> Iterator[WitnessLab]:
    with witness_lab(str(request.param)) as made:
        yield made


@pytest.mark.parametrize("lab", ["16"], indirect=True)  # 22 has no Monitor
async def test_monitor_is_found_by_its_file(lab: WitnessLab, tmp_path: Path) -> None:
    async with WitnessSite(lab, tmp_path) as here:
        await here.talk("111")
        await here.found("monitor", "by-monitor-")


async def test_record_is_found_by_its_file(lab: WitnessLab, tmp_path: Path) -> None:
    async with WitnessSite(lab, tmp_path) as here:
        await here.alone("record")
        await here.found("tmp", "memo-")


async def test_a_listener_that_records_is_found_by_its_file(
    lab: WitnessLab, tmp_path: Path
) -> None:
    async with WitnessSite(lab, tmp_path) as here:
        await here.talk("211")
        await here.people.call("412", "spy")
        await here.found("monitor", "spied")


async def test_a_channel_that_ari_records_is_found_by_its_file(
    lab: WitnessLab, tmp_path: Path
) -> None:
    async with WitnessSite(lab, tmp_path) as here, Ari.at(lab.ari_port).connected() as ari:
        uniqueid = await here.alone("stasis")
        name = f"ari-{tmp_path.name}"
        await ari.record(uniqueid, name)
        await here.found("recording", name)


async def test_a_snoop_that_ari_records_is_found_by_its_file(
    lab: WitnessLab, tmp_path: Path
) -> None:
    async with WitnessSite(lab, tmp_path) as here, Ari.at(lab.ari_port).connected() as ari:
        talk = await here.talk("211")
        caller = talk.calling["Uniqueid"]
        snoop = await ari.post(f"/channels/{caller}/snoop", app=APP, spy="both")
        name = f"snoop-{tmp_path.name}"
        await ari.record(str(snoop["id"]), name)
        await here.found("recording", name)


async def test_many_other_recordings_take_nothing_back(lab: WitnessLab, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(WitnessSite(lab, tmp_path))
        stack.push_async_callback(here.pbx.action, "Hangup", Channel="/^Local.*$/")
        ari = await stack.enter_async_context(Ari.at(lab.ari_port).connected())
        for _ in range(12):
            await here.local("load")
        if lab.asterisks.release != "16":  # Debian's 16 has no voicemail
            await here.local("mail")
            await here.expect_grown("voicemail", "")
        name = f"other-{tmp_path.name}"
        await ari.record(await here.alone("stasis", "413"), name)
        await here.expect_grown("recording", name)
        for _ in range(3):
            since = len(here.pbx.events)
            talk = await here.talk("811")
            calling, _ = await here.bridged("410", "411", since=since)
            wav = await here.expect_grown("monitor", calling["Uniqueid"])
            press = await here.stop()
            await asyncio.sleep(4.5)  # two blocks of each file that is recorded into

            kinds = {one.kind for one in here.records(press)}
            assert "taken_back" not in kinds
            [closed] = [one.body for one in here.records(press) if one.kind == "file_closed"]
            assert Path(closed["file"]).name == wav.name
            assert closed["evidence"] == "L3"
            print(f"closed {closed['after_ms']} ms after the press")  # noqa: T201
            await here.people.hang_up(talk.caller)
            async with asyncio.timeout(10):
                while any(
                    row["Uniqueid"] == calling["Uniqueid"] for row in await here.pbx.channels()
                ):
                    await asyncio.sleep(0.05)
