# SPDX-License-Identifier: Apache-2.0
"""The whole daemon as a process: every way in, every command, and what each of them leaves."""

import asyncio
import os
from pathlib import Path

from bridges.model import Outcome
from offrecord.base.errors import Exit
from tests.kits.daemon_kit import House, Ran, house, offrecord


def stopped(here: House) -> list[str]:
    return [a["Channel"] for a in here.peer.received if a["Action"] == "StopMixMonitor"]


# ways in


async def test_a_press_by_fastagi_stops_both_recordings_and_tells_the_presser(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as here:
        said = await here.fastagi("stop", "1.2")
        [press] = await here.daemon.verdicts()

        assert (press.outcome, press.way, press.agent) == ("accepted", "fastagi", "wilma")
        assert here.peer.channels["1.1"].monitors == 0
        assert set(stopped(here)) == {"1.1", "1.2"}
        [stop] = here.stops
        assert stop.method == "POST"
        assert stop.facts["hash_ok"] is True
        assert stop.query["extenOrUniqueId"] == "1.2"
        assert stop.query["agentLoginName"] == "wilma"
        assert 'SET VARIABLE "OFFRECORD_OUTCOME" "accepted"' in said
        assert any(line.startswith('EXEC "Playback" "beep&beep') for line in said)
        assert f'SET VARIABLE "OFFRECORD_PRESS" "{press.press}"' in said


async def test_a_press_of_the_one_shot_script_is_answered_with_sounds(tmp_path: Path) -> None:
    async with house(tmp_path, recorders=("local",)) as here:
        told = await here.ask(
            op="press", way="agi", verb="stop", uniqueid="1.1", channel="SIP/410-00000001", wait=10
        )

        assert told["outcome"] == "confirmed"
        assert told["sounds"] == ["beep"]
        assert here.peer.channels["1.1"].monitors == 0


async def test_a_press_without_a_channel_is_not_taken_from_a_phone(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        for request in (
            {"verb": "stop", "way": "agi", "target": "410"},
            {"verb": "stop", "way": "cli"},
            {"verb": "halt", "way": "cli", "target": "410"},
            {"verb": "stop", "way": "keypad", "target": "410"},
        ):
            told = await here.ask(op="press", **request)
            assert "error" in told, request

        assert not stopped(here)


async def test_user_events_and_digits_are_presses_too(tmp_path: Path) -> None:
    keypad = {"enabled": True}
    press = {"join_window": 0}
    async with house(tmp_path, recorders=("local",), keypad=keypad, press=press) as here:
        ids = "Uniqueid: 1.1\r\nLinkedid: 1.1\r\nChannel: SIP/410-00000001\r\n"
        here.peer.event("UserEvent", f"{ids}UserEvent: offrecord\r\nVerb: stop\r\n", "user")
        [first] = await here.daemon.verdicts()
        for digit in "*1":
            text = f"{ids}Digit: {digit}\r\nDirection: Received\r\n"
            here.peer.event("DTMFEnd", text, "dtmf")
        _, second = await here.daemon.verdicts(2)

        assert (first.way, first.outcome) == ("userevent", "confirmed")
        assert (second.way, second.outcome) == ("keypad", "nothing_to_stop")


async def test_a_device_that_only_a_hint_ties_to_its_extension_may_press(tmp_path: Path) -> None:
    async with house(tmp_path, recorders=("local",)) as here:
        here.peer.on(
            "ExtensionStateList",
            lambda _session, action: here.peer.listing(
                action, "will follow", "ExtensionStatus", ["Exten: 470\r\nHint: SIP/fred\r\n"]
            ),
        )
        own = here.peer._on_listcommands
        more = b"ExtensionStateList: List.  (Priv: call,reporting,all)\r\n"
        here.peer.on("ListCommands", lambda *given: (own(*given) or b"") + more)
        here.peer.session.cut()
        await here.peer.until(lambda: "ExtensionStateList" in here.peer.names())
        here.peer.add("SIP/fred-00000003", "2.1", monitors=1)
        await here.known(3)
        await here.fastagi("stop", "2.1")
        [press] = await here.daemon.verdicts()

        assert press.outcome == "confirmed"
        body = await here.ask(op="explain", target="470", verb="stop")
        assert body["presser"] == "SIP/fred-00000003"


# commands


async def test_the_commands_of_a_day_in_words_and_in_json(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        plain, told, why, explained = await asyncio.gather(
            here.command("calls"), here.command("calls", "--json"),
            here.command("explain", "410"), here.command("explain", "410", "--json"),
        )  # fmt: skip

        for ran in (plain, told, why, explained):
            assert (ran.code, ran.err) == (Exit.OK, "")
        assert "SIP/410-00000001" in plain.out
        [call] = told.json["calls"]
        assert call["extensions"] == ["410", "411"]
        assert "StopMixMonitor Channel=1.1 (SIP/410-00000001)" in why.out
        assert "agentLoginName=fred" in why.out
        assert explained.json["policy"]["allowed"] is True
        assert {one["recorder"] for one in explained.json["recorders"]} == {"local", "noojee"}
        assert not stopped(here)
        assert not here.stops
        assert (await here.command("presses")).out == "no press matches\n"


async def test_a_terminal_is_told_that_the_journal_does_not_have_its_press(tmp_path: Path) -> None:
    async with house(tmp_path, recorders=("local",)) as here:
        journal = here.daemon.journal
        aside = journal.rename(journal.with_suffix(".aside"))
        journal.mkdir()  # nothing can be written there, as on a disk that is full
        told = await here.command("stop", "410", "--json")
        plain = await here.command("pause", "411")
        journal.rmdir()
        aside.rename(journal)
        presses = await here.daemon.verdicts(2)
        well = await here.command("resume", "410", "--json")

        assert (told.code, told.json["journalled"]) == (Exit.OK, False)
        assert told.json["outcome"] == "confirmed"
        assert "journal has not taken press" in told.err
        assert "journal has not taken press" in plain.err
        assert "journal" not in plain.out
        assert presses[0].press == told.json["press"]
        assert (well.json["journalled"], well.err) == (True, "")


async def test_a_press_from_a_terminal_can_be_looked_up(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        stop = await here.command("stop", "410", "--json")
        press = stop.json["press"]
        listed, table, shown, line = await asyncio.gather(
            here.command("presses", "--json"), here.command("presses", "--outcome", "accepted"),
            here.command("show", press, "--json"), here.command("show", press),
        )  # fmt: skip

        assert (stop.code, stop.err) == (Exit.ACCEPTED, "")
        assert stop.json["outcome"] == "accepted"
        [one] = listed.json
        assert (one["press"], one["way"], one["target"]) == (press, "cli", "410")
        assert press in table.out
        assert [record["kind"] for record in shown.json] == [
            "pressed", "resolved", "intent", "answered", "answered", "verdict", "not_watched",
        ]  # fmt: skip
        assert shown.json[0]["body"]["options"]["uid"] == str(os.getuid())
        assert {record["body"].get("kind") for record in shown.json} == {
            "asterisk", "noojee", None,
        }  # fmt: skip
        assert "StopMixMonitor 1.1 (SIP/410-00000001), 1 stopped" in line.out
        assert [row.split()[2:4] for row in line.out.splitlines()][-2] == ["verdict", "accepted"]


async def test_a_proven_stop_leaves_with_zero_and_says_what_was_proven(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        ran = await here.command("stop", "1.2", "--recorder", "local")

        assert (ran.code, ran.err) == (Exit.OK, "")
        assert ran.out.startswith("confirmed (L4, ")
        assert "1 MixMonitor stopped, none left on 2 channels" in ran.out
        assert not here.stops


async def test_a_press_that_is_not_waited_for_is_on_its_way(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        ran = await here.command("stop", "410", "--no-wait")
        [press] = await here.daemon.verdicts()

        assert ran.code == Exit.OK
        assert ran.out == f"press {press.press} is on its way: offrecord show {press.press}\n"


async def test_the_outcome_is_the_exit_code(tmp_path: Path) -> None:
    async with house(tmp_path, recorders=("local",), press={"join_window": 0}) as here:
        here.peer.channels["1.1"].monitors = 0
        here.peer.add("SIP/410-00000009", "9.1")
        await here.known(3)
        codes = [
            (await here.command("stop", target)).code for target in ("1.1", "499", "410")
        ]  # fmt: skip

        assert codes == [Exit.NOTHING_TO_STOP, Exit.CALL_ENDED, Exit.FAILED]


async def test_an_ambiguous_extension_names_its_calls(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        here.peer.add("SIP/410-00000009", "9.1")
        await here.known(3)
        ran = await here.command("stop", "410")

        assert ran.code == Exit.FAILED
        assert "1.1 (410 with 411)" in ran.out
        assert "9.1 (410)" in ran.out
        assert not stopped(here)
        assert not here.stops


async def test_check_beside_a_running_daemon_finds_all_well(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        ran, told = await asyncio.gather(here.command("check"), here.command("check", "--json"))

        assert (ran.code, ran.err) == (Exit.OK, "")
        states = {one["what"]: one["state"] for one in told.json}
        assert states.pop("clock") in {"ok", "warn"}  # that is the machine's
        assert {name for name, state in states.items() if state == "ok"} == {
            "config", "packages", "secrets", "pbx", "privileges", "recorder local",
            "recorder noojee", "journal", "daemon",
        }  # fmt: skip
        # The scripted PBX shows neither codes nor phones, and no Asterisk is on this machine.
        assert {name for name, state in states.items() if state == "skip"} == {
            "codes", "dialplan", "events", "fastagi", "phones", "witness",
        }  # fmt: skip
        assert [line.split()[1] for line in ran.out.splitlines()][:2] == ["config:", "packages:"]


async def test_resolve_needs_no_daemon() -> None:
    plain, told = await asyncio.gather(
        offrecord("resolve", "SIP/410-12FA7B"),
        offrecord("resolve", "--json", "SIP/410-12FA7B", "PJSIP/my-trunk-00000002"),
    )

    assert plain == Ran(Exit.OK, "410\n", "")
    assert told.code == Exit.NOT_FOUND
    assert [one["extension"] for one in told.json] == ["410", None]


# the link


async def test_after_a_cut_of_the_link_presses_work_again_and_no_ghost_stays(
    tmp_path: Path,
) -> None:
    async with house(tmp_path, recorders=("local",)) as here:
        here.peer.channels.pop("1.2")
        here.peer.session.cut()
        await here.known(1)
        ran = await here.command("stop", "410")

        assert ran.code == Exit.OK
        assert here.peer.channels["1.1"].monitors == 0


async def test_while_the_link_is_down_calls_are_said_to_be_unknown(tmp_path: Path) -> None:
    async with house(tmp_path, press={"wait_known": 0.05}) as here:
        await here.peer.silence()
        await here.calls_known(known=False)
        calls, told, why, stop = await asyncio.gather(
            here.command("calls"), here.command("calls", "--json"),
            here.command("explain", "410"), here.command("stop", "410"),
        )  # fmt: skip

        assert {calls.code, told.code, why.code} == {Exit.PBX_UNREACHABLE}
        assert len(calls.err.splitlines()) == len(why.err.splitlines()) == 1
        assert told.json["known"] is False
        assert stop.code == Exit.FAILED
        assert "nobody knows which call 410 is" in stop.out


async def test_while_the_link_is_down_a_phones_press_still_reaches_noojee(tmp_path: Path) -> None:
    async with house(tmp_path, press={"wait_known": 0.05}) as here:
        await here.peer.silence()
        said = await here.fastagi("stop", "1.1")
        [press] = await here.daemon.verdicts()

        assert press.outcome == Outcome.FAILED
        assert [stop.query["extenOrUniqueId"] for stop in here.stops] == ["1.1"]
        assert any("beeperr" in line for line in said)
