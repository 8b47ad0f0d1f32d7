# SPDX-License-Identifier: Apache-2.0
"""The witness on real files: what takes a verdict back, and what does not."""

import os
from pathlib import Path

import pytest

from ami.events.types import MixMonitorStart
from offrecord.witness.folders import MONITOR, RECORDING, VOICEMAIL
from tests.kits.call_kit import TWO_PHONES, hangup, new
from tests.kits.witness_kit import scene

OTHER = new("2.1", "SIP/412-3")


async def test_a_file_that_nobody_accounts_for_takes_the_verdict_back(tmp_path: Path) -> None:
    async with scene(tmp_path, *TWO_PHONES) as here:
        wav = tmp_path / MONITOR / "by-monitor-in.wav"
        await here.write(wav)
        here.told()
        await here.write(wav, after=2.04)
        await here.until(lambda: here.of("taken_back"))

        [back] = here.of("taken_back")
        assert back["outcome"] == "failed"
        assert back["told"] == "confirmed"
        assert back["evidence"] == "L3"
        assert back["files"] == [str(wav)]
        assert back["call"] == "1.1"
        assert str(wav) in back["text"]
        assert here.of("alarm") == [{"what": "taken_back", "detail": back["reason"]}]
        assert here.of("not_watched") == []


async def test_a_verdict_is_taken_back_once(tmp_path: Path) -> None:
    async with scene(tmp_path, *TWO_PHONES) as here:
        here.told()
        for name in ("a.wav", "b.wav", "c.wav"):
            await here.write(tmp_path / MONITOR / name, after=1.0)
            await here.settled()

        assert len(here.of("taken_back")) == 1


async def test_a_file_that_begins_under_a_stop_takes_it_back_too(tmp_path: Path) -> None:
    async with scene(tmp_path, *TWO_PHONES) as here:
        here.told()
        await here.write(tmp_path / RECORDING / "2026" / "11" / "late.wav", after=60.0)
        await here.until(lambda: here.of("taken_back"))


async def test_the_last_blocks_of_a_stopped_recording_take_nothing_back(tmp_path: Path) -> None:
    async with scene(tmp_path, *TWO_PHONES) as here:
        wav = tmp_path / MONITOR / "1.1.wav"
        here.pbx.files["1.1"] = str(wav)
        await here.happen(MixMonitorStart("SIP/410-1", "1.1", "1.1"))
        await here.write(wav)
        here.told()
        await here.write(wav, after=0.1)
        await here.end(wav)
        await here.settled()

        assert here.of("taken_back") == []
        [closed] = here.of("file_closed")
        assert closed["file"] == str(wav)
        assert closed["uniqueid"] == "1.1"
        assert closed["evidence"] == "L3"
        assert closed["after_ms"] == pytest.approx(100, abs=1)


async def test_a_recording_that_was_closed_before_the_verdict_is_witnessed(tmp_path: Path) -> None:
    async with scene(tmp_path, *TWO_PHONES) as here:
        wav = tmp_path / MONITOR / "1.1.wav"
        here.pbx.files["1.1"] = str(wav)
        await here.happen(MixMonitorStart("SIP/410-1", "1.1", "1.1"))
        await here.write(wav)
        here.record("p1", "pressed", verb="stop", recorder=None)
        here.time += 0.02
        await here.end(wav)
        here.record("p1", "verdict", verb="stop", outcome="confirmed", call="1.1")

        assert [one["after_ms"] for one in here.of("file_closed")] == [pytest.approx(20, abs=1)]


async def test_recordings_of_other_calls_are_accounted_for(tmp_path: Path) -> None:
    async with scene(tmp_path, *TWO_PHONES, OTHER, new("3.1", "SIP/413-4")) as here:
        mixed, left = tmp_path / MONITOR / "queue.wav", tmp_path / VOICEMAIL / "410/tmp/aB.wav"
        here.pbx.graph.mark_unknown()  # as if that recording had begun before the link
        here.pbx.graph.known = True
        here.pbx.files["2.1"] = str(mixed)
        here.pbx.applications["3.1"] = ("VoiceMail", "410@default")
        here.told()
        for _ in range(4):
            await here.write(mixed, after=1.0)
            await here.write(left, after=1.04)
            await here.settled()

        assert here.of("taken_back") == []


async def test_what_a_known_mixmonitor_of_another_call_writes_costs_no_look(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path, *TWO_PHONES, OTHER) as here:
        wav = tmp_path / MONITOR / "queue.wav"
        here.pbx.files["2.1"] = str(wav)
        await here.happen(MixMonitorStart("SIP/412-3", "2.1", "2.1"))
        here.told()
        for _ in range(5):
            await here.write(wav, after=2.04)

        assert here.pbx.listings == 0


async def test_a_file_that_the_site_names_takes_nothing_back(tmp_path: Path) -> None:
    async with scene(tmp_path, *TWO_PHONES, others=("dictation-*",)) as here:
        here.told()
        await here.write(tmp_path / MONITOR / "dictation-1.wav", after=5.0)
        await here.settled()

        assert here.of("taken_back") == []


async def test_nothing_is_taken_back_once_the_call_is_over(tmp_path: Path) -> None:
    async with scene(tmp_path, *TWO_PHONES) as here:
        here.told()
        await here.happen(hangup("1.1"), hangup("1.2"))
        await here.write(tmp_path / MONITOR / "x.wav", after=5.0)
        await here.settled()

        assert here.of("taken_back") == []


async def test_nothing_is_judged_while_the_calls_are_not_known(tmp_path: Path) -> None:
    async with scene(tmp_path, *TWO_PHONES) as here:
        here.told()
        here.pbx.graph.mark_unknown()
        await here.happen()
        here.pbx.graph.reconcile([])
        here.pbx.graph.known = False
        await here.settled()

        assert here.of("taken_back") == []


async def test_where_the_pbx_is_elsewhere_it_says_not_watched(tmp_path: Path) -> None:
    async with scene(tmp_path, *TWO_PHONES, here=False) as away:
        await away.until(lambda: away.witness.places.not_watched)
        away.told()

        assert away.of("not_watched") == [{"why": "spool: the PBX is on another machine"}]


async def test_folders_that_the_site_names_are_watched_wherever_the_pbx_is(tmp_path: Path) -> None:
    share = tmp_path / "share" / "monitor"
    share.mkdir(parents=True)
    async with scene(tmp_path / "spool", *TWO_PHONES, here=False, folders=(share,)) as here:
        here.told()
        await here.write(share / "2026" / "x.wav", after=3.0)
        await here.until(lambda: here.of("taken_back"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
async def test_a_folder_that_may_not_be_read_is_said(tmp_path: Path) -> None:
    shut = tmp_path / "shut"
    shut.mkdir(mode=0o300)
    async with scene(tmp_path / "spool", *TWO_PHONES, folders=(shut,)) as here:
        await here.until(lambda: here.witness.places.not_watched)
        here.told()

        [missing] = here.of("not_watched")
        assert "may not read" in missing["why"]


async def test_the_folder_of_a_named_recording_is_watched_too(tmp_path: Path) -> None:
    async with scene(tmp_path / "spool", *TWO_PHONES) as here:
        elsewhere = tmp_path / "srv" / "calls"
        elsewhere.mkdir(parents=True)
        here.pbx.files["1.1"] = str(elsewhere / "1.1.wav")
        await here.happen(MixMonitorStart("SIP/410-1", "1.1", "1.1"))
        await here.until(lambda: here.witness.watch.watches(elsewhere))


async def test_a_witness_that_is_switched_off_writes_nothing(tmp_path: Path) -> None:
    async with scene(tmp_path, *TWO_PHONES, enabled=False) as here:
        here.told()
        await here.write(tmp_path / MONITOR / "x.wav", after=5.0)

        assert here.noted == []


async def test_what_took_a_verdict_back_is_doubted_until_it_grows_no_more(tmp_path: Path) -> None:
    async with scene(tmp_path, *TWO_PHONES) as here:
        wav = tmp_path / MONITOR / "x.wav"
        here.told()
        assert here.witness.doubt("p1") == ""
        await here.write(wav, after=2.0)
        await here.until(lambda: here.of("taken_back"))
        assert here.witness.doubt("p1") == f"{wav} still grows"
        assert here.witness.doubt("p2") == ""
        here.time += 10
        assert here.witness.doubt("p1") == "", "it has not been written to for long"
        await here.write(wav)
        assert here.witness.doubt("p1")
        await here.end(wav)
        assert here.witness.doubt("p1") == ""


async def test_a_verdict_that_was_taken_back_holds_again_once_it_is_solved(tmp_path: Path) -> None:
    async with scene(tmp_path, *TWO_PHONES) as here:
        here.told()
        await here.write(tmp_path / MONITOR / "x.wav", after=2.0)
        await here.until(lambda: here.of("taken_back"))
        await here.end(tmp_path / MONITOR / "x.wav")
        here.record("p1", "closed", why="solved", outcome="confirmed")
        await here.write(tmp_path / MONITOR / "y.wav", after=2.0)
        await here.until(lambda: len(here.of("taken_back")) == 2)
        assert here.of("taken_back")[1]["files"] == [str(tmp_path / MONITOR / "y.wav")]


@pytest.mark.parametrize("verb", ["pause", "stop"])
async def test_a_file_known_to_hold_silence_takes_back_no_pause(tmp_path: Path, verb: str) -> None:
    async with scene(tmp_path, *TWO_PHONES) as here:
        wav = tmp_path / RECORDING / "paused.wav"
        here.silent.add(wav)
        await here.write(wav)
        here.told(verb=verb)
        for _ in range(3):
            await here.write(wav, after=2.04)
            await here.settled()
        assert bool(here.of("taken_back")) is (verb == "stop")

        here.silent.clear()
        await here.write(wav, after=2.04)
        await here.until(lambda: here.of("taken_back"))
