# SPDX-License-Identifier: Apache-2.0
"""Calls of other shapes, and the other ways for a press to come in, on real Asterisks."""

import asyncio

import pytest

from bridges.model import Outcome
from lab.pbx_with_phones import is_event
from lab.site import LabSite
from offrecord.journal import show
from tests.kits.live_kit import SiteMaker

KEYPAD = {"keypad": {"enabled": True}}


def stopped(here: LabSite) -> list[str]:
    return sorted(packet["Uniqueid"] for packet in here.pbx.named("MixMonitorStop"))


@pytest.mark.parametrize("release", ["22", "16"])
async def test_a_press_behind_a_local_channel_reaches_the_recording(
    site: SiteMaker, release: str
) -> None:
    async with site(release) as here:
        talk = await here.talk("311")
        await here.people.press(talk.callee, "*1")
        [press] = await here.daemon.verdicts()

        assert press.outcome == Outcome.ACCEPTED
        assert press.agent == "wilma"
        assert stopped(here) == [talk.calling["Uniqueid"]]
        assert [stop.query["extenOrUniqueId"] for stop in here.stops()] == [
            talk.answering["Uniqueid"]
        ]


@pytest.mark.parametrize("release", ["22", "16"])
async def test_one_press_seen_by_fastagi_and_by_its_digits_stops_two_recordings_once(
    site: SiteMaker, release: str
) -> None:
    async with site(release, more=KEYPAD) as here:
        talk = await here.talk("511")
        await here.people.press(talk.caller, "*1")
        [press] = await here.daemon.verdicts()
        await asyncio.sleep(0.5)
        records = await asyncio.to_thread(show, here.daemon.journal, press.press)

        assert stopped(here) == [talk.calling["Uniqueid"]] * 2
        assert len(here.stops()) == 1
        ways = {press.way, *(line["way"] for line in here.daemon.logged("press_joined"))}
        assert ways == {"fastagi", "keypad"}
        [local] = [r.body for r in records if r.body.get("recorder") == "local"]
        assert local["detail"] == "2 MixMonitors stopped, none left on 2 channels"


async def test_the_keypad_needs_no_dialplan(site: SiteMaker) -> None:
    async with site("22", more=KEYPAD) as here:
        talk = await here.talk("711")
        await here.pbx.action(
            "MixMonitor", Channel=talk.calling["Uniqueid"], File="by-hand.wav", Options=""
        )
        await here.people.press(talk.caller, "*1")
        [press] = await here.daemon.verdicts()

        assert press.way == "keypad"
        assert stopped(here) == [talk.calling["Uniqueid"]]


async def test_digits_pressed_outside_of_a_two_party_bridge_mean_nothing(site: SiteMaker) -> None:
    async with site("22", more=KEYPAD) as here:
        caller = await here.people.call("410", "900")
        await here.people.press(caller, "*1")
        await here.pbx.wait_for(is_event("DTMFEnd", Digit="1"))
        await asyncio.sleep(0.3)

        assert not here.daemon.logged("press_ended")
        assert not here.stops()


@pytest.mark.parametrize("release", ["22", "16"])
async def test_a_queue_member_behind_a_local_channel_stops_the_callers_recording(
    site: SiteMaker, release: str
) -> None:
    async with site(release) as here:
        talk = await here.talk("600", caller="my-trunk", callee="412")
        await asyncio.sleep(0.3)
        await here.people.press(talk.callee, "*1")
        [press] = await here.daemon.verdicts()

        assert press.outcome == Outcome.ACCEPTED
        assert press.agent == "barney"
        assert stopped(here) == [talk.calling["Uniqueid"]]
        assert here.stops()[0].query["extenOrUniqueId"] == talk.answering["Uniqueid"]


@pytest.mark.parametrize("release", ["22", "16"])
async def test_a_user_event_is_a_press_without_any_agi(site: SiteMaker, release: str) -> None:
    async with site(release, "features-userevent.conf") as here:
        talk = await here.talk()
        await here.people.press(talk.caller, "*1")
        [press] = await here.daemon.verdicts()

        assert press.way == "userevent"
        assert press.outcome == Outcome.ACCEPTED
        assert stopped(here) == [talk.calling["Uniqueid"]]
        assert not here.pbx.named("AGIExecStart")


async def test_two_presses_are_one_and_a_resume_right_after_is_refused(site: SiteMaker) -> None:
    # Without a tone: on a slow machine it would still play when the last code is pressed.
    async with site("22", more={"agi": {"wait": 0}}) as here:
        talk = await here.talk()
        await here.people.press(talk.caller, "*1")
        await here.people.press(talk.caller, "*1")
        await here.people.press(talk.caller, "*3")
        presses = await here.daemon.verdicts(2)

        assert [press.verb for press in presses] == ["stop", "resume"]
        assert [press.outcome for press in presses] == [Outcome.ACCEPTED, Outcome.DENIED]
        assert len(here.stops()) == 1
        assert not here.noojee.log.of("start")


async def test_pause_mutes_and_resume_lets_hear_again(site: SiteMaker) -> None:
    more = {"routes": {"default": ["local"]}, "press": {"join_window": 0}}
    async with site("22", more=more) as here:
        talk = await here.talk()
        await here.people.press(talk.caller, "*2")
        await here.pbx.wait_for(is_event("MixMonitorMute", State="1"))
        [pause] = await here.daemon.verdicts()
        await asyncio.sleep(1.0)  # until the tone has ended: digits pressed into it are lost
        await here.people.press(talk.caller, "*3")
        await here.pbx.wait_for(is_event("MixMonitorMute", State="0"))
        [_, resume] = await here.daemon.verdicts(2)

        assert pause.outcome == Outcome.CONFIRMED
        assert resume.outcome == Outcome.CONFIRMED
        assert not here.pbx.named("MixMonitorStop")
