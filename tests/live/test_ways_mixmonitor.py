# SPDX-License-Identifier: Apache-2.0
"""MixMonitors on real Asterisks, with the account as shipped: what is proven is true."""

import asyncio

import pytest

from bridges.model import Outcome
from lab.pbx.audio import heard, stretches
from lab.pbx_with_phones import TONES, is_event
from tests.kits.live_kit import SiteMaker
from tests.kits.ways_live import LOCAL, by_socket, detail, evidence, grown, wav

CALLER = TONES["410"]
TRIES = 40

ONE_PRESS = 4.5
"""Seconds after which the same press is another one."""


@pytest.mark.parametrize("release", ["22", "16"])
async def test_a_plain_call_is_proven_with_the_account_as_shipped(
    site: SiteMaker, release: str
) -> None:
    async with site(release, more=LOCAL) as here:
        recorded = await here.talk()
        told = await by_socket(here, "stop", recorded.calling["Uniqueid"])
        await here.people.hang_up_all()
        here.pbx.events.clear()
        plain = await here.talk("711")
        none = await by_socket(here, "stop", plain.calling["Uniqueid"])

        assert (told["outcome"], evidence(told)) == (Outcome.CONFIRMED, "L4")
        assert detail(told) == "1 MixMonitor stopped, none left on 2 channels"
        assert (none["outcome"], evidence(none)) == (Outcome.NOTHING_TO_STOP, "L4")
        assert detail(none).startswith("no MixMonitor")


@pytest.mark.parametrize("release", ["22", "16"])
async def test_a_queue_call_is_proven_with_the_account_as_shipped(
    site: SiteMaker, release: str
) -> None:
    async with site(release, more=LOCAL) as here:
        talk = await here.talk("600", caller="410", callee="412")
        told = await by_socket(here, "stop", talk.answering["Uniqueid"])
        await asyncio.sleep(ONE_PRESS)
        again = await by_socket(here, "stop", talk.answering["Uniqueid"])

        assert (told["outcome"], evidence(told)) == (Outcome.CONFIRMED, "L4")
        assert (again["outcome"], evidence(again)) == (Outcome.NOTHING_TO_STOP, "L4")


@pytest.mark.parametrize("release", ["22", "16"])
async def test_a_queue_call_without_a_recording_has_nothing_to_stop(
    site: SiteMaker, release: str
) -> None:
    async with site(release, more=LOCAL) as here:
        talk = await here.talk("908", caller="410", callee="412")
        told = await by_socket(here, "stop", talk.answering["Uniqueid"])

        assert (told["outcome"], evidence(told)) == (Outcome.NOTHING_TO_STOP, "L4"), told


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("release", ["22", "16"])
async def test_a_hang_up_right_after_the_press_is_never_nothing_to_stop(
    site: SiteMaker, release: str, *, restarted: bool
) -> None:
    async with site(release, more=LOCAL) as here:
        outcomes = []
        for number in range(TRIES // 4 if restarted else TRIES):
            talk = await here.talk()
            if restarted:
                await here.daemon.stop()
                await here.daemon.start()
                await here.known()
            ending = asyncio.create_task(_hang_up(here.pbx, talk.calling["Channel"], number))
            told = await by_socket(here, "stop", talk.calling["Uniqueid"])
            await ending
            outcomes.append(told["outcome"])
            await here.people.hang_up_all()
            here.pbx.events.clear()

        assert set(outcomes) <= {Outcome.CONFIRMED, Outcome.CALL_ENDED}


async def _hang_up(pbx: object, channel: str, number: int) -> None:
    """Hang up a channel after a press: 0 to 18 ms for half of the numbers, up to 100 for half."""
    await asyncio.sleep((0.0025 if number % 2 else 0.0005) * (number % TRIES + number % 2))
    await pbx.action("Hangup", Channel=channel)  # type: ignore[attr-defined]


async def test_a_mute_of_one_by_its_id_is_no_pause_of_both(site: SiteMaker) -> None:
    async with site("22", more=LOCAL) as here:
        talk = await here.talk("511")
        uniqueid = talk.calling["Uniqueid"]
        listed = await here.pbx.action("Command", Command=f"mixmonitor list {uniqueid}")
        assert "0x" in str(listed)
        first = next(word for word in str(listed).split() if "0x" in word)
        ident = "0x" + first.partition("0x")[2].partition("\\t")[0].strip("',\"")
        await here.pbx.action("MixMonitorMute", Channel=uniqueid, Direction="both", State="1",
                              MixMonitorID=ident)  # fmt: skip
        await here.pbx.wait_for(is_event("MixMonitorMute"))
        told = await by_socket(here, "pause", uniqueid)
        await asyncio.sleep(6)
        await here.people.hang_up_all()
        await asyncio.sleep(0.5)

        assert (told["outcome"], evidence(told)) == (Outcome.CONFIRMED, "L4")
        assert detail(told) == "2 MixMonitors muted"
        for file in (f"{uniqueid}.wav", f"{uniqueid}-second.wav"):
            assert sum(heard(wav(here, file), CALLER)[-40:]) == 0


async def test_a_pause_of_two_on_an_old_asterisk_is_a_stop_aloud(site: SiteMaker) -> None:
    async with site("16", more=LOCAL) as here:
        talk = await here.talk("511")
        uniqueid = talk.calling["Uniqueid"]
        await asyncio.sleep(3)
        told = await by_socket(here, "pause", uniqueid)
        await asyncio.sleep(0.5)
        files = [wav(here, f"{uniqueid}.wav"), wav(here, f"{uniqueid}-second.wav")]

        assert (told["outcome"], evidence(told)) == (Outcome.CONFIRMED, "L4")
        assert detail(told).startswith("stopped instead of paused, as this Asterisk mutes one")
        assert await grown(*files) == [0, 0]


async def test_a_second_recording_under_a_pause_on_an_old_asterisk_is_stopped(
    site: SiteMaker,
) -> None:
    async with site("16", more=LOCAL) as here:
        talk = await here.talk()
        uniqueid = talk.calling["Uniqueid"]
        told = await by_socket(here, "pause", uniqueid)
        await here.pbx.action("MixMonitor", Channel=uniqueid, File=f"{uniqueid}-again.wav")
        for _ in range(2):
            await here.pbx.wait_for(is_event("MixMonitorStop", Uniqueid=uniqueid))
        await asyncio.sleep(0.5)
        again = wav(here, f"{uniqueid}-again.wav")

        assert told["outcome"] == Outcome.CONFIRMED
        assert await grown(again, wav(here, f"{uniqueid}.wav")) == [0, 0]
        assert sum(end - begin for begin, end in stretches(again, CALLER)) <= 0.5
