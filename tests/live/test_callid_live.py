# SPDX-License-Identifier: Apache-2.0
"""The Genesys id of a call on a SIP trunk, as the AMI account of the daemon reads it."""

import asyncio

import pytest

from bridges.model import Outcome
from lab.pbx.second_ami import SecondAmi
from lab.pbx_with_phones import AMI_SECRET, TRUNK
from lab.site import OUTSIDE, LabSite, Talk
from offrecord import journal
from tests.kits.live_kit import SiteMaker

UUID = "NK5JN1FF5T0K3CQ4UJ1LFM3S5G00002A"
NO_IDS = (UUID[:-1], UUID + "0", UUID[:-1] + "-", UUID[:-8] + "),${A}:'", UUID[:-4] + '" |\\')
"""Too short, too long, and of the right length with what a dialplan or an expression could take."""
LOCAL_ONLY = {"routes": {"default": ["local"]}}
EVERY = ["22", "16-pjsip", "16"]
PJSIP = ["22", "16-pjsip"]


async def ids(here: LabSite, talk: Talk) -> tuple[str, str]:
    """Return the id on the channels of caller and callee, read by the account of the daemon."""
    async with SecondAmi(here.asterisks.pbx.ami_port, "offrecord", AMI_SECRET) as account:

        async def read(uniqueid: str) -> str:
            answer = await account.action("Getvar", Channel=uniqueid, Variable="GENESYS_CALL_UUID")
            assert answer["Response"] == "Success", answer
            return answer["Value"]

        return await read(talk.calling["Uniqueid"]), await read(talk.answering["Uniqueid"])


async def stop_is_confirmed(here: LabSite, phone: str) -> None:
    """Press the code for stop, and see that the recording's own kind confirms it."""
    await here.people.press(phone, "*1")
    [press] = await here.daemon.verdicts()
    records = await asyncio.to_thread(journal.show, here.daemon.journal, press.press)
    [answer] = [record.body for record in records if record.kind == "answered"]

    assert press.outcome == Outcome.CONFIRMED
    assert answer["recorder"] == "local"
    [stopped] = here.pbx.named("MixMonitorStop")
    [started] = here.pbx.named("MixMonitorStart")
    assert stopped["Uniqueid"] == started["Uniqueid"]


@pytest.mark.parametrize("release", EVERY)
async def test_the_id_of_a_call_from_genesys_is_on_both_legs(site: SiteMaker, release: str) -> None:
    async with site(release, more=LOCAL_ONLY) as here:
        talk = await here.talk_in("411", uuid=UUID)

        assert talk.calling["Channel"].startswith(f"{here.asterisks.technology}/{TRUNK}-")
        assert talk.calling["CallerIDNum"] == OUTSIDE
        assert await ids(here, talk) == (UUID, UUID)
        await stop_is_confirmed(here, talk.callee)


@pytest.mark.parametrize("release", PJSIP)
async def test_the_id_of_a_call_to_genesys_is_read_from_the_answer(
    site: SiteMaker, release: str
) -> None:
    async with site(release, more=LOCAL_ONLY) as here:
        talk = await here.talk_out(uuid=UUID)

        assert here.far.named
        assert talk.answering["Channel"].startswith(f"PJSIP/{TRUNK}-")
        assert talk.answering["CallerIDNum"] == OUTSIDE
        assert await ids(here, talk) == (UUID, UUID)
        await stop_is_confirmed(here, talk.caller)


async def test_chan_sip_cannot_read_an_answer_and_the_call_goes_on(site: SiteMaker) -> None:
    async with site("16", more=LOCAL_ONLY) as here:
        talk = await here.talk_out(uuid=UUID)

        assert here.far.named
        assert await ids(here, talk) == ("", "")
        await stop_is_confirmed(here, talk.caller)


@pytest.mark.parametrize("release", EVERY)
@pytest.mark.parametrize("way", ["in", "out"])
async def test_a_call_without_an_id_is_a_call_as_any(
    site: SiteMaker, release: str, way: str
) -> None:
    async with site(release, more=LOCAL_ONLY) as here:
        talk = await (here.talk_in() if way == "in" else here.talk_out())

        assert await ids(here, talk) == ("", "")
        await stop_is_confirmed(here, talk.callee if way == "in" else talk.caller)


@pytest.mark.parametrize("release", EVERY)
async def test_what_is_no_id_is_left_out_and_the_call_goes_on(
    site: SiteMaker, release: str
) -> None:
    async with site(release, more=LOCAL_ONLY) as here:
        for uuid in NO_IDS:
            came = await ids(here, await here.talk_in("411", uuid=uuid))
            await here.people.hang_up_all()
            went = await ids(here, await here.talk_out(uuid=uuid))
            await here.people.hang_up_all()

            assert (came, went) == (("", ""), ("", "")), uuid


@pytest.mark.parametrize("release", EVERY)
async def test_the_id_reaches_a_queue_member_behind_a_local_channel(
    site: SiteMaker, release: str
) -> None:
    async with site(release, more=LOCAL_ONLY) as here:
        talk = await here.talk_in("600", uuid=UUID, callee="412")

        assert await ids(here, talk) == (UUID, UUID)


@pytest.mark.parametrize("release", EVERY)
async def test_the_id_follows_a_transfer_by_the_dialplan(site: SiteMaker, release: str) -> None:
    async with site(release, more=LOCAL_ONLY) as here:
        talk = await here.talk_in("411", uuid=UUID)
        since = len(here.pbx.events)
        await here.pbx.action(
            "Redirect", Channel=talk.calling["Channel"], Context="offrecord-trunk", Exten="413",
            Priority="1",
        )  # fmt: skip
        _, phone = await here.bridged(TRUNK, "413", since=since)

        assert await ids(here, Talk("", "", talk.calling, phone)) == (UUID, UUID)


@pytest.mark.parametrize("release", EVERY)
async def test_the_numbers_of_a_trunks_channel_are_as_the_guide_says(
    site: SiteMaker, release: str
) -> None:
    async with site(release, more=LOCAL_ONLY) as here:
        trunk = f"{here.asterisks.technology}/{TRUNK}-"
        seen = []
        for talk in (here.talk_in, here.talk_out):
            since = len(here.pbx.events)
            talked = await talk()
            [leg] = [
                p for p in (talked.calling, talked.answering) if p["Channel"].startswith(trunk)
            ]
            made = [
                p for _, p in here.pbx.events[since:]
                if p.get("Event") == "Newchannel" and p["Channel"] == leg["Channel"]
            ]  # fmt: skip
            answer = await here.pbx.action(
                "Getvar", Channel=leg["Uniqueid"], Variable="CALLERID(dnid)"
            )
            numbers = (leg["CallerIDNum"], leg["ConnectedLineNum"])
            seen.append((*numbers, made[0]["Exten"], answer["Value"]))
            await here.people.hang_up_all()

        assert seen == [(OUTSIDE, "411", "411", "411"), (OUTSIDE, "410", "s", "")]


async def test_the_outside_party_of_a_call_to_genesys_has_no_codes(site: SiteMaker) -> None:
    async with site("22", more=LOCAL_ONLY) as here:
        talk = await here.talk_out(uuid=UUID)
        await here.people.press(talk.callee, "*1")
        await asyncio.sleep(0.3)  # for a press that must not come

        assert not here.daemon.logged("press_ended")
        assert not here.pbx.named("MixMonitorStop")


async def test_a_call_that_goes_out_again_has_the_id_of_each_leg(site: SiteMaker) -> None:
    async with site("22", more=LOCAL_ONLY) as here:
        here.far.invite_uuid, here.far.answer_uuid = UUID, UUID[::-1]
        since = len(here.pbx.events)
        await here.people.call_in(OUTSIDE, number="0305550199")
        _, out = await here.pbx.wait_for(
            lambda p: p.get("Event") == "DialEnd" and p["DialStatus"] == "ANSWER", since=since
        )
        legs = Talk("", "", out, {"Uniqueid": out["DestUniqueid"]})

        assert await ids(here, legs) == (UUID, UUID[::-1])
