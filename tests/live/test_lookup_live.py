# SPDX-License-Identifier: Apache-2.0
"""Who pressed and in which queue, as real Asterisks tell it to the account that ships."""

import pytest

from tests.kits.live_kit import SiteMaker

LOOKUP = {"agent_lookup": {"astdb": "offrecord/agent", "queue_members": True}}


@pytest.mark.parametrize("release", ["22", "16"])
async def test_a_login_is_read_from_the_database_of_the_pbx(site: SiteMaker, release: str) -> None:
    async with site(release, more=LOOKUP, agents={}) as here:
        here.asterisks.pbx.console("database put offrecord/agent 410 s.tanaka")
        try:
            await here.talk()
            told = await here.ask({"op": "explain", "target": "410"})
            assert told["agent"] == "s.tanaka"
            assert told["agent_from"] == "AstDB offrecord/agent/410"
            nobody = await here.ask({"op": "explain", "target": "411"})
            assert (nobody["agent"], nobody["notes"]) == (None, [])
        finally:
            here.asterisks.pbx.console("database del offrecord/agent 410")


@pytest.mark.parametrize("release", ["22", "16"])
async def test_a_queue_decides_the_route_and_names_its_member(
    site: SiteMaker, release: str
) -> None:
    more = {
        **LOOKUP,
        "routes": {
            "default": ["noojee"],
            "rule": [{"queue": "offrecord-*", "recorders": ["local"]}],
        },
    }
    async with site(release, more=more, agents={}) as here:
        device = f"{here.asterisks.technology}/412"
        try:
            talk = await here.talk_in("600", callee="412")
            here.asterisks.pbx.console(
                f"queue add member {device} to offrecord-support penalty 0 as Barney"
            )
            told = await here.ask({"op": "explain", "target": talk.answering["Uniqueid"]})
            assert told["queues"] == ["offrecord-support"]
            assert (told["agent"], told["agent_from"]) == (
                "Barney",
                "member of queue offrecord-support",
            ), told["notes"]
            [route] = [one for one in told["routes"] if one["matched"]]
            assert route["why"] == "queue offrecord-support on the call"

            await here.people.press(talk.callee, "*1")
            [press] = await here.daemon.verdicts()
            assert (press.outcome, press.agent) == ("confirmed", "Barney")
            assert here.stops() == []
        finally:
            here.asterisks.pbx.console(f"queue remove member {device} from offrecord-support")


@pytest.mark.parametrize("release", ["22", "16"])
async def test_a_did_decides_the_route_of_a_call_from_outside(
    site: SiteMaker, release: str
) -> None:
    rules = [{"did": "41?", "recorders": ["local"]}]
    more = {"routes": {"default": ["noojee"], "rule": rules}}
    async with site(release, more=more) as here:
        talk = await here.talk_in("411")
        told = await here.ask({"op": "explain", "target": talk.answering["Uniqueid"]})
        assert [one["why"] for one in told["routes"] if one["matched"]] == ["did 411 on the call"]
        await here.people.hang_up(talk.caller)
        out = await here.talk_out()
        told = await here.ask({"op": "explain", "target": out.calling["Uniqueid"]})
        assert [one["route"] for one in told["routes"] if one["matched"]] == ["default"]
